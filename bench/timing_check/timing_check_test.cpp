// The comparison with a profiler, on a device whose clock is false and a tracer that saw what a
// test says.
#include "bench/timing_check/timing_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::FakeCase;
using testing::FakeDevice;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kHold = "_ZN9breakeven12_GLOBAL__N_14holdEPVKjPVjjm";
constexpr const char* kProbe = "_ZN9breakeven12_GLOBAL__N_111clock_probeEPNS_11ClockSampleE";
constexpr const char* kWork = "_ZN9breakeven9thresholdEPf";  // a name that ends like a blocker's

TEST(HeldCalls, CountsWhatLiesBetweenABlockerAndItsProbe) {
  const HeldCalls held = held_calls({{kWork, 0, 50},
                                     {kHold, 100, 1000},
                                     {kWork, 1010, 1110},
                                     {kWork, 1120, 1220},
                                     {kProbe, 1230, 9000},
                                     {kHold, 10000, 11000},
                                     {kWork, 11500, 11600},
                                     {kProbe, 11700, 12000},
                                     {kWork, 20000, 30000}});
  EXPECT_DOUBLE_EQ(held.seconds, 1e-9 * (210 + 100));
  EXPECT_EQ(held.kernels, 3);
}

TEST(HeldCalls, ReachesToTheLastEndOfKernelsSideBySide) {
  const HeldCalls held =
      held_calls({{kHold, 0, 10}, {kWork, 10, 500}, {kWork, 20, 100}, {kProbe, 510, 600}});
  EXPECT_DOUBLE_EQ(held.seconds, 490e-9);
}

TEST(HeldCalls, RefusesATraceThatIsNoBatch) {
  const auto fails = [](const char* why) {
    return ThrowsMessage<std::runtime_error>(HasSubstr(why));
  };
  EXPECT_THAT([] { held_calls({}); }, fails("no blocking kernel"));
  EXPECT_THAT([] { held_calls({{kWork, 0, 1}, {kProbe, 2, 3}}); }, fails("no blocking kernel"));
  EXPECT_THAT([] { held_calls({{kHold, 0, 1}, {kWork, 2, 3}}); }, fails("no clock probe"));
  EXPECT_THAT(
      [] {
        held_calls({{kHold, 0, 1}, {kWork, 2, 3}, {kHold, 4, 5}, {kWork, 6, 7}, {kProbe, 8, 9}});
      },
      fails("no clock probe"));
  EXPECT_THAT([] { held_calls({{kHold, 0, 1}, {kProbe, 2, 3}}); }, fails("without a kernel"));
}

/// Sees two kernels in every call, which take `share` of what the device says.
class FakeTracer : public Tracer {
 public:
  explicit FakeTracer(const FakeDevice& device) : device_(device) {}

  double share = 1;
  int lost = 0;  ///< kernels of every batch
  int starts = 0, stops = 0;
  bool on() const { return starts > stops; }

  void start() override {
    ++starts;
    seen_ = device_.batches.size();
  }
  void stop() noexcept override { ++stops; }

  std::vector<TracedKernel> take() override {
    std::vector<TracedKernel> kernels;
    std::uint64_t now = 0;
    for (; seen_ < device_.batches.size(); ++seen_) {
      const auto half = static_cast<std::uint64_t>(share * 1e9 * device_.seconds_per_call / 2);
      kernels.push_back({kHold, now, now + 10});
      now += 10;
      for (std::int64_t kernel = 0; kernel < 2 * device_.batches[seen_] - lost; ++kernel) {
        kernels.push_back({kWork, now, now + half});
        now += half;
      }
      kernels.push_back({kProbe, now, now + 10});
      now += 10;
    }
    return kernels;
  }

 private:
  const FakeDevice& device_;
  std::size_t seen_ = 0;
};

class CheckTiming : public ::testing::Test {
 protected:
  CheckTiming() {
    device.kind_name = "gpu";
    device.passes = 2;  // by events, and by the host's clock
    what.what.name = "fake/four/gpu/fake_kernel/f64";
  }
  TimingCheck check() {
    Session session(what.what, device, policy);
    return check_timing(session, tracer);
  }

  FakeCase what{testing::right()};
  FakeDevice device;
  FakeTracer tracer{device};
  Policy policy;
};

TEST_F(CheckTiming, AgreesWhereBothSawTheSame) {
  const TimingCheck checked = check();
  EXPECT_DOUBLE_EQ(checked.event_seconds, 1e-3);
  EXPECT_NEAR(checked.traced_seconds, 1e-3, 1e-12);
  EXPECT_DOUBLE_EQ(checked.untraced_seconds, 1e-3);
  EXPECT_EQ(checked.kernels_per_call, 2);
  EXPECT_NEAR(checked.apart(), 0, 1e-9);
  EXPECT_EQ(tracer.starts, 1);
  EXPECT_FALSE(tracer.on());
}

TEST_F(CheckTiming, SeesATimeThatIsTooLong) {
  tracer.share = 0.95;  // say the events enclosed a launch gap
  EXPECT_NEAR(check().apart(), 1 / 0.95 - 1, 1e-6);
}

TEST_F(CheckTiming, RefusesATraceThatLacksAKernel) {
  tracer.lost = 1;
  EXPECT_THAT([&] { check(); },
              ThrowsMessage<std::runtime_error>(HasSubstr("kernels were traced of")));
  EXPECT_FALSE(tracer.on());
}

TEST_F(CheckTiming, TakesABatchThatNeededNoSecondTry) {
  int traced = 0;
  device.distort = [&](Batch batch) {
    // The second one that is looked at: the first while watching only warms the tracer.
    if (tracer.on() && ++traced == 2) ++batch.calls_run;
    return batch;
  };
  EXPECT_NEAR(check().apart(), 0, 1e-9);
  EXPECT_EQ(traced, 3);
}

TEST_F(CheckTiming, GivesUpOnBatchesThatAreNeverHeldBack) {
  device.distort = [](Batch batch) {
    batch.launch_gaps = true;
    return batch;
  };
  EXPECT_THAT([&] { check(); }, ThrowsMessage<std::runtime_error>(HasSubstr("held back")));
  EXPECT_FALSE(tracer.on());
}

TEST(CheckTimingOfAWrongAnswer, TakesNoTime) {
  FakeCase what(testing::wrong());
  FakeDevice device;
  FakeTracer tracer(device);
  const Policy policy;
  Session session(what.what, device, policy);
  EXPECT_THROW(check_timing(session, tracer), WrongAnswer);
  EXPECT_EQ(tracer.starts, 0);
}

}  // namespace
}  // namespace breakeven
