// Conformance of barriers in shared memory, TMA, clusters and register quotas. What TMA leaves in
// shared memory is compared byte by byte.
#include <cstring>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

// 96 threads arrive in three waves; thread 0 notes what mbarrier_test says of both parities.
__global__ void count_arrivals(int* out) {
  ptx::SharedMemory shared;
  ptx::Mbarrier* const barrier = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    ptx::mbarrier_init(barrier, 96);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  for (int phase = 0; phase < 3; ++phase) {
    for (int wave = 0; wave < 3; ++wave) {
      if (me == 0) {
        out[phase * 6 + wave * 2] = ptx::mbarrier_test(barrier, 0);
        out[phase * 6 + wave * 2 + 1] = ptx::mbarrier_test(barrier, 1);
      }
      __syncthreads();
      if (me / 32 == wave) ptx::mbarrier_arrive(barrier);
      __syncthreads();
    }
    ptx::mbarrier_wait(barrier, phase & 1);
  }
}

std::string check_arrivals(std::uint64_t) {
  std::vector<int> expected;
  for (int phase = 0; phase < 3; ++phase) {
    for (int wave = 0; wave < 3; ++wave) {
      expected.push_back(phase % 2 != 0);  // phase 0 has ended while phase 1 is in progress
      expected.push_back(phase % 2 == 0);
    }
  }
  DeviceArray<int> out(expected.size());
  launch(count_arrivals, {dim3(1), dim3(96), 64}, {}, out.data());
  return compare(out.values(), expected);
}

constexpr int kBoxRows = 16;
constexpr int kRows = 37;
constexpr int kColumnBytes = 208;  // of the matrix
constexpr int kStrideBytes = 256;

constexpr int width_of(ptx::Swizzle swizzle) {
  return swizzle == ptx::Swizzle::b128  ? 128
         : swizzle == ptx::Swizzle::b64 ? 64
         : swizzle == ptx::Swizzle::b32 ? 32
                                        : 48;
}

/// The manual's table of the swizzling modes, as arithmetic.
int swizzled_place(int place, ptx::Swizzle swizzle) {
  const int pieces = swizzle == ptx::Swizzle::none ? 1 : width_of(swizzle) / 16;
  return place ^ (place / 128 % pieces) * 16;
}

__global__ void load_boxes(const __grid_constant__ ptx::TensorMap map, const int2* places,
                           int count, int box_bytes, std::uint32_t* out) {
  ptx::SharedMemory shared;
  std::uint32_t* const box = shared.take<std::uint32_t>(kBoxRows * 32, 1024);
  ptx::Mbarrier* const barrier = shared.take<ptx::Mbarrier>(1);
  const int me = static_cast<int>(threadIdx.x);
  if (me == 0) {
    ptx::tma_prefetch_descriptor(map);
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_fence_init();
  }
  __syncthreads();
  for (int i = 0; i < count; ++i) {
    if (me == 0) {
      ptx::mbarrier_arrive_expect_tx(barrier, box_bytes);
      ptx::tma_load(box, map, barrier, places[i].x, places[i].y);
    }
    ptx::mbarrier_wait(barrier, i & 1);
    for (int word = me; word < box_bytes / 4; word += 64) {
      out[i * box_bytes / 4 + word] = box[word];
    }
    __syncthreads();
  }
}

/// Boxes inside the matrix, across each of its edges, and outside.
template <class T>
std::vector<int2> some_places(Random& random, int box_columns) {
  constexpr int kColumns = kColumnBytes / static_cast<int>(sizeof(T));
  std::vector<int2> places = {
      make_int2(0, 0),        make_int2(-3, -5),   make_int2(kColumns - 1, kRows - 1),
      make_int2(kColumns, 0), make_int2(0, kRows), make_int2(-box_columns, 0)};
  while (places.size() < 20) {
    places.push_back(
        make_int2(static_cast<int>(random.below(static_cast<std::uint32_t>(kColumns))) - 4,
                  static_cast<int>(random.below(kRows)) - 4));
  }
  return places;
}

template <class T, ptx::Swizzle kSwizzle>
std::string check_tma_load(std::uint64_t seed) {
  constexpr int kWidth = width_of(kSwizzle), kBytes = kBoxRows * kWidth;
  constexpr int kSize = static_cast<int>(sizeof(T));
  Random random(seed);
  const auto in = random_bits<unsigned char>(random, kRows * kStrideBytes);
  const auto places = some_places<T>(random, kWidth / kSize);
  std::vector<unsigned char> expected(places.size() * kBytes);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (int at = 0; at < kBytes; ++at) {
      const int row = places[i].y + at / kWidth, byte = places[i].x * kSize + at % kWidth;
      const bool inside = row >= 0 && row < kRows && byte >= 0 && byte < kColumnBytes;
      expected[i * kBytes + static_cast<std::size_t>(swizzled_place(at, kSwizzle))] =
          inside ? in[static_cast<std::size_t>(row * kStrideBytes + byte)] : 0;
    }
  }
  std::vector<std::uint32_t> expected_words(expected.size() / 4);
  std::memcpy(expected_words.data(), expected.data(), expected.size());
  DeviceArray<unsigned char> device_in(in);
  DeviceArray<int2> device_places(places);
  DeviceArray<std::uint32_t> out(expected_words.size());
  const auto map = ptx::make_tensor_map(reinterpret_cast<const T*>(device_in.data()), kRows,
                                        kColumnBytes / kSize, kStrideBytes / kSize, kBoxRows,
                                        kWidth / kSize, kSwizzle);
  launch(load_boxes, {dim3(1), dim3(64), kBoxRows * 128 + 64}, {}, map, device_places.data(),
         static_cast<int>(places.size()), kBytes, out.data());
  return compare(out.values(), expected_words);
}

// Two buffers in turn; threads write, fence, and one of them stores.
__global__ void store_boxes(const __grid_constant__ ptx::TensorMap map, const int2* places,
                            int count, const std::uint32_t* in) {
  ptx::SharedMemory shared;
  std::uint32_t* const boxes = shared.take<std::uint32_t>(2 * kBoxRows * 32, 1024);
  const int me = static_cast<int>(threadIdx.x);
  for (int i = 0; i < count; ++i) {
    std::uint32_t* const box = boxes + i % 2 * kBoxRows * 32;
    if (me == 0) ptx::tma_store_wait_read<1>();
    __syncthreads();
    for (int word = me; word < kBoxRows * 32; word += 64) {
      box[word] = in[i * kBoxRows * 32 + word];
    }
    ptx::fence_async_proxy();
    __syncthreads();
    if (me == 0) {
      ptx::tma_store(map, box, places[i].x, places[i].y);
      ptx::tma_store_commit();
    }
  }
  if (me == 0) ptx::tma_store_wait<0>();
}

// Boxes that don't overlap, so that their order is free.
std::string check_tma_store(std::uint64_t seed) {
  constexpr int kColumns = kColumnBytes / 2;
  Random random(seed);
  const std::vector<int2> places = {make_int2(0, 0),   make_int2(64, 0),   make_int2(0, 16),
                                    make_int2(64, 16), make_int2(-24, 32), make_int2(88, 32)};
  const auto in = random_bits<std::uint32_t>(random, places.size() * kBoxRows * 32);
  std::vector<unsigned char> bytes(in.size() * 4);
  std::memcpy(bytes.data(), in.data(), bytes.size());
  std::vector<unsigned char> expected(kRows * kStrideBytes, 0xEE);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (int at = 0; at < kBoxRows * 128; ++at) {
      const int row = places[i].y + at / 128, byte = places[i].x * 2 + at % 128;
      if (row < 0 || row >= kRows || byte < 0 || byte >= kColumns * 2) continue;
      expected[static_cast<std::size_t>(row * kStrideBytes + byte)] =
          bytes[i * kBoxRows * 128 +
                static_cast<std::size_t>(swizzled_place(at, ptx::Swizzle::b128))];
    }
  }
  DeviceArray<unsigned char> out(std::vector<unsigned char>(expected.size(), 0xEE));
  DeviceArray<int2> device_places(places);
  DeviceArray<std::uint32_t> device_in(in);
  const auto map = ptx::make_tensor_map(reinterpret_cast<const f16*>(out.data()), kRows, kColumns,
                                        kStrideBytes / 2, kBoxRows, 64, ptx::Swizzle::b128);
  launch(store_boxes, {dim3(1), dim3(64), 2 * kBoxRows * 128}, {}, map, device_places.data(),
         static_cast<int>(places.size()), device_in.data());
  return compare(out.values(), expected);
}

constexpr int kTurns = 9;

// Each of two blocks fetches half of every box for both, and releases it to both.
__global__ void share_boxes(const __grid_constant__ ptx::TensorMap map, std::uint32_t* out) {
  ptx::SharedMemory shared;
  std::uint32_t* const stages = shared.take<std::uint32_t>(2 * kBoxRows * 32, 1024);
  ptx::Mbarrier* const full = shared.take<ptx::Mbarrier>(2);
  ptx::Mbarrier* const empty = shared.take<ptx::Mbarrier>(2);
  const int me = static_cast<int>(threadIdx.x), rank = ptx::cluster_rank();
  if (me == 0) {
    for (int stage = 0; stage < 2; ++stage) {
      ptx::mbarrier_init(full + stage, 1);
      ptx::mbarrier_init(empty + stage, ptx::cluster_size());
    }
    ptx::mbarrier_fence_init();
  }
  ptx::cluster_sync();
  for (int turn = 0; turn < kTurns; ++turn) {
    const int stage = turn % 2, parity = turn / 2 & 1;
    std::uint32_t* const box = stages + stage * kBoxRows * 32;
    if (me == 0) {
      ptx::mbarrier_wait(empty + stage, parity ^ 1);
      ptx::mbarrier_arrive_expect_tx(full + stage, kBoxRows * 128);
      ptx::tma_load_multicast(box + rank * kBoxRows * 16, map, full + stage, 0,
                              turn * kBoxRows + rank * kBoxRows / 2, 3);
    }
    ptx::mbarrier_wait(full + stage, parity);
    for (int word = me; word < kBoxRows * 32; word += 64) {
      out[(static_cast<int>(blockIdx.x) * kTurns + turn) * kBoxRows * 32 + word] = box[word];
    }
    __syncthreads();
    if (me < 2) ptx::mbarrier_arrive_remote(empty + stage, me);
  }
  ptx::cluster_sync();
}

std::string check_multicast(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<std::uint32_t>(random, kTurns * kBoxRows * 32);
  std::vector<std::uint32_t> expected;
  for (int block = 0; block < 4; ++block) expected.insert(expected.end(), in.begin(), in.end());
  DeviceArray<std::uint32_t> device_in(in);
  DeviceArray<std::uint32_t> out(expected.size());
  const auto map =
      ptx::make_tensor_map(reinterpret_cast<const float*>(device_in.data()), kTurns * kBoxRows, 32,
                           32, kBoxRows / 2, 32, ptx::Swizzle::none);
  launch(share_boxes, {dim3(4), dim3(64), 2 * kBoxRows * 128 + 64, 2}, {}, map, out.data());
  return compare(out.values(), expected);
}

// kCount numbers, each of which changes with the next, round after round.
template <int kCount>
__host__ __device__ unsigned mix(unsigned first) {
  unsigned values[kCount];
#pragma unroll
  for (int i = 0; i < kCount; ++i) values[i] = first * (2 * static_cast<unsigned>(i) + 1);
#pragma unroll 1
  for (unsigned round = 0; round < 5; ++round) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = values[i] * 5 + (values[(i + 1) % kCount] ^ round);
  }
  unsigned sum = 0;
#pragma unroll
  for (int i = 0; i < kCount; ++i) sum = sum * 3 + values[i];
  return sum;
}

// What the first warp group gives up the others need: of 168 registers each, which is all that 384
// threads can have at the start, these numbers don't find room in.
constexpr int kFew = 16;
constexpr int kMany = 192;

__global__ void __launch_bounds__(384, 1) move_registers(const unsigned* in, unsigned* out) {
  const int me = static_cast<int>(threadIdx.x);
  if (me < 128) {
    ptx::setmaxnreg_decrease<40>();
    out[me] = mix<kFew>(in[me]);
  } else {
    ptx::setmaxnreg_increase<232>();
    out[me] = mix<kMany>(in[me]);
  }
}

std::string check_registers(std::uint64_t seed) {
  Random random(seed);
  const auto in = random_bits<unsigned>(random, 384);
  std::vector<unsigned> expected(384);
  for (std::size_t i = 0; i < 384; ++i) {
    expected[i] = i < 128 ? mix<kFew>(in[i]) : mix<kMany>(in[i]);
  }
  DeviceArray<unsigned> device_in(in);
  DeviceArray<unsigned> out(384);
  launch(move_registers, {dim3(1), dim3(384)}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

}  // namespace

std::vector<Check> hopper_copy_checks() {
  using ptx::Swizzle;
  return {{"mbarrier_init, _arrive, _test, _wait", 90, 90, check_arrivals},
          {"tma_load, not swizzled", 90, 90, check_tma_load<f16, Swizzle::none>},
          {"tma_load, 32-byte swizzle", 90, 90, check_tma_load<bf16, Swizzle::b32>},
          {"tma_load, 64-byte swizzle", 90, 90, check_tma_load<float, Swizzle::b64>},
          {"tma_load, 128-byte swizzle", 90, 90, check_tma_load<f16, Swizzle::b128>},
          {"tma_load of bytes", 90, 90, check_tma_load<e4m3, Swizzle::b128>},
          {"tma_store, fence_async_proxy", 90, 90, check_tma_store},
          {"tma_load_multicast, mbarrier_arrive_remote", 90, 90, check_multicast},
          {"setmaxnreg", 90, 90, check_registers}};
}

}  // namespace breakeven::conformance
