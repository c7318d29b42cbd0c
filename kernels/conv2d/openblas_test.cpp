#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "kernels/conv2d/conv2d_cases.h"
#include "kernels/conv2d/depthwise_host.h"
#include "kernels/conv2d/openblas_im2col.h"
#include "kernels/conv2d/row_blocks.h"

namespace breakeven::conv2d {
void openblas(Registry& registry);

namespace {

class Openblas : public testing::TestWithParam<Conv2dOp> {
 protected:
  Openblas() { openblas(registry_); }
  const Implementation& implementation() {
    return find_implementation(registry_, GetParam(), "openblas");
  }
  // The implementation, but with the products that a test wants.
  Implementation forced(Products products) {
    Implementation forced = implementation();
    forced.load = [products, load = forced.load](
                      const Workload& workload, Precision precision,
                      const Options& options) -> std::unique_ptr<Kernel> {
      const auto& conv = static_cast<const Conv2d&>(workload);
      if (one_filter_a_channel(conv.size)) return load(workload, precision, options);
      if (precision == Precision::f64) {
        return std::make_unique<Im2col<double>>(conv, precision, options.threads, products);
      }
      return std::make_unique<Im2col<float>>(conv, precision, options.threads, products);
    };
    return forced;
  }
  const int all_ = static_cast<int>(usable_cpus().size());
  Registry registry_;
};

// Of the two kinds of products prepare() takes the faster, which is another one on another machine.
TEST_P(Openblas, IsRightOnRaggedSizes) {
  int own = 0;
  for_each_conv(ragged_conv2d_sizes(120, 2), GetParam(), [&](const Conv2d& conv, int i) {
    const Precision precision = i % 3 == 0 ? Precision::f64 : Precision::f32;
    const int threads = mixed_threads(i, all_);
    try {
      expect_kernel(forced(mixed_way(i) == 1 ? Products::own : Products::shared), conv, precision,
                    threads);
      own += mixed_way(i) == 1;
    } catch (const Unsupported&) {
      expect_kernel(forced(Products::shared), conv, precision, threads);
    }
  });
  if (all_ > 1) {
    EXPECT_GT(own, 30) << "of 240, where an eighth are depthwise and half have one thread";
  }
}

TEST_P(Openblas, IsRightOnResnet50) {
  for_each_conv(resnet50_sizes(), GetParam(), [&](const Conv2d& conv, int i) {
    if (!in_resnet50_selection(i)) return;
    const Implementation shared = forced(Products::shared);
    EXPECT_TRUE(expect_right(shared, conv, Precision::f32, all_, Judged::by_sums));
    if (i % 4 == 0) expect_right(forced(Products::own), conv, Precision::f32, all_);
  });
}

// Matrices of several images and of parts of one, and channels that no vector length divides.
TEST_P(Openblas, IsRightInSeveralMatrices) {
  const std::vector<Conv2dSize> sizes = {
      {.n = 5, .c = 31, .h = 60, .w = 60, .k = 9, .r = 5, .s = 5, .pad_h = 2, .pad_w = 2},
      {.n = 7, .c = 33, .h = 14, .w = 15, .k = 17, .r = 3, .s = 3, .pad_h = 1, .stride_w = 2},
      {.n = 3, .c = 64, .h = 30, .w = 30, .k = 66, .groups = 2}};
  for_each_conv(sizes, GetParam(), [&](const Conv2d& conv, int) {
    for (const int threads : {1, all_}) {
      EXPECT_TRUE(expect_right(implementation(), conv, Precision::f32, threads));
    }
  });
}

TEST_P(Openblas, IsRightOnDepthwiseSizes) {
  const std::vector<Conv2dSize> sizes = {
      {.n = 2,
       .c = 67,
       .h = 23,
       .w = 29,
       .k = 67,
       .r = 3,
       .s = 3,
       .pad_h = 1,
       .pad_w = 1,
       .groups = 67},
      {.n = 3,
       .c = 32,
       .h = 17,
       .w = 12,
       .k = 32,
       .r = 5,
       .s = 3,
       .pad_w = 2,
       .stride_h = 2,
       .stride_w = 2,
       .groups = 32},
      {.c = 9, .h = 16, .w = 31, .k = 27, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1, .groups = 9}};
  for_each_conv(sizes, GetParam(), [&](const Conv2d& conv, int) {
    for (const Precision precision : {Precision::f32, Precision::f64}) {
      expect_kernel(implementation(), conv, precision, all_);
    }
  });
}

// OpenBLAS's threaded driver takes a job table from the heap in each call and gives it back.
TEST_P(Openblas, KeepsNoMemory) {
  const Conv2dSize product{.n = 2, .c = 16, .h = 12, .w = 12, .k = 32};
  const Conv2dSize window{.n = 2, .c = 16, .h = 12, .w = 12, .k = 32, .r = 3, .s = 3, .pad_h = 1};
  for_each_conv({product, window}, GetParam(), [&](const Conv2d& conv, int) {
    expect_no_allocation(implementation(), conv, Precision::f32, Allocates::inside_the_library);
  });
  const Conv2dSize depthwise{.c = 16, .h = 12, .w = 12, .k = 16, .r = 3, .s = 3, .groups = 16};
  for_each_conv({depthwise}, GetParam(), [&](const Conv2d& conv, int) {
    expect_no_allocation(implementation(), conv, Precision::f32, Allocates::never);
  });
}

TEST_P(Openblas, SaysWhatItDoes) {
  const auto algorithm = [&](const Conv2dSize& size) {
    const Conv2d conv("s", size, GetParam());
    return implementation().load(conv, Precision::f32, {.threads = 1})->facts().at("algorithm");
  };
  EXPECT_EQ(algorithm({.c = 4, .h = 5, .w = 5, .k = 4}), "matrix product");
  EXPECT_EQ(algorithm({.c = 4, .h = 5, .w = 5, .k = 4, .stride_h = 2}),
            "im2col and matrix product");
  EXPECT_NE(algorithm({.c = 4, .h = 5, .w = 5, .k = 4, .groups = 4}).find("no call of OpenBLAS"),
            std::string::npos);
}

TEST_P(Openblas, BoundsItsScratch) {
  // Large matrices; large sums of gradients; both; rows that leave no room for sums.
  const std::vector<Conv2dSize> sizes = {
      {.n = 64, .c = 512, .h = 56, .w = 56, .k = 512, .r = 3, .s = 3},
      {.n = 8, .c = 1300, .h = 9, .w = 9, .k = 1300, .r = 3, .s = 3},
      {.n = 4, .c = 1024, .h = 20, .w = 500, .k = 1024, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
      {.n = 4, .c = 512, .h = 20, .w = 1000, .k = 512, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}};
  for_each_conv(sizes, GetParam(), [&](const Conv2d& conv, int) {
    for (const int threads : {1, 2, 16}) {
      for (const Precision precision : {Precision::f32, Precision::f64}) {
        if (!implementation().unsupported(conv, precision, {}).empty()) continue;
        const std::size_t scratch =
            implementation().footprint_bytes(conv, precision, {.threads = threads}) -
            operand_bytes(conv, precision);
        EXPECT_GT(scratch, 0u);
        EXPECT_LE(scratch, static_cast<std::size_t>(threads) * (std::size_t{64} << 20));
      }
    }
  });
  const Conv2d wide("s", {.c = 512, .h = 9, .w = 4096, .k = 1, .r = 9, .s = 9, .pad_w = 4},
                    GetParam());
  EXPECT_NE(implementation().unsupported(wide, Precision::f32, {}).find("MiB for one row"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Directions, Openblas, testing::ValuesIn(kDirections),
                         [](const auto& test) { return conv2d_op_name(test.param); });

// The pass that adds the bias finds its outputs in the L2 cache.
TEST(Im2colSizes, BoundTheOutputsBeforeARelu) {
  const Conv2dSize pointwise{.n = 16, .c = 64, .h = 56, .w = 56, .k = 256};
  const Conv2d relu("s", pointwise, Conv2dOp::bias_relu);
  const Conv2d forward("s", pointwise, Conv2dOp::forward);
  const auto output_bytes = [](const Conv2d& conv) {
    return Im2colSizes{conv, 2, sizeof(float)}.most_rows() * 56 * 256 * 4;
  };
  EXPECT_LE(output_bytes(relu), 1 << 20);
  EXPECT_GT(output_bytes(relu), 1 << 19);
  EXPECT_EQ(output_bytes(forward), 16 * 56 * 56 * 256 * 4);
}

TEST(Inside, IsWhatTryingEachSays) {
  for (std::int64_t start = -9; start <= 9; ++start) {
    for (std::int64_t step = 1; step <= 4; ++step) {
      for (std::int64_t size = 1; size <= 7; ++size) {
        const Range range = inside(start, step, 5, size);
        ASSERT_LE(range.begin, range.end);
        for (std::int64_t i = 0; i < 5; ++i) {
          const bool is_inside = start + i * step >= 0 && start + i * step < size;
          EXPECT_EQ(range.begin <= i && i < range.end, is_inside)
              << start << " + " << i << " * " << step << " in " << size;
        }
      }
    }
  }
}

TEST(RowBlocks, HaveEveryRowOnce) {
  for (const Conv2dOp direction : kDirections) {
    for_each_conv(ragged_conv2d_sizes(40, 3), direction, [&](const Conv2d& conv, int i) {
      const std::int64_t most = 1 + i % 7, parts = 1 + i % 5, p = conv.size.p();
      std::set<std::int64_t> rows;
      std::set<std::int64_t> images;  // of blocks before
      const std::vector<Block> blocks = row_blocks(conv, most, parts);
      for (const Block& block : blocks) {
        std::set<std::int64_t> own;
        for (const Rows& piece : block) {
          EXPECT_GE(piece.count, 1);
          EXPECT_LE(piece.count, most);
          const std::int64_t last = piece.first + piece.count - 1;
          if (conv.layout == Conv2dLayout::nchw) {
            EXPECT_EQ(piece.first / p, last / p);
          }
          for (std::int64_t row = piece.first; row <= last; ++row) {
            EXPECT_TRUE(rows.insert(row).second);
            own.insert(row / p);
          }
        }
        for (const std::int64_t image : own) {
          const bool first = images.insert(image).second;
          if (direction == Conv2dOp::backward_data && !is_matrix_product(conv.size)) {
            EXPECT_TRUE(first) << "two blocks add to one image";
          }
        }
      }
      EXPECT_EQ(static_cast<std::int64_t>(rows.size()), conv.size.n * p);
      if (direction == Conv2dOp::backward_weights) {
        EXPECT_LE(static_cast<std::int64_t>(blocks.size()), parts) << "more blocks than sums";
      }
    });
  }
}

}  // namespace
}  // namespace breakeven::conv2d
