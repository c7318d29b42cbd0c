#include "reports/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <tuple>

#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::string_view kConvergence = "convergence_";

struct Part {
  std::string_view prefix;
  const Case* TrainingRow::*place;
};

constexpr Part kParts[] = {{"training_step_", &TrainingRow::step},
                           {"training_forward_", &TrainingRow::forward},
                           {"training_backward_", &TrainingRow::backward},
                           {"training_update_", &TrainingRow::update},
                           {"inference_", &TrainingRow::inference}};

using Options = std::map<std::string, std::string>;

const Options kGraph = {{"launch", "graph"}};

// Model, shape, device, implementation, precision, options.
using StepKey =
    std::tuple<std::string, std::string, std::string, std::string, std::string, Options>;

}  // namespace

std::optional<Estimate> TrainingRow::step_to_inference() const {
  if (step == nullptr || inference == nullptr) return std::nullopt;
  return times_as_fast(step->round_seconds(), inference->round_seconds());
}

std::optional<double> sweep_batch(const Case& c) {
  const auto n = c.counter("n");
  const std::string& shape = c.segments.shape;
  if (!n || !is_training(c.segments.op) || c.segments.op.starts_with(kConvergence)) {
    return std::nullopt;
  }
  if (shape != fmt::format("{}{:.0f}", sweep_name(shape), *n)) return std::nullopt;
  return n;
}

bool is_training(const std::string& op) {
  return op.starts_with(kConvergence) ||
         std::any_of(std::begin(kParts), std::end(kParts),
                     [&](const Part& part) { return op.starts_with(part.prefix); });
}

std::optional<double> items_per_second(const Case& c) {
  const auto items = c.counter("items");
  if (!c.seconds || !items || !(*items > 0)) return std::nullopt;
  return *items / c.seconds->value;
}

std::vector<TrainingRow> training_rows(const Run& run) {
  using Key =
      std::tuple<std::string, double, std::string, std::string, std::string, std::string, Options>;
  std::map<std::pair<std::string, std::string>, double> sizes;  // the same for all parts of a row
  std::vector<std::tuple<const Case*, std::string, const Part*>> found;
  for (const Case& c : run.cases) {
    for (const Part& part : kParts) {
      if (!c.segments.op.starts_with(part.prefix) || !c.seconds) continue;
      const std::string model = c.segments.op.substr(part.prefix.size());
      double& size = sizes[{model, c.segments.shape}];
      size = std::max(size, c.counter("flops").value_or(0));
      found.emplace_back(&c, model, &part);
    }
  }
  std::map<Key, TrainingRow> rows;
  for (const auto& [c, model, part] : found) {
    const CaseName& name = c->segments;
    TrainingRow& row = rows[{model, sizes.at({model, name.shape}), name.shape, name.device,
                             name.precision, name.implementation, name.options}];
    row.model = model;
    row.name = name;
    row.name.op.clear();
    row.*(part->place) = c;
  }
  std::vector<TrainingRow> list;
  for (auto& [key, row] : rows) list.push_back(std::move(row));
  return list;
}

std::vector<FrameworkRow> framework_rows(const Run& run) {
  constexpr std::string_view kStep = kParts[0].prefix;
  using WorkKey = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  const auto work_of = [](const Case& c) {
    const CaseName& name = c.segments;
    return WorkKey{name.op, name.shape, name.device, name.precision,
                   options_text(name, {"launch"})};
  };
  std::map<WorkKey, std::vector<const Case*>> own;
  for (const Case& c : run.cases) {
    if (!c.segments.op.starts_with(kStep) || is_framework(c) || !c.verified()) continue;
    own[work_of(c)].push_back(&c);
  }
  std::vector<FrameworkRow> rows;
  for (const Case& framework : run.cases) {
    const CaseName& name = framework.segments;
    if (!is_framework(framework) || !name.op.starts_with(kStep)) continue;
    const auto found = own.find(work_of(framework));
    const auto ours = found == own.end() ? std::vector<const Case*>() : found->second;
    FrameworkRow row{name.op.substr(kStep.size()), &framework, std::nullopt, std::nullopt};
    if (!ours.empty()) {
      row.ours = best_by_other_rounds(ours);
      const auto ratios = framework.verified()
                              ? paired_log_ratios(framework.round_seconds(), row.ours->seconds)
                              : std::vector<double>();
      if (!ratios.empty()) row.ratio = ratio_estimate(ratios);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Ablation> ablations(const std::vector<TrainingRow>& rows) {
  constexpr std::string_view kUnfused = "_unfused";
  std::map<StepKey, const Case*> steps;
  for (const TrainingRow& row : rows) {
    const CaseName& name = row.name;
    steps.emplace(StepKey{row.model, name.shape, name.device, name.implementation, name.precision,
                          name.options},
                  row.step);
  }
  std::vector<Ablation> all;
  for (const TrainingRow& row : rows) {
    const CaseName& name = row.name;
    if (!name.implementation.ends_with(kUnfused) || name.precision != "f32" ||
        !name.options.empty() || row.step == nullptr) {
      continue;
    }
    Ablation ablation{row.model,
                      name.shape,
                      name.device,
                      name.implementation.substr(0, name.implementation.size() - kUnfused.size()),
                      {{"unfused", row.step, std::nullopt, std::nullopt}}};
    const auto add = [&](const char* stage, const std::string& precision, const Options& options) {
      const auto found = steps.find(
          {row.model, name.shape, name.device, ablation.implementation, precision, options});
      if (found == steps.end() || found->second == nullptr) return false;
      const Case* step = found->second;
      ablation.stages.push_back(
          {stage, step, times_as_fast(row.step->round_seconds(), step->round_seconds()),
           times_as_fast(ablation.stages.back().step->round_seconds(), step->round_seconds())});
      return true;
    };
    add("fused", "f32", {});
    const bool bf16 = add("bf16", "bf16", {});
    add("graph", bf16 ? "bf16" : "f32", kGraph);
    if (ablation.stages.size() > 1) all.push_back(std::move(ablation));
  }
  return all;
}

std::vector<Convergence> convergences(const Run& run) {
  std::vector<Convergence> all;
  for (const Case& c : run.cases) {
    if (!c.segments.op.starts_with(kConvergence)) continue;
    const std::string label = c.text("label");
    all.push_back({c.segments.op.substr(kConvergence.size()), &c,
                   parse_curve(label_fact(label, "loss_curve")),
                   label_fact(label, "steps_to_target"), label_fact(label, "target"),
                   label_fact(label, "metric")});
  }
  return all;
}

std::string last_loss_text(const Convergence& each) {
  if (each.losses.empty()) return "";
  return fmt::format("{} after {}", format_number(each.losses.back()), each.losses.size());
}

std::string by_text(const Case& c) {
  std::string text = c.segments.implementation;
  if (c.threads > 0)
    text += fmt::format(", {} {}", c.threads, c.threads == 1 ? "thread" : "threads");
  const std::string options = options_text(c.segments, {"threads"});
  return options.empty() ? text : text + ", " + options;
}

std::string label_fact(const std::string& label, const std::string& key) {
  constexpr std::string_view kBetween = "; ";
  for (std::size_t start = 0; start < label.size();) {
    const std::size_t end = std::min(label.find(kBetween, start), label.size());
    const std::string fact = label.substr(start, end - start);
    const std::size_t equals = fact.find('=');
    if (equals != std::string::npos && fact.substr(0, equals) == key) {
      return fact.substr(equals + 1);
    }
    start = end + kBetween.size();
  }
  return "";
}

std::vector<double> parse_curve(const std::string& text) {
  std::vector<double> values;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    double value = 0;
    const char* last = text.data() + end;
    const auto [stop, error] = std::from_chars(text.data() + start, last, value);
    if (error != std::errc() || stop != last || !std::isfinite(value)) return {};
    values.push_back(value);
    start = end + 1;
  }
  return values;
}

std::string way_text(const CaseName& name) {
  std::string text = name.implementation + ", " + name.precision + ", " + name.device;
  const std::string options = options_text(name);
  return options.empty() ? text : text + ", " + options;
}

std::string sweep_name(const std::string& shape) {
  std::size_t end = shape.size();
  while (end > 0 && shape[end - 1] >= '0' && shape[end - 1] <= '9') --end;
  return shape.substr(0, end);
}

}  // namespace breakeven
