// Conformance of CUDA's language as kernels use it: warp operations, atomics, conversions.
#include <cmath>
#include <cstring>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kRows = 9;

__global__ void warp_operations(const unsigned* in, unsigned* out) {
  const unsigned lane = threadIdx.x;
  const unsigned mine = in[lane];
  unsigned results[kRows];
  results[0] = __shfl_sync(kAll, mine, 7);
  results[1] = __shfl_sync(kAll, mine, static_cast<int>(lane) + 3, 16);
  results[2] = __shfl_up_sync(kAll, mine, 5u);
  results[3] = __shfl_down_sync(kAll, mine, 2u, 8);
  results[4] = __shfl_xor_sync(kAll, mine, 12);
  results[5] = __ballot_sync(kAll, (mine & 1) != 0);
  results[6] = __match_any_sync(kAll, mine % 4);
  results[7] = static_cast<unsigned>(__any_sync(kAll, lane == 9)) +
               2u * static_cast<unsigned>(__all_sync(kAll, lane != 9));
  results[8] = static_cast<unsigned>(__popc(mine)) + 64u * static_cast<unsigned>(__clz(lane)) +
               4096u * static_cast<unsigned>(__ffs(mine));
  for (unsigned row = 0; row < kRows; ++row) out[row * 32 + lane] = results[row];
}

unsigned ones(unsigned value) {
  unsigned count = 0;
  for (; value != 0; value &= value - 1) ++count;
  return count;
}

unsigned highest_zeros(unsigned value) {
  unsigned count = 0;
  while (count < 32 && (value >> (31 - count)) == 0) ++count;
  return count;
}

unsigned first_one(unsigned value) {
  for (unsigned i = 0; i < 32; ++i) {
    if ((value >> i & 1) != 0) return i + 1;
  }
  return 0;
}

std::string check_warp_operations(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned>(random, 32);
  std::vector<unsigned> expected(kRows * 32);
  unsigned odd = 0;
  for (unsigned i = 0; i < 32; ++i) odd |= (in[i] & 1) << i;
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned equal = 0;
    for (unsigned i = 0; i < 32; ++i) equal |= (in[i] % 4 == in[lane] % 4 ? 1u : 0u) << i;
    const unsigned column[kRows] = {
        in[7],
        in[lane / 16 * 16 + (lane + 3) % 16],
        in[lane < 5 ? lane : lane - 5],
        in[lane % 8 > 5 ? lane : lane + 2],
        in[lane ^ 12],
        odd,
        equal,
        1,
        ones(in[lane]) + 64 * highest_zeros(lane) + 4096 * first_one(in[lane])};
    for (unsigned row = 0; row < kRows; ++row) expected[row * 32 + lane] = column[row];
  }
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> out(expected.size());
  launch(warp_operations, {dim3(1), dim3(32)}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

// Four blocks add, compare and exchange; the sums are integers, so the order doesn't matter.
__global__ void atomics(const unsigned* in, unsigned* out, float* sum) {
  const unsigned value = in[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&out[0], value);
  atomicMax(&out[1], value);
  atomicMin(&out[2], value);
  atomicAdd(sum, static_cast<float>(value % 16));
  // Adds by hand, as kernels do that CUDA has no atomic for.
  unsigned seen = atomicAdd(&out[3], 0u);
  unsigned before;
  do {
    before = seen;
    seen = atomicCAS(&out[3], before, before + value);
  } while (seen != before);
  atomicExch(&out[4], 5u);
}

std::string check_atomics(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned>(random, 4 * 96);
  std::vector<unsigned> expected = {0, 0, ~0u, 0, 5};
  float sum = 0;
  for (const unsigned value : in) {
    expected[0] += value;
    expected[1] = std::max(expected[1], value);
    expected[2] = std::min(expected[2], value);
    expected[3] += value;
    sum += static_cast<float>(value % 16);
  }
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> out(std::vector<unsigned>{0, 0, ~0u, 0, 0});
  DeviceArray<float> device_sum(std::vector<float>{0});
  launch(atomics, {dim3(4), dim3(96)}, {}, device_in.data(), out.data(), device_sum.data());
  const std::string difference = compare(out.values(), expected);
  return difference.empty() ? compare(device_sum.values(), std::vector<float>{sum}) : difference;
}

// Lanes pass numbers round by shared memory: whole warps, then each half of them by itself.
__global__ void pass_in_warps(const unsigned* in, unsigned* out) {
  unsigned* const slots = ptx::static_shared<unsigned, 64>();
  const unsigned me = threadIdx.x, lane = me % 32, first = me - lane;
  unsigned mine = in[me];
  for (unsigned round = 0; round < 40; ++round) {
    slots[me] = mine;
    __syncwarp();
    mine = slots[first + (lane + round) % 32] * 3 + round;
    __syncwarp();
  }
  if (lane < 16) {
    slots[me] = mine;
    __syncwarp(0x0000ffffu);
    mine += slots[first + 15 - lane];
  } else {
    slots[me] = mine;
    __syncwarp(0xffff0000u);
    mine += 2 * slots[first + 47 - lane];
  }
  out[me] = mine;
}

std::string check_syncwarp(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned>(random, 64);
  auto expected = in;
  for (unsigned round = 0; round < 40; ++round) {
    const auto before = expected;
    for (unsigned i = 0; i < 64; ++i) {
      expected[i] = before[i / 32 * 32 + (i + round) % 32] * 3 + round;
    }
  }
  const auto before = expected;
  for (unsigned i = 0; i < 64; ++i) {
    const unsigned half = i % 32 / 16;
    expected[i] += (half + 1) * before[i / 16 * 16 + 15 - i % 16];
  }
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> out(in.size());
  launch(pass_in_warps, {dim3(1), dim3(64)}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

// Warp 1 polls a flag and then reads what warp 0 wrote before it set that; message after message.
__global__ void send_messages(unsigned* data, unsigned* flags, unsigned* out, int messages) {
  const unsigned lane = threadIdx.x % 32;
  for (int i = 0; i < messages; ++i) {
    if (threadIdx.x < 32) {
      __stcg(&data[i * 32 + static_cast<int>(lane)], 1000u * static_cast<unsigned>(i) + lane);
      __threadfence();
      __syncwarp();
      if (lane == 0) atomicExch(&flags[i], 1u);
    } else {
      if (lane == 0) {
        while (atomicAdd(&flags[i], 0u) == 0) {
        }
      }
      __threadfence();
      __syncwarp();
      out[i * 32 + static_cast<int>(lane)] = __ldcg(&data[i * 32 + 31 - static_cast<int>(lane)]);
    }
  }
}

// Every block writes its part; the one that counts itself last adds up all of them.
__global__ void add_up_last(const unsigned* in, unsigned* parts, unsigned* count, unsigned* out) {
  unsigned* const last = ptx::static_shared<unsigned, 1>();
  __stcg(&parts[blockIdx.x * blockDim.x + threadIdx.x],
         in[blockIdx.x * blockDim.x + threadIdx.x] * 5);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *last = atomicAdd(count, 1u) == gridDim.x - 1 ? 1u : 0u;
  __syncthreads();
  if (*last == 0) return;
  __threadfence();
  unsigned sum = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x * blockDim.x; i += blockDim.x) {
    sum += __ldcg(&parts[i]);
  }
  atomicAdd(out, sum);
}

std::string check_threadfence(std::uint64_t seed) {
  constexpr unsigned kMessages = 50;
  DeviceArray<unsigned> data(kMessages * 32);
  DeviceArray<unsigned> flags(kMessages);
  DeviceArray<unsigned> received(kMessages * 32);
  launch(send_messages, {dim3(1), dim3(64)}, {}, data.data(), flags.data(), received.data(),
         static_cast<int>(kMessages));
  std::vector<unsigned> expected;
  for (unsigned i = 0; i < kMessages * 32; ++i) expected.push_back(1000 * (i / 32) + 31 - i % 32);
  const std::string difference = compare(received.values(), expected);
  if (!difference.empty()) return "messages: " + difference;

  constexpr unsigned kBlocks = 200;
  constexpr unsigned kThreads = 64;
  Random random(seed);
  const auto in = random_bits<unsigned>(random, kBlocks * kThreads);
  unsigned sum = 0;
  for (const unsigned value : in) sum += value * 5;
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> parts(in.size());
  DeviceArray<unsigned> count(1);
  DeviceArray<unsigned> out(1);
  launch(add_up_last, {dim3(kBlocks), dim3(kThreads)}, {}, device_in.data(), parts.data(),
         count.data(), out.data());
  return compare(out.values(), std::vector<unsigned>{sum});
}

// Static arrays beside dynamic ones, none of which may lie on another.
__global__ void four_arrays(const unsigned* in, unsigned* out) {
  ptx::SharedMemory shared;
  unsigned* const arrays[4] = {ptx::static_shared<unsigned, 64>(),
                               ptx::static_shared<unsigned, 64, 1>(), shared.take<unsigned>(64),
                               reinterpret_cast<unsigned*>(ptx::static_shared<float, 64>())};
  const unsigned me = threadIdx.x;
  for (unsigned i = 0; i < 4; ++i) arrays[i][me] = in[i * 64 + me];
  __syncthreads();
  for (unsigned i = 0; i < 4; ++i) out[i * 64 + me] = arrays[i][63 - me];
  if (me == 0 && ptx::static_shared<unsigned, 64>() != arrays[0]) out[0] += 1;
}

std::string check_static_shared(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned>(random, 4 * 64);
  std::vector<unsigned> expected(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) expected[i] = in[i / 64 * 64 + 63 - i % 64];
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> out(in.size());
  launch(four_arrays, {dim3(1), dim3(64), 64 * sizeof(unsigned)}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

__global__ void tf32(const float* in, std::uint32_t* out) {
  out[threadIdx.x] = ptx::round_to_tf32(in[threadIdx.x]);
}

// Nearest, ties away from zero: through f64, where adding half a last place is exact.
std::string check_tf32(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> in(256);
  std::vector<std::uint32_t> expected(256);
  for (std::size_t i = 0; i < in.size(); ++i) {
    double value = static_cast<double>(random.below(1 << 24)) / (1 << 24) + 1;
    if (i % 4 == 0) value = 1 + (2 * random.below(512) + 1) * 0x1p-11;  // ties
    const int exponent = static_cast<int>(random.below(200)) - 100;
    const double sign = random.below(2) == 0 ? 1 : -1;
    in[i] = static_cast<float>(std::ldexp(sign * value, exponent));
    const auto exact = std::fabs(std::ldexp(static_cast<double>(in[i]), -exponent));
    const double rounded = std::floor(exact * 1024 + 0.5) / 1024;
    const auto nearest = static_cast<float>(std::ldexp(sign * rounded, exponent));
    std::memcpy(&expected[i], &nearest, sizeof nearest);
  }
  DeviceArray<float> device_in(in);
  DeviceArray<std::uint32_t> out(in.size());
  launch(tf32, {dim3(1), dim3(256)}, {}, device_in.data(), out.data());
  std::vector<std::uint32_t> got = out.values();
  for (std::uint32_t& bits : got) bits &= 0xffffe000u;  // mma reads no more
  return compare(got, expected);
}

template <class T>
__global__ void convert(const float* in, float* out, std::uint32_t* packed) {
  out[threadIdx.x] = to_float(from_float<T>(in[threadIdx.x]));
  if constexpr (sizeof(T) == 2) {
    packed[threadIdx.x] = ptx::pack<T>(in[threadIdx.x], in[255 - threadIdx.x]);
  }
}

// Rounds `value` to `bits` mantissa bits, nearest even, no finer than 2^smallest; `most` saturates.
double round_to(double value, int bits, int smallest, double most) {
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return value;
  const int step = std::max(std::ilogb(magnitude) - bits, smallest);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -step)), step);
  return std::copysign(std::min(rounded, most), value);
}

template <class T>
std::string check_convert(std::uint64_t seed, int bits, int smallest, double most) {
  Random random(seed);
  std::vector<float> in(256);
  std::vector<float> expected(256);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double value = 1 + static_cast<double>(random.below(1 << 12)) / (1 << 12);
    const int exponent = static_cast<int>(random.below(22)) - 14;
    in[i] = static_cast<float>(std::ldexp(random.below(2) == 0 ? value : -value, exponent));
    expected[i] = static_cast<float>(round_to(in[i], bits, smallest, most));
  }
  DeviceArray<float> device_in(in);
  DeviceArray<float> out(in.size());
  DeviceArray<std::uint32_t> packed(in.size());
  launch(convert<T>, {dim3(1), dim3(256)}, {}, device_in.data(), out.data(), packed.data());
  const std::string difference = compare(out.values(), expected);
  if constexpr (sizeof(T) == 2) {
    std::vector<std::uint32_t> pairs(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      const T pair[2] = {from_float<T>(in[i]), from_float<T>(in[255 - i])};
      std::memcpy(&pairs[i], pair, sizeof pair);
    }
    return difference.empty() ? compare(packed.values(), pairs) : difference;
  }
  return difference;
}

std::string check_bf16(std::uint64_t seed) { return check_convert<bf16>(seed, 7, -133, 3e38); }
std::string check_f16(std::uint64_t seed) { return check_convert<f16>(seed, 10, -24, 65504); }
std::string check_e4m3(std::uint64_t seed) { return check_convert<e4m3>(seed, 3, -9, 448); }

}  // namespace

std::vector<Check> language_checks() {
  return {{"warp shuffles and votes", 80, kAny, check_warp_operations},
          {"atomics", 80, kAny, check_atomics},
          {"__syncwarp", 80, kAny, check_syncwarp},
          {"__threadfence", 80, kAny, check_threadfence},
          {"static_shared", 80, kAny, check_static_shared},
          {"round_to_tf32", 80, kAny, check_tf32},
          {"bf16 conversion, pack", 80, kAny, check_bf16},
          {"f16 conversion, pack", 80, kAny, check_f16},
          {"e4m3 conversion", 80, kAny, check_e4m3}};
}

}  // namespace breakeven::conformance
