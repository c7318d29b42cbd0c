// breakeven verify: every case once against the reference, no timing.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "tools/breakeven/answer_folder.h"
#include "tools/breakeven/batch.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/interrupt.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/plan.h"
#include "tools/breakeven/progress.h"
#include "tools/breakeven/selection.h"

namespace breakeven {
namespace {

// A worker is replaced after so many cases, so that what one leaves behind in it stays small.
constexpr std::size_t kCasesPerWorker = 64;

class Verification : public BatchListener {
 public:
  Verification(std::size_t total, const InterruptGuard& interrupt)
      : total_(total), interrupt_(interrupt), progress_(stderr) {}

  void on_context(const nlohmann::json&) override {}

  void on_result(const CaseResult& result) override {
    ++counts_[result.outcome];
    if (result.outcome == Outcome::failed) {
      progress_.clear();
      fmt::print("FAILED  {}\n        {}\n", result.name,
                 wrapped(result.body.value("reason", ""), 8, 8));
      std::fflush(stdout);
    } else if (result.outcome == Outcome::skipped) {
      progress_.note(fmt::format("skipped: {}: {}", result.name, result.body.value("reason", "")));
    }
    show();
  }

  void on_trouble(const std::string& what) override {
    progress_.note(fmt::format("between two cases: {}", what));
  }

  Stop stop() override {
    show();
    return interrupt_.requested() ? Stop::now : Stop::no;
  }
  int wake_descriptor() override { return interrupt_.descriptor(); }

  std::size_t count(Outcome outcome) const {
    const auto found = counts_.find(outcome);
    return found == counts_.end() ? 0 : found->second;
  }
  std::size_t done() const {
    return count(Outcome::verified) + count(Outcome::failed) + count(Outcome::skipped);
  }
  void clear() { progress_.clear(); }

 private:
  void show() {
    const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    Position position{.done = done(), .cases = total_};
    position.fraction = static_cast<double>(done()) / static_cast<double>(total_);
    if (done() > 0) position.seconds_left = seconds / position.fraction - seconds;
    progress_.update(position);
  }

  using Clock = std::chrono::steady_clock;
  std::size_t total_;
  const InterruptGuard& interrupt_;
  Progress progress_;
  std::map<Outcome, std::size_t> counts_;
  Clock::time_point started_ = Clock::now();
};

/// Runs all cases, module by module; false where it was interrupted.
bool verify_all(const Catalog& catalog, const std::vector<ListedCase>& selected,
                const WorkerSettings& settings, Verification& verification) {
  std::map<std::size_t, std::vector<std::string>> by_module;
  for (const ListedCase& listed : selected) {
    if (listed.unsupported.empty()) by_module[listed.module].push_back(listed.name);
  }
  BatchRunner runner(settings, Task::verify, verification, 0);
  for (const auto& [module, names] : by_module) {
    for (std::size_t begin = 0; begin < names.size(); begin += kCasesPerWorker) {
      const std::size_t end = std::min(begin + kCasesPerWorker, names.size());
      const auto first = names.begin();
      std::vector<std::string> cases(first + static_cast<std::ptrdiff_t>(begin),
                                     first + static_cast<std::ptrdiff_t>(end));
      if (!runner.run(catalog.modules[module].name, std::move(cases))) return false;
    }
  }
  return true;
}

}  // namespace

int verify_command(const VerifyOptions& options) {
  const InterruptGuard interrupt;
  WorkerSettings settings;
  settings.executable = find_worker();
  settings.threads = options.threads;
  settings.case_timeout =
      std::chrono::milliseconds(static_cast<long long>(1000 * options.case_timeout_seconds));
  for (const std::string& file : options.shapes) {
    settings.shapes.emplace_back(describe_shapes(file).path);
  }
  const Catalog catalog = interruptible(interrupt, [&] { return load_catalog(settings); });
  print_refused(catalog);
  const std::vector<ListedCase> selected =
      select_cases(catalog, {.filter = options.filter, .user_shapes = !options.shapes.empty()});
  std::size_t unsupported = 0;
  for (const ListedCase& listed : selected) unsupported += listed.unsupported.empty() ? 0 : 1;

  const AnswerFolder answers(std::filesystem::temp_directory_path() /
                             fmt::format("breakeven-{}.answers", getpid()));
  Verification verification(selected.size() - unsupported, interrupt);
  const bool complete = verify_all(catalog, selected, settings, verification);
  verification.clear();
  const std::string summary = fmt::format(
      "{} of {} cases right, {} failed, {} skipped{}{}", verification.count(Outcome::verified),
      selected.size(), verification.count(Outcome::failed),
      unsupported + verification.count(Outcome::skipped),
      unsupported > 0 ? " (`breakeven list` says why)" : "", refused_text(catalog));
  fmt::print("{}\n", wrapped(summary, 2));
  for (const ListedModule& module : catalog.modules) {
    if (!module.unavailable.empty()) {
      const std::string head = fmt::format("unavailable: {}: ", module.name);
      fmt::print("{}{}\n", head, wrapped(module.unavailable, 13, head.size()));
    }
  }
  if (!complete) {
    fmt::print(stderr, "breakeven: interrupted\n");
    return kExitInterrupted;
  }
  const bool fine = verification.count(Outcome::failed) == 0 && catalog.refused.empty();
  return fine ? kExitFine : kExitFailed;
}

}  // namespace breakeven
