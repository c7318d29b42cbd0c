// Words that the verdict's Markdown, JUnit, GitHub lines and terminal text share.
#pragma once

#include <string>
#include <vector>

#include "reports/verdict.h"
#include "tools/gate/judgement.h"

namespace breakeven::gate {

/// Code points that are shown of a row's name where a whole one may be a book.
inline constexpr std::size_t kNameLimit = 120;

/// "1 row", "2 rows".
std::string counted(std::size_t count, const std::string& one);

/// "3 → 5"; "3, not in every round" where a counter is no longer steady.
std::string counter_text(const CounterChange& change);

/// "1.000 ms → 1.104 ms"; "" without a decision.
std::string times_text(const RowJudgement& row);

/// The corrected p-value of the side that was found, or "".
std::string corrected_p_text(const RowJudgement& row);

/// "12 rounds", "12 fresh rounds"; "" without a decision.
std::string rounds_text(const RowJudgement& row);

/// Neither EQUIVALENT nor INCONCLUSIVE: a reader should see it.
bool worth_telling(const RowJudgement& row);

/// A row that refuses the change: it gates, or it is undecided and that is not allowed.
bool refused(const Judgement& judgement, const RowJudgement& row);

/// A row that the gate could not measure.
bool lost(const RowJudgement& row);

/// Those worth telling (or the others): what refuses the change first, then what was accepted, then
/// in order of verdicts, the largest change first.
std::vector<const RowJudgement*> told_rows(const std::vector<RowJudgement>& rows);
std::vector<const RowJudgement*> other_rows(const std::vector<RowJudgement>& rows);

/// "the smallest slowdown this run could see: 3.1 % in half of the rows, 8.0 % in nine of ten"; ""
/// where no times were compared.
std::string sensitivity_text(const std::vector<RowJudgement>& rows);

}  // namespace breakeven::gate
