// What a gate found: a verdict for each row and each static budget, and one for the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/gate/decision.h"
#include "tools/gate/machine.h"

namespace breakeven::gate {

inline constexpr int kVerdictSchema = 1;  ///< of verdict.json

// Exit statuses of `gate run` and `gate judge`; where several apply, the first of 2, 5, 3, 1, 4, 0.
inline constexpr int kNoRegression = 0;
inline constexpr int kRegression = 1;
inline constexpr int kUsage = 2;
inline constexpr int kCoverage = 3;
inline constexpr int kInconclusive = 4;
inline constexpr int kOtherMachine = 5;

/// An exact figure (of a row, or of a static budget) that is not what it was.
struct CounterChange {
  std::string name;  ///< "kernel_launches", "registers"
  double base = 0;
  double head = 0;
  bool worse = false;  ///< this change gates; the others are told
};

struct RowJudgement {
  std::string name;
  Verdict verdict = Verdict::inconclusive;
  std::string reason;  ///< of MISSING, ERROR, NEW, or why a time was not judged; or empty
  std::optional<Decision> decision;  ///< of rows whose times could be compared
  double base_seconds = 0;           ///< medians of the judged rounds, where there is a decision
  double head_seconds = 0;
  std::vector<CounterChange> changes;
  std::string accepted;  ///< the reason given in accepted.json, where that covers what happened
  std::string accepted_until;  ///< YYYY-MM-DD: the first of the days on which that ends
  bool told_only = false;      ///< its time is too noisy to gate, decided or not
  bool gates = false;  ///< this row alone refuses the change: exit 1, or 3 of MISSING and ERROR
};

/// Under what the processes of both arms ran, as far as the files say it.
struct ConditionsSummary {
  std::size_t processes = 0;
  double load_median = 0, load_most = 0;  ///< system load before a process
  double stolen_share = 0;                ///< CPU time that others took, of one CPU's in that time
  std::size_t throttled = 0;              ///< processes
  int redone = 0;                         ///< pairs measured again, since one alone was throttled
};

struct Judgement {
  Margins margins;
  bool strict = false;  ///< undecided rows refuse the change, too
  bool two_stages = false;
  bool times_judged = true;  ///< false: exact counters and budgets only
  std::vector<std::string> base_files, head_files;
  std::string base_machine, head_machine;  ///< fingerprints
  std::string base_commit, head_commit;    ///< "" where the files hold none
  Facts machine;                           ///< of head
  ConditionsSummary conditions;            ///< no processes where the files know none
  std::vector<RowJudgement> rows;          ///< in order of their names
  std::vector<RowJudgement> budgets;       ///< static budgets that changed; CHANGED, NEW or MISSING
  std::vector<std::string> remarks;        ///< sentences that a reader must know
  int exit_code = 0;

  std::size_t count(Verdict verdict) const;
};

/// One line: what came of it, without the exit status. "2 of 60 rows are slower", "no regression in
/// 60 rows (3 undecided; the smallest slowdown this run could see: 3.1 % in half of the rows, 8.0 %
/// in nine of ten)".
std::string headline(const Judgement& judgement);

/// What is there for a reader of a row: its change with the interval, its changed counters, its
/// reason; one line.
std::string row_text(const RowJudgement& row);

/// verdict.json (kVerdictSchema), on several lines; all of the judgement.
std::string verdict_json(const Judgement& judgement);

/// For a pull request's comment, at most 60,000 characters (what GitHub takes is 65,536): the
/// headline, the rows that are not EQUIVALENT or INCONCLUSIVE, the rest folded and cut where it
/// gets too long. Begins with `<!-- breakeven-gate: TITLE -->`, by which a comment is found again.
std::string verdict_markdown(const Judgement& judgement, const std::string& title);

/// JUnit's XML: one test case a row and budget; refused ones failed, MISSING and ERROR errors,
/// INCONCLUSIVE and NEW skipped.
std::string verdict_junit(const Judgement& judgement, const std::string& title);

/// One `::error` (or `::warning`, of accepted ones) line for each refused row, as GitHub Actions
/// reads them; at most 10 of each (what GitHub shows), the last says how many more.
std::string github_lines(const Judgement& judgement, const std::string& title);

/// For the terminal, 80 columns: a table of changed rows, remarks, the headline last.
std::string verdict_text(const Judgement& judgement);

}  // namespace breakeven::gate
