// How often the gate is wrong, over 1,000 simulated suites of 60 rows, and that the rules in use
// elsewhere are wrong more often: what they fail is what the gate must pass.
#include "tools/gate/testing/simulation.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tools/gate/testing/comparison_rules.h"

namespace breakeven::gate {
namespace {

// 5 % is what is promised; 1,000 suites at exactly 5 % exceed 7 % once in 400 times.
constexpr double kFalseSuites = 0.07;
constexpr double kMargin = Margins{}.regression;

std::string percent(double rate) { return fmt::format("{:.1f} %", 100 * rate); }

/// Keeps a rate among the test's results, and returns it.
double recorded(const std::string& name, double rate) {
  testing::Test::RecordProperty(name, percent(rate));
  return rate;
}

const std::vector<std::pair<std::string, Noise>>& profiles() {
  static const std::vector<std::pair<std::string, Noise>> all = {
      {"quiet", kQuiet}, {"shared", kShared}, {"noisy", kNoisy}};
  return all;
}

TEST(NoiseSource, DrawsTheDistributionsItSays) {
  NoiseSource random(1);
  constexpr int kDraws = 1'000'000;
  double sum = 0, squares = 0, fourth = 0, exponential = 0, uniform = 0;
  int beyond = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond += x > 1.959964 ? 1 : 0;
    exponential += random.exponential(0.25);
    uniform += random.uniform();
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.005);
  EXPECT_NEAR(squares / kDraws, 1, 0.007);
  EXPECT_NEAR(fourth / kDraws, 3, 0.05);
  EXPECT_NEAR(beyond / static_cast<double>(kDraws), 0.025, 0.0008);
  EXPECT_NEAR(exponential / kDraws, 0.25, 0.00125);
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.0015);
}

TEST(Noise, IsAsLargeAsItsNameSays) {
  EXPECT_NEAR(scatter_of_ratio(normal_noise(0.04), 2), 0.04, 0.0005);
  EXPECT_NEAR(recorded("quiet", scatter_of_ratio(kQuiet, 3)), 0.009, 0.001);
  EXPECT_NEAR(recorded("shared", scatter_of_ratio(kShared, 3)), 0.025, 0.001);
  EXPECT_NEAR(recorded("noisy", scatter_of_ratio(kNoisy, 3)), 0.055, 0.005);
}

TEST(FalseAlarms, AreRare) {
  fmt::print(
      "| machine | scatter of a round | suites with a false alarm, nothing changed "
      "| every row slower by just the margin |\n|---|---:|---:|---:|\n");
  for (const auto& [name, noise] : profiles()) {
    const double unchanged = recorded(name, false_suite_rate(gate_rule(noise), 0, 11));
    const double at_margin =
        recorded(name + ", at the margin", false_suite_rate(gate_rule(noise), kMargin, 12));
    EXPECT_LE(unchanged, kFalseSuites) << name;
    EXPECT_LE(at_margin, kFalseSuites) << name;
    fmt::print("| {} | {} | {} | {} |\n", name, percent(scatter_of_ratio(noise, 3)),
               percent(unchanged), percent(at_margin));
  }
  EXPECT_LE(
      recorded("one stage, at the margin", false_suite_rate(one_stage_rule(kShared), kMargin, 12)),
      kFalseSuites);
}

struct Rates {
  double false_suites, found_5, found_10;
};

/// Of a rule on the shared machine, on the same seeds as of every other.
Rates rates(const std::string& name, const Rule& rule) {
  const Rates result = {recorded(name + ", false alarm", false_suite_rate(rule, 0, 11)),
                        recorded(name + ", +5 %", found_rate(rule, 0.05, 13)),
                        recorded(name + ", +10 %", found_rate(rule, 0.10, 13))};
  fmt::print("| {} | {} | {} | {} |\n", name, percent(result.false_suites), percent(result.found_5),
             percent(result.found_10));
  return result;
}

TEST(SharedMachine, SlowdownsAreFoundAndOtherRulesFail) {
  fmt::print("| rule | A/A suites with a false alarm | +5 % found | +10 % found |\n");
  fmt::print("|---|---:|---:|---:|\n");
  rates("stored baseline from another machine, mean > +10 %", stored_baseline_rule(kShared));
  // Negative controls: what the gate must keep, these must break.
  const Rates mann_whitney =
      rates("Mann-Whitney p < .05 and slower (compare.py, benchstat)", mann_whitney_rule(kShared));
  EXPECT_GT(mann_whitney.false_suites, kFalseSuites);
  const Rates asv = rates("Mann-Whitney p < .002 and 1.1 times (asv)", asv_rule(kShared));
  EXPECT_LT(asv.found_10, 0.95);
  const Rates one_stage = rates("the gate without fresh rounds", one_stage_rule(kShared));
  EXPECT_LT(one_stage.found_5, 0.90);
  const Rates gate = rates("the gate", gate_rule(kShared));
  EXPECT_GE(gate.found_10, 0.95);
  EXPECT_GE(gate.found_5, 0.90);
}

TEST(WarmUp, IsHarmlessInRandomOrderOnly) {
  // Of rows at the margin: a bias of 1 % alone stays below it.
  Design design = {.warm_up = std::log1p(0.01)};
  const double random = false_suite_rate(gate_rule(kShared, design), kMargin, 12);
  EXPECT_LE(recorded("random order", random), kFalseSuites);
  design.random_order = false;
  const double fixed = false_suite_rate(gate_rule(kShared, design), kMargin, 12);
  EXPECT_GT(recorded("fixed order", fixed), kFalseSuites);  // a negative control
  fmt::print(
      "| order of a pair, the second 1 % slower | suites with a false alarm |\n|---|---:|\n"
      "| random | {} |\n| base always first | {} |\n",
      percent(random), percent(fixed));
}

// Stated, not promised: what real machines of two cores show is noisier than the shared profile.
TEST(NoisierMachines, RatesAreStated) {
  std::vector<std::pair<std::string, Noise>> machines = {
      {fmt::format("{} (noisy profile, with spikes)", percent(scatter_of_ratio(kNoisy, 3))),
       kNoisy}};
  for (const double deviation : {0.04, 0.05, 0.06}) {
    machines.emplace_back(fmt::format("{:.0f} % (normal)", 100 * deviation),
                          normal_noise(deviation));
  }
  const std::vector<std::pair<std::string, Design>> designs = {
      {"12 + 12", {.confirmation_rounds = 12}},
      {"12 + 24 (as shipped)", {}},
      {"24 + 24", {.screening_rounds = 24}}};
  fmt::print("| scatter of a round | rounds + fresh rounds | +5 % found | +10 % found |\n");
  fmt::print("|---|---|---:|---:|\n");
  for (const auto& [machine, noise] : machines) {
    for (const auto& [rounds, design] : designs) {
      const Rule rule = gate_rule(noise, design);
      const std::string key = machine + ", " + rounds;
      fmt::print("| {} | {} | {} | {} |\n", machine, rounds,
                 percent(recorded(key + ", +5 %", found_rate(rule, 0.05, 13))),
                 percent(recorded(key + ", +10 %", found_rate(rule, 0.10, 13))));
    }
  }
}

}  // namespace
}  // namespace breakeven::gate
