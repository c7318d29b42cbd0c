// How the host operations share their work among the OpenMP team, and how columns are summed so
// that the same team gives the same bits.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace breakeven::training {

/// A dense row-major matrix. Any tensor of these operations is one.
struct MatrixSize {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t elements() const { return rows * cols; }
};

struct Part {
  std::int64_t begin;
  std::int64_t end;
};

/// The calling thread's share of `items`, inside a parallel region.
inline Part own_part(std::int64_t items) {
  const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
  return {items * thread / threads, items * (thread + 1) / threads};
}

/// Calls f(i) for i below `count`, shared out among a team; throws what one of the calls threw,
/// which would end the process if it left the region.
template <class Function>
void for_each_in_team(std::int64_t count, const Function& f) {
  std::exception_ptr failed;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      f(i);
    } catch (...) {
#pragma omp critical(breakeven_team_failed)
      failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
}

/// For `#pragma omp parallel if (...)`: a team that spins wakes within a microsecond or two, in
/// which one thread does some thousand elements.
inline bool worth_team(std::int64_t elements) { return elements >= 16384; }

/// Columns that a loop handles at a time, so that their sums stay in the first-level cache.
inline constexpr std::int64_t kTile = 512;

/// Rows that are added up before their sum is added to the total: rounding errors grow with the
/// length of a chain of additions.
inline constexpr std::int64_t kBlockRows = 128;

/// A matrix as lines that are long enough for vectors: where rows are narrow, several make a line.
/// The last line may be shorter.
struct Lines {
  explicit Lines(MatrixSize size)
      : cols(size.cols),
        width(cols * (cols < kTile / 4 ? kTile / cols : 1)),
        elements(size.elements()),
        count((elements + width - 1) / width) {}
  std::int64_t length(std::int64_t line) const { return std::min(width, elements - line * width); }
  std::int64_t tiles() const { return (width + kTile - 1) / kTile; }

  std::int64_t cols;
  std::int64_t width;
  std::int64_t elements;
  std::int64_t count;
};

/// Floats from one thread's sums to the next one's, in whole cache lines.
inline std::int64_t sums_stride(std::int64_t width) { return (width + 15) / 16 * 16; }

/// Floats of scratch for operations that sum the columns of a matrix, by up to `threads` threads.
inline std::int64_t column_scratch(std::int64_t cols, int threads) {
  return threads * sums_stride(Lines({1, cols}).width);
}

/// sums[c] = the threads' sums, added in their order, for the calling thread's share of columns.
/// Each thread has `repeats` of them, `cols` apart.
inline void add_parts(const float* parts, std::int64_t stride, std::int64_t repeats,
                      std::int64_t cols, float* sums) {
  const Part own = own_part(cols);
  std::fill(sums + own.begin, sums + own.end, 0.0F);
  for (int thread = 0; thread < omp_get_num_threads(); ++thread) {
    for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
      const float* part = parts + thread * stride + repeat * cols;
      for (std::int64_t c = own.begin; c < own.end; ++c) sums[c] += part[c];
    }
  }
}

}  // namespace breakeven::training
