// breakeven gate run: two builds measured in turns, then judged.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

#include "reports/atomic_file.h"
#include "reports/text.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/journal.h"
#include "tools/breakeven/plan.h"
#include "tools/gate/base_build.h"
#include "tools/gate/commands.h"
#include "tools/gate/deliver.h"
#include "tools/gate/hypothesis.h"
#include "tools/gate/paired_runs.h"
#include "tools/gate/results_files.h"

namespace breakeven::gate {

// Everything of a run that --resume takes up again.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(JudgeFlags, delta, equivalence, strict,
                                                counters_only, exact, accepted, selftest,
                                                base_budgets, head_budgets, today, history, title)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(RunOptions, judge, base, head, base_ref, build,
                                                filter, rounds, confirm, repetitions,
                                                min_time_seconds, timeout_seconds, seed, arguments)

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The directory of a run, held against another `gate run` in it.
class OutputDirectory {
 public:
  explicit OutputDirectory(const fs::path& path) : path_(path) {
    std::error_code error;
    fs::create_directories(path, error);
    lock_ = FileDescriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (error || !lock_.open()) {
      throw std::runtime_error(fmt::format("-o {}: can't be made a directory; choose another place",
                                           visible_text(path.string())));
    }
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      throw std::runtime_error(fmt::format(
          "-o {}: another `gate run` is at work there; wait for it or choose another place",
          visible_text(path.string())));
    }
    for (const char* name : {"base.json", "head.json", "verdict.json", "verdict.md", "junit.xml"}) {
      require_writable(path / name);
    }
  }

  fs::path file(const char* name) const { return path_ / name; }
  fs::path journal() const { return path_ / "journal.ndjson"; }

 private:
  fs::path path_;
  FileDescriptor lock_;
};

/// A hash of a program's bytes: a run is taken up with the very same.
std::string program_hash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return hash_text(std::string{std::istreambuf_iterator<char>(file), {}});
}

std::string resume_hint(const RunOptions& options) {
  return fmt::format("{} gate run --resume -o {}", shell_word(options.program),
                     shell_word(options.out));
}

/// The options of the unfinished run in `out`, with what this command line says of place and name.
RunOptions resumed(const RunOptions& options, const json& plan) {
  RunOptions taken = plan.at("options").get<RunOptions>();
  if (json(options) != json(RunOptions{}) && json(options) != plan.at("options")) {
    throw std::runtime_error(fmt::format(
        "--resume: the run in {} is another one ({}); give --resume and -o alone, or leave out "
        "--resume",
        options.out, difference(plan.at("options"), json(options))));
  }
  taken.out = options.out;
  taken.program = options.program;
  taken.resume = true;
  return taken;
}

/// A run that was given up is kept beside the new one, and those before it, too.
void move_aside(const fs::path& journal, Progress& progress) {
  if (!fs::exists(journal)) return;
  fs::path aside = journal.string() + ".old";
  for (int i = 2; fs::exists(aside); ++i) aside = fmt::format("{}.old{}", journal.string(), i);
  fs::rename(journal, aside);
  progress.note(fmt::format("An unfinished run lay there; its journal is now {}.", aside.string()));
}

class GateRun {
 public:
  GateRun(RunOptions options, const OutputDirectory& directory, const json& old_plan,
          Progress& progress, const InterruptGuard& interrupt)
      : options_(std::move(options)),
        directory_(directory),
        old_plan_(old_plan),
        progress_(progress),
        interrupt_(interrupt) {}

  int run() {
    find_programs();
    const std::map<std::string, int> rows = screening_rounds();
    Journal journal = open_journal();
    PairedRuns runs(*base_, *head_, options_.seed, journal, progress_, interrupt_);
    if (!old_plan_.is_null()) {
      read_journal(directory_.journal(), [&](const json& record) { runs.replay(record); });
    }
    if (!runs.measure(Stage::screening, rows)) return interrupted();
    if (!runs.measure(Stage::confirmation, confirmation_rounds())) return interrupted();
    progress_.clear();
    const int status = judge_results(runs);
    fs::remove(directory_.journal());
    return status;
  }

 private:
  void find_programs() {
    ProgramSettings settings;
    settings.repetitions = options_.repetitions;
    settings.min_time_seconds = options_.min_time_seconds;
    settings.timeout =
        std::chrono::milliseconds(static_cast<long long>(1000 * options_.timeout_seconds));
    if (!options_.base_ref.empty()) {
      const BaseBuild built = build_base(options_.base_ref, options_.build, options_.head,
                                         directory_.file(""), progress_, interrupt_);
      base_path_ = built.program;
      base_commit_ = built.commit;
    } else {
      base_path_ = options_.base;
    }
    interruptible(interrupt_, [&] {
      base_ = std::make_unique<Program>(base_path_, options_.arguments, options_.filter, settings);
      head_ =
          std::make_unique<Program>(options_.head, options_.arguments, options_.filter, settings);
      return true;
    });
    if (base_->rows().empty() && head_->rows().empty()) {
      throw std::runtime_error(
          fmt::format("--filter '{}' matches no row of either program; {} "
                      "--benchmark_list_tests shows what there is",
                      visible_text(options_.filter), shell_word(options_.head)));
    }
    hashes_ = {{"base", program_hash(base_path_)}, {"head", program_hash(options_.head)}};
    if (!old_plan_.is_null() && old_plan_.value("programs", json()) != hashes_) {
      throw std::runtime_error(fmt::format(
          "--resume: the programs are not those that {} was begun with; leave out --resume",
          directory_.journal().string()));
    }
  }

  std::map<std::string, int> screening_rounds() const {
    std::set<std::string> names(base_->rows().begin(), base_->rows().end());
    names.insert(head_->rows().begin(), head_->rows().end());
    const int needed = rounds_needed(names.size(), Margins{}.discovery_rate);
    if (options_.rounds > 0 && options_.rounds < rounds_needed(1, Margins{}.screening_p)) {
      throw std::runtime_error(
          fmt::format("--rounds {}: too few to find any row conspicuous; {} are needed",
                      options_.rounds, rounds_needed(1, Margins{}.screening_p)));
    }
    const int rounds =
        options_.rounds > 0 ? options_.rounds : std::max(kScreeningRounds, needed + 1);
    std::map<std::string, int> rows;
    for (const std::string& name : names) rows[name] = rounds;
    return rows;
  }

  Journal open_journal() {
    if (!old_plan_.is_null()) {
      run_id_ = old_plan_.value("run", "");
      head_commit_ = old_plan_.value("commit", "");
      return Journal::take_up(directory_.journal());
    }
    move_aside(directory_.journal(), progress_);
    // A run that ends without a verdict must not leave an older one to be read.
    for (const char* name : {"verdict.json", "verdict.md", "junit.xml"}) {
      fs::remove(directory_.file(name));
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    run_id_ = hash_text(fmt::format("{} {}", now, getpid()));
    head_commit_ = current_commit();
    return Journal::create(directory_.journal(), {{"gate", 1},
                                                  {"run", run_id_},
                                                  {"options", options_},
                                                  {"programs", hashes_},
                                                  {"commit", head_commit_}});
  }

  std::array<std::string, 2> results() const {
    Facts base = this_machine();
    base["gate.run"] = run_id_;
    base["gate.seed"] = std::to_string(options_.seed);
    Facts head = base;
    base["gate.program"] = base_path_;
    head["gate.program"] = options_.head;
    if (!head_commit_.empty()) head["git.commit"] = head_commit_;
    if (!base_commit_.empty()) base["git.commit"] = base_commit_;
    return results_of(directory_.journal(), {base, head});
  }

  /// Fresh rounds of every conspicuous row, independent of these.
  std::map<std::string, int> confirmation_rounds() const {
    const auto [base_text, head_text] = results();
    const Samples base = parse_samples(base_text, "base", Arm::base, {});
    const Samples head = parse_samples(head_text, "head", Arm::head, {});
    const Margins margins{options_.judge.delta, options_.judge.equivalence};
    const std::set<std::string> too_noisy = judge_options(options_.judge, head.context).too_noisy;
    std::set<std::string> names;
    for (const auto& [name, row] : base.rows) {
      const auto other = head.rows.find(name);
      if (other == head.rows.end() || !row.failure.empty() || !other->second.failure.empty() ||
          too_noisy.contains(name)) {
        continue;
      }
      if (conspicuous(pair_rounds(row, other->second).screening, margins)) names.insert(name);
    }
    // Never fewer than can find one of so many.
    const int rounds = std::max(options_.confirm > 0 ? options_.confirm : kConfirmationRounds,
                                rounds_needed(names.size(), margins.discovery_rate));
    std::map<std::string, int> rows;
    for (const std::string& name : names) rows[name] = rounds;
    return rows;
  }

  int judge_results(const PairedRuns& runs) {
    const auto [base_text, head_text] = results();
    write_file_atomically(directory_.file("base.json"), base_text);
    write_file_atomically(directory_.file("head.json"), head_text);
    const std::vector<ExactCounter> exact = exact_counters(options_.judge);
    const Samples base =
        parse_samples(base_text, directory_.file("base.json").string(), Arm::base, exact);
    const Samples head =
        parse_samples(head_text, directory_.file("head.json").string(), Arm::head, exact);
    JudgeOptions judge_by = judge_options(options_.judge, head.context);
    if (hashes_["base"] == hashes_["head"]) {
      judge_by.remarks.emplace_back(
          "Base and head are the same program, byte for byte: there was nothing to find.");
    }
    Judgement judgement = judge(base, head, judge_by);
    judgement.conditions.redone = runs.redone();
    if (runs.redone() + runs.left_throttled() > 0) {
      judgement.remarks.push_back(fmt::format(
          "One arm alone was throttled in {} pair(s) of processes: {} measured again, {} left.",
          runs.redone() + runs.left_throttled(), runs.redone(), runs.left_throttled()));
    }
    return deliver(judgement, head, options_.judge, directory_.file(""));
  }

  int interrupted() {
    progress_.clear();
    fmt::print(stderr, "breakeven: interrupted; what is finished is kept; go on with: {}\n",
               resume_hint(options_));
    return kExitInterrupted;
  }

  const RunOptions options_;
  const OutputDirectory& directory_;
  const json& old_plan_;
  Progress& progress_;
  const InterruptGuard& interrupt_;
  std::string base_path_, base_commit_, head_commit_, run_id_;
  std::unique_ptr<Program> base_, head_;
  json hashes_;
};

}  // namespace

int run_command(const RunOptions& options) {
  const InterruptGuard interrupt;
  Progress progress(stderr);
  const OutputDirectory directory(options.out);
  json plan;
  if (options.resume) {
    if (!fs::exists(directory.journal())) {
      throw std::runtime_error(fmt::format(
          "--resume: there is no unfinished run in {}; leave out --resume", options.out));
    }
    plan = read_journal(directory.journal(), [](const json&) {});
    if (!plan.is_object() || !plan.contains("options")) {
      throw std::runtime_error(
          fmt::format("--resume: {} is not a journal of `gate run`", directory.journal().string()));
    }
  }
  const RunOptions whole = options.resume ? resumed(options, plan) : options;
  // Whatever is wrong in what the flags name is said before it costs time.
  judge_options(whole.judge, {{"date", "2000-01-01"}});
  try {
    return GateRun(whole, directory, plan, progress, interrupt).run();
  } catch (const Interrupted&) {
    throw;
  } catch (const std::runtime_error& error) {
    progress.clear();
    if (!fs::exists(directory.journal())) throw;
    throw std::runtime_error(fmt::format("{}; what is finished is kept; go on with: {}",
                                         error.what(), resume_hint(whole)));
  }
}

}  // namespace breakeven::gate
