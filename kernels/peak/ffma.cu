// The f32 ceiling of the GPU: independent chains of FFMA from registers, every SM full of warps.
// Bounded by issue: 128 FFMA per SM and clock; a chain of 8 accumulators in each of 16 warps per
// scheduler hides the latency of 4 cycles many times over.
#include <memory>
#include <span>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device.h"
#include "kernels/peak/work_split.h"
#include "reference/peak.h"

namespace breakeven::peak {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kAccumulators = 8;
constexpr int kBlocksPerSm = 2048 / kThreads;
// A unit of work: one FMA in each accumulator of each lane of a warp.
constexpr std::int64_t kUnitFmas = 32 * kAccumulators;
static_assert(Peak::kFmas % kUnitFmas == 0, "the work must come out even");

// acc += a x step, `units` times in each accumulator; sums[block] is the sum of the block's.
__global__ void __launch_bounds__(kThreads)
    ffma_chains(const float* a, const float* step, WorkSplit split, double* sums) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int units = static_cast<int>(units_of(split, std::int64_t{blockIdx.x} * kWarps + warp));
  const float factor = *a;
  const float increment = *step;
  float accumulators[kAccumulators] = {};
#pragma unroll 16
  for (int unit = 0; unit < units; ++unit) {
#pragma unroll
    for (int i = 0; i < kAccumulators; ++i) {
      accumulators[i] = fmaf(factor, increment, accumulators[i]);
    }
  }
  // Exact in f32 while a warp does fewer than 2^24 FMAs per unit of step, and free where f64 is
  // slow.
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kAccumulators; ++i) sum += accumulators[i];
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_down_sync(0xffffffffu, sum, static_cast<unsigned>(distance));
  }
  __shared__ float warp_sums[kWarps];
  if (threadIdx.x % 32 == 0) warp_sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0;
    for (int i = 0; i < kWarps; ++i) total += warp_sums[i];
    sums[blockIdx.x] = total;
  }
}

int block_count() { return device_info().sms * kBlocksPerSm; }

class Ffma final : public BufferedKernel {
 public:
  Ffma(const Workload& workload, Precision precision)
      : BufferedKernel(workload, precision,
                       static_cast<std::size_t>(block_count()) * sizeof(double)) {}

  void run() override {
    ffma_chains<<<static_cast<unsigned>(block_count()), kThreads, 0, work_stream()>>>(
        input(0).as<float>(), input(1).as<float>(),
        split_work(Peak::kFmas / kUnitFmas, std::int64_t{block_count()} * kWarps),
        result().as<double>());
    check(cudaGetLastError());
  }

  // The blocks' sums are added here: no atomics, so every run gives the same bits.
  std::span<const std::byte> output() override {
    const std::vector<std::byte> bytes = download(result());
    sum_ = 0;
    const auto* sums = reinterpret_cast<const double*>(bytes.data());
    for (int block = 0; block < block_count(); ++block) sum_ += sums[block];
    return std::as_bytes(std::span(&sum_, 1));
  }

  Transfers time_transfers() override { return {}; }  // it moves nothing worth timing

 private:
  double sum_ = 0;
};

}  // namespace

void ffma(Registry& registry) {
  Implementation implementation;
  implementation.op = "peak";
  implementation.name = "ffma";
  implementation.caches = {Cache::warm};
  implementation.precisions = {Precision::f32};
  implementation.threaded = false;
  implementation.load = [](const Workload& workload, Precision precision, const Options&) {
    return std::make_unique<Ffma>(workload, precision);
  };
  registry.add(std::move(implementation));
}

}  // namespace breakeven::peak
