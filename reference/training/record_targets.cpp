// Writes targets.json: how good the fp64 interpreter is on examples that were held back, from five
// seeds. Minutes; needed again only where a shape in convergence_shapes.cpp, the data or the models
// change:
//   cmake --build build/release --target record_targets
//   build/release/record_targets > targets.json && mv targets.json reference/training/
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "reference/training/convergence.h"

namespace breakeven {
namespace {

nlohmann::ordered_json record(const TargetShape& shape) {
  const std::unique_ptr<Dataset> data = dataset_for(shape.size);
  Target target = shape.target;
  const Goal goal = {.most_steps = target.steps, .evaluate_every = target.steps};
  for (int seed = 1; seed <= kTargetSeeds; ++seed) {
    InterpreterLearner learner(shape.size, data->test_size(), Precision::f64);
    const auto run = train(learner, *data, goal, static_cast<std::uint64_t>(seed));
    target.reached.push_back(run.metric);
    fmt::print(stderr, "{} seed {}: {} {}\n", shape.name, seed, metric_name(data->metric()),
               run.metric);
  }
  return {{"data", data->description()}, {"metric", metric_name(data->metric())},
          {"steps", target.steps},       {"reached", target.reached},
          {"margin", target.margin},     {"target", target.value(data->metric())}};
}

}  // namespace
}  // namespace breakeven

int main() {
  try {
    nlohmann::ordered_json file = {
        {"note",
         "Written by reference/training/record_targets.cpp: the metric of the fp64 interpreter "
         "after so many steps from seeds 1 to 5; the target is the worst of them less the margin."},
        {"shapes", nlohmann::ordered_json::object()}};
    for (const breakeven::TargetShape& shape : breakeven::target_shapes()) {
      file["shapes"][shape.name] = breakeven::record(shape);
    }
    fmt::print("{}\n", file.dump(2));
  } catch (const std::exception& error) {
    fmt::print(stderr, "record_targets: {}\n", error.what());
    return 1;
  }
}
