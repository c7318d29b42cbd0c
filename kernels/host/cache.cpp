#include "kernels/host/cache.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "kernels/host/system_files.h"

namespace breakeven {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

// Loads cache lines in pseudo-random order; each address needs the value of the load before (always
// 0), so that no two loads overlap. Returns the state, for the next call and against the optimiser.
std::uint64_t chase(const std::byte* data, std::size_t bytes, int loads, std::uint64_t state) {
  const std::uint64_t lines = bytes / kCacheLineBytes;
  for (int i = 0; i < loads; ++i) {
    const std::uint64_t line = ((state >> 32) * lines) >> 32;
    std::uint64_t value;
    std::memcpy(&value, data + line * kCacheLineBytes, sizeof value);
    state = (state + value) * 6364136223846793005ULL + 1442695040888963407ULL;
  }
  return state;
}

// Best of three, because other work on the machine only ever makes a load slower.
double load_nanoseconds(const std::byte* data, std::size_t bytes) {
  constexpr int kLoads = 40'000;
  std::uint64_t state = 88172645463325252ULL;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes; i += kCacheLineBytes)
    sum += static_cast<std::uint64_t>(data[i]);
  state = chase(data, bytes, kLoads, state + sum);
  double best = 1e9;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    state = chase(data, bytes, kLoads, state);
    const std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count() / kLoads);
  }
  asm volatile("" ::"r"(state));
  return best;
}

std::size_t measure() {
  const std::string claimed =
      read_text("/sys/devices/system/cpu/cpu0/cache/index3/size").value_or("0");  // "32768K"
  const auto claimed_bytes = static_cast<std::size_t>(std::atoll(claimed.c_str())) * 1024;
  std::size_t largest = std::clamp(4 * claimed_bytes, 256 * kMebibyte, 1024 * kMebibyte);
  while (largest > 64 * kMebibyte && largest > available_memory_bytes() / 4) largest /= 2;
  HostBuffer buffer(largest);
  std::memset(buffer.data(), 0, buffer.bytes());  // untouched pages would all be one zero page
  std::vector<LoadLatency> curve;
  for (std::size_t bytes = kMebibyte; bytes < largest; bytes *= 2) {
    for (const std::size_t part : {bytes, bytes / 2 * 3}) {
      curve.push_back({part, load_nanoseconds(buffer.data(), part)});
    }
  }
  curve.push_back({largest, load_nanoseconds(buffer.data(), largest)});
  return cache_bytes_from(curve);
}

}  // namespace

std::size_t cache_bytes_from(std::span<const LoadLatency> curve) {
  const double memory = curve.back().nanoseconds;
  std::size_t bytes = curve.front().bytes;
  for (const LoadLatency& point : curve) {
    if (point.nanoseconds < 0.6 * memory) bytes = point.bytes;
  }
  return bytes;
}

std::size_t measured_cache_bytes() {
  static const std::size_t bytes = measure();
  return bytes;
}

Evictor::Evictor(std::size_t bytes, int threads)
    : buffer_(std::max(bytes, kPrivateBytes * static_cast<std::size_t>(threads))),
      threads_(threads) {
  poison(buffer_.span());  // real pages, by the threads that will read them
}

void Evictor::evict() {
  const auto lines = static_cast<std::int64_t>(buffer_.bytes() / kCacheLineBytes);
  const std::byte* data = buffer_.data();
  std::uint64_t sum = 0;
#pragma omp parallel for schedule(static) num_threads(threads_) reduction(+ : sum)
  for (std::int64_t line = 0; line < lines; ++line) {
    sum += static_cast<std::uint64_t>(data[line * static_cast<std::int64_t>(kCacheLineBytes)]);
  }
  asm volatile("" ::"r"(sum));
}

}  // namespace breakeven
