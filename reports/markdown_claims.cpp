// The claims in the Markdown report: the verdicts alone, since their figures stand in the HTML one.

#include <fmt/format.h>

#include "reports/claims.h"
#include "reports/markdown.h"
#include "reports/markdown_parts.h"

namespace breakeven {

std::string claims_markdown(const Page& page) {
  std::string out = "| | claim |";
  std::string rule = "|---:|---|";
  for (const Run& run : page.runs) {
    out += page.runs.size() > 1 ? fmt::format(" verdict, run {} |", run.label) : " verdict |";
    rule += "---|";
  }
  out += "\n" + rule + "\n";
  const Judgement machines = judge_machines(page.runs);
  for (const Claim& claim : claims()) {
    out += fmt::format("| {} | {} |", claim.number, escape_markdown(claim.text));
    for (const Run& run : page.runs) {
      const Judgement judgement =
          claim.judge == nullptr ? machines : claim.judge({run, page.prices});
      out += " " + escape_markdown(ruling_text(judgement)) + " |";
    }
    out += "\n";
  }
  return out;
}

}  // namespace breakeven
