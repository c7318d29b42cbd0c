// The main loop of the upper rungs: slabs come into a ring of stages by cp.async, all but one stage
// ahead of the slab that is computed, with one barrier a slab; each step along k computes on one
// set of registers while the next step's fragments are loaded into another.
#pragma once

#include "kernels/matmul/sgemm_slab_copy.h"
#include "kernels/matmul/sgemm_thread_tile.h"

namespace breakeven::matmul {

/// Which slabs of k a group of threads computes: `count` of them, number `first`, first + step, …
/// Slab 0 is the partial one where k isn't a multiple of the slab.
struct SlabRange {
  int first;
  int step;
  int count;
};

__host__ __device__ constexpr int slab_count(int k, int slab) { return (k + slab - 1) / slab; }

/// For a Pipeline that all threads of a block run together.
struct BlockBarrier {
  __device__ void operator()() const { __syncthreads(); }
};

/// The loop itself. `Tiles` is a ThreadTiles, and Tiles::kThreads threads run it, `thread` from 0
/// on in each. CopyA_ and CopyB_ are a SlabCopy, or anything else with its kStride, kFloats,
/// copy(), copy_partial() and advance().
template <class Tiles, int kStages, class CopyA_, class CopyB_>
class SlabPipeline {
 public:
  using CopyA = CopyA_;
  using CopyB = CopyB_;
  static constexpr int kStageFloats = CopyA::kFloats + CopyB::kFloats;
  static constexpr int kFloats = kStages * kStageFloats;  // of shared memory

  /// Adds the product of `count` slabs, at least 1, `stride_k` apart along k, to `sums`. The first
  /// has `first_rows` rows that count. `barrier()` holds these threads together. On return the
  /// stages may still be read by other threads of the group.
  template <class Barrier>
  __device__ static __forceinline__ void run(CopyA copy_a, CopyB copy_b, int first_rows,
                                             int stride_k, int count, float* stages, int thread,
                                             const Barrier& barrier,
                                             float (&sums)[Tiles::kRows][Tiles::kColumns]) {
    if (first_rows < Tiles::kSlab) {
      const int skipped = Tiles::kSlab - first_rows;
      copy_a.copy_partial(stages, first_rows);
      copy_b.copy_partial(stages + CopyA::kFloats, first_rows);
      copy_a.advance(stride_k - skipped);
      copy_b.advance(stride_k - skipped);
    } else {
      copy_a.copy(stages);
      copy_b.copy(stages + CopyA::kFloats);
      copy_a.advance(stride_k);
      copy_b.advance(stride_k);
    }
    ptx::cp_async_commit();
#pragma unroll
    for (int stage = 1; stage < kStages - 1; ++stage) {
      if (stage < count) {
        copy_a.copy(stages + stage * kStageFloats);
        copy_b.copy(stages + stage * kStageFloats + CopyA::kFloats);
        copy_a.advance(stride_k);
        copy_b.advance(stride_k);
      }
      ptx::cp_async_commit();
    }

    float a[2][Tiles::kRows];
    float b[2][Tiles::kColumns];
    const float* const a_stages = stages + Tiles::row(thread);
    const float* const b_stages = stages + CopyA::kFloats + Tiles::column(thread);
    int read = 0;  // offsets of the stages that are computed and filled
    int write = (kStages - 1) * kStageFloats;
    ptx::cp_async_wait<kStages - 2>();
    barrier();
    load_step(a[0], b[0], a_stages, b_stages, 0);
    for (int left = count; left > 0; --left) {
#pragma unroll
      for (int l = 0; l < Tiles::kSlab; ++l) {
        if (l == Tiles::kSlab - 1) {
          // All threads have read this slab's last fragments, and the next one is in place. Only
          // now may its stage be filled again, which the next turn of the loop does.
          ptx::cp_async_wait<kStages - 2>();
          barrier();
          write = read;
          read = read == (kStages - 1) * kStageFloats ? 0 : read + kStageFloats;
        }
        if (l == 0) {
          if (left >= kStages) {
            copy_a.copy(stages + write);
            copy_b.copy(stages + write + CopyA::kFloats);
            copy_a.advance(stride_k);
            copy_b.advance(stride_k);
          }
          ptx::cp_async_commit();
        }
        // After the last slab this reads a stage that holds none, and nobody uses what it read.
        const int next = (l + 1) % Tiles::kSlab;
        load_step(a[next % 2], b[next % 2], a_stages + read, b_stages + read, next);
        add_outer_product(sums, a[l % 2], b[l % 2]);
      }
    }
  }

 private:
  static_assert(Tiles::kSlab % 2 == 0 && kStages >= 2);

  __device__ static __forceinline__ void load_step(float (&a)[Tiles::kRows],
                                                   float (&b)[Tiles::kColumns],
                                                   const float* a_stage, const float* b_stage,
                                                   int l) {
    load_fragment<Tiles::kRows, Tiles::kStepM>(a, a_stage + l * CopyA::kStride);
    load_fragment<Tiles::kColumns, Tiles::kStepN>(b, b_stage + l * CopyB::kStride);
  }
};

/// The loop over matrices.
template <class Tiles, int kStages, bool kTransA, bool kTransB, bool kVector>
class Pipeline
    : public SlabPipeline<Tiles, kStages,
                          SlabCopy<Tiles::kM, Tiles::kSlab, Tiles::kThreads, !kTransA, kVector>,
                          SlabCopy<Tiles::kN, Tiles::kSlab, Tiles::kThreads, kTransB, kVector>> {
 public:
  /// Adds the product of the tile at `first` over `slabs` to `sums`.
  template <class Barrier>
  __device__ static __forceinline__ void run(const SgemmProblem& p, TilePosition first,
                                             SlabRange slabs, float* stages, int thread,
                                             const Barrier& barrier,
                                             float (&sums)[Tiles::kRows][Tiles::kColumns]) {
    if (slabs.count <= 0) return;
    const int partial = p.k % Tiles::kSlab;  // rows of slab 0, or 0 where it is a whole one
    const int skipped = partial == 0 ? 0 : Tiles::kSlab - partial;
    const int first_k = slabs.first == 0 ? 0 : slabs.first * Tiles::kSlab - skipped;
    Pipeline::SlabPipeline::run(
        typename Pipeline::CopyA(p.a, p.lda, first.row, p.m, first_k, thread),
        typename Pipeline::CopyB(p.b, p.ldb, first.column, p.n, first_k, thread),
        slabs.first == 0 && partial != 0 ? partial : Tiles::kSlab, slabs.step * Tiles::kSlab,
        slabs.count, stages, thread, barrier, sums);
  }
};

}  // namespace breakeven::matmul
