// Runs made up for the tests of claims, and what a claim says of them.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "reports/claims.h"
#include "reports/synthetic.h"

namespace breakeven {

struct Judged {
  std::unique_ptr<Run> run;
  Judgement judgement;

  std::string ruling() const { return ruling_text(judgement); }
  bool says(const std::string& part) const {
    return judgement.sentence.find(part) != std::string::npos;
  }
  bool names(const std::string& row) const {
    for (const Evidence& each : judgement.evidence) {
      for (const Evidence::RowOf& of : each.rows) {
        if (of.row->name == row) return true;
      }
    }
    return false;
  }
};

inline std::unique_ptr<Run> run_of(const SyntheticRun& synthetic) {
  return std::make_unique<Run>(make_run(parse_results(synthetic.text(), "synthetic.json"), ""));
}

inline Judged judged(int number, const SyntheticRun& synthetic, const Prices& prices = {}) {
  Judged result{run_of(synthetic), {}};
  for (const Claim& claim : claims()) {
    if (claim.number == number) result.judgement = claim.judge({*result.run, prices});
  }
  return result;
}

inline SyntheticCase square(double n, const std::string& rest, double gflops) {
  SyntheticCase c = synthetic_matmul(fmt::format("square_{:.0f}", n), n, n, n, rest, gflops);
  if (rest.find("threads:1") != std::string::npos || rest.find("naive") != std::string::npos) {
    c.threads = rest.starts_with("gpu") ? 0 : 1;
  }
  return c;
}

/// f32 squares at which the GPU is that many times as fast as the CPU.
inline SyntheticRun squares(const std::vector<std::pair<double, double>>& factors) {
  SyntheticRun run;
  for (const auto& [n, factor] : factors) {
    run.cases.push_back(square(n, "cpu/openblas/f32", 100));
    run.cases.push_back(square(n, "gpu/cublas/f32", 100 * factor));
  }
  return run;
}

inline SyntheticCase& row(SyntheticRun& run, const std::string& name) {
  for (SyntheticCase& c : run.cases) {
    if (c.name == name) return c;
  }
  throw std::runtime_error("no row " + name);
}

inline SyntheticCase part(const std::string& name, double seconds, double flops = 1e9) {
  SyntheticCase c{name, seconds, {{"flops", flops}, {"error", 1e-7}, {"tolerance", 1e-5}}, 2, {}};
  c.counters["items"] = 64;
  c.texts["items_name"] = "samples";
  if (name.find("/gpu/") != std::string::npos) c.threads = 0;
  return c;
}

}  // namespace breakeven
