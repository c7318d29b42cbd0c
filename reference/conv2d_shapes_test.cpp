// The convolutions of the built-in tables against the figures of their sources, and bad entries.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "reference/conv2d.h"
#include "reference/shapes.h"

namespace breakeven {
namespace {

// Every shape once, as its forward convolution.
std::vector<Shape> forward_shapes(const std::string& prefix) {
  std::vector<Shape> shapes;
  for (Shape& shape : built_in_shapes()) {
    const auto* conv = dynamic_cast<const Conv2d*>(shape.workload.get());
    if (conv != nullptr && conv->direction == Conv2dOp::forward &&
        conv->shape().rfind(prefix, 0) == 0) {
      shapes.push_back(std::move(shape));
    }
  }
  return shapes;
}

const Conv2d& conv_of(const Shape& shape) { return dynamic_cast<const Conv2d&>(*shape.workload); }

Conv2dSize size_of(const std::string& name) {
  const std::vector<Shape> shapes = forward_shapes(name);
  for (const Shape& shape : shapes) {
    if (shape.workload->shape() == name) return conv_of(shape).size;
  }
  throw std::runtime_error("no shape " + name);
}

// As sources count: products with the padding's zeros included.
double nominal_flops(const Conv2dSize& size) {
  return 2.0 * static_cast<double>(size.n * size.k * size.p() * size.q()) *
         static_cast<double>(size.c / size.groups * size.r * size.s);
}

TEST(Conv2dShapes, EveryShapeHasItsFourOperations) {
  std::map<std::string, std::set<std::string>> ops;
  for (const auto& workload : built_in_workloads()) {
    if (dynamic_cast<const Conv2d*>(workload.get()) != nullptr) {
      ops[workload->shape()].insert(workload->op());
    }
  }
  EXPECT_EQ(ops.size(), 23u * 3 + 10 + 30 + 9 * 2 + 30 * 2 + 16);
  for (const auto& [shape, names] : ops) {
    EXPECT_EQ(names, (std::set<std::string>{"conv2d_forward", "conv2d_bias_relu",
                                            "conv2d_backward_data", "conv2d_backward_weights"}))
        << shape;
  }
}

TEST(Conv2dShapes, FlopsAreThoseOfTheSources) {
  int with_gflop = 0;
  for (const Shape& shape : forward_shapes("")) {
    const Conv2d& conv = conv_of(shape);
    SCOPED_TRACE(conv.shape());
    const double nominal = nominal_flops(conv.size);
    const bool padded = conv.size.pad_h + conv.size.pad_w > 0;
    EXPECT_LE(conv.cost(Precision::f32).flops, nominal);
    if (!padded) {
      EXPECT_EQ(conv.cost(Precision::f32).flops, nominal);
    }
    EXPECT_FALSE(shape.source.empty());
    if (!shape.gflop) continue;
    ++with_gflop;
    const bool of_an_image = conv.layer().network == "resnet50";  // to a tenth of a megaflop
    const double images = of_an_image ? static_cast<double>(conv.size.n) : 1;
    EXPECT_NEAR(nominal / 1e9 / images, *shape.gflop, of_an_image ? 0.000051 : 0.00051);
  }
  EXPECT_EQ(with_gflop, 23 * 3 + 30);
}

TEST(Conv2dShapes, NetworksAreComplete) {
  const struct {
    std::string network;
    std::int64_t layers;
    double gflop_per_image;  // of all its convolutions
    std::set<std::int64_t> images;
  } networks[] = {
      {"resnet50", 53, 8.174, {1, 16, 64}},  // 4.09 G multiply-adds with the classifier
      {"vgg16", 13, 30.693, {1, 16}},        // 15.35 G multiply-adds
      {"mobilenet_v2", 52, 0.599, {1, 16}},  // 300 M multiply-adds, in the paper with classifier
  };
  for (const auto& expected : networks) {
    std::map<std::int64_t, std::int64_t> layers;
    std::map<std::int64_t, double> gflop;
    for (const Shape& shape : forward_shapes("")) {
      const Conv2d& conv = conv_of(shape);
      if (conv.layer().network != expected.network) continue;
      EXPECT_EQ(conv.shape().rfind(expected.network + "_", 0), 0u);
      const std::string suffix = "_n" + std::to_string(conv.size.n);
      EXPECT_TRUE(conv.shape().ends_with(suffix)) << conv.shape();
      layers[conv.size.n] += conv.layer().times;
      gflop[conv.size.n] += static_cast<double>(conv.layer().times) * nominal_flops(conv.size) /
                            1e9 / static_cast<double>(conv.size.n);
    }
    ASSERT_EQ(layers.size(), expected.images.size()) << expected.network;
    for (const std::int64_t n : expected.images) {
      EXPECT_EQ(layers[n], expected.layers) << expected.network << " n=" << n;
      EXPECT_NEAR(gflop[n], expected.gflop_per_image, 0.001) << expected.network << " n=" << n;
    }
  }
}

TEST(Conv2dShapes, OutputsHaveTheSizesThatSourcesGive) {
  const struct {
    const char* name;
    std::int64_t p;
    std::int64_t q;
  } expected[] = {
      {"resnet50_conv1_n16", 112, 112},
      {"resnet50_res2x_branch2b_n64", 56, 56},
      {"resnet50_res3a_branch1_n1", 28, 28},
      {"resnet50_res3a_branch2b_n1", 28, 28},
      {"resnet50_res4x_branch2c_n16", 14, 14},
      {"resnet50_res5a_branch2b_n1", 7, 7},
      {"resnet50_res5b_c_branch2b_n64", 7, 7},
      {"deepbench_n4_c1_161x700_k32_5x20_s2", 79, 341},
      {"deepbench_n16_c32_79x341_k32_5x10_s2", 38, 166},
      {"deepbench_n16_c1_161x700_k64_5x5_s2", 80, 349},
      {"deepbench_n8_c512_28x28_k256_1x1_s2", 14, 14},
      {"deepbench_n16_c512_10x42_k512_3x3", 10, 42},
      {"vgg16_conv5_1_n16", 14, 14},
      {"mobilenet_v2_conv1_n1", 112, 112},
      {"mobilenet_v2_block14_depthwise_n16", 7, 7},
      {"mobilenet_v2_conv_last_n1", 7, 7},
  };
  for (const auto& [name, p, q] : expected) {
    EXPECT_EQ(size_of(name).p(), p) << name;
    EXPECT_EQ(size_of(name).q(), q) << name;
  }
  EXPECT_TRUE(size_of("mobilenet_v2_block1_depthwise_n1").depthwise());
  EXPECT_EQ(size_of("mobilenet_v2_block17_project_n1").k, 320);
}

TEST(Conv2dShapes, TwinsDifferInLayoutAloneAndAreNoLayers) {
  int twins = 0;
  for (const Shape& shape : forward_shapes("")) {
    const Conv2d& conv = conv_of(shape);
    const bool nchw = conv.layout == Conv2dLayout::nchw;
    EXPECT_EQ(conv.shape().ends_with("_nchw"), nchw) << conv.shape();
    if (!nchw) continue;
    ++twins;
    EXPECT_EQ(conv.layer().network, "");
    const std::string name = conv.shape().substr(0, conv.shape().size() - 5);
    const Conv2d twin(name, size_of(name), Conv2dOp::forward);
    EXPECT_EQ(conv.dimensions(), twin.dimensions()) << name;
  }
  EXPECT_EQ(twins, 10);
}

std::string with_keys(const std::string& keys) {
  return R"({"operation": "conv2d", "network": "net", "shapes": [{"name": "layer", )" + keys +
         "}]}";
}

constexpr const char* kSize = R"("c": 4, "h": 8, "w": 8, "k": 6, "r": 3, "s": 3)";

std::vector<std::string> forward_names(const std::string& text) {
  std::vector<std::string> names;
  for (const Shape& shape : parse_built_in_shapes(text, "my.json")) {
    if (shape.workload->op() == "conv2d_forward") names.push_back(shape.workload->shape());
  }
  return names;
}

TEST(Conv2dEntries, NamesTellImagesAndLayout) {
  using Names = std::vector<std::string>;
  const std::string size = kSize;
  EXPECT_EQ(forward_names(with_keys(R"("n": 2, )" + size)), Names{"layer"});
  EXPECT_EQ(forward_names(with_keys(R"("n": [1, 16], )" + size)), (Names{"layer_n1", "layer_n16"}));
  EXPECT_EQ(forward_names(with_keys(R"("n": 2, "layout": "nchw", )" + size)), Names{"layer_nchw"});
  EXPECT_EQ(forward_names(with_keys(R"("n": [1, 2], "layout": "nchw", )" + size)),
            (Names{"layer_n1_nchw", "layer_n2_nchw"}));
  const std::string named =
      R"({"operation": "conv2d", "shapes": [{"name": "a_nchw", "n": 1, "layout": "nchw", )" + size +
      "}]}";
  EXPECT_EQ(forward_names(named), Names{"a_nchw"});
}

TEST(Conv2dEntries, EveryKeyArrives) {
  const std::vector<Shape> shapes = parse_built_in_shapes(
      with_keys(R"("n": 2, "c": 4, "h": 20, "w": 30, "k": 6, "r": 3, "s": 5, "pad_h": 1,
                   "pad_w": 2, "stride_h": 3, "stride_w": 4, "dilation_h": 5, "dilation_w": 6,
                   "groups": 2, "layout": "nhwc", "times": 7, "gflop": 0.5, "note": "x")"),
      "my.json");
  ASSERT_EQ(shapes.size(), 4u);
  const auto& conv = dynamic_cast<const Conv2d&>(*shapes[3].workload);
  EXPECT_EQ(conv.direction, Conv2dOp::backward_weights);
  EXPECT_EQ(conv.layer().network, "net");
  EXPECT_EQ(conv.layer().times, 7);
  EXPECT_EQ(shapes[3].gflop, 0.5);
  using Dimension = std::pair<std::string, std::int64_t>;
  EXPECT_EQ(conv.dimensions(), (std::vector<Dimension>{{"n", 2},
                                                       {"c", 4},
                                                       {"h", 20},
                                                       {"w", 30},
                                                       {"k", 6},
                                                       {"r", 3},
                                                       {"s", 5},
                                                       {"pad_h", 1},
                                                       {"pad_w", 2},
                                                       {"stride_h", 3},
                                                       {"stride_w", 4},
                                                       {"dilation_h", 5},
                                                       {"dilation_w", 6},
                                                       {"groups", 2}}));
}

struct Bad {
  std::string text;
  std::string message;  // a part of it
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.text; }

class BadConv2d : public testing::TestWithParam<Bad> {};

TEST_P(BadConv2d, GetsOneClearLine) {
  std::string got = "accepted";
  try {
    parse_shapes(GetParam().text, "my.json");
  } catch (const std::runtime_error& error) {
    got = error.what();
  }
  EXPECT_EQ(got.rfind("my.json: ", 0), 0u) << got;
  EXPECT_NE(got.find(GetParam().message), std::string::npos) << got;
  EXPECT_EQ(got.find('\n'), std::string::npos) << got;
  EXPECT_LT(got.size(), 400u);
}

Bad bad(const std::string& keys, const std::string& message) {
  return {with_keys(keys), "shapes[0] \"layer\": " + message};
}

Bad bad_option(const std::string& key, const std::string& message) {
  return bad(key + R"(, "n": 1, )" + kSize, message);
}

INSTANTIATE_TEST_SUITE_P(
    Entries, BadConv2d,
    testing::Values(
        bad(kSize, "n is missing"), bad(R"("n": 1, "c": 1)", "h is missing"),
        bad(std::string(R"("n": [], )") + kSize, "n must be a whole number or a list"),
        bad(std::string(R"("n": [1, 0], )") + kSize,
            "n must be a whole number from 1 up, but is 0"),
        bad(std::string(R"("n": "16", )") + kSize, "n must be a whole number from 1 up"),
        bad(std::string(R"("n": [[1]], )") + kSize,
            "n must be a whole number from 1 up, but is a list of 1 entries"),
        bad(std::string(R"("n": [2, 2], )") + kSize,
            "its workload's name layer_n2 occurs twice; choose another"),
        bad_option(R"("pad_h": -1)", "pad_h must be a whole number from 0 up, but is -1"),
        bad_option(R"("stride_w": 0)", "stride_w must be a whole number from 1 up, but is 0"),
        bad_option(R"("dilation_h": 1.5)", "dilation_h must be a whole number from 1 up"),
        bad_option(R"("dilation_h": 5000000000)",
                   "dilation_h must be from 1 to 2147483647, but is 5000000000"),
        bad_option(R"("groups": 3)",
                   "groups=3 doesn't divide c=4; both c and k must be multiples of it"),
        bad_option(R"("groups": 4)", "groups=4 doesn't divide k=6"),
        bad_option(R"("layout": "chwn")", R"(layout must be "nhwc" or "nchw", but is "chwn")"),
        bad_option(R"("layout": 3)", "layout must be text, but is 3"),
        Bad{R"({"operation": "conv2d", "shapes": [{"name": "layer_nchw", "n": 1, )" +
                std::string(kSize) + "}]}",
            "its name ends in _nchw, but its layout is nhwc; change one of them"},
        Bad{R"({"operation": "conv2d", "shapes": [{"name": "layer_nhwc", "layout": "nchw", )"
            R"("n": [1, 2], )" +
                std::string(kSize) + "}]}",
            "its name ends in _nhwc, but its layout is nchw; change one of them"},
        bad_option(R"("padding": 3)", "unknown key \"padding\""),
        bad_option(R"("times": 0)", "times must be a whole number from 1 to 1000000, but is 0"),
        bad_option(R"("times": 1000001)",
                   "times must be a whole number from 1 to 1000000, but is 1000001"),
        bad_option(R"("times": 18446744073709551615)", "times must be a whole number from 1 to"),
        bad_option(R"("times": 1e30)",
                   "times must be a whole number from 1 to 1000000, but is 1e+30"),
        bad_option(R"("times": "2")",
                   "times must be a whole number from 1 to 1000000, but is \"2\""),
        bad_option(R"("dilation_h": 4)",
                   "the output has no rows: r=3 with dilation 4 spans 9, but h=8 with padding 0 on "
                   "both sides is 8; make the filter smaller or the padding larger"),
        bad(R"("n": 1, "c": 1, "h": 9, "w": 2, "k": 1, "r": 1, "s": 5, "pad_w": 1)",
            "the output has no columns: s=5"),
        bad(R"("n": 1, "c": 1, "h": 1, "w": 1, "k": 1, "r": 1, "s": 1, "pad_h": 1, "stride_h": 3)",
            "no filter element ever lies inside the image"),
        bad(R"("n": 2000000000, "c": 2000000000, "h": 2000000000, "w": 2000000000, "k": 1, "r": 1, "s": 1)",
            "the input has 1.6e+37 elements, over 2^60; make it smaller"),
        bad(R"("n": 1, "c": 1, "h": 2000000000, "w": 2000000000, "k": 1, "r": 1, "s": 1)",
            "the input has 4e+18 elements, over 2^60"),
        bad(R"("n": 1, "c": 200000, "h": 10000, "w": 10000, "k": 1, "r": 1, "s": 1)",
            "its operands need 80 TB of memory"),
        bad(R"("n": 1, "c": 1, "h": 99999, "w": 1, "k": 1, "r": 70000, "s": 1)",
            "r must be from 1 to 65536, but is 70000"),
        bad(R"("n": 1, "c": 99999999999999999999, "h": 1, "w": 1, "k": 1, "r": 1, "s": 1)",
            "c is 1e+20, too large for any machine"),
        Bad{R"({"operation": "conv2d", "network": "ResNet", "shapes": [{}]})",
            "network \"ResNet\" must be 1 to 64 lower-case letters"},
        Bad{R"({"operation": "conv2d", "network": 5, "shapes": [{}]})", "network 5 must be"},
        Bad{R"({"operation": "conv2d", "shapes": [{"name": ")" + std::string(62, 'a') +
                R"(", "n": [16], )" + kSize + "}]}",
            "_n16 is over 64 characters; shorten it"}));

}  // namespace
}  // namespace breakeven
