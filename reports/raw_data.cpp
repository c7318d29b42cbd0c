// The data behind the page, column by column: a sample costs some ten bytes instead of a row of
// JSON, so that a report can carry all of them.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
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

// Of samples, which a power of ten per case makes integers. Where that would show they have
// decimals: those that make a round's median (the page's script computes ratios from medians),
// those as near to it as rounding reaches, and those that would be rounded twice to kShownDigits.
constexpr int kSampleDigits = 5;
constexpr int kMedianDigits = 10;
constexpr int kShownDigits = 4;
constexpr double kRoundingReach = 1e-4;

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

// The power of ten, in nanoseconds, of which the fastest sample has kSampleDigits digits.
double sample_unit(const Case& c) {
  double fastest = std::numeric_limits<double>::infinity();
  for (const Round& round : c.rounds) {
    for (const double seconds : round.seconds) fastest = std::min(fastest, seconds);
  }
  if (!std::isfinite(fastest) || !(fastest > 0)) return 1;
  return std::pow(10, std::floor(std::log10(fastest * 1e9)) + 1 - kSampleDigits);
}

// Whether an integer lies in the middle between two numbers of kShownDigits digits.
bool is_tie(double integer) {
  const double step = std::pow(10, std::floor(std::log10(integer)) + 1 - kShownDigits);
  return step > 1 && std::fmod(integer, step) == step / 2;
}

void put_samples(std::string& out, const std::vector<double>& seconds, double unit) {
  std::vector<double> order = seconds;
  std::sort(order.begin(), order.end());
  const double low = order[(order.size() - 1) / 2];
  const double high = order[order.size() / 2];
  List samples(out, '[');
  for (const double value : seconds) {
    const double scaled = value * 1e9 / unit;
    const double integer = std::round(scaled);
    const bool exact =
        std::min(std::abs(value - low), std::abs(value - high)) <= kRoundingReach * high ||
        is_tie(integer);
    append_json_number(samples.next(), exact ? scaled : integer, kMedianDigits);
  }
}

// What many cases share is told once: column `key` holds places in the list `shared`.
template <typename Json>
void put_shared(List& columns, std::string_view key, std::string_view shared,
                const std::vector<Case>& cases, Json json_of) {
  std::unordered_map<std::string, std::size_t> places;
  std::vector<std::string> distinct;
  put_column(columns, key, cases, [&](std::string& out, const Case& c) {
    std::string json = json_of(c);
    const auto [place, added] = places.try_emplace(json, places.size());
    if (added) distinct.push_back(std::move(json));
    put(out, static_cast<double>(place->second));
  });
  List list(columns.next(shared), '[');
  for (const std::string& json : distinct) list.next() += json;
}

std::string round_numbers(const Case& c) {
  std::string out;
  List numbers(out, '[');
  for (const Round& round : c.rounds) put(numbers.next(), round.number);
  return out;
}

void put_values(List& kind, const std::vector<const double*>& values) {
  List list(kind.next("value"), '[');
  for (const double* value : values) put(list.next(), *value);
}

// Texts repeat: `value` holds places in the list `text`.
void put_values(List& kind, const std::vector<const std::string*>& values) {
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<std::string_view> distinct;
  {
    List list(kind.next("value"), '[');
    for (const std::string* value : values) {
      const auto [place, added] = places.try_emplace(*value, places.size());
      if (added) distinct.push_back(*value);
      put(list.next(), static_cast<double>(place->second));
    }
  }
  List list(kind.next("text"), '[');
  for (const std::string_view text : distinct) put(list.next(), text);
}

/// Lists of cases that several kinds share, each told once.
struct CaseLists {
  std::map<std::vector<std::size_t>, std::size_t> places;

  std::size_t place(const std::vector<std::size_t>& list) {
    return places.try_emplace(list, places.size()).first->second;
  }
  void put_all(std::string& out) const {
    std::vector<const std::vector<std::size_t>*> order(places.size());
    for (const auto& [list, place] : places) order[place] = &list;
    List all(out, '[');
    for (const auto* list : order) {
      List one(all.next(), '[');
      for (const std::size_t i : *list) put(one.next(), static_cast<double>(i));
    }
  }
};

// Counters or texts by kind: the list of the cases that have one, unless all have, and their
// values.
template <typename Value>
void put_kinds(List& columns, std::string_view key, const std::vector<Case>& cases,
               FlatMap<Value> Case::*member, CaseLists& lists) {
  struct Kind {
    std::vector<std::size_t> cases;
    std::vector<const Value*> values;
  };
  std::unordered_map<std::string_view, Kind> found;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const auto& [kind, value] : cases[i].*member) {
      Kind& own = found[kind];
      own.cases.push_back(i);
      own.values.push_back(&value);
    }
  }
  std::map<std::string_view, const Kind*> kinds;  // in order
  for (const auto& [kind, own] : found) kinds[kind] = &own;
  List object(columns.next(key), '{');
  for (const auto& [name, own] : kinds) {
    List kind(object.next(name), '{');
    if (own->cases.size() < cases.size()) {
      put(kind.next("cases"), static_cast<double>(lists.place(own->cases)));
    }
    put_values(kind, own->values);
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
  put_shared(columns, "schedule", "schedules", cases, round_numbers);
  put_column(columns, "unit_nanoseconds", cases,
             [](std::string& text, const Case& c) { put(text, sample_unit(c)); });
  put_column(columns, "samples", cases, [](std::string& text, const Case& c) {
    const double unit = sample_unit(c);
    List rounds(text, '[');
    for (const Round& round : c.rounds) put_samples(rounds.next(), round.seconds, unit);
  });
  CaseLists lists;
  put_kinds(columns, "counters", cases, &Case::counters, lists);
  put_kinds(columns, "texts", cases, &Case::texts, lists);
  lists.put_all(columns.next("case_lists"));
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
