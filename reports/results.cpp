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

#include "reports/json_rows.h"
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

// The value under a key, of a whole JSON object or of a row; null where there is none.
const json* value_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

const json* value_at(const Fields& row, const char* key) {
  const auto found = row.find(key);
  return found == row.end() ? nullptr : &found->second;
}

template <typename Object>
std::optional<int> count_at(const Object& object, const char* key, const Place& place) {
  const json* found = value_at(object, key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number_integer() || found->get<double>() < 0 ||
      found->get<double>() > std::numeric_limits<int>::max()) {
    place.at(key).fail(fmt::format("is {}, not a count", found->dump()));
  }
  return found->get<int>();
}

double time_unit_seconds(const Fields& row, const Place& place) {
  const json* found = value_at(row, "time_unit");
  if (found == nullptr) return 1e-9;
  const std::string unit = as_text(*found);
  if (const std::optional<double> seconds = unit_seconds(unit)) return *seconds;
  place.at("time_unit").fail(fmt::format("is \"{}\": ns, us, ms and s are known", unit));
}

double seconds_at(const Fields& row, const char* key, double unit, bool zero_allowed,
                  const Place& place) {
  const json* found = value_at(row, key);
  if (found == nullptr) place.fail(fmt::format("\"{}\" is missing", key));
  const double time = found->is_number() ? found->get<double>() : std::nan("");
  if (!(time > 0 || (zero_allowed && time == 0)) || !std::isfinite(time)) {
    place.at(key).fail(fmt::format("is {}: a time is a positive, finite number", found->dump()));
  }
  const double seconds = time * unit;
  if (seconds == 0 && time > 0) place.at(key).fail("is too small for a time");
  return seconds;
}

bool is_true(const Fields& row, const char* key, const Place& place) {
  const json* found = value_at(row, key);
  if (found == nullptr) return false;
  if (!found->is_boolean()) place.at(key).fail("is neither true nor false");
  return found->get<bool>();
}

// Counters and texts of a row: every key that has no meaning of its own. Of `wanted`, if given,
// only those.
void read_counters(const Fields& fields, const RowKeys* wanted, const Place& place, Row& row) {
  const auto read = [&](const std::string& key, const json& value) {
    if (value.is_number()) {
      row.counters[key] = value.get<double>();
    } else if (value.is_string()) {
      row.texts[key] = value.get_ref<const std::string&>();
    } else if (value.is_null()) {
      place.at(key).fail("is null: a counter is a finite number or absent");
    }
  };
  if (wanted) {
    for (const std::string& key : *wanted) {
      if (const json* value = value_at(fields, key.c_str())) read(key, *value);
    }
    return;
  }
  std::vector<const Fields::Entry*> own;
  std::size_t numbers = 0;
  for (const Fields::Entry& field : fields) {
    if (std::find(kRowKeys.begin(), kRowKeys.end(), field.first) != kRowKeys.end()) continue;
    own.push_back(&field);
    numbers += field.second.is_number() ? 1 : 0;
  }
  row.counters.reserve(numbers);
  for (const Fields::Entry* field : own) read(field->first, field->second);
}

void read_times(const Fields& fields, const Place& place, Row& row) {
  if (const json* iterations = value_at(fields, "iterations");
      iterations != nullptr && iterations->is_number()) {
    row.iterations = iterations->get<double>();
  }
  const double unit = time_unit_seconds(fields, place);
  row.seconds = seconds_at(fields, "real_time", unit, false, place);
  if (fields.contains("cpu_time")) {
    row.cpu_seconds = seconds_at(fields, "cpu_time", unit, true, place);
  }
}

/// Whether read_row() looks at a key of a row, where it is not asked for all.
bool is_read(std::string_view key, const RowKeys& wanted) {
  const auto first_unread = kRowKeys.begin() + kReadRowKeys;
  return std::find(kRowKeys.begin(), first_unread, key) != first_unread ||
         std::find(wanted.begin(), wanted.end(), key) != wanted.end();
}

const std::string& name_at(const Fields& fields, const char* key, const Place& place) {
  const json* found = value_at(fields, key);
  if (found == nullptr) place.fail(fmt::format("\"{}\" is missing", key));
  if (!found->is_string()) place.at(key).fail("is not a string");
  return found->get_ref<const std::string&>();
}

Row read_row(const Fields& fields, const RowKeys* wanted, const Place& place) {
  Row row;
  const char* name_key = fields.contains("run_name") ? "run_name" : "name";
  row.name = case_identity(name_at(fields, name_key, place));
  if (row.name.empty()) place.fail("the name is empty");
  if (!wanted) row.segments = split_case_name(row.name);
  row.round = count_at(fields, "round", place);
  row.process = count_at(fields, "process", place);
  row.repetition = count_at(fields, "repetition_index", place).value_or(-1);
  row.threads = count_at(fields, "threads", place).value_or(0);
  read_counters(fields, wanted, place, row);
  const bool failed = is_true(fields, "error_occurred", place);
  row.skipped = !failed && is_true(fields, "skipped", place);
  if (failed || row.skipped) {
    const json* message = value_at(fields, failed ? "error_message" : "skip_message");
    row.failure = message == nullptr ? "no reason given" : as_text(*message);
    if (row.failure->empty()) row.failure = "no reason given";
  } else {
    read_times(fields, place, row);
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
}

// Of another program's file of that key, nothing.
void read_processes(const json& processes, Results& results) {
  if (!processes.is_array()) return;
  for (const json& process : processes) {
    if (!process.is_object()) continue;
    const auto number = [&](const char* key) {
      const auto found = process.find(key);
      return found != process.end() && found->is_number() ? found->get<double>() : 0.0;
    };
    results.processes.push_back({number("seconds"), number("load"), number("steal_seconds"),
                                 process.value("throttled", json()) == true});
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

std::optional<double> Row::counter(std::string_view key) const {
  const auto found = counters.find(key);
  if (found == counters.end()) return std::nullopt;
  return found->second;
}

Results visit_rows(std::string_view text, const std::string& file, const RowKeys* wanted,
                   const RowVisitor& visit) {
  Place place{file, ""};
  Results results;
  results.file = file;
  std::optional<std::size_t> formless;  // the first row whose name is no case's
  std::size_t entries = 0, rows = 0;
  RowTaker taker{"benchmarks", nullptr, nullptr};
  if (wanted) taker.wanted = [&](std::string_view key) { return is_read(key, *wanted); };
  // Rows are taken where they end and dropped, so that a file costs no more than its text.
  taker.take = [&](Fields& fields) {
    static const std::string kNone;
    const json* given = value_at(fields, "name");
    const bool named = given != nullptr && given->is_string();
    Place at{file, "", named ? &given->get_ref<const std::string&>() : &kNone, entries++};
    name_at(fields, "name", at);
    const json* type = value_at(fields, "run_type");
    if (type != nullptr && *type == "aggregate") return;
    Row row = read_row(fields, wanted, at);
    ++rows;
    if (!wanted && row.segments.precision.empty() && !formless) formless = at.row_index;
    visit(row, at);
  };
  const json document = parse_json_rows(text, place, taker);
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
  if (document.contains("processes")) read_processes(document["processes"], results);
  if (document.contains("breakeven")) {
    read_remarks(document["breakeven"], place.at("breakeven"), results);
  }
  return results;
}

namespace {
constexpr std::size_t kLeastRowText = 400;  // bytes that few rows of a results file stay below
}

Results parse_results(std::string_view text, const std::string& file) {
  std::vector<Row> rows;
  rows.reserve(text.size() /
               kLeastRowText);  // moving them as they grow would cost more than the reading
  std::unordered_map<std::string, std::size_t> ids;  // of names
  std::vector<std::set<std::pair<int, int>>> seen;   // by id: rounds and repetitions
  std::map<std::pair<std::size_t, int>, int> unnumbered;
  Results results = visit_rows(text, file, nullptr, [&](Row& row, const Place& place) {
    // Google Benchmark before 1.6 does not number repetitions; they come in order.
    const int round = row.round.value_or(0);
    const std::size_t id = ids.try_emplace(row.name, ids.size()).first->second;
    if (row.repetition < 0) row.repetition = unnumbered[{id, round}]++;
    if (id == seen.size()) seen.emplace_back();
    if (!seen[id].emplace(round, row.repetition).second) {
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
