#include "tools/gate/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/results.h"
#include "reports/statistics.h"
#include "reports/text.h"
#include "tools/gate/hypothesis.h"

namespace breakeven::gate {
namespace {

constexpr double kHostClockSeconds = 1e-9;
constexpr double kDeviceClockSeconds = 0.5e-6;  // of CUDA events
constexpr double kLeastTicks = 10;              // a difference of fewer is the clock's

/// A row of both arms whose rounds pair.
struct Pair {
  std::size_t index;  ///< in Judgement::rows
  PairedRounds rounds;
};

struct Medians {
  double base = 0;
  double head = 0;
};

/// Seconds of one call below which the clock, not the code, decides.
double clock_floor(const std::string& name, const ArmRow& base, const ArmRow& head) {
  const double clock =
      split_case_name(name).device == "gpu" ? kDeviceClockSeconds : kHostClockSeconds;
  const double calls = std::min(base.calls, head.calls);
  return calls > 0 ? kLeastTicks * clock / calls : 0;  // unknown calls: no floor
}

/// Medians of the rounds that the verdict is of.
Medians judged_medians(const ArmRow& base, const ArmRow& head, bool confirmed) {
  std::vector<double> before, after;
  for_each_pair(base, head, [&](const Moment& moment, double b, double h) {
    if ((moment.stage == Stage::confirmation) != confirmed) return;
    before.push_back(b);
    after.push_back(h);
  });
  return {median(before), median(after)};
}

/// A row that has no times to compare: settled, or left out where nothing of it is worth a word.
enum class Presence { both, settled, left_out };

void settle(RowJudgement& row, Verdict verdict, std::string reason, bool gates) {
  row.verdict = verdict;
  row.reason = std::move(reason);
  row.gates = gates;
}

Presence settle_presence(const ArmRow* base, const ArmRow* head, RowJudgement& row) {
  const bool base_works = base && base->failure.empty();
  const bool base_never_worked = base && !base_works && base->rounds.empty();
  if (!head) {
    const char* const before = base_works      ? ""
                               : base->skipped ? "skipped in base, "
                                               : "failed in base, ";
    settle(row, Verdict::missing, fmt::format("{}not in head", before), !base_never_worked);
  } else if (!head->failure.empty() && !head->skipped) {
    settle(row, Verdict::error,
           head->failure + (base_never_worked ? "; in base, too: " + base->failure : ""),
           !base_never_worked);
  } else if (head->skipped) {
    if (!base || base_never_worked) return Presence::left_out;
    settle(row, Verdict::missing, "skipped in head: " + head->failure, true);
  } else if (!base) {
    settle(row, Verdict::added, "not in base", false);
  } else if (base_never_worked) {
    settle(row, Verdict::added, "no time in base: " + base->failure, false);
  } else if (!base_works) {
    settle(row, Verdict::error,
           fmt::format("failed in base after {} good round(s): {}", base->rounds.size(),
                       base->failure),
           true);
  } else {
    return Presence::both;
  }
  return Presence::settled;
}

/// A row that head could not measure in every round that base could is no row to trust.
bool settle_rounds(const ArmRow& base, const PairedRounds& pairs, RowJudgement& row) {
  const std::size_t paired = pairs.screening.size() + pairs.confirmation.size();
  if (paired < base.rounds.size()) {
    settle(row, Verdict::error,
           fmt::format("head has it in {} of base's {} rounds", paired, base.rounds.size()), true);
    return true;
  }
  if (pairs.screening.empty()) {
    settle(row, Verdict::error, "has fresh rounds, but none of screening", true);
    return true;
  }
  return false;
}

/// Exact counters that could not be judged.
struct Unjudged {
  std::size_t count = 0;
  std::string first;

  void add(const std::string& counter, const std::string& row) {
    if (count++ == 0) first = fmt::format("{} of {}", counter, row);
  }
  std::string subject() const {
    return fmt::format("{} exact counter{}", count, count == 1 ? " is" : "s are");
  }
  std::string example() const { return (count == 1 ? "" : "first ") + shortened(first, 100); }
};

/// What was measured before a clock is never below 0, whatever a file says.
ConditionsSummary summary_of(const std::vector<ProcessConditions>& base,
                             const std::vector<ProcessConditions>& head) {
  ConditionsSummary summary;
  std::vector<double> loads;
  double seconds = 0, stolen = 0;
  for (const auto* processes : {&base, &head}) {
    for (const ProcessConditions& process : *processes) {
      loads.push_back(std::max(process.load, 0.0));
      seconds += std::max(process.seconds, 0.0);
      stolen += std::max(process.steal_seconds, 0.0);
      summary.throttled += process.throttled ? 1 : 0;
    }
  }
  if (loads.empty()) return summary;
  summary.processes = loads.size();
  summary.load_most = *std::max_element(loads.begin(), loads.end());
  summary.load_median = median(std::move(loads));
  summary.stolen_share = seconds > 0 ? stolen / seconds : 0;
  return summary;
}

class Judge {
 public:
  Judge(const Samples& base, const Samples& head, const JudgeOptions& options)
      : base_(base), head_(head), options_(options) {
    judgement_.margins = options.margins;
    judgement_.strict = options.strict;
    judgement_.two_stages = base.staged && head.staged;
    judgement_.base_files = base.files;
    judgement_.head_files = head.files;
    const Facts base_machine = machine_facts(base.context),
                head_machine = machine_facts(head.context);
    judgement_.base_machine = fingerprint(base_machine);
    judgement_.head_machine = fingerprint(head_machine);
    judgement_.machine = head_machine;
    judgement_.conditions = summary_of(base.processes, head.processes);
    judgement_.base_commit = fact(base, "git.commit");
    judgement_.head_commit = fact(head, "git.commit");
    // What one run measured is of one machine, however its programs describe it.
    if (base.run.empty() || base.run != head.run) {
      difference_ = machine_difference(base_machine, head_machine);
    }
    machine_known_ = std::any_of(base_machine.begin(), base_machine.end(), [&](const auto& fact) {
      return head_machine.contains(fact.first);
    });
    judgement_.times_judged =
        !options.counters_only && (difference_.empty() || options.allow_mismatch);
  }

  Judgement judge() {
    add_rows();
    if (judgement_.times_judged) judge_times();
    judgement_.budgets = options_.budgets;
    remark();
    if (!options_.accepted.empty()) accept(judgement_, options_.accepted, options_.today);
    judgement_.exit_code = exit_code();
    return std::move(judgement_);
  }

 private:
  static std::string fact(const Samples& samples, const char* key) {
    const auto found = samples.context.find(key);
    return found == samples.context.end() ? std::string() : found->second;
  }

  /// Walks both maps in the order of names.
  void add_rows() {
    auto b = base_.rows.begin();
    auto h = head_.rows.begin();
    while (b != base_.rows.end() || h != head_.rows.end()) {
      const bool only_base =
          h == head_.rows.end() || (b != base_.rows.end() && b->first < h->first);
      const bool only_head =
          b == base_.rows.end() || (h != head_.rows.end() && h->first < b->first);
      add_row(only_head ? h->first : b->first, only_head ? nullptr : &b->second,
              only_base ? nullptr : &h->second);
      if (!only_head) ++b;
      if (!only_base) ++h;
    }
  }

  void add_row(const std::string& name, const ArmRow* base, const ArmRow* head) {
    RowJudgement row;
    row.name = name;
    switch (settle_presence(base, head, row)) {
      case Presence::left_out:
        ++skipped_;
        return;
      case Presence::settled:
        break;
      case Presence::both:
        compare(*base, *head, row);
    }
    judgement_.rows.push_back(std::move(row));
  }

  void compare(const ArmRow& base, const ArmRow& head, RowJudgement& row) {
    for (const ExactCounter& counter : options_.exact) {
      if (!base.exact.contains(counter.name) || head.exact.contains(counter.name)) continue;
      settle(row, Verdict::error, fmt::format("head no longer counts {}", counter.name), true);
      return;
    }
    row.changes = counter_changes(row.name, base, head);
    if (!row.changes.empty()) row.verdict = Verdict::changed;
    row.gates = std::any_of(row.changes.begin(), row.changes.end(),
                            [](const CounterChange& change) { return change.worse; });
    comparable_ += judgement_.times_judged || has_exact(base, head) ? 1 : 0;
    if (!judgement_.times_judged) return;
    PairedRounds pairs = pair_rounds(base, head);
    if (settle_rounds(base, pairs, row)) return;
    pairs_.push_back({judgement_.rows.size(), std::move(pairs)});
  }

  bool has_exact(const ArmRow& base, const ArmRow& head) const {
    return std::any_of(options_.exact.begin(), options_.exact.end(), [&](const auto& counter) {
      return base.exact.contains(counter.name) && head.exact.contains(counter.name);
    });
  }

  std::vector<CounterChange> counter_changes(const std::string& name, const ArmRow& base,
                                             const ArmRow& head) {
    std::vector<CounterChange> changes;
    for (const ExactCounter& counter : options_.exact) {
      const auto before = base.exact.find(counter.name);
      const auto after = head.exact.find(counter.name);
      if (before == base.exact.end()) continue;
      const ExactValue &was = before->second, &is = after->second;
      if (!was.steady() && counter.tolerance == 0) {
        unsteady_.add(counter.name, name);
        continue;
      }
      const bool wavers = !is.steady() && counter.tolerance == 0;
      // Of what a tolerance allows to vary, the least: other work on the machine only adds to it.
      const double b = was.least, h = wavers ? is.most : is.least;
      if (!wavers && std::abs(h - b) <= counter.tolerance * std::abs(b)) continue;
      // Another amount of work is another row, whichever way it went.
      changes.push_back({counter.name, b, h, wavers || h > b || counter.name == "flops"});
    }
    return changes;
  }

  void judge_times() {
    // Rows too noisy to gate don't make the others' correction harsher.
    const auto noisy = std::stable_partition(pairs_.begin(), pairs_.end(), [&](const Pair& pair) {
      return !options_.too_noisy.contains(judgement_.rows[pair.index].name);
    });
    const auto gated = static_cast<std::size_t>(noisy - pairs_.begin());
    judge_pairs(std::span(pairs_).first(gated), true);  // reorders these
    judge_pairs(std::span(pairs_).subspan(gated), false);
  }

  void judge_pairs(std::span<Pair> pairs, bool gated) {
    if (gated) pairs = enough_rounds(pairs);
    std::vector<PairedRounds> rounds;
    rounds.reserve(pairs.size());
    for (const Pair& pair : pairs) rounds.push_back(pair.rounds);
    const std::vector<Decision> decisions = decide(rounds, options_.margins, judgement_.two_stages);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      take_decision(judgement_.rows[pairs[i].index], decisions[i], gated);
    }
  }

  /// Those that can be found slower at all, in front; the others are errors. Throws where none can.
  std::span<Pair> enough_rounds(std::span<Pair> pairs) {
    std::size_t screening = 0, confirmation = 0, confirmed = 0;
    for (const Pair& pair : pairs) {
      screening = std::max(screening, pair.rounds.screening.size());
      confirmation = std::max(confirmation, pair.rounds.confirmation.size());
      confirmed += pair.rounds.confirmation.empty() ? 0 : 1;
    }
    if (std::max(screening, confirmation) > kMostRounds) {
      throw std::runtime_error(
          fmt::format("a row has more than {} rounds: judge fewer files at once", kMostRounds));
    }
    const auto require = [&](std::size_t rounds, std::size_t of, int needed, const char* kind) {
      if (rounds == 0 || rounds >= static_cast<std::size_t>(needed)) return needed;
      throw std::runtime_error(fmt::format(
          "too few rounds: {} {}{} of {} {} can't show one of them to be slower; {} are needed (or "
          "--counters-only, to judge exact counters alone)",
          rounds, kind, rounds == 1 ? "round" : "rounds", of, of == 1 ? "row" : "rows", needed));
    };
    const double rate = options_.margins.discovery_rate;
    int first = 0, fresh = 0;  // rounds that a row needs
    if (judgement_.two_stages) {
      first = require(screening, pairs.size(), rounds_needed(1, options_.margins.screening_p),
                      "screening ");
      fresh = require(confirmation, confirmed, rounds_needed(confirmed, rate), "confirmation ");
    } else {
      first = require(screening, pairs.size(), rounds_needed(pairs.size(), rate), "");
    }
    const auto too_few = std::stable_partition(pairs.begin(), pairs.end(), [&](const Pair& pair) {
      const auto& [once, again] = pair.rounds;
      return once.size() >= static_cast<std::size_t>(first) &&
             (again.empty() || again.size() >= static_cast<std::size_t>(fresh));
    });
    for (auto pair = too_few; pair != pairs.end(); ++pair) {
      const auto& [once, again] = pair->rounds;
      settle(judgement_.rows[pair->index], Verdict::error,
             fmt::format("too few rounds: {} of {}{}", once.size(), first,
                         again.empty() ? "" : fmt::format(", {} of {} fresh", again.size(), fresh)),
             true);
    }
    return pairs.first(static_cast<std::size_t>(too_few - pairs.begin()));
  }

  void take_decision(RowJudgement& row, const Decision& decision, bool gated) {
    const ArmRow &base = base_.rows.at(row.name), &head = head_.rows.at(row.name);
    const Medians medians = judged_medians(base, head, decision.confirmed);
    row.base_seconds = medians.base;
    row.head_seconds = medians.head;
    Verdict verdict = decision.verdict;
    const bool by_time = verdict == Verdict::regressed || verdict == Verdict::improved;
    if (by_time && std::abs(medians.head - medians.base) < clock_floor(row.name, base, head)) {
      row.reason = "a difference of less than 10 ticks of the clock";
      verdict = Verdict::inconclusive;
    } else if (decision.unconfirmed && gated) {
      settle(row, Verdict::error,
             "conspicuous, but without fresh rounds: `gate run` takes them for its own --delta",
             true);
      return;
    } else if (!gated) {
      row.reason = "too noisy to gate (selftest); told only";
    }
    row.decision = decision;
    row.decision->verdict = verdict;
    row.told_only = !gated;
    if (verdict == Verdict::regressed) {
      row.verdict = verdict;
      row.gates = row.gates || gated;
    } else if (row.changes.empty()) {
      row.verdict = verdict;
    }
  }

  void remark() {
    const auto add = [&](std::string line) { judgement_.remarks.push_back(std::move(line)); };
    if (!difference_.empty()) {
      add(fmt::format("Base and head are of two machines ({}): {}.", difference_,
                      options_.allow_mismatch ? "times were compared all the same, so differences "
                                                "of the machines count as changes"
                                              : "times were not compared"));
    } else if (!machine_known_ && judgement_.times_judged) {
      add("The files don't say which machine they are of: that it is one is taken on trust.");
    }
    if (judgement_.times_judged && (base_.run.empty() || base_.run != head_.run)) {
      add("Base and head were not measured in turns: what drifted between them counts as change.");
    }
    if (skipped_ > 0) {
      add(fmt::format("{} left out, which head skips and base has no time of either.",
                      skipped_ == 1 ? "1 row is" : fmt::format("{} rows are", skipped_)));
    }
    if (unsteady_.count > 0) {
      add(
          fmt::format("{} not the same in all rounds of base ({}) and not judged: give a tolerance "
                      "by --exact NAME=TOLERANCE.",
                      unsteady_.subject(), unsteady_.example()));
    }
    for (const std::string& line : options_.remarks) add(line);
    if (fact(base_, "library_build_type") == "debug" ||
        fact(head_, "library_build_type") == "debug") {
      add("The Google Benchmark library says that it was built as debug.");
    }
  }

  int exit_code() const {
    if (!difference_.empty() && !options_.allow_mismatch && !options_.counters_only) {
      return kOtherMachine;
    }
    const bool budgets_alone =
        options_.budgets_compared && base_.rows.empty() && head_.rows.empty();
    bool coverage = comparable_ == 0 && !budgets_alone, regression = false;
    for (const auto* list : {&judgement_.rows, &judgement_.budgets}) {
      for (const RowJudgement& row : *list) {
        if (!row.gates) continue;
        const bool lost = row.verdict == Verdict::missing || row.verdict == Verdict::error;
        (lost ? coverage : regression) = true;
      }
    }
    if (coverage) return kCoverage;
    if (regression) return kRegression;
    const bool undecided =
        std::any_of(judgement_.rows.begin(), judgement_.rows.end(), [](const RowJudgement& row) {
          return row.verdict == Verdict::inconclusive && !row.told_only;
        });
    return options_.strict && undecided ? kInconclusive : kNoRegression;
  }

  const Samples& base_;
  const Samples& head_;
  const JudgeOptions& options_;
  Judgement judgement_;
  std::string difference_;  ///< of the machines
  std::vector<Pair> pairs_;
  bool machine_known_ = false;  ///< some fact of it is in the files of both
  std::size_t comparable_ = 0, skipped_ = 0;
  Unjudged unsteady_;
};

}  // namespace

Judgement judge(const Samples& base, const Samples& head, const JudgeOptions& options) {
  return Judge(base, head, options).judge();
}

}  // namespace breakeven::gate
