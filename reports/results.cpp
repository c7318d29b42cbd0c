#include "reports/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <tuple>
#include <unordered_map>

#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestFileBytes = std::size_t{1} << 30;

// Keys of a row that have a meaning of their own; every other number is a counter.
constexpr std::array<std::string_view, 25> kRowKeys = {"name",
                                                       "run_name",
                                                       "run_type",
                                                       "family_index",
                                                       "threads",
                                                       "per_family_instance_index",
                                                       "repetitions",
                                                       "iterations",
                                                       "repetition_index",
                                                       "real_time",
                                                       "cpu_time",
                                                       "time_unit",
                                                       "round",
                                                       "process",
                                                       "error_occurred",
                                                       "error_message",
                                                       "skipped",
                                                       "skip_message",
                                                       "big_o",
                                                       "rms",
                                                       "aggregate_name",
                                                       "cpu_coefficient",
                                                       "real_coefficient",
                                                       "aggregate_unit",
                                                       "complexity_n"};

// A place in a file, to be named when something is wrong there.
struct Place {
  std::string file;
  std::string where;

  [[noreturn]] void fail(std::string_view what) const {
    throw std::runtime_error(visible_text(where.empty()
                                              ? fmt::format("{}: {}", file, what)
                                              : fmt::format("{}: {}: {}", file, where, what)));
  }
  Place at(const std::string& inner) const {
    return {file, where.empty() ? inner : where + "." + inner};
  }
};

std::string read_text(const std::filesystem::path& path) {
  const Place place{path.string(), ""};
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) place.fail("no such file");
  if (error) place.fail(fmt::format("can't read: {}", error.message()));
  if (std::filesystem::is_directory(status)) {
    place.fail("is a directory: name a results JSON file");
  }
  if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_fifo(status)) {
    place.fail("is not a file: name a results JSON file");
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) place.fail(fmt::format("can't read: {}", std::strerror(errno)));
  std::string text;
  std::array<char, 1 << 16> block;
  while (in.read(block.data(), block.size()), in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kLargestFileBytes) place.fail("is larger than 1 GiB: not a results file");
  }
  if (in.bad()) place.fail(fmt::format("can't read: {}", std::strerror(errno)));
  return text;
}

// "line 3, column 20" of the byte at `offset`; columns count bytes from 1.
std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return fmt::format("line {}, column {}", line, column);
}

// Where a token that isn't JSON but looks like a number begins: NaN, -nan, Infinity, inf.
std::optional<std::size_t> non_finite_token(std::string_view text, std::size_t near) {
  std::size_t start = std::min(near, text.size());
  const auto part_of_word = [](char c) {
    return c == '-' || c == '+' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  while (start > 0 && part_of_word(text[start - 1])) --start;
  std::string word;
  for (std::size_t i = start; i < text.size() && part_of_word(text[i]) && word.size() < 9; ++i) {
    if (text[i] != '-' && text[i] != '+') word += static_cast<char>(text[i] | 0x20);
  }
  if (word == "nan" || word == "inf" || word == "infinity") return start;
  return std::nullopt;
}

json parse_json(std::string_view text, const Place& place) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    place.fail("is empty: the run that should have written it did not finish");
  }
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const std::size_t offset = error.byte > 0 ? error.byte - 1 : 0;
    if (const auto token = non_finite_token(text, offset)) {
      place.at(line_and_column(text, *token))
          .fail(
              "NaN and infinity are not JSON (Google Benchmark 1.7 writes them for a counter "
              "without a value): remove that counter and measure again");
    }
    if (offset >= text.size()) {
      place.at(line_and_column(text, text.size()))
          .fail(
              "the file ends in the middle (truncated): measure again, or finish the run with "
              "--resume");
    }
    place.at(line_and_column(text, offset)).fail("not valid JSON");
  } catch (const json::out_of_range& error) {
    // The one case that the parser has: a number that no double holds; the message quotes it.
    const std::string_view message = error.what();
    const std::size_t quote = message.find('\'');
    const std::string_view number =
        quote == std::string_view::npos
            ? std::string_view()
            : message.substr(quote + 1, message.rfind('\'') - quote - 1);
    const std::size_t offset = text.find(number);
    place.at(line_and_column(text, offset == std::string_view::npos ? 0 : offset))
        .fail(fmt::format("the number {} is too large", number));
  }
}

std::string as_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string text_at(const json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) place.fail(fmt::format("\"{}\" is missing", key));
  if (!found->is_string()) place.at(key).fail("is not a string");
  return found->get<std::string>();
}

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
  if (unit == "ns") return 1e-9;
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit == "s") return 1;
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
  return time * unit;
}

bool is_true(const json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_boolean() && found->get<bool>();
}

// Whole counters and texts of a row: every key that has no meaning of its own.
void read_counters(const json& object, const Place& place, Row& row) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(kRowKeys.begin(), kRowKeys.end(), key) != kRowKeys.end()) continue;
    if (value.is_number()) {
      row.counters[key] = value.get<double>();
    } else if (value.is_string()) {
      row.texts[key] = value.get<std::string>();
    } else if (value.is_null()) {
      place.at(key).fail("is null: a counter is a finite number or absent");
    }
  }
}

Row read_row(const json& object, int schema, const Place& place) {
  Row row;
  const char* name_key = object.contains("run_name") ? "run_name" : "name";
  row.name = case_identity(text_at(object, name_key, place));
  if (row.name.empty()) place.fail("the name is empty");
  row.segments = split_case_name(row.name);
  if (schema > 0 && row.segments.precision.empty()) {
    place.fail("the name is not op/shape/device/implementation/precision");
  }
  row.round = count_at(object, "round", place);
  row.process = count_at(object, "process", place);
  row.threads = count_at(object, "threads", place).value_or(0);
  read_counters(object, place, row);
  const bool failed = is_true(object, "error_occurred");
  const bool skipped = is_true(object, "skipped");
  if (failed || skipped) {
    const char* key = failed ? "error_message" : "skip_message";
    const auto message = object.find(key);
    row.failure = message == object.end() ? "no reason given" : as_text(*message);
    if (row.failure->empty()) row.failure = "no reason given";
    return row;
  }
  if (const auto iterations = object.find("iterations");
      iterations != object.end() && iterations->is_number()) {
    row.iterations = iterations->get<double>();
  }
  const double unit = time_unit_seconds(object, place);
  row.seconds = seconds_at(object, "real_time", unit, false, place);
  if (object.contains("cpu_time")) {
    row.cpu_seconds = seconds_at(object, "cpu_time", unit, true, place);
  }
  return row;
}

std::vector<Row> read_rows(const json& benchmarks, int schema, const Place& file) {
  std::vector<Row> rows;
  std::set<std::tuple<std::string, int, int>> seen;
  std::unordered_map<std::string, int> unnumbered;
  for (std::size_t i = 0; i < benchmarks.size(); ++i) {
    const json& object = benchmarks[i];
    Place place = file.at(fmt::format("benchmarks[{}]", i));
    if (!object.is_object()) place.fail("is not an object");
    place.where += fmt::format(" \"{}\"", shortened(text_at(object, "name", place), 120));
    if (object.value("run_type", json("iteration")) == "aggregate") continue;
    Row row = read_row(object, schema, place);
    // Google Benchmark before 1.6 does not number repetitions; they come in order.
    const auto repetition = count_at(object, "repetition_index", place);
    const int round = row.round.value_or(0);
    row.repetition = repetition ? *repetition : unnumbered[fmt::format("{} {}", round, row.name)]++;
    if (!seen.emplace(row.name, round, row.repetition).second) {
      place.fail(fmt::format("is there twice (round {}, repetition {}): two runs were mixed", round,
                             row.repetition));
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty() && !benchmarks.empty()) {
    file.fail("holds aggregates only: measure without --benchmark_report_aggregates_only");
  }
  return rows;
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

std::optional<double> Row::counter(const std::string& key) const {
  const auto found = counters.find(key);
  if (found == counters.end()) return std::nullopt;
  return found->second;
}

Results parse_results(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  if (!document.is_object()) place.fail("is not a results file: its top level is not an object");
  Results results;
  results.file = file;
  if (document.contains("context")) read_context(document["context"], place.at("context"), results);
  const auto benchmarks = document.find("benchmarks");
  if (benchmarks == document.end()) {
    place.fail("is not a results file: \"benchmarks\" is missing");
  }
  if (!benchmarks->is_array()) place.at("benchmarks").fail("is not an array");
  if (benchmarks->empty()) {
    place.fail("an empty run: it holds no benchmarks (did its filter match nothing?)");
  }
  results.rows = read_rows(*benchmarks, results.schema, place);
  if (document.contains("breakeven")) {
    read_remarks(document["breakeven"], place.at("breakeven"), results);
  }
  return results;
}

Results read_results(const std::filesystem::path& path) {
  return parse_results(read_text(path), path.string());
}

}  // namespace breakeven
