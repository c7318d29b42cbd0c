#include "tools/gate/budgets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace breakeven::gate {
namespace {

using ::testing::HasSubstr;

std::string line(const std::string& kernel, const std::string& arch, int registers,
                 const std::string& more = "") {
  return R"({"kernel": ")" + kernel + R"(", "arch": ")" + arch + R"(", "registers": )" +
         std::to_string(registers) + R"(, "shared": 1024)" + more + "}";
}

std::vector<RowJudgement> compare(const std::string& base, const std::string& head) {
  return compare_budget_texts("[" + base + "]", "base.json", "[" + head + "]", "head.json");
}

/// "registers 32>40! …" of the one row that differs; "!" marks what is worse.
std::string differences(const std::string& base_more, const std::string& head_more,
                        int base_registers = 32, int head_registers = 32) {
  const auto rows = compare(line("k", "sm_80", base_registers, base_more),
                            line("k", "sm_80", head_registers, head_more));
  if (rows.empty()) return "";
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].name, "k @ sm_80");
  EXPECT_EQ(rows[0].verdict, Verdict::changed);
  std::string text;
  bool worse = false;
  for (const CounterChange& change : rows[0].changes) {
    text += (text.empty() ? "" : " ") + change.name + " " +
            std::to_string(change.base).substr(0, 4) + ">" +
            std::to_string(change.head).substr(0, 4) + (change.worse ? "!" : "");
    worse = worse || change.worse;
  }
  EXPECT_EQ(rows[0].gates, worse);
  return text;
}

std::string message_of(const std::string& head) {
  try {
    compare_budget_texts("[]", "base.json", head, "head.json");
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

TEST(Budgets, KnowWhichWayIsWorse) {
  EXPECT_EQ(differences("", ""), "");
  EXPECT_EQ(differences("", "", 32, 40), "registers 32.0>40.0!");
  EXPECT_EQ(differences("", "", 40, 32), "registers 40.0>32.0");
  EXPECT_EQ(differences(R"(, "blocks": 8)", R"(, "blocks": 6)"), "blocks 8.00>6.00!");
  EXPECT_EQ(differences(R"(, "blocks": 6)", R"(, "blocks": 8)"), "blocks 6.00>8.00");
  EXPECT_EQ(differences(R"(, "blocks": 6)", ""), "blocks 6.00>0.00!");
  EXPECT_EQ(differences("", R"(, "spills": 2, "local": 8)"), "local 0.00>8.00! spills 0.00>2.00!");
  EXPECT_EQ(differences(R"(, "spills": 2)", ""), "");  // a file that doesn't say
  EXPECT_EQ(differences(R"(, "threads": 128, "instructions": 90)",
                        R"(, "threads": 256, "instructions": 80)"),
            "threads 128.>256. instructions 90.0>80.0");
}

TEST(Budgets, CompareSharesOfTheSameInstruction) {
  const auto share = [](const std::string& math, const std::string& value) {
    return R"(, "math": ")" + math + R"(", "share": )" + value;
  };
  EXPECT_EQ(differences(share("FFMA", "0.87"), share("FFMA", "0.80")), "share of FFMA 0.87>0.80!");
  EXPECT_EQ(differences(share("FFMA", "0.80"), share("FFMA", "0.87")), "share of FFMA 0.80>0.87");
  EXPECT_EQ(differences(share("FFMA", "0.870"), share("FFMA", "0.868")), "");  // rounding
  EXPECT_EQ(differences(share("HMMA", "0.80"), share("FFMA", "0.90")),
            "share of FFMA 0.00>0.90 share of HMMA 0.80>0.00!");
  EXPECT_EQ(differences(share("HMMA", "0.80"), ""), "share of HMMA 0.80>0.00!");
}

TEST(Budgets, TellOfKernelsInOneFileOnly) {
  const auto rows = compare(
      line("gone", "sm_80", 1) + "," + line("same", "sm_80", 1) + "," + line("same", "sm_90a", 1) +
          "," + line("more", "sm_90a", 1),
      line("fresh", "sm_80", 1) + "," + line("same", "sm_80", 1) + "," + line("same", "sm_120", 1));
  ASSERT_EQ(rows.size(), 4u);
  const auto expect = [&](std::size_t i, const char* name, Verdict verdict, const char* reason) {
    EXPECT_EQ(rows[i].name, name);
    EXPECT_EQ(rows[i].verdict, verdict);
    EXPECT_EQ(rows[i].reason, reason);
    EXPECT_EQ(rows[i].gates, verdict == Verdict::missing);
  };
  expect(0, "all kernels @ sm_120", Verdict::added, "base has none of 1 kernels");
  expect(1, "all kernels @ sm_90a", Verdict::missing, "head has none of 2 kernels");
  expect(2, "fresh @ sm_80", Verdict::added, "not in base");
  expect(3, "gone @ sm_80", Verdict::missing, "not in head");
}

TEST(Budgets, NameWhatIsWrong) {
  EXPECT_THAT(message_of("{}"), HasSubstr("head.json: is not a list of kernels, as tools/budget"));
  EXPECT_THAT(message_of("[1]"), HasSubstr("head.json: [0]: is not an object"));
  EXPECT_THAT(message_of("["), HasSubstr("head.json: line 1"));
  EXPECT_THAT(message_of(R"([{"arch": "sm_80", "registers": 1, "shared": 0}])"),
              HasSubstr("head.json: [0]: \"kernel\" is missing"));
  EXPECT_THAT(message_of(R"([{"kernel": "k", "registers": 1, "shared": 0}])"),
              HasSubstr("\"arch\" is missing"));
  EXPECT_THAT(message_of(R"([{"kernel": "k", "arch": "sm_80", "shared": 0}])"),
              HasSubstr("head.json: [0]: \"registers\" is missing"));
  EXPECT_THAT(message_of("[" + line("k", "sm_80", 1, R"(, "blocks": "8")") + "]"),
              HasSubstr("head.json: [0].blocks: is not a number of 0 or more"));
  EXPECT_THAT(message_of("[" + line("k", "sm_80", -1) + "]"), HasSubstr("[0].registers: is not"));
  EXPECT_THAT(message_of("[" + line("k", "sm_80", 1, R"(, "math": "FFMA")") + "]"),
              HasSubstr("\"share\" is missing"));
  EXPECT_THAT(message_of("[" + line("k", "sm_80", 1) + "," + line("k", "sm_80", 1) + "]"),
              HasSubstr("head.json: [1]: k @ sm_80 is there twice"));
  EXPECT_THROW(compare_budgets("no/such.json", "no/such.json"), std::runtime_error);
}

}  // namespace
}  // namespace breakeven::gate
