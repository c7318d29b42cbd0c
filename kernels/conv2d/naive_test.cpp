#include <gtest/gtest.h>

#include "kernels/conv2d/conv2d_cases.h"

namespace breakeven::conv2d {
void naive(Registry& registry);

namespace {

class Naive : public testing::TestWithParam<Conv2dOp> {
 protected:
  Naive() { naive(registry_); }
  const Implementation& implementation() {
    return find_implementation(registry_, GetParam(), "naive");
  }
  Registry registry_;
};

TEST_P(Naive, IsRightOnRaggedSizes) {
  EXPECT_FALSE(implementation().threaded);
  for_each_conv(ragged_conv2d_sizes(100, 1), GetParam(), [&](const Conv2d& conv, int i) {
    const Precision precision = i % 3 == 0 ? Precision::f64 : Precision::f32;
    expect_kernel(implementation(), conv, precision, 1);
  });
}

// What it finds too slow on this machine, now, it leaves out, as it does in a benchmark.
TEST_P(Naive, IsRightOnResnet50) {
  int done = 0;
  for_each_conv(resnet50_sizes(), GetParam(), [&](const Conv2d& conv, int i) {
    if (!in_resnet50_selection(i)) return;
    done += expect_right(implementation(), conv, Precision::f32, 1, Judged::by_sums);
  });
  RecordProperty("done", done);
  EXPECT_GE(done, 1) << "the others would have taken over 2 s a call";
}

TEST_P(Naive, AllocatesNothing) {
  const Conv2d conv("s", {.c = 3, .h = 9, .w = 7, .k = 5, .r = 3, .s = 2}, GetParam());
  expect_no_allocation(implementation(), conv, Precision::f32, Allocates::never);
}

TEST_P(Naive, LeavesOutWhatWouldTakeMinutes) {
  const Options one{.threads = 1};
  Conv2dSize size{.c = 512, .h = 28, .w = 28, .k = 512, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
  const Conv2d small("s", size, GetParam());
  EXPECT_EQ(implementation().unsupported(small, Precision::f32, one), "");
  size.n = 64;
  const Conv2d large("s", size, GetParam());
  EXPECT_NE(implementation().unsupported(large, Precision::f32, one).find("2 s"),
            std::string::npos);
  size.n = 5;  // passes the cheap bound, but needs over 2 s at 9 GFLOP/s, which no plain loop has
  const Conv2d slow("s", size, GetParam());
  ASSERT_EQ(implementation().unsupported(slow, Precision::f32, one), "");
  EXPECT_THROW(implementation().load(slow, Precision::f32, one), Unsupported);
}

INSTANTIATE_TEST_SUITE_P(Directions, Naive, testing::ValuesIn(kDirections),
                         [](const auto& test) { return conv2d_op_name(test.param); });

}  // namespace
}  // namespace breakeven::conv2d
