#include "reports/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include "reports/json_text.h"
#include "reports/text.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 8> kWords = {
    "MISSING", "ERROR", "REGRESSED", "CHANGED", "IMPROVED", "NEW", "INCONCLUSIVE", "EQUIVALENT"};

std::size_t order_of(std::string_view word) {
  return static_cast<std::size_t>(std::find(kWords.begin(), kWords.end(), word) - kWords.begin());
}

const json& object_at(const json& parent, const char* key, const Place& place) {
  const auto found = parent.find(key);
  if (found == parent.end()) place.fail(fmt::format("\"{}\" is missing", key));
  if (!found->is_object()) place.at(key).fail("is not an object");
  return *found;
}

const json& list_at(const json& parent, const char* key, const Place& place) {
  static const json kNone = json::array();
  const auto found = parent.find(key);
  if (found == parent.end()) return kNone;
  if (!found->is_array()) place.at(key).fail("is not an array");
  return *found;
}

std::string optional_text(const json& object, const char* key, const Place& place) {
  return object.contains(key) ? text_at(object, key, place) : std::string();
}

std::vector<std::string> texts_at(const json& object, const char* key, const Place& place) {
  std::vector<std::string> texts;
  for (const json& text : list_at(object, key, place)) {
    if (!text.is_string()) place.at(key).fail("holds something that is not a string");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

bool flag_at(const json& object, const char* key, const Place& place, bool otherwise = false) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_boolean()) place.at(key).fail("is neither true nor false");
  return found->get<bool>();
}

std::optional<double> number_at(const json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (!found->is_number()) place.at(key).fail("is not a number");
  return found->get<double>();
}

/// A figure between `low` and `high`, where there is one.
std::optional<double> figure_at(const json& object, const char* key, double low, double high,
                                const Place& place) {
  const std::optional<double> value = number_at(object, key, place);
  if (value && !(*value >= low && *value <= high)) {
    place.at(key).fail(fmt::format("is {}: it can't be", object.at(key).dump()));
  }
  return value;
}

std::size_t count_at(const json& object, const char* key, const Place& place) {
  constexpr double kMost = 1e9;
  const double count = figure_at(object, key, 0, kMost, place).value_or(0);
  if (count != std::floor(count))
    place.at(key).fail(fmt::format("is {}, not a count", object.at(key).dump()));
  return static_cast<std::size_t>(count);
}

Estimate read_estimate(const json& object, const Place& place) {
  const auto ratio = [&](const char* key) {
    return figure_at(object, key, 0, std::numeric_limits<double>::max(), place);
  };
  Estimate estimate;
  estimate.value = ratio("value").value_or(0);  // none: the gate's own overflowed
  estimate.interval.coverage = figure_at(object, "coverage", 0, 1, place).value_or(0);
  const std::optional<double> low = ratio("low"), high = ratio("high");
  if (low && high && *low > *high) place.at("low").fail("is above \"high\"");
  if (!low || !high) estimate.interval.coverage = 0;
  estimate.interval.low = low.value_or(estimate.value);
  estimate.interval.high = high.value_or(estimate.value);
  estimate.samples = count_at(object, "samples", place);
  return estimate;
}

VerdictDecision read_decision(const json& object, const Place& place) {
  VerdictDecision decision;
  decision.ratio = read_estimate(object_at(object, "ratio", place), place.at("ratio"));
  decision.p_regressed = figure_at(object, "p_regressed", 0, 1, place);
  decision.q_regressed = figure_at(object, "q_regressed", 0, 1, place);
  decision.q_improved = figure_at(object, "q_improved", 0, 1, place);
  decision.rounds = count_at(object, "rounds", place);
  decision.confirmed = flag_at(object, "confirmed", place);
  decision.detectable =
      figure_at(object, "detectable", 0, std::numeric_limits<double>::max(), place);
  return decision;
}

VerdictRow read_row(const json& object, const Place& place) {
  if (!object.is_object()) place.fail("is not an object");
  VerdictRow row;
  row.name = text_at(object, "name", place);
  row.verdict = text_at(object, "verdict", place);
  if (order_of(row.verdict) == kWords.size()) {
    place.at("verdict").fail(fmt::format("\"{}\" is no verdict", shortened(row.verdict, 60)));
  }
  row.gates = flag_at(object, "gates", place);
  row.reason = optional_text(object, "reason", place);
  row.accepted = optional_text(object, "accepted", place);
  row.accepted_until = optional_text(object, "accepted_until", place);
  constexpr double kMost = std::numeric_limits<double>::max();
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  row.base_seconds = figure_at(object, "base_seconds", kLeast, kMost, place);
  row.head_seconds = figure_at(object, "head_seconds", kLeast, kMost, place);
  if (object.contains("decision")) {
    row.decision = read_decision(object_at(object, "decision", place), place.at("decision"));
  }
  for (const json& change : list_at(object, "changes", place)) {
    const Place at = place.at("changes");
    if (!change.is_object()) at.fail("holds something that is not an object");
    row.counters.push_back({text_at(change, "name", at), number_at(change, "base", at),
                            number_at(change, "head", at), flag_at(change, "worse", at)});
  }
  return row;
}

std::vector<VerdictRow> read_rows(const json& document, const char* key, const Place& place) {
  std::vector<VerdictRow> rows;
  for (const json& row : list_at(document, key, place)) {
    rows.push_back(read_row(row, place.at(fmt::format("{}[{}]", key, rows.size()))));
  }
  return rows;
}

VerdictArm read_arm(const json& document, const char* key, const Place& place) {
  const json& arm = object_at(document, key, place);
  const Place at = place.at(key);
  return {texts_at(arm, "files", at), optional_text(arm, "machine", at),
          optional_text(arm, "commit", at)};
}

void require_version(const json& document, const Place& place) {
  const auto version = document.is_object() ? document.find("gate_verdict") : document.end();
  if (!document.is_object() || version == document.end()) {
    place.fail("is no verdict: give the verdict.json that `breakeven gate` wrote");
  }
  if (!version->is_number_integer() || version->get<double>() < 1) {
    place.at("gate_verdict").fail(fmt::format("is {}, not a version", version->dump()));
  }
  if (version->get<double>() > kReadVerdictSchema) {
    place.fail(
        fmt::format("is a verdict of version {}, newer than this program's {}: use a newer "
                    "breakeven",
                    version->dump(), kReadVerdictSchema));
  }
}

std::optional<GateConditions> read_conditions(const json& document, const Place& parent) {
  if (!document.contains("conditions")) return std::nullopt;
  const json& object = object_at(document, "conditions", parent);
  const Place place = parent.at("conditions");
  constexpr double kMost = std::numeric_limits<double>::max();
  GateConditions conditions;
  for (const auto& [key, value] : object_at(object, "machine", place).items()) {
    conditions.machine.emplace_back(key, as_text(value));
  }
  conditions.processes = count_at(object, "processes", place);
  conditions.load_median = figure_at(object, "load_median", 0, kMost, place);
  conditions.load_most = figure_at(object, "load_most", 0, kMost, place);
  conditions.stolen_share = figure_at(object, "stolen_share", 0, kMost, place);
  conditions.throttled = count_at(object, "throttled", place);
  conditions.redone = count_at(object, "redone", place);
  return conditions;
}

/// 1.104 is "+10.4"; never "-0.0".
std::string signed_percent(double ratio) {
  if (!std::isfinite(ratio)) return "?";
  const double percent = 100 * (ratio - 1);
  const int digits = std::abs(percent) < 1000 ? 1 : 0;
  const std::string text = fmt::format("{:+.{}f}", percent, digits);
  return text == "-0.0" ? "+0.0" : text;
}

}  // namespace

GateVerdict parse_verdict(std::string_view text, const std::string& file) {
  const Place place{file, ""};
  const json document = parse_json(text, place);
  require_version(document, place);
  GateVerdict verdict;
  verdict.file = file;
  if (!document.contains("exit_code")) place.fail("\"exit_code\" is missing");
  verdict.exit_code = static_cast<int>(count_at(document, "exit_code", place));
  verdict.headline = text_at(document, "headline", place);
  verdict.times_judged = flag_at(document, "times_judged", place, true);
  const json& margins = object_at(document, "margins", place);
  const Place at = place.at("margins");
  verdict.margin = figure_at(margins, "regression", 0, 1e6, at).value_or(verdict.margin);
  verdict.equivalence = figure_at(margins, "equivalence", 0, 1e6, at).value_or(verdict.equivalence);
  verdict.discovery_rate =
      figure_at(margins, "discovery_rate", 0, 1, at).value_or(verdict.discovery_rate);
  verdict.base = read_arm(document, "base", place);
  verdict.head = read_arm(document, "head", place);
  verdict.rows = read_rows(document, "rows", place);
  verdict.budgets = read_rows(document, "budgets", place);
  verdict.remarks = texts_at(document, "remarks", place);
  verdict.conditions = read_conditions(document, place);
  return verdict;
}

GateVerdict read_verdict(const std::filesystem::path& path) {
  return parse_verdict(read_text(path, "a verdict.json of `breakeven gate`"), path.string());
}

std::string exit_meaning(int exit_code) {
  switch (exit_code) {
    case 0:
      return "no regression was found";
    case 1:
      return "a regression";
    case 3:
      return "coverage: a row is missing or failed, or nothing could be compared";
    case 4:
      return "undecided rows, which --strict refuses";
    case 5:
      return "base and head are of two machines";
    default:
      return "not an exit status of a verdict";
  }
}

bool worth_telling(const VerdictRow& row) {
  return row.gates || !row.accepted.empty() ||
         (row.verdict != "EQUIVALENT" && row.verdict != "INCONCLUSIVE");
}

std::vector<const VerdictRow*> in_telling_order(const std::vector<VerdictRow>& rows) {
  std::vector<std::pair<std::tuple<bool, bool, std::size_t, double>, const VerdictRow*>> keyed;
  keyed.reserve(rows.size());
  for (const VerdictRow& row : rows) {
    const double ratio = row.decision ? row.decision->ratio.value : 1;
    keyed.push_back({{!row.gates, row.accepted.empty(), order_of(row.verdict),
                      ratio > 0 ? -std::abs(std::log(ratio)) : 0.0},
                     &row});
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const VerdictRow*> ordered;
  ordered.reserve(rows.size());
  for (const auto& [key, row] : keyed) ordered.push_back(row);
  return ordered;
}

std::string change_text(const Estimate& ratio) {
  const Interval& interval = ratio.interval;
  std::string change = signed_percent(ratio.value) + " %";
  if (!(interval.coverage > 0)) return change;  // one round has no interval
  return fmt::format("{} [{}, {}]", change, signed_percent(interval.low),
                     signed_percent(interval.high));
}

std::string p_text(double p) {
  return p > 0 && p < 1e-4 ? format_scientific(p) : fmt::format("{:.2g}", p);
}

std::string counter_text(const VerdictCounter& counter) {
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{}", *value) : std::string("?");
  };
  if (counter.base == counter.head) return number(counter.head) + ", not in every round";
  return number(counter.base) + " → " + number(counter.head);
}

}  // namespace breakeven
