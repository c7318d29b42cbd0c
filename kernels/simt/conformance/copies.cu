// Conformance of shared memory, named barriers and cp.async.
#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

// Where three arrays lie: each thread writes, reads its neighbour's, and notes the alignments.
__global__ void three_arrays(const int* in, int* out, int* misaligned) {
  ptx::SharedMemory shared;
  std::int16_t* first = shared.take<std::int16_t>(33);
  int* second = shared.take<int>(64, 1024);
  int* third = shared.take<int>(64, 64);
  const unsigned me = threadIdx.x;
  if (me < 33) first[me] = static_cast<std::int16_t>(in[me]);
  second[me] = in[me];
  third[me] = ~in[me];
  __syncthreads();
  out[me] = second[63 - me] + (me < 33 ? first[32 - me] : 0);
  out[64 + me] = third[me ^ 1];
  if (me == 0) {
    misaligned[0] = static_cast<int>(reinterpret_cast<std::uintptr_t>(first) % 16);
    misaligned[1] = static_cast<int>(reinterpret_cast<std::uintptr_t>(second) % 1024);
    misaligned[2] = static_cast<int>(reinterpret_cast<std::uintptr_t>(third) % 64);
  }
}

std::string check_shared_memory(std::uint64_t seed) {
  using ptx::shared_bytes;
  Random random(seed);
  const auto in = random_integers(random, 64, 30000);
  std::vector<int> expected(128);
  for (std::size_t i = 0; i < 64; ++i) {
    expected[i] = in[63 - i] + (i < 33 ? in[32 - i] : 0);
    expected[64 + i] = ~in[i ^ 1];
  }
  DeviceArray<int> device_in(in);
  DeviceArray<int> out(128);
  DeviceArray<int> misaligned(std::vector<int>(3, -1));
  const int bytes = shared_bytes(shared_bytes(shared_bytes(0, 66), 256, 1024), 256, 64);
  launch(three_arrays, {dim3(1), dim3(64), static_cast<std::size_t>(bytes)}, {}, device_in.data(),
         out.data(), misaligned.data());
  const std::string difference = compare(out.values(), expected);
  return difference.empty() ? compare(misaligned.values(), std::vector<int>(3)) : difference;
}

constexpr int kRounds = 50;

// Warps 0 and 1 fill a slot that warps 2 and 3 empty, by a barrier each way.
__global__ void pass_on(const int* in, int* out) {
  ptx::SharedMemory shared;
  int* slot = shared.take<int>(64);
  const int me = static_cast<int>(threadIdx.x % 64);
  for (int round = 0; round < kRounds; ++round) {
    if (threadIdx.x < 64) {
      if (round > 0) ptx::named_barrier_sync(7, 128);
      slot[me] = in[round * 64 + me];
      ptx::named_barrier_arrive(3, 128);
    } else {
      ptx::named_barrier_sync(3, 128);
      out[round * 64 + me] = slot[63 - me];
      if (round + 1 < kRounds) ptx::named_barrier_arrive(7, 128);
    }
  }
}

std::string check_named_barriers(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<int>(random, kRounds * 64);
  std::vector<int> expected(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) expected[i] = in[i / 64 * 64 + 63 - i % 64];
  DeviceArray<int> device_in(in);
  DeviceArray<int> out(in.size());
  launch(pass_on, {dim3(1), dim3(128), 256}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

constexpr int kStages = 3;
constexpr int kSlabs = 20;

// Three stages of 64 pieces, two copies ahead; pieces of odd numbers are zero-filled in every third
// slab. Each thread passes its neighbour's piece on.
template <int kBytes>
__global__ void stages(const unsigned char* in, unsigned char* out) {
  ptx::SharedMemory shared;
  unsigned char* stage = shared.take<unsigned char>(kStages * 64 * kBytes);
  const int me = static_cast<int>(threadIdx.x);
  const auto fetch = [&](int slab) {
    if (slab < kSlabs) {
      const bool valid = slab % 3 != 0 || me % 2 == 0;
      ptx::cp_async<kBytes>(stage + (slab % kStages * 64 + me) * kBytes,
                            in + (slab * 64 + me) * kBytes, valid);
    }
    ptx::cp_async_commit();
  };
  fetch(0);
  fetch(1);
  for (int slab = 0; slab < kSlabs; ++slab) {
    ptx::cp_async_wait<1>();
    __syncthreads();
    fetch(slab + 2);  // into the stage that the barrier has freed
    const int neighbour = me ^ 5;
    for (int i = 0; i < kBytes; ++i) {
      out[(slab * 64 + me) * kBytes + i] = stage[(slab % kStages * 64 + neighbour) * kBytes + i];
    }
  }
  ptx::cp_async_wait<0>();
}

template <int kBytes>
std::string check_cp_async(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned char>(random, kSlabs * 64 * kBytes);
  std::vector<unsigned char> expected(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::size_t slab = i / (64 * kBytes);
    const std::size_t piece = i / kBytes % 64 ^ 5;
    const bool valid = slab % 3 != 0 || piece % 2 == 0;
    expected[i] = valid ? in[(slab * 64 + piece) * kBytes + i % kBytes] : 0;
  }
  DeviceArray<unsigned char> device_in(in);
  DeviceArray<unsigned char> out(in.size());
  launch(stages<kBytes>, {dim3(1), dim3(64), kStages * 64 * kBytes}, {}, device_in.data(),
         out.data());
  return compare(out.values(), expected);
}

__global__ void vectors(const float4* in, float4* out) {
  ptx::SharedMemory shared;
  float4* tile = shared.take<float4>(64);
  const unsigned me = threadIdx.x;
  ptx::store_shared(tile + me, ptx::load_global(in + me));
  __syncthreads();
  ptx::store_global(out + me, ptx::load_shared(tile + (me + 9) % 64));
}

std::string check_vectors(std::uint64_t seed) {
  Random random(seed);
  std::vector<float4> in(64);
  std::vector<float> expected(256);
  for (float4& four : in) {
    const auto numbers = random_integers(random, 4, 1 << 20);
    four = make_float4(static_cast<float>(numbers[0]), static_cast<float>(numbers[1]),
                       static_cast<float>(numbers[2]), static_cast<float>(numbers[3]));
  }
  const auto flat = [](const std::vector<float4>& fours) {
    std::vector<float> numbers;
    for (const float4& four : fours) {
      numbers.insert(numbers.end(), {four.x, four.y, four.z, four.w});
    }
    return numbers;
  };
  const std::vector<float> given = flat(in);
  for (std::size_t i = 0; i < 256; ++i) expected[i] = given[(i + 36) % 256];
  DeviceArray<float4> device_in(in);
  DeviceArray<float4> out(64);
  launch(vectors, {dim3(1), dim3(64), 1024}, {}, device_in.data(), out.data());
  return compare(flat(out.values()), expected);
}

}  // namespace

std::vector<Check> copy_checks() {
  return {{"SharedMemory", 80, kAny, check_shared_memory},
          {"named_barrier_sync, _arrive", 80, kAny, check_named_barriers},
          {"cp_async<4>, _commit, _wait", 80, kAny, check_cp_async<4>},
          {"cp_async<8>", 80, kAny, check_cp_async<8>},
          {"cp_async<16>", 80, kAny, check_cp_async<16>},
          {"load_*, store_*", 80, kAny, check_vectors}};
}

}  // namespace breakeven::conformance
