// Independent parts of a report, on all cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace breakeven {

/// Calls `use(i)` once for each i below `count`, on as many threads as the machine has. Throws what
/// the first call threw that failed, after all have ended.
template <typename Use>
void parallel_for(std::size_t count, Use use) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        use(i);
      } catch (...) {
        const std::lock_guard lock(guard);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const std::size_t threads =
        std::min<std::size_t>(count, std::max(1U, std::thread::hardware_concurrency()));
    for (std::size_t i = 1; i < threads; ++i) {
      try {
        others.emplace_back(work);
      } catch (const std::system_error&) {
        break;  // No more threads to be had: those that run do the work.
      }
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace breakeven
