#include <fmt/format.h>

#include "reports/text.h"
#include "tools/gate/judgement.h"
#include "tools/gate/verdict_parts.h"

namespace breakeven::gate {
namespace {

constexpr std::size_t kCaseNameLimit = 1000;
constexpr std::size_t kMessageLimit = 2000;

/// XML 1.0 has no U+FFFE and U+FFFF, not even as references; the controls that it lacks, too, are
/// made visible with the rest.
std::string xml(std::string_view text, std::size_t limit) {
  std::string escaped = escape_html(shortened(text, limit));
  for (const auto& [bytes, shown] :
       {std::pair("\xEF\xBF\xBE", "[U+FFFE]"), std::pair("\xEF\xBF\xBF", "[U+FFFF]")}) {
    for (std::size_t at = 0; (at = escaped.find(bytes, at)) != std::string::npos;) {
      escaped.replace(at, 3, shown);
    }
  }
  return escaped;
}

enum class Outcome { passed, failed, error, skipped };

/// A row that was lost and doesn't refuse the change has run no better than one that is new.
Outcome outcome(const Judgement& judgement, const RowJudgement& row) {
  if (refused(judgement, row)) return lost(row) ? Outcome::error : Outcome::failed;
  const bool told = row.verdict == Verdict::inconclusive || row.verdict == Verdict::added;
  return told || lost(row) ? Outcome::skipped : Outcome::passed;
}

std::string message(const RowJudgement& row) {
  std::string text = row_text(row);
  if (const std::string times = times_text(row); !times.empty()) text += "; " + times;
  if (!row.accepted.empty()) {
    text += (text.empty() ? "accepted: " : "; accepted: ") + row.accepted;
  }
  return text;
}

std::string element(const char* tag, const RowJudgement& row) {
  return fmt::format("    <{0} type=\"{1}\" message=\"{1}: {2}\"/>\n", tag,
                     verdict_word(row.verdict), xml(message(row), kMessageLimit));
}

struct Counts {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;

  std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", tests, failures,
                       errors, skipped);
  }
};

std::string test_case(const RowJudgement& row, Outcome came_out, const std::string& suite) {
  std::string text = fmt::format("   <testcase classname=\"{}\" name=\"{}\"", suite,
                                 xml(row.name, kCaseNameLimit));
  if (row.decision && row.head_seconds > 0) {
    text += fmt::format(" time=\"{:.9f}\"", row.head_seconds);
  }
  switch (came_out) {
    case Outcome::passed:
      return text + "/>\n";
    case Outcome::failed:
      return text + ">\n" + element("failure", row) + "   </testcase>\n";
    case Outcome::error:
      return text + ">\n" + element("error", row) + "   </testcase>\n";
    case Outcome::skipped:
      break;
  }
  // Of a skipped case readers know a message and no type.
  return text + fmt::format(">\n    <skipped message=\"{}: {}\"/>\n   </testcase>\n",
                            verdict_word(row.verdict), xml(message(row), kMessageLimit));
}

std::string test_suite(const Judgement& judgement, const std::vector<RowJudgement>& rows,
                       const std::string& name, Counts& total) {
  Counts counts;
  std::string cases;
  for (const RowJudgement& row : rows) {
    const Outcome came_out = outcome(judgement, row);
    ++counts.tests;
    counts.failures += came_out == Outcome::failed ? 1 : 0;
    counts.errors += came_out == Outcome::error ? 1 : 0;
    counts.skipped += came_out == Outcome::skipped ? 1 : 0;
    cases += test_case(row, came_out, name);
  }
  total.tests += counts.tests;
  total.failures += counts.failures;
  total.errors += counts.errors;
  total.skipped += counts.skipped;
  return fmt::format("  <testsuite name=\"{}\" {}>\n{}  </testsuite>\n", name, counts.attributes(),
                     cases);
}

/// A refusal that no row stands for: another machine, nothing to compare.
std::string whole_suite(const Judgement& judgement, const std::string& name, Counts& total) {
  const Counts one = {1, 0, 1, 0};
  ++total.tests;
  ++total.errors;
  return fmt::format(
      "  <testsuite name=\"{0}\" {1}>\n   <testcase classname=\"{0}\" name=\"gate\">\n"
      "    <error type=\"exit {2}\" message=\"{3}\"/>\n   </testcase>\n  </testsuite>\n",
      name, one.attributes(), judgement.exit_code, xml(headline(judgement), kMessageLimit));
}

}  // namespace

std::string verdict_junit(const Judgement& judgement, const std::string& title) {
  const std::string name = xml(title.empty() ? "gate" : title, kNameLimit);
  Counts total;
  std::string suites = test_suite(judgement, judgement.rows, name, total);
  if (!judgement.budgets.empty()) {
    suites += test_suite(judgement, judgement.budgets, name + ": static budgets", total);
  }
  const bool none = total.failures + total.errors == 0;
  if (judgement.exit_code == kOtherMachine || (judgement.exit_code != kNoRegression && none)) {
    suites += whole_suite(judgement, name + ": the whole", total);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" {}>\n{}</testsuites>\n",
      name, total.attributes(), suites);
}

}  // namespace breakeven::gate
