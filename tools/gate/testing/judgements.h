// Judgements for tests of what is written about them.
#pragma once

#include <string>
#include <vector>

#include "tools/gate/judgement.h"

namespace breakeven::gate {

/// A row of which both arms have times.
inline RowJudgement timed_row(const std::string& name, Verdict verdict, double ratio) {
  RowJudgement row;
  row.name = name;
  row.verdict = verdict;
  row.gates = verdict == Verdict::regressed;
  Decision decision;
  decision.verdict = verdict;
  decision.confirmed = verdict == Verdict::regressed;
  decision.q_regressed = verdict == Verdict::regressed ? 0.0003 : 1;
  decision.q_improved = verdict == Verdict::improved ? 3.1e-7 : 1;
  decision.ratio = {ratio, {ratio - 0.015, ratio + 0.016, 0.958}, 12};
  decision.rounds = 12;
  decision.detectable = 0.031;
  row.decision = decision;
  row.base_seconds = 1e-3;
  row.head_seconds = 1e-3 * ratio;
  return row;
}

inline RowJudgement untimed_row(const std::string& name, Verdict verdict, const std::string& reason,
                                bool gates) {
  RowJudgement row;
  row.name = name;
  row.verdict = verdict;
  row.reason = reason;
  row.gates = gates;
  return row;
}

/// Rows that stayed the same.
inline Judgement quiet_judgement(std::size_t rows) {
  Judgement judgement;
  for (std::size_t i = 0; i < rows; ++i) {
    judgement.rows.push_back(timed_row("row/" + std::to_string(i), Verdict::equivalent, 1.001));
  }
  judgement.base_files = {"base.json"};
  judgement.head_files = {"head.json"};
  return judgement;
}

/// One of everything.
inline Judgement full_judgement() {
  Judgement judgement = quiet_judgement(3);
  judgement.two_stages = true;
  judgement.base_machine = judgement.head_machine = "0123456789abcdef";
  judgement.base_commit = "aaaa";
  judgement.head_commit = "bbbb";
  judgement.rows.push_back(timed_row("matmul/s/cpu/tiled/f32", Verdict::regressed, 1.104));
  judgement.rows.push_back(timed_row("matmul/s/cpu/naive/f32", Verdict::improved, 0.8));
  judgement.rows.push_back(timed_row("noisy", Verdict::inconclusive, 1.03));
  judgement.rows.push_back(untimed_row("gone", Verdict::missing, "not in head", true));
  judgement.rows.push_back(untimed_row("broken", Verdict::error, "wrong answer", true));
  judgement.rows.push_back(untimed_row("fresh", Verdict::added, "not in base", false));
  RowJudgement counted = timed_row("launches", Verdict::changed, 1.0);
  counted.changes = {{"kernel_launches", 3, 5, true}, {"allocations", 4, 2, false}};
  counted.gates = true;
  judgement.rows.push_back(counted);
  RowJudgement accepted = timed_row("known", Verdict::regressed, 1.2);
  accepted.gates = false;
  accepted.accepted = "exact rounding";
  judgement.rows.push_back(accepted);
  RowJudgement kernel;
  kernel.name = "sgemm: multiply<4> @ sm_90a";
  kernel.verdict = Verdict::changed;
  kernel.changes = {{"registers", 120, 140, true}};
  kernel.gates = true;
  judgement.budgets.push_back(kernel);
  judgement.remarks = {"Base and head were not measured in turns."};
  judgement.exit_code = kCoverage;
  return judgement;
}

/// Names that somebody would write who wants to break what shows them.
inline std::vector<std::string> hostile_names() {
  return {"</td><script>alert(1)</script>",  "a|b`c`*d* [e](http://f) @g #1",
          "line\nbreak\r\n::error::planted", std::string("nul\0 bell\a esc\x1b[31m", 19),
          "\xff\xfe\xc0\xaf broken",         "\xef\xbf\xbe\xef\xbf\xbf\xed\xa0\x80 no XML",
          "\u202Etfel\u2066\uFEFF",          "--> ]]> <!-- \" ' & &amp; %0A, :",
          "</details></summary>\n\n# big",   std::string(1'000'000, 'x'),
          std::string(500'000, '|'),         ""};
}

}  // namespace breakeven::gate
