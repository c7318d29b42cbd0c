// Section 2's tables: every pair with its times, and the ratios against three CPU baselines.

#include <fmt/format.h>

#include <algorithm>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// "<small>openblas, 2 threads</small>" on a line of its own.
std::string by_html(const Best& best) {
  const Case& c = best.favourite();
  const std::string threads =
      c.threads > 0 ? fmt::format(", {} {}", c.threads, c.threads == 1 ? "thread" : "threads") : "";
  return fmt::format("<br><small>{}{}{}</small>", escape_html(c.segments.implementation), threads,
                     best.chosen_on_reported_rounds ? " (chosen on the rounds reported)" : "");
}

std::string side_cell(const Page& page, const Run& run, const Best& best) {
  return "<td class=\"w\">" +
         row_link(page, run, best.favourite(), format_seconds(median_of_rounds(best.seconds)), "") +
         by_html(best);
}

// Leads to the baseline's row, unless that is the strongest one, which the line leads to anyway.
std::string baseline_cell(const Page& page, const Run& run, const Pair& pair,
                          const std::optional<Against>& against) {
  if (!against) return "<td>–";
  const Case& cpu = against->cpu.favourite();
  const std::string ratio = ratio_text(against->speedup);
  if (&cpu == &pair.cpu.favourite()) return "<td>" + escape_html(ratio);
  return "<td>" + row_link(page, run, cpu, ratio, cpu.name) + by_html(against->cpu);
}

std::string pair_row(const Page& page, const Run& run, const Pair& pair) {
  const Case& gpu = pair.gpu.favourite();
  const Case& cpu = pair.cpu.favourite();
  return fmt::format(
      "<tr id=\"{}\"{}><td>{}{} {}{}{}<td>{}{}{}<td>{}<td>{}<td>{}"
      "<td class=\"n\">{}{}{}{}</tr>\n",
      pair_id(run, pair), title_attribute(cpu.name + " : " + gpu.name), run_cell(page, run),
      escape_html(pair.op), escape_html(pair.shape),
      pair.mode.empty() ? "" : " " + escape_html(pair.mode), sizes_html(gpu),
      escape_html(pair.precision), side_cell(page, run, pair.gpu), side_cell(page, run, pair.cpu),
      escape_html(ratio_text(pair.speedup)), pair.once ? escape_html(ratio_text(*pair.once)) : "–",
      pair.every_call ? escape_html(ratio_text(*pair.every_call)) : "–",
      pair.breakeven_calls ? fmt::format("{:.0f}", *pair.breakeven_calls) : "–",
      baseline_cell(page, run, pair, pair.naive), baseline_cell(page, run, pair, pair.one_thread),
      baseline_cell(page, run, pair, pair.all_cores));
}

// Means over the same pairs, so that a column can be held against its neighbour.
std::string baselines_html(const Page& page) {
  constexpr std::size_t kMostNamedPairs = 48;
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Answer& answer : run.answers) {
      const BaselineMeans& means = answer.baselines;
      const bool any = std::any_of(answer.pairs.begin(), answer.pairs.end(), [](const Pair* pair) {
        return pair->naive || pair->one_thread;
      });
      if (!any) continue;  // nothing beside all cores
      const auto cell = [](const std::optional<Estimate>& mean) {
        return "<td class=\"w\">" + (mean ? escape_html(ratio_text(*mean)) : "–");
      };
      if (!listing.takes()) continue;
      std::string pairs;
      for (std::size_t i = 0; i < means.pairs.size() && i < kMostNamedPairs; ++i) {
        const Pair& pair = *means.pairs[i];
        pairs += fmt::format("{}<a href=\"#{}\">{}</a>", i == 0 ? "" : ", ", pair_id(run, pair),
                             escape_html(pair.shape));
      }
      if (means.pairs.size() > kMostNamedPairs) {
        pairs += fmt::format(" and {} more", means.pairs.size() - kMostNamedPairs);
      }
      rows += fmt::format(
          "<tr><td>{}{}{}<td>{}{}{}{}{}<td>{}</tr>\n", run_cell(page, run), escape_html(answer.op),
          answer.mode.empty() ? "" : " " + escape_html(answer.mode), escape_html(answer.precision),
          cell(means.naive), cell(means.one_thread), cell(means.all_cores), cell(means.strongest),
          pairs.empty() ? "no pair has all of them" : pairs);
    }
  }
  if (rows.empty()) {
    return absent(
        "Three CPU baselines: not shown, since no pair was measured against the naive "
        "loop or one tuned thread.");
  }
  return "<div class=\"scroll\"><table class=\"wide\" id=\"baselines\"><caption>The GPU against "
         "three CPU baselines: geometric means over those pairs that have every baseline, named "
         "in the last column. Only the strongest counts in the answer; the others tell how a "
         "larger figure comes about.</caption><thead><tr><th scope=\"col\">Operation"
         "<th scope=\"col\">Precision<th scope=\"col\">Naive loop, one thread (a strawman)"
         "<th scope=\"col\">Tuned, one thread<th scope=\"col\">Tuned, all cores"
         "<th scope=\"col\">The strongest<th scope=\"col\">Over</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("operations");
}

}  // namespace

std::string pairs_html(const Page& page) {
  std::string out =
      baselines_html(page) +
      "<details id=\"pairs\"><summary>Every pair with both times, and three CPU baselines</summary>"
      "<div class=\"scroll\"><table class=\"wide pairs\"><caption>Median times over rounds; "
      "each leads to its row, with all samples and the command that measures it again. "
      "Ratios are from paired rounds (<a href=\"#method\">method</a>). Break-even: calls on "
      "resident inputs from which the GPU wins with one upload and one download. –: not "
      "measured.</caption>"
      "<thead><tr><th scope=\"col\">Shape<th scope=\"col\">Precision<th scope=\"col\">GPU"
      "<th scope=\"col\">CPU, strongest<th scope=\"col\">Speedup<th scope=\"col\">Transfers once "
      "in 100 calls<th scope=\"col\">Transfers at every call<th scope=\"col\">Break-even calls<th "
      "scope=\"col\">Against the naive loop, one "
      "thread (a strawman)<th scope=\"col\">Against one tuned thread<th scope=\"col\">Against all "
      "cores, tuned</tr></thead>\n<tbody>";
  Listing pairs(page);
  for (const Run& run : page.runs) {
    for (const Pair& pair : run.pairs) {
      if (pairs.takes()) out += pair_row(page, run, pair);
    }
  }
  out += "</tbody></table></div>" + pairs.note("pairs") + "</details>\n";
  std::string unpaired;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const auto& [name, reason] : run.unpaired) {
      if (!listing.takes()) continue;
      unpaired += fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(name, kMostOfName),
                              escape_html(reason));
    }
  }
  if (!unpaired.empty()) {
    out += "<details><summary>GPU rows without a speedup</summary><ul>" + unpaired + "</ul>" +
           listing.note("GPU rows") + "</details>\n";
  }
  return out;
}

}  // namespace breakeven
