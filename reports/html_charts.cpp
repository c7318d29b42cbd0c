// Sections 2 to 6: charts, and the tables of ratios.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string charts_of(const Page& page, const std::string& section) {
  std::string out;
  for (const Chart& chart : page.charts) {
    if (chart.section != section) continue;
    out += fmt::format(
        "<figure id=\"{}\"><figcaption>{}</figcaption><div class=\"scroll\">{}</div>"
        "</figure>\n",
        chart.id, escape_html(chart.caption), chart.svg);
  }
  return out.empty() ? "" : "<div class=\"charts\">\n" + out + "</div>\n";
}

std::string no_gpu(const Page& page) {
  for (const Run& run : page.runs) {
    if (run.has_gpu_rows()) {
      return "Not shown: no GPU row has a verified CPU row of the same run, shape and precision.";
    }
  }
  return fmt::format("Not shown: a speedup needs GPU rows, and there are none ({}).",
                     gpu_absence(page.runs.front()));
}

std::string pairs_html(const Page& page) {
  std::string out =
      "<details><summary>Every pair with both times</summary><div class=\"scroll\">"
      "<table class=\"wide\"><caption>Median times over rounds. Break-even: calls on resident "
      "inputs from which the GPU "
      "wins with one upload and one download.</caption><thead><tr><th scope=\"col\">Shape"
      "<th scope=\"col\">Precision<th scope=\"col\">GPU<th scope=\"col\">CPU, strongest"
      "<th scope=\"col\">Speedup<th scope=\"col\">Transfers at every call"
      "<th scope=\"col\">Break-even calls<th scope=\"col\">Against the naive one-thread loop (a "
      "strawman)</tr></thead>\n<tbody>";
  const auto side = [](const Best& best) {
    std::vector<double> values;
    for (const auto& [round, seconds] : best.seconds) values.push_back(seconds);
    const Case& c = best.favourite();
    return fmt::format("{} {}{}{}", format_seconds(median(values)),
                       escape_html(c.segments.implementation),
                       c.threads > 0 ? fmt::format(", {} threads", c.threads) : "",
                       best.chosen_on_reported_rounds ? " (chosen on the rounds reported)" : "");
  };
  for (const Run& run : page.runs) {
    for (const Pair& pair : run.pairs) {
      out += fmt::format(
          "<tr><td>{}{} {} {}{}<td>{}<td>{}<td>{}<td>{}<td>{}<td class=\"n\">{}<td>{}</tr>\n",
          run_cell(page, run), escape_html(pair.op), escape_html(pair.shape),
          escape_html(pair.mode), sizes_html(pair.gpu.favourite()), escape_html(pair.precision),
          side(pair.gpu), side(pair.cpu), escape_html(ratio_text(pair.speedup)),
          pair.every_call ? escape_html(ratio_text(*pair.every_call)) : "not measured",
          pair.breakeven_calls ? fmt::format("{:.0f}", *pair.breakeven_calls) : "–",
          pair.against_naive ? escape_html(ratio_text(*pair.against_naive)) : "not measured");
    }
  }
  out += "</tbody></table></div></details>\n";
  std::string unpaired;
  for (const Run& run : page.runs) {
    for (const auto& [name, reason] : run.unpaired) {
      unpaired +=
          fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(name), escape_html(reason));
    }
  }
  if (!unpaired.empty()) {
    out += "<details><summary>GPU rows without a speedup</summary><ul>" + unpaired +
           "</ul></details>\n";
  }
  return out;
}

bool is_library(const std::string& implementation) {
  constexpr std::array<const char*, 5> kLibraries = {"openblas", "onednn", "cublas", "cudnn",
                                                     "cutlass"};
  return std::any_of(kLibraries.begin(), kLibraries.end(),
                     [&](const char* library) { return implementation.rfind(library, 0) == 0; });
}

// Cases of one run that differ in nothing but one option.
using Siblings = std::map<std::string, std::map<std::string, const Case*>>;

Siblings siblings_by(const Run& run, const std::string& option, const std::string& usual) {
  Siblings siblings;
  for (const Case& c : run.cases) {
    if (!c.seconds) continue;
    const auto found = c.segments.options.find(option);
    const std::string value = found == c.segments.options.end() ? usual : found->second;
    siblings[fmt::format("{}/{}/{}/{}/{} {}", c.segments.op, c.segments.shape, c.segments.device,
                         c.segments.implementation, c.segments.precision,
                         options_text(c.segments, {option}))][value] = &c;
  }
  std::erase_if(siblings, [](const auto& entry) { return entry.second.size() < 2; });
  return siblings;
}

std::string ratio_of(const Case& numerator, const Case& denominator) {
  const auto ratios = paired_log_ratios(numerator.round_seconds(), denominator.round_seconds());
  return ratios.empty() ? "no round has both" : escape_html(ratio_text(ratio_estimate(ratios)));
}

// Blue where the GPU is faster, orange where it is slower, plain where neither is sure; a step is
// a factor of about 3.
std::string heat_cell(const Estimate& ratio) {
  const bool unsure = ratio.interval.low <= 1 && ratio.interval.high >= 1;
  const int step =
      std::clamp(static_cast<int>(std::ceil(std::abs(std::log10(ratio.value)) * 2)), 1, 5);
  return fmt::format("<td class=\"{}\">{}",
                     unsure ? "w" : fmt::format("w {}{}", ratio.value > 1 ? "hg" : "hc", step),
                     escape_html(ratio_text(ratio)));
}

// One table per answer: a row per shape, a column per GPU implementation.
std::string heat_table(const Page& page, const Run& run, const Answer& answer) {
  std::map<std::string, std::map<std::string, Estimate>> ratios;  // shape -> implementation
  std::set<std::string> implementations;
  std::map<std::string, const Pair*> pairs;
  for (const Pair* pair : answer.pairs) pairs[pair->shape] = pair;
  for (const Case& c : run.cases) {
    if (c.segments.device != "gpu" || c.segments.op != answer.op || !c.verified() ||
        c.segments.precision != answer.precision || is_framework(c) ||
        options_text(c.segments, {"threads", "launch"}) != answer.mode) {
      continue;
    }
    const auto pair = pairs.find(c.segments.shape);
    if (pair == pairs.end()) continue;
    const auto logs = paired_log_ratios(pair->second->cpu.seconds, c.round_seconds());
    if (logs.empty()) continue;
    const auto launch = c.segments.options.find("launch");
    const std::string name = c.segments.implementation +
                             (launch == c.segments.options.end() ? "" : ", " + launch->second);
    implementations.insert(name);
    ratios[c.segments.shape][name] = ratio_estimate(logs);
  }
  std::string out = fmt::format(
      "<div class=\"scroll\"><table class=\"heat\"><caption>{}{} {} {}</caption><thead><tr>"
      "<th scope=\"col\">Shape",
      run_cell(page, run), escape_html(answer.op), escape_html(answer.precision),
      escape_html(answer.mode));
  for (const std::string& name : implementations) {
    out += "<th scope=\"col\">" + escape_html(name);
  }
  out += "</tr></thead>\n<tbody>";
  for (const Pair* pair : answer.pairs) {
    out += "<tr><th scope=\"row\">" + escape_html(pair->shape) + sizes_html(pair->gpu.favourite());
    for (const std::string& name : implementations) {
      const auto found = ratios[pair->shape].find(name);
      out += found == ratios[pair->shape].end() ? "<td>–" : heat_cell(found->second);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string speedup_html(const Page& page) {
  const bool any = std::any_of(page.runs.begin(), page.runs.end(),
                               [](const Run& run) { return !run.pairs.empty(); });
  if (!any) return absent(no_gpu(page));
  return "<p>The best CPU and the best GPU implementation of each shape are chosen on the other "
         "rounds than the one that is reported, so that luck is not rewarded. Bands are intervals "
         "of the ratio from paired rounds.</p>\n" +
         charts_of(page, "speedup") + pairs_html(page);
}

std::string throughput_html(const Page& page) {
  const std::string charts = charts_of(page, "throughput");
  if (charts.empty()) return absent("Not shown: no row counts operations or bytes.");
  return "<p>Both axes are logarithmic. The size of a matmul is the edge of the cube of equal "
         "work, ∛(m·n·k); lines join squares. That of a convolution is its operations per call, "
         "products with padding left out; layers are single markers. Ceilings are measured in the "
         "same run, at the same "
         "precision and thread count, never taken from a data sheet.</p>\n" +
         charts;
}

std::string roofline_html(const Page& page) {
  std::string charts = charts_of(page, "roofline");
  if (charts.empty()) {
    return absent(
        "Not shown: a roofline needs measured peaks (peak rows) and rows that count "
        "operations and bytes.");
  }
  return charts;
}

std::string cache_html(const Page& page) {
  std::string rows;
  for (const Run& run : page.runs) {
    for (const auto& [name, modes] : siblings_by(run, "cache", "warm")) {
      const auto warm = modes.find("warm");
      const auto cold = modes.find("cold");
      if (warm == modes.end() || cold == modes.end()) continue;
      rows += fmt::format(
          "<tr><td>{}{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>\n", run_cell(page, run),
          escape_html(name), format_seconds(warm->second->seconds->value),
          format_seconds(cold->second->seconds->value), ratio_of(*cold->second, *warm->second));
    }
  }
  if (rows.empty()) return absent("Not shown: no case was measured both warm and cold.");
  return "<div class=\"scroll\"><table><caption>Cold: the operands are out of every cache before "
         "each call. Times are medians over rounds.</caption><thead><tr><th scope=\"col\">Case"
         "<th scope=\"col\">Warm<th scope=\"col\">Cold<th scope=\"col\">Cold / warm</tr></thead>\n"
         "<tbody>" +
         rows + "</tbody></table></div>\n";
}

std::string threads_html(const Page& page) {
  std::string rows;
  for (const Run& run : page.runs) {
    for (const auto& [name, sweep] : siblings_by(run, "threads", "")) {
      std::vector<const Case*> cases;
      for (const auto& [threads, c] : sweep) cases.push_back(c);
      std::sort(cases.begin(), cases.end(),
                [](const Case* a, const Case* b) { return a->threads < b->threads; });
      for (const Case* c : cases) {
        const auto rate = rate_of_case(*c);
        rows += fmt::format(
            "<tr><td>{}{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>\n",
            run_cell(page, run), escape_html(name), c->threads, format_seconds(c->seconds->value),
            rate ? rate_text(c->segments.op, *rate) : "–",
            c == cases.front() ? "1x" : ratio_of(*cases.front(), *c));
      }
    }
  }
  if (rows.empty()) return absent("Not shown: no case was measured at several thread counts.");
  return charts_of(page, "threads") +
         "<details><summary>Every thread count</summary><div class=\"scroll\"><table><thead><tr>"
         "<th scope=\"col\">Case<th scope=\"col\">Threads<th scope=\"col\">Time<th scope=\"col\">"
         "Rate<th scope=\"col\">Against the fewest threads</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div></details>\n";
}

std::string heat_map_html(const Page& page) {
  std::string out;
  for (const Run& run : page.runs) {
    for (const Answer& answer : run.answers) out += heat_table(page, run, answer);
  }
  return out.empty() ? absent(no_gpu(page)) : out;
}

std::string ladder_html(const Page& page) {
  std::string rows;
  for (const Run& run : page.runs) {
    using Key = std::tuple<std::string, std::string, std::string, std::string>;
    std::map<Key, std::vector<const Case*>> groups;
    std::vector<Key> order;  // as the cases come: by size
    for (const Case& c : run.cases) {
      if (!c.seconds || is_framework(c)) continue;
      if (c.segments.op == "peak" || c.segments.op == "stream") continue;
      Key key{c.segments.op, c.segments.device, c.segments.precision, c.segments.shape};
      auto& cases = groups[key];
      if (cases.empty()) order.push_back(std::move(key));
      cases.push_back(&c);
    }
    for (const Key& key : order) {
      const auto& cases = groups[key];
      std::vector<const Case*> libraries;
      std::vector<const Case*> own;
      for (const Case* c : cases) {
        if (!options_text(c->segments, {"launch"}).empty()) continue;
        (is_library(c->segments.implementation) ? libraries : own).push_back(c);
      }
      if (libraries.empty()) continue;
      const Best best = best_by_other_rounds(libraries);
      for (const Case* c : own) {
        const auto ratios = paired_log_ratios(best.seconds, c->round_seconds());
        if (ratios.empty()) continue;
        const Estimate share = ratio_estimate(ratios);
        rows += fmt::format(
            "<tr><td>{}{} {}<td>{}<td>{}<td>{}<td class=\"n\">{}<td>{}</tr>\n", run_cell(page, run),
            escape_html(c->segments.op), escape_html(c->segments.shape),
            escape_html(c->segments.precision), escape_html(c->segments.device),
            escape_html(implementation_text(c->segments.implementation)),
            format_percent(share.value), escape_html(best.favourite().segments.implementation));
      }
    }
  }
  if (rows.empty()) {
    return absent(
        "Not shown: no hand-written kernel and library ran the same shape and precision "
        "on one device.");
  }
  return "<div class=\"scroll\"><table><caption>Speed of hand-written code as a share of the best "
         "library's on the same device, shape and precision, from paired rounds</caption><thead>"
         "<tr><th scope=\"col\">Shape<th scope=\"col\">Precision<th scope=\"col\">Device"
         "<th scope=\"col\">Implementation<th scope=\"col\">Share<th scope=\"col\">Of</tr></thead>"
         "\n<tbody>" +
         rows + "</tbody></table></div>\n";
}

}  // namespace breakeven
