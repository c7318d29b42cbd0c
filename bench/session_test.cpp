#include "bench/session.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

using testing::Behaviour;
using testing::FakeCase;
using testing::FakeDevice;

template <class Error = std::exception>
std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string verdict(Behaviour behaviour) {
  FakeDevice device;
  const FakeCase c(std::move(behaviour));
  const Policy policy;
  Session session(c.what, device, policy);
  session.load();
  return error_of([&] { session.verify(); });
}

TEST(Verify, AcceptsARightAnswer) { EXPECT_EQ(verdict(testing::right()), "nothing was thrown"); }

TEST(Verify, SaysByHowMuchAnAnswerIsWrong) {
  EXPECT_EQ(verdict(testing::wrong()), "error 5.0e-01 exceeds limit 1.0e-09 (full fp64)");
}

TEST(Verify, CatchesNan) {
  EXPECT_EQ(verdict(testing::nan()),
            "the answer is not finite, so its error exceeds limit 1.0e-09 (full fp64)");
}

TEST(Verify, CatchesAStaleAnswer) {
  EXPECT_EQ(verdict(testing::stale()),
            "on the second run: the answer is not finite, so its error exceeds limit 1.0e-09 "
            "(full fp64)");
}

TEST(Verify, CatchesAKernelThatAccumulates) {
  EXPECT_EQ(verdict(testing::accumulating()),
            "on the second run: error 4.0e+00 exceeds limit 1.0e-09 (full fp64)");
}

TEST(Verify, LetsExceptionsThrough) { EXPECT_EQ(verdict(testing::throwing()), "the kernel broke"); }

TEST(Verify, ReportsTheWorseOfTwoRightAnswers) {
  FakeDevice device;
  const FakeCase c([](std::vector<double>& output, int earlier_runs) {
    output = {1, 2, 3, 4 + (earlier_runs > 0 ? 5e-10 : 0)};
  });
  const Policy policy;
  Session session(c.what, device, policy);
  session.load();
  EXPECT_NEAR(session.verify().error, 5e-10, 1e-14);
}

TEST(Verify, CatchesAGraphThatComputesNothing) {
  FakeDevice device;
  device.kind_name = "gpu";
  device.replays = false;
  const FakeCase c(testing::right());
  const Policy policy;
  Session session(c.what, device, policy);
  session.load();
  EXPECT_NE(error_of<WrongAnswer>([&] { session.verify(); }).find("on the second run"),
            std::string::npos);
}

TEST(Load, RefusesWhatDoesNotFit) {
  FakeDevice device;
  device.available = 100;  // the kernel's 64 bytes and the check's 48 don't fit
  const FakeCase c(testing::right());
  const Policy policy;
  Session session(c.what, device, policy);
  EXPECT_NE(error_of<Unsupported>([&] { session.load(); }).find("GiB of memory"),
            std::string::npos);
}

TEST(Load, NamesTheBytesOfAnImpossibleCase) {
  FakeDevice device;
  device.available = std::size_t{3} << 30;
  FakeCase c(testing::right());
  c.implementation.footprint_bytes = [](const Workload&, Precision, const Options&) {
    return std::size_t{100'000'000'000'000};
  };
  const Policy policy;
  Session session(c.what, device, policy);
  EXPECT_EQ(error_of<Unsupported>([&] { session.load(); }),
            "needs 9.313e+04 GiB of memory, 3 GiB are available");
}

TEST(Load, AGpuCaseNeedsHostMemoryToo) {
  FakeDevice device;
  device.kind_name = "gpu";
  const FakeCase c(testing::right());
  Policy policy;
  // Input and answer of 32 bytes each, two answers more, and the check's 16.
  policy.host_available_bytes = [] { return std::size_t{143}; };
  Session refused(c.what, device, policy);
  EXPECT_NE(error_of<Unsupported>([&] { refused.load(); }).find("memory for its inputs and check"),
            std::string::npos);
  policy.host_available_bytes = [] { return std::size_t{144}; };
  Session taken(c.what, device, policy);
  EXPECT_NO_THROW(taken.load());
}

TEST(Load, ConfiguresTheDevice) {
  FakeDevice device;
  FakeCase c(testing::right());
  c.what.options.threads = 3;
  const Policy policy;
  Session(c.what, device, policy).load();
  EXPECT_EQ(device.configured.threads, 3);
}

/// A session that is ready for batches.
std::unique_ptr<Session> settled(const FakeCase& c, FakeDevice& device, const Policy& policy) {
  auto session = std::make_unique<Session>(c.what, device, policy);
  session->load();
  session->verify();
  device.batches.clear();
  session->settle();
  return session;
}

TEST(Settle, ABatchIsLongEnough) {
  FakeDevice device;
  const FakeCase c(testing::right());
  const Policy policy;
  EXPECT_EQ(settled(c, device, policy)->calls_per_batch(), 20);  // of 1 ms each, for 20 ms
}

TEST(Settle, ABatchIsAThousandResolutions) {
  class Coarse : public FakeDevice {
    double resolution_seconds() const override { return 1e-3; }
  } device;
  const FakeCase c(testing::right());
  const Policy policy;
  EXPECT_EQ(settled(c, device, policy)->calls_per_batch(), 1000);
}

TEST(Settle, OneLongCallIsNotTriedAgain) {
  FakeDevice device;
  device.seconds_per_call = 3;
  const FakeCase c(testing::right());
  const Policy policy;
  EXPECT_EQ(settled(c, device, policy)->calls_per_batch(), 1);
  EXPECT_EQ(device.batches, (std::vector<std::int64_t>{1}));
}

TEST(Settle, KeepsTheCallsOfAnEarlierCalibration) {
  FakeDevice device;
  const FakeCase c(testing::right());
  const Policy policy;
  Session session(c.what, device, policy);
  session.load();
  session.verify();
  session.settle(17);
  EXPECT_EQ(session.calls_per_batch(), 17);
}

TEST(Settle, AClockThatStandsStillEndsInAnErrorNotALoop) {
  FakeDevice device;
  device.seconds_per_call = 0;
  const FakeCase c(testing::right());
  const Policy policy;
  const auto session = settled(c, device, policy);
  EXPECT_NE(error_of([&] { session->batch(); }).find("clock gave 0 s"), std::string::npos);
}

TEST(Settle, AGpuRunsHalfASecondAtLeast) {
  FakeDevice device;
  device.kind_name = "gpu";
  const FakeCase c(testing::right());
  const Policy policy;
  settled(c, device, policy);
  std::int64_t calls = 0;
  for (const std::int64_t batch : device.batches) calls += batch;
  EXPECT_GE(static_cast<double>(calls) * device.seconds_per_call, 0.5);
}

TEST(Settle, GivesUpOnAClockThatNeverSettles) {
  FakeDevice device;
  int batches = 0;
  device.distort = [&](Batch batch) {
    batch.seconds *= ++batches % 2 == 0 ? 1 : 2;
    return batch;
  };
  const FakeCase c(testing::right());
  const Policy policy;
  settled(c, device, policy);
  EXPECT_GE(batches, 10);  // windows of 10 ms, for 200 ms
  EXPECT_LE(batches, 40);
}

TEST(Settle, ColdBatchesAreNoLongerThanAskedFor) {
  FakeDevice device;
  FakeCase c(testing::right());
  c.what.options.cache = Cache::cold;
  const Policy policy;
  EXPECT_EQ(settled(c, device, policy)->calls_per_batch(), 20);
}

TEST(Batch, RetriesThrottledSamples) {
  FakeDevice device;
  const FakeCase c(testing::right());
  const Policy policy;
  const auto session = settled(c, device, policy);
  int batches = 0;
  device.distort = [&](Batch batch) {
    batch.throttled = ++batches < 3;
    return batch;
  };
  EXPECT_EQ(session->batch().batch.throttled, false);
  EXPECT_EQ(batches, 3);
}

TEST(Batch, KeepsAndFlagsAThrottledSampleInTheEnd) {
  FakeDevice device;
  const FakeCase c(testing::right());
  Policy policy;
  policy.throttled_retries = 4;
  const auto session = settled(c, device, policy);
  int batches = 0;
  device.distort = [&](Batch batch) {
    ++batches;
    batch.throttled = true;
    return batch;
  };
  EXPECT_EQ(session->batch().batch.throttled, true);
  EXPECT_EQ(batches, 5);
}

TEST(Batch, APeakThatAnEarlierCaseLeftIsNotThisCases) {
  FakeDevice device;
  device.peak = 1000;
  const FakeCase c(testing::right());
  const Policy policy;
  EXPECT_FALSE(settled(c, device, policy)->batch().peak_bytes);
  const FakeCase larger([&](std::vector<double>& output, int earlier_runs) {
    device.peak = 2000;
    testing::right()(output, earlier_runs);
  });
  EXPECT_EQ(settled(larger, device, policy)->batch().peak_bytes, 2000u);
}

TEST(Batch, TheChecksMemoryIsNotTheKernels) {
  constexpr std::size_t kCheckBytes = std::size_t{200} << 20;
  class Greedy : public testing::FakeWorkload {
    Check check(Precision precision, std::span<const std::byte> answer) const override {
      const std::vector<char> copies(kCheckBytes, 1);
      return copies.back() == 1 ? FakeWorkload::check(precision, answer) : Check{};
    }
  } workload;
  class OnThisHost : public FakeDevice {
   public:
    std::optional<std::size_t> peak_bytes() const override {
      std::ifstream status("/proc/self/status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
      }
      return std::nullopt;
    }
    void configure(const Options&) override { std::ofstream("/proc/self/clear_refs") << "5"; }
  } device;
  constexpr std::size_t kKernelBytes = std::size_t{30} << 20;
  std::vector<char> memory;
  FakeCase c([&](std::vector<double>& output, int earlier_runs) {
    memory.assign(kKernelBytes, 1);
    testing::right()(output, earlier_runs);
  });
  c.what.workload = &workload;
  const Policy policy;
  device.configure({});
  const std::size_t before = device.peak_bytes().value();
  const std::size_t peak = settled(c, device, policy)->batch().peak_bytes.value();
  EXPECT_GE(device.peak_bytes().value(), before + kCheckBytes / 2);  // the check was seen at all
  EXPECT_LT(peak, before + kCheckBytes / 2);
  EXPECT_GT(peak, before + kKernelBytes / 2);
}

TEST(Energy, IsOffUnlessAskedForAndNeverForColdRows) {
  FakeDevice device;
  device.joules = 0;
  FakeCase c(testing::right());
  Policy policy;
  EXPECT_FALSE(settled(c, device, policy)->facts().energy_joules);
  policy.energy = true;
  // 10 W over calls of 1.25 ms on the wall.
  EXPECT_NEAR(settled(c, device, policy)->facts().energy_joules.value(), 0.0125, 1e-9);
  c.what.options.cache = Cache::cold;
  EXPECT_FALSE(settled(c, device, policy)->facts().energy_joules);
}

}  // namespace
}  // namespace breakeven
