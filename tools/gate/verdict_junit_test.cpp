#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "reports/text.h"
#include "tools/gate/judgement.h"
#include "tools/gate/testing/judgements.h"

namespace breakeven::gate {
namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A strict reader of the XML that needs no DTD: elements and attributes, nothing else.
class Xml {
 public:
  explicit Xml(std::string_view text) : rest_(text) {}

  /// What is wrong first; "" of a well-formed document.
  std::string fault() {
    if (!characters()) return "a character that XML lacks";
    if (!take("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")) return "no declaration";
    if (!element()) return "malformed before: " + std::string(rest_.substr(0, 80));
    take("\n");
    return rest_.empty() ? "" : "text behind the root";
  }

  std::size_t elements(const std::string& tag) const {
    return static_cast<std::size_t>(std::count(tags_.begin(), tags_.end(), tag));
  }

 private:
  bool characters() const {
    for (const char c : rest_) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') return false;
    }
    if (holds(std::string(rest_), "\xEF\xBF\xBE") || holds(std::string(rest_), "\xEF\xBF\xBF")) {
      return false;
    }
    // Valid UTF-8 has nothing that must be made visible but controls and line breaks.
    return !holds(visible_text(rest_), "[byte ") || holds(std::string(rest_), "[byte ");
  }

  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::string word() {
    const std::size_t end = rest_.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(text.size());
    return text;
  }

  bool value() {
    if (!take("\"")) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      if (rest_[0] == '<') return false;
      if (rest_[0] != '&') {
        rest_.remove_prefix(1);
      } else if (!take("&amp;") && !take("&lt;") && !take("&gt;") && !take("&quot;") &&
                 !take("&#39;")) {
        return false;
      }
    }
    return take("\"");
  }

  bool element() {
    if (!take("<")) return false;
    const std::string tag = word();
    tags_.push_back(tag);
    std::set<std::string> attributes;
    while (take(" ")) {
      if (!attributes.insert(word()).second || !take("=") || !value()) return false;
    }
    if (take("/>")) return true;
    if (!take(">")) return false;
    for (;;) {
      rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size()));
      if (rest_.starts_with("</")) break;
      if (!element()) return false;
    }
    return take("</" + tag + ">");
  }

  std::string_view rest_;
  std::vector<std::string> tags_;
};

TEST(VerdictJunit, HasACaseForEachRowAndBudget) {
  const std::string text = verdict_junit(full_judgement(), "matmul");
  Xml xml(text);
  EXPECT_EQ(xml.fault(), "") << text;
  EXPECT_EQ(xml.elements("testcase"), 12u);
  EXPECT_EQ(xml.elements("failure"), 3u);
  EXPECT_EQ(xml.elements("error"), 2u);
  EXPECT_EQ(xml.elements("skipped"), 2u);
  EXPECT_TRUE(holds(text,
                    "<testsuites name=\"matmul\" tests=\"12\" failures=\"3\" errors=\"2\" "
                    "skipped=\"2\">"))
      << text;
  EXPECT_TRUE(holds(text,
                    "<testcase classname=\"matmul\" name=\"matmul/s/cpu/tiled/f32\" "
                    "time=\"0.001104000\">\n    <failure type=\"REGRESSED\" message=\"REGRESSED: "
                    "+10.4 % [+8.9, +12.0]; 1.000 ms → 1.104 ms\"/>"))
      << text;
  EXPECT_TRUE(holds(text, "<error type=\"ERROR\" message=\"ERROR: wrong answer\"/>")) << text;
  EXPECT_TRUE(holds(text, "name=\"known\" time=\"0.001200000\"/>")) << text;
  EXPECT_TRUE(holds(text, "<testsuite name=\"matmul: static budgets\" tests=\"1\"")) << text;
}

TEST(VerdictJunit, AcceptedAbsenceIsSkipped) {
  Judgement judgement = quiet_judgement(1);
  judgement.rows.push_back(untimed_row("gone", Verdict::missing, "not in head", false));
  judgement.rows.back().accepted = "dropped";
  const std::string text = verdict_junit(judgement, "t");
  EXPECT_TRUE(holds(text, "<skipped message=\"MISSING: not in head; accepted: dropped\"/>"))
      << text;
  EXPECT_TRUE(holds(text, "failures=\"0\" errors=\"0\" skipped=\"1\""));
}

TEST(VerdictJunit, IsNeverGreenWhereTheChangeIsRefused) {
  Judgement judgement = quiet_judgement(2);
  judgement.rows[0].verdict = Verdict::inconclusive;
  EXPECT_TRUE(holds(verdict_junit(judgement, "t"), "failures=\"0\" errors=\"0\" skipped=\"1\""));
  judgement.exit_code = kInconclusive;
  EXPECT_TRUE(holds(verdict_junit(judgement, "t"), "failures=\"1\" errors=\"0\" skipped=\"0\""));
  judgement.exit_code = kOtherMachine;
  const std::string text = verdict_junit(judgement, "t");
  EXPECT_EQ(Xml(text).fault(), "");
  EXPECT_TRUE(holds(text, "<error type=\"exit 5\" message=\"base and head are of two machines"));
  EXPECT_TRUE(holds(text, "tests=\"3\" failures=\"0\" errors=\"1\""));
}

TEST(VerdictJunit, IsXmlWhateverNamesAre) {
  Judgement judgement = quiet_judgement(0);
  for (const std::string& name : hostile_names()) {
    judgement.rows.push_back(timed_row(name, Verdict::regressed, 1.1));
    judgement.rows.back().reason = judgement.rows.back().accepted = name;
    judgement.rows.back().changes = {{name, 1, 2, true}};
    judgement.rows.push_back(untimed_row(name, Verdict::error, name, true));
    judgement.rows.push_back(untimed_row(name, Verdict::added, name, false));
  }
  judgement.budgets = judgement.rows;
  judgement.exit_code = kCoverage;
  for (const std::string& title : hostile_names()) {
    const std::string text = verdict_junit(judgement, title);
    EXPECT_EQ(Xml(text).fault(), "");
    EXPECT_LT(text.size(), 2'000'000u);
  }
}

TEST(VerdictJunit, TheStrictReaderIsStrict) {
  const std::string start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  EXPECT_EQ(Xml(start + "<a b=\"c\"><d/></a>").fault(), "");
  for (const char* wrong :
       {"<a>", "<a></b>", "<a b=\"<\"/>", "<a b=\"&\"/>", "<a b=\"\" b=\"\"/>", "<a b=\"&nbsp;\"/>",
        "<a/><a/>", "<a b=\"\x01\"/>", "<a b=\"\xff\"/>", "<a b=\"\xef\xbf\xbe\"/>"}) {
    EXPECT_NE(Xml(start + wrong).fault(), "") << wrong;
  }
}

}  // namespace
}  // namespace breakeven::gate
