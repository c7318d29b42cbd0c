#include "bench/rows.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

Sample sample() {
  Sample sample;
  sample.batch.seconds = 0.02;
  sample.batch.host_seconds = 0.03;
  sample.calls = 10;
  sample.cpu_seconds = 0.04;
  return sample;
}

CaseFacts facts() {
  CaseFacts facts;
  facts.check = {1e-12, 1e-9, "full fp64"};
  facts.prepare_seconds = 0.5;
  facts.kernel = {{"isa", "amx"}, {"tile", "16"}};
  return facts;
}

TEST(Rows, TimesArePerCall) {
  const testing::FakeCase c(testing::right());
  const Json row = measured_row(c.what, false, facts(), sample(), 1, 3);
  EXPECT_DOUBLE_EQ(row["real_time"], 2e6);
  EXPECT_DOUBLE_EQ(row["cpu_time"], 4e6);
  EXPECT_EQ(row["time_unit"], "ns");
  EXPECT_EQ(row["iterations"], 10);
  EXPECT_EQ(row["label"], "isa=amx; tile=16");
  EXPECT_EQ(row["elements"], 4);  // the workload's dimension
}

/// The schema: what a row may hold, and of which type.
TEST(Rows, HoldNothingButTheSchema) {
  const std::set<std::string> strings = {"name",          "run_name", "run_type", "time_unit",
                                         "verify_method", "label",    "network",  "layer"};
  const std::set<std::string> numbers = {"repetitions",
                                         "repetition_index",
                                         "threads",
                                         "iterations",
                                         "real_time",
                                         "cpu_time",
                                         "elements",
                                         "times",
                                         "flops",
                                         "bytes",
                                         "error",
                                         "tolerance",
                                         "prepare_seconds",
                                         "upload_seconds",
                                         "download_seconds",
                                         "upload_pageable_seconds",
                                         "download_pageable_seconds",
                                         "host_seconds",
                                         "clock_mhz",
                                         "throttled",
                                         "peak_bytes",
                                         "energy_joules"};
  Sample full = sample();
  full.batch.clock_mhz = 1980;
  full.batch.throttled = false;
  full.peak_bytes = 4096;
  CaseFacts all = facts();
  all.transfers = {1e-3, 2e-3, 3e-3, 4e-3};
  all.energy_joules = 0.5;
  testing::FakeCase c(testing::right());
  c.workload.set_layer({"resnet50", 3, "resnet50_conv1"});
  const Json row = measured_row(c.what, true, all, full, 0, 1);
  EXPECT_EQ(row["network"], "resnet50");
  EXPECT_EQ(row["layer"], "resnet50_conv1");
  EXPECT_EQ(row["times"], 3);
  EXPECT_EQ(row.size(), strings.size() + numbers.size());
  for (const auto& [key, value] : row.items()) {
    if (strings.contains(key)) {
      EXPECT_TRUE(value.is_string()) << key;
    } else {
      EXPECT_TRUE(numbers.contains(key) && value.is_number()) << key;
    }
  }
}

TEST(Rows, WhatWasNotMeasuredIsAbsent) {
  const testing::FakeCase c(testing::right());
  const Json row = measured_row(c.what, false, facts(), sample(), 0, 1);
  for (const char* key :
       {"upload_seconds", "download_seconds", "host_seconds", "clock_mhz", "throttled",
        "peak_bytes", "energy_joules", "network", "layer", "times"}) {
    EXPECT_FALSE(row.contains(key)) << key;
  }
}

/// A workload that works through 32 tokens a call.
class Tokens : public testing::FakeWorkload {
 public:
  Items items() const override { return {32, "tokens"}; }
};

TEST(Rows, TellHowManyItemsASecond) {
  testing::FakeCase c(testing::right());
  EXPECT_FALSE(measured_row(c.what, false, facts(), sample(), 0, 1).contains("items"));
  const Tokens tokens;
  c.what.workload = &tokens;
  const Json row = measured_row(c.what, false, facts(), sample(), 0, 1);
  EXPECT_EQ(row["items"], 32);
  EXPECT_EQ(row["items_name"], "tokens");
  EXPECT_DOUBLE_EQ(row["items_per_second"], 32 * 10 / 0.02);
}

TEST(Rows, AThrottledSampleIsFlagged) {
  const testing::FakeCase c(testing::right());
  Sample throttled = sample();
  throttled.batch.throttled = true;
  EXPECT_EQ(measured_row(c.what, true, facts(), throttled, 0, 1)["throttled"], 1);
}

TEST(Rows, NumbersThatAreNotFiniteAreLeftOut) {
  const testing::FakeCase c(testing::right());
  Sample odd = sample();
  odd.batch.clock_mhz = std::numeric_limits<double>::quiet_NaN();
  const Json row = measured_row(c.what, true, facts(), odd, 0, 1);
  EXPECT_FALSE(row.contains("clock_mhz"));
  EXPECT_TRUE(Json::accept(row.dump()));
}

TEST(Rows, AnErrorRowHasNoTimeOfAnyKind) {
  const Json row = error_row("a/b/cpu/c/f32", {"too far off", Check{0.5, 1e-9, "full fp64"}});
  EXPECT_EQ(row["error_occurred"], true);
  EXPECT_EQ(row["error_message"], "too far off");
  EXPECT_EQ(row["error"], 0.5);
  for (const auto& [key, value] : row.items()) {
    EXPECT_EQ(key.find("time"), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace breakeven
