#include "tools/gate/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "reports/results.h"
#include "reports/text.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/process.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

/// Lines of `text` that could be names of rows.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

/// The last line of errors that isn't Google Benchmark's word about its own build.
std::string last_words(const std::string& errors) {
  const std::vector<std::string> lines = lines_of(errors);
  const auto found = std::find_if(lines.rbegin(), lines.rend(), [](const std::string& line) {
    return !line.starts_with("***WARNING***");
  });
  return found == lines.rend() ? std::string() : last_line(*found);
}

/// "ended by signal 6 (SIGABRT): last words", or "" where it ended well.
std::string trouble_of(const Process& process) {
  const Ending& ending = *process.ending();
  if (ending.signal == 0 && ending.exit_code == 0) return {};
  const std::string words = last_words(process.errors());
  std::string how = describe(ending);
  how.replace(0, std::string("worker").size(), "the process");
  return words.empty() ? how : fmt::format("{}: {}", how, words);
}

/// Moves what has come by the event pipe behind `text`.
void take_output(Process& process, std::string& text) {
  for (const std::string& line : process.take_events()) {
    text += line;
    text += '\n';
  }
}

std::string run_name(const json& row, const Place& place) {
  return text_at(row, row.contains("run_name") ? "run_name" : "name", place);
}

bool is_aggregate(const json& row) { return row.value("run_type", json()) == "aggregate"; }

/// A counter without a value is absent; a row without a time has failed.
void drop_nulls(json& row) {
  const bool timeless = row.contains("real_time") && row["real_time"].is_null();
  for (auto entry = row.begin(); entry != row.end();) {
    entry = entry->is_null() ? row.erase(entry) : std::next(entry);
  }
  if (!timeless) return;
  row["error_occurred"] = true;
  row["error_message"] = "its time is no number";
}

/// A program may register one row twice, or in two ways that are one row here (`f` and
/// `f/real_time`): these are more repetitions of it.
void number_repetitions(std::vector<json>& rows) {
  std::map<std::string, int> repetitions;
  for (json& row : rows) {
    const json name = row.value(row.contains("run_name") ? "run_name" : "name", json());
    row["repetition_index"] = repetitions[case_identity(name.get<std::string>())]++;
  }
}

/// "nan", "-nan", "inf", "-inf", "Infinity": what no JSON number is.
bool is_no_number(std::string word) {
  if (word.starts_with('-') || word.starts_with('+')) word.erase(0, 1);
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word == "nan" || word == "inf" || word == "infinity";
}

/// Google Benchmark writes counters that have no value as bare words, which are not JSON.
std::string without_bare_words(std::string text) {
  bool in_text = false;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_text = !in_text;
    if (in_text && c == '\\') {
      out += text.substr(i++, 2);
      continue;
    }
    if (!in_text && c == ':') {
      const std::size_t word = std::min(text.find_first_not_of(' ', i + 1), text.size());
      const std::size_t end = std::min(text.find_first_of(",}\r\n ", word), text.size());
      if (end - word < 12 && is_no_number(text.substr(word, end - word))) {
        out += ": null";
        i = end - 1;
        continue;
      }
    }
    out += c;
  }
  return out;
}

}  // namespace

std::string exact_filter(const std::vector<std::string>& names) {
  std::string filter = "^(";
  for (const std::string& name : names) {
    if (filter.size() > 2) filter += '|';
    for (const char c : name) {
      if (std::string_view(R"(.*+?()[]{}^$|\)").find(c) != std::string_view::npos) filter += '\\';
      filter += c;
    }
  }
  return filter + ")$";
}

ProgramRun parse_program_output(const std::string& text, const std::string& program) {
  const Place place{program + " (what it wrote)", ""};
  json document = parse_json(without_bare_words(text), place);
  if (!document.is_object() || !document.contains("benchmarks") ||
      !document["benchmarks"].is_array()) {
    place.fail("is not Google Benchmark's JSON: \"benchmarks\" is missing");
  }
  ProgramRun run;
  if (document.contains("context") && document["context"].is_object()) {
    run.context = std::move(document["context"]);
  }
  std::set<std::string> repeated;
  for (const json& row : document["benchmarks"]) {
    if (!row.is_object()) place.at("benchmarks").fail("holds something that is not an object");
    const std::string name = run_name(row, place.at("benchmarks"));
    if (!is_aggregate(row)) repeated.insert(name);
  }
  for (json& row : document["benchmarks"]) {
    if (is_aggregate(row)) {
      if (repeated.contains(run_name(row, place)) ||
          row.value("aggregate_name", json()) != "median") {
        continue;
      }
      row["run_type"] = "iteration";
      row["repetition_index"] = 0;
      for (const char* key : {"iterations", "aggregate_name", "aggregate_unit"}) row.erase(key);
    }
    drop_nulls(row);
    run.rows.push_back(std::move(row));
  }
  number_repetitions(run.rows);
  return run;
}

Program::Program(std::string path, std::vector<std::string> arguments, const std::string& filter,
                 ProgramSettings settings)
    : path_(std::move(path)), arguments_(std::move(arguments)), settings_(settings) {
  std::vector<std::string> wanted;
  if (!filter.empty()) wanted.push_back("--benchmark_filter=" + filter);
  const std::vector<std::string> names = list(wanted);
  if (!names.empty() && names.front().starts_with("--benchmark")) {
    throw std::runtime_error(fmt::format(
        "{}: repeats its flags instead of listing rows: no Google Benchmark program", path_));
  }
  for (const std::string& name : names) {
    std::vector<std::string>& listed = listed_[case_identity(name)];
    if (listed.empty()) rows_.push_back(case_identity(name));
    listed.push_back(name);
  }
  if (names.empty() && filter.empty()) {
    throw std::runtime_error(fmt::format("{}: lists no benchmarks", path_));
  }
  // A version that doesn't know the suffix says so instead of listing.
  wanted.push_back(fmt::format("--benchmark_min_time={}s", settings_.min_time_seconds));
  try {
    min_time_suffix_ = list(wanted) == names ? "s" : "";
  } catch (const std::runtime_error&) {
    min_time_suffix_ = "";
  }
}

std::vector<std::string> Program::list(const std::vector<std::string>& more) const {
  std::vector<std::string> command = {path_};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  command.push_back("--benchmark_list_tests=true");
  command.insert(command.end(), more.begin(), more.end());
  const Finished finished = run_all({command}, settings_.timeout).front();
  const std::string refusal = last_line(finished.errors);
  if (finished.timed_out) {
    throw std::runtime_error(
        fmt::format("{}: does not answer --benchmark_list_tests within --timeout ({:g} s)", path_,
                    std::chrono::duration<double>(settings_.timeout).count()));
  }
  if (finished.ending.signal != 0 || finished.ending.exit_code != 0) {
    throw std::runtime_error(
        fmt::format("{}: --benchmark_list_tests failed{}{}; is it a Google Benchmark program?",
                    path_, refusal.empty() ? "" : ": ", visible_text(refusal)));
  }
  // Google Benchmark tells a filter that doesn't compile, or matches nothing, on either stream.
  std::vector<std::string> lines = lines_of(finished.output);
  std::erase_if(lines, [](const std::string& line) {
    return line.starts_with("Failed to match any benchmarks");
  });
  if (lines.empty() && refusal.find("compile") != std::string::npos) {
    throw std::runtime_error(fmt::format("{}: {}", path_, visible_text(refusal)));
  }
  return lines;
}

ProgramRun Program::run(const std::vector<std::string>& rows,
                        const InterruptGuard& interrupt) const {
  return execute(rows, settings_.repetitions, settings_.min_time_seconds, interrupt);
}

ProgramRun Program::try_out(const std::vector<std::string>& rows,
                            const InterruptGuard& interrupt) const {
  return execute(rows, 1, 1e-6, interrupt);
}

ProgramRun Program::execute(const std::vector<std::string>& rows, int repetitions, double min_time,
                            const InterruptGuard& interrupt) const {
  std::vector<std::string> names;
  for (const std::string& row : rows) {
    const auto found = listed_.find(row);
    if (found != listed_.end())
      names.insert(names.end(), found->second.begin(), found->second.end());
  }
  std::vector<std::string> command = {path_};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  command.insert(command.end(),
                 {"--benchmark_filter=" + exact_filter(names),
                  fmt::format("--benchmark_repetitions={}", repetitions),
                  fmt::format("--benchmark_min_time={:.9f}{}", min_time, min_time_suffix_),
                  fmt::format("--benchmark_out={}", Process::kEventsPath),
                  "--benchmark_out_format=json", "--benchmark_report_aggregates_only=false"});

  const auto started = Clock::now();
  const auto deadline = started + settings_.timeout;
  Process process(command, Process::Output::discard);
  Process* const only = &process;
  std::string text, trouble;
  while (!process.ending()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const bool over = left.count() <= 0;
    if (over || interrupt.requested()) process.kill();
    if (over)
      trouble = fmt::format("no end within {:g} s",
                            std::chrono::duration<double>(settings_.timeout).count());
    Process::wait({&only, 1}, std::clamp(left, std::chrono::milliseconds(50), settings_.timeout),
                  interrupt.requested() ? -1 : interrupt.descriptor());
    take_output(process, text);
  }
  take_output(process, text);
  if (trouble.empty()) trouble = trouble_of(process);
  ProgramRun run;
  if (trouble.empty()) {
    try {
      run = parse_program_output(text, path_);
    } catch (const std::runtime_error& error) {
      trouble = error.what();
    }
  }
  run.trouble = trouble;
  run.seconds = std::chrono::duration<double>(Clock::now() - started).count();
  run.interrupted = interrupt.requested();
  return run;
}

}  // namespace breakeven::gate
