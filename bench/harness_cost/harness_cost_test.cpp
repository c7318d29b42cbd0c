// The programs on tiny settings: they pair, they write what they found, they refuse what is none.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cctype>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

struct Finished {
  int exit_status;
  std::string output;  // of both streams
};

Finished run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  Finished result{-1, ""};
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    result.output += static_cast<char>(c);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  return result;
}

// A heading, its columns, and two lines a row, the second in columns.
void expect_table(const std::string& output, const Json& rows) {
  std::vector<std::string> lines;
  std::istringstream text(output);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 2 + 2 * rows.size()) << output;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(lines[2 + 2 * i], rows[i].at("name"));
    if (rows[i].contains("skipped")) continue;
    const std::string& figures = lines[3 + 2 * i];
    EXPECT_LE(figures.size(), 80U);
    for (const char* column : {"bare, same", "bare, plain"}) {
      const std::size_t at = lines[1].find(column);
      ASSERT_NE(at, std::string::npos) << lines[1];
      ASSERT_LT(at + 8, figures.size()) << figures;
      EXPECT_EQ(figures[at - 1], ' ') << figures;
      EXPECT_TRUE(std::isdigit(static_cast<unsigned char>(figures[at]))) << figures;
      EXPECT_EQ(figures.substr(at).find('['), figures.substr(at).find(' ') + 1) << figures;
    }
  }
}

// Loops that went another way than the row would compare two algorithms.
void expect_same_ways(const Json& row) {
  int pairs = 0;
  for (const Json& ways : row.at("ways")) {
    pairs += ways.at("pairs").get<int>();
    EXPECT_NE(ways.at("row").at("reordered"), "") << row.at("name");
    EXPECT_EQ(ways.at("same_memory"), ways.at("row")) << row.at("name");
    EXPECT_EQ(ways.at("plain_memory"), ways.at("row")) << row.at("name");
  }
  EXPECT_EQ(pairs, row.at("pairs")) << row.at("name");
}

// Runs with six pairs of short batches; `names` are the rows' without their precision.
void expect_rows(const std::string& program, const std::string& arguments,
                 const std::set<std::string>& names) {
  const std::filesystem::path out =
      std::filesystem::path(::testing::TempDir()) / "harness_cost.json";
  std::filesystem::remove(out);
  const Finished finished = run(program + " " + arguments +
                                " --threads 1 --pairs 6 --batch-seconds 0.0005"
                                " --out " +
                                out.string());
  // Whether the interval is narrow enough is luck here: 1 is as good as 0.
  ASSERT_TRUE(finished.exit_status == 0 || finished.exit_status == 1) << finished.output;
  std::ifstream file(out);
  const Json written = Json::parse(file);
  std::set<std::string> found;
  bool within = true;
  int measured = 0;
  for (const Json& row : written.at("rows")) {
    const std::string name = row.at("name");
    found.insert(name.substr(0, name.rfind('/')));
    if (row.contains("skipped")) continue;
    ++measured;
    EXPECT_EQ(row.at("pairs"), 6);
    EXPECT_EQ(row.contains("ways"), name.starts_with("conv2d"));
    if (row.contains("ways")) expect_same_ways(row);
    for (const char* key : {"same_memory", "plain_memory"}) {
      const Json& against = row.at(key);
      const double ratio = against.at("ratio");
      EXPECT_GT(ratio, 0.01) << name;
      EXPECT_LT(ratio, 100) << name;
      EXPECT_LE(against.at("low").get<double>(), ratio);
      EXPECT_GE(against.at("high").get<double>(), ratio);
    }
    within = within && row.at("same_memory").at("within").get<bool>();
  }
  expect_table(finished.output, written.at("rows"));
  EXPECT_EQ(found, names);
  EXPECT_GT(measured, 0) << finished.output;
  EXPECT_EQ(finished.exit_status, within ? 0 : 1);
}

TEST(HarnessCost, ComparesProducts) {
  expect_rows(MATMUL_PROGRAM, "--sizes 64",
              {"matmul/square_64/cpu/onednn", "matmul/square_64/cpu/onednn_packed"});
}

TEST(HarnessCost, ComparesConvolutionsInEveryDirection) {
  expect_rows(CONV2D_PROGRAM,
              "--shapes conv2d_forward/resnet50_res2a_branch2a_n1,"
              "conv2d_backward_data/resnet50_res3a_branch2b_n1,"
              "conv2d_backward_weights/resnet50_res2a_branch2a_n1,"
              "conv2d_backward_weights/resnet50_res3a_branch2b_n1",
              {"conv2d_forward/resnet50_res2a_branch2a_n1/cpu/onednn",
               "conv2d_backward_data/resnet50_res3a_branch2b_n1/cpu/onednn",
               "conv2d_backward_weights/resnet50_res2a_branch2a_n1/cpu/onednn",
               // With AVX-512 in f32, faster with images in oneDNN's layouts; the others aren't.
               "conv2d_backward_weights/resnet50_res3a_branch2b_n1/cpu/onednn"});
}

TEST(HarnessCost, RefusesInOneLineWhatIsNoWorkload) {
  const std::string conv = CONV2D_PROGRAM;
  for (const auto& [command, word] :
       {std::pair{std::string(MATMUL_PROGRAM) + " --sizes 0", "--sizes 0"},
        {std::string(MATMUL_PROGRAM) + " --sizes 64x", "--sizes 64x"},
        {conv + " --shapes resnet50_conv1_n16", "--shapes resnet50_conv1_n16"},
        {conv + " --shapes conv2d_bias_relu/resnet50_conv1_n1", "is no built-in"},
        {conv + " --shapes conv2d_forward/ragged_conv_depthwise_5x5", "one group"},
        {conv + " --shapes matmul/square_64", "is no built-in"}}) {
    const Finished finished = run(command);
    EXPECT_EQ(finished.exit_status, 2) << command;
    EXPECT_NE(finished.output.find(word), std::string::npos) << finished.output;
    EXPECT_EQ(finished.output.find('\n'), finished.output.size() - 1) << finished.output;
  }
}

}  // namespace
