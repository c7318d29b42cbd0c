#include "tools/gate/baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "reports/atomic_file.h"
#include "reports/text.h"

namespace breakeven::gate {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

using Numbers = std::map<Moment, int>;

/// The rounds of screening, numbered through: confirmation's rows were chosen for what they showed.
Numbers number_rounds(const Samples& samples) {
  Numbers numbers;
  for (const auto& [name, row] : samples.rows) {
    for (const auto& [moment, seconds] : row.rounds) {
      if (moment.stage == Stage::screening) numbers.emplace(moment, 0);
    }
  }
  int next = 0;
  for (auto& [moment, number] : numbers) number = next++;
  return numbers;
}

/// The rows of one benchmark, or of its failure.
void append_rows(const std::string& name, const ArmRow& row, const Numbers& numbers,
                 std::string& text) {
  const auto append = [&](const json& object) {
    text += (text.empty() ? "\n" : ",\n") + dumped(object);
  };
  json common = {{"name", name}, {"run_name", name}, {"run_type", "iteration"}};
  if (!row.failure.empty()) {
    common[row.skipped ? "skipped" : "error_occurred"] = true;
    common[row.skipped ? "skip_message" : "error_message"] = row.failure;
    append(common);
    return;
  }
  const bool steady = std::all_of(row.exact.begin(), row.exact.end(),
                                  [](const auto& one) { return one.second.steady(); });
  bool first = true;
  for (const auto& [moment, seconds] : row.rounds) {
    const auto number = numbers.find(moment);
    if (number == numbers.end()) continue;
    json object = common;
    object["round"] = number->second;
    object["repetition_index"] = 0;
    if (row.calls > 0) object["iterations"] = row.calls;
    object["real_time"] = seconds * 1e9;
    object["time_unit"] = "ns";
    for (const auto& [counter, exact] : row.exact) object[counter] = exact.least;
    append(object);
    // What varied is found to vary again: a second repetition of the same time tells the most.
    if (first && !steady) {
      object["repetition_index"] = 1;
      for (const auto& [counter, exact] : row.exact) object[counter] = exact.most;
      append(object);
    }
    first = false;
  }
}

}  // namespace

fs::path baseline_path(const fs::path& directory, const Samples& head) {
  const std::string machine = fingerprint(machine_facts(head.context));
  if (machine.empty()) {
    throw std::runtime_error(visible_text(
        fmt::format("{}: doesn't say which machine it is of, so no stored baseline fits it",
                    head.files.front())));
  }
  return directory / (machine + ".json");
}

void store_baseline(const fs::path& directory, const Samples& samples) {
  const fs::path path = baseline_path(directory, samples);
  std::error_code error;
  fs::create_directories(directory, error);
  json context = json::object();
  for (const auto& [key, value] : samples.context) {
    // Facts are kept as texts, but for the number that says how to read them.
    if (key == "breakeven_schema" || key == "gate.run") continue;
    context[key] = value;
  }
  const Numbers numbers = number_rounds(samples);
  std::string rows;
  for (const auto& [name, row] : samples.rows) append_rows(name, row, numbers, rows);
  write_file_atomically(
      path, fmt::format("{{\"context\": {},\n\"benchmarks\": [{}]}}\n", dumped(context), rows));
}

std::string missing_baseline(const fs::path& directory, const Samples& head) {
  std::vector<std::string> there;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".json") there.push_back(entry.path().stem().string());
  }
  std::sort(there.begin(), there.end());
  std::string list;
  for (std::size_t i = 0; i < std::min<std::size_t>(there.size(), 5); ++i) {
    list += (i == 0 ? "" : ", ") + visible_text(there[i]);
  }
  if (there.size() > 5) list += ", …";
  const std::string others = there.empty() ? "is none at all"
                             : there.size() == 1
                                 ? "is one of another: " + list
                                 : fmt::format("are {} of others: {}", there.size(), list);
  return fmt::format(
      "{}: no stored baseline of head's machine ({}); there {}; `gate judge --head FILE --store "
      "{}`, "
      "without BASE, keeps a first one",
      visible_text(directory.string()), fingerprint(machine_facts(head.context)), others,
      shell_word(visible_text(directory.string())));
}

}  // namespace breakeven::gate
