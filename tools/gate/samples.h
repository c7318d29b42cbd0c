// One arm of a comparison: what the files of one build say of each row, round by round.
#pragma once

#include <compare>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/results.h"
#include "tools/gate/decision.h"
#include "tools/gate/machine.h"

namespace breakeven::gate {

enum class Arm { base, head };
enum class Stage { screening, confirmation };

std::string_view arm_word(Arm arm);        ///< "base", "head": key "arm" of a row
std::string_view stage_word(Stage stage);  ///< "screening", "confirmation": key "stage"

/// A counter that must be equal: no noise, so no statistics.
struct ExactCounter {
  std::string name;
  double tolerance = 0;  ///< relative; what differs less is the same
};

/// Those that are compared without being asked for: flops, kernel_launches, bytes_copied,
/// allocations and Google Benchmark's allocs_per_iter.
const std::vector<ExactCounter>& default_exact_counters();

/// When a round was. Of files without stages, one after another in the order given, the rounds are
/// numbered through, so that one file of 12 rounds pairs with 12 files of one.
struct Moment {
  int file = 0;
  Stage stage = Stage::screening;
  int round = 0;
  auto operator<=>(const Moment&) const = default;
};

/// Of all repetitions and rounds.
struct ExactValue {
  double least = 0;
  double most = 0;
  bool steady() const { return least == most; }
};

struct ArmRow {
  std::vector<std::pair<Moment, double>> rounds;  ///< ascending; median seconds of repetitions
  double calls = 0;      ///< fewest calls that a repetition's time is the mean of; 0 where unknown
  std::string failure;   ///< of any repetition; then `rounds` mean nothing
  bool skipped = false;  ///< that failure is a skip, and no repetition did worse
  std::map<std::string, ExactValue> exact;
};

/// Calls `visit(moment, base seconds, head seconds)` for the moments that both arms of a row have.
template <class Visit>
void for_each_pair(const ArmRow& base, const ArmRow& head, Visit visit) {
  auto b = base.rounds.begin();
  auto h = head.rounds.begin();
  while (b != base.rounds.end() && h != head.rounds.end()) {
    if (b->first == h->first) {
      visit(b->first, b->second, h->second);
      ++b, ++h;
    } else if (b->first < h->first) {
      ++b;
    } else {
      ++h;
    }
  }
}

struct Samples {
  std::vector<std::string> files;
  Facts context;                             ///< of the first file
  bool staged = false;                       ///< some row names its stage: `gate run` wrote it
  std::size_t rounds = 0;                    ///< of files without stages: in all
  std::vector<ProcessConditions> processes;  ///< of all files that know them
  std::string run;                     ///< "gate.run" of each file that has one, in their order
  std::map<std::string, ArmRow> rows;  ///< by identity
};

/// As if the files were without stages: the screening rounds, numbered through. Fresh rounds were
/// chosen for what the first ones showed.
Samples screening_alone(Samples samples);

/// ln(head / base) of the moments that both arms of a row have.
PairedRounds pair_rounds(const ArmRow& base, const ArmRow& head);

/// Reads results files of one arm: Google Benchmark's JSON, each one round, or `gate run`'s, which
/// hold many. Memory grows with rows, not with text. Throws std::runtime_error with one line: what
/// visit_rows() throws, a row that is there twice, a file that is given twice, a row of the other
/// arm, files of different machines.
Samples read_samples(const std::vector<std::filesystem::path>& files, Arm arm,
                     const std::vector<ExactCounter>& exact);

/// The same of one text, as if it were a file of that name.
Samples parse_samples(std::string_view text, const std::string& file, Arm arm,
                      const std::vector<ExactCounter>& exact);

}  // namespace breakeven::gate
