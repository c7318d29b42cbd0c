#include "reports/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "reports/markdown_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// Code points, which is what GitHub counts.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string headline_table(const Run& run) {
  std::string out;
  if (!run.answers.empty()) {
    out +=
        "| operation | precision | geometric mean | pairs | GPU wins | with transfers at every "
        "call | "
        "worst | best |\n|---|---|---|---:|---|---|---|---|\n";
    for (const Answer& answer : run.answers) {
      out += fmt::format(
          "| {}{} | {} | {} | {} | {} | {} | {} {} | {} {} |\n", escape_markdown(answer.op),
          answer.mode.empty() ? "" : " " + escape_markdown(answer.mode),
          escape_markdown(answer.precision),
          answer.geometric_mean ? ratio_text(*answer.geometric_mean) : "no common round",
          answer.pairs.size(), wins_text(run, answer, Transfers::resident),
          wins_text(run, answer, Transfers::every_call), ratio_text(answer.worst->speedup),
          code(answer.worst->shape), ratio_text(answer.best->speedup), code(answer.best->shape));
    }
    out += "\n";
  }
  const auto best_rows = headlines(run);
  if (best_rows.empty()) return out;
  out +=
      "| best of | rate | of ceiling | implementation | shape | threads |\n"
      "|---|---:|---:|---|---|---:|\n";
  for (const Headline& best : best_rows) {
    const Case& c = *best.favourite;
    out += fmt::format("| {} {} {} | {} | {} | {} | {} | {} |\n", escape_markdown(best.device),
                       escape_markdown(best.op), escape_markdown(best.precision),
                       rate_text(best.op, best.precision, best.per_second),
                       best.share_of_ceiling ? format_percent(*best.share_of_ceiling) : "–",
                       escape_markdown(implementation_text(c.segments.implementation)),
                       code(c.segments.shape), c.threads > 0 ? fmt::format("{}", c.threads) : "–");
  }
  return out + "\n";
}

// Complete sums, and the ratios of those that both devices have.
std::string networks_table(const Run& run) {
  std::string out;
  for (const NetworkSum& sum : run.networks) {
    if (!sum.complete()) continue;
    if (out.empty()) {
      out =
          "| all layers of a network | device | implementation | precision | time | interval | "
          "rate "
          "| layers |\n|---|---|---|---|---:|---:|---:|---:|\n";
    }
    const Case& total = sum.total;
    const Interval& interval = total.seconds->interval;
    const auto rate = rate_of_case(total);
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n", escape_markdown(network_text(sum)),
        escape_markdown(total.segments.device),
        escape_markdown(implementation_text(total.segments.implementation)),
        escape_markdown(total.segments.precision), format_seconds(total.seconds->value),
        interval.coverage > 0 ? format_seconds_interval(interval.low, interval.high) : "–",
        rate ? rate_text(total.segments.op, total.segments.precision, *rate) : "–",
        layers_text(sum));
  }
  if (!out.empty()) out += "\n";
  if (run.network_pairs.empty()) return out;
  out += "| all layers of a network | precision | GPU | CPU | speedup |\n|---|---|---|---|---|\n";
  for (const Pair& pair : run.network_pairs) {
    out += fmt::format("| {} {} | {} | {} | {} | {} |\n", escape_markdown(pair.op),
                       code(pair.shape), escape_markdown(pair.precision),
                       escape_markdown(pair.gpu.favourite().segments.implementation),
                       escape_markdown(pair.cpu.favourite().segments.implementation),
                       ratio_text(pair.speedup));
  }
  return out + "\n";
}

// A few are enough to know what kind is missing; the HTML report has all.
std::string first_of(const std::vector<std::string>& layers) {
  constexpr std::size_t kMost = 5;
  const std::size_t named = std::min(layers.size(), kMost);
  std::string text;
  for (std::size_t i = 0; i < named; ++i) text += (i > 0 ? ", " : "") + layers[i];
  if (layers.size() > named) text += fmt::format(" and {} more", layers.size() - named);
  return text;
}

std::string incomplete_networks(const Run& run) {
  std::string out;
  for (const NetworkSum& sum : run.networks) {
    if (sum.complete()) continue;
    std::string missing = first_of(sum.missing);
    if (sum.layers == 0) missing = "unknown, since the file doesn't list the network's layers";
    if (sum.no_round) missing = "none, but no round has every layer";
    out += fmt::format("- {}, {} {} {}: {}; missing: {}\n", escape_markdown(network_text(sum)),
                       escape_markdown(sum.total.segments.device),
                       escape_markdown(sum.total.segments.implementation),
                       escape_markdown(sum.total.segments.precision), covered_text(sum),
                       escape_markdown(shortened(missing, 1500)));
  }
  return out.empty() ? "" : out + "\n";
}

std::string list(const std::vector<std::string>& sentences) {
  std::string out;
  for (const std::string& sentence : sentences) out += "- " + escape_markdown(sentence) + "\n";
  return out;
}

std::string folded(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n\n{}\n</details>\n\n",
                     escape_markdown(summary), body);
}

std::string machine_list(const Run& run) {
  std::string out;
  for (const auto& [name, value] : machine_facts(run)) {
    out += fmt::format("- {}: {}\n", escape_markdown(name), escape_markdown(value));
  }
  return out;
}

std::string row_line(const Run& run, const Case& c) {
  const std::string name = (run.label.empty() ? "" : run.label + ": ") + code(c.name);
  if (!c.seconds) {
    return fmt::format("| {} | failed: {} | | | |\n", name,
                       escape_markdown(shortened(*c.failure, 200)));
  }
  const Estimate& time = *c.seconds;
  const auto rate = rate_of_case(c);
  return fmt::format("| {} | {} | {} | {} | {} |\n", name, format_seconds(time.value),
                     time.interval.coverage > 0
                         ? format_seconds_interval(time.interval.low, time.interval.high)
                         : "–",
                     rate ? rate_text(c.segments.op, c.segments.precision, *rate) : "–",
                     c.share_of_ceiling ? format_percent(*c.share_of_ceiling) : "–");
}

// As many rows as fit into `room` characters, and a line that counts the others.
std::string rows_table(const Page& page, std::size_t room) {
  std::string out = "| case | time | interval | rate | of ceiling |\n|---|---:|---:|---:|---:|\n";
  std::size_t used = characters(out) + 100;  // for the line that counts
  std::size_t left_out = 0;
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) {
      if (used > room) {  // nothing more will fit
        ++left_out;
        continue;
      }
      const std::string line = row_line(run, c);
      used += characters(line);
      if (used > room) {
        ++left_out;
      } else {
        out += line;
      }
    }
  }
  if (left_out > 0) out += fmt::format("\n{} more rows are in the HTML report.\n", left_out);
  return out;
}

// Keeps the end of a part from being cut inside a line.
std::string cut(const std::string& text, std::size_t limit) {
  if (characters(text) <= limit) return text;
  std::string out;
  std::size_t used = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size() - 1) + 1;
    const std::string line = text.substr(start, end - start);
    used += characters(line);
    if (used > limit) break;
    out += line;
    start = end;
  }
  return out + "\nThe rest is in the HTML report.\n";
}

}  // namespace

std::string code(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/_:.-+").find(c) != std::string_view::npos;
  });
  return plain ? "`" + name + "`" : escape_markdown(name);
}

std::string escape_markdown(std::string_view text) {
  const std::string visible = visible_text(text);
  const auto in_word = [&](std::size_t i) {
    return i < visible.size() && std::isalnum(static_cast<unsigned char>(visible[i])) != 0;
  };
  std::string out;
  for (std::size_t i = 0; i < visible.size(); ++i) {
    const char c = visible[i];
    // Punctuation that Markdown or HTML could read as markup becomes a character reference; an
    // underscore inside a word is none.
    const bool plain_underscore = c == '_' && i > 0 && in_word(i - 1) && in_word(i + 1);
    const bool markup = std::string_view("&<>`*_[|\\@#~$").find(c) != std::string_view::npos;
    if (markup && !plain_underscore) {
      out += fmt::format("&#{};", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string render_markdown(const Page& page) {
  // Each part has a share of the whole that even absurd names can't exceed.
  std::string changes = cut(changes_markdown(page), 8000);
  if (page.runs.empty()) return changes;
  // Of a change its verdict is read first.
  std::string out = page.verdict ? changes : "";
  out += "**" + escape_markdown(shortened(answer_sentence(page), 1500)) + "**\n\n";
  std::string tables;
  std::string machines;
  std::string missing;
  std::string networks;
  std::string training;
  std::string frameworks;
  std::string ablation;
  std::string convergence;
  std::string incomplete;
  for (const Run& run : page.runs) {
    const std::string heading =
        run.label.empty() ? ""
                          : fmt::format("Run {}: {}\n\n", run.label,
                                        escape_markdown(shortened(run.results.file, 200)));
    const auto add = [&heading](std::string& part, const std::string& of_run) {
      if (!of_run.empty()) part += heading + of_run;
    };
    tables += heading + headline_table(run);
    add(networks, networks_table(run));
    add(training, training_steps_markdown(run));
    add(frameworks, frameworks_markdown(run));
    add(ablation, ablations_markdown(run));
    add(convergence, convergences_markdown(run));
    add(incomplete, incomplete_networks(run));
    machines += heading + machine_list(run) + "\n";
    missing += heading + list(not_measured(run)) + "\n";
  }
  const auto add_folded = [&out](const char* summary, const std::string& part, std::size_t limit) {
    if (!part.empty()) out += folded(summary, cut(part, limit));
  };
  out += cut(tables, 10000);
  if (!page.verdict) out += changes;
  out += cut(networks, 5000);
  out += cut(training, 6000);
  out += cut(frameworks, 3000);
  add_folded("What fusing, bf16 and a captured graph bring", ablation, 3000);
  add_folded("Training to a target", convergence, 3000);
  add_folded("Claims and verdicts", claims_markdown(page), 4000);
  out += folded("Before you believe a number", cut(list(limitations(page)), 5000));
  out += folded("Machine", cut(machines, 5000));
  out += folded("What was not measured", cut(missing, 6000));
  add_folded("Incomplete sums of networks", incomplete, 4000);
  const std::size_t used = characters(out) + 200;
  return out +
         folded("All rows", rows_table(page, used < kMarkdownLimit ? kMarkdownLimit - used : 0));
}

}  // namespace breakeven
