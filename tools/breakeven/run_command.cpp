// breakeven run: from the plan to the results file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

#include "reports/text.h"
#include "tools/breakeven/answer_folder.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/results_file.h"
#include "tools/breakeven/suite.h"
#include "tools/breakeven/summary.h"

namespace breakeven {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const char* const kDefaultSuite = "quick";

fs::path journal_path(const fs::path& out) { return out.string() + ".journal.ndjson"; }

std::string resume_hint(const RunOptions& options) {
  return fmt::format("{} run --resume --out {}", shell_word(options.program),
                     shell_word(options.out.string()));
}

/// Finds out before anything is measured whether the results can be written.
void check_output(const fs::path& out) {
  std::error_code ignored;
  const auto fail = [&](const std::string& why) {
    throw std::runtime_error(fmt::format("--out {}: {}", out.string(), why));
  };
  const fs::path directory = out.has_parent_path() ? out.parent_path() : fs::path(".");
  if (!out.has_filename()) fail("name a file, not a directory");
  if (!fs::is_directory(directory, ignored)) {
    fail(fmt::format("there is no directory {}; create it first", directory.string()));
  }
  if (fs::exists(out, ignored) && !fs::is_regular_file(out, ignored)) {
    fail("not a regular file; name one that can be replaced");
  }
  const std::string probe = fmt::format("{}.{}.probe", out.string(), getpid());
  const FileDescriptor file(open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.open()) {
    fail(fmt::format("can't be written: {}; choose another directory", std::strerror(errno)));
  }
  unlink(probe.c_str());
}

/// An earlier run into the same file.
struct Earlier {
  json plan;              ///< null where there is none
  bool complete = false;  ///< its results are written, nothing is left to measure
  bool failed = false;    ///< of a complete one: whether a case failed
};

Earlier earlier_run(const fs::path& out) {
  Earlier earlier;
  if (fs::exists(journal_path(out))) {
    earlier.plan = read_journal(journal_path(out), [](const json&) {});
    return earlier;
  }
  std::ifstream file(out);
  if (!file) return earlier;
  const json results = json::parse(file, nullptr, false);
  if (!results.is_object() || !results.contains("breakeven") ||
      !results["breakeven"].contains("plan")) {
    throw std::runtime_error(fmt::format(
        "--resume: no unfinished run, and {} was not written by `breakeven run`; leave out "
        "--resume to measure anew",
        out.string()));
  }
  earlier.plan = results["breakeven"]["plan"];
  earlier.complete = true;
  for (const json& row : results.value("benchmarks", json::array())) {
    earlier.failed = earlier.failed || row.value("error_occurred", false);
  }
  return earlier;
}

/// What was not given on the command line is taken from the run that is taken up.
RunOptions with_plan(RunOptions options, const json& plan) {
  const bool own_selection = options.suite || options.filter || !options.shapes.empty();
  if (!own_selection) {
    if (!plan.value("suite", "").empty()) options.suite = plan["suite"].get<std::string>();
    if (!plan.value("filter", "").empty()) options.filter = plan["filter"].get<std::string>();
    for (const json& file : plan.value("shapes", json::array())) {
      options.shapes.push_back(file.at("path").get<std::string>());
    }
  }
  if (!options.threads && plan.value("threads", json()).is_number()) {
    options.threads = plan["threads"].get<int>();
  }
  if (!options.case_timeout_seconds && plan.value("case_timeout_seconds", 0.0) > 0) {
    options.case_timeout_seconds = plan["case_timeout_seconds"].get<double>();
  }
  if (!options.seed) options.seed = plan.value("seed", std::uint64_t{1});
  return options;
}

struct Prepared {
  Plan plan;
  WorkerSettings settings;
  Catalog catalog;
  std::vector<ListedCase> selected, runnable;
};

/// Everything about a run that is known before its first round.
Prepared prepare(const RunOptions& options, const json& old_plan) {
  Prepared run;
  run.settings.executable = find_worker();
  const bool narrowed = options.filter || !options.shapes.empty();
  const std::optional<std::string> named =
      options.suite ? options.suite
                    : (narrowed ? std::nullopt : std::optional<std::string>(kDefaultSuite));
  const Suite suite = find_suite(named.value_or(kDefaultSuite));

  Plan& plan = run.plan;
  plan.suite = named.value_or("");
  plan.filter = options.filter.value_or("");
  for (const std::string& file : options.shapes) plan.shapes.push_back(describe_shapes(file));
  plan.threads = options.threads;
  plan.seed = options.seed.value_or(1);
  plan.rounds = options.rounds.value_or(old_plan.value("rounds", suite.rounds));
  plan.max_rounds = options.rounds.value_or(old_plan.value("max_rounds", suite.max_rounds));
  plan.repetitions = suite.repetitions;
  plan.min_batch_seconds = suite.min_batch_seconds;
  plan.half_width = suite.half_width;

  WorkerSettings& settings = run.settings;
  settings.threads = plan.threads;
  settings.seed = plan.seed;
  settings.repetitions = plan.repetitions;
  settings.min_batch_seconds = plan.min_batch_seconds;
  plan.case_timeout_seconds =
      options.case_timeout_seconds.value_or(named ? suite.case_timeout : kCaseTimeoutSeconds);
  settings.case_timeout =
      std::chrono::milliseconds(static_cast<long long>(1000 * plan.case_timeout_seconds));
  for (const ShapesFile& file : plan.shapes) settings.shapes.emplace_back(file.path);

  run.catalog = load_catalog(settings);
  print_refused(run.catalog);
  Wanted wanted{.filter = plan.filter, .user_shapes = !plan.shapes.empty()};
  if (named) wanted.rows = suite.rows;
  wanted.rows_name = named ? "--suite " + *named : "--shapes";
  run.selected = select_cases(run.catalog, wanted);
  std::copy_if(run.selected.begin(), run.selected.end(), std::back_inserter(run.runnable),
               [](const ListedCase& listed) { return listed.unsupported.empty(); });
  const json context = load_context(settings);
  plan.machine = context.value("cpu.model", "");
  plan.build = context.value("git.commit", "");
  plan.cases = run.runnable.size();
  std::string names;
  for (const ListedCase& listed : run.runnable) names += listed.name + "\n";
  plan.cases_hash = hash_text(names);
  return run;
}

/// The command that does the same again.
std::string reproducing_command(const Plan& plan) {
  std::string command = "breakeven run";
  const auto add = [&](const std::string& flag, const std::string& value) {
    command += " " + flag + " " + shell_word(value);
  };
  if (!plan.suite.empty()) add("--suite", plan.suite);
  if (!plan.filter.empty()) add("--filter", plan.filter);
  for (const ShapesFile& file : plan.shapes) add("--shapes", file.path);
  if (plan.threads) add("--threads", std::to_string(*plan.threads));
  const Suite suite = find_suite(plan.suite.empty() ? kDefaultSuite : plan.suite);
  if (suite.max_rounds != plan.max_rounds) add("--rounds", std::to_string(plan.max_rounds));
  if (plan.seed != 1) add("--seed", std::to_string(plan.seed));
  return command;
}

/// An unfinished run that nobody asked to go on with is kept beside the new one.
void move_aside(const fs::path& journal, Progress& progress) {
  if (!fs::exists(journal)) return;
  Journal::require_free(journal);
  fs::path aside = journal.string() + ".old";
  for (int number = 2; fs::exists(aside); ++number) {
    aside = fmt::format("{}.old.{}", journal.string(), number);
  }
  fs::rename(journal, aside);
  progress.note("An unfinished run lay there; rename its journal back to take it up:");
  progress.note(aside.string());
}

/// What the budget left no time for at all, by name as far as they fit.
void print_unreached(const std::vector<CaseState>& cases, std::size_t unreached) {
  constexpr std::size_t kMostNames = 10;
  std::size_t named = 0;
  for (const CaseState& state : cases) {
    if (state.dropped() || !state.rounds.empty() || named == kMostNames) continue;
    fmt::print("not reached: {}\n", state.listed.name);
    ++named;
  }
  if (unreached > named) fmt::print("not reached: {} more\n", unreached - named);
}

/// What only a try could tell; `breakeven list` knows the others.
void print_skipped(const std::vector<CaseState>& cases) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const CaseState& state : cases) {
    if (state.skip) by_reason[*state.skip].push_back(state.listed.name);
  }
  for (const auto& [reason, names] : by_reason) {
    const std::string more =
        names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : std::string();
    fmt::print("skipped  {}{}\n         {}\n", names.front(), more, wrapped(reason, 9, 9));
  }
}

void print_outcome(const Prepared& run, const Measurement& measurement, const fs::path& out) {
  const std::vector<CaseState>& cases = measurement.cases();
  std::size_t failed = 0, measured = 0, tried_in_vain = 0, unreached = 0;
  for (const CaseState& state : cases) {
    failed += state.failure ? 1 : 0;
    tried_in_vain += state.skip ? 1 : 0;
    measured += !state.dropped() && !state.rounds.empty() ? 1 : 0;
    unreached += !state.dropped() && state.rounds.empty() ? 1 : 0;
  }
  fmt::print("\n{}\n", summary_table(cases));
  for (const CaseState& state : cases) {
    if (!state.failure) continue;
    fmt::print("FAILED  {}\n        {}\n", state.listed.name, wrapped(*state.failure, 8, 8));
  }
  print_skipped(cases);
  print_unreached(cases, unreached);
  for (const ListedModule& module : run.catalog.modules) {
    if (module.unavailable.empty()) continue;
    const std::string head = fmt::format("unavailable: {}: ", module.name);
    fmt::print("{}{}\n", head, wrapped(module.unavailable, 13, head.size()));
  }
  const std::size_t listed = run.selected.size() - run.runnable.size();
  const std::string counts =
      fmt::format("{} cases measured, {} failed, {} skipped{}{}{}", measured, failed,
                  listed + tried_in_vain, listed > 0 ? " (`breakeven list` says why)" : "",
                  unreached > 0 ? fmt::format(", {} not reached", unreached) : std::string(),
                  refused_text(run.catalog));
  fmt::print("{}\n", wrapped(counts, 2));
  fmt::print("results: {}\n", out.string());
}

/// Of a run that a budget ended the journal stays, for --resume.
int finish(const Prepared& run, const Measurement& measurement, const Journal& journal,
           const RunOptions& options, bool complete) {
  write_results(
      options.out, journal.path(),
      run_notes(run.plan, reproducing_command(run.plan), run.catalog, run.selected, measurement));
  if (complete) fs::remove(journal.path());
  print_outcome(run, measurement, options.out);
  if (!complete) fmt::print("ended by --budget; go on with: {}\n", resume_hint(options));
  const bool failed = std::any_of(measurement.cases().begin(), measurement.cases().end(),
                                  [](const CaseState& state) { return state.failure.has_value(); });
  return failed || !run.catalog.refused.empty() ? kExitFailed : kExitFine;
}

bool anything_known(const Measurement& measurement) {
  return std::any_of(
      measurement.cases().begin(), measurement.cases().end(),
      [](const CaseState& state) { return state.dropped() || !state.rounds.empty(); });
}

/// Starts the journal, or takes up the one that there is.
Journal open_journal(const fs::path& path, const json& old_plan, const Plan& plan,
                     Measurement& measurement) {
  if (old_plan.is_null()) return Journal::create(path, to_json(plan));
  Journal journal = Journal::take_up(path);
  read_journal(path, [&](const json& record) { measurement.replay(record); });
  return journal;
}

int measure(const Prepared& run, const json& old_plan, const RunOptions& options,
            const InterruptGuard& interrupt, Progress& progress) {
  const StoppingRule rule = {run.plan.rounds, run.plan.max_rounds, run.plan.half_width};
  Measurement measurement(run.catalog, run.runnable, rule, run.settings, progress, interrupt);
  Journal journal = open_journal(journal_path(options.out), old_plan, run.plan, measurement);
  measurement.keep_in(journal);
  // Whoever holds the journal holds the folder.
  const AnswerFolder answers(options.out.string() + ".answers");
  try {
    const auto end = measurement.run(options.budget_seconds);
    progress.clear();
    if (end == Measurement::End::interrupted) {
      fmt::print(stderr, "breakeven: interrupted; what is finished is kept; go on with: {}\n",
                 resume_hint(options));
      return kExitInterrupted;
    }
    const bool complete = end == Measurement::End::complete;
    if (complete || anything_known(measurement)) {
      return finish(run, measurement, journal, options, complete);
    }
  } catch (const std::runtime_error& error) {
    progress.clear();
    throw std::runtime_error(fmt::format("{}; what is finished is kept in {}; go on with: {}",
                                         error.what(), journal.path().string(),
                                         resume_hint(options)));
  }
  fs::remove(journal.path());
  throw std::runtime_error("--budget: over before a single case was measured; give more time");
}

}  // namespace

int run_command(const RunOptions& options) {
  const InterruptGuard interrupt;
  Progress progress(stderr);
  const fs::path& out = options.out;
  check_output(out);
  const Earlier earlier = options.resume ? earlier_run(out) : Earlier{};
  const bool taking_up = !earlier.plan.is_null();
  const Prepared run = interruptible(interrupt, [&] {
    return prepare(taking_up ? with_plan(options, earlier.plan) : options,
                   taking_up ? earlier.plan : json::object());
  });
  const std::string differs =
      taking_up ? difference(earlier.plan, to_json(run.plan)) : std::string();
  if (!differs.empty()) {
    throw std::runtime_error(fmt::format(
        "--resume: the run in {} is another one ({}); resume it with its own options, or leave out "
        "--resume",
        out.string(), differs));
  }
  if (earlier.complete) {
    fmt::print("{}: complete already; leave out --resume to measure anew\n", out.string());
    return earlier.failed || !run.catalog.refused.empty() ? kExitFailed : kExitFine;
  }
  if (options.resume && !taking_up) progress.note("Nothing to resume: a new run begins.");
  if (!options.resume) move_aside(journal_path(out), progress);
  return measure(run, earlier.plan, options, interrupt, progress);
}

}  // namespace breakeven
