#include <fmt/format.h>

#include "reports/text.h"
#include "tools/gate/judgement.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

constexpr std::size_t kMostLines = 10;
constexpr std::size_t kMessageLimit = 600;

/// What a workflow command's message may hold; a property must not hold its own separators either.
std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : visible_text(text)) {
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','))) {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

std::string command(const char* kind, const std::string& title, const std::string& message) {
  return fmt::format("::{} title={}::{}\n", kind, escaped(shortened(title, kNameLimit), true),
                     escaped(shortened(message, kMessageLimit), false));
}

std::string message(const RowJudgement& row) {
  std::string text =
      fmt::format("{} {}", verdict_word(row.verdict), shortened(row.name, kNameLimit));
  if (const std::string told = row_text(row); !told.empty()) text += ": " + told;
  if (!row.accepted.empty()) text += "; accepted: " + shortened(row.accepted, kNameLimit);
  return text;
}

std::string commands(const char* kind, const std::string& title,
                     const std::vector<const RowJudgement*>& rows) {
  std::string text;
  const std::size_t shown = rows.size() > kMostLines ? kMostLines - 1 : rows.size();
  for (std::size_t i = 0; i < shown; ++i) text += command(kind, title, message(*rows[i]));
  if (shown == rows.size()) return text;
  return text + command(kind, title,
                        fmt::format("{} more rows; all of them are in verdict.md and verdict.json",
                                    rows.size() - shown));
}

}  // namespace

std::string github_lines(const Judgement& judgement, const std::string& title) {
  const std::string heading = title.empty() ? "gate" : title;
  std::vector<const RowJudgement*> errors, warnings;
  for (const auto* list : {&judgement.rows, &judgement.budgets}) {
    for (const auto& rows : {told_rows(*list), other_rows(*list)}) {
      for (const RowJudgement* row : rows) {
        if (refused(judgement, *row)) {
          errors.push_back(row);
        } else if (!row->accepted.empty()) {
          warnings.push_back(row);
        }
      }
    }
  }
  std::string text = commands("error", heading, errors);
  // Another machine, or nothing to compare: no row stands for it.
  const bool whole = errors.empty() && judgement.exit_code != kNoRegression;
  if (whole || judgement.exit_code == kOtherMachine) {
    text += command("error", heading, headline(judgement));
  }
  return text + commands("warning", heading, warnings);
}

}  // namespace breakeven::gate
