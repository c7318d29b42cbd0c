// For tests: what every CPU competitor must do, whatever it computes.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "kernels/host/allocation_count.h"
#include "kernels/host/device.h"
#include "kernels/kernel.h"

namespace breakeven {

inline const Implementation& find_implementation(const Registry& registry,
                                                 const std::string& name) {
  for (const Implementation& implementation : registry.implementations()) {
    if (implementation.name == name) return implementation;
  }
  throw std::invalid_argument("no implementation " + name);
}

/// Bytes that the program holds from the heap now (0 under address sanitizer, which replaces it).
inline std::size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Whether a library may allocate during a call, as long as it keeps nothing.
enum class Allocates { never, inside_the_library };

/// Loads and runs one case: right against fp64, poisoned in between, the same bits from a
/// second run, right again over poison.
inline void expect_kernel(const Implementation& implementation, const Workload& workload,
                          Precision precision, int threads) {
  SCOPED_TRACE(workload.op() + "/" + workload.shape() + "/" + implementation.name + "/" +
               std::string(traits(precision).name) + "/threads:" + std::to_string(threads));
  const Options options{.threads = threads};
  HostDevice device;
  device.configure(options);
  ASSERT_EQ(implementation.unsupported(workload, precision, options), "");
  EXPECT_GE(implementation.footprint_bytes(workload, precision, options),
            operand_bytes(workload, precision));
  const std::unique_ptr<Kernel> kernel = implementation.load(workload, precision, options);
  kernel->prepare();

  kernel->poison_output();
  const Check stale = workload.check(precision, kernel->output());
  EXPECT_FALSE(stale.ok()) << "a poisoned output passes";

  kernel->run();
  const Check first = workload.check(precision, kernel->output());
  EXPECT_TRUE(first.ok()) << first.error << " > " << first.limit << " by " << first.method;
  const std::vector<std::byte> answer(kernel->output().begin(), kernel->output().end());

  kernel->run();  // beta = 0: nothing accumulates
  EXPECT_TRUE(std::equal(answer.begin(), answer.end(), kernel->output().begin()))
      << "the same inputs gave another answer";

  kernel->poison_output();
  kernel->run();
  EXPECT_TRUE(workload.check(precision, kernel->output()).ok()) << "after poisoning";
}

/// A case's run() in its steady state takes nothing from the heap, or at least keeps nothing.
inline void expect_no_allocation(const Implementation& implementation, const Workload& workload,
                                 Precision precision, Allocates allocates) {
  SCOPED_TRACE(implementation.name + "/" + std::string(traits(precision).name));
  const Options options{.threads = static_cast<int>(usable_cpus().size())};
  HostDevice device;
  device.configure(options);
  const std::unique_ptr<Kernel> kernel = implementation.load(workload, precision, options);
  kernel->prepare();
  constexpr int kCalls = 100;
  for (int i = 0; i < kCalls; ++i) kernel->run();
  const std::size_t bytes = heap_bytes();
  const long allocations = allocation_count();
  for (int i = 0; i < kCalls; ++i) kernel->run();
  if (allocates == Allocates::never) {
    EXPECT_EQ(allocation_count() - allocations, 0) << "run() allocates";
  }
  // What the allocator's per-thread caches hold counts as used and comes and goes.
  constexpr std::size_t kLeastLeak = 32;
  const std::size_t after = heap_bytes();
  EXPECT_LT(after, bytes + kCalls * kLeastLeak) << "run() keeps memory";
}

}  // namespace breakeven
