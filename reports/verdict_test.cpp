#include "reports/verdict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/testing/verdicts.h"

namespace breakeven {
namespace {

using nlohmann::json;

std::string refusal(const std::string& text) {
  try {
    parse_verdict(text, "verdict.json");
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Verdict, IsReadWhole) {
  const GateVerdict verdict = parse_verdict(synthetic_verdict().dump(), "verdict.json");
  EXPECT_EQ(verdict.exit_code, 1);
  EXPECT_EQ(verdict.headline, "2 of 5 rows are slower");
  EXPECT_DOUBLE_EQ(verdict.margin, 0.02);
  EXPECT_EQ(verdict.head.machine, "0123456789abcdef");
  ASSERT_EQ(verdict.rows.size(), 6u);
  const VerdictRow& slower = verdict.rows[1];
  EXPECT_EQ(slower.verdict, "REGRESSED");
  EXPECT_TRUE(slower.gates);
  ASSERT_TRUE(slower.decision);
  EXPECT_DOUBLE_EQ(slower.decision->ratio.value, 1.104);
  EXPECT_DOUBLE_EQ(*slower.decision->q_regressed, 0.0003);
  EXPECT_DOUBLE_EQ(*slower.decision->detectable, 0.031);
  EXPECT_EQ(verdict.rows[2].accepted_until, "2027-01-31");
  ASSERT_EQ(verdict.rows[3].counters.size(), 1u);
  EXPECT_EQ(counter_text(verdict.rows[3].counters[0]), "3 → 5");
  EXPECT_FALSE(verdict.rows[4].decision);
  ASSERT_TRUE(verdict.conditions);
  EXPECT_EQ(verdict.conditions->processes, 48u);
}

TEST(Verdict, WithoutWhatIsOptionalIsReadToo) {
  json document = synthetic_verdict();
  document.erase("conditions");
  document.erase("remarks");
  document.erase("budgets");
  document["rows"] = json::array();
  const GateVerdict verdict = parse_verdict(document.dump(), "verdict.json");
  EXPECT_FALSE(verdict.conditions);
  EXPECT_TRUE(verdict.rows.empty());
}

TEST(Verdict, SaysWhatIsWrongWhere) {
  const auto spoilt = [](const char* pointer, const json& value) {
    json document = synthetic_verdict();
    document[json::json_pointer(pointer)] = value;
    return refusal(document.dump());
  };
  EXPECT_EQ(spoilt("/gate_verdict", 2),
            "verdict.json: is a verdict of version 2, newer than this program's 1: use a newer "
            "breakeven");
  EXPECT_EQ(spoilt("/gate_verdict", "1"), "verdict.json: gate_verdict: is \"1\", not a version");
  EXPECT_EQ(refusal("{\"benchmarks\":[]}"),
            "verdict.json: is no verdict: give the verdict.json that `breakeven gate` wrote");
  EXPECT_EQ(refusal("[1]"),
            "verdict.json: is no verdict: give the verdict.json that `breakeven gate` wrote");
  EXPECT_EQ(spoilt("/rows/1/verdict", "SLOW"),
            "verdict.json: rows[1].verdict: \"SLOW\" is no verdict");
  EXPECT_EQ(spoilt("/rows/1/name", 7), "verdict.json: rows[1].name: is not a string");
  EXPECT_EQ(spoilt("/rows/1/decision/ratio/low", 9),
            "verdict.json: rows[1].decision.ratio.low: is above \"high\"");
  EXPECT_EQ(spoilt("/rows/1/decision/ratio/value", -1),
            "verdict.json: rows[1].decision.ratio.value: is -1: it can't be");
  EXPECT_EQ(spoilt("/rows/1/decision/p_regressed", 1.5),
            "verdict.json: rows[1].decision.p_regressed: is 1.5: it can't be");
  EXPECT_EQ(spoilt("/rows/1/decision/rounds", 1e300),
            "verdict.json: rows[1].decision.rounds: is 1e+300: it can't be");
  EXPECT_EQ(spoilt("/rows/1/gates", "yes"),
            "verdict.json: rows[1].gates: is neither true nor false");
  EXPECT_EQ(spoilt("/rows", 3), "verdict.json: rows: is not an array");
  EXPECT_EQ(spoilt("/margins", 3), "verdict.json: margins: is not an object");
  EXPECT_EQ(spoilt("/exit_code", -1), "verdict.json: exit_code: is -1: it can't be");
  EXPECT_EQ(spoilt("/exit_code", 0.5), "verdict.json: exit_code: is 0.5, not a count");
  EXPECT_EQ(spoilt("/rows/1/base_seconds", -1),
            "verdict.json: rows[1].base_seconds: is -1: it can't be");
  EXPECT_NE(refusal("{\"gate_verdict\": 1, ").find("truncated"), std::string::npos);
  EXPECT_NE(refusal("").find("is empty"), std::string::npos);
}

TEST(Verdict, RowsThatTellMostComeFirst) {
  const GateVerdict verdict = parse_verdict(synthetic_verdict().dump(), "verdict.json");
  std::string order;
  for (const VerdictRow* row : in_telling_order(verdict.rows)) order += row->verdict + " ";
  EXPECT_EQ(order, "MISSING REGRESSED CHANGED REGRESSED INCONCLUSIVE EQUIVALENT ");
}

TEST(Verdict, OfTwoRegressionsTheLargerComesFirst) {
  std::vector<VerdictRow> rows(2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].verdict = "REGRESSED";
    rows[i].decision.emplace().ratio.value = i == 0 ? 1.1 : 1.3;
  }
  EXPECT_EQ(in_telling_order(rows).front(), &rows[1]);
}

}  // namespace
}  // namespace breakeven
