#include "reference/shapes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "reference/conv2d.h"
#include "reference/matmul.h"
#include "reference/stream.h"
#include "reference/training/training_step.h"

namespace breakeven {
namespace {

const Matmul* find_matmul(const std::vector<Shape>& shapes, const std::string& name) {
  for (const Shape& shape : shapes) {
    if (shape.workload->shape() == name) return dynamic_cast<const Matmul*>(shape.workload.get());
  }
  return nullptr;
}

TEST(BuiltInShapes, FlopsAndSizesOfEveryShape) {
  int with_gflop = 0;
  for (const Shape& shape : built_in_shapes()) {
    const Workload& workload = *shape.workload;
    SCOPED_TRACE(workload.op() + "/" + workload.shape());
    std::map<std::string, std::int64_t> d;
    for (const auto& [name, value] : workload.dimensions()) d[name] = value;
    EXPECT_FALSE(shape.source.empty());
    if (workload.op() == "stream") {
      EXPECT_EQ(workload.output(Precision::f32).bytes(), d["operand_bytes"]);
      continue;
    }
    if (dynamic_cast<const Conv2d*>(&workload) != nullptr) continue;  // conv2d_shapes_test.cpp
    if (dynamic_cast<const TrainingStep*>(&workload) != nullptr) continue;  // training_shapes_test
    ASSERT_EQ(workload.op(), "matmul");
    EXPECT_EQ(workload.inputs(Precision::f32)[0].elements, d["m"] * d["k"]);
    EXPECT_EQ(workload.inputs(Precision::f32)[1].elements, d["k"] * d["n"]);
    EXPECT_EQ(workload.output(Precision::f32).elements, d["m"] * d["n"]);
    const double flops = workload.cost(Precision::f32).flops;
    EXPECT_EQ(flops, static_cast<double>(2 * d["m"] * d["n"] * d["k"]));
    EXPECT_EQ(workload.cost(Precision::f32).bytes,
              static_cast<double>(4 * (d["m"] * d["k"] + d["k"] * d["n"] + d["m"] * d["n"])));
    if (shape.gflop) {  // as published, to three decimals
      ++with_gflop;
      EXPECT_NEAR(flops / 1e9, *shape.gflop, 0.00051);
    }
  }
  EXPECT_EQ(with_gflop, 24);  // all of DeepBench
}

TEST(BuiltInShapes, NamesAreUniqueAndClean) {
  std::set<std::string> names;
  for (const auto& workload : built_in_workloads()) {
    EXPECT_TRUE(names.insert(workload->op() + "/" + workload->shape()).second) << workload->shape();
    EXPECT_EQ(workload->shape().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              std::string::npos);
  }
  EXPECT_TRUE(names.count("peak/fma"));
}

TEST(BuiltInShapes, WhatOthersRelyOnIsThere) {
  const std::vector<Shape> shapes = built_in_shapes();
  for (const int size :
       {64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192}) {
    const Matmul* square = find_matmul(shapes, "square_" + std::to_string(size));
    ASSERT_NE(square, nullptr) << size;
    EXPECT_EQ(std::set({square->m, square->n, square->k}), std::set<std::int64_t>({size}));
  }
  for (int batch = 1; batch <= 4096; batch *= 2) {
    const Matmul* layer = find_matmul(shapes, "batch_sweep_" + std::to_string(batch));
    ASSERT_NE(layer, nullptr) << batch;
    EXPECT_EQ(layer->m, batch);
    EXPECT_EQ(layer->n, 4096);
  }
  const Matmul* up = find_matmul(shapes, "gpt2_mlp_up");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(up->n, 3072);
  EXPECT_TRUE(up->trans_b);
  // DeepBench's 3072 x 7435 x 1024 "NT", column-major.
  const Matmul* converted = find_matmul(shapes, "deepbench_m7435_n3072_k1024_ta");
  ASSERT_NE(converted, nullptr);
  EXPECT_TRUE(converted->trans_a);
  EXPECT_FALSE(converted->trans_b);
}

TEST(BuiltInShapes, MultiplicityIsKept) {
  for (const Shape& shape : built_in_shapes()) {
    if (shape.workload->shape() == "gpt2_qkv") {
      EXPECT_EQ(shape.workload->layer().times, 12);
    }
    if (shape.workload->shape() == "square_64") {
      EXPECT_EQ(shape.workload->layer().times, 1);
      EXPECT_EQ(shape.workload->layer().network, "");
    }
  }
}

std::string with_entry(const std::string& entry) {
  return R"({"operation": "matmul", "shapes": [{"name": "fine", "m": 1, "n": 2, "k": 3}, )" +
         entry + "]}";
}

// Of a file that is thrown out, or of the one entry that is refused beside "fine".
std::string message(const std::string& text) {
  try {
    const ShapeFile file = parse_shapes(text, "my.json");
    EXPECT_EQ(file.shapes.size(), 1u);
    return file.refused.size() == 1 ? file.refused[0] : "accepted";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

struct Bad {
  std::string text;
  std::string message;  // a part of it
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.text; }

class BadShapes : public testing::TestWithParam<Bad> {};

TEST_P(BadShapes, GetOneClearLine) {
  const std::string got = message(GetParam().text);
  EXPECT_EQ(got.rfind("my.json: ", 0), 0u) << got;
  EXPECT_NE(got.find(GetParam().message), std::string::npos) << got;
  EXPECT_EQ(got.find('\n'), std::string::npos) << got;
  EXPECT_LT(got.size(), 400u);
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadShapes,
    testing::Values(
        Bad{"", "is empty"}, Bad{" \n\t ", "is empty"},
        Bad{"{\n  \"operation\": matmul", "is not JSON: line 2, column 16"},
        Bad{"not json", "is not JSON: line 1"}, Bad{"{\"a\": \"\n\"}", "is not JSON: line 2"},
        Bad{"[1]", "must be an object"}, Bad{"{}", "operation is missing"},
        Bad{R"({"operation": "conv9d", "shapes": [{}]})",
            "must be conv2d, matmul, stream or training, but is \"conv9d\""},
        Bad{R"({"operation": ["matmul"], "shapes": [{}]})", "a list of 1 entries"},
        Bad{R"({"operation": "matmul"})", "shapes is missing"},
        Bad{R"({"operation": "matmul", "shapes": []})", "at least one entry"},
        Bad{R"({"operation": "matmul", "shapes": 3})", "at least one entry, but is 3"},
        Bad{R"({"operation": "matmul", "shape": []})", "unknown key \"shape\""},
        Bad{R"({"operation": "matmul", "source": 1, "shapes": [{}]})", "source must be text"},
        Bad{R"({"operation": "matmul", "operation": "stream"})", "\"operation\" occurs twice"},
        Bad{std::string(100000, '['), "is not JSON"},
        Bad{"{\"operation\": " + std::string(100000, '[') + std::string(100000, ']') + "}",
            "a list of 1 entries"}));

INSTANTIATE_TEST_SUITE_P(
    Entries, BadShapes,
    testing::Values(
        Bad{with_entry("7"), "shapes[1]: must be an object"},
        Bad{with_entry("{}"), "shapes[1]: name is missing"},
        Bad{with_entry(R"({"name": "Big", "m": 1, "n": 1, "k": 1})"),
            "shapes[1]: name \"Big\" must be"},
        Bad{with_entry(R"({"name": "a/b", "m": 1, "n": 1, "k": 1})"), "name \"a/b\" must be"},
        Bad{with_entry(R"({"name": "", "m": 1, "n": 1, "k": 1})"), "name \"\" must be"},
        Bad{with_entry(R"({"name": "<script>\n", "m": 1, "n": 1, "k": 1})"), "lower-case letters"},
        Bad{with_entry(R"({"name": 5, "m": 1, "n": 1, "k": 1})"), "name 5 must be"},
        Bad{with_entry(R"({"name": "fine", "m": 1, "n": 1, "k": 1})"),
            "shapes[1] \"fine\": the name occurs twice"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1})"), "shapes[1] \"x\": k is missing"},
        Bad{with_entry(R"({"name": "x", "m": 0, "n": 1, "k": 1})"),
            "shapes[1] \"x\": m must be a whole number from 1 up, but is 0"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": -5, "k": 1})"),
            "n must be a whole number from 1 up, but is -5"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1.5, "k": 1})"), "but is 1.5"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 64.0, "k": 1})"), "but is 64.0"},
        Bad{with_entry(R"({"name": "x", "m": "8", "n": 1, "k": 1})"), "but is \"8\""},
        Bad{with_entry(R"({"name": "x", "m": true, "n": 1, "k": 1})"), "but is true"},
        Bad{with_entry(R"({"name": "x", "m": null, "n": 1, "k": 1})"), "but is null"},
        Bad{with_entry(R"({"name": "x", "m": 18446744073709551615, "n": 1, "k": 1})"),
            "too large for any machine"},
        Bad{with_entry(R"({"name": "x", "m": 99999999999999999999999, "n": 1, "k": 1})"),
            "too large for any machine"},
        Bad{with_entry(
                R"({"name": "x", "m": 9223372036854775807, "n": 9223372036854775807, "k": 9223372036854775807})"),
            "TB of memory"},
        Bad{with_entry(R"({"name": "x", "m": 5000000, "n": 5000000, "k": 1})"),
            "its operands need 100 TB of memory"},
        Bad{with_entry(R"({"name": "x", "m": 2097152, "n": 2097152, "k": 2097152})"),
            "operations, over 2^63"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1, "trans_a": 1})"),
            "trans_a must be true or false, but is 1"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1, "lda": 1})"),
            "shapes[1] \"x\": unknown key \"lda\""},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1, "times": 0})"), "times must be"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1, "gflop": -1})"),
            "gflop must be a number above 0"},
        Bad{with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1, "note": 1})"), "note must be text"},
        Bad{R"({"operation": "stream", "shapes": [{"name": "x", "operand_bytes": 8}]})", "kind"},
        Bad{R"({"operation": "stream", "shapes": [{"name": "x", "kind": "quad", "operand_bytes": 8}]})",
            "kind must be one of"},
        Bad{R"({"operation": "stream", "shapes": [{"name": "x", "kind": "add", "operand_bytes": 9}]})",
            "no multiple of 8"},
        Bad{R"({"operation": "stream", "shapes": [{"name": "x", "kind": "add", "operand_bytes": 80000000000000}]})",
            "TB of memory"}));

TEST(RefusedEntries, LeaveTheOthers) {
  const ShapeFile file = parse_shapes(
      R"({"operation": "conv2d", "source": "mine", "shapes": [
          {"name": "no_output", "n": 1, "c": 4, "h": 4, "w": 8, "k": 4, "r": 5, "s": 3},
          {"name": "good", "n": 1, "c": 4, "h": 8, "w": 8, "k": 4, "r": 3, "s": 3},
          {"name": "no_divisor", "n": 1, "c": 4, "h": 8, "w": 8, "k": 4, "r": 3, "s": 3, "groups": 3},
          {"name": "huge", "n": 9223372036854775807, "c": 4, "h": 8, "w": 8, "k": 4, "r": 3, "s": 3},
          {"name": "last", "n": [1, 2], "c": 4, "h": 8, "w": 8, "k": 4, "r": 3, "s": 3}]})",
      "my.json");
  ASSERT_EQ(file.refused.size(), 3u);
  EXPECT_EQ(file.refused[0].rfind("my.json: shapes[0] \"no_output\": the output has no rows", 0),
            0u)
      << file.refused[0];
  EXPECT_EQ(file.refused[1].rfind("my.json: shapes[2] \"no_divisor\": groups=3 doesn't", 0), 0u)
      << file.refused[1];
  EXPECT_EQ(file.refused[2].rfind("my.json: shapes[3] \"huge\": ", 0), 0u) << file.refused[2];
  ASSERT_EQ(file.shapes.size(), 12u);  // four operations of one and of two numbers of images
  EXPECT_EQ(file.shapes[0].workload->shape(), "good");
  EXPECT_EQ(file.shapes[0].entry, 1u);
  EXPECT_EQ(file.shapes[0].source, "mine");
  EXPECT_EQ(file.shapes[11].workload->shape(), "last_n2");
  EXPECT_EQ(file.shapes[11].entry, 4u);
}

TEST(RefusedEntries, TakeNoName) {
  const std::string size = R"("c": 4, "h": 8, "w": 8, "k": 4, "r": 3, "s": 3)";
  const ShapeFile file =
      parse_shapes(R"({"operation": "conv2d", "shapes": [{"name": "a", "n": [2, 3, 2], )" + size +
                       R"(}, {"name": "a", "n": [2, 3], )" + size + "}]}",
                   "my.json");
  ASSERT_EQ(file.refused.size(), 1u);
  EXPECT_NE(file.refused[0].find("shapes[0] \"a\": its workload's name a_n2 occurs twice"),
            std::string::npos);
  EXPECT_EQ(file.shapes.size(), 8u);
}

// A sum over the layers that are left would pass for the network's.
TEST(RefusedEntries, OfANetworkRefuseTheFile) {
  const std::string entries = R"("shapes": [{"name": "a", "m": 0, "n": 1, "k": 1},
      {"name": "b", "m": 1, "n": 1, "k": 1}, {"name": "c", "m": 1, "n": 1}]})";
  EXPECT_EQ(message(R"({"operation": "matmul", "network": "net", )" + entries),
            "my.json: shapes[0] \"a\": m must be a whole number from 1 up, but is 0\n"
            "my.json: shapes[2] \"c\": k is missing");
  EXPECT_EQ(parse_shapes(R"({"operation": "matmul", )" + entries, "my.json").refused.size(), 2u);
}

TEST(RefusedEntries, AloneRefuseTheFile) {
  EXPECT_EQ(message(R"({"operation": "matmul", "shapes": [{"name": "a"}, 7]})"),
            "my.json: shapes[0] \"a\": m is missing\n"
            "my.json: shapes[1]: must be an object {...}, but is 7");
  std::string many = R"({"operation": "matmul", "shapes": [7)";
  for (int i = 1; i < 1000; ++i) many += ", 7";
  const std::string lines = message(many + "]}");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 50);
  EXPECT_EQ(lines.substr(lines.rfind('\n')), "\nand 950 more entries are wrong");
}

TEST(RefusedEntries, AreABugOfOurOwnFiles) {
  EXPECT_EQ(
      parse_built_in_shapes(with_entry(R"({"name": "x", "m": 1, "n": 1, "k": 1})"), "f").size(),
      2u);
  EXPECT_THROW(parse_built_in_shapes(with_entry("7"), "f"), std::runtime_error);
}

class LoadShapes : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path write(const std::string& text) const {
    std::ofstream(directory_ / "my.json") << text;
    return directory_ / "my.json";
  }
  static std::string message(const std::filesystem::path& path) {
    try {
      load_shapes(path);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }

  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("shapes_test_" + std::to_string(getpid()));
};

TEST_F(LoadShapes, ReadsAUsersFile) {
  const ShapeFile loaded = load_shapes(write(
      R"({"operation": "matmul", "source": "mine", "shapes": [
          {"name": "mine", "m": 2, "n": 3, "k": 4, "trans_b": true, "times": 3, "note": "x"}]})"));
  ASSERT_EQ(loaded.shapes.size(), 1u);
  const auto& matmul = dynamic_cast<const Matmul&>(*loaded.shapes[0].workload);
  EXPECT_EQ(matmul.shape(), "mine");
  EXPECT_EQ(matmul.k, 4);
  EXPECT_FALSE(matmul.trans_a);
  EXPECT_TRUE(matmul.trans_b);
}

TEST_F(LoadShapes, ReadsStreams) {
  const ShapeFile loaded = load_shapes(write(
      R"({"operation": "stream", "shapes": [{"name": "s", "kind": "triad", "operand_bytes": 4096}]})"));
  const auto& stream = dynamic_cast<const Stream&>(*loaded.shapes.at(0).workload);
  EXPECT_EQ(stream.kind, Stream::Kind::triad);
  EXPECT_EQ(stream.operand_bytes, 4096);
}

TEST_F(LoadShapes, NamesTheFileThatItCannotRead) {
  EXPECT_NE(message(directory_ / "none.json").find("none.json: no such file"), std::string::npos);
  EXPECT_NE(message(directory_).find("is a directory"), std::string::npos);
  EXPECT_NE(message(write("")).find("my.json: is empty"), std::string::npos);
  EXPECT_NE(message(write("{]")).find("my.json: is not JSON: line 1, column 2"), std::string::npos);
  EXPECT_NE(message("/dev/zero").find("is over 16 MiB"), std::string::npos);
}

TEST_F(LoadShapes, ABuiltInNameIsTaken) {
  const auto path = write(
      R"({"operation": "matmul", "shapes": [{"name": "square_64", "m": 2, "n": 3, "k": 4}]})");
  EXPECT_NE(message(path).find("shapes[0] \"square_64\": the name is that of a built-in matmul"),
            std::string::npos);
}

TEST_F(LoadShapes, TakenNamesRefuseTheirEntriesOnly) {
  const auto path = write(
      R"({"operation": "matmul", "shapes": [{"name": "square_64", "m": 2, "n": 3, "k": 4},
          {"name": "mine", "m": 2, "n": 3, "k": 4}, {"name": "yours", "m": 2, "n": 3, "k": 4}]})");
  const ShapeFile file = load_shapes(path, {{"matmul/yours", "a matmul shape in other.json"}});
  ASSERT_EQ(file.shapes.size(), 1u);
  EXPECT_EQ(file.shapes[0].workload->shape(), "mine");
  ASSERT_EQ(file.refused.size(), 2u);
  EXPECT_NE(file.refused[1].find("shapes[2] \"yours\": the name is that of a matmul shape in "
                                 "other.json; choose another"),
            std::string::npos)
      << file.refused[1];
}

}  // namespace
}  // namespace breakeven
