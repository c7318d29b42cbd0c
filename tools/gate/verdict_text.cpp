#include <fmt/format.h>

#include <algorithm>

#include "reports/text.h"
#include "tools/breakeven/lines.h"
#include "tools/gate/judgement.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

constexpr std::size_t kMostRows = 48;
constexpr std::size_t kMostRemarks = 20;
constexpr std::size_t kIndent = 2;
constexpr std::size_t kTextLimit = 400;

/// The first or last `count` code points of text that is UTF-8.
std::string_view first_points(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && count-- == 0) break;
  }
  return text.substr(0, end);
}

std::string_view last_points(std::string_view text, std::size_t count) {
  std::size_t begin = text.size();
  while (begin > 0 && count > 0) {
    --begin;
    count -= (static_cast<unsigned char>(text[begin]) & 0xC0) != 0x80 ? 1 : 0;
  }
  return text.substr(begin);
}

/// Cut in the middle: rows of one program begin alike, and end alike.
std::string fitted(std::string_view text, std::size_t room) {
  std::string visible = visible_text(text);
  if (columns(visible) <= room) return visible;
  const std::size_t tail = room / 2;
  return std::string(first_points(visible, room - tail - 1)) + "…" +
         std::string(last_points(visible, tail));
}

/// Lines behind `indent` blanks; no word is wider than one.
std::string paragraph(std::string_view text, std::size_t indent) {
  std::string words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words += fitted(text.substr(0, end), kTerminalColumns - indent) + " ";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::string(indent, ' ') + wrapped(words, indent, indent) + "\n";
}

/// Verdict, change, times and corrected p, which all rows have in columns.
std::vector<std::string> cells(const RowJudgement& row) {
  const std::string p = corrected_p_text(row);
  return {std::string(kIndent, ' ') + std::string(verdict_word(row.verdict)),
          row.decision ? change_text(row.decision->ratio) : "", times_text(row),
          p.empty() ? "" : "q " + p};
}

/// What has no column: counters, reasons.
std::string beside(const RowJudgement& row) {
  RowJudgement rest = row;
  rest.decision.reset();
  std::string text;
  if (!rest.changes.empty() || !rest.reason.empty()) text = paragraph(row_text(rest), 2 * kIndent);
  if (!row.accepted.empty())
    text += paragraph("accepted: " + shortened(row.accepted, kTextLimit), 2 * kIndent);
  return text;
}

/// Each row's name on a line of its own, so that any name leaves its figures room.
std::string row_lines(const std::vector<const RowJudgement*>& rows) {
  const std::size_t shown = std::min(rows.size(), kMostRows);
  std::vector<std::vector<std::string>> table_cells;
  for (std::size_t i = 0; i < shown; ++i) table_cells.push_back(cells(*rows[i]));
  const std::string aligned = table(table_cells, 4);
  std::string text;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t end = aligned.find('\n', begin);
    text += fitted(rows[i]->name, kTerminalColumns) + "\n";
    const std::string line = aligned.substr(begin, end - begin);
    text += columns(line) <= kTerminalColumns ? line + "\n" : paragraph(line, kIndent);
    text += beside(*rows[i]);
    begin = end + 1;
  }
  if (shown < rows.size()) {
    text += counted(rows.size() - shown, "more row") + " in verdict.md and verdict.json.\n";
  }
  return text.empty() ? "" : text + "\n";
}

std::string remark_lines(const std::vector<std::string>& remarks) {
  const std::size_t shown = std::min(remarks.size(), kMostRemarks);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += paragraph(shortened(remarks[i], kTextLimit), 0);
  if (shown < remarks.size()) {
    text += counted(remarks.size() - shown, "more remark") + " in verdict.json.\n";
  }
  return text.empty() ? "" : text + "\n";
}

}  // namespace

std::string verdict_text(const Judgement& judgement) {
  const auto told = told_rows(judgement.rows);
  std::string text = row_lines(told) + row_lines(told_rows(judgement.budgets));
  if (std::any_of(told.begin(), told.end(),
                  [](const RowJudgement* row) { return row->decision; })) {
    text += paragraph(
                "[ ]: the 95 % interval, or what few rounds allow. q: p-value of the verdict, "
                "corrected for the number of rows.",
                0) +
            "\n";
  }
  text += remark_lines(judgement.remarks);
  return text + paragraph(headline(judgement), 0);
}

}  // namespace breakeven::gate
