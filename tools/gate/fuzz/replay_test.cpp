// Every kept input through its target, and seeded mutations of them. FUZZ_FOLDER holds corpus/ and
// json.dict.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tools/gate/fuzz/fuzz.h"
#include "tools/gate/fuzz/mutation.h"

namespace breakeven::gate::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMutations = 2000;
constexpr std::uint64_t kSeed = 20260401;
constexpr std::size_t kLargestInput = 4096;

struct Target {
  const char* name;
  void (*run)(std::string_view input);
};

constexpr Target kTargets[] = {{"accepted", fuzz_accepted},
                               {"budgets", fuzz_budgets},
                               {"history", fuzz_history},
                               {"journal", fuzz_journal},
                               {"judge", fuzz_judge},
                               {"prices", fuzz_prices},
                               {"program_output", fuzz_program_output},
                               {"results", fuzz_results},
                               {"selftest", fuzz_selftest},
                               {"verdict", fuzz_verdict}};

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> corpus(const std::string& target) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(FUZZ_FOLDER) / "corpus" / target)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// libFuzzer's dictionary, whose lines are JSON strings as long as no byte is written as \xNN.
std::vector<std::string> dictionary() {
  std::ifstream in(fs::path(FUZZ_FOLDER) / "json.dict");
  std::vector<std::string> words;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('"')) words.push_back(nlohmann::json::parse(line).get<std::string>());
  }
  return words;
}

/// What went wrong, or "". An input that is a fault is told as a JSON string.
std::string fault_of(const Target& target, const std::string& input) {
  try {
    target.run(input);
    return "";
  } catch (const std::exception& error) {
    constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
    return std::string(error.what()) + " on " + nlohmann::json(input).dump(-1, ' ', true, kReplace);
  }
}

class FuzzReplay : public testing::TestWithParam<Target> {};

TEST_P(FuzzReplay, KeptInputs) {
  const std::vector<fs::path> files = corpus(GetParam().name);
  EXPECT_GE(files.size(), 5u);
  for (const fs::path& file : files) {
    const std::string input = content(file);
    EXPECT_LE(input.size(), kLargestInput) << file;
    EXPECT_EQ(fault_of(GetParam(), input), "") << file;
  }
}

TEST_P(FuzzReplay, Mutations) {
  std::vector<std::string> texts;
  for (const fs::path& file : corpus(GetParam().name)) texts.push_back(content(file));
  ASSERT_FALSE(texts.empty());
  const std::vector<std::string> words = dictionary();
  ASSERT_GT(words.size(), 20u);
  Random random(kSeed, 0);
  for (std::size_t i = 0; i < kMutations; ++i) {
    const std::string input = mutated(texts, i % texts.size(), words, random);
    ASSERT_EQ(fault_of(GetParam(), input), "") << "mutation " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, FuzzReplay, testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

// Too large to be kept: what copies or writes such JSON would run out of stack.
TEST(DeepNesting, IsRefused) {
  const std::string open(100'000, '['), close(100'000, ']'), deep = open + close;
  const std::string results = R"({"context": {"a": )" + deep + R"(}, "benchmarks": []})";
  EXPECT_EQ(fault_of({"", fuzz_results}, results), "");
  EXPECT_EQ(fault_of({"", fuzz_program_output}, results), "");
  const std::string journal = R"({"journal": 1, "plan": {}})"
                              "\n"
                              R"({"context": {"base": )";
  EXPECT_EQ(fault_of({"", fuzz_journal}, journal + deep +
                                             R"(, "head": {}}})"
                                             "\n"),
            "");
  EXPECT_EQ(fault_of({"", fuzz_history}, R"({"gate_history": )" + deep + "}\n"), "");
}

TEST(Mutation, TokensAddUpToTheirText) {
  const std::string text = R"({"a\"b": [1.5e-3, true, null], "open)";
  const std::vector<std::string_view> tokens = tokens_of(text);
  std::string joined;
  for (const std::string_view token : tokens) joined += token;
  EXPECT_EQ(joined, text);
  for (const char* token : {R"("a\"b")", "1.5e-3", "true", R"("open)"}) {
    EXPECT_THAT(tokens, testing::Contains(token));
  }
}

TEST(Mutation, IsTheSameEveryTimeAndChangesWhatItIsGiven) {
  const std::vector<std::string> texts = {R"({"accepted": []})", ""};
  Random one(1, 0), other(1, 0);
  std::size_t changed = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string text = mutated(texts, i % 2, {"NaN"}, one);
    EXPECT_EQ(text, mutated(texts, i % 2, {"NaN"}, other));
    changed += text == texts[i % 2] ? 0 : 1;
  }
  EXPECT_GT(changed, 150u);
}

TEST(Reads, TakesOneVisibleLineForARefusalAndNothingElse) {
  EXPECT_TRUE(reads([] {}));
  EXPECT_FALSE(reads([] { throw std::runtime_error("a.json: is empty"); }));
  EXPECT_THROW(reads([] { throw std::runtime_error("one\ntwo"); }), Fault);
  EXPECT_THROW(reads([] { throw std::runtime_error("\x1b[2J"); }), Fault);
  EXPECT_THROW(reads([] { throw std::runtime_error(""); }), Fault);
  EXPECT_THROW(reads([] { throw std::system_error(std::error_code()); }), Fault);
  EXPECT_THROW(reads([] { throw std::out_of_range("stoi"); }), std::out_of_range);
  EXPECT_THROW(reads([] { throw Fault("planted"); }), Fault);
}

TEST(Require, SeesLinesThatAreNotVisibleAndTextThatIsNotJson) {
  EXPECT_NO_THROW(require_visible_lines("one\ntwo\n", "text"));
  EXPECT_THROW(require_visible_lines("one\nt\x07wo\n", "text"), Fault);
  EXPECT_THROW(require_visible_lines("\xff", "text"), Fault);
  EXPECT_NO_THROW(require_json("{}", "text"));
  EXPECT_THROW(require_json("{", "text"), Fault);
}

TEST(Halves, SplitAtTheFirstNul) {
  using std::string_view_literals::operator""sv;
  const Halves two = halves("a\0b\0c"sv), one = halves("a"sv);
  EXPECT_EQ(two.base, "a");
  EXPECT_EQ(two.head, "b\0c"sv);
  EXPECT_EQ(one.base, "a");
  EXPECT_EQ(one.head, "");
}

}  // namespace
}  // namespace breakeven::gate::fuzz
