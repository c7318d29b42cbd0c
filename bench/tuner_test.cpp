// The tuner's choices, on a device whose clock the test sets for each way.
#include "bench/tuner.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::FakeDevice;
using testing::FakeKernel;
using testing::FakeWorkload;

class WayKernel : public FakeKernel {
 public:
  WayKernel(std::string way_name, testing::Behaviour behaviour)
      : FakeKernel(std::move(behaviour)), way(std::move(way_name)) {}
  std::string way;
};

/// Takes the seconds of the kernel's way; a way that is measured again may take others.
class PacedDevice : public FakeDevice {
 public:
  std::map<std::string, std::vector<double>> seconds;  ///< of the n-th loading of a way
  std::map<std::string, int> loads;

  Batch time(Kernel& kernel, std::int64_t calls) override {
    const std::string& way = static_cast<WayKernel&>(kernel).way;
    const std::vector<double>& paces = seconds.at(way);
    const auto load = static_cast<std::size_t>(loads.at(way) - 1);
    seconds_per_call = paces[std::min(load, paces.size() - 1)];
    return FakeDevice::time(kernel, calls);
  }
};

class TunerTest : public ::testing::Test {
 protected:
  void add(const std::string& name, std::vector<std::string> ways,
           testing::Behaviour behaviour = testing::right()) {
    Implementation implementation = testing::fake_implementation(name, behaviour);
    implementation.ways = [ways](const Workload&, Precision) { return ways; };
    implementation.load = [this, behaviour](const Workload&, Precision, const Options& options) {
      ++device.loads[options.way];
      return std::make_unique<WayKernel>(options.way, behaviour);
    };
    implementation.unsupported = [](const Workload&, Precision, const Options& options) {
      return std::string(options.way == "unfit" ? "not for this shape" : "");
    };
    registry.add(std::move(implementation));
  }

  std::vector<Tuned> tune(int measurements = 1000) {
    workloads.push_back(std::make_unique<FakeWorkload>());
    TuningTable table;
    table.op = "fake";
    table.shapes = {"four"};
    table.precisions = {Precision::f64};
    Tuner tuner(device, registry, {}, log, [=]() mutable { return measurements-- <= 0; });
    std::vector<Tuned> found = tuner.tune(table, workloads);
    errors = tuner.errors();
    ended = tuner.ended_early();
    return found;
  }

  PacedDevice device;
  Registry registry;
  Workloads workloads;
  std::ostringstream log;
  int errors = 0;
  bool ended = false;
};

TEST_F(TunerTest, TakesTheFastestWayOfAnyImplementation) {
  device.seconds = {{"a", {3e-3}}, {"b", {1e-3}}, {"c", {2e-3}}};
  add("first", {"a", "c"});
  add("second", {"b"});
  const std::vector<Tuned> found = tune();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].implementation, "second");
  EXPECT_EQ(found[0].way, "b");
  EXPECT_EQ(found[0].workload->shape(), "four");
  EXPECT_NE(log.str().find("of 3 ways"), std::string::npos) << log.str();
}

TEST_F(TunerTest, AWrongWayNeverWinsAndIsAnError) {
  device.seconds = {{"right", {2e-3}}, {"wrong", {1e-3}}, {"broken", {1e-3}}};
  add("honest", {"right"});
  add("liar", {"wrong"}, testing::wrong());
  add("breaks", {"broken"}, testing::throwing());
  const std::vector<Tuned> found = tune();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].way, "right");
  EXPECT_EQ(errors, 2);
  EXPECT_NE(log.str().find("exceeds limit"), std::string::npos) << log.str();
}

TEST_F(TunerTest, WhatIsUnsupportedIsPassedOverInSilence) {
  device.seconds = {{"fit", {2e-3}}};
  add("choosy", {"unfit", "fit"});
  add("refuses", {"fit"}, testing::unsupporting());
  EXPECT_EQ(tune().at(0).implementation, "choosy");
  EXPECT_EQ(errors, 0);
}

TEST_F(TunerTest, ALuckyFirstMeasurementDoesNotDecide) {
  device.seconds = {{"lucky", {0.99e-3, 1.2e-3, 1.2e-3, 1.2e-3}}, {"steady", {1e-3}}};
  add("both", {"lucky", "steady"});
  EXPECT_EQ(tune().at(0).way, "steady");
}

TEST_F(TunerTest, TheMedianOfFourIsBetweenTheMiddleTwo) {
  device.seconds = {{"jumpy", {1e-3, 1e-3, 1.03e-3, 1.03e-3}}, {"steady", {1.02e-3}}};
  add("both", {"jumpy", "steady"});
  EXPECT_EQ(tune().at(0).way, "jumpy");
}

TEST_F(TunerTest, ATieGoesToTheEarlierWay) {
  device.seconds = {{"early", {1.002e-3}}, {"late", {1e-3}}};
  add("both", {"early", "late"});
  EXPECT_EQ(tune().at(0).way, "early");
}

TEST_F(TunerTest, FarFromTheFastestIsMeasuredOnce) {
  device.seconds = {{"slow", {2e-3}}, {"fast", {1e-3}}, {"near", {1.01e-3}}};
  add("all", {"slow", "fast", "near"});
  tune();
  EXPECT_EQ(device.loads["slow"], 1);
  EXPECT_EQ(device.loads["fast"], 4);
  EXPECT_EQ(device.loads["near"], 4);
}

TEST_F(TunerTest, ACaseThatTimeDoesNotSufficeForIsLeftOut) {
  device.seconds = {{"a", {1e-3}}, {"b", {2e-3}}};
  add("both", {"a", "b"});
  EXPECT_TRUE(tune(1).empty());
  EXPECT_TRUE(ended);
}

TEST_F(TunerTest, AnUnknownShapeIsAnError) {
  TuningTable table;
  table.op = "fake";
  table.shapes = {"five"};
  Tuner tuner(device, registry, {}, log, [] { return false; });
  EXPECT_THROW(tuner.tune(table, workloads), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven
