#include <algorithm>
#include <cmath>

#include "tools/gate/budgets.h"
#include "tools/gate/fuzz/fuzz.h"

namespace breakeven::gate::fuzz {
namespace {

std::vector<RowJudgement> compared(std::string_view base, std::string_view head) {
  return compare_budget_texts(base, "base.json", head, "head.json");
}

void require_sound_row(const RowJudgement& row) {
  require(!row.name.empty(), "a kernel without a name");
  if (row.verdict != Verdict::changed) {
    require(row.gates == (row.verdict == Verdict::missing), "a kernel that is gone must gate");
    return;
  }
  require(!row.changes.empty(), "changed in nothing");
  bool worse = false;
  for (const CounterChange& change : row.changes) {
    require(std::isfinite(change.base) && std::isfinite(change.head), "a figure is not finite");
    require(change.base != change.head, "told though nothing changed");
    worse = worse || change.worse;
  }
  require(row.gates == worse, "gates if and only if something is worse");
}

}  // namespace

void fuzz_budgets(std::string_view input) {
  const Halves texts = halves(input);
  std::vector<RowJudgement> rows;
  if (!reads([&] { rows = compared(texts.base, texts.head); })) return;
  std::for_each(rows.begin(), rows.end(), require_sound_row);
  require(compared(texts.base, texts.base).empty(), "a file differs from itself");
  const auto back = compared(texts.head, texts.base);
  const auto count = [](const std::vector<RowJudgement>& list, Verdict verdict) {
    return std::count_if(list.begin(), list.end(),
                         [&](const RowJudgement& row) { return row.verdict == verdict; });
  };
  require(count(rows, Verdict::missing) == count(back, Verdict::added), "what is gone is not new");
}

}  // namespace breakeven::gate::fuzz
