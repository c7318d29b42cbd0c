// Training steps in the Markdown report.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "reports/markdown.h"
#include "reports/markdown_parts.h"
#include "reports/text.h"
#include "reports/training.h"

namespace breakeven {
namespace {

constexpr std::size_t kFastest = 3;

std::string model_text(const std::string& model, const std::string& shape) {
  return escape_markdown(model) + " " + code(shape);
}

std::string time_text(const Case* c) {
  return c == nullptr ? "–" : format_seconds(c->seconds->value);
}

std::string ratio_or_dash(const std::optional<Estimate>& ratio) {
  return ratio ? ratio_text(*ratio) : "–";
}

std::string failure_text(const Case& c) {
  return "failed: " + escape_markdown(shortened(*c.failure, 200));
}

std::string step_line(const TrainingRow& row) {
  const auto rate = items_per_second(*row.step);
  return fmt::format(
      "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", model_text(row.model, row.name.shape),
      escape_markdown(way_text(row.name)), time_text(row.step), time_text(row.forward),
      time_text(row.backward), time_text(row.update),
      rate ? format_number(*rate) + " " + escape_markdown(row.step->text("items_name")) + "/s"
           : "–",
      row.step->share_of_ceiling ? format_percent(*row.step->share_of_ceiling) : "–",
      ratio_or_dash(row.step_to_inference()));
}

}  // namespace

std::string training_steps_markdown(const Run& run) {
  // By model and device, in order of the sizes, so that a GPU's rows don't push out the CPU's.
  std::map<std::tuple<std::string, double, std::string, std::string>, std::vector<TrainingRow>>
      groups;
  for (const TrainingRow& row : training_rows(run)) {
    if (row.step == nullptr || is_framework(*row.step)) continue;
    if (!options_text(row.name, {"launch"}).empty()) continue;  // cold, or a sweep over threads
    groups[{row.model, row.step->counter("flops").value_or(0), row.name.shape, row.name.device}]
        .push_back(row);
  }
  if (groups.empty()) return "";
  std::string out =
      "| training | by | step | forward | backward | update | rate | MFU | step : inference |\n"
      "|---|---|---:|---:|---:|---:|---:|---:|---|\n";
  bool left_out = false;
  for (auto& [key, rows] : groups) {
    std::stable_sort(rows.begin(), rows.end(), [](const TrainingRow& a, const TrainingRow& b) {
      return a.step->seconds->value < b.step->seconds->value;
    });
    left_out = left_out || rows.size() > kFastest;
    if (rows.size() > kFastest) rows.resize(kFastest);
    for (const TrainingRow& row : rows) out += step_line(row);
  }
  out +=
      "\nEach phase is measured by itself; their sum needn't be the step's time. – under MFU: no "
      "peak of that precision was measured in this run.";
  if (left_out) out += " Of each model, size and device the fastest three.";
  return out + "\n\n";
}

std::string frameworks_markdown(const Run& run) {
  std::string out;
  for (const FrameworkRow& row : framework_rows(run)) {
    const Case& c = *row.framework;
    std::string ours = "–";
    std::string by = "–";
    if (row.ours) {
      std::vector<double> seconds;
      for (const auto& [round, value] : row.ours->seconds) seconds.push_back(value);
      ours = format_seconds(median(seconds));
      by = escape_markdown(by_text(row.ours->favourite()));
      if (row.ours->chosen_on_reported_rounds) by += " (chosen on the rounds reported)";
    }
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                       model_text(row.model, c.segments.shape),
                       escape_markdown(c.segments.precision), escape_markdown(c.segments.device),
                       ours, by, c.failure ? failure_text(c) : time_text(&c),
                       escape_markdown(by_text(c)), ratio_or_dash(row.ratio));
  }
  if (out.empty()) return "";
  return "| beside a framework | precision | device | ours | by | framework | by | framework : "
         "ours "
         "|\n|---|---|---|---:|---|---:|---|---|\n" +
         out + "\n";
}

std::string ablations_markdown(const Run& run) {
  std::string out;
  for (const Ablation& ablation : ablations(training_rows(run))) {
    for (const AblationStage& stage : ablation.stages) {
      out += fmt::format(
          "| {} | {}, {} | {} | {} | {} | {} |\n", model_text(ablation.model, ablation.shape),
          escape_markdown(ablation.implementation), escape_markdown(ablation.device), stage.name,
          time_text(stage.step), ratio_or_dash(stage.of_first), ratio_or_dash(stage.of_previous));
    }
  }
  if (out.empty()) return "";
  return "| model | by | stage | step | of unfused | of the stage before |\n"
         "|---|---|---|---:|---|---|\n" +
         out + "\nRatios: how many times as fast. bf16 is another precision: see its error.\n\n";
}

std::string convergences_markdown(const Run& run) {
  std::string out;
  const auto shown = [](const std::string& text) {
    return text.empty() ? "–" : escape_markdown(shortened(text, 100));
  };
  for (const Convergence& each : convergences(run)) {
    const Case& c = *each.row;
    out +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n",
                    model_text(each.model, c.segments.shape), escape_markdown(way_text(c.segments)),
                    c.failure                      ? failure_text(c)
                    : each.steps_to_target.empty() ? "–"
                                                   : time_text(&c),
                    shown(each.steps_to_target), shown(each.target), shown(each.metric),
                    shown(last_loss_text(each)));
  }
  if (out.empty()) return "";
  return "| model | by | time to target | steps | target | reached | last loss |\n"
         "|---|---|---:|---:|---|---|---|\n" +
         out + "\n";
}

}  // namespace breakeven
