#include "tools/gate/results_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/breakeven/journal.h"
#include "tools/gate/samples.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// One arm's file, row by row.
class Writer {
 public:
  explicit Writer(Arm arm) : arm_(arm) {}

  void take(const json& record) {
    const std::string arm(arm_word(arm_));
    if (record.contains("context")) {
      const json& context = record["context"].at(arm);
      if (context.is_object()) context_.update(context);
    }
    if (!record.contains("round")) return;
    for (json row : record.at("rows").at(arm)) {
      row["round"] = record["round"];
      row["arm"] = arm;
      row["stage"] = record.at("stage");
      rows_ += (rows_.empty() ? "\n" : ",\n") + dumped(row);
    }
    if (record.contains("process") && record["process"].contains(arm)) {
      json process = record["process"][arm];
      process["round"] = record["round"];
      process["stage"] = record.at("stage");
      process["first"] = record.value("first", "") == arm;
      processes_ += (processes_.empty() ? "\n" : ",\n") + dumped(process);
    }
  }

  std::string text(const Facts& facts) const {
    json context = context_;
    for (const auto& [key, value] : facts) {
      if (!context.contains(key)) context[key] = value;
    }
    return fmt::format("{{\"context\": {},\n\"benchmarks\": [{}],\n\"processes\": [{}]}}\n",
                       dumped(context), rows_, processes_);
  }

 private:
  Arm arm_;
  json context_ = json::object();
  std::string rows_, processes_;
};

}  // namespace

std::array<std::string, 2> results_of(const std::filesystem::path& journal,
                                      const std::array<Facts, 2>& facts) {
  Writer base(Arm::base), head(Arm::head);
  try {
    read_journal(journal, [&](const json& record) {
      base.take(record);
      head.take(record);
    });
  } catch (const json::exception&) {
    throw std::runtime_error(fmt::format(
        "{}: not a journal of `gate run`; delete it to give up what it holds", journal.string()));
  }
  return {base.text(facts[0]), head.text(facts[1])};
}

}  // namespace breakeven::gate
