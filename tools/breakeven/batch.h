// Runs cases in worker processes so that a case that crashes or hangs costs that case only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/breakeven/process.h"
#include "tools/breakeven/worker.h"

namespace breakeven {

enum class Task { measure, verify };
enum class Outcome { measured, verified, skipped, failed };

/// The end of one case.
struct CaseResult {
  std::string name;
  Outcome outcome;
  /// measured: the array of rows, one per repetition. verified: {"error", "tolerance", "method"}.
  /// skipped: {"reason"}. failed: {"reason"}, and "error" and "tolerance" where it is wrong.
  nlohmann::json body;
  int process;     ///< number of the worker process, unique in a run
  double seconds;  ///< from the end of the case before it, or the start of the process
};

enum class Stop { no, after_this_case, now };

/// Hears what a batch does, while it does it.
class BatchListener {
 public:
  virtual ~BatchListener() = default;
  virtual void on_context(const nlohmann::json& context) = 0;
  virtual void on_result(const CaseResult& result) = 0;
  /// A worker ended badly between two cases: no case is to blame, but somebody should know.
  virtual void on_trouble(const std::string& what) = 0;
  /// Asked at least ten times a second; the case that runs when `now` is answered has no result.
  virtual Stop stop() = 0;
  /// A descriptor that becomes readable when stop() is worth asking at once, or -1.
  virtual int wake_descriptor() { return -1; }
};

class BatchRunner {
 public:
  BatchRunner(WorkerSettings settings, Task task, BatchListener& listener, int first_process)
      : settings_(std::move(settings)),
        task_(task),
        listener_(listener),
        next_process_(first_process) {}

  /// Runs `cases` of `module` in this order in a fresh worker; after a crash, a hang (no result
  /// within the case time-out: SIGKILL) or nonsense on the event stream, the rest in another one. A
  /// worker that ends so before it began a case is tried once more before cases are blamed for it.
  /// Every case gets exactly one result, unless the listener stops it: then false.
  bool run(const std::string& module, std::vector<std::string> cases);

  int next_process() const { return next_process_; }

 private:
  struct Attempt;
  std::vector<std::string> command(const std::string& module) const;
  Attempt run_worker(const std::string& module, std::vector<std::string>& pending);
  void take_events(Process& process, Attempt& attempt, std::vector<std::string>& pending);
  void handle(const std::string& line, Attempt& attempt, std::vector<std::string>& pending);
  void finish(Attempt& attempt, std::vector<std::string>& pending, const std::string& name,
              Outcome outcome, nlohmann::json body);

  WorkerSettings settings_;
  Task task_;
  BatchListener& listener_;
  int next_process_;
};

}  // namespace breakeven
