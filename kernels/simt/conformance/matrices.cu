// Conformance of ldmatrix, stmatrix and mma.sync. The operands are integers that every sum holds
// exactly, whatever its order and precision, so that results are compared bit for bit.
#include <cstring>

#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

constexpr int kTile = 4 * 64;  // four 8x8 matrices, one after another

enum class Form { x4, x4_trans, x2, x2_trans };

template <Form kForm>
__global__ void load(const std::uint16_t* in, std::uint32_t* out) {
  ptx::SharedMemory shared;
  std::uint16_t* tile = shared.take<std::uint16_t>(kTile);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kTile; i += 32) tile[i] = in[i];
  __syncthreads();
  // Rows of the matrices in reverse: the addresses alone say where a row lies.
  const std::uint16_t* row = tile + (31 - lane) * 8;
  if constexpr (kForm == Form::x4 || kForm == Form::x4_trans) {
    std::uint32_t r[4];
    if constexpr (kForm == Form::x4) ptx::ldmatrix_x4(r, row);
    if constexpr (kForm == Form::x4_trans) ptx::ldmatrix_x4_trans(r, row);
    for (int i = 0; i < 4; ++i) out[lane * 4 + i] = r[i];
  } else {
    std::uint32_t r[2];
    if constexpr (kForm == Form::x2) ptx::ldmatrix_x2(r, row);
    if constexpr (kForm == Form::x2_trans) ptx::ldmatrix_x2_trans(r, row);
    for (int i = 0; i < 2; ++i) out[lane * 4 + i] = r[i];
  }
}

template <Form kForm>
std::string check_load(std::uint64_t seed) {
  constexpr bool kTransposed = kForm == Form::x4_trans || kForm == Form::x2_trans;
  constexpr int kMatrices = kForm == Form::x4 || kForm == Form::x4_trans ? 4 : 2;
  Random random(seed);
  const auto in = random_bits<std::uint16_t>(random, kTile);
  std::vector<std::uint32_t> expected(32 * 4);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    for (std::size_t i = 0; i < kMatrices; ++i) {
      for (std::size_t half = 0; half < 2; ++half) {
        std::size_t row = lane / 4;
        std::size_t column = lane % 4 * 2 + half;
        if (kTransposed) std::swap(row, column);
        const std::uint32_t element = in[(31 - (i * 8 + row)) * 8 + column];
        expected[lane * 4 + i] |= element << (16 * half);
      }
    }
  }
  DeviceArray<std::uint16_t> device_in(in);
  DeviceArray<std::uint32_t> out(expected.size());
  launch(load<kForm>, {dim3(1), dim3(32), 2 * kTile}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

template <Form kForm>
__global__ void store(const std::uint32_t* in, std::uint16_t* out) {
  ptx::SharedMemory shared;
  std::uint16_t* tile = shared.take<std::uint16_t>(kTile);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kTile; i += 32) tile[i] = 0;
  __syncthreads();
  std::uint16_t* row = tile + (31 - lane) * 8;
  if constexpr (kForm == Form::x2) {
    const std::uint32_t r[2] = {in[lane * 4], in[lane * 4 + 1]};
    ptx::stmatrix_x2(row, r);
  } else {
    const std::uint32_t r[4] = {in[lane * 4], in[lane * 4 + 1], in[lane * 4 + 2], in[lane * 4 + 3]};
    if constexpr (kForm == Form::x4) ptx::stmatrix_x4(row, r);
    if constexpr (kForm == Form::x4_trans) ptx::stmatrix_x4_trans(row, r);
  }
  __syncthreads();
  for (int i = lane; i < kTile; i += 32) out[i] = tile[i];
}

template <Form kForm>
std::string check_store(std::uint64_t seed) {
  constexpr int kMatrices = kForm == Form::x2 ? 2 : 4;
  Random random(seed);
  const auto in = random_bits<std::uint32_t>(random, 32 * 4);
  std::vector<std::uint16_t> expected(kTile);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    for (std::size_t i = 0; i < kMatrices; ++i) {
      for (std::size_t half = 0; half < 2; ++half) {
        std::size_t row = lane / 4;
        std::size_t column = lane % 4 * 2 + half;
        if (kForm == Form::x4_trans) std::swap(row, column);
        expected[(31 - (i * 8 + row)) * 8 + column] =
            static_cast<std::uint16_t>(in[lane * 4 + i] >> (16 * half));
      }
    }
  }
  DeviceArray<std::uint32_t> device_in(in);
  DeviceArray<std::uint16_t> out(kTile);
  launch(store<kForm>, {dim3(1), dim3(32), 2 * kTile}, {}, device_in.data(), out.data());
  return compare(out.values(), expected);
}

enum class Kind { bf16, f16, tf32, e4m3, s8 };

// Each lane's registers come and go as they are: [32][4] of a and d, [32][2] of b.
template <Kind kKind, class D>
__global__ void multiply(const std::uint32_t* a, const std::uint32_t* b, D* d) {
  const unsigned lane = threadIdx.x;
  std::uint32_t left[4];
  std::uint32_t right[2];
  D sum[4];
  for (unsigned i = 0; i < 4; ++i) left[i] = a[lane * 4 + i];
  for (unsigned i = 0; i < 2; ++i) right[i] = b[lane * 2 + i];
  for (unsigned i = 0; i < 4; ++i) sum[i] = d[lane * 4 + i];
  if constexpr (kKind == Kind::bf16) ptx::mma_m16n8k16<bf16>(sum, left, right);
  if constexpr (kKind == Kind::f16) ptx::mma_m16n8k16<f16>(sum, left, right);
  if constexpr (kKind == Kind::tf32) ptx::mma_m16n8k8_tf32(sum, left, right);
  if constexpr (kKind == Kind::e4m3) ptx::mma_m16n8k32_e4m3(sum, left, right);
  if constexpr (kKind == Kind::s8) ptx::mma_m16n8k32_s8(sum, left, right);
  for (unsigned i = 0; i < 4; ++i) d[lane * 4 + i] = sum[i];
}

// Writes `value` as element `index` of the registers `bits`.
template <class T>
void put(std::vector<std::uint32_t>& bits, std::size_t index, T value) {
  std::memcpy(reinterpret_cast<char*>(bits.data()) + index * sizeof(T), &value, sizeof(T));
}

template <class T>
T element(int value) {
  if constexpr (std::is_same_v<T, std::int8_t>) {
    return static_cast<T>(value);
  } else {
    return from_float<T>(static_cast<float>(value));
  }
}

template <Kind kKind, class T, class D>
std::string check_multiply(std::uint64_t seed, int most) {
  constexpr std::size_t kPer = 4 / sizeof(T);  // elements in a register
  constexpr std::size_t kK = 8 * kPer;
  Random random(seed);
  const auto a = random_integers(random, 16 * kK, most);
  const auto b = random_integers(random, kK * 8, most);
  const auto c = random_integers(random, 16 * 8, 100);
  std::vector<std::uint32_t> left(32 * 4);
  std::vector<std::uint32_t> right(32 * 2);
  std::vector<D> sum(32 * 4);
  std::vector<D> expected(32 * 4);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    const std::size_t g = lane / 4;
    const std::size_t t = lane % 4;
    for (std::size_t i = 0; i < 4; ++i) {  // rows g, g + 8, and again in the second half of k
      for (std::size_t j = 0; j < kPer; ++j) {
        const std::size_t row = g + i % 2 * 8;
        const std::size_t k = i / 2 * (kK / 2) + t * kPer + j;
        put(left, (lane * 4 + i) * kPer + j, element<T>(a[row * kK + k]));
        if (i < 2) {
          const std::size_t half_k = i * (kK / 2) + t * kPer + j;
          put(right, (lane * 2 + i) * kPer + j, element<T>(b[half_k * 8 + g]));
        }
      }
      const std::size_t row = g + i / 2 * 8;
      const std::size_t column = 2 * t + i % 2;
      int total = c[row * 8 + column];
      sum[lane * 4 + i] = static_cast<D>(total);
      for (std::size_t k = 0; k < kK; ++k) total += a[row * kK + k] * b[k * 8 + column];
      expected[lane * 4 + i] = static_cast<D>(total);
    }
  }
  DeviceArray<std::uint32_t> device_a(left);
  DeviceArray<std::uint32_t> device_b(right);
  DeviceArray<D> d(sum);
  launch(multiply<kKind, D>, {dim3(1), dim3(32)}, {}, device_a.data(), device_b.data(), d.data());
  return compare(d.values(), expected);
}

std::string check_bf16(std::uint64_t seed) {
  return check_multiply<Kind::bf16, bf16, float>(seed, 30);
}
std::string check_f16(std::uint64_t seed) {
  return check_multiply<Kind::f16, f16, float>(seed, 30);
}
std::string check_tf32(std::uint64_t seed) {
  return check_multiply<Kind::tf32, float, float>(seed, 60);
}
std::string check_e4m3(std::uint64_t seed) {
  return check_multiply<Kind::e4m3, e4m3, float>(seed, 4);
}
std::string check_s8(std::uint64_t seed) {
  return check_multiply<Kind::s8, std::int8_t, std::int32_t>(seed, 127);
}

}  // namespace

std::vector<Check> matrix_checks() {
  return {{"ldmatrix_x4", 80, kAny, check_load<Form::x4>},
          {"ldmatrix_x2", 80, kAny, check_load<Form::x2>},
          {"ldmatrix_x4_trans", 80, kAny, check_load<Form::x4_trans>},
          {"ldmatrix_x2_trans", 80, kAny, check_load<Form::x2_trans>},
          {"stmatrix_x4", 90, kAny, check_store<Form::x4>},
          {"stmatrix_x4_trans", 90, kAny, check_store<Form::x4_trans>},
          {"stmatrix_x2", 90, kAny, check_store<Form::x2>},
          {"mma_m16n8k16<bf16>", 80, kAny, check_bf16},
          {"mma_m16n8k16<f16>", 80, kAny, check_f16},
          {"mma_m16n8k8_tf32", 80, kAny, check_tf32},
          {"mma_m16n8k32_e4m3", 89, kAny, check_e4m3},
          {"mma_m16n8k32_s8", 80, kAny, check_s8}};
}

}  // namespace breakeven::conformance
