#include "reference/peak.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/host/device.h"
#include "kernels/peak/peak_kernel.h"

namespace breakeven::peak {
void fma(Registry& registry);
void amx(Registry& registry);

namespace {

// Every multiply-add adds one step, so the answer counts them: flops / 2.
TEST(Peak, ExecutesExactlyTheMultiplyAddsThatItCounts) {
  Registry registry;
  fma(registry);
  amx(registry);
  const Peak workload;
  int ran = 0;
  for (const Implementation& peak : registry.implementations()) {
    for (const Precision precision : peak.precisions) {
      const Options options{.threads = static_cast<int>(usable_cpus().size())};
      const std::string reason = peak.unsupported(workload, precision, options);
      if (!reason.empty()) {
        EXPECT_NE(reason.find("has no"), std::string::npos);
        continue;
      }
      ++ran;
      double answer = 0;
      for (const int threads : {options.threads, 1}) {
        HostDevice device;
        device.configure({.threads = threads});
        const auto kernel = peak.load(workload, precision, {.threads = threads});
        kernel->run();
        EXPECT_TRUE(workload.check(precision, kernel->output()).ok()) << peak.name;
        std::memcpy(&answer, kernel->output().data(), sizeof answer);
      }
      EXPECT_EQ(answer, workload.cost(precision).flops / 2 * Peak::kStep) << peak.name;
    }
  }
  EXPECT_GT(ran, 0) << "not even AVX2 here";
}

double count_wrongly(std::int64_t count, const std::byte*, const std::byte*) {
  return static_cast<double>(count - 1);
}

TEST(Peak, AMissingInstructionIsNoticed) {
  Registry registry;
  add_ceilings(registry, {{"wrong", Precision::f32, 1, count_wrongly, true, ""}});
  const Peak workload;
  const auto kernel = registry.implementations()[0].load(workload, Precision::f32, {.threads = 2});
  kernel->run();
  EXPECT_FALSE(workload.check(Precision::f32, kernel->output()).ok());
}

TEST(Peak, SaysWhatTheCpuLacks) {
  Registry registry;
  add_ceilings(registry, {{"absent", Precision::f32, 1, count_wrongly, false, "AVX-1024"}});
  EXPECT_NE(registry.implementations()[0].unsupported(Peak(), Precision::f32, {}).find("AVX-1024"),
            std::string::npos);
}

}  // namespace
}  // namespace breakeven::peak
