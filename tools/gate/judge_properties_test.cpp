// What must hold of every judgement.
#include <gtest/gtest.h>

#include <algorithm>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

/// Forty rows between 20 % faster and 20 % slower, of noises between 0.3 and 6 %.
ArmFiles random_arms(std::uint64_t seed) {
  NoiseSource random(seed);
  std::vector<ArmsRow> rows = many(40, "row");
  for (ArmsRow& row : rows) {
    row.ratio = random.uniform() < 0.3 ? 1 : std::exp(0.4 * random.uniform() - 0.2);
    row.noise = 0.003 + 0.057 * random.uniform();
    row.seconds = std::pow(10, -4 * random.uniform());
  }
  return arms(rows, {.rounds = 16, .seed = seed});
}

Verdict mirrored(Verdict verdict) {
  return verdict == Verdict::regressed  ? Verdict::improved
         : verdict == Verdict::improved ? Verdict::regressed
         : verdict == Verdict::missing  ? Verdict::added
         : verdict == Verdict::added    ? Verdict::missing
                                        : verdict;
}

TEST(JudgeProperties, SwappedArmsMirror) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ArmFiles both = random_arms(seed), swapped;
    erase_rows(both.head, [](const json& row) { return row["name"] == "row7"; });
    swapped.base = both.head;
    swapped.head = both.base;
    const Judgement judgement = judged(both), other = judged(swapped);
    ASSERT_EQ(judgement.rows.size(), other.rows.size());
    for (std::size_t i = 0; i < judgement.rows.size(); ++i) {
      EXPECT_EQ(mirrored(judgement.rows[i].verdict), other.rows[i].verdict) << i;
      EXPECT_EQ(judgement.rows[i].base_seconds, other.rows[i].head_seconds);
      found += judgement.rows[i].verdict == Verdict::regressed ? 1 : 0;
      found += judgement.rows[i].verdict == Verdict::improved ? 1000 : 0;
    }
  }
  EXPECT_GT(found % 1000, 30);  // both were there to be mirrored
  EXPECT_GT(found / 1000, 30);
}

void expect_same(const Judgement& judgement, const Judgement& other, double scale) {
  EXPECT_EQ(judgement.exit_code, other.exit_code);
  EXPECT_EQ(judgement.remarks, other.remarks);
  ASSERT_EQ(judgement.rows.size(), other.rows.size());
  for (std::size_t i = 0; i < judgement.rows.size(); ++i) {
    const RowJudgement &a = judgement.rows[i], &b = other.rows[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.verdict, b.verdict) << a.name;
    EXPECT_EQ(a.gates, b.gates) << a.name;
    EXPECT_EQ(a.reason, b.reason) << a.name;
    EXPECT_EQ(a.changes.size(), b.changes.size()) << a.name;
    EXPECT_NEAR(a.head_seconds * scale / b.head_seconds, 1, 1e-12) << a.name;
    ASSERT_TRUE(a.decision && b.decision);
    EXPECT_NEAR(a.decision->ratio.value, b.decision->ratio.value, 1e-12) << a.name;
    EXPECT_NEAR(a.decision->q_regressed, b.decision->q_regressed, 1e-12) << a.name;
  }
}

TEST(JudgeProperties, UnitsMakeNoDifference) {
  for (std::uint64_t seed = 21; seed <= 26; ++seed) {
    const ArmFiles both = random_arms(seed);
    ArmFiles scaled = both;
    for (json* document : {&scaled.base, &scaled.head}) {
      for (json& row : (*document)["benchmarks"]) {
        row["real_time"] = 1000 * row["real_time"].get<double>();
      }
    }
    expect_same(judged(both), judged(scaled), 1000);
  }
}

TEST(JudgeProperties, TheOrderOfRowsMakesNoDifference) {
  NoiseSource random(31);
  for (std::uint64_t seed = 31; seed <= 36; ++seed) {
    ArmFiles both = random_arms(seed);
    int n = 0;  // counters that waver, in base, in head and within a tolerance
    for (json* document : {&both.base, &both.head}) {
      for (json& row : (*document)["benchmarks"]) {
        row["allocations"] = row["name"] < "row2" ? 3 : 1 + ++n % 3;
        row["instructions"] = 1000 + 300 * (n++ % 5);
      }
    }
    ArmFiles shuffled = both;
    for (json* document : {&shuffled.base, &shuffled.head}) {
      auto& rows = (*document)["benchmarks"].get_ref<json::array_t&>();
      for (std::size_t i = 1; i < rows.size(); ++i) {
        std::swap(rows[i], rows[random.below(i + 1)]);
      }
    }
    JudgeOptions options;
    options.exact.push_back({"instructions", 0.1});
    Judgement judgement = judged(both, options), other = judged(shuffled, options);
    judgement.remarks.clear();  // they name the first of the rows' names, not of the file's
    other.remarks.clear();
    expect_same(judgement, other, 1);
  }
}

}  // namespace
}  // namespace breakeven::gate
