// From a figure to the rows that it rests on: links, titles on hover, commands. Works without
// scripts.

#include <fmt/format.h>

#include <set>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostNamedRows = 24;  // the others are counted

}  // namespace

bool rows_unfold(const Page& page) { return case_count(page) <= kMostDetailedCases; }

std::string title_attribute(const std::string& text) {
  return fmt::format(" title=\"{}\"", escape_html(text));
}

std::string pair_id(const Run& run, const Pair& pair) {
  return fmt::format("p{}-{}", run.label, &pair - run.pairs.data());
}

std::string row_link(const Page& page, const Run& run, const Case& c, const std::string& text,
                     const std::string& title) {
  const std::string shown = escape_html(text);
  const std::string hover = title.empty() ? "" : title_attribute(title);
  if (!rows_unfold(page)) return hover.empty() ? shown : "<span" + hover + ">" + shown + "</span>";
  return fmt::format("<a href=\"#{}\"{}>{}</a>", case_id(run, c), hover, shown);
}

std::string trace_html(const Page& page, const Run& run, const std::vector<const Case*>& rows) {
  std::vector<const Case*> distinct;
  std::set<const Case*> seen;
  for (const Case* row : rows) {
    if (seen.insert(row).second) distinct.push_back(row);
  }
  if (distinct.empty()) return "";
  std::string out = "<p>Rows:";
  for (std::size_t i = 0; i < distinct.size() && i < kMostNamedRows; ++i) {
    out += " <code>" +
           row_link(page, run, *distinct[i], shortened(distinct[i]->name, kMostOfName), "") +
           "</code>";
  }
  if (distinct.size() > kMostNamedRows) {
    out += fmt::format(" and {} more, all in the full table", distinct.size() - kMostNamedRows);
  }
  out += "</p>\n<pre>";
  for (const std::string& command : reproduce_commands(run, distinct)) {
    out += escape_html(command) + "\n";
  }
  return out + "</pre>";
}

}  // namespace breakeven
