#include <gtest/gtest.h>

#include "kernels/host/kernel_check.h"
#include "kernels/matmul/awkward_shapes.h"

namespace breakeven::matmul {
void naive(Registry& registry);

namespace {

TEST(Naive, IsRight) {
  Registry registry;
  naive(registry);
  const Implementation& naive = find_implementation(registry, "naive");
  EXPECT_FALSE(naive.threaded);
  for (const auto& shape : awkward_shapes()) {
    for (const Precision precision : {Precision::f32, Precision::f64}) {
      expect_kernel(naive, *shape, precision, 1);
    }
  }
}

TEST(Naive, AllocatesNothing) {
  Registry registry;
  naive(registry);
  expect_no_allocation(find_implementation(registry, "naive"), Matmul("s", 33, 17, 9),
                       Precision::f32, Allocates::never);
}

TEST(Naive, LeavesOutWhatWouldTakeMinutesWithoutTryingIt) {
  Registry registry;
  naive(registry);
  const Implementation& naive = find_implementation(registry, "naive");
  const Options one{.threads = 1};
  EXPECT_EQ(naive.unsupported(Matmul("s", 512, 512, 512), Precision::f32, one), "");
  EXPECT_NE(naive.unsupported(Matmul("s", 4096, 4096, 4096), Precision::f32, one).find("2 s"),
            std::string::npos);
}

// 2048^3 passes the cheap bound, but columns 8 KiB apart take far over 2 s on any machine.
TEST(Naive, LeavesOutWhatItsFirstRowsShowToBeSlow) {
  Registry registry;
  naive(registry);
  const Implementation& naive = find_implementation(registry, "naive");
  const Matmul big("s", 2048, 2048, 2048);
  ASSERT_EQ(naive.unsupported(big, Precision::f32, {.threads = 1}), "");
  EXPECT_THROW(naive.load(big, Precision::f32, {.threads = 1}), Unsupported);
}

}  // namespace
}  // namespace breakeven::matmul
