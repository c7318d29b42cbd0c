// Prints samples and what the gate computes of them as JSON, for scipy_cross_check to compare.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/gate/hypothesis.h"
#include "tools/gate/testing/comparison_rules.h"
#include "tools/gate/testing/simulation.h"

namespace {

using breakeven::gate::NoiseSource;

/// Whole numbers of `step`, or anything where that is 0.
std::vector<double> samples(int n, double step, NoiseSource& random) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i) {
    const double value = 0.3 + random.normal();
    values.push_back(step > 0 ? step * std::round(value / step) : value);
  }
  return values;
}

nlohmann::json signed_rank(int n, double step, NoiseSource& random) {
  using breakeven::gate::Side, breakeven::gate::signed_rank_p;
  const std::vector<double> values = samples(n, step, random);
  const double center = 0.25;  // of a coarse clock, one of its values
  return {{"samples", values},
          {"center", center},
          {"ties", step > 0},
          {"greater", signed_rank_p(values, center, Side::greater)},
          {"less", signed_rank_p(values, center, Side::less)}};
}

nlohmann::json benjamini_hochberg(int m, NoiseSource& random) {
  std::vector<double> p_values;
  for (int i = 0; i < m; ++i) p_values.push_back(std::pow(random.uniform(), 3));
  return {{"p", p_values}, {"adjusted", breakeven::gate::benjamini_hochberg(p_values)}};
}

nlohmann::json mann_whitney(int n, double step, NoiseSource& random) {
  const std::vector<double> a = samples(n, step, random), b = samples(n, step, random);
  return {{"a", a}, {"b", b}, {"p", breakeven::gate::mann_whitney_p(a, b)}};
}

}  // namespace

int main() {
  NoiseSource random(41);
  nlohmann::json values;
  for (int repetition = 0; repetition < 5; ++repetition) {
    for (int n = 1; n <= 40; ++n) values["signed_rank"].push_back(signed_rank(n, 0, random));
    for (int n = 2; n <= 11; ++n) values["signed_rank"].push_back(signed_rank(n, 0.25, random));
    for (const int m : {1, 2, 7, 60, 300}) {
      values["benjamini_hochberg"].push_back(benjamini_hochberg(m, random));
    }
    for (const int n : {3, 9, 36}) {
      values["mann_whitney"].push_back(mann_whitney(n, 0, random));
      values["mann_whitney"].push_back(mann_whitney(n, 0.25, random));
    }
  }
  for (const int n : {100, 300}) values["signed_rank"].push_back(signed_rank(n, 0, random));
  std::cout << values.dump() << "\n";
  return 0;
}
