#include "reports/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <tuple>
#include <unordered_map>

#include "reports/json_text.h"
#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

// Keys of a row that have a meaning of their own; every other number is a counter. The first
// kReadRowKeys of them are read even where only some counters are.
constexpr std::size_t kReadRowKeys = 15;
constexpr std::array<std::string_view, 25> kRowKeys = {"name",
                                                       "run_name",
                                                       "run_type",
                                                       "iterations",
                                                       "repetition_index",
                                                       "real_time",
                                                       "time_unit",
                                                       "round",
                                                       "error_occurred",
                                                       "error_message",
                                                       "skipped",
                                                       "skip_message",
                                                       "threads",
                                                       "cpu_time",
                                                       "process",
                                                       "family_index",
                                                       "per_family_instance_index",
                                                       "repetitions",
                                                       "big_o",
                                                       "rms",
                                                       "aggregate_name",
                                                       "cpu_coefficient",
                                                       "real_coefficient",
                                                       "aggregate_unit",
                                                       "complexity_n"};

std::optional<int> count_at(const json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (!found->is_number_integer() || found->get<double>() < 0 ||
      found->get<double>() > std::numeric_limits<int>::max()) {
    place.at(key).fail(fmt::format("is {}, not a count", found->dump()));
  }
  return found->get<int>();
}

double time_unit_seconds(const json& row, const Place& place) {
  const auto found = row.find("time_unit");
  if (found == row.end()) return 1e-9;
  const std::string unit = as_text(*found);
  if (const std::optional<double> seconds = unit_seconds(unit)) return *seconds;
  place.at("time_unit").fail(fmt::format("is \"{}\": ns, us, ms and s are known", unit));
}

double seconds_at(const json& row, const char* key, double unit, bool zero_allowed,
                  const Place& place) {
  const auto found = row.find(key);
  if (found == row.end()) place.fail(fmt::format("\"{}\" is missing", key));
  const double time = found->is_number() ? found->get<double>() : std::nan("");
  if (!(time > 0 || (zero_allowed && time == 0)) || !std::isfinite(time)) {
    place.at(key).fail(fmt::format("is {}: a time is a positive, finite number", found->dump()));
  }
  const double seconds = time * unit;
  if (seconds == 0 && time > 0) place.at(key).fail("is too small for a time");
  return seconds;
}

bool is_true(const json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_boolean() && found->get<bool>();
}

// Counters and texts of a row: every key that has no meaning of its own. Of `wanted`, if given,
// only those.
void read_counters(const json& object, const RowKeys* wanted, const Place& place, Row& row) {
  const auto read = [&](const std::string& key, const json& value) {
    if (value.is_number()) {
      row.counters[key] = value.get<double>();
    } else if (value.is_string()) {
      row.texts[key] = value.get<std::string>();
    } else if (value.is_null()) {
      place.at(key).fail("is null: a counter is a finite number or absent");
    }
  };
  if (wanted) {
    for (const std::string& key : *wanted) {
      if (const auto found = object.find(key); found != object.end()) read(key, *found);
    }
    return;
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(kRowKeys.begin(), kRowKeys.end(), key) == kRowKeys.end()) read(key, value);
  }
}

void read_times(const json& object, const Place& place, Row& row) {
  if (const auto iterations = object.find("iterations");
      iterations != object.end() && iterations->is_number()) {
    row.iterations = iterations->get<double>();
  }
  const double unit = time_unit_seconds(object, place);
  row.seconds = seconds_at(object, "real_time", unit, false, place);
  if (object.contains("cpu_time")) {
    row.cpu_seconds = seconds_at(object, "cpu_time", unit, true, place);
  }
}

/// Whether read_row() looks at a key of a row, where it is not asked for all.
bool is_read(const json& key, const RowKeys& wanted) {
  const std::string& name = key.get_ref<const std::string&>();
  const auto first_unread = kRowKeys.begin() + kReadRowKeys;
  return std::find(kRowKeys.begin(), first_unread, name) != first_unread ||
         std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

Row read_row(const json& object, const RowKeys* wanted, const Place& place) {
  Row row;
  const char* name_key = object.contains("run_name") ? "run_name" : "name";
  row.name = case_identity(text_at(object, name_key, place));
  if (row.name.empty()) place.fail("the name is empty");
  if (!wanted) row.segments = split_case_name(row.name);
  row.round = count_at(object, "round", place);
  row.process = count_at(object, "process", place);
  row.repetition = count_at(object, "repetition_index", place).value_or(-1);
  row.threads = count_at(object, "threads", place).value_or(0);
  read_counters(object, wanted, place, row);
  const bool failed = is_true(object, "error_occurred");
  row.skipped = !failed && is_true(object, "skipped");
  if (failed || row.skipped) {
    const char* key = failed ? "error_message" : "skip_message";
    const auto message = object.find(key);
    row.failure = message == object.end() ? "no reason given" : as_text(*message);
    if (row.failure->empty()) row.failure = "no reason given";
  } else {
    read_times(object, place, row);
  }
  return row;
}

const json& array_at(const json& object, const char* key, const Place& place) {
  static const json kNone = json::array();
  const auto found = object.find(key);
  if (found == object.end()) return kNone;
  if (!found->is_array()) place.at(key).fail("is not an array");
  for (const json& element : *found) {
    if (!element.is_object()) place.at(key).fail("holds something that is not an object");
  }
  return *found;
}

// What breakeven adds beside the rows: what was left out, and why the cases ended.
void read_remarks(const json& remarks, const Place& place, Results& results) {
  if (!remarks.is_object()) place.fail("is not an object");
  for (const json& entry : array_at(remarks, "skipped", place)) {
    results.skipped.push_back({case_identity(text_at(entry, "name", place.at("skipped"))),
                               text_at(entry, "reason", place.at("skipped"))});
  }
  if (const auto found = remarks.find("refused"); found != remarks.end()) {
    if (!found->is_array()) place.at("refused").fail("is not an array");
    for (const json& line : *found) results.refused.push_back(as_text(line));
  }
  for (const json& entry : array_at(remarks, "unavailable", place)) {
    Unavailable module{text_at(entry, "module", place.at("unavailable")),
                       text_at(entry, "reason", place.at("unavailable")),
                       {}};
    if (const auto found = entry.find("competitors"); found != entry.end() && found->is_array()) {
      for (const json& competitor : *found) module.competitors.push_back(as_text(competitor));
    }
    results.unavailable.push_back(std::move(module));
  }
  for (const json& entry : array_at(remarks, "stopping", place)) {
    Stopping stopping{case_identity(text_at(entry, "name", place.at("stopping"))),
                      count_at(entry, "rounds", place.at("stopping")).value_or(0),
                      text_at(entry, "reason", place.at("stopping")),
                      {}};
    if (const auto found = entry.find("half_width"); found != entry.end() && found->is_number()) {
      stopping.half_width = found->get<double>();
    }
    results.stopping.push_back(std::move(stopping));
  }
  if (remarks.contains("command")) results.command = text_at(remarks, "command", place);
  if (const auto plan = remarks.find("plan"); plan != remarks.end() && plan->contains("suite")) {
    results.suite = text_at(*plan, "suite", place.at("plan"));
  }
}

void read_context(const json& context, const Place& place, Results& results) {
  if (!context.is_object()) place.fail("is not an object");
  for (const auto& [key, value] : context.items()) results.context[key] = as_text(value);
  const auto schema = context.find("breakeven_schema");
  if (schema == context.end()) return;
  if (!schema->is_number_integer() || schema->get<double>() < 1) {
    place.at("breakeven_schema").fail(fmt::format("is {}, not a schema number", schema->dump()));
  }
  if (schema->get<double>() > kResultsSchema) {
    place.fail(fmt::format("schema {} is newer than this program's {}: use a newer breakeven",
                           schema->dump(), kResultsSchema));
  }
  results.schema = schema->get<int>();
}

}  // namespace

std::optional<double> unit_seconds(std::string_view unit) {
  if (unit == "ns") return 1e-9;
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit == "s") return 1;
  return std::nullopt;
}

std::optional<double> Row::counter(const std::string& key) const {
  const auto found = counters.find(key);
  if (found == counters.end()) return std::nullopt;
  return found->second;
}

Results visit_rows(std::string_view text, const std::string& file, const RowKeys* wanted,
                   const RowVisitor& visit) {
  Place place{file, ""};
  Results results;
  results.file = file;
  std::string section;  // of the top level that the parser is in
  bool in_rows = false;
  std::optional<std::size_t> formless;  // the first row whose name is no case's
  std::size_t entries = 0, rows = 0;
  const auto take = [&](const json& object) {
    Place at{file, "", &object, entries++};
    if (!object.is_object()) at.fail("is not an object");
    text_at(object, "name", at);
    if (const auto type = object.find("run_type"); type != object.end() && *type == "aggregate") {
      return;
    }
    Row row = read_row(object, wanted, at);
    ++rows;
    if (!wanted && row.segments.precision.empty() && !formless) formless = at.row_index;
    visit(row, at);
  };
  // Rows are taken where they end and dropped, so that a file costs no more than its text.
  const auto each = [&](int depth, json::parse_event_t event, json& parsed) {
    using Event = json::parse_event_t;
    if (depth == 3 && event == Event::key && in_rows && wanted) return is_read(parsed, *wanted);
    if (depth == 1) {
      if (event == Event::key) section = parsed.get<std::string>();
      in_rows = event == Event::array_start && section == "benchmarks";
    }
    const bool whole =
        event == Event::value || event == Event::object_end || event == Event::array_end;
    if (depth != 2 || !in_rows || !whole) return true;
    take(parsed);
    return false;
  };
  const json document = parse_json(text, place, each);
  if (!document.is_object()) place.fail("is not a results file: its top level is not an object");
  if (document.contains("context")) read_context(document["context"], place.at("context"), results);
  const auto benchmarks = document.find("benchmarks");
  if (benchmarks == document.end()) {
    place.fail("is not a results file: \"benchmarks\" is missing");
  }
  if (!benchmarks->is_array()) place.at("benchmarks").fail("is not an array");
  // One arm of a comparison may have no rows at all: every one is new, or gone.
  const bool may_be_empty = results.context.contains("gate.run");
  if (entries == 0 && !may_be_empty) {
    place.fail("an empty run: it holds no benchmarks (did its filter match nothing?)");
  }
  if (rows == 0 && !may_be_empty) {
    place.fail("holds aggregates only: measure without --benchmark_report_aggregates_only");
  }
  if (results.schema > 0 && formless) {
    place.at(fmt::format("benchmarks[{}]", *formless))
        .fail("the name is not op/shape/device/implementation/precision");
  }
  if (document.contains("breakeven")) {
    read_remarks(document["breakeven"], place.at("breakeven"), results);
  }
  return results;
}

Results parse_results(std::string_view text, const std::string& file) {
  std::vector<Row> rows;
  std::set<std::tuple<std::string, int, int>> seen;
  std::unordered_map<std::string, int> unnumbered;
  Results results = visit_rows(text, file, nullptr, [&](Row& row, const Place& place) {
    // Google Benchmark before 1.6 does not number repetitions; they come in order.
    const int round = row.round.value_or(0);
    if (row.repetition < 0) row.repetition = unnumbered[fmt::format("{} {}", round, row.name)]++;
    if (!seen.emplace(row.name, round, row.repetition).second) {
      place.fail(fmt::format("is there twice (round {}, repetition {}): two runs were mixed", round,
                             row.repetition));
    }
    rows.push_back(std::move(row));
  });
  results.rows = std::move(rows);
  return results;
}

Results read_results(const std::filesystem::path& path) {
  return parse_results(read_text(path, "a results JSON file"), path.string());
}

}  // namespace breakeven
