#include "tools/gate/selftest_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/gate/testing/arms.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Selftest example() {
  Selftest selftest;
  selftest.machine = {{"cpu.model", "Model 1"}, {"num_cpus", "2"}};
  selftest.program = "build/bench";
  selftest.rounds = 20;
  selftest.false_positive_rate = 0.001;
  selftest.rows = {{"a/\"b\"", 0.0123456789012345, 0.044, true, Verdict::equivalent},
                   {"noisy\u202E", 0.31, std::nullopt, false, Verdict::inconclusive},
                   {"fluke", 0.01, 0.03, true, Verdict::regressed}};
  selftest.not_gateable = {"noisy\u202E"};
  return selftest;
}

TEST(SelftestFile, WhatIsWrittenIsReadAgain) {
  const Selftest before = example(), after = parse_selftest(to_json(before), "f.json");
  EXPECT_EQ(after.machine, before.machine);
  EXPECT_EQ(after.program, before.program);
  EXPECT_EQ(after.rounds, before.rounds);
  EXPECT_EQ(after.false_positive_rate, before.false_positive_rate);
  EXPECT_EQ(after.not_gateable, before.not_gateable);
  ASSERT_EQ(after.rows.size(), before.rows.size());
  for (std::size_t i = 0; i < before.rows.size(); ++i) {
    EXPECT_EQ(after.rows[i].name, before.rows[i].name);
    EXPECT_EQ(after.rows[i].noise, before.rows[i].noise);
    EXPECT_EQ(after.rows[i].detectable, before.rows[i].detectable);
    EXPECT_EQ(after.rows[i].gateable, before.rows[i].gateable);
    EXPECT_EQ(after.rows[i].verdict, before.rows[i].verdict);
  }
  EXPECT_EQ(json::parse(to_json(before))["fingerprint"], fingerprint(before.machine));
}

/// What is said of the example after `change`.
template <class Change>
std::string refused(Change change) {
  json document = json::parse(to_json(example()));
  change(document);
  return refusal([&] { parse_selftest(document.dump(), "f.json"); });
}

TEST(SelftestFile, BadInputIsOneLineThatNamesThePlace) {
  EXPECT_EQ(refused([](json&) {}), "");
  const char* const none = "f.json: is no selftest of `breakeven gate selftest`, version 1";
  EXPECT_EQ(refused([](json& d) { d["gate_selftest"] = 2; }), none);
  EXPECT_EQ(refused([](json& d) { d.erase("gate_selftest"); }), none);
  EXPECT_EQ(refused([](json& d) { d = json::array(); }), none);
  EXPECT_EQ(refused([](json& d) { d["rows"] = 3; }), "f.json: rows: is not an array");
  EXPECT_EQ(refused([](json& d) { d["rows"][1] = 3; }), "f.json: rows[1]: is not an object");
  EXPECT_THAT(refused([](json& d) { d["rows"][1].erase("name"); }), HasSubstr("f.json: rows[1]: "));
  EXPECT_EQ(refused([](json& d) { d["rows"][1]["noise"] = -1; }),
            "f.json: rows[1].noise: is not a share, 0 or more");
  EXPECT_THAT(refused([](json& d) { d["rows"][0]["detectable"] = "much"; }),
              HasSubstr("rows[0].detectable"));
  EXPECT_THAT(refused([](json& d) { d["rows"][0]["gateable"] = 1; }),
              HasSubstr("rows[0].gateable: is neither true nor false"));
  EXPECT_THAT(refused([](json& d) { d["rows"][0]["verdict"] = "MISSING"; }),
              HasSubstr("rows[0].verdict: is \"MISSING\""));
  EXPECT_THAT(refused([](json& d) { d["rounds"] = -1; }), HasSubstr("f.json: rounds"));
  EXPECT_THAT(refused([](json& d) { d["rounds"] = 1e12; }), HasSubstr("f.json: rounds"));
  EXPECT_THAT(refused([](json& d) { d.erase("false_positive_rate"); }),
              HasSubstr("false_positive_rate"));
  EXPECT_THAT(refused([](json& d) { d.erase("program"); }), HasSubstr("\"program\" is missing"));
  EXPECT_THAT(refusal([] { parse_selftest("", "f.json"); }), HasSubstr("f.json: is empty"));
  EXPECT_THAT(refusal([] { read_selftest("nowhere.json"); }), HasSubstr("no such file"));
}

}  // namespace
}  // namespace breakeven::gate
