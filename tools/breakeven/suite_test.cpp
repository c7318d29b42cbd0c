#include "tools/breakeven/suite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace breakeven {

/// reference/shapes/resnet50_conv2d.json, embedded by the build.
std::vector<std::pair<std::string_view, std::string_view>> resnet50_layers();

namespace {

std::string message(const std::string& text) {
  try {
    parse_suite("test", text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

std::string suite_text(const std::string& change, const std::string& rows = R"(["."])") {
  return R"({"rounds":6,"max_rounds":6,"repetitions":3,"min_batch_seconds":0.02,"half_width":0.02,)" +
         change + R"("rows":)" + rows + "}";
}

TEST(Suite, BuiltInOnesAreSound) {
  for (const char* name : {"quick", "standard", "full"}) {
    const Suite suite = find_suite(name);
    EXPECT_GE(suite.rounds, 6) << name;  // fewer give no interval of 95 %
    for (const std::string& row : suite.rows) EXPECT_NO_THROW(std::regex{row}) << row;
  }
}

bool chooses(const std::string& suite, const std::string& name) {
  const std::vector<std::string> rows = find_suite(suite).rows;
  return std::any_of(rows.begin(), rows.end(), [&](const std::string& row) {
    return std::regex_search(name, std::regex(row));
  });
}

// A network's sum needs every layer in the same implementations: none may fall through a pattern.
TEST(Suite, StandardHoldsEveryLayerOfResnet50) {
  const auto file = nlohmann::json::parse(resnet50_layers().at(0).second);
  ASSERT_FALSE(file.at("shapes").empty());
  for (const auto& layer : file.at("shapes")) {
    for (const char* op : {"forward", "backward_data", "backward_weights"}) {
      for (const char* who : {"cpu/onednn", "gpu/cudnn", "gpu/handwritten"}) {
        for (const char* precision : {"f32", "bf16"}) {
          const std::string name = std::string("conv2d_") + op + "/" +
                                   layer.at("name").get<std::string>() + "_n16/" + who + "/" +
                                   precision;
          EXPECT_TRUE(chooses("standard", name)) << name;
        }
      }
    }
  }
  EXPECT_TRUE(chooses("quick", "conv2d_forward/resnet50_res4x_branch2c_n16/cpu/onednn/bf16"));
  for (const char* name :
       {"conv2d_forward/resnet50_conv1_n64/cpu/onednn/f32",
        "conv2d_forward/resnet50_conv1_n16/cpu/naive/f32",
        "conv2d_forward/resnet50_conv1_n16/cpu/onednn/f32/threads:1",
        // exists in f32 and tf32 only
        "conv2d_bias_relu/resnet50_res4x_branch2c_n16/gpu/handwritten_unfused/bf16"}) {
    EXPECT_FALSE(chooses("standard", name)) << name;
  }
}

// The CPU's side of a comparison is its strongest: packed weights belong to it.
TEST(Suite, StandardHoldsPackedWeightsWhereverItHoldsPlainOnes) {
  for (const char* precision : {"f32", "bf16", "int8"}) {
    for (const char* shape : {"square_256", "square_4096", "gpt2_mlp_up"}) {
      for (const char* who : {"/cpu/onednn/", "/cpu/onednn_packed/"}) {
        const std::string name = std::string("matmul/") + shape + who + precision;
        EXPECT_TRUE(chooses("standard", name)) << name;
      }
    }
  }
}

TEST(Suite, UnknownNameListsThoseThereAre) {
  try {
    find_suite("fast");
    FAIL() << "found a suite that is not there";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    for (const char* name : {"fast", "quick", "standard", "full"}) {
      EXPECT_NE(text.find(name), std::string::npos) << text;
    }
  }
}

TEST(Suite, MalformedOnesAreNamed) {
  EXPECT_EQ(message(suite_text("")), "");
  EXPECT_NE(message("{").find("suite test:"), std::string::npos);
  EXPECT_NE(message(suite_text(R"("roundz":1,)")).find("roundz"), std::string::npos);
  EXPECT_NE(message(suite_text("", "[]")).find("rows"), std::string::npos);
  EXPECT_NE(message(R"({"rounds":2,"max_rounds":1,"repetitions":3,"min_batch_seconds":0.02,)"
                    R"("half_width":0.02,"rows":["."]})")
                .find("max_rounds"),
            std::string::npos);
}

}  // namespace
}  // namespace breakeven
