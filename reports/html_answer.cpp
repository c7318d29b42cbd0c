// The first screen: the answer, what limits it, the machine, and what is missing.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string run_heading(const Run& run) {
  if (run.label.empty()) return "";
  return fmt::format("<h3>Run {}: {} <small>{}</small></h3>\n", run.label,
                     escape_html(machine_name(run)), escape_html(run.results.file));
}

constexpr std::size_t kMostOfLead = 20000;  // a sentence for every run
constexpr const char* kMeanMethod =
    "Geometric means: over all pairs inside each round, then the Hodges–Lehmann estimate over "
    "rounds with its exact signed-rank interval. Of each pair the best CPU and the best GPU "
    "implementation are chosen on the other rounds than the one reported; only verified rows of "
    "one run, precision and mode. Every pair with both times stands in the table of pairs; one "
    "whose "
    "only CPU row is the naive loop enters no mean.";
constexpr const char* kHeadlineMethod =
    "Rates: at each shape the fastest implementation, chosen on the other rounds than the one "
    "reported; of these the shape with the highest rate at the median over rounds.";

std::string extreme_html(const Run& run, const Pair* pair) {
  return fmt::format(
      "<a href=\"#{}\"{}>{}</a> <small>{}</small>", pair_id(run, *pair),
      title_attribute(pair->cpu.favourite().name + " : " + pair->gpu.favourite().name),
      escape_html(ratio_text(pair->speedup)), escape_html(pair->shape));
}

std::string answer_id(const Run& run, const Answer& answer) {
  return fmt::format("a{}-{}", run.label, &answer - run.answers.data());
}

std::string answer_name(const Answer& answer) {
  return escape_html(answer.op + " " + answer.precision +
                     (answer.mode.empty() ? "" : " " + answer.mode));
}

std::string shapes_of(const Answer& answer) {
  constexpr std::size_t kMostShapes = 12;  // of a title
  std::string text = "over";
  for (std::size_t i = 0; i < answer.pairs.size() && i < kMostShapes; ++i) {
    text += " " + answer.pairs[i]->shape;
  }
  return answer.pairs.size() > kMostShapes
             ? text + fmt::format(" and {} more", answer.pairs.size() - kMostShapes)
             : text;
}

// What the figures of the lead and of the table rest on: per answer its rows, or, where nothing
// could be compared, those of the cards.
std::string figures_html(const Page& page, const Run& run, const std::vector<Headline>& best_rows) {
  std::string out;
  Listing listing(page);
  for (const Answer& answer : run.answers) {
    if (!listing.takes()) continue;
    std::vector<const Case*> rows;
    for (const Pair* pair : answer.pairs) {
      rows.push_back(&pair->gpu.favourite());
      rows.push_back(&pair->cpu.favourite());
    }
    out += fmt::format("<details id=\"{}\"><summary>{}: {} over {} {}</summary>\n{}</details>\n",
                       answer_id(run, answer), answer_name(answer),
                       answer.geometric_mean ? escape_html(ratio_text(*answer.geometric_mean))
                                             : "no round has every pair",
                       answer.pairs.size(), answer.pairs.size() == 1 ? "pair" : "pairs",
                       trace_html(page, run, rows));
  }
  for (const Headline& best : best_rows) {
    // A card's figure leads to its row, whose detail has samples and command, where rows unfold.
    if (rows_unfold(page) || !listing.takes()) continue;
    out += fmt::format("<details><summary>{} {} on the {}: {}</summary>\n{}</details>\n",
                       escape_html(best.op), escape_html(best.precision), escape_html(best.device),
                       rate_text(best.op, best.precision, best.per_second),
                       trace_html(page, run, {best.favourite}));
  }
  if (run.answers.empty() && best_rows.empty()) return "";
  return "<details><summary>The rows, the method and the command behind every figure "
         "here</summary>\n<div class=\"trace\"><p>" +
         std::string(kMeanMethod) + "</p>\n<p>" + kHeadlineMethod +
         (rows_unfold(page) ? " Each leads to its row, with all samples and the command." : "") +
         "</p>\n" + out + "</div>" + listing.note("figures") + "</details>\n";
}

std::string speedups_html(const Page& page, const Run& run) {
  Listing listing(page);
  std::string out =
      "<div class=\"scroll\"><table class=\"wide\"><caption>GPU against the strongest CPU row "
      "(packed weights aside) of the same machine, run, shape and precision; intervals in "
      "brackets. Operands are resident on the "
      "device unless a column says otherwise.</caption><thead><tr><th scope=\"col\">Operation"
      "<th scope=\"col\">Precision<th scope=\"col\">Geometric mean<th scope=\"col\">Pairs"
      "<th scope=\"col\">GPU wins<th scope=\"col\">GPU wins, transfers once in 100 calls"
      "<th scope=\"col\">GPU wins, transfers at every call"
      "<th scope=\"col\">Worst<th scope=\"col\">Best</tr></thead>\n<tbody>";
  for (const Answer& answer : run.answers) {
    if (!listing.takes()) continue;
    out += fmt::format(
        "<tr{}><td>{} {}<td>{}<td class=\"w\"><a href=\"#{}\"{}>{}</a><td "
        "class=\"n\">{}<td>{}<td>{}<td>{}"
        "<td>{}<td>{}</tr>\n",
        facets(run.label, answer.op, answer.precision), escape_html(answer.op),
        escape_html(answer.mode), escape_html(answer.precision), answer_id(run, answer),
        title_attribute(shapes_of(answer)),
        answer.geometric_mean ? escape_html(ratio_text(*answer.geometric_mean))
                              : "no round has every pair",
        answer.pairs.size(), escape_html(wins_text(run, answer, Transfers::resident)),
        escape_html(wins_text(run, answer, Transfers::once)),
        escape_html(wins_text(run, answer, Transfers::every_call)), extreme_html(run, answer.worst),
        extreme_html(run, answer.best));
  }
  return out + "</tbody></table></div>\n" + listing.note("operations");
}

// Big figures: the best rate in each operation and precision of the CPU, and of a GPU if any.
std::string headlines_html(const Page& page, const Run& run,
                           const std::vector<Headline>& best_rows) {
  std::string out = "<div class=\"cards\">\n";
  Listing listing(page);
  for (const Headline& best : best_rows) {
    if (!listing.takes()) continue;
    const Case& c = *best.favourite;
    const std::string rate = rate_text(best.op, best.precision, best.per_second);
    const std::size_t space = rate.find(' ');
    out += fmt::format(
        "<div class=\"card\"{}><p>{} {} on the {}</p><p class=\"big\">{} <small>{}</small></p>\n",
        facets(run.label, best.op, best.precision, best.device), escape_html(best.op),
        escape_html(best.precision), escape_html(best.device),
        row_link(page, run, c, rate.substr(0, space), c.name), rate.substr(space + 1));
    if (best.share_of_ceiling) {
      out += fmt::format("<p>{} of measured {}</p>\n", format_percent(*best.share_of_ceiling),
                         best.op == "stream" ? "bandwidth" : "peak");
    }
    const std::string name = implementation_text(c.segments.implementation);
    const std::string size = is_convolution(c) ? " (" + dimension_text(c) + ")" : "";
    const Interval& times = best.seconds.interval;
    out += fmt::format(
        "<p>{} on {}{}</p>\n<p>{} a call{}{}</p>\n", escape_html(name),
        escape_html(c.segments.shape), escape_html(size), format_seconds(best.seconds.value),
        times.coverage > 0 ? " (" + format_seconds_interval(times.low, times.high) + ")" : "",
        c.threads > 0 ? fmt::format(", {} threads", c.threads) : "");
    const auto rounds = static_cast<int>(best.seconds.samples);
    if (best.rounds_chosen < rounds) {
      out += fmt::format("<p>the choice of {} in {} rounds</p>\n", best.rounds_chosen, rounds);
    }
    out += "</div>\n";
  }
  return out + "</div>\n" + listing.note("operations");
}

std::string ceilings_html(const Page& page, const Run& run) {
  if (run.compute.empty() && run.memory.empty()) return "";
  std::map<std::string_view, const Case*> by_name;
  for (const Case& c : run.cases) {
    if (c.segments.op == "peak" || c.segments.op == "stream") by_name[c.name] = &c;
  }
  std::string out =
      "<div class=\"scroll\"><table><caption>Measured ceilings of this run: of all rows of their "
      "kind the highest median, with the interval of its own rounds</caption><thead><tr>"
      "<th scope=\"col\">Ceiling<th scope=\"col\">Device<th scope=\"col\">Threads"
      "<th scope=\"col\">Reached<th scope=\"col\">Interval<th scope=\"col\">By</tr></thead>\n"
      "<tbody>";
  Listing listing(page);
  const auto add = [&](const Ceiling& ceiling) {
    if (!listing.takes()) return;
    const bool memory = ceiling.precision.empty();
    const char* op = memory ? "stream" : "peak";
    const Case& row = *by_name.at(ceiling.name);
    const Interval& times = row.seconds->interval;
    const double work = ceiling.per_second * row.seconds->value;
    out += fmt::format(
        "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td><code>{}</code>"
        "</tr>\n",
        memory ? "memory bandwidth" : "arithmetic, " + escape_html(ceiling.precision),
        escape_html(ceiling.device), ceiling.threads > 0 ? fmt::format("{}", ceiling.threads) : "–",
        rate_text(op, ceiling.precision, ceiling.per_second),
        times.coverage > 0 ? format_number(work / times.high / 1e9) + "–" +
                                 rate_text(op, ceiling.precision, work / times.low)
                           : "–",
        row_link(page, run, row, shortened(ceiling.name, kMostOfName), ""));
  };
  for (const Ceiling& ceiling : run.compute) add(ceiling);
  for (const Ceiling& ceiling : run.memory) add(ceiling);
  return out + "</tbody></table></div>\n" + listing.note("ceilings");
}

std::string machine_html(const Run& run) {
  std::string out = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : machine_facts(run)) {
    out +=
        fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  }
  out += "</dl>\n<details><summary>All recorded facts</summary><dl class=\"facts\">\n";
  for (const auto& [name, value] : run.results.context) {
    out +=
        fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  }
  return out + "</dl></details>\n";
}

std::string missing_html(const Page& page, const Run& run) {
  const auto sentences = not_measured(run);
  if (sentences.empty()) return "<p>Nothing that was asked for is missing.</p>\n";
  std::string out = "<ul>\n";
  Listing listing(page);
  for (const std::string& sentence : sentences) {
    if (listing.takes()) out += fmt::format("<li>{}</li>\n", escape_html(sentence));
  }
  return out + "</ul>\n" + listing.note("reasons");
}

}  // namespace

std::string answer_html(const Page& page) {
  std::string out =
      fmt::format("<p class=\"lead\">{}</p>\n", escape_html(answer_sentence(page), kMostOfLead));
  out += "<aside id=\"limits\"><h3>Before you believe a number</h3><ul>\n";
  for (const std::string& limitation : limitations(page)) {
    out += fmt::format("<li>{}</li>\n", escape_html(limitation));
  }
  out += "</ul></aside>\n";
  for (const Run& run : page.runs) {
    out += run_heading(run);
    if (!run.answers.empty()) out += speedups_html(page, run);
    const std::vector<Headline> best_rows = headlines(run);
    out += headlines_html(page, run, best_rows);
    out += figures_html(page, run, best_rows);
  }
  out += "<h3 id=\"machine\">Machine</h3>\n";
  for (const Run& run : page.runs)
    out += run_heading(run) + machine_html(run) + ceilings_html(page, run);
  out += "<h3 id=\"missing\">What was not measured</h3>\n";
  for (const Run& run : page.runs) out += run_heading(run) + missing_html(page, run);
  return out;
}

}  // namespace breakeven
