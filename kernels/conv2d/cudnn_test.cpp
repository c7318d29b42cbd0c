// What of the cuDNN module can be tested where there is no GPU: its graphs, which cuDNN judges
// without one, its rows, and what they say without a driver.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "kernels/conv2d/cudnn_graph.h"
#include "kernels/cuda/driver.h"
#include "kernels/kernel.h"
#include "reference/conv2d.h"
#include "reference/conv2d_testing.h"

namespace breakeven {

Facts cudnn_facts();

namespace conv2d {

void cudnn(Registry& registry);

namespace {

constexpr GraphWork kWorks[] = {GraphWork::forward,       GraphWork::bias_relu,
                                GraphWork::backward_data, GraphWork::backward_weights,
                                GraphWork::forward_sums,  GraphWork::bias_relu_alone};

// Why cuDNN refuses a graph, or "".
std::string refusal(GraphWork work, const Conv2dSize& size, Conv2dLayout layout,
                    Precision precision) {
  try {
    CudnnGraph(work, size, layout, precision).submit(nullptr);
  } catch (const Unsupported& reason) {
    return reason.what();
  }
  return "";
}

TEST(TensorShape, IsInCudnnsOrderAndStridesAreTheLayouts) {
  const TensorShape nhwc = tensor_shape(Conv2dLayout::nhwc, 2, 3, 5, 7);
  EXPECT_EQ(nhwc.dimensions, (std::vector<std::int64_t>{2, 3, 5, 7}));
  EXPECT_EQ(nhwc.strides, (std::vector<std::int64_t>{5 * 7 * 3, 1, 7 * 3, 3}));
  const TensorShape nchw = tensor_shape(Conv2dLayout::nchw, 2, 3, 5, 7);
  EXPECT_EQ(nchw.dimensions, nhwc.dimensions);
  EXPECT_EQ(nchw.strides, (std::vector<std::int64_t>{3 * 5 * 7, 5 * 7, 7, 1}));
}

TEST(CudnnGraph, CudnnAcceptsTheGeometryOfEveryDirectionAndLayout) {
  for (const Conv2dSize& size : ragged_conv2d_sizes(100, 4)) {
    for (const Conv2dLayout layout : {Conv2dLayout::nhwc, Conv2dLayout::nchw}) {
      for (const GraphWork work : kWorks) {
        ASSERT_EQ(refusal(work, size, layout, Precision::f32), "") << static_cast<int>(work);
      }
    }
  }
}

TEST(CudnnGraph, CudnnRefusesAGeometryThatIsNone) {
  // No output pixel: the filter is wider than the image.
  const Conv2dSize size = {.n = 1, .c = 8, .h = 3, .w = 3, .k = 8, .r = 3, .s = 5};
  for (const GraphWork work : {GraphWork::forward, GraphWork::bias_relu, GraphWork::backward_data,
                               GraphWork::backward_weights}) {
    const std::string reason = refusal(work, size, Conv2dLayout::nhwc, Precision::f32);
    EXPECT_EQ(reason.substr(0, 7), "cuDNN: ") << static_cast<int>(work);
    EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
  }
}

TEST(CudnnGraph, EveryPrecisionIsDescribed) {
  const Conv2dSize size = {.n = 2, .c = 16, .h = 9, .w = 7, .k = 32, .r = 3, .s = 3, .pad_h = 1};
  for (const Precision precision : kPrecisions) {
    for (const GraphWork work : kWorks) {
      if (precision == Precision::int8 && work != GraphWork::forward) continue;
      EXPECT_EQ(refusal(work, size, Conv2dLayout::nhwc, precision), "")
          << traits(precision).name << " " << static_cast<int>(work);
    }
  }
}

TEST(CudnnGraph, SumsAreKeptInTheRowsAccumulator) {
  EXPECT_EQ(sum_type(Precision::f64), ElementType::f64);
  EXPECT_EQ(sum_type(Precision::f32), ElementType::f32);
  EXPECT_EQ(sum_type(Precision::bf16), ElementType::f32);
  EXPECT_EQ(sum_type(Precision::int8), ElementType::s32);
}

TEST(Cudnn, HasRowsForEveryDirectionAndKeepsOtherNumericsUnderOtherNames) {
  Registry registry;
  cudnn(registry);
  std::set<std::string> rows;
  for (const Implementation& each : registry.implementations()) {
    EXPECT_TRUE(std::regex_match(each.name, std::regex("[a-z0-9_]+")));
    EXPECT_EQ(each.launches.size(), 2u);
    EXPECT_FALSE(each.threaded);
    EXPECT_TRUE(rows.insert(each.op + "/" + each.name).second);
    const bool has_int8 =
        std::count(each.precisions.begin(), each.precisions.end(), Precision::int8) > 0;
    EXPECT_EQ(has_int8, each.op + "/" + each.name == "conv2d_forward/cudnn");
  }
  for (const char* op :
       {"conv2d_forward", "conv2d_bias_relu", "conv2d_backward_data", "conv2d_backward_weights"}) {
    EXPECT_TRUE(rows.contains(op + std::string("/cudnn"))) << op;
    EXPECT_TRUE(rows.contains(op + std::string("/cudnn_winograd"))) << op;
  }
  EXPECT_TRUE(rows.contains("conv2d_bias_relu/cudnn_unfused"));
  EXPECT_EQ(rows.size(), 9u);
}

TEST(Cudnn, TheUnfusedRowCountsWhatLiesBetween) {
  Registry registry;
  cudnn(registry);
  const Conv2dSize size = {.n = 2, .c = 16, .h = 9, .w = 7, .k = 32, .r = 3, .s = 3};
  const Conv2d conv("shape", size, Conv2dOp::bias_relu);
  const std::size_t elements = static_cast<std::size_t>(conv.output(Precision::bf16).elements);
  for (const Implementation& each : registry.implementations()) {
    if (each.op != "conv2d_bias_relu") continue;
    const std::size_t between = each.name == "cudnn_unfused" ? 4 * elements : 0;
    EXPECT_EQ(each.footprint_bytes(conv, Precision::bf16, {}),
              operand_bytes(conv, Precision::bf16) + between)
        << each.name;
  }
}

TEST(Cudnn, FactsNeedNoDriver) {
  const Facts facts = cudnn_facts();
  EXPECT_TRUE(std::regex_match(facts.at("cudnn.version"), std::regex("9\\.[0-9]+\\.[0-9]+")));
  EXPECT_TRUE(std::regex_match(facts.at("cudnn.frontend"), std::regex("1\\.[0-9]+\\.[0-9]+")));
  EXPECT_EQ(facts.at("cudnn.workspace_limit_bytes"), "536870912");
}

TEST(Cudnn, WithoutADriverTheReasonIsSaid) {
  if (gpu_missing_reason().empty()) GTEST_SKIP() << "a GPU answers here";
  try {
    cudnn_handle();
    FAIL() << "a handle without a GPU";
  } catch (const std::exception& reason) {
    EXPECT_NE(std::string(reason.what()).find("CUDNN_STATUS_"), std::string::npos) << reason.what();
  }
}

}  // namespace
}  // namespace conv2d
}  // namespace breakeven
