// How gpu-conformance goes through its checks, with checks that fail as a GPU's would.
#include "kernels/simt/conformance/runner.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace breakeven::conformance {
namespace {

std::string right(std::uint64_t) { return ""; }
std::string wrong(std::uint64_t) { return "element 1 is 2"; }
std::string trapping(std::uint64_t) { throw std::runtime_error("unspecified launch failure"); }

class Runner : public testing::Test {
 protected:
  Outcome run(const std::vector<Check>& checks, std::size_t from = 0) {
    return run_checks(
        checks, from, 7,
        {90, [this] { return broken_; }, [this](const std::string& s) { text_ += s; }});
  }

  bool broken_ = false;
  std::string text_;
};

TEST_F(Runner, SaysOfEachHowItWent) {
  const Outcome outcome =
      run({{"a", 80, kAny, right}, {"b", 80, 89, right}, {"c", 80, kAny, wrong}});
  EXPECT_EQ(outcome.next, 3u);
  EXPECT_EQ(outcome.wrong, 1);
  EXPECT_EQ(text_, "a: ok\nb: not on this architecture\nc: WRONG: element 1 is 2 (seed 7)\n");
}

TEST_F(Runner, GoesOnBehindAFailureThatLeavesTheContextWhole) {
  EXPECT_EQ(run({{"a", 80, kAny, trapping}, {"b", 80, kAny, right}}).next, 2u);
  EXPECT_EQ(text_, "a: WRONG: unspecified launch failure\nb: ok\n");
}

TEST_F(Runner, StopsAtTheCheckThatBrokeTheContextAndNamesIt) {
  broken_ = true;
  const std::vector<Check> checks = {
      {"a", 80, kAny, right}, {"b", 80, kAny, trapping}, {"c", 80, kAny, right}};
  const Outcome outcome = run(checks);
  EXPECT_EQ(outcome.next, 2u);
  EXPECT_EQ(outcome.wrong, 1);
  EXPECT_EQ(text_, "a: ok\nb: WRONG: unspecified launch failure; it broke the GPU's context\n");
  text_.clear();
  EXPECT_EQ(run(checks, outcome.next).wrong, 0);
  EXPECT_EQ(text_, "c: ok\n");
}

}  // namespace
}  // namespace breakeven::conformance
