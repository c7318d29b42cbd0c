// Invented verdicts and histories for the tests of the report: nothing here was ever measured.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

namespace breakeven {

/// A row of which both arms have times.
inline nlohmann::json synthetic_verdict_row(const std::string& name, const std::string& word,
                                            double ratio) {
  const bool slower = word == "REGRESSED";
  return {{"name", name},
          {"verdict", word},
          {"gates", slower},
          {"base_seconds", 1e-3},
          {"head_seconds", 1e-3 * ratio},
          {"decision",
           {{"verdict", word},
            {"ratio",
             {{"value", ratio},
              {"low", ratio * 0.985},
              {"high", ratio * 1.016},
              {"coverage", 0.958},
              {"samples", 12}}},
            {"p_regressed", slower ? 0.0001 : 0.7},
            {"q_regressed", slower ? 0.0003 : 1},
            {"q_improved", word == "IMPROVED" ? 0.002 : 1},
            {"rounds", 12},
            {"confirmed", slower},
            {"unconfirmed", false},
            {"detectable", 0.031}}}};
}

/// One of most verdicts, in the form that the gate writes.
inline nlohmann::json synthetic_verdict() {
  using nlohmann::json;
  json accepted = synthetic_verdict_row("matmul/c/cpu/naive/f32", "REGRESSED", 1.2);
  accepted["gates"] = false;
  accepted["accepted"] = "exact rounding";
  accepted["accepted_until"] = "2027-01-31";
  json changed = synthetic_verdict_row("matmul/d/gpu/cublas/f32", "CHANGED", 1.0);
  changed["gates"] = true;
  changed["changes"] = {{{"name", "kernel_launches"}, {"base", 3}, {"head", 5}, {"worse", true}}};
  const json missing = {{"name", "matmul/e/cpu/naive/f32"},
                        {"verdict", "MISSING"},
                        {"gates", true},
                        {"reason", "not in head"}};
  const json arm = {{"files", {"base.json"}}, {"machine", "0123456789abcdef"}, {"commit", "aaaa"}};
  return {
      {"gate_verdict", 1},
      {"exit_code", 1},
      {"headline", "2 of 5 rows are slower"},
      {"strict", false},
      {"two_stages", true},
      {"times_judged", true},
      {"margins",
       {{"regression", 0.02},
        {"equivalence", 0.05},
        {"discovery_rate", 0.05},
        {"screening_p", 0.1}}},
      {"base", arm},
      {"head", arm},
      {"conditions",
       {{"machine", {{"cpu.model", "Model 1"}}},
        {"processes", 48},
        {"load_median", 1.25},
        {"load_most", 1.9},
        {"stolen_share", 0.004},
        {"throttled", 2},
        {"redone", 1}}},
      {"remarks", {"Base and head were not measured in turns."}},
      {"rows",
       {synthetic_verdict_row("matmul/a/cpu/naive/f32", "EQUIVALENT", 1.001),
        synthetic_verdict_row("matmul/b/cpu/naive/f32", "REGRESSED", 1.104), accepted, changed,
        missing, synthetic_verdict_row("matmul/f/cpu/naive/f32", "INCONCLUSIVE", 1.03)}},
      {"budgets",
       {{{"name", "sgemm @ sm_90a"},
         {"verdict", "CHANGED"},
         {"gates", false},
         {"changes", {{{"name", "registers"}, {"base", 120}, {"head", 110}, {"worse", false}}}}}}}};
}

/// A history of rows that scatter by 0.5 % without chance; "step" is 10 % slower from `step` on.
inline std::string synthetic_history(int commits, int step) {
  std::string text;
  for (int i = 0; i < commits; ++i) {
    const double noise = 0.01 * ((i * i * 7919 % 101) / 101.0 - 0.5);
    const nlohmann::json line = {
        {"gate_history", 1},
        {"commit", fmt::format("{:010}", i)},
        {"date", fmt::format("2026-{:02}-{:02}T00:00:00+00:00", 1 + i / 28, 1 + i % 28)},
        {"seconds",
         {{"steady", 2e-3 * (1 + noise)}, {"step", 1e-3 * (i < step ? 1 : 1.1) * (1 + noise)}}}};
    text += line.dump() + "\n";
  }
  return text;
}

}  // namespace breakeven
