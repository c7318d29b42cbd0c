// ldmatrix, stmatrix and mma.sync: fragments as the PTX manual lays them out over a warp's lanes,
// l = 4g + t. Sums are taken in f32 in order of k, but for fp8 (fp8_sum.h); tensor cores take them
// in an order of their own.
#include <array>
#include <type_traits>

#include "kernels/simt/fp8_sum.h"
#include "kernels/simt/hopper_state.h"
#include "kernels/simt/machine.h"
#include "kernels/simt/ptx_base.h"

namespace breakeven::simt {
namespace {

using Row = std::array<std::uint32_t, 4>;  // eight 16-bit elements
using Word [[gnu::may_alias]] = std::uint32_t;

std::uint32_t element(const Row& row, int column) {
  return row[static_cast<std::size_t>(column / 2)] >> (column % 2 * 16) & 0xffffu;
}

void set_element(Row& row, int column, std::uint32_t value) {
  std::uint32_t& word = row[static_cast<std::size_t>(column / 2)];
  const int shift = column % 2 * 16;
  word = (word & ~(0xffffu << shift)) | value << shift;
}

struct MatrixLane {
  const void* address;
  int matrices;
  bool transposed;
  std::uint32_t* to;          // ldmatrix
  const std::uint32_t* from;  // stmatrix
  Row row;
};

void check_row(const void* row, const char* what) {
  require_aligned(row, 16, what);
  shared_offset(row, what);
}

bool owns_row(int matrices) { return current_thread().lane() < 8 * matrices; }

void count_rows(MatrixLane* const* lanes) {
  const void* addresses[32];
  for (int i = 0; i < 32; ++i) addresses[i] = lanes[i]->address;
  const int rows = 8 * lanes[0]->matrices;
  count_warp_access(Space::shared, addresses, rows == 32 ? ~0u : (1u << rows) - 1, 16);
}

// What register i of lane l holds of matrix i.
std::uint32_t gather(MatrixLane* const* lanes, int matrix, int lane, bool transposed) {
  MatrixLane* const* rows = lanes + 8 * matrix;
  const int g = lane / 4;
  const int t = lane % 4;
  if (!transposed) return rows[g]->row[static_cast<std::size_t>(t)];
  return element(rows[2 * t]->row, g) | element(rows[2 * t + 1]->row, g) << 16;
}

void scatter(MatrixLane* const* lanes, int matrix, int lane, bool transposed, std::uint32_t value) {
  MatrixLane* const* rows = lanes + 8 * matrix;
  const int g = lane / 4;
  const int t = lane % 4;
  if (!transposed) {
    rows[g]->row[static_cast<std::size_t>(t)] = value;
  } else {
    set_element(rows[2 * t]->row, g, value & 0xffffu);
    set_element(rows[2 * t + 1]->row, g, value >> 16);
  }
}

// A warp's operands as whole matrices. kK elements along k, kPerRegister of them in a register.
template <class T, class D, int kK>
struct Operands {
  T a[16][kK];
  T b[kK][8];
  D d[16][8];

  void multiply() {
    if constexpr (std::is_same_v<D, float> && kK == 32) return multiply_fp8();
    for (int row = 0; row < 16; ++row) {
      for (int k = 0; k < kK; ++k) {
        for (int column = 0; column < 8; ++column) d[row][column] += a[row][k] * b[k][column];
      }
    }
  }

  void multiply_fp8() {
    float turned[kK][16];
    for (int row = 0; row < 16; ++row) {
      for (int k = 0; k < kK; ++k) turned[k][row] = a[row][k];
    }
    add_fp8_products(turned[0], b[0], 16, 8, d[0]);
  }
};

template <class D>
struct MmaLane {
  D* d;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

// decode(bits, i) is element i of a register. The sums of the integers wrap: D is unsigned there.
template <class T, class D, int kPerRegister, class Lane, class Decode>
void multiply(Lane* const* lanes, Decode decode) {
  constexpr int kHalf = 4 * kPerRegister;  // of k: what one register of each lane of a row covers
  Operands<T, D, 2 * kHalf> operands;
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4;
    const int t = lane % 4;
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < kPerRegister; ++i) {
        const int k = half * kHalf + t * kPerRegister + i;
        operands.a[g][k] = decode(lanes[lane]->a[2 * half], i);
        operands.a[g + 8][k] = decode(lanes[lane]->a[2 * half + 1], i);
        operands.b[k][g] = decode(lanes[lane]->b[half], i);
      }
    }
    for (int i = 0; i < 4; ++i) {
      operands.d[g + i / 2 * 8][2 * t + i % 2] = static_cast<D>(lanes[lane]->d[i]);
    }
  }
  operands.multiply();
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4;
    const int t = lane % 4;
    for (int i = 0; i < 4; ++i) {
      using Result = std::remove_reference_t<decltype(lanes[lane]->d[i])>;
      lanes[lane]->d[i] = static_cast<Result>(operands.d[g + i / 2 * 8][2 * t + i % 2]);
    }
  }
  ++counters().mma;
}

float half_of(std::uint32_t bits, int i, float (*decode)(std::uint16_t)) {
  return decode(static_cast<std::uint16_t>(bits >> (16 * i)));
}

using FloatLane = MmaLane<float>;
using IntLane = MmaLane<std::int32_t>;

}  // namespace

void ldmatrix(std::uint32_t* registers, int matrices, bool transposed, const void* row) {
  MatrixLane mine{row, matrices, transposed, registers, nullptr, {}};
  if (owns_row(matrices)) {  // as this thread's access, for the sanitizers
    check_row(row, "ldmatrix");
    require_free(row, 16, false, "ldmatrix");
    for (std::size_t i = 0; i < 4; ++i) mine.row[i] = static_cast<const Word*>(row)[i];
  }
  const Quiet quiet;
  const char* name = matrices == 4 ? (transposed ? "ldmatrix.x4.trans" : "ldmatrix.x4")
                                   : (transposed ? "ldmatrix.x2.trans" : "ldmatrix.x2");
  full_warp_collective(name, mine, [](MatrixLane* const* lanes) {
    count_rows(lanes);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < lanes[lane]->matrices; ++i) {
        lanes[lane]->to[i] = gather(lanes, i, lane, lanes[lane]->transposed);
      }
    }
  });
}

void stmatrix(void* row, int matrices, bool transposed, const std::uint32_t* registers) {
  MatrixLane mine{row, matrices, transposed, nullptr, registers, {}};
  if (owns_row(matrices)) {
    check_row(row, "stmatrix");
    require_free(row, 16, true, "stmatrix");
  }
  {
    const Quiet quiet;
    const char* name = matrices == 4 ? (transposed ? "stmatrix.x4.trans" : "stmatrix.x4")
                                     : (transposed ? "stmatrix.x2.trans" : "stmatrix.x2");
    full_warp_collective(name, mine, [](MatrixLane* const* lanes) {
      count_rows(lanes);
      for (int lane = 0; lane < 32; ++lane) {
        for (int i = 0; i < lanes[lane]->matrices; ++i) {
          scatter(lanes, i, lane, lanes[lane]->transposed, lanes[lane]->from[i]);
        }
      }
    });
  }
  if (owns_row(matrices)) {
    for (std::size_t i = 0; i < 4; ++i) static_cast<Word*>(row)[i] = mine.row[i];
  }
}

void mma(MmaType type, float* d, const std::uint32_t* a, const std::uint32_t* b) {
  const Quiet quiet;
  FloatLane mine{d, a, b};
  switch (type) {
    case MmaType::bf16:
      return full_warp_collective("mma.bf16", mine, [](FloatLane* const* lanes) {
        multiply<float, float, 2>(
            lanes, [](std::uint32_t bits, int i) { return half_of(bits, i, bf16_to_float); });
      });
    case MmaType::f16:
      return full_warp_collective("mma.f16", mine, [](FloatLane* const* lanes) {
        multiply<float, float, 2>(
            lanes, [](std::uint32_t bits, int i) { return half_of(bits, i, f16_to_float); });
      });
    case MmaType::tf32:
      return full_warp_collective("mma.tf32", mine, [](FloatLane* const* lanes) {
        multiply<float, float, 1>(lanes, [](std::uint32_t bits, int) {
          return std::bit_cast<float>(bits & 0xffffe000u);
        });
      });
    case MmaType::e4m3:
      return full_warp_collective("mma.e4m3", mine, [](FloatLane* const* lanes) {
        multiply<float, float, 4>(lanes, [](std::uint32_t bits, int i) {
          return e4m3_to_float(static_cast<std::uint8_t>(bits >> (8 * i)));
        });
      });
  }
}

void mma_s8(std::int32_t* d, const std::uint32_t* a, const std::uint32_t* b) {
  const Quiet quiet;
  IntLane mine{d, a, b};
  full_warp_collective("mma.s8", mine, [](IntLane* const* lanes) {
    multiply<std::uint32_t, std::uint32_t, 4>(lanes, [](std::uint32_t bits, int i) {
      return static_cast<std::uint32_t>(
          static_cast<std::int32_t>(static_cast<std::int8_t>(bits >> (8 * i))));
    });
  });
}

}  // namespace breakeven::simt
