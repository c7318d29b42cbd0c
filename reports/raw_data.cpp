// The data behind the page, column by column: a sample costs some ten bytes instead of a row of
// JSON, so that a report can carry all of them.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "reports/html_parts.h"
#include "reports/json_writer.h"

namespace breakeven {
namespace {

// Six digits: as much as any clock here resolves, and short.
constexpr int kDigits = 6;

// Of the samples that make a round's median, and those as near to it as rounding reaches: the
// page's script computes ratios from medians, which must not differ from ours in a digit that is
// shown.
constexpr int kMedianDigits = 10;
constexpr double kRoundingReach = 1e-5;

// Counters or texts with a column of their own: of files with more kinds, the most frequent ones.
// A column has a place for every case, so that their number must not grow with the cases.
constexpr std::size_t kMostColumns = 64;

// A list or an object that is being written: separates what is put into it.
class List {
 public:
  List(std::string& out, char open) : out_(out), close_(open == '[' ? ']' : '}') { out_ += open; }
  ~List() { out_ += close_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  std::string& next() {
    if (!first_) out_ += ',';
    first_ = false;
    return out_;
  }
  std::string& next(std::string_view key) {
    append_json_text(next(), key);
    return out_ += ':';
  }

 private:
  std::string& out_;
  char close_;
  bool first_ = true;
};

void put(std::string& out, double value) { append_json_number(out, value, kDigits); }
void put(std::string& out, std::string_view text) { append_json_text(out, text); }

template <typename Value>
void put_or_null(std::string& out, const std::optional<Value>& value) {
  if (value) {
    put(out, *value);
  } else {
    out += "null";
  }
}

// The i-th element of a column belongs to the i-th case; null where it has none.
template <typename Put>
void put_column(List& columns, std::string_view key, const std::vector<Case>& cases, Put put_of) {
  List column(columns.next(key), '[');
  for (const Case& c : cases) put_of(column.next(), c);
}

// In nanoseconds.
void put_samples(std::string& out, const std::vector<double>& seconds) {
  std::vector<double> order = seconds;
  std::sort(order.begin(), order.end());
  const double low = order[(order.size() - 1) / 2];
  const double high = order[order.size() / 2];
  List samples(out, '[');
  for (const double value : seconds) {
    const bool decides =
        std::min(std::abs(value - low), std::abs(value - high)) <= kRoundingReach * high;
    append_json_number(samples.next(), value * 1e9, decides ? kMedianDigits : kDigits);
  }
}

// The numbers and processes of a case's rounds.
std::string schedule_json(const Case& c) {
  std::string out;
  {
    List schedule(out, '{');
    {
      List numbers(schedule.next("round"), '[');
      for (const Round& round : c.rounds) put(numbers.next(), round.number);
    }
    List processes(schedule.next("process"), '[');
    for (const Round& round : c.rounds) put_or_null(processes.next(), round.process);
  }
  return out;
}

// Most cases share their schedule, so they are told once: `schedule` is a place in `schedules`.
void put_schedules(List& columns, const std::vector<Case>& cases) {
  std::unordered_map<std::string, std::size_t> places;
  std::vector<std::string> schedules;
  put_column(columns, "schedule", cases, [&](std::string& out, const Case& c) {
    std::string schedule = schedule_json(c);
    const auto [place, added] = places.try_emplace(schedule, places.size());
    if (added) schedules.push_back(std::move(schedule));
    put(out, static_cast<double>(place->second));
  });
  List list(columns.next("schedules"), '[');
  for (const std::string& schedule : schedules) list.next() += schedule;
}

// Counters or texts, each kind a column with null where a case has none; of the kinds beyond
// kMostColumns a list of [case, kind, value] under `rest`.
template <typename Value>
void put_kinds(List& columns, std::string_view key, std::string_view rest,
               const std::vector<Case>& cases, FlatMap<Value> Case::*member) {
  std::unordered_map<std::string_view, std::size_t> counts;
  for (const Case& c : cases) {
    for (const auto& [kind, value] : c.*member) ++counts[kind];
  }
  std::vector<std::pair<std::string_view, std::size_t>> kinds(counts.begin(), counts.end());
  std::sort(kinds.begin(), kinds.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  const bool all = kinds.size() <= kMostColumns;
  if (!all) kinds.resize(kMostColumns);
  std::sort(kinds.begin(), kinds.end());
  {
    List object(columns.next(key), '{');
    for (const auto& [kind, count] : kinds) {
      put_column(object, kind, cases, [&, wanted = kind](std::string& out, const Case& c) {
        const auto found = (c.*member).find(wanted);
        if (found == (c.*member).end()) {
          out += "null";
        } else {
          put(out, found->second);
        }
      });
    }
  }
  if (all) return;
  for (const auto& [kind, count] : kinds) counts.erase(kind);
  List list(columns.next(rest), '[');
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const auto& [kind, value] : cases[i].*member) {
      if (!counts.contains(kind)) continue;
      List entry(list.next(), '[');
      put(entry.next(), static_cast<double>(i));
      put(entry.next(), kind);
      put(entry.next(), value);
    }
  }
}

void put_cases(std::string& out, const std::vector<Case>& cases) {
  List columns(out, '{');
  put_column(columns, "name", cases, [](std::string& text, const Case& c) { put(text, c.name); });
  put_column(columns, "threads", cases,
             [](std::string& text, const Case& c) { put(text, c.threads); });
  put_column(columns, "failure", cases,
             [](std::string& text, const Case& c) { put_or_null(text, c.failure); });
  put_column(columns, "verified", cases,
             [](std::string& text, const Case& c) { text += c.verified() ? '1' : '0'; });
  put_column(columns, "ceiling", cases,
             [](std::string& text, const Case& c) { put_or_null(text, c.share_of_ceiling); });
  put_schedules(columns, cases);
  put_column(columns, "nanoseconds", cases, [](std::string& text, const Case& c) {
    List rounds(text, '[');
    for (const Round& round : c.rounds) put_samples(rounds.next(), round.seconds);
  });
  put_kinds(columns, "counters", "more_counters", cases, &Case::counters);
  put_kinds(columns, "texts", "more_texts", cases, &Case::texts);
}

// The commands that measure a case again, with "CASE" in the place of its name: of our rows, and of
// a framework's.
void put_reproduce_templates(std::string& out, const Run& run) {
  Case ours;
  ours.name = "CASE";
  Case framework = ours;
  framework.segments.implementation = "pytorch_";
  List list(out, '[');
  put(list.next(), reproduce_command(run, ours));
  put(list.next(), reproduce_command(run, framework));
}

void put_run(std::string& out, const Run& run) {
  const Results& results = run.results;
  List entry(out, '{');
  put(entry.next("label"), run.label);
  put(entry.next("machine"), machine_name(run));
  put(entry.next("file"), results.file);
  put(entry.next("breakeven_schema"), results.schema);
  put(entry.next("command"), results.command);
  put_reproduce_templates(entry.next("reproduce"), run);
  {
    List context(entry.next("context"), '{');
    for (const auto& [key, value] : results.context) put(context.next(key), value);
  }
  put_cases(entry.next("cases"), run.cases);
  {
    List list(entry.next("skipped"), '[');
    for (const Skipped& skip : results.skipped) {
      List one(list.next(), '{');
      put(one.next("name"), skip.name);
      put(one.next("reason"), skip.reason);
    }
  }
  List list(entry.next("unavailable"), '[');
  for (const Unavailable& module : results.unavailable) {
    List one(list.next(), '{');
    put(one.next("module"), module.module);
    put(one.next("reason"), module.reason);
    List competitors(one.next("competitors"), '[');
    for (const std::string& competitor : module.competitors) put(competitors.next(), competitor);
  }
}

}  // namespace

std::string raw_data_json(const Page& page) {
  std::string out;
  {
    List data(out, '{');
    put(data.next("page_schema"), 1);
    List runs(data.next("runs"), '[');
    for (const Run& run : page.runs) put_run(runs.next(), run);
  }
  return out;
}

}  // namespace breakeven
