// The main loop that every rung of the mma.sync ladder shares: a block computes one tile of C, each
// of its warps a part of that, from slabs of A and B in shared memory.
//
// With one stage, a slab is copied, waited for and multiplied. With more, the copies of the slabs
// to come are under way meanwhile, and the fragments of the next step are loaded while the tensor
// core works on this one's; one barrier a slab then does for both directions: all have the next
// slab's data, and none still reads the slab whose place the next copy takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matmul/mma_copy.h"
#include "kernels/matmul/mma_fragments.h"
#include "kernels/matmul/mma_store.h"
#include "kernels/matmul/mma_types.h"

namespace breakeven::matmul {

/// The loop itself. CopyA_ and CopyB_ are a MmaCopy, or anything else with its Slab and its next().
template <Precision kPrecision, MmaConfig kConfig, class CopyA_, class CopyB_>
class MmaLoop {
 public:
  using Types = MmaTypes<kPrecision>;
  using Element = typename Types::Element;
  using Sum = typename Types::Accumulator;
  static constexpr int kTilesM = kConfig.warp_m() / kMmaRows;
  static constexpr int kTilesN = kConfig.warp_n() / kMmaColumns;
  static constexpr int kSteps = kSlabBytes / kMmaBytes;
  static constexpr int kDepth = kSlabBytes / static_cast<int>(sizeof(Element));

  /// Whether fragments are loaded a step ahead; see mma_config_128x128() on fp8's registers.
  static constexpr bool kAhead = kPrecision != Precision::fp8;

  /// Slabs after which fp8's sums, short where the tensor core adds them by itself, move to f32.
  static constexpr int kPromotedSlabs = 2;
  static_assert(kPrecision != Precision::fp8 || kPromotedSlabs * kDepth == 128);

  using CopyA = CopyA_;
  using CopyB = CopyB_;
  using SlabA = typename CopyA::Slab;
  using SlabB = typename CopyB::Slab;
  using FragmentsA = MmaFragments<Element, SlabA, kConfig.ldmatrix, kMmaRows, kTilesM>;
  using FragmentsB = MmaFragments<Element, SlabB, kConfig.ldmatrix, kMmaColumns, kTilesN>;

  /// Adds the product of the next `slabs` slabs of both copies to `sums`; of the last one
  /// `last_depth` elements of k count. `shared`: mma_shared_bytes() of it, aligned to 128. Ends
  /// with all threads past their last read.
  __device__ __forceinline__ static void run(const CopyA& copy_a, const CopyB& copy_b, int slabs,
                                             int last_depth, std::byte* shared,
                                             Sum (&sums)[kTilesM][kTilesN][4]) {
    MmaLoop loop(copy_a, copy_b, slabs, last_depth, shared);
    if constexpr (kConfig.stages == 1) {
      loop.one_by_one(sums);
    } else {
      loop.pipelined(sums);
    }
  }

 private:
  struct Registers {
    std::uint32_t a[kTilesM][4];
    std::uint32_t b[kTilesN][2];
  };

  /// Where slabs are summed up: in `sums` itself or, to be promoted, apart.
  template <bool kPromotes>
  class Accumulator {
   public:
    __device__ explicit Accumulator(Sum (&sums)[kTilesM][kTilesN][4]) : sums_(sums) {}

    __device__ __forceinline__ void add(const Registers& registers) {
      if constexpr (kPromotes) {
        multiply_add(short_sums_, registers);
      } else {
        multiply_add(sums_, registers);
      }
    }

    __device__ __forceinline__ void end_slab(int slab, int slabs) {
      if constexpr (kPromotes) {
        if ((slab + 1) % kPromotedSlabs != 0 && slab + 1 != slabs) return;
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
          for (int j = 0; j < kTilesN; ++j) {
#pragma unroll
            for (int l = 0; l < 4; ++l) {
              sums_[i][j][l] += short_sums_[i][j][l];
              short_sums_[i][j][l] = 0;
            }
          }
        }
      }
    }

   private:
    Sum (&sums_)[kTilesM][kTilesN][4];
    Sum short_sums_[kPromotes ? kTilesM : 1][kPromotes ? kTilesN : 1][4] = {};
  };

  __device__ __forceinline__ MmaLoop(const CopyA& copy_a, const CopyB& copy_b, int slabs,
                                     int last_depth, std::byte* shared)
      : copy_a_(copy_a),
        copy_b_(copy_b),
        fragments_a_(static_cast<int>(threadIdx.x) / 32 / kConfig.warps_n * kConfig.warp_m()),
        fragments_b_(static_cast<int>(threadIdx.x) / 32 % kConfig.warps_n * kConfig.warp_n()),
        slabs_a_(shared),
        slabs_b_(shared + kConfig.stages * SlabA::kBytes),
        slabs_(slabs),
        to_copy_(slabs),
        last_depth_(last_depth) {}

  /// Starts copying the next slab into stage `stage`, if there is one left.
  __device__ __forceinline__ void copy_next(int stage) {
    if (to_copy_ > 0) {
      const int depth = to_copy_ == 1 ? last_depth_ : kDepth;
      copy_a_.next(slabs_a_ + stage * SlabA::kBytes, depth);
      copy_b_.next(slabs_b_ + stage * SlabB::kBytes, depth);
      --to_copy_;
    }
    ptx::cp_async_commit();  // an empty group too, so that the waits can count them
  }

  __device__ __forceinline__ void load(Registers& registers, int stage, int step) const {
    fragments_a_.load(registers.a, slabs_a_ + stage * SlabA::kBytes, step);
    fragments_b_.load(registers.b, slabs_b_ + stage * SlabB::kBytes, step);
  }

  __device__ __forceinline__ static void multiply_add(Sum (&sums)[kTilesM][kTilesN][4],
                                                      const Registers& registers) {
#pragma unroll
    for (int i = 0; i < kTilesM; ++i) {
#pragma unroll
      for (int j = 0; j < kTilesN; ++j) {
        // Every other row of tiles backwards: neighbours in time share a register of B.
        const int column = i % 2 == 0 ? j : kTilesN - 1 - j;
        Types::multiply_add(sums[i][column], registers.a[i], registers.b[column]);
      }
    }
  }

  __device__ void one_by_one(Sum (&sums)[kTilesM][kTilesN][4]) {
    Accumulator<kPrecision == Precision::fp8 && ptx::kShortFp8Sums> accumulator(sums);
#pragma unroll 1
    for (int slab = 0; slab < slabs_; ++slab) {
      copy_next(0);
      ptx::cp_async_wait<0>();
      __syncthreads();
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        Registers registers;
        load(registers, 0, step);
        accumulator.add(registers);
      }
      accumulator.end_slab(slab, slabs_);
      __syncthreads();
    }
  }

  __device__ void pipelined(Sum (&sums)[kTilesM][kTilesN][4]) {
    constexpr int kStages = kConfig.stages;
#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage) copy_next(stage);
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();

    Registers registers[kAhead ? 2 : 1];
    if (kAhead) load(registers[0], 0, 0);
    Accumulator<kPrecision == Precision::fp8 && ptx::kShortFp8Sums> accumulator(sums);
    int stage = 0;           // holds the slab that is multiplied
    int free = kStages - 1;  // held the slab before it
#pragma unroll 1
    for (int slab = 0; slab < slabs_; ++slab) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const bool is_last = step == kSteps - 1;
        if constexpr (kAhead) {
          if (is_last) await_next(stage, free);
          // Behind the last slab, this loads what an earlier one left, and nothing multiplies it.
          load(registers[(step + 1) % 2], stage, (step + 1) % kSteps);
          if (step == 0) copy_next(free);
          accumulator.add(registers[step % 2]);
        } else {
          load(registers[0], stage, step);
          if (step == 0) copy_next(free);
          accumulator.add(registers[0]);
          if (is_last) await_next(stage, free);
        }
      }
      accumulator.end_slab(slab, slabs_);
    }
    __syncthreads();
  }

  /// Until the slab behind `stage`'s is there and nobody reads `stage`'s, which becomes `free`.
  __device__ __forceinline__ static void await_next(int& stage, int& free) {
    ptx::cp_async_wait<kConfig.stages - 2>();
    __syncthreads();
    free = stage;
    stage = stage + 1 == kConfig.stages ? 0 : stage + 1;
  }

  CopyA copy_a_;
  CopyB copy_b_;
  FragmentsA fragments_a_;
  FragmentsB fragments_b_;
  std::byte* slabs_a_;
  std::byte* slabs_b_;
  int slabs_;
  int to_copy_;
  int last_depth_;
};

/// The loop over matrices.
template <Precision kPrecision, MmaConfig kConfig, MmaLayout kLayoutA, MmaLayout kLayoutB>
class MmaTile : public MmaLoop<kPrecision, kConfig,
                               MmaCopy<typename MmaTypes<kPrecision>::Element, kConfig.m, kLayoutA,
                                       kConfig.ldmatrix, kConfig.threads()>,
                               MmaCopy<typename MmaTypes<kPrecision>::Element, kConfig.n, kLayoutB,
                                       kConfig.ldmatrix, kConfig.threads()>> {
 public:
  /// sums += op(A)[rows from first_row, k from `begin` to `end`] op(B)[.., columns from
  /// first_column], with `shared` as run() wants it.
  __device__ static void multiply(
      const MmaProblem& p, std::int64_t first_row, std::int64_t first_column, std::int64_t begin,
      std::int64_t end, std::byte* shared,
      typename MmaTile::Sum (&sums)[MmaTile::kTilesM][MmaTile::kTilesN][4]) {
    constexpr int kDepth = MmaTile::kDepth;
    const int slabs = static_cast<int>((end - begin + kDepth - 1) / kDepth);
    const int last_depth =
        static_cast<int>(end - begin - static_cast<std::int64_t>(slabs - 1) * kDepth);
    MmaTile::run(typename MmaTile::CopyA(p.a, first_row, p.m, begin),
                 typename MmaTile::CopyB(p.b, first_column, p.n, begin), slabs, last_depth, shared,
                 sums);
  }
};

/// One block's work, for every rung's kernel.
template <Precision kPrecision, MmaConfig kConfig, MmaLayout kLayoutA, MmaLayout kLayoutB>
__device__ __forceinline__ void mma_block(const MmaProblem& p) {
  using Tile = MmaTile<kPrecision, kConfig, kLayoutA, kLayoutB>;
  using Types = typename Tile::Types;
  using Sum = typename Tile::Sum;
  static_assert(!kConfig.staged_store || kStagingBytes<kConfig> <= mma_shared_bytes(kConfig));

  ptx::SharedMemory memory;
  auto* shared = memory.take<std::byte>(mma_shared_bytes(kConfig), 1024);
  const std::int64_t block = blockIdx.x;
  const int split = static_cast<int>(block % p.splits);
  const TilePosition tile = p.schedule.at(block / p.splits);
  const std::int64_t first_row = static_cast<std::int64_t>(tile.row) * kConfig.m;
  const std::int64_t first_column = static_cast<std::int64_t>(tile.column) * kConfig.n;
  const std::int64_t begin = split * p.split_k;
  const std::int64_t end = min(p.k, begin + p.split_k);

  Sum sums[Tile::kTilesM][Tile::kTilesN][4] = {};
  Tile::multiply(p, first_row, first_column, begin, end, shared, sums);

  const int warp = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t warp_row = first_row + warp / kConfig.warps_n * kConfig.warp_m();
  const std::int64_t warp_column = first_column + warp % kConfig.warps_n * kConfig.warp_n();
  constexpr bool kTurnedA = Tile::SlabA::kTurned;
  constexpr bool kTurnedB = Tile::SlabB::kTurned;
  if constexpr (kConfig.staged_store) {
    using Output = typename Types::Output;
    Sum* staging = reinterpret_cast<Sum*>(shared) + warp * (kMmaRows * kStagingRow<kConfig>);
    if (p.splits > 1) {
      Sum* partial = static_cast<Sum*>(p.partial) + split * p.m * p.partial_ld;
      mma_store_staged<Sum, kConfig, kTurnedA, kTurnedB, false>(
          p, sums, staging, partial, p.partial_ld, true, warp_row, warp_column);
    } else {
      mma_store_staged<Output, kConfig, kTurnedA, kTurnedB, true>(
          p, sums, staging, static_cast<Output*>(p.c), p.ldc, p.vector_c, warp_row, warp_column);
    }
  } else {
    mma_store_direct<Types, kConfig, kTurnedA, kTurnedB>(p, sums, warp_row, warp_column);
  }
}

// A MmaConfig in pieces: nvcc 13.0 writes host code that doesn't compile for a __global__ template
// with a parameter of class type.
template <Precision kPrecision, int kM, int kN, int kWarpsM, int kWarpsN, int kStages,
          bool kLdmatrix, bool kStagedStore, int kBlocksPerSm, MmaLayout kLayoutA,
          MmaLayout kLayoutB>
__global__ void __launch_bounds__(32 * kWarpsM * kWarpsN, kBlocksPerSm)
    mma_kernel(const __grid_constant__ MmaProblem p) {
  constexpr MmaConfig kConfig = {kM,      kN,        kWarpsM,      kWarpsN,
                                 kStages, kLdmatrix, kStagedStore, kBlocksPerSm};
  mma_block<kPrecision, kConfig, kLayoutA, kLayoutB>(p);
}

}  // namespace breakeven::matmul
