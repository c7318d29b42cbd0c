// What `breakeven gate` found, out of the verdict.json that it wrote.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/statistics.h"

namespace breakeven {

/// The newest `gate_verdict` that this program reads.
inline constexpr int kReadVerdictSchema = 1;

/// An exact figure that is not what it was.
struct VerdictCounter {
  std::string name;
  std::optional<double> base, head;  ///< absent where the file has none that is finite
  bool worse = false;
};

/// What the paired rounds of a row say. `ratio` is head / base.
struct VerdictDecision {
  Estimate ratio;
  std::optional<double> p_regressed, q_regressed, q_improved;
  std::size_t rounds = 0;
  bool confirmed = false;            ///< judged on fresh rounds alone
  std::optional<double> detectable;  ///< smallest slowdown that would have been seen; 0.05 is 5 %
};

struct VerdictRow {
  std::string name;
  std::string
      verdict;  ///< REGRESSED, IMPROVED, EQUIVALENT, INCONCLUSIVE, NEW, MISSING, ERROR, CHANGED
  bool gates = false;  ///< refuses the change by itself
  std::string reason;
  std::string accepted, accepted_until;  ///< why a regression is accepted, and the last day of that
  std::optional<double> base_seconds, head_seconds;
  std::optional<VerdictDecision> decision;
  std::vector<VerdictCounter> counters;
};

/// One of the two builds.
struct VerdictArm {
  std::vector<std::string> files;
  std::string machine;  ///< fingerprint
  std::string commit;
};

/// Under what the processes of both arms ran.
struct GateConditions {
  std::vector<std::pair<std::string, std::string>> machine;  ///< facts, such as cpu.model
  std::size_t processes = 0;
  std::optional<double> load_median, load_most;  ///< system load before a process
  std::optional<double> stolen_share;            ///< CPU time that others took, of the run's time
  std::size_t throttled = 0;                     ///< processes
  std::size_t redone = 0;  ///< pairs of processes, since one alone was throttled
};

struct GateVerdict {
  std::string file;
  int exit_code = 0;
  std::string headline;
  bool times_judged = true;
  double margin = 0.02;       ///< slower or faster by less is no change
  double equivalence = 0.05;  ///< inside on both sides is the same
  double discovery_rate = 0.05;
  VerdictArm base, head;
  std::vector<VerdictRow> rows;     ///< in order of their names
  std::vector<VerdictRow> budgets;  ///< static budgets of kernels that changed
  std::vector<std::string> remarks;
  std::optional<GateConditions> conditions;
};

/// Throws std::runtime_error with one line (file, place, what is wrong): unreadable, no JSON, no
/// verdict, a newer version, a figure that can't be.
GateVerdict read_verdict(const std::filesystem::path& path);

/// The same for text that is already here; `file` is the name that messages give it.
GateVerdict parse_verdict(std::string_view text, const std::string& file);

/// What an exit status of the gate means: "a regression".
std::string exit_meaning(int exit_code);

/// Neither EQUIVALENT nor INCONCLUSIVE, or refused, or accepted: a reader should see it.
bool worth_telling(const VerdictRow& row);

/// Rows in order of what they tell: what refuses the change, what was accepted, then by verdict
/// (MISSING, ERROR, REGRESSED, CHANGED, IMPROVED, NEW, INCONCLUSIVE, EQUIVALENT), the largest
/// change first.
std::vector<const VerdictRow*> in_telling_order(const std::vector<VerdictRow>& rows);

/// "+10.4 % [+8.9, +12.0]" of a ratio 1.104.
std::string change_text(const Estimate& ratio);

/// A probability: 0.0003, 3.1e-7.
std::string p_text(double p);

/// "3 → 5"; "3, not in every round" where a counter is no longer steady.
std::string counter_text(const VerdictCounter& counter);

}  // namespace breakeven
