// Whole networks: sums over all layers, their speedups, and the batch from which a GPU wins.

#include <fmt/format.h>

#include <algorithm>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string implementation_cells(const CaseName& name) {
  return fmt::format("<td>{}<td>{}<td>{}", escape_html(name.device),
                     escape_html(implementation_text(name.implementation)),
                     escape_html(name.precision));
}

std::string sums_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const NetworkSum& sum : run.networks) {
      if (!sum.complete() || !listing.takes()) continue;
      const Case& total = sum.total;
      const Estimate& time = *total.seconds;
      const auto rate = total.flops_per_second();
      rows += fmt::format(
          "<tr><td>{}{}{}<td class=\"n\">{}<td class=\"w\">{}<td class=\"n\">{}<td class=\"n\">{}"
          "<td class=\"n\">{}<td class=\"n\">{}</tr>\n",
          run_cell(page, run), escape_html(network_text(sum)), implementation_cells(total.segments),
          format_seconds(time.value),
          time.interval.coverage > 0
              ? format_seconds_interval(time.interval.low, time.interval.high)
              : "–",
          rate ? rate_text(total.segments.op, total.segments.precision, *rate) : "–",
          total.share_of_ceiling ? format_percent(*total.share_of_ceiling) : "–", layers_text(sum),
          time.samples);
    }
  }
  if (rows.empty()) return absent("No sum is complete.");
  return "<div class=\"scroll\"><table class=\"wide\"><caption>All layers of a network, each as "
         "often as it "
         "occurs, one after another with warm caches at the default number of threads. What lies "
         "between them in the network is not in these times.</caption><thead><tr>"
         "<th scope=\"col\">Network<th scope=\"col\">Device<th scope=\"col\">Implementation"
         "<th scope=\"col\">Precision<th scope=\"col\">Time<th scope=\"col\">Interval"
         "<th scope=\"col\">Rate<th scope=\"col\">Of ceiling<th scope=\"col\">Layers"
         "<th scope=\"col\">Rounds</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("sums");
}

std::string ratios_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  const auto side = [](const Best& best) {
    std::vector<double> values;
    for (const auto& [round, seconds] : best.seconds) values.push_back(seconds);
    return fmt::format("{} {}{}", format_seconds(median(values)),
                       escape_html(best.favourite().segments.implementation),
                       best.chosen_on_reported_rounds ? " (chosen on the rounds reported)" : "");
  };
  for (const Run& run : page.runs) {
    for (const Pair& pair : run.network_pairs) {
      if (!listing.takes()) continue;
      rows +=
          fmt::format("<tr><td>{}{} {}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>\n", run_cell(page, run),
                      escape_html(pair.op), escape_html(pair.shape), escape_html(pair.precision),
                      side(pair.gpu), side(pair.cpu), escape_html(ratio_text(pair.speedup)),
                      pair.naive ? escape_html(ratio_text(pair.naive->speedup)) : "not measured");
    }
  }
  if (rows.empty()) return "";
  return "<div class=\"scroll\"><table class=\"wide\"><caption>GPU against the strongest CPU sum "
         "of the same run, "
         "operands resident</caption><thead><tr><th scope=\"col\">Network<th scope=\"col\">"
         "Precision<th scope=\"col\">GPU<th scope=\"col\">CPU, strongest<th scope=\"col\">Speedup"
         "<th scope=\"col\">Against the naive one-thread loop (a strawman)</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("networks");
}

std::string batches_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const BatchSeries& series : run.batch_series) {
      if (!listing.takes()) continue;
      std::string batches;
      for (const auto& [batch, verdict] : series.crossovers.resident->verdicts) {
        batches += fmt::format("{}{:.0f}", batches.empty() ? "" : ", ", batch);
      }
      const auto wins = [&](Transfers transfers) {
        const std::optional<Crossover>& crossover = series.crossovers.of(transfers);
        return crossover ? escape_html(crossover_text(*crossover, "batch")) : "not measured";
      };
      rows += fmt::format("<tr><td>{}{} of {}{}{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>\n",
                          run_cell(page, run), escape_html(series.op),
                          series.whole_network ? "all layers of " : "", escape_html(series.name),
                          escape_html(series.mode.empty() ? "" : ", " + series.mode),
                          escape_html(series.precision), batches, wins(Transfers::resident),
                          wins(Transfers::once), wins(Transfers::every_call));
    }
  }
  if (rows.empty()) return "";
  return "<details><summary>From which batch on the GPU wins, by network, layer and model</summary>"
         "<div class=\"scroll\"><table class=\"wide\"><thead><tr><th scope=\"col\">Of<th "
         "scope=\"col\">Precision"
         "<th scope=\"col\">Batches<th scope=\"col\">GPU wins<th scope=\"col\">GPU wins, transfers "
         "once in 100 calls<th scope=\"col\">GPU wins, transfers at every "
         "call</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>" + listing.note("sweeps") + "</details>\n";
}

// Every missing layer by name: a sum is only as good as what is in it.
std::string incomplete_html(const Page& page) {
  std::string rows;
  std::size_t count = 0;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const NetworkSum& sum : run.networks) {
      if (sum.complete()) continue;
      ++count;
      if (!listing.takes()) continue;
      std::string missing;
      for (const std::string& layer : sum.missing) missing += (missing.empty() ? "" : ", ") + layer;
      if (sum.layers == 0) missing = "the file doesn't list the network's layers";
      if (sum.no_round) missing = "none, but no round has every layer";
      rows += fmt::format("<tr><td>{}{}{}<td class=\"w\">{}<td>{}</tr>\n", run_cell(page, run),
                          escape_html(network_text(sum)), implementation_cells(sum.total.segments),
                          layers_text(sum), escape_html(missing));
    }
  }
  if (count == 0) return "";
  return fmt::format(
             "<details><summary>{} incomplete {}: no time, no ratio</summary>"
             "<div class=\"scroll\"><table class=\"wide\"><thead><tr><th scope=\"col\">Network"
             "<th scope=\"col\">Device<th scope=\"col\">Implementation<th scope=\"col\">Precision"
             "<th scope=\"col\">Layers<th scope=\"col\">Missing</tr></thead>\n<tbody>",
             count, count == 1 ? "sum" : "sums") +
         rows + "</tbody></table></div>" + listing.note("sums") + "</details>\n";
}

}  // namespace

std::string networks_html(const Page& page) {
  const bool any = std::any_of(page.runs.begin(), page.runs.end(),
                               [](const Run& run) { return !run.networks.empty(); });
  const std::string series = batches_html(page);
  if (!any) return absent("Not shown: no row is a layer of a network.") + series;
  return sums_html(page) + ratios_html(page) + series + incomplete_html(page);
}

}  // namespace breakeven
