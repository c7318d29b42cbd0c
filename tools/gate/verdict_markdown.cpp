#include <fmt/format.h>

#include <cctype>
#include <functional>

#include "reports/markdown.h"
#include "reports/markdown_parts.h"
#include "reports/text.h"
#include "tools/gate/judgement.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

// Bytes, of which there are never fewer than characters.
constexpr std::size_t kChangedRoom = 24000;
constexpr std::size_t kBudgetRoom = 10000;
constexpr std::size_t kRemarkRoom = 6000;
constexpr std::size_t kClosingRoom = 200;  // for lines that count, and the end of a folded part
constexpr std::size_t kTextLimit = 400;    // code points of a cell or a remark
constexpr std::size_t kFileLimit = 5;

/// `title` as it may stand in an HTML comment: no "--", no ">", always the same for the same title.
std::string marker(const std::string& title) {
  std::string name;
  for (const char c : shortened(title, kNameLimit)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x80 || std::isalnum(byte) != 0 ||
                       std::string_view(" _./:+@()-").find(c) != std::string_view::npos;
    if (c == '-' && name.ends_with('-')) continue;
    name += plain ? c : '_';
  }
  return "<!-- breakeven-gate: " + name + " -->\n";
}

std::string cell(const std::string& text) { return escape_markdown(shortened(text, kTextLimit)); }

std::string name_cell(const RowJudgement& row) { return code(shortened(row.name, kNameLimit)); }

std::string verdict_cell(const RowJudgement& row) {
  const std::string word(verdict_word(row.verdict));
  if (row.gates) return "**" + word + "**";
  return row.accepted.empty() ? word : word + ", accepted: " + cell(row.accepted);
}

/// In words: it is the reader's only hint of how much to trust a verdict.
std::string confidence_cell(const RowJudgement& row) {
  if (!row.decision) return row.changes.empty() ? "" : "exact";
  std::string text = rounds_text(row);
  if (const std::string p = corrected_p_text(row); !p.empty()) {
    text = "corrected p (q) = " + p + ", " + text;
  }
  const double coverage = row.decision->ratio.interval.coverage;
  if (coverage > 0 && coverage < 0.95) {
    text += fmt::format("; few rounds: the interval is of {:.1f} %", 100 * coverage);
  }
  return text;
}

std::string changed_line(const RowJudgement& row) {
  return fmt::format("| {} | {} | {} | {} | {} |\n", name_cell(row), cell(row_text(row)),
                     times_text(row), verdict_cell(row), confidence_cell(row));
}

std::string budget_line(const RowJudgement& row) {
  return fmt::format("| {} | {} | {} |\n", name_cell(row), cell(row_text(row)), verdict_cell(row));
}

std::string other_line(const RowJudgement& row) {
  const auto detectable = row.decision ? row.decision->detectable : std::nullopt;
  return fmt::format("| {} | {} | {} | {} | {} |\n", name_cell(row), cell(row_text(row)),
                     times_text(row), verdict_cell(row),
                     detectable ? fmt::format("{:.1f} %", 100 * *detectable) : "–");
}

/// As many lines as `room` holds, and one that counts the others. Short lines behind a long one
/// that doesn't fit are left out with it: the order is one of importance.
std::string limited(const std::string& heading, std::size_t count, const char* what,
                    std::size_t room, const std::function<std::string(std::size_t)>& line_of) {
  if (count == 0) return "";
  std::string text = heading;
  std::size_t shown = 0;
  for (; shown < count; ++shown) {
    const std::string line = line_of(shown);
    if (text.size() + line.size() + kClosingRoom > room) break;
    text += line;
  }
  if (shown < count) {
    text += fmt::format("\n{} more {} left out here; verdict.json has them all.\n",
                        counted(count - shown, what), count - shown == 1 ? "is" : "are");
  }
  return text + "\n";
}

std::string row_table(const char* heading, const std::vector<const RowJudgement*>& rows,
                      std::size_t room, std::string (*line)(const RowJudgement&)) {
  return limited(heading, rows.size(), "row", room, [&](std::size_t i) { return line(*rows[i]); });
}

/// What the figures of the first table mean, where it has any.
std::string reading(const Judgement& judgement, const std::vector<const RowJudgement*>& told) {
  bool times = false;
  for (const RowJudgement* row : told) times = times || row->decision;
  if (!times) return "";
  return fmt::format(
      "Change: head's time over base's, of paired rounds; in brackets its exact 95 % interval. "
      "Corrected p (q) of a REGRESSED row: how probable rounds like these would be if it were not "
      "slower by more than {:g} %, corrected for the number of rows tested (Benjamini and "
      "Hochberg); "
      "of an IMPROVED row likewise that it is faster. Rows with q ≤ {:g} count: of all so found, "
      "no "
      "more than {:g} % are expected to be false alarms.\n\n",
      100 * judgement.margins.regression, judgement.margins.discovery_rate,
      100 * judgement.margins.discovery_rate);
}

std::string arm_line(const char* arm, const std::vector<std::string>& files,
                     const std::string& machine, const std::string& commit) {
  std::string text = fmt::format("- {}: ", arm);
  text += commit.empty() ? "no commit known" : "commit " + code(shortened(commit, 80));
  text += machine.empty() ? ", machine unknown" : ", machine " + code(shortened(machine, 80));
  for (std::size_t i = 0; i < files.size() && i < kFileLimit; ++i) {
    text += (i == 0 ? "; " : ", ") + code(shortened(files[i], kNameLimit));
  }
  if (files.size() > kFileLimit) {
    text += " and " + counted(files.size() - kFileLimit, "more file");
  }
  return text + "\n";
}

std::string provenance(const Judgement& judgement) {
  return arm_line("base", judgement.base_files, judgement.base_machine, judgement.base_commit) +
         arm_line("head", judgement.head_files, judgement.head_machine, judgement.head_commit) +
         fmt::format(
             "- margins: slower or faster by more than {:g} %, the same within {:g} %; {}\n\n",
             100 * judgement.margins.regression, 100 * judgement.margins.equivalence,
             judgement.two_stages ? "conspicuous rows were measured again and judged on "
                                    "the fresh rounds alone"
                                  : "one stage, no fresh rounds");
}

std::string rest_summary(const Judgement& judgement, std::size_t rows) {
  if (!judgement.times_judged) return counted(rows, "row") + " without a change of exact figures";
  return fmt::format("{} without a change that was found: {} equivalent, {} undecided",
                     counted(rows, "row"), judgement.count(Verdict::equivalent),
                     judgement.count(Verdict::inconclusive));
}

std::string folded(const std::string& summary, const std::string& body) {
  return "<details><summary>" + summary + "</summary>\n\n" + body + "</details>\n\n";
}

}  // namespace

std::string verdict_markdown(const Judgement& judgement, const std::string& title) {
  const auto told = told_rows(judgement.rows), others = other_rows(judgement.rows);
  const std::string heading =
      title.empty() ? "" : escape_markdown(shortened(title, kNameLimit)) + ": ";
  std::string text =
      marker(title) + "**" + heading + escape_markdown(headline(judgement)) + "**\n\n";
  text += row_table(
      "| row | change [95 % interval] | base → head | verdict | confidence |\n"
      "|---|---|---|---|---|\n",
      told, kChangedRoom, changed_line);
  text += reading(judgement, told);
  text += row_table("| static budget | change | verdict |\n|---|---|---|\n",
                    told_rows(judgement.budgets), kBudgetRoom, budget_line);
  text += limited("", judgement.remarks.size(), "remark", kRemarkRoom,
                  [&](std::size_t i) { return "- " + cell(judgement.remarks[i]) + "\n"; });
  text += folded("What was compared", provenance(judgement));
  if (others.empty()) return text;
  return text + folded(rest_summary(judgement, others.size()),
                       row_table("| row | change [95 % interval] | base → head | verdict | "
                                 "smallest slowdown it could show |\n|---|---|---|---|---|\n",
                                 others, kMarkdownLimit - text.size() - kClosingRoom, other_line));
}

}  // namespace breakeven::gate
