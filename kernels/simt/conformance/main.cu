// gpu-conformance: tries every device primitive on the GPU that is here, with fresh random inputs.
// One line a primitive. Exit: 0 all as the manual says; 1 a mismatch; 2 usage; 3 no GPU answers.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>

#include "kernels/cuda/driver.h"
#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {
namespace {

constexpr int kRounds = 20;

// "" or the first mismatch among kRounds draws.
std::string run(const Check& check, std::uint64_t seed) {
  try {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::string difference = check.run(seed + round);
      if (!difference.empty()) return difference + " (seed " + std::to_string(seed + round) + ")";
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

int run_all(std::uint64_t seed) {
  cudaDeviceProp properties;
  breakeven::check(cudaGetDeviceProperties(&properties, 0));
  const int capability = 10 * properties.major + properties.minor;
  std::printf("%s, compute capability %d.%d; seed %llu\n", properties.name, properties.major,
              properties.minor, static_cast<unsigned long long>(seed));
  int wrong = 0;
  for (const Check& one : all_checks()) {
    if (capability < one.min_compute_capability || capability > one.max_compute_capability) {
      std::printf("-      %s: not on this architecture\n", one.name);
      continue;
    }
    const std::string difference = run(one, seed);
    wrong += !difference.empty();
    std::printf("%s  %s%s%s\n", difference.empty() ? "ok   " : "WRONG", one.name,
                difference.empty() ? "" : ": ", difference.c_str());
    std::fflush(stdout);
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace breakeven::conformance

int main(int count, char** arguments) {
  std::uint64_t seed = std::random_device()();
  if (count == 3 && std::strcmp(arguments[1], "--seed") == 0) {
    char* end = nullptr;
    seed = std::strtoull(arguments[2], &end, 10);
    if (*arguments[2] == '\0' || *end != '\0') count = 0;
  }
  if (count != 1 && count != 3) {
    std::fprintf(stderr, "usage: gpu-conformance [--seed NUMBER]\n");
    return 2;
  }
  if (const std::string& reason = breakeven::gpu_missing_reason(); !reason.empty()) {
    std::fprintf(stderr, "gpu-conformance: no GPU: %s\n", reason.c_str());
    return 3;
  }
  try {
    return breakeven::conformance::run_all(seed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu-conformance: %s\n", error.what());
    return 3;
  }
}
