#include "tools/breakeven/batch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "tools/breakeven/lines.h"
#include "tools/breakeven/process.h"

namespace breakeven {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// What a worker may take to leave once its last case is done.
constexpr std::chrono::seconds kExitTimeout(10);

/// The worker said something that is not its protocol.
class ProtocolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Rows that later readers may trust: named as the case, with a finite, positive time each.
void check_rows(const std::string& name, const json& rows) {
  if (!rows.is_array() || rows.empty()) throw ProtocolError("rows of a case must not be empty");
  for (const json& row : rows) {
    if (row.value("name", "") != name) throw ProtocolError("a row bears another case's name");
    if (!row.contains("real_time") || !row["real_time"].is_number() ||
        !(row["real_time"].get<double>() > 0)) {
      throw ProtocolError("a row has no positive real_time");
    }
  }
}

/// Why a case failed, out of the event that says so; a verdict with its figures, so that nobody has
/// to look them up.
json failure(const json& event) {
  json body = {{"reason", event.value("reason", "no reason given")}};
  for (const char* key : {"error", "tolerance"}) {
    if (event.contains(key) && event[key].is_number()) body[key] = event[key];
  }
  const std::string reason = body["reason"].get<std::string>();
  const bool told = reason.find("limit") != std::string::npos;
  if (body.contains("error") && body.contains("tolerance") && !told) {
    body["reason"] = fmt::format("{} (error {:.3g}, limit {:.3g})", reason,
                                 body["error"].get<double>(), body["tolerance"].get<double>());
  }
  return body;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// One worker process from its start to its end.
struct BatchRunner::Attempt {
  std::string current;                     ///< the case that it said it started, or ""
  std::string trouble;                     ///< why its end blames the current case, or ""
  Clock::time_point since = Clock::now();  ///< the last sign of progress
  Clock::time_point began = Clock::now();  ///< the end of the case before, or its own start
  bool progressed = false;                 ///< a case ended in it
  bool stopped = false;
};

void BatchRunner::finish(Attempt& attempt, std::vector<std::string>& pending,
                         const std::string& name, Outcome outcome, json body) {
  const auto found = std::find(pending.begin(), pending.end(), name);
  if (found == pending.end()) throw ProtocolError(fmt::format("a result of \"{}\"", name));
  pending.erase(found);
  const double seconds = seconds_since(attempt.began);
  attempt.began = attempt.since = Clock::now();
  attempt.progressed = true;
  attempt.current.clear();
  listener_.on_result({name, outcome, std::move(body), next_process_, seconds});
}

void BatchRunner::handle(const std::string& line, Attempt& attempt,
                         std::vector<std::string>& pending) {
  json event = json::parse(line, nullptr, false);
  if (!event.is_object() || !event.contains("event") || !event["event"].is_string()) {
    throw ProtocolError("a line that is not an event: " + last_line(line).substr(0, 80));
  }
  attempt.since = Clock::now();
  const std::string kind = event["event"].get<std::string>();
  const std::string name = event.value("case", "");
  if (kind == "context") {
    listener_.on_context(event.value("context", json::object()));
  } else if (kind == "start") {
    attempt.current = name;
  } else if (kind == "rows") {
    check_rows(name, event.value("rows", json()));
    finish(attempt, pending, name, Outcome::measured, std::move(event["rows"]));
  } else if (kind == "verified") {
    // The worker judges; a verdict without its figures, or against them, is not believed.
    const json error = event.value("error", json()), limit = event.value("tolerance", json());
    const bool right =
        error.is_number() && limit.is_number() && error.get<double>() <= limit.get<double>();
    if (!right) event["reason"] = "wrong answer";
    finish(attempt, pending, name, right ? Outcome::verified : Outcome::failed,
           right ? event : failure(event));
  } else if (kind == "skip") {
    finish(attempt, pending, name, Outcome::skipped,
           {{"reason", event.value("reason", "no reason given")}});
  } else if (kind == "error") {
    finish(attempt, pending, name, Outcome::failed, failure(event));
  }
  // "end", and events of a newer worker, ask nothing of us.
}

std::vector<std::string> BatchRunner::command(const std::string& module) const {
  std::vector<std::string> command = worker_command(settings_);
  command.push_back("--module=" + module);
  command.push_back(fmt::format("--cases={}", Process::kTextPath));
  command.push_back(fmt::format("--events={}", Process::kEventsPath));
  if (task_ == Task::verify) {
    command.push_back("--verify");
  } else {
    command.push_back(fmt::format("--benchmark_repetitions={}", settings_.repetitions));
    command.push_back(fmt::format("--benchmark_min_time={}", settings_.min_batch_seconds));
  }
  return command;
}

void BatchRunner::take_events(Process& process, Attempt& attempt,
                              std::vector<std::string>& pending) {
  try {
    for (const std::string& line : process.take_events()) {
      const std::size_t before = pending.size();
      handle(line, attempt, pending);
      const bool ended = pending.size() < before && !pending.empty();
      if (ended && listener_.stop() == Stop::after_this_case) {
        attempt.stopped = true;  // the case after it has only just begun
        return;
      }
    }
  } catch (const ProtocolError& error) {
    attempt.trouble = fmt::format("the worker broke its protocol: {}", error.what());
  } catch (const json::exception& error) {
    attempt.trouble = fmt::format("the worker broke its protocol: {}", last_line(error.what()));
  }
}

BatchRunner::Attempt BatchRunner::run_worker(const std::string& module,
                                             std::vector<std::string>& pending) {
  Attempt attempt;
  Process process(command(module), Process::Output::discard,
                  fmt::format("{}\n", fmt::join(pending, "\n")));
  Process* const waited[] = {&process};
  while (!process.ending()) {
    Process::wait(waited, std::chrono::milliseconds(100), listener_.wake_descriptor());
    take_events(process, attempt, pending);
    if (listener_.stop() == Stop::now) {
      attempt.stopped = true;
      // What it finished since is in the pipe and is kept: the case that it is at is lost, no
      // other.
      process.kill();
      while (!process.ending()) Process::wait(waited, std::chrono::milliseconds(100));
      take_events(process, attempt, pending);
    }
    const auto limit =
        pending.empty() ? std::chrono::milliseconds(kExitTimeout) : settings_.case_timeout;
    if (attempt.trouble.empty() && !process.ending() && Clock::now() - attempt.since > limit) {
      attempt.trouble = fmt::format("no result within {:g} s: worker ended by breakeven",
                                    std::chrono::duration<double>(limit).count());
    }
    if (attempt.stopped || !attempt.trouble.empty()) return attempt;  // and ends the process
  }
  const std::optional<Ending>& ending = process.ending();
  if (ending && (!pending.empty() || ending->signal != 0)) {
    const std::string said = last_line(process.errors());
    attempt.trouble = describe(*ending) + (ending->signal == 0 ? " and no result" : "") +
                      (said.empty() ? "" : ": " + said);
  }
  return attempt;
}

bool BatchRunner::run(const std::string& module, std::vector<std::string> cases) {
  int fruitless = 0;  // workers in a row that ended no case at all
  while (!cases.empty()) {
    if (listener_.stop() != Stop::no) return false;
    Attempt attempt = run_worker(module, cases);
    if (attempt.stopped) return false;
    // Nobody can be blamed for the end of a worker that no case had begun in: another one is tried,
    // after a worker that got nowhere just once.
    const bool between = !attempt.trouble.empty() && attempt.current.empty();
    if (between && (attempt.progressed || fruitless == 0)) {
      fruitless = attempt.progressed ? 0 : 1;
      listener_.on_trouble(attempt.trouble);
    } else if (!cases.empty()) {
      fruitless = attempt.progressed || !attempt.current.empty() ? 0 : fruitless + 1;
      const bool known = std::find(cases.begin(), cases.end(), attempt.current) != cases.end();
      const std::string blamed = known ? attempt.current : cases.front();
      finish(attempt, cases, blamed, Outcome::failed, {{"reason", attempt.trouble}});
      // A worker that can't even begin will not do better with the other cases.
      while (fruitless >= 2 && !cases.empty()) {
        const std::string name = cases.front();
        finish(attempt, cases, name, Outcome::failed, {{"reason", attempt.trouble}});
      }
    }
    ++next_process_;
  }
  return true;
}

}  // namespace breakeven
