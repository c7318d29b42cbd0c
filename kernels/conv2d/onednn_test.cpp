#include <gtest/gtest.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "kernels/conv2d/conv2d_cases.h"
#include "kernels/conv2d/onednn_kernel.h"
#include "kernels/host/features.h"

namespace breakeven::conv2d {
void onednn(Registry& registry);

namespace {

using Row = std::tuple<Conv2dOp, const char*, Precision>;

class OnednnRows : public testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    onednn(registry_);
    const std::string reason = implementation().unsupported(
        Conv2d("s", {.c = 64, .h = 8, .w = 8, .k = 64, .r = 3, .s = 3}, direction()), precision(),
        {});
    if (!reason.empty()) {
      EXPECT_NE(reason.find("oneDNN"), std::string::npos);
      EXPECT_FALSE(must_run(precision())) << "this CPU has it: " << reason;
      GTEST_SKIP() << reason;
    }
  }
  // What oneDNN has on this CPU for certain, so that no skip can hide it.
  static bool must_run(Precision precision) {
    return precision == Precision::f32 ||
           (precision == Precision::bf16 && cpu_features().avx512_bf16) ||
           (precision == Precision::int8 && cpu_features().avx512_vnni);
  }
  const Implementation& implementation() {
    return find_implementation(registry_, direction(), std::get<1>(GetParam()));
  }
  static Mode mode() {
    const std::string_view name(std::get<1>(GetParam()));
    if (name == "onednn_packed") return Mode::packed;
    return name == "onednn" ? Mode::plain : Mode::unfused;
  }
  // The implementation, but in the way that a test wants, where prepare() takes the faster: 0:
  // images in plain layouts if oneDNN has that, 1: reordered.
  Implementation forced(std::size_t way) {
    Implementation forced = implementation();
    forced.load = [mode = mode(), way](const Workload& workload, Precision precision,
                                       const Options&) {
      return std::make_unique<Onednn>(static_cast<const Conv2d&>(workload), precision, mode, way);
    };
    return forced;
  }
  static bool is_right(const Implementation& implementation, const Conv2d& conv, int threads) {
    try {
      expect_kernel(implementation, conv, precision(), threads);
    } catch (const Unsupported&) {
      return false;
    }
    return true;
  }
  static Conv2dOp direction() { return std::get<0>(GetParam()); }
  static Precision precision() { return std::get<2>(GetParam()); }
  const int all_ = static_cast<int>(usable_cpus().size());
  Registry registry_;
};

// Sizes for which oneDNN has nothing but reference loops are refused. With AVX-512 it has something
// for each (oneDNN 3.2). Every size in both layouts, in reduced precisions in one.
TEST_P(OnednnRows, IsRightOnRaggedSizes) {
  int tried = 0;
  int done = 0;
  int images_reordered = 0;
  for_each_conv(ragged_conv2d_sizes(100, 4), direction(), [&](const Conv2d& conv, int i) {
    ASSERT_EQ(implementation().unsupported(conv, precision(), {}), "");
    if (precision() != Precision::f32 && i % 2 == i / 32 % 2) return;
    ++tried;
    const int threads = mixed_threads(i, all_);
    if (mixed_way(i) == 1 && is_right(forced(1), conv, threads)) {
      ++images_reordered;
      ++done;
    } else {
      done += is_right(forced(0), conv, threads);
    }
  });
  RecordProperty("done", done);
  RecordProperty("images_reordered", images_reordered);
  EXPECT_GE(done, tried * 9 / 10) << "of " << tried << ", all with AVX-512";
  // Of about half, and of 8-bit or packed images there is one way each.
  if (mode() != Mode::packed && precision() != Precision::int8) {
    EXPECT_GE(images_reordered, tried / 8) << "of " << tried << ", a quarter with AVX-512";
  }
}

// `onednn` takes every size in nhwc and in f32 every fourth in nchw, for which the check takes
// longer. The other rows, which run the same primitives, take every second size.
TEST_P(OnednnRows, IsRightOnResnet50) {
  const auto selected = [](int i) {
    if (mode() != Mode::plain) return i % 4 == 0;
    return precision() == Precision::f32 ? in_resnet50_selection(i) : i % 2 == 0;
  };
  int all = 0;
  int done = 0;
  for_each_conv(resnet50_sizes(), direction(), [&](const Conv2d& conv, int i) {
    if (!selected(i)) return;
    ++all;
    ASSERT_EQ(implementation().unsupported(conv, precision(), {}), "");
    const bool second =
        mixed_way(i) == 1 && expect_right(forced(1), conv, precision(), all_, Judged::by_sums);
    done += second || expect_right(forced(0), conv, precision(), all_, Judged::by_sums);
  });
  EXPECT_EQ(done, all);
  EXPECT_EQ(all, mode() != Mode::plain ? 12 : precision() == Precision::f32 ? 29 : 23);
}

// The largest that are taken are right, in both ways where there are two.
TEST_P(OnednnRows, RefusesStridesThatOverflow) {
  const bool reduced_dw =
      direction() == Conv2dOp::backward_weights && precision() != Precision::f32;
  const std::int64_t largest = reduced_dw ? 1024 : 1073741824;
  for (const auto stride : {&Conv2dSize::stride_h, &Conv2dSize::stride_w}) {
    Conv2dSize size{.n = 2, .c = 16, .h = 8, .w = 8, .k = 16, .r = 3, .s = 3};
    size.*stride = largest;
    const Conv2d taken("s", size, direction());
    EXPECT_EQ(implementation().unsupported(taken, precision(), {}), "");
    const bool first = is_right(forced(0), taken, 1);
    EXPECT_TRUE(is_right(forced(1), taken, 1) || first);
    for (const std::int64_t refused : {largest + 1, std::int64_t{2147483647}}) {
      size.*stride = refused;
      const std::string reason =
          implementation().unsupported(Conv2d("s", size, direction()), precision(), {});
      EXPECT_TRUE(reason.ends_with("large strides: give at most " + std::to_string(largest)))
          << reason;
    }
  }
}

// dnnl_primitive_execute() builds a hash map of its arguments in each call, but keeps nothing.
TEST_P(OnednnRows, KeepsNoMemory) {
  const Conv2dSize size{.n = 2, .c = 32, .h = 12, .w = 12, .k = 64, .r = 3, .s = 3, .pad_h = 1};
  for_each_conv({size}, direction(), [&](const Conv2d& conv, int) {
    expect_no_allocation(implementation(), conv, precision(), Allocates::inside_the_library);
  });
}

TEST_P(OnednnRows, SaysWhatItDispatched) {
  const Conv2d conv("s", {.c = 64, .h = 8, .w = 8, .k = 64, .r = 3, .s = 3}, direction());
  const auto kernel = implementation().load(conv, precision(), {.threads = 1});
  EXPECT_TRUE(kernel->facts().empty());
  kernel->prepare();
  const Facts facts = kernel->facts();
  EXPECT_FALSE(facts.at("implementation").starts_with("ref")) << facts.at("implementation");
  const bool plain = implementation().name == "onednn" || implementation().name == "onednn_unfused";
  EXPECT_NE(facts.at("reordered").find(plain ? "inside the time" : "outside the time"),
            std::string::npos)
      << facts.at("reordered");
  EXPECT_EQ(facts.count("relu"), direction() == Conv2dOp::bias_relu ? 1u : 0u);
}

std::vector<Row> rows() {
  std::vector<Row> rows;
  Registry registry;
  onednn(registry);
  for (const Conv2dOp direction : kDirections) {
    for (const char* name : {"onednn", "onednn_packed", "onednn_unfused"}) {
      const std::string_view only(name);
      if (only == "onednn_unfused" && direction != Conv2dOp::bias_relu) continue;
      for (const Precision precision : find_implementation(registry, direction, name).precisions) {
        rows.emplace_back(direction, name, precision);
      }
    }
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Directions, OnednnRows, testing::ValuesIn(rows()), [](const auto& test) {
  return conv2d_op_name(std::get<0>(test.param)) + "_" + std::get<1>(test.param) + "_" +
         std::string(traits(std::get<2>(test.param)).name);
});

// Each thread sums gradients of filters apart.
TEST(OnednnConv2d, CountsTheScratchOfTheCasesThreads) {
  Registry registry;
  onednn(registry);
  const Conv2d conv("s", {.n = 64, .c = 16, .h = 32, .w = 32, .k = 16, .r = 3, .s = 3},
                    Conv2dOp::backward_weights);
  const Implementation& packed =
      find_implementation(registry, Conv2dOp::backward_weights, "onednn_packed");
  const int before = omp_get_max_threads();
  const auto footprint = [&](int threads) {
    return packed.footprint_bytes(conv, Precision::f32, {.threads = threads});
  };
  EXPECT_GE(footprint(4), footprint(1) + std::size_t{16 * 16 * 9 * 4});
  EXPECT_EQ(omp_get_max_threads(), before);
}

TEST(OnednnConv2d, CountsTheCopiesInItsLayouts) {
  Registry registry;
  onednn(registry);
  const Conv2d conv("s", {.c = 64, .h = 8, .w = 8, .k = 64, .r = 3, .s = 3}, Conv2dOp::forward);
  for (const char* name : {"onednn", "onednn_packed"}) {
    EXPECT_GE(find_implementation(registry, Conv2dOp::forward, name)
                  .footprint_bytes(conv, Precision::f32, {.threads = 1}),
              operand_bytes(conv, Precision::f32) + std::size_t{64 * 64 * 9 * 4})
        << "no copy of the filters";
  }
}

}  // namespace
}  // namespace breakeven::conv2d
