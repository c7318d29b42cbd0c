#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/text.h"
#include "tools/gate/judgement.h"

namespace breakeven::gate {
namespace {

using nlohmann::ordered_json;

/// Text as it is, by which a row is found in other files; what is no UTF-8 made visible.
ordered_json text_json(const std::string& text) {
  ordered_json value = text;
  try {
    static_cast<void>(value.dump());
  } catch (const ordered_json::type_error&) {
    value = visible_text(text);
  }
  return value;
}

ordered_json texts_json(const std::vector<std::string>& texts) {
  ordered_json list = ordered_json::array();
  for (const std::string& text : texts) list.push_back(text_json(text));
  return list;
}

/// JSON has no NaN and no infinity: such a figure is left out.
void put(ordered_json& object, const char* key, double value) {
  if (std::isfinite(value)) object[key] = value;
}

void put(ordered_json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text_json(text);
}

ordered_json estimate_json(const Estimate& estimate) {
  ordered_json object = ordered_json::object();
  put(object, "value", estimate.value);
  put(object, "low", estimate.interval.low);
  put(object, "high", estimate.interval.high);
  put(object, "coverage", estimate.interval.coverage);
  object["samples"] = estimate.samples;
  return object;
}

ordered_json decision_json(const Decision& decision) {
  ordered_json object = {{"verdict", verdict_word(decision.verdict)},
                         {"ratio", estimate_json(decision.ratio)}};
  put(object, "p_regressed", decision.p_regressed);
  put(object, "q_regressed", decision.q_regressed);
  put(object, "q_improved", decision.q_improved);
  object["rounds"] = decision.rounds;
  object["confirmed"] = decision.confirmed;
  object["unconfirmed"] = decision.unconfirmed;
  if (decision.detectable) put(object, "detectable", *decision.detectable);
  return object;
}

ordered_json row_json(const RowJudgement& row) {
  ordered_json object = {
      {"name", text_json(row.name)}, {"verdict", verdict_word(row.verdict)}, {"gates", row.gates}};
  put(object, "reason", row.reason);
  put(object, "accepted", row.accepted);
  put(object, "accepted_until", row.accepted_until);
  if (row.decision) {
    put(object, "base_seconds", row.base_seconds);
    put(object, "head_seconds", row.head_seconds);
    object["decision"] = decision_json(*row.decision);
  }
  ordered_json changes = ordered_json::array();
  for (const CounterChange& change : row.changes) {
    ordered_json entry = {{"name", text_json(change.name)}};
    put(entry, "base", change.base);
    put(entry, "head", change.head);
    entry["worse"] = change.worse;
    changes.push_back(std::move(entry));
  }
  if (!changes.empty()) object["changes"] = std::move(changes);
  return object;
}

ordered_json arm_json(const std::vector<std::string>& files, const std::string& machine,
                      const std::string& commit) {
  ordered_json object = {{"files", texts_json(files)}};
  put(object, "machine", machine);
  put(object, "commit", commit);
  return object;
}

ordered_json conditions_json(const Judgement& judgement) {
  const ConditionsSummary& conditions = judgement.conditions;
  ordered_json object = {{"machine", ordered_json::object()}};
  for (const auto& [key, value] : judgement.machine) object["machine"][key] = text_json(value);
  if (conditions.processes == 0) return object;
  object["processes"] = conditions.processes;
  put(object, "load_median", conditions.load_median);
  put(object, "load_most", conditions.load_most);
  put(object, "stolen_share", conditions.stolen_share);
  object["throttled"] = conditions.throttled;
  object["redone"] = conditions.redone;
  return object;
}

ordered_json head_json(const Judgement& judgement) {
  ordered_json object = {
      {"gate_verdict", kVerdictSchema},     {"exit_code", judgement.exit_code},
      {"headline", headline(judgement)},    {"strict", judgement.strict},
      {"two_stages", judgement.two_stages}, {"times_judged", judgement.times_judged}};
  ordered_json margins = ordered_json::object();
  put(margins, "regression", judgement.margins.regression);
  put(margins, "equivalence", judgement.margins.equivalence);
  put(margins, "discovery_rate", judgement.margins.discovery_rate);
  put(margins, "screening_p", judgement.margins.screening_p);
  object["margins"] = std::move(margins);
  object["base"] = arm_json(judgement.base_files, judgement.base_machine, judgement.base_commit);
  object["head"] = arm_json(judgement.head_files, judgement.head_machine, judgement.head_commit);
  object["conditions"] = conditions_json(judgement);
  ordered_json counts = ordered_json::object();
  for (const Verdict verdict :
       {Verdict::regressed, Verdict::improved, Verdict::equivalent, Verdict::inconclusive,
        Verdict::added, Verdict::missing, Verdict::error, Verdict::changed}) {
    counts[std::string(verdict_word(verdict))] = judgement.count(verdict);
  }
  object["counts"] = std::move(counts);
  object["remarks"] = texts_json(judgement.remarks);
  return object;
}

/// One line a row, each let go before the next: a million rows must not be in memory twice.
void append_rows(std::string& text, const char* key, const std::vector<RowJudgement>& rows) {
  text += std::string(",\n \"") + key + "\": [";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += i > 0 ? ",\n  " : "\n  ";
    text += row_json(rows[i]).dump();
  }
  text += rows.empty() ? "]" : "\n ]";
}

}  // namespace

std::string verdict_json(const Judgement& judgement) {
  std::string text = head_json(judgement).dump(1);
  text.erase(text.rfind("\n}"));
  append_rows(text, "rows", judgement.rows);
  append_rows(text, "budgets", judgement.budgets);
  return text + "\n}\n";
}

}  // namespace breakeven::gate
