// The built-in convergence workloads and the targets that were recorded for them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "reference/training/convergence.h"

namespace breakeven {

// Written by the build from targets.json: its name and text.
std::vector<std::pair<std::string_view, std::string_view>> target_files();

namespace {

constexpr Gpt kTinyGpt = {.batch = 4};

// Five and ten epochs of 21 batches; a text's loss falls slowly.
const Target kMlpTarget = {.steps = 105, .evaluate_every = 21, .margin = 0.01, .reached = {}};
const Target kLenetTarget = {.steps = 210, .evaluate_every = 21, .margin = 0.01, .reached = {}};
const Target kGptTarget = {.steps = 200, .evaluate_every = 25, .margin = 0.05, .reached = {}};

std::unique_ptr<Workload> with_target(const TargetShape& shape, const nlohmann::json& recorded) {
  Target target = shape.target;
  const auto found = recorded.find(shape.name);
  // Only record_targets, which makes the file, may see a shape without.
  if (found != recorded.end()) {
    const auto require = [&](const char* what, const nlohmann::json& value) {
      if (found->at(what) == value) return;
      throw std::runtime_error(
          fmt::format("targets.json: {} was recorded with {} {}, not {}; run record_targets",
                      shape.name, what, found->at(what).dump(), value.dump()));
    };
    require("steps", target.steps);
    require("margin", target.margin);
    target.reached = found->at("reached").get<std::vector<double>>();
    target.data = found->at("data").get<std::string>();
    const bool loss = found->at("metric") == metric_name(Metric::loss);
    require("target", target.value(loss ? Metric::loss : Metric::accuracy));
  }
  return std::make_unique<Convergence>(shape.name.substr(shape.name.find('/') + 1), shape.size,
                                       target);
}

}  // namespace

std::vector<TargetShape> target_shapes() {
  return {
      {"convergence_mlp/digits", Mlp{.batch = 64, .widths = {64, 256, 256, 10}}, kMlpTarget},
      {"convergence_lenet/digits", Lenet{.batch = 64, .side = kDigitSide}, kLenetTarget},
      {"convergence_gpt/text", kTinyGpt, kGptTarget},
  };
}

std::vector<std::unique_ptr<Workload>> convergence_workloads() {
  return convergence_workloads(target_files().front().second);
}

std::vector<std::unique_ptr<Workload>> convergence_workloads(std::string_view targets) {
  const nlohmann::json file = nlohmann::json::parse(targets);
  std::vector<std::unique_ptr<Workload>> workloads;
  for (const TargetShape& shape : target_shapes()) {
    workloads.push_back(with_target(shape, file.at("shapes")));
  }
  workloads.push_back(
      std::make_unique<Convergence>("text_first_steps", ModelSize(kTinyGpt), std::nullopt));
  return workloads;
}

}  // namespace breakeven
