// Results of two arms as Google Benchmark and `gate run` write them, invented: seeded noise around
// times that differ by a known ratio.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/gate/judge.h"
#include "tools/gate/testing/simulation.h"

namespace breakeven::gate {

struct ArmsRow {
  std::string name = "row";
  double ratio = 1;      ///< head / base of the times
  double noise = 0.005;  ///< of ln(time)
  double seconds = 1e-3;
  double iterations = 100;
  int confirmation = 0;                                ///< fresh rounds
  nlohmann::json counters = nlohmann::json::object();  ///< of both arms
};

struct ArmsOptions {
  int rounds = 12;
  bool staged = false;  ///< as `gate run` writes them: measured in turns, with stages
  std::uint64_t seed = 1;
};

/// Two results files, still to be spoilt.
struct ArmFiles {
  nlohmann::json base, head;
};

inline nlohmann::json timed_json(const ArmsRow& row, int round, double seconds) {
  nlohmann::json object = {
      {"name", row.name},      {"run_name", row.name}, {"run_type", "iteration"},
      {"repetition_index", 0}, {"threads", 1},         {"iterations", row.iterations},
      {"cpu_time", seconds},   {"real_time", seconds}, {"time_unit", "s"},
      {"round", round}};
  object.update(row.counters);
  return object;
}

inline ArmFiles arms(const std::vector<ArmsRow>& rows, const ArmsOptions& options = {}) {
  const nlohmann::json context = {{"date", "2026-11-22T10:00:00+00:00"},
                                  {"cpu.model", "Model 1"},
                                  {"num_cpus", 2},
                                  {"host_name", "h"}};
  ArmFiles made{{{"context", context}, {"benchmarks", nlohmann::json::array()}}, {}};
  if (options.staged) made.base["context"]["gate.run"] = "run 1";
  made.head = made.base;
  NoiseSource random(options.seed);
  const auto add = [&](const ArmsRow& row, int round, Arm arm, Stage stage) {
    const double factor = arm == Arm::head ? row.ratio : 1;
    nlohmann::json object =
        timed_json(row, round, row.seconds * factor * std::exp(row.noise * random.normal()));
    if (options.staged) {
      object["arm"] = arm_word(arm);
      object["stage"] = stage_word(stage);
    }
    (arm == Arm::head ? made.head : made.base)["benchmarks"].push_back(std::move(object));
  };
  for (const Stage stage : {Stage::screening, Stage::confirmation}) {
    for (const ArmsRow& row : rows) {
      const int rounds = stage == Stage::screening ? options.rounds : row.confirmation;
      for (int round = 0; round < rounds; ++round) {
        add(row, round, Arm::base, stage);
        add(row, round, Arm::head, stage);
      }
    }
  }
  return made;
}

/// `count` rows named prefix0, prefix1, … that are otherwise as `row`.
inline std::vector<ArmsRow> many(int count, const std::string& prefix, ArmsRow row = {}) {
  std::vector<ArmsRow> rows;
  for (int i = 0; i < count; ++i) {
    row.name = prefix + std::to_string(i);
    rows.push_back(row);
  }
  return rows;
}

/// Every row of that name.
template <class Change>
void change_rows(nlohmann::json& document, const std::string& name, Change change) {
  for (nlohmann::json& row : document["benchmarks"]) {
    if (row["name"] == name) change(row);
  }
}

/// Takes rows out: those of which `condition` is true.
template <class Condition>
void erase_rows(nlohmann::json& document, Condition condition) {
  nlohmann::json left = nlohmann::json::array();
  for (const nlohmann::json& row : document["benchmarks"]) {
    if (!condition(row)) left.push_back(row);
  }
  document["benchmarks"] = left;
}

inline void fail_rows(nlohmann::json& document, const std::string& name,
                      const std::string& message) {
  change_rows(document, name, [&](nlohmann::json& row) {
    row["error_occurred"] = true;
    row["error_message"] = message;
  });
}

inline void skip_rows(nlohmann::json& document, const std::string& name,
                      const std::string& message) {
  change_rows(document, name, [&](nlohmann::json& row) {
    row["skipped"] = true;
    row["skip_message"] = message;
  });
}

inline Samples samples_of(const nlohmann::json& document, Arm arm,
                          const std::vector<ExactCounter>& exact = default_exact_counters()) {
  return parse_samples(document.dump(), std::string(arm_word(arm)) + ".json", arm, exact);
}

inline Judgement judged(const ArmFiles& arms, const JudgeOptions& options = {}) {
  return judge(samples_of(arms.base, Arm::base, options.exact),
               samples_of(arms.head, Arm::head, options.exact), options);
}

/// Throws std::out_of_range where there is no such row.
inline const RowJudgement& row_of(const Judgement& judgement, const std::string& name) {
  for (const RowJudgement& row : judgement.rows) {
    if (row.name == name) return row;
  }
  throw std::out_of_range("no row " + name);
}

/// What std::runtime_error says that `call` throws; "" where it throws none.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

inline bool remarks_hold(const Judgement& judgement, const std::string& part) {
  for (const std::string& remark : judgement.remarks) {
    if (remark.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace breakeven::gate
