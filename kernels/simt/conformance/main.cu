// gpu-conformance: tries every device primitive on the GPU that is here, with fresh random inputs.
// One line a primitive. Exit: 0 all as the manual says; 1 a mismatch; 2 usage; 3 no GPU answers.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>

#include "kernels/cuda/driver.h"
#include "kernels/simt/conformance/runner.h"

namespace breakeven::conformance {
namespace {

struct Arguments {
  std::uint64_t seed = std::random_device()();
  std::string from;  ///< the first check's name; "": all of them
};

/// False where they can't be read.
bool parse(int count, char** words, Arguments& arguments) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count || *words[i + 1] == '\0') return false;
    if (std::strcmp(words[i], "--seed") == 0) {
      char* end = nullptr;
      arguments.seed = std::strtoull(words[i + 1], &end, 10);
      if (*end != '\0') return false;
    } else if (std::strcmp(words[i], "--from") == 0) {
      arguments.from = words[i + 1];
    } else {
      return false;
    }
  }
  return true;
}

__global__ void nothing() {}

/// The architecture that the code is for which runs here, as 10 major + minor; 0 where none does.
int code_version() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, nothing) == cudaSuccess ? attributes.binaryVersion : 0;
}

// What a refused launch leaves behind is gone once it was read; what a kernel broke stays.
bool is_broken() {
  cudaGetLastError();
  return cudaDeviceSynchronize() != cudaSuccess;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// The checks from `first` on, in a process of their own; true where it could be started.
bool run_elsewhere(const char* first, std::uint64_t seed) {
  const std::string seed_text = std::to_string(seed);
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "gpu-conformance", "--seed", seed_text.c_str(), "--from", first,
          static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) <= 1;
}

int run_all(const Arguments& arguments) {
  cudaDeviceProp properties;
  breakeven::check(cudaGetDeviceProperties(&properties, 0));
  const int code = code_version();
  const std::string gpu = std::string(properties.name) + ", compute capability " +
                          std::to_string(properties.major) + "." + std::to_string(properties.minor);
  if (code == 0) {
    std::fprintf(stderr, "gpu-conformance: this build holds no code for %s\n", gpu.c_str());
    return 3;
  }
  const std::vector<Check> checks = all_checks();
  std::size_t from = 0;
  if (!arguments.from.empty()) {
    while (from < checks.size() && arguments.from != checks[from].name) ++from;
    if (from == checks.size()) {
      std::fprintf(stderr, "gpu-conformance: no check is called %s\n", arguments.from.c_str());
      return 2;
    }
  } else {
    print(gpu + ", code for sm_" + std::to_string(code) + "; seed " +
          std::to_string(arguments.seed) + "\n");
  }
  const Outcome outcome = run_checks(checks, from, arguments.seed, {code, is_broken, print});
  if (outcome.next == checks.size()) return outcome.wrong == 0 ? 0 : 1;
  cudaDeviceReset();  // what it held must not be missing in the next process
  const char* next = checks[outcome.next].name;
  if (!run_elsewhere(next, arguments.seed)) {
    std::printf("the checks from %s on did not come to their end in a process of their own\n",
                next);
  }
  return 1;
}

}  // namespace
}  // namespace breakeven::conformance

int main(int count, char** words) {
  using namespace breakeven;
  conformance::Arguments arguments;
  if (!conformance::parse(count, words, arguments)) {
    std::fprintf(stderr, "usage: gpu-conformance [--seed NUMBER] [--from CHECK]\n");
    return 2;
  }
  if (const std::string& reason = gpu_missing_reason(); !reason.empty()) {
    std::fprintf(stderr, "gpu-conformance: no GPU: %s\n", reason.c_str());
    return 3;
  }
  try {
    return conformance::run_all(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu-conformance: %s\n", error.what());
    return 3;
  }
}
