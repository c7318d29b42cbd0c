// Section 10: every claim with its verdict for each run, and what that rests on.

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <set>

#include "reports/claims.h"
#include "reports/html_parts.h"
#include "reports/parallel.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostFigures = 8;  // of one verdict; the others are counted

struct Verdicts {
  const Claim* claim;
  std::vector<std::pair<const Run*, Judgement>> by_run;  ///< a null run: of all together
};

std::vector<Verdicts> verdicts_of(const Page& page) {
  std::vector<Verdicts> all;
  for (const Claim& claim : claims()) all.push_back({&claim, {}});
  parallel_for(all.size(), [&](std::size_t i) {
    Verdicts& verdicts = all[i];
    if (verdicts.claim->judge == nullptr) {
      verdicts.by_run.emplace_back(nullptr, judge_machines(page.runs));
      return;
    }
    for (const Run& run : page.runs) {
      verdicts.by_run.emplace_back(&run, verdicts.claim->judge({run, page.prices}));
    }
  });
  return all;
}

// Escaped, with commands between backticks as code.
std::string prose_html(const std::string& text) {
  std::string out = escape_html(text);
  for (std::size_t start = 0; (start = out.find('`', start)) != std::string::npos;) {
    const std::size_t end = out.find('`', start + 1);
    if (end == std::string::npos) break;
    const std::string code = "<code>" + out.substr(start + 1, end - start - 1) + "</code>";
    out.replace(start, end + 1 - start, code);
    start += code.size();
  }
  return out;
}

const char* css_class(Ruling ruling) {
  switch (ruling) {
    case Ruling::holds:
    case Ruling::holds_from:
      return "v1";
    case Ruling::does_not_hold:
      return "v2";
    case Ruling::not_measured:
      break;
  }
  return "v0";
}

// "gpu cublas": the claim's text says the rest.
std::string short_name(const Case& c) {
  if (c.segments.device.empty()) return c.name;
  return c.segments.device + " " + c.segments.implementation;
}

std::string figures_html(const Page& page, const std::vector<Evidence>& figures) {
  if (figures.empty()) return "";
  std::string out = "<ul>\n";
  for (std::size_t i = 0; i < figures.size() && i < kMostFigures; ++i) {
    out += "<li>" + escape_html(figures[i].text) + " <small>";
    for (const Evidence::RowOf& row : figures[i].rows) {
      out += (&row == &figures[i].rows.front() ? "" : ", ") +
             row_link(page, *row.run, *row.row,
                      (page.runs.size() > 1 ? row.run->label + ": " : "") + short_name(*row.row),
                      row.row->name);
    }
    out += "</small></li>\n";
  }
  out += "</ul>\n";
  if (figures.size() > kMostFigures) {
    const std::size_t more = figures.size() - kMostFigures;
    out += fmt::format("<p>{} more {} on rows of <a href=\"#table\">the full table</a>.</p>\n",
                       more, more == 1 ? "figure rests" : "figures rest");
  }
  return out;
}

std::string cells(const std::vector<std::string>& row, const char* tag) {
  std::string out = "<tr>";
  for (const std::string& text : row) out += fmt::format("<{}>{}", tag, escape_html(text));
  return out + "</tr>\n";
}

std::string table_of(const std::vector<std::vector<std::string>>& table) {
  if (table.empty()) return "";
  std::string out = "<div class=\"scroll\"><table><thead>" +
                    cells(table.front(), "th scope=\"col\"") + "</thead><tbody>";
  for (std::size_t i = 1; i < table.size(); ++i) out += cells(table[i], "td");
  return out + "</tbody></table></div>\n";
}

// The commands, run by run: a verdict across machines has several.
std::string commands_html(const Page& page, const std::vector<Evidence>& figures) {
  std::string out;
  for (const Run& run : page.runs) {
    std::set<const Case*> rows;
    for (const Evidence& figure : figures) {
      for (const Evidence::RowOf& row : figure.rows) {
        if (row.run == &run) rows.insert(row.row);
      }
    }
    for (const std::string& command : reproduce_commands(run, {rows.begin(), rows.end()})) {
      out += escape_html(command) + "\n";
    }
  }
  return out.empty() ? "" : "<pre>" + out + "</pre>";
}

std::string judgement_html(const Page& page, const Claim& claim, const Run* run,
                           const Judgement& judgement) {
  std::string out = fmt::format(
      "<div class=\"verdict\"><p>{}<strong class=\"{}\">{}</strong> {}</p>\n",
      run != nullptr && page.runs.size() > 1
          ? fmt::format("<b>{}</b> <small>{}</small> ", run->label, escape_html(machine_name(*run)))
          : "",
      css_class(judgement.ruling), escape_html(ruling_text(judgement)),
      prose_html(judgement.sentence));
  out += table_of(judgement.table);
  const std::size_t count = judgement.evidence.size();
  out += fmt::format("<details><summary>{}</summary>\n<p>{}</p>\n{}{}</details></div>\n",
                     count == 0
                         ? std::string("The method")
                         : fmt::format("{} with {} rows, the method and the command",
                                       count == 1 ? "1 figure" : fmt::format("{} figures", count),
                                       count == 1 ? "its" : "their"),
                     escape_html(claim.method), figures_html(page, judgement.evidence),
                     commands_html(page, judgement.evidence));
  return out;
}

// How often each verdict was given, so that the section can be read in one line.
std::string counts_html(const std::vector<Verdicts>& all) {
  std::array<int, 4> counts{};
  for (const Verdicts& verdicts : all) {
    for (const auto& [run, judgement] : verdicts.by_run) {
      ++counts[static_cast<std::size_t>(judgement.ruling)];
    }
  }
  return fmt::format(
      "<p>What popular articles say of GPUs, held against these rows. Verdicts: {} hold, {} hold "
      "from some point on, {} do not hold here, {} were not measured here. Each is computed from "
      "verified rows of one run, precision and mode; a figure without an interval, or whose "
      "interval includes 1, decides nothing.</p>\n",
      counts[0], counts[1], counts[2], counts[3]);
}

}  // namespace

std::string claims_html(const Page& page) {
  const std::vector<Verdicts> all = verdicts_of(page);
  std::string out = counts_html(all) + "<ol class=\"claims\">\n";
  for (const Verdicts& verdicts : all) {
    out += fmt::format("<li id=\"claim-{}\"><h3>{}</h3>\n", verdicts.claim->number,
                       escape_html(verdicts.claim->text));
    for (const auto& [run, judgement] : verdicts.by_run) {
      out += judgement_html(page, *verdicts.claim, run, judgement);
    }
    out += "</li>\n";
  }
  return out + "</ol>\n";
}

}  // namespace breakeven
