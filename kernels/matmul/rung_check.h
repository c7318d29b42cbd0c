// For tests: runs one rung on the emulator and judges every element against an fp64 product. Gaps
// of the operands hold NaN, so that reading one shows; gaps of C must stay as they were; buffers
// have their exact size, so that AddressSanitizer sees any access outside them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/primitives.h"
#include "kernels/matmul/gemm.h"
#include "reference/compare.h"
#include "reference/convert.h"
#include "reference/matmul_check.h"
#include "reference/random.h"

namespace breakeven::matmul {

/// One call of a rung. The gaps are what leading dimensions exceed row lengths by.
struct RungCase {
  GemmShape shape;
  int gap_a = 0;
  int gap_b = 0;
  int gap_c = 0;
  int offset = 0;  ///< elements by which every operand's start is off a 256-byte boundary
  Epilogue epilogue = Epilogue::none;
  std::uint64_t seed = 1;  ///< of the emulator's thread order
  int tiling = -1;
  Gpu gpu = {90, 132};
  int times = 1;          ///< that what was prepared is enqueued
  bool positive = false;  ///< no element below zero, so that sums grow with k
};

inline std::string name_of(const Rung& rung) {
  return std::string(rung.name) + "_" + std::string(traits(rung.precision).name);
}

inline std::string to_string(const RungCase& c) {
  return fmt::format("m {} n {} k {}{}{} gaps {} {} {} offset {} epilogue {} seed {} tiling {}",
                     c.shape.m, c.shape.n, c.shape.k, c.shape.trans_a ? " trans_a" : "",
                     c.shape.trans_b ? " trans_b" : "", c.gap_a, c.gap_b, c.gap_c, c.offset,
                     static_cast<int>(c.epilogue), c.seed, c.tiling);
}

namespace detail {

/// Memory as cudaMalloc gives it, of exactly `bytes`, filled with 0xFF.
class TestBuffer {
 public:
  explicit TestBuffer(std::size_t bytes)
      : bytes_(bytes),
        data_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(256)))) {
    std::memset(data_, 0xFF, bytes);
  }
  ~TestBuffer() { ::operator delete(data_, std::align_val_t(256)); }
  TestBuffer(const TestBuffer&) = delete;
  TestBuffer& operator=(const TestBuffer&) = delete;

  std::byte* data() { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  std::byte* data_;
};

/// A stored matrix with gaps between rows, and its values as doubles in the order of op(X).
struct TestMatrix {
  TestMatrix(ElementType element, std::int64_t stored_rows, std::int64_t stored_columns, int gap,
             int shift)
      : type(element),
        rows(stored_rows),
        columns(stored_columns),
        stride(stored_columns + gap),
        offset(shift),
        buffer((shift + (rows - 1) * stride + columns) * element_bytes(element)) {}

  std::byte* start() { return buffer.data() + offset * element_bytes(type); }

  void fill(std::uint32_t operand, bool positive = false) {
    const std::size_t bytes = element_bytes(type);
    for (std::int64_t row = 0; row < rows; ++row) {
      random_elements({.operand = operand}, type, row * columns, columns,
                      start() + row * stride * bytes);
      for (std::int64_t i = 0; positive && i < columns; ++i) {
        const std::int64_t at = row * stride + i;
        store_element(type, start(), at, std::fabs(load_element(type, start(), at)));
      }
    }
  }

  /// Row-major [rows,columns], or its transpose.
  std::vector<double> values(bool transposed) {
    std::vector<double> out(rows * columns);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        out[transposed ? column * rows + row : row * columns + column] =
            load_element(type, start(), row * stride + column);
      }
    }
    return out;
  }

  ElementType type;
  std::int64_t rows, columns, stride;
  int offset;
  TestBuffer buffer;
};

inline double apply(Epilogue epilogue, double value) {
  if (epilogue == Epilogue::bias_relu) return std::max(value, 0.0);
  if (epilogue != Epilogue::bias_gelu) return value;
  const double inner = std::sqrt(2 / std::acos(-1.0)) * (value + 0.044715 * value * value * value);
  return 0.5 * value * (1 + std::tanh(inner));
}

/// All that lies in front of C and in its gaps must still be 0xFF.
inline void require_gaps_untouched(TestMatrix& c) {
  const std::size_t bytes = element_bytes(c.type);
  const auto require = [&](std::int64_t first, std::int64_t last) {
    for (std::size_t at = first * bytes; at < last * bytes; ++at) {
      if (c.buffer.data()[at] != std::byte{0xFF}) {
        throw std::runtime_error(fmt::format("wrote to byte {} of C, which is in a gap", at));
      }
    }
  };
  require(0, c.offset);
  for (std::int64_t row = 0; row + 1 < c.rows; ++row) {
    require(c.offset + row * c.stride + c.columns, c.offset + (row + 1) * c.stride);
  }
}

/// Judges C. An epilogue is at most 1.13 times as steep as the identity, and rounds a few times.
inline Check judge(const RungCase& test, Precision precision, const std::vector<double>& a,
                   const std::vector<double>& b, const std::vector<double>& bias, TestMatrix& c) {
  const GemmShape& s = test.shape;
  const PrecisionTraits& types = traits(precision);
  ErrorMeasure worst;
  std::vector<double> sums(s.n), squares(s.n);
  for (std::int64_t i = 0; i < s.m; ++i) {
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(squares.begin(), squares.end(), 0.0);
    for (std::int64_t l = 0; l < s.k; ++l) {
      const double left = a[i * s.k + l];
      const double* right = b.data() + l * s.n;
      for (std::int64_t j = 0; j < s.n; ++j) {
        const double product = left * right[j];
        sums[j] += product;
        squares[j] += product * product;
      }
    }
    for (std::int64_t j = 0; j < s.n; ++j) {
      const double exact = sums[j] + bias[j];
      const double scale = std::max(std::fabs(sums[j]) + std::sqrt(squares[j]) + std::fabs(bias[j]),
                                    smallest_normal(types.output));
      worst.add(i * s.n + j, load_element(c.type, c.start(), i * c.stride + j),
                apply(test.epilogue, exact), scale);
    }
  }
  double limit = matmul_limit(precision, s.k);
  if (test.epilogue != Epilogue::none) limit = 1.13 * limit + 8 * types.accumulate_roundoff;
  return worst.verdict(limit, "full fp64", [&](std::int64_t index) {
    return fmt::format("c[{},{}] of {}", index / s.n, index % s.n, to_string(test));
  });
}

}  // namespace detail

struct RungRun {
  Check check;
  std::vector<std::byte> c;  ///< as it lies in memory, gaps included
  std::string plan;          ///< PreparedGemm::plan
};

/// Throws simt::Fault where the kernel misuses the machine, std::runtime_error where it writes
/// outside C or before it is enqueued, and std::invalid_argument where the rung doesn't support the
/// case.
inline RungRun run_rung(const Rung& rung, const RungCase& test) {
  const GemmShape& s = test.shape;
  const PrecisionTraits& types = traits(rung.precision);
  detail::TestMatrix a(types.input, s.trans_a ? s.k : s.m, s.trans_a ? s.m : s.k, test.gap_a,
                       test.offset);
  detail::TestMatrix b(types.input, s.trans_b ? s.n : s.k, s.trans_b ? s.k : s.n, test.gap_b,
                       test.offset);
  detail::TestMatrix c(types.output, s.m, s.n, test.gap_c, test.offset);
  a.fill(0, test.positive);
  b.fill(1, test.positive);
  Gemm gemm{s,        a.start(), b.start(), c.start(),     a.stride,
            b.stride, c.stride,  nullptr,   test.epilogue, test.tiling};

  // Every other bias is large enough that no answer is all zeros behind a ReLU.
  std::unique_ptr<detail::TestMatrix> bias;
  std::vector<double> bias_values(s.n, 0.0);
  if (test.epilogue != Epilogue::none) {
    bias = std::make_unique<detail::TestMatrix>(types.output, 1, s.n, 0, test.offset);
    bias->fill(2);
    for (std::int64_t j = 0; j < s.n; j += 2) {
      const double value = load_element(types.output, bias->start(), j);
      store_element(types.output, bias->start(), j, value + std::sqrt(static_cast<double>(s.k)));
    }
    bias_values = bias->values(false);
    gemm.bias = bias->start();
  }
  const std::string reason = rung.unsupported(gemm, test.gpu);
  if (!reason.empty()) throw std::invalid_argument(std::string(rung.name) + ": " + reason);

  const std::size_t workspace_bytes = rung.workspace_bytes(gemm, test.gpu);
  std::unique_ptr<detail::TestBuffer> workspace;
  if (workspace_bytes > 0) workspace = std::make_unique<detail::TestBuffer>(workspace_bytes);
  simt::settings().seed = test.seed;
  // Nothing of the call itself, which is gone here, may be needed later.
  const PreparedGemm prepared =
      rung.prepare(Gemm(gemm), workspace ? workspace->data() : nullptr, Gpu(test.gpu));
  const auto poisoned = [](std::byte each) { return each == std::byte{0xFF}; };
  if (!std::all_of(c.buffer.data(), c.buffer.data() + c.buffer.bytes(), poisoned)) {
    throw std::runtime_error("wrote to C before it was enqueued");
  }
  for (int time = 0; time < test.times; ++time) {
    std::memset(c.buffer.data(), 0xFF, c.buffer.bytes());
    prepared.enqueue(Stream{});
  }

  detail::require_gaps_untouched(c);
  return {
      detail::judge(test, rung.precision, a.values(s.trans_a), b.values(s.trans_b), bias_values, c),
      {c.buffer.data(), c.buffer.data() + c.buffer.bytes()},
      prepared.plan};
}

/// Runs it and expects every element to be right.
inline void expect_right(const Rung& rung, const RungCase& test) {
  SCOPED_TRACE(name_of(rung) + " " + to_string(test));
  try {
    const Check check = run_rung(rung, test).check;
    EXPECT_LE(check.error, check.limit) << check.method;
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

/// What the emulator counts of one product, which must be right as well.
inline simt::Counters counted(const Rung& rung, const RungCase& test) {
  simt::reset_counters();
  simt::settings().count_accesses = true;
  expect_right(rung, test);
  simt::settings().count_accesses = false;
  return simt::counters();
}

}  // namespace breakeven::matmul
