// Section 7: steps by phase, rates, inference, ablation, batch sweeps, loss curves.

#include <fmt/format.h>

#include "reports/html_parts.h"
#include "reports/text.h"
#include "reports/training.h"

namespace breakeven {
namespace {

std::string time_cell(const Page& page, const Run& run, const Case* c) {
  if (c == nullptr || !c->seconds) return "<td class=\"n\">–";
  return "<td class=\"n\">" + row_link(page, run, *c, format_seconds(c->seconds->value), "");
}

std::string rate_cell(const Case* c) {
  const auto rate = c == nullptr ? std::nullopt : items_per_second(*c);
  if (!rate) return "<td class=\"n\">–";
  return fmt::format("<td class=\"n\">{} {}/s", format_number(*rate),
                     escape_html(c->text("items_name")));
}

// Model flops utilisation, and the bytes held at most.
std::string memory_cells(const Case* step) {
  std::string share = "–";
  std::string peak = "–";
  if (step != nullptr && step->share_of_ceiling) share = format_percent(*step->share_of_ceiling);
  if (step != nullptr && step->counters.contains("peak_bytes")) {
    peak = format_bytes(step->counters.at("peak_bytes"));
  }
  return "<td class=\"n\">" + share + "<td class=\"n\">" + peak;
}

std::string steps_html(const Page& page) {
  std::string body;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const TrainingRow& row : training_rows(run)) {
      if (!listing.takes()) continue;
      const auto ratio = row.step_to_inference();
      body += fmt::format("<tr><td>{}{} {}<td>{}", run_cell(page, run), escape_html(row.model),
                          escape_html(row.name.shape), escape_html(way_text(row.name)));
      for (const Case* c : {row.step, row.forward, row.backward, row.update}) {
        body += time_cell(page, run, c);
      }
      body += rate_cell(row.step);
      body += memory_cells(row.step);
      body += time_cell(page, run, row.inference) + rate_cell(row.inference);
      body +=
          fmt::format("<td class=\"w\">{}</tr>\n", ratio ? escape_html(ratio_text(*ratio)) : "–");
    }
  }
  if (body.empty()) return absent("No step, phase or inference was measured.");
  return "<h3>Time of a step by phase</h3>\n<div class=\"scroll\"><table class=\"wide\"><caption>"
         "Each phase is measured by itself, over and over on what the phases before it left; their "
         "sum needn't be the step's time, which is measured as a whole. A loss's gradient may be "
         "taken in the forward phase, in place of the logits. MFU: model flops utilisation, flops "
         "of the "
         "model's products (nothing recomputed) over the step's time, of the peak that was "
         "measured at this precision in the same run; – without one (a GPU's is measured for f32 "
         "only).</caption><thead><tr>"
         "<th scope=\"col\">Model<th scope=\"col\">By<th scope=\"col\">Step<th scope=\"col\">"
         "Forward<th scope=\"col\">Backward<th scope=\"col\">Update<th scope=\"col\">Rate"
         "<th scope=\"col\">MFU<th scope=\"col\">Peak memory<th scope=\"col\">Inference"
         "<th scope=\"col\">Rate<th scope=\"col\">Step : inference</tr></thead>\n<tbody>" +
         body + "</tbody></table></div>\n" + listing.note("rows");
}

std::string frameworks_html(const Page& page) {
  std::string body;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const FrameworkRow& row : framework_rows(run)) {
      if (!listing.takes()) continue;
      const Case& c = *row.framework;
      body += fmt::format("<tr><td>{}{} {}<td>{}<td>{}", run_cell(page, run),
                          escape_html(row.model), escape_html(c.segments.shape),
                          escape_html(c.segments.precision), escape_html(c.segments.device));
      if (row.ours) {
        std::vector<double> seconds;
        for (const auto& [round, value] : row.ours->seconds) seconds.push_back(value);
        const Case& favourite = row.ours->favourite();
        body += fmt::format(
            "<td class=\"n\">{}<td>{}{}",
            row_link(page, run, favourite, format_seconds(median(seconds)), ""),
            escape_html(by_text(favourite)),
            row.ours->chosen_on_reported_rounds ? " (chosen on the rounds reported)" : "");
      } else {
        body += "<td class=\"n\">–<td>–";
      }
      body += c.failure ? "<td class=\"bad\">failed: " + escape_html(*c.failure)
                        : time_cell(page, run, &c);
      body += fmt::format("<td>{}<td class=\"w\">{}</tr>\n", escape_html(by_text(c)),
                          row.ratio ? escape_html(ratio_text(*row.ratio)) : "–");
    }
  }
  if (body.empty()) return "";
  return "<h3>Beside a framework</h3>\n<div class=\"scroll\"><table><caption>Whole steps. Ours is "
         "the fastest row of this model, size, precision and device, chosen on the other rounds "
         "than "
         "the one that is reported. The ratio is the framework's time over ours, from paired "
         "rounds: "
         "above 1 ours is faster. A framework's rows enter no other ratio of this report.</caption>"
         "<thead><tr><th scope=\"col\">Model<th scope=\"col\">Precision<th scope=\"col\">Device"
         "<th scope=\"col\">Ours<th scope=\"col\">By<th scope=\"col\">Framework<th scope=\"col\">By"
         "<th scope=\"col\">Framework : ours</tr></thead>\n<tbody>" +
         body + "</tbody></table></div>\n" + listing.note("rows");
}

std::string ablations_html(const Page& page) {
  std::string body;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Ablation& ablation : ablations(training_rows(run))) {
      bool first = true;
      for (const AblationStage& stage : ablation.stages) {
        if (!listing.takes()) continue;
        const std::string what =
            first ? fmt::format("{}{} {}, {}, {}", run_cell(page, run), ablation.model,
                                ablation.shape, ablation.implementation, ablation.device)
                  : "";
        const auto shown = [](const std::optional<Estimate>& ratio) {
          return ratio ? escape_html(ratio_text(*ratio)) : "–";
        };
        body += fmt::format("<tr{}><td>{}<td>{}{}<td class=\"w\">{}<td class=\"w\">{}</tr>\n",
                            first ? " class=\"first\"" : "", escape_html(what), stage.name,
                            time_cell(page, run, stage.step), shown(stage.of_first),
                            shown(stage.of_previous));
        first = false;
      }
    }
  }
  if (body.empty()) return "";
  return "<h3>What fusing, bf16 and a captured graph bring</h3>\n<div class=\"scroll\"><table>"
         "<caption>Each stage has what those before it have; the last columns are how many times "
         "as "
         "fast as the first and as the stage before it is, from paired rounds, which needn't be "
         "the "
         "quotient of the medians. bf16 is another precision: see its error."
         "</caption><thead><tr><th scope=\"col\">Model<th scope=\"col\">Stage<th scope=\"col\">Step"
         "<th scope=\"col\">Times as fast as unfused<th scope=\"col\">As the stage "
         "before</tr></thead>\n<tbody>" +
         body + "</tbody></table></div>\n" + listing.note("rows");
}

std::string convergence_html(const Page& page) {
  std::string body;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Convergence& each : convergences(run)) {
      if (!listing.takes()) continue;
      const Case& c = *each.row;
      const auto shown = [](const std::string& text) {
        return text.empty() ? "–" : escape_html(text);
      };
      body += fmt::format(
          "<tr><td>{}{} {}<td>{}{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}"
          "<td class=\"n\">{}</tr>\n",
          run_cell(page, run), escape_html(each.model), escape_html(c.segments.shape),
          escape_html(way_text(c.segments)),
          c.failure ? "<td class=\"bad\">failed: " + escape_html(*c.failure)
                    : time_cell(page, run, each.steps_to_target.empty() ? nullptr : &c),
          shown(each.steps_to_target), shown(each.target), shown(each.metric),
          shown(last_loss_text(each)));
    }
  }
  if (body.empty()) return "";
  return "<h3>Training to a target</h3>\n<div class=\"scroll\"><table><caption>Every row starts "
         "from the same seed and sees the same data in the same order; its time is the wall time "
         "from there to the target. Rows without steps to a target only show their "
         "losses.</caption><thead><tr><th scope=\"col\">Model<th scope=\"col\">By"
         "<th scope=\"col\">Time to target<th scope=\"col\">Steps<th scope=\"col\">Target"
         "<th scope=\"col\">Reached<th scope=\"col\">Loss, steps</tr></thead>\n<tbody>" +
         body + "</tbody></table></div>\n" + listing.note("rows");
}

}  // namespace

std::string training_html(const Page& page) {
  return charts_of(page, "training") + steps_html(page) + frameworks_html(page) +
         ablations_html(page) + convergence_html(page);
}

}  // namespace breakeven
