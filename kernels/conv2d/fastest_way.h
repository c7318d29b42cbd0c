// Which of several ways of doing the same is the fastest here, found by doing it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <vector>

namespace breakeven::conv2d {

/// The `i` below `ways` whose run(i) takes least. Ways alternate, each for 20 ms and three calls at
/// least, and the best call of each counts, because noise only ever adds. Calls nothing for one
/// way.
template <class Run>
std::size_t fastest_way(std::size_t ways, const Run& run) {
  using Clock = std::chrono::steady_clock;
  constexpr double kSeconds = 0.02;
  constexpr int kLeastCalls = 3;  // the first brings the operands into the caches
  if (ways == 1) return 0;
  std::vector<double> best(ways, std::numeric_limits<double>::infinity());
  std::vector<double> spent(ways, 0);
  bool enough = false;
  for (int call = 0; !enough; ++call) {
    enough = true;
    for (std::size_t i = 0; i < ways; ++i) {
      if (call >= kLeastCalls && spent[i] >= kSeconds) continue;
      const auto start = Clock::now();
      run(i);
      const std::chrono::duration<double> elapsed = Clock::now() - start;
      best[i] = std::min(best[i], elapsed.count());
      spent[i] += elapsed.count();
      enough = false;
    }
  }
  return static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin());
}

}  // namespace breakeven::conv2d
