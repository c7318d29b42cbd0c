// Section 11: what the gate found against a baseline.

#include <fmt/format.h>

#include <algorithm>

#include "reports/forest.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostTold = 500;     // rows of the open table
constexpr std::size_t kMostOthers = 1000;  // rows of the folded one
constexpr std::size_t kNameLimit = 300;    // code points of a name in a table
constexpr std::size_t kTextLimit = 600;    // of a reason or a remark
constexpr std::size_t kMostListed = 100;   // remarks, files, counters of a row

using Rows = std::vector<const VerdictRow*>;

std::string cell_text(const std::string& text) { return escape_html(shortened(text, kTextLimit)); }

std::string more(std::size_t count, const char* where) {
  return count == 0 ? "" : fmt::format("<p class=\"none\">{} more: {}.</p>\n", count, where);
}

std::string p_cell(const std::optional<double>& p) { return p ? p_text(*p) : "–"; }

/// q of the side that was found; of no finding, that of a slowdown.
std::string q_cell(const VerdictRow& row) {
  return p_cell(row.verdict == "IMPROVED" ? row.decision->q_improved : row.decision->q_regressed);
}

std::string counters_html(const VerdictRow& row) {
  std::string out;
  for (std::size_t i = 0; i < std::min(row.counters.size(), kMostListed); ++i) {
    const VerdictCounter& counter = row.counters[i];
    out += fmt::format("{}{} {}{}", out.empty() ? "" : "<br>", cell_text(counter.name),
                       escape_html(counter_text(counter)),
                       counter.worse ? " <b class=\"bad\">worse</b>" : "");
  }
  return out;
}

/// Under the name: counters that changed, why, and until when that is accepted.
std::string remarks_html(const VerdictRow& row) {
  std::string out = counters_html(row);
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : "<br>") + part; };
  if (!row.reason.empty()) add(cell_text(row.reason));
  if (!row.accepted.empty()) {
    add("accepted: " + cell_text(row.accepted) +
        (row.accepted_until.empty() ? "" : ", until " + cell_text(row.accepted_until)));
  }
  return out.empty() ? "" : "<small>" + out + "</small>";
}

std::string times_html(const VerdictRow& row) {
  if (!row.base_seconds || !row.head_seconds) return "–";
  return format_seconds(*row.base_seconds) + " → " + format_seconds(*row.head_seconds);
}

std::string row_html(const VerdictRow& row) {
  std::string out = fmt::format(
      "<tr><th scope=\"row\">{}{}<td class=\"s{}\"><b class=\"vd\">{}</b>{}",
      escape_html(shortened(row.name, kNameLimit)), remarks_html(row), verdict_style(row),
      escape_html(verdict_words(row)), row.gates ? " <small>refuses</small>" : "");
  if (!row.decision) {
    return out + "<td>–<td>–<td class=\"n\">–<td class=\"n\">–<td>–<td class=\"n\">–</tr>\n";
  }
  const VerdictDecision& decision = *row.decision;
  const std::string change =
      decision.ratio.value > 0 ? escape_html(change_text(decision.ratio)) : "–";
  const std::string seen = decision.detectable ? format_percent(*decision.detectable) : "none";
  return out + fmt::format(
                   "<td class=\"w\">{}<td class=\"w\">{}<td class=\"n\">{}<td class=\"n\">{}"
                   "<td class=\"w\">{}{}<td class=\"n\">{}</tr>\n",
                   change, times_html(row),
                   row.verdict == "IMPROVED" ? "–" : p_cell(decision.p_regressed), q_cell(row),
                   decision.rounds, decision.confirmed ? " fresh" : "", seen);
}

std::string rows_table(const Rows& rows, std::size_t most, const std::string& caption) {
  const std::size_t shown = std::min(rows.size(), most);
  std::string out = fmt::format(
      "<div class=\"scroll\"><table class=\"wide changes\"><caption>{}</caption><thead><tr>"
      "<th scope=\"col\">Row<th scope=\"col\">Verdict<th scope=\"col\">Change and interval"
      "<th scope=\"col\">Base → head<th scope=\"col\">p<th scope=\"col\">q<th scope=\"col\">Rounds"
      "<th scope=\"col\">Could have seen</tr></thead>\n<tbody>",
      caption);
  for (std::size_t i = 0; i < shown; ++i) out += row_html(*rows[i]);
  return out + "</tbody></table></div>\n" + more(rows.size() - shown, "they are in verdict.json");
}

std::string budgets_html(const GateVerdict& verdict) {
  if (verdict.budgets.empty()) return "";
  const Rows rows = in_telling_order(verdict.budgets);
  const std::size_t shown = std::min(rows.size(), kMostTold);
  std::string out =
      "<div class=\"scroll\"><table class=\"changes\"><caption>Static budgets of kernels that "
      "changed</caption><thead><tr><th scope=\"col\">Kernel<th "
      "scope=\"col\">Verdict</tr></thead>\n<tbody>";
  for (std::size_t i = 0; i < shown; ++i) {
    out += fmt::format("<tr><th scope=\"row\">{}{}<td class=\"s{}\"><b class=\"vd\">{}</b></tr>\n",
                       escape_html(shortened(rows[i]->name, kNameLimit)), remarks_html(*rows[i]),
                       verdict_style(*rows[i]), escape_html(verdict_words(*rows[i])));
  }
  return out + "</tbody></table></div>\n" + more(rows.size() - shown, "they are in verdict.json");
}

std::string list_text(const std::vector<std::string>& texts) {
  std::string out;
  const std::size_t shown = std::min<std::size_t>(texts.size(), 3);
  for (std::size_t i = 0; i < shown; ++i) out += (i > 0 ? ", " : "") + shortened(texts[i], 200);
  return out + (texts.size() > shown ? fmt::format(" and {} more", texts.size() - shown) : "");
}

std::string conditions_html(const GateVerdict& verdict) {
  std::string out = "<dl class=\"facts\">\n";
  const auto add = [&](const std::string& name, const std::string& value) {
    if (value.empty()) return;
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", cell_text(name), cell_text(value));
  };
  for (const auto& [word, arm] : {std::pair("Base", &verdict.base), {"Head", &verdict.head}}) {
    add(fmt::format("{}: commit", word), shortened(arm->commit, 13));
    add(fmt::format("{}: files", word), list_text(arm->files));
  }
  if (verdict.base.machine == verdict.head.machine) {
    add("Machine, fingerprint", verdict.head.machine);
  } else {
    add("Base: machine, fingerprint", verdict.base.machine);
    add("Head: machine, fingerprint", verdict.head.machine);
  }
  if (!verdict.conditions) {
    return out + "</dl>\n" + absent("Load, stolen time and throttling are not in this verdict.");
  }
  const GateConditions& conditions = *verdict.conditions;
  for (const auto& [key, value] : conditions.machine) add(key, value);
  if (conditions.processes == 0) {
    return out + "</dl>\n" +
           absent(
               "Load, stolen time and throttling are unknown: `gate run` did not measure these "
               "files.");
  }
  add("Processes", fmt::format("{}", conditions.processes));
  if (conditions.load_median && conditions.load_most) {
    add("System load before a process",
        fmt::format("median {:.2f}, most {:.2f}", *conditions.load_median, *conditions.load_most));
  }
  if (conditions.stolen_share) add("CPU time stolen", format_percent(*conditions.stolen_share));
  add("Throttled processes", fmt::format("{}", conditions.throttled));
  add("Pairs measured again, one arm throttled", fmt::format("{}", conditions.redone));
  return out + "</dl>\n";
}

std::string remark_list(const GateVerdict& verdict) {
  if (verdict.remarks.empty()) return "";
  const std::size_t shown = std::min(verdict.remarks.size(), kMostListed);
  std::string out = "<ul>\n";
  for (std::size_t i = 0; i < shown; ++i) {
    out += "<li>" + cell_text(verdict.remarks[i]) + "</li>\n";
  }
  return out + "</ul>\n" + more(verdict.remarks.size() - shown, "they are in verdict.json");
}

const Chart* chart_of(const Page& page, const std::string& id) {
  const auto found = std::find_if(page.charts.begin(), page.charts.end(),
                                  [&](const Chart& chart) { return chart.id == id; });
  return found == page.charts.end() ? nullptr : &*found;
}

std::string figure(const Page& page, const std::string& id, std::size_t rows) {
  const Chart* chart = chart_of(page, id);
  if (chart == nullptr) return "";
  const std::size_t left = rows - std::min(rows, kMostForestRows);
  return fmt::format(
             "<figure id=\"{}\"><figcaption>{}</figcaption><div "
             "class=\"scroll\">{}</div></figure>\n",
             chart->id, escape_html(chart->caption), chart->svg) +
         more(left, "the plot shows the most telling rows; the others are in the table");
}

struct Split {
  Rows open, same;    ///< of the plots
  Rows told, others;  ///< of the tables
};

Split split(const GateVerdict& verdict) {
  Split parts;
  for (const VerdictRow* row : in_telling_order(verdict.rows)) {
    (row->verdict == "EQUIVALENT" ? parts.same : parts.open).push_back(row);
    (worth_telling(*row) ? parts.told : parts.others).push_back(row);
  }
  return parts;
}

std::string folded(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", summary, body);
}

std::string verdict_html(const Page& page) {
  const GateVerdict& verdict = *page.verdict;
  const Split parts = split(verdict);
  std::string out = fmt::format(
      "<p class=\"lead verdict\"><b class=\"{}\">{}</b> {}</p>\n"
      "<p>Exit status {} ({}). Judged by <code>breakeven gate</code>: {}.</p>\n",
      verdict.exit_code == 0 ? "good" : "bad", verdict.exit_code == 0 ? "Passed." : "Refused.",
      cell_text(verdict.headline), verdict.exit_code, exit_meaning(verdict.exit_code),
      cell_text(shortened(verdict.file, 200)));
  if (verdict.rows.empty() && verdict.budgets.empty()) out += absent("The verdict holds no row.");
  if (!verdict.times_judged) {
    out += absent("Times were not judged: exact counters and budgets alone.");
  }
  const std::string plot =
      verdict.times_judged ? figure(page, "changes-forest", parts.open.size()) : "";
  if (verdict.times_judged && plot.empty() && !parts.same.empty()) {
    out +=
        "<p>Every row that was judged is EQUIVALENT: the same within the margin of "
        "equivalence.</p>\n";
  }
  if (verdict.times_judged && (!plot.empty() || !parts.same.empty())) {
    out += fmt::format(
        "<p>A line for each row: head / base with its interval over rounds, on a "
        "logarithmic axis. Shaded: ±\u00a0{}, within which a difference is no change; dashed: "
        "±\u00a0{}, "
        "inside of which a row is EQUIVALENT. ▲ REGRESSED, ▼ IMPROVED, ○ undecided, ■ "
        "CHANGED.</p>\n",
        margin_text(verdict.margin), margin_text(verdict.equivalence));
  }
  out += plot;
  if (!parts.same.empty()) {
    out += folded(
        fmt::format("{} EQUIVALENT {}", parts.same.size(), parts.same.size() == 1 ? "row" : "rows"),
        figure(page, "changes-forest-equivalent", parts.same.size()));
  }
  if (!parts.told.empty()) {
    out += rows_table(
        parts.told, kMostTold,
        "p: uncorrected, that head is not slower by more than the margin; of an IMPROVED row none "
        "is "
        "told. q: corrected over the rows that were conspicuous in that direction. Fresh: judged "
        "on rounds that were measured "
        "after the row had become conspicuous. Could have seen: the smallest slowdown that "
        "these rounds would have flagged.");
  }
  if (!parts.others.empty()) {
    out += folded(fmt::format("{} {} EQUIVALENT or INCONCLUSIVE, as a table", parts.others.size(),
                              parts.others.size() == 1 ? "row that is" : "rows that are"),
                  rows_table(parts.others, kMostOthers,
                             verdict.times_judged
                                 ? "INCONCLUSIVE: the rounds don't say. That is no proof of no "
                                   "change: see what slowdown would have been seen."
                                 : "No time of these rows was judged."));
  }
  out += budgets_html(verdict) + remark_list(verdict);
  return out + "<h3>Conditions</h3>\n" + conditions_html(verdict);
}

}  // namespace

std::vector<Chart> verdict_charts(const GateVerdict& verdict) {
  const Split parts = split(verdict);
  std::vector<Chart> charts;
  const auto add = [&](const Rows& rows, const std::string& id, const std::string& caption) {
    if (rows.empty()) return;
    const std::string whole =
        rows.size() > kMostForestRows
            ? fmt::format("{}: the {} most telling of {}", caption, kMostForestRows, rows.size())
            : caption;
    charts.push_back({id, "changes", whole, forest_svg(verdict, rows, id, whole)});
  };
  add(parts.open, "changes-forest", "Rows that are not EQUIVALENT");
  add(parts.same, "changes-forest-equivalent", "EQUIVALENT rows");
  return charts;
}

std::string changes_html(const Page& page) {
  std::string out;
  if (page.verdict) out += verdict_html(page);
  out += history_html(page);
  out += before_after_html(page);
  if (!out.empty()) return out;
  return absent(
      "Not shown: no verdict of `breakeven gate` was given (--verdict FILE), no history "
      "(--history DIR), and no two runs of one machine and method version.");
}

}  // namespace breakeven
