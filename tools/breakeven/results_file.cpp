#include "tools/breakeven/results_file.h"

#include <set>

#include "reports/atomic_file.h"
#include "reports/results.h"
#include "tools/breakeven/journal.h"

namespace breakeven {
namespace {

using nlohmann::json;

constexpr int kMethodVersion = 1;

std::string one_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A failed case has no key that could be taken for a time.
json error_row(const json& record) {
  const json& error = record.at("error");
  json row = {{"name", record.at("case")},
              {"run_name", record.at("case")},
              {"run_type", "iteration"},
              {"error_occurred", true},
              {"error_message", error.value("reason", "")}};
  for (const char* key : {"error", "tolerance"}) {
    if (error.contains(key)) row[key] = error[key];
  }
  return row;
}

class RowText {
 public:
  void add(json row, const json& record) {
    row["round"] = record.at("round");
    row["process"] = record.at("process");
    text_ += (text_.empty() ? "\n    " : ",\n    ") + one_line(row);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

RunNotes run_notes(const Plan& plan, const std::string& command, const Catalog& catalog,
                   const std::vector<ListedCase>& selected, const Measurement& measurement) {
  RunNotes notes{.plan = plan, .command = command, .refused = catalog.refused};
  for (const ListedCase& listed : selected) {
    if (listed.unsupported.empty()) continue;
    notes.skipped.push_back({{"name", listed.name}, {"reason", listed.unsupported}});
  }
  for (const CaseState& state : measurement.cases()) {
    if (state.skip) {
      notes.skipped.push_back({{"name", state.listed.name}, {"reason", *state.skip}});
    }
    if (state.dropped()) continue;
    const std::string enough = enough_rounds(state, measurement.rule());
    json entry = {{"name", state.listed.name},
                  {"rounds", state.rounds.size()},
                  {"reason", enough.empty() ? "budget" : enough}};
    if (const auto half_width = relative_half_width(state)) entry["half_width"] = *half_width;
    notes.stopping.push_back(std::move(entry));
  }
  for (const ListedModule& module : catalog.modules) {
    if (module.unavailable.empty()) continue;
    notes.unavailable.push_back({{"module", module.name},
                                 {"reason", module.unavailable},
                                 {"competitors", module.competitors}});
  }
  return notes;
}

void write_results(const std::filesystem::path& path, const std::filesystem::path& journal,
                   const RunNotes& notes) {
  // What was wrong in one round can't be trusted in the others: no time of it is written. Nor is
  // one of a case that could no longer be done (memory got tight): it is listed as skipped.
  std::set<std::string> dropped;
  read_journal(journal, [&](const json& record) {
    if (record.contains("error") || record.contains("skip")) {
      dropped.insert(record.at("case").get<std::string>());
    }
  });
  json context = json::object();
  RowText rows;
  read_journal(journal, [&](const json& record) {
    if (record.contains("context")) {
      context = record["context"];
    } else if (record.contains("rows")) {
      if (dropped.contains(record.at("case").get<std::string>())) return;
      for (const json& row : record["rows"]) rows.add(row, record);
    } else if (record.contains("error")) {
      rows.add(error_row(record), record);
    }
  });
  context["breakeven_schema"] = kResultsSchema;
  if (!context.contains("method_version")) context["method_version"] = kMethodVersion;
  context["seed"] = notes.plan.seed;
  if (!notes.plan.suite.empty()) context["suite"] = notes.plan.suite;
  const json own = {{"skipped", notes.skipped},         {"refused", notes.refused},
                    {"unavailable", notes.unavailable}, {"stopping", notes.stopping},
                    {"command", notes.command},         {"plan", to_json(notes.plan)}};
  write_file_atomically(
      path, "{\n  \"context\": " + context.dump(4, ' ', false, json::error_handler_t::replace) +
                ",\n  \"benchmarks\": [" + rows.text() +
                "\n  ],\n  \"breakeven\": " + one_line(own) + "\n}\n");
}

}  // namespace breakeven
