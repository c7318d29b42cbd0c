#include "tools/gate/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <tuple>
#include <unordered_map>

#include "reports/statistics.h"
#include "reports/text.h"

namespace breakeven::gate {
namespace {

/// One repetition, small: a million of them are kept until all are read.
struct Repetition {
  std::uint32_t row;
  std::int32_t number;
  Moment moment;
  double seconds;
};

class Reader {
 public:
  Reader(Arm arm, const std::vector<ExactCounter>& exact) : arm_(arm) {
    keys_ = {"arm", "stage"};
    for (const ExactCounter& counter : exact) keys_.push_back(counter.name);
  }

  void read(std::string_view text, const std::string& file) {
    const int index = static_cast<int>(samples_.files.size());
    samples_.files.push_back(file);
    const Results results = visit_rows(
        text, file, &keys_, [&](Row& row, const Place& place) { take(row, index, place); });
    if (const auto run = results.context.find("gate.run"); run != results.context.end()) {
      samples_.run += (samples_.run.empty() ? "" : " ") + run->second;
    }
    samples_.processes.insert(samples_.processes.end(), results.processes.begin(),
                              results.processes.end());
    if (index == 0) {
      samples_.context = results.context;
      return;
    }
    const std::string differs =
        machine_difference(machine_facts(samples_.context), machine_facts(results.context));
    if (differs.empty()) return;
    throw std::runtime_error(visible_text(
        fmt::format("{}: of another machine than {} ({}): give files of one machine for each side",
                    file, samples_.files.front(), differs)));
  }

  /// Medians of the repetitions of each round.
  Samples finish() {
    if (!samples_.staged) number_rounds();
    std::sort(repetitions_.begin(), repetitions_.end(),
              [](const Repetition& a, const Repetition& b) {
                return std::tie(a.row, a.moment, a.number) < std::tie(b.row, b.moment, b.number);
              });
    std::vector<double> seconds;
    for (auto begin = repetitions_.begin(); begin != repetitions_.end();) {
      auto end = begin;
      seconds.clear();
      for (; end != repetitions_.end() && end->row == begin->row && end->moment == begin->moment;
           ++end) {
        if (end != begin && end->number >= 0 && end->number == std::prev(end)->number) {
          refuse_twice(*end);
        }
        seconds.push_back(end->seconds);
      }
      rows_[begin->row]->rounds.emplace_back(begin->moment, median(seconds));
      begin = end;
    }
    return std::move(samples_);
  }

 private:
  void number_rounds() {
    std::map<Moment, int> numbers;
    for (const Moment& moment : moments_) {
      numbers.emplace_hint(numbers.end(), moment, static_cast<int>(numbers.size()));
    }
    for (Repetition& repetition : repetitions_) {
      repetition.moment = {0, Stage::screening, numbers.at(repetition.moment)};
    }
    samples_.rounds = numbers.size();
  }

  void take(const Row& row, int file, const Place& place) {
    Moment moment{file, Stage::screening, row.round.value_or(0)};
    for (const auto& [key, text] : row.texts) {
      if (key == "arm") check_arm(text, place);
      if (key == "stage") moment.stage = stage_of(text, place);
    }
    // A round in which every row failed is one, too.
    if (moments_.empty() || moment != last_moment_) moments_.insert(moment);
    last_moment_ = moment;
    const std::uint32_t index = index_of(row.name);
    ArmRow& known = *rows_[index];
    if (row.failure) {
      take_failure(row, known);
      return;
    }
    if (!timed_[index]) known.calls = row.iterations;
    timed_[index] = true;
    known.calls = std::min(known.calls, row.iterations);
    for (const auto& [counter, value] : row.counters) {
      ExactValue& exact = known.exact.try_emplace(counter, ExactValue{value, value}).first->second;
      exact.least = std::min(exact.least, value);
      exact.most = std::max(exact.most, value);
    }
    repetitions_.push_back({index, row.repetition, moment, *row.seconds});
  }

  std::uint32_t index_of(const std::string& name) {
    const auto next = static_cast<std::uint32_t>(rows_.size());
    if (const auto found = index_.find(name); found != index_.end()) return found->second;
    const auto row = samples_.rows.try_emplace(name).first;
    index_.emplace(row->first, next);
    rows_.push_back(&row->second);
    timed_.push_back(false);
    return next;
  }

  /// The first one; an error rather than a skip, so that the order of rows makes no difference.
  static void take_failure(const Row& row, ArmRow& known) {
    if (!known.failure.empty() && (!known.skipped || row.skipped)) return;
    known.failure = *row.failure;
    known.skipped = row.skipped;
  }

  void check_arm(const std::string& text, const Place& place) const {
    if (text == arm_word(arm_)) return;
    place.at("arm").fail(fmt::format("is \"{}\", but this file was given as {}: exchange them",
                                     text, arm_word(arm_)));
  }

  Stage stage_of(const std::string& text, const Place& place) {
    samples_.staged = true;
    for (const Stage stage : {Stage::screening, Stage::confirmation}) {
      if (text == stage_word(stage)) return stage;
    }
    place.at("stage").fail(fmt::format("is \"{}\": screening and confirmation are known", text));
  }

  [[noreturn]] void refuse_twice(const Repetition& repetition) const {
    const auto name = std::find_if(index_.begin(), index_.end(), [&](const auto& entry) {
      return entry.second == repetition.row;
    });
    throw std::runtime_error(visible_text(fmt::format(
        "{}: \"{}\" is there twice (round {}, repetition {}): two runs were mixed",
        samples_.files.size() == 1 ? samples_.files.front() : std::string(arm_word(arm_)),
        shortened(name->first, 120), repetition.moment.round, repetition.number)));
  }

  Arm arm_;
  RowKeys keys_;
  Samples samples_;
  std::unordered_map<std::string_view, std::uint32_t> index_;  ///< of names in samples_.rows
  std::vector<ArmRow*> rows_;
  std::vector<bool> timed_;  ///< some repetition of that row has a time
  std::set<Moment> moments_;
  Moment last_moment_;
  std::vector<Repetition> repetitions_;
};

}  // namespace

std::string_view arm_word(Arm arm) { return arm == Arm::base ? "base" : "head"; }

std::string_view stage_word(Stage stage) {
  return stage == Stage::screening ? "screening" : "confirmation";
}

Samples screening_alone(Samples samples) {
  std::map<Moment, int> numbers;
  for (auto& [name, row] : samples.rows) {
    std::erase_if(row.rounds,
                  [](const auto& round) { return round.first.stage == Stage::confirmation; });
    for (const auto& [moment, seconds] : row.rounds) numbers.emplace(moment, 0);
  }
  int next = 0;
  for (auto& [moment, number] : numbers) number = next++;
  for (auto& [name, row] : samples.rows) {
    for (auto& [moment, seconds] : row.rounds) moment = {0, Stage::screening, numbers.at(moment)};
  }
  samples.staged = false;
  samples.rounds = numbers.size();
  return samples;
}

PairedRounds pair_rounds(const ArmRow& base, const ArmRow& head) {
  PairedRounds pairs;
  for_each_pair(base, head, [&](const Moment& moment, double before, double after) {
    (moment.stage == Stage::screening ? pairs.screening : pairs.confirmation)
        .push_back(std::log(after) - std::log(before));  // the ratio itself may overflow
  });
  return pairs;
}

const std::vector<ExactCounter>& default_exact_counters() {
  static const std::vector<ExactCounter> kCounters = {{"flops", 0},
                                                      {"kernel_launches", 0},
                                                      {"bytes_copied", 0},
                                                      {"allocations", 0},
                                                      {"allocs_per_iter", 0}};
  return kCounters;
}

Samples read_samples(const std::vector<std::filesystem::path>& files, Arm arm,
                     const std::vector<ExactCounter>& exact) {
  Reader reader(arm, exact);
  std::set<std::filesystem::path> given;
  for (const std::filesystem::path& file : files) {
    std::error_code ignored;
    const std::filesystem::path canonical = std::filesystem::weakly_canonical(file, ignored);
    if (!given.insert(ignored ? file.lexically_normal() : canonical).second) {
      throw std::runtime_error(visible_text(
          fmt::format("{}: given twice as {}: a round is a run of its own, measured once",
                      file.string(), arm_word(arm))));
    }
    reader.read(read_text(file, "a results JSON file"), file.string());
  }
  return reader.finish();
}

Samples parse_samples(std::string_view text, const std::string& file, Arm arm,
                      const std::vector<ExactCounter>& exact) {
  Reader reader(arm, exact);
  reader.read(text, file);
  return reader.finish();
}

}  // namespace breakeven::gate
