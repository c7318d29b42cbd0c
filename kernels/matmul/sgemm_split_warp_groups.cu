// Rung 9: two groups of four warps share a 128x128 tile, each with 8x16 outputs a thread over every
// second slab of k, its own stages and its own named barrier; at the end they add their sums. The
// larger thread tile needs 6 shared loads for 128 multiply-adds, so that more than 90 % of the main
// loop can be FFMA, and while one group waits at its barrier the other computes, though its
// registers leave room for one block only. Bounded by issue slots, and by that one block: at its
// start and its end nothing else fills the multiprocessor.
#include "kernels/matmul/sgemm_pipeline.h"
#include "kernels/matmul/sgemm_rungs.h"

namespace breakeven::matmul {
namespace {

using Tiles = ThreadTiles<2, 2, 8, 4, 2, 4, 16>;  // of a group: 128x128x16, 128 threads
constexpr int kGroups = 2;
constexpr int kStages = 3;  // of each group: 99 KB for both, the most that sm_86, 89 and 120 have
constexpr int kHalf = Tiles::kRows / 2;

struct GroupBarrier {
  int group;
  __device__ void operator()() const { ptx::named_barrier_sync(1 + group, Tiles::kThreads); }
};

// Where the groups meet: each leaves the half of its rows that the other one stores, four floats a
// thread at a time, so that neighbouring threads are neighbours.
constexpr int kExchangeVectors = kHalf * Tiles::kColumns / 4 * Tiles::kThreads;  // of a group

template <int kFirst>
__device__ __forceinline__ void give(const float (&sums)[Tiles::kRows][Tiles::kColumns],
                                     float4* exchange) {
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
#pragma unroll
    for (int j = 0; j < Tiles::kColumns; j += 4) {
      const auto& row = sums[kFirst + i];
      ptx::store_shared(exchange + (i * Tiles::kColumns + j) / 4 * Tiles::kThreads,
                        make_float4(row[j], row[j + 1], row[j + 2], row[j + 3]));
    }
  }
}

template <int kFirst>
__device__ __forceinline__ void take_and_store(const SgemmProblem& p, int row, int column,
                                               const float (&sums)[Tiles::kRows][Tiles::kColumns],
                                               const float4* exchange) {
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
#pragma unroll
    for (int j = 0; j < Tiles::kColumns; j += 4) {
      const float4 other =
          ptx::load_shared(exchange + (i * Tiles::kColumns + j) / 4 * Tiles::kThreads);
      const auto& mine = sums[kFirst + i];
      const float quad[4] = {mine[j] + other.x, mine[j + 1] + other.y, mine[j + 2] + other.z,
                             mine[j + 3] + other.w};
      store_quad(p, row + Tiles::row_of(kFirst + i), column + Tiles::column_of(j), quad);
    }
  }
}

template <bool kTransA, bool kTransB, bool kVector>
__global__ void __launch_bounds__(kGroups* Tiles::kThreads)
    sgemm_split_warp_groups_kernel(SgemmProblem p) {
  using Loop = Pipeline<Tiles, kStages, kTransA, kTransB, kVector>;
  static_assert(kGroups * kExchangeVectors * 4 <= kGroups * Loop::kFloats);
  ptx::SharedMemory shared;
  float* stages = shared.take<float>(kGroups * Loop::kFloats);
  const TilePosition first = first_element(p, Tiles::kM, Tiles::kN);
  const int group = static_cast<int>(threadIdx.x) / Tiles::kThreads;
  const int thread = static_cast<int>(threadIdx.x) % Tiles::kThreads;
  const int slabs = slab_count(p.k, Tiles::kSlab);
  float sums[Tiles::kRows][Tiles::kColumns] = {};
  Loop::run(p, first, {group, kGroups, (slabs + kGroups - 1 - group) / kGroups},
            stages + group * Loop::kFloats, thread, GroupBarrier{group}, sums);

  // Only when both groups have read their last stage may the stages hold something else.
  __syncthreads();
  auto* exchange = reinterpret_cast<float4*>(stages);
  float4* mine = exchange + group * kExchangeVectors + thread;
  const float4* others = exchange + (1 - group) * kExchangeVectors + thread;
  group == 0 ? give<kHalf>(sums, mine) : give<0>(sums, mine);
  __syncthreads();
  const int row = first.row + Tiles::row(thread);
  const int column = first.column + Tiles::column(thread);
  group == 0 ? take_and_store<0>(p, row, column, sums, others)
             : take_and_store<kHalf>(p, row, column, sums, others);
}

PreparedGemm prepare(const Gemm& gemm, void*, const Gpu&) {
  const SgemmProblem p = sgemm_problem(gemm, Tiles::kM, Tiles::kN);
  return {with_layout(gemm.shape.trans_a, gemm.shape.trans_b, vector_copies(gemm),
                      [&](auto trans_a, auto trans_b, auto vector) {
                        constexpr bool kVector = vector || (!trans_a && trans_b);
                        using Loop = Pipeline<Tiles, kStages, trans_a, trans_b, kVector>;
                        return prepare_launch(
                            sgemm_split_warp_groups_kernel<trans_a, trans_b, kVector>,
                            {dim3(blocks(p)), dim3(kGroups * Tiles::kThreads),
                             kGroups * Loop::kFloats * sizeof(float)},
                            p);
                      })};
}

}  // namespace

const Rung& sgemm_split_warp_groups() {
  static const Rung rung = {"sgemm_split_warp_groups",
                            Precision::f32,
                            80,
                            kAnyCompute,
                            sgemm_sizes,
                            no_workspace,
                            prepare};
  return rung;
}

}  // namespace breakeven::matmul
