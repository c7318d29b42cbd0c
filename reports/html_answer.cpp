// The first screen: the answer, what limits it, the machine, and what is missing.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string run_heading(const Run& run) {
  if (run.label.empty()) return "";
  return fmt::format("<h3>Run {}: {} <small>{}</small></h3>\n", run.label,
                     escape_html(machine_name(run)), escape_html(run.results.file));
}

std::string extreme_html(const Pair* pair) {
  return fmt::format("{} <small>{}</small>", escape_html(ratio_text(pair->speedup)),
                     escape_html(pair->shape));
}

std::string speedups_html(const Run& run) {
  std::string out =
      "<div class=\"scroll\"><table class=\"wide\"><caption>GPU against the strongest CPU row of "
      "the same "
      "machine, run, shape and precision; intervals in brackets. Operands are resident on the "
      "device unless a column says otherwise.</caption><thead><tr><th scope=\"col\">Operation"
      "<th scope=\"col\">Precision<th scope=\"col\">Geometric mean<th scope=\"col\">Pairs"
      "<th scope=\"col\">GPU wins<th scope=\"col\">GPU wins, transfers at every call"
      "<th scope=\"col\">Worst<th scope=\"col\">Best</tr></thead>\n<tbody>";
  for (const Answer& answer : run.answers) {
    out += fmt::format(
        "<tr><td>{} {}<td>{}<td class=\"w\">{}<td class=\"n\">{}<td>{}<td>{}<td>{}<td>{}</tr>\n",
        escape_html(answer.op), escape_html(answer.mode), escape_html(answer.precision),
        answer.geometric_mean ? escape_html(ratio_text(*answer.geometric_mean))
                              : "no round has every pair",
        answer.pairs.size(), escape_html(wins_text(run, answer, false)),
        escape_html(wins_text(run, answer, true)), extreme_html(answer.worst),
        extreme_html(answer.best));
  }
  return out + "</tbody></table></div>\n";
}

// Big figures: the best rate in each operation and precision of the CPU, and of a GPU if any.
std::string headlines_html(const Run& run) {
  std::string out = "<div class=\"cards\">\n";
  for (const Headline& best : headlines(run)) {
    const Case& c = *best.favourite;
    const std::string rate = rate_text(best.op, best.per_second);
    const std::size_t space = rate.find(' ');
    out += fmt::format(
        "<div class=\"card\"><p>{} {} on the {}</p><p class=\"big\">{} <small>{}</small></p>\n",
        escape_html(best.op), escape_html(best.precision), escape_html(best.device),
        rate.substr(0, space), rate.substr(space + 1));
    if (best.share_of_ceiling) {
      out += fmt::format("<p>{} of measured {}</p>\n", format_percent(*best.share_of_ceiling),
                         best.op == "stream" ? "bandwidth" : "peak");
    }
    const std::string name = implementation_text(c.segments.implementation);
    const std::string size = is_convolution(c) ? " (" + dimension_text(c) + ")" : "";
    out += fmt::format("<p>{} on {}{}</p>\n<p>{} a call{}</p>\n", escape_html(name),
                       escape_html(c.segments.shape), escape_html(size),
                       format_seconds(best.seconds.value),
                       c.threads > 0 ? fmt::format(", {} threads", c.threads) : "");
    const auto rounds = static_cast<int>(best.seconds.samples);
    if (best.rounds_chosen < rounds) {
      out += fmt::format("<p>the choice of {} in {} rounds</p>\n", best.rounds_chosen, rounds);
    }
    out += "</div>\n";
  }
  return out + "</div>\n";
}

std::string ceilings_html(const Run& run) {
  if (run.compute.empty() && run.memory.empty()) return "";
  std::string out =
      "<div class=\"scroll\"><table><caption>Measured ceilings of this run</caption><thead><tr>"
      "<th scope=\"col\">Ceiling<th scope=\"col\">Device<th scope=\"col\">Threads"
      "<th scope=\"col\">Reached<th scope=\"col\">By</tr></thead>\n<tbody>";
  const auto add = [&](const Ceiling& ceiling) {
    const bool memory = ceiling.precision.empty();
    out += fmt::format(
        "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td><code>{}</code></tr>\n",
        memory ? "memory bandwidth" : "arithmetic, " + escape_html(ceiling.precision),
        escape_html(ceiling.device), ceiling.threads > 0 ? fmt::format("{}", ceiling.threads) : "–",
        rate_text(memory ? "stream" : "peak", ceiling.per_second), escape_html(ceiling.name));
  };
  for (const Ceiling& ceiling : run.compute) add(ceiling);
  for (const Ceiling& ceiling : run.memory) add(ceiling);
  return out + "</tbody></table></div>\n";
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

std::string missing_html(const Run& run) {
  const auto sentences = not_measured(run);
  if (sentences.empty()) return "<p>Nothing that was asked for is missing.</p>\n";
  std::string out = "<ul>\n";
  for (const std::string& sentence : sentences) {
    out += fmt::format("<li>{}</li>\n", escape_html(sentence));
  }
  return out + "</ul>\n";
}

}  // namespace

std::string answer_html(const Page& page) {
  std::string out = fmt::format("<p class=\"lead\">{}</p>\n", escape_html(answer_sentence(page)));
  for (const Run& run : page.runs) {
    out += run_heading(run);
    if (!run.answers.empty()) out += speedups_html(run);
    out += headlines_html(run);
  }
  out += "<aside id=\"limits\"><h3>Before you believe a number</h3><ul>\n";
  for (const std::string& limitation : limitations(page)) {
    out += fmt::format("<li>{}</li>\n", escape_html(limitation));
  }
  out += "</ul></aside>\n<h3 id=\"machine\">Machine</h3>\n";
  for (const Run& run : page.runs) out += run_heading(run) + machine_html(run) + ceilings_html(run);
  out += "<h3 id=\"missing\">What was not measured</h3>\n";
  for (const Run& run : page.runs) out += run_heading(run) + missing_html(run);
  return out;
}

}  // namespace breakeven
