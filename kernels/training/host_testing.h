// For tests of the host operations: operands, every instruction set, and comparison with fp64.
#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/host/allocation_count.h"
#include "kernels/training/host_isa.h"
#include "kernels/training/host_math.h"

namespace breakeven::training {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Half a unit in the last place of what T stores.
template <class T>
inline constexpr double kRoundoff = sizeof(T) == 4 ? 0x1p-24 : 0x1p-8;

template <class T>
std::vector<T> random_values(std::int64_t count, std::mt19937_64& random, float scale = 1) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) {
    value = narrow<T>(scale * std::uniform_real_distribution<float>(-1, 1)(random));
  }
  return values;
}

/// An output that nobody has written.
template <class T>
std::vector<T> unwritten(std::int64_t count) {
  return std::vector<T>(static_cast<std::size_t>(count), narrow<T>(kNan));
}

template <class T>
std::vector<double> as_doubles(const std::vector<T>& values) {
  std::vector<double> doubles;
  for (const T value : values) doubles.push_back(static_cast<double>(widen(value)));
  return doubles;
}

/// Each element within `tolerance`: of its own size plus `scale`, the size of what was summed.
template <class T>
void expect_near(const std::vector<T>& values, const std::vector<double>& expected,
                 double tolerance, double scale, const std::string& what) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(widen(values[i]));
    const double error = std::fabs(value - expected[i]);
    ASSERT_LE(error, tolerance * (std::fabs(expected[i]) + scale))
        << what << "[" << i << "] = " << value << ", not " << expected[i];
  }
}

template <class T>
void expect_same_bits(const std::vector<T>& a, const std::vector<T>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(T)), 0) << what;
}

/// Calls test() under every instruction set that this CPU has, with one thread and with three.
template <class Test>
void for_every_isa(const Test& test) {
  const int threads = omp_get_max_threads();
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512}) {
    if (isa > best_isa()) continue;
    for (const int team : {1, 3}) {
      SCOPED_TRACE("isa " + std::to_string(static_cast<int>(isa)) + ", threads " +
                   std::to_string(team));
      active_isa() = isa;
      omp_set_num_threads(team);
      test();
    }
  }
  active_isa() = best_isa();
  omp_set_num_threads(threads);
}

/// Scratch for the largest team of for_every_isa().
inline constexpr int kMostThreads = 3;

/// Calls run() twice: the same bits in `outputs` (pointers to vectors), and no allocation.
template <class Run, class... Outputs>
void expect_repeatable(const Run& run, const Outputs*... outputs) {
  run();
  const auto first = std::make_tuple(*outputs...);
  const long before = allocation_count();
  run();
  EXPECT_EQ(allocation_count() - before, 0) << "allocates";
  const auto second = std::make_tuple(*outputs...);
  std::apply(
      [&](const auto&... a) {
        std::apply([&](const auto&... b) { (expect_same_bits(a, b, "second run"), ...); }, second);
      },
      first);
}

}  // namespace breakeven::training
