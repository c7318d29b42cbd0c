// The main loop of the later rungs. One warp group only fetches: it gives up its registers and runs
// ahead by as many stages as there are. The others only multiply, 64 rows or more each, and release
// a stage once the multiplications that read it have ended. Blocks walk over tiles, so that the
// fetching of the next tile goes on while the sums of this one are stored.
//
//   full[stage]   one arrival, which announces the stage's bytes: it can be read
//   empty[stage]  one arrival per multiplying warp group of the cluster: it can be written, here
//                 and, since half of B comes from there, in the other block
#pragma once

#include "kernels/matmul/wgmma_store.h"
#include "kernels/matmul/wgmma_tile.h"

namespace breakeven::matmul {

/// Of each thread of a fetching and of a multiplying warp group: 40 + 2 x 232 = 3 x 168, with which
/// a block of 384 threads starts. In 24 the fetching loop doesn't fit without spilling.
inline constexpr int kFetchRegisters = 40;
inline constexpr int kMultiplyRegisters = 232;

/// Where a pipeline of stages is; `parity` is that of the phase to wait for in full[stage].
struct WgmmaStage {
  int stage = 0;
  int parity = 0;

  template <int kStages>
  __device__ __forceinline__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <class Operands, class Tile>
struct WgmmaShared {
  char* a;
  char* b;
  char* staging;
  ptx::Mbarrier* full;
  ptx::Mbarrier* empty;

  static constexpr int kBytesA = Tile::m * 128;
  static constexpr int kBytesB = Tile::n * 128;
  static constexpr int kStaging = Tile::staged ? Tile::consumers * kWgmmaStagingBytes : 0;

  __device__ __forceinline__ WgmmaShared() {
    ptx::SharedMemory shared;
    a = shared.take<char>(Tile::stages * kBytesA, 1024);
    b = shared.take<char>(Tile::stages * kBytesB, 1024);
    staging = Tile::staged ? shared.take<char>(kStaging, 1024) : nullptr;
    full = shared.take<ptx::Mbarrier>(Tile::stages);
    empty = shared.take<ptx::Mbarrier>(Tile::stages);
  }
  static constexpr int bytes() {
    return Tile::stages * (kBytesA + kBytesB) + kStaging +
           ptx::shared_bytes(8 * Tile::stages, 8 * Tile::stages);
  }
};

/// The tile of the cluster's turn `turn`, as this block's first row and column.
template <class Tile>
__device__ __forceinline__ TilePosition wgmma_origin(const WgmmaProblem& p, int turn, int rank) {
  TilePosition tile;
  if constexpr (Tile::order == TileOrder::rows) {
    tile = {turn / p.tile_columns, turn % p.tile_columns};  // 32 bits: fewer registers
  } else {
    tile = TileSchedule{p.tile_rows, p.tile_columns, Tile::order}.at(turn);
  }
  return {(tile.row * Tile::cluster + rank) * Tile::m, tile.column * Tile::n};
}

/// A matrix product as work for the pipeline, which is what another work has to have as well: turns
/// of a cluster, each a tile of C and a part of k, what is fetched for them and where sums go.
template <class Operands_, class Tile_>
struct WgmmaProduct {
  using Operands = Operands_;
  using Tile = Tile_;
  static constexpr int fetch_registers = kFetchRegisters;
  static constexpr int multiply_registers = kMultiplyRegisters;
  const ptx::TensorMap& map_a;
  const ptx::TensorMap& map_b;
  const ptx::TensorMap& map_c;
  const WgmmaProblem& p;

  __device__ __forceinline__ void prefetch() const {
    ptx::tma_prefetch_descriptor(map_a);
    ptx::tma_prefetch_descriptor(map_b);
    if (Tile::staged) ptx::tma_prefetch_descriptor(map_c);
  }
  __device__ __forceinline__ int turns() const { return p.tile_rows * p.tile_columns; }
  /// Of a turn's part of k, at least 1.
  __device__ __forceinline__ int k_tiles(int) const { return p.k_tiles; }

  /// Each call starts the copies of the next tile of k to a stage.
  struct Fetch {
    const WgmmaProduct& product;
    TilePosition origin;
    int rank;
    int k0 = 0;

    __device__ __forceinline__ void operator()(char* a, char* b, ptx::Mbarrier* full) {
      load_a<Operands, Tile::m>(a, product.map_a, full, origin.row, k0);
      load_b<Operands, Tile::n, Tile::cluster>(b, product.map_b, full, origin.column, k0, rank);
      k0 += Operands::depth;
    }
  };
  __device__ __forceinline__ Fetch fetch(int turn, int rank) const {
    return {*this, wgmma_origin<Tile>(p, turn, rank), rank};
  }

  /// The sums of multiplying warp group number `group`; `staging` is that of all groups.
  template <int kParts>
  __device__ __forceinline__ void store(float (&d)[kParts][Tile::n / 2], int turn, int rank,
                                        int group, char* staging) const {
    using Output = typename Operands::Output;
    const TilePosition origin = wgmma_origin<Tile>(p, turn, rank);
    const int m0 = origin.row + group * kParts * 64;
    finish_sums<Output, kParts, Tile::n>(d, p, origin.column);
    if (Tile::staged && p.store_by_tma) {
      stage_sums<Output, kParts, Tile::n>(d, map_c, p, staging + group * kWgmmaStagingBytes, m0,
                                          origin.column, 1 + group);
    } else {
      store_sums<Output, kParts, Tile::n>(d, p, m0, origin.column);
    }
  }
};

/// What the fetching thread does.
template <class Work>
__device__ __forceinline__ void fetch_tiles(
    const WgmmaShared<typename Work::Operands, typename Work::Tile>& shared, const Work& work,
    int first, int step, int rank) {
  using Tile = typename Work::Tile;
  using Shared = WgmmaShared<typename Work::Operands, Tile>;
  const int turns = work.turns();
  WgmmaStage at;
  for (int turn = first; turn < turns; turn += step) {
    auto fetch = work.fetch(turn, rank);
    const int k_tiles = work.k_tiles(turn);
    for (int k_tile = 0; k_tile < k_tiles; ++k_tile) {
      // A stage that was never used counts as released: the phase before the first has ended.
      ptx::mbarrier_wait(shared.empty + at.stage, at.parity ^ 1);
      ptx::Mbarrier* const full = shared.full + at.stage;
      ptx::mbarrier_arrive_expect_tx(full, Tile::stage_bytes);
      fetch(shared.a + at.stage * Shared::kBytesA, shared.b + at.stage * Shared::kBytesB, full);
      at.template advance<Tile::stages>();
    }
  }
}

/// Tells every block of the cluster that this warp group has read the stage.
template <class Tile>
__device__ __forceinline__ void release_stage(ptx::Mbarrier* empty) {
  const int thread = static_cast<int>(threadIdx.x) % 128;
  if constexpr (Tile::cluster == 1) {
    if (thread == 0) ptx::mbarrier_arrive(empty);
  } else {
    if (thread < Tile::cluster) ptx::mbarrier_arrive_remote(empty, thread);
  }
}

/// What multiplying warp group number `group` does.
template <class Work>
__device__ __forceinline__ void multiply_tiles(
    const WgmmaShared<typename Work::Operands, typename Work::Tile>& shared, const Work& work,
    int first, int step, int rank, int group) {
  using Operands = typename Work::Operands;
  using Tile = typename Work::Tile;
  using Shared = WgmmaShared<Operands, Tile>;
  constexpr int kRows = Tile::m / Tile::consumers;
  constexpr int kParts = kRows / 64;
  const int turns = work.turns();
  WgmmaStage at;
  for (int turn = first; turn < turns; turn += step) {
    float d[kParts][Tile::n / 2];
    if constexpr (Operands::promoted) clear_sums(d);
    ptx::Mbarrier* unreleased = nullptr;
    const int k_tiles = work.k_tiles(turn);
    for (int k_tile = 0; k_tile < k_tiles; ++k_tile) {
      ptx::mbarrier_wait(shared.full + at.stage, at.parity);
      const char* const a = shared.a + at.stage * Shared::kBytesA + group * kRows * 128;
      const char* const b = shared.b + at.stage * Shared::kBytesB;
      if constexpr (Operands::promoted) {
        multiply_promoted<Operands, kParts, Tile::n>(d, a, b);
        release_stage<Tile>(shared.empty + at.stage);
      } else {
        multiply_tile<Operands, kParts, Tile::n>(d, a, b, k_tile == 0);
        ptx::wgmma_wait<1>();  // the previous tile's; this one's go on
        if (k_tile > 0) release_stage<Tile>(unreleased);
        unreleased = shared.empty + at.stage;
      }
      at.template advance<Tile::stages>();
    }
    if constexpr (!Operands::promoted) {
      ptx::wgmma_wait<0>();
      hold_sums(d);
      release_stage<Tile>(unreleased);
    }
    work.store(d, turn, rank, group, shared.staging);
  }
  if (Tile::staged && threadIdx.x % 128 == 0) ptx::tma_store_wait_read<0>();
}

/// What a kernel of 128 (consumers + 1) threads does, its first warp group fetching.
template <class Work>
__device__ __forceinline__ void run_wgmma_pipeline(const Work& work) {
  using Tile = typename Work::Tile;
  const WgmmaShared<typename Work::Operands, Tile> shared;
  if (threadIdx.x == 0) {
    work.prefetch();
    for (int stage = 0; stage < Tile::stages; ++stage) {
      ptx::mbarrier_init(shared.full + stage, 1);
      ptx::mbarrier_init(shared.empty + stage, Tile::consumers * Tile::cluster);
    }
    ptx::mbarrier_fence_init();
  }
  if constexpr (Tile::cluster > 1) {
    ptx::cluster_sync();
  } else {
    __syncthreads();
  }
  const int rank = Tile::cluster > 1 ? ptx::cluster_rank() : 0;
  const int first = static_cast<int>(blockIdx.x) / Tile::cluster;
  const int step = static_cast<int>(gridDim.x) / Tile::cluster;
  const int group = static_cast<int>(threadIdx.x) / 128;
  if (group == 0) {
    ptx::setmaxnreg_decrease<Work::fetch_registers>();
    if (threadIdx.x == 0) fetch_tiles(shared, work, first, step, rank);
    __syncwarp();
  } else {
    ptx::setmaxnreg_increase<Work::multiply_registers>();
    multiply_tiles(shared, work, first, step, rank, group - 1);
  }
  // A block whose memory the other still writes, or at whose barriers it still arrives, must stay.
  if constexpr (Tile::cluster > 1) ptx::cluster_sync();
}

template <class Operands, class Tile>
__global__ void __launch_bounds__(128 * (Tile::consumers + 1), 1)
    wgmma_pipeline(const __grid_constant__ ptx::TensorMap map_a,
                   const __grid_constant__ ptx::TensorMap map_b,
                   const __grid_constant__ ptx::TensorMap map_c,
                   const __grid_constant__ WgmmaProblem p) {
  run_wgmma_pipeline(WgmmaProduct<Operands, Tile>{map_a, map_b, map_c, p});
}

/// For wgmma_prepare(). kPersistent: as many blocks as there are multiprocessors walk over the
/// tiles, else there is one for each tile.
template <class Tile, bool kPersistent>
struct WgmmaPipeline {
  static_assert(Tile::consumers == 2, "of whom the registers are shared out");

  template <class Operands>
  static PreparedLaunch prepare(const Gemm& gemm, const Gpu& gpu) {
    using Output = typename Operands::Output;
    const WgmmaProblem p = wgmma_problem<Operands, Tile>(gemm);
    std::int64_t clusters = static_cast<std::int64_t>(p.tile_rows) * p.tile_columns;
    if (kPersistent)
      clusters = std::min<std::int64_t>(clusters, std::max(1, gpu.sms / Tile::cluster));
    const ptx::TensorMap map_a = wgmma_map_a<Operands, Tile>(gemm);
    const ptx::TensorMap map_c =
        p.store_by_tma ? wgmma_map<Output>(gemm.c, p.m, p.n, gemm.ldc, 64, 128 / sizeof(Output))
                       : map_a;
    return prepare_launch(wgmma_pipeline<Operands, Tile>,
                          Grid{dim3(static_cast<unsigned>(clusters * Tile::cluster)),
                               dim3(128 * (Tile::consumers + 1)),
                               WgmmaShared<Operands, Tile>::bytes(), Tile::cluster},
                          map_a, wgmma_map_b<Operands, Tile>(gemm), map_c, p);
  }
};

}  // namespace breakeven::matmul
