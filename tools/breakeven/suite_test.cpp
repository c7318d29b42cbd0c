#include "tools/breakeven/suite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/breakeven/commands.h"

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

TEST(Suite, TimeOutIsTheSuitesOrTheDefault) {
  EXPECT_EQ(parse_suite("test", suite_text("")).case_timeout, kCaseTimeoutSeconds);
  EXPECT_EQ(parse_suite("test", suite_text(R"("case_timeout":1800,)")).case_timeout, 1800);
  EXPECT_NE(message(suite_text(R"("case_timeout":0,)")).find("case_timeout"), std::string::npos);
}

bool chooses(const std::string& suite, const std::string& name) {
  const std::vector<std::string> rows = find_suite(suite).rows;
  return std::any_of(rows.begin(), rows.end(), [&](const std::string& row) {
    return std::regex_search(name, std::regex(row));
  });
}

// One run to the target is a row's time; slow implementations only show their first steps.
TEST(Suite, ConvergenceTrainsEveryModelToItsTarget) {
  EXPECT_EQ(find_suite("convergence").max_rounds, 1);
  for (const char* name :
       {"convergence_mlp/digits/cpu/reference/f64", "convergence_lenet/digits/cpu/openblas/f32",
        "convergence_mlp/digits/cpu/onednn/bf16", "convergence_gpt/text/cpu/onednn/bf16",
        "convergence_gpt/text/gpu/handwritten/bf16",
        "convergence_gpt/text_first_steps/cpu/reference/f64"}) {
    EXPECT_TRUE(chooses("convergence", name)) << name;
  }
  for (const char* name :
       {"convergence_gpt/text/cpu/reference/f64", "convergence_mlp/digits/cpu/naive/f32",
        "convergence_mlp/digits/cpu/openblas/f32/threads:1", "matmul/square_64/cpu/openblas/f32"}) {
    EXPECT_FALSE(chooses("convergence", name)) << name;
  }
  for (const char* suite : {"quick", "standard", "full"}) {
    EXPECT_FALSE(chooses(suite, "convergence_mlp/digits/cpu/openblas/f32")) << suite;
  }
}

// Quick shows steps, phases and inference; what fp64 checks for hours is in no suite.
TEST(Suite, TrainingIsInEachTier) {
  for (const char* name :
       {"training_step_mlp/b128/cpu/onednn/bf16", "training_backward_mlp/b128/cpu/onednn/f32",
        "inference_lenet/b64/cpu/openblas/f32",
        "training_step_lenet/b64/gpu/handwritten/bf16/launch:graph"}) {
    for (const char* suite : {"quick", "standard", "full"}) {
      EXPECT_TRUE(chooses(suite, name)) << suite << " " << name;
    }
  }
  // An ablation: unfused, fused, bf16, graph.
  for (const char* rest :
       {"cpu/openblas_unfused/f32", "cpu/openblas/f32", "cpu/onednn_unfused/f32", "cpu/onednn/f32",
        "cpu/onednn/bf16", "gpu/cublas_cudnn_unfused/f32", "gpu/handwritten_unfused/f32",
        "gpu/handwritten/f32", "gpu/handwritten/bf16", "gpu/handwritten/bf16/launch:graph"}) {
    EXPECT_TRUE(chooses("standard", std::string("training_step_gpt/tiny_b8/") + rest)) << rest;
  }
  for (const int batch : {1, 16, 128, 256, 1024}) {
    EXPECT_TRUE(
        chooses("standard", "training_step_mlp/b" + std::to_string(batch) + "/cpu/onednn/f32"));
  }
  EXPECT_TRUE(chooses("full", "training_step_gpt/gpt2_124m_b1_t256/cpu/onednn/f32"));
  for (const char* suite : {"quick", "standard", "full"}) {
    for (const char* shape : {"resnet50/imagenet_b64", "gpt/gpt2_124m_b4_t1024"}) {
      EXPECT_FALSE(chooses(suite, std::string("training_step_") + shape + "/cpu/onednn/f32"));
    }
  }
  EXPECT_TRUE(chooses("full", "matmul/square_64/cpu/openblas/f32"));
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
