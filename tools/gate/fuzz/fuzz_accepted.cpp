#include <cmath>

#include "tools/gate/accepted.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {
namespace {

constexpr std::string_view kToday = "2026-06-30";

RowJudgement gating_row(std::string name, Verdict verdict) {
  RowJudgement row;
  row.name = std::move(name);
  row.verdict = verdict;
  row.gates = true;
  return row;
}

/// One row for each form of an entry, and one that needs two of them.
Judgement refused_change() {
  Judgement judgement;
  judgement.rows = {gating_row("a/counter", Verdict::changed),
                    gating_row("a/gone", Verdict::missing),
                    gating_row("a/slow", Verdict::regressed)};
  judgement.rows[0].changes = {{"kernel_launches", 8, 12, true}, {"allocations", 2, 1, true}};
  judgement.rows[2].decision = Decision{};
  judgement.rows[2].decision->ratio.value = 1.1;
  judgement.budgets = {gating_row("k @ sm_90a", Verdict::changed)};
  judgement.budgets[0].changes = {{"registers", 64, 96, true}};
  return judgement;
}

void require_sound_entry(const Acceptance& entry) {
  const auto says = [](const std::string& text) {
    return text.find_first_not_of(" \t\r\n") != std::string::npos;
  };
  require(says(entry.row) && says(entry.reason), "an entry without a row or a reason");
  require(valid_date(entry.expires), "an entry that never expires");
  require(entry.missing != entry.up_to.has_value(), "an entry of no form");
  if (!entry.up_to) return;
  require(std::isfinite(*entry.up_to), "a limit that is not finite");
  require(!entry.counter.empty() || *entry.up_to > 1, "accepts what is no slowdown");
}

}  // namespace

void fuzz_accepted(std::string_view input) {
  std::vector<Acceptance> accepted;
  if (!reads([&] { accepted = parse_accepted(input, "accepted.json"); })) return;
  for (const Acceptance& entry : accepted) {
    require_sound_entry(entry);
    if (entry.row.find('*') == std::string::npos) require(matches(entry.row, entry.row), "itself");
  }
  Judgement judgement = refused_change();
  accept(judgement, accepted, kToday);
  for (const auto* list : {&judgement.rows, &judgement.budgets}) {
    for (const RowJudgement& row : *list) {
      require(row.gates == row.accepted.empty(), "let through without a reason");
    }
  }
  for (const std::string& remark : judgement.remarks) {
    require(remark.find('\n') == std::string::npos, "a remark of two lines");
    require_visible_lines(remark, "a remark");
  }
}

}  // namespace breakeven::gate::fuzz
