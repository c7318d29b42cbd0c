// A report of text that wants to be more than text: nothing of it may become markup, reorder a
// line, or fill the page.
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/markdown.h"
#include "reports/synthetic.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// What the page itself is made of.
const std::set<std::string> kElements = {
    "html",    "head",       "meta",  "title", "style",  "body",   "header",  "nav",
    "main",    "h1",         "h2",    "h3",    "h4",     "p",      "a",       "div",
    "section", "aside",      "table", "thead", "tbody",  "tr",     "th",      "td",
    "caption", "ul",         "li",    "dl",    "dt",     "dd",     "details", "summary",
    "figure",  "figcaption", "svg",   "g",     "path",   "rect",   "text",    "desc",
    "small",   "code",       "pre",   "span",  "script", "strong", "br",      "ol"};
const std::set<std::string> kAttributes = {"lang",
                                           "charset",
                                           "name",
                                           "content",
                                           "http-equiv",
                                           "class",
                                           "id",
                                           "href",
                                           "title",
                                           "type",
                                           "scope",
                                           "colspan",
                                           "aria-label",
                                           "aria-labelledby",
                                           "aria-hidden",
                                           "role",
                                           "data-run",
                                           "data-op",
                                           "data-precision",
                                           "data-device",
                                           "xmlns",
                                           "viewbox",
                                           "width",
                                           "height",
                                           "font-family",
                                           "font-size",
                                           "font-style",
                                           "fill",
                                           "fill-opacity",
                                           "stroke",
                                           "stroke-width",
                                           "stroke-dasharray",
                                           "d",
                                           "x",
                                           "y",
                                           "transform",
                                           "text-anchor",
                                           "data-log",
                                           "data-p",
                                           "data-x",
                                           "data-y",
                                           "tabindex"};

// Reads HTML as a browser does, as far as telling text from markup goes.
class Markup {
 public:
  explicit Markup(std::string_view html) : html_(html) {
    while (at_ < html_.size()) {
      if (html_[at_] != '<') {
        text_ += html_[at_++];
      } else if (html_.substr(at_, 2) == "<!") {
        ++declarations;
        at_ = html_.find('>', at_) + 1;
      } else if (std::isalpha(static_cast<unsigned char>(html_[at_ + 1])) != 0) {
        element();
      } else if (html_[at_ + 1] == '/') {
        at_ = html_.find('>', at_) + 1;
      } else {
        ++loose;
        ++at_;
      }
    }
  }

  std::map<std::string, int> elements;
  std::set<std::string> attributes;
  std::vector<std::string> links;
  std::set<std::string> ids;
  int declarations = 0;
  int loose = 0;    ///< "<" that begins nothing
  int doubled = 0;  ///< ids that are there twice
  const std::string& text() const { return text_; }

 private:
  std::string word(std::string_view ends) {
    const std::size_t end = std::min(html_.find_first_of(ends, at_), html_.size());
    std::string found(html_.substr(at_, end - at_));
    for (char& c : found) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    at_ = end;
    return found;
  }

  void element() {
    ++at_;
    const std::string name = word(" \n>/");
    ++elements[name];
    while (html_[at_] != '>') {
      if (std::string_view(" \n/").find(html_[at_]) != std::string_view::npos) {
        ++at_;
        continue;
      }
      const std::string attribute = word("= \n>");
      attributes.insert(attribute);
      if (html_[at_] != '=') continue;
      if (html_.substr(at_, 2) != "=\"") {
        ++loose;
        ++at_;
        continue;
      }
      at_ += 2;
      const std::size_t end = html_.find('"', at_);
      const std::string value(html_.substr(at_, end - at_));
      if (attribute == "href") links.push_back(value);
      if (attribute == "id" && !ids.insert(value).second) ++doubled;
      at_ = end + 1;
    }
    ++at_;
    if (name == "script" || name == "style") at_ = html_.find("</" + name, at_);
  }

  std::string_view html_;
  std::size_t at_ = 0;
  std::string text_;
};

const std::array<std::string, 16> kHostile = {
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--",
    "]]><evil/>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></pre></table></svg><evil>",
    "&lt;evil&gt; &#60;evil&#62; &amp;",
    "\u202Egnp.exe\u2066\u2067\u2068\u2069\u200F\u061C",
    std::string("nul\0\x01\x08\x0b\x1b[31m\x7f\n\r\t", 16),
    "\u0085\u009B31m\u2028\u2029\uFEFF\uFFFE",
    "`code` | pipe | **bold** _it_ [link](javascript:alert(1)) @everyone #1 ~~no~~",
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1|-1|@SUM(1)|\t=1",
    "https://example.org/x <https://example.org>",
    "日本語 µ ∛ 😀 العربية"};

void poison(SyntheticCase& c, const std::string& evil) {
  c.texts["label"] = "kernel=" + evil + "; loss_curve=1,0.5,0.25; metric=" + evil;
  c.texts["verify_method"] = evil;
  c.texts[evil] = evil;
  c.texts["network"] = evil;
  c.texts["layer"] = evil;
  c.texts["items_name"] = evil;
  c.counters[evil] = 1;
}

// A run in which every place for text holds `evil`, and every section has something to show.
SyntheticRun hostile_run(const std::string& evil) {
  SyntheticRun run = synthetic_gpu_run();
  run.rounds = 3;
  run.repetitions = 2;
  std::string part = evil;  // a segment of a name
  for (char& c : part) c = c == '/' ? '\\' : c;
  const SyntheticRun training = synthetic_training_run();
  run.cases.insert(run.cases.end(), training.cases.begin() + 1, training.cases.end());  // no peak
  for (SyntheticCase& c : run.cases) poison(c, evil);
  for (const double n : {64.0, 128.0}) {
    for (const char* device : {"cpu/", "gpu/"}) {
      run.cases.push_back(
          synthetic_matmul(part + (n > 64 ? "b" : "a"), n, n, n, device + part + "/" + part, 10));
      poison(run.cases.back(), evil);
      run.cases.push_back(run.cases.back());
      run.cases.back().name += "/cache:cold/" + part + ":" + part;
      run.cases.push_back(run.cases.back());
      run.cases.back().name = part + run.cases.back().name;
    }
  }
  run.cases.push_back(synthetic_matmul("failed", 8, 8, 8, "cpu/" + part + "/f32", 1));
  run.cases.back().failure = evil;
  for (const char* key : {"cpu.model", "gpu.name", "date", "git.commit", "suite", "compiler"}) {
    run.facts[key] = evil;
  }
  run.facts[evil] = evil;
  run.facts["network." + evil] = evil + "*2 other*1";
  run.skipped = {{"matmul/" + part + "/cpu/" + part + "/f32", evil}, {evil, evil}};
  run.unavailable = {{evil, evil}, {"cublas", evil}};
  return run;
}

Page page_of(const SyntheticRun& synthetic, const std::string& file) {
  Page page;
  page.runs.push_back(make_run(parse_results(synthetic.text(), file), ""));
  page.charts = make_charts(page.runs);
  return page;
}

void expect_plain_page(const Page& page) {
  const Markup markup(render_html(page));
  for (const auto& [name, count] : markup.elements) EXPECT_TRUE(kElements.contains(name)) << name;
  for (const std::string& name : markup.attributes) {
    EXPECT_TRUE(kAttributes.contains(name)) << name;
  }
  for (const std::string& link : markup.links) {
    ASSERT_EQ(link.substr(0, 1), "#") << link;
    EXPECT_TRUE(markup.ids.contains(link.substr(1)) || link.size() > 200) << link;
  }
  EXPECT_EQ(markup.elements.at("script"), 2);
  EXPECT_EQ(markup.elements.at("style"), 1);
  EXPECT_EQ(markup.elements.at("h1"), 1);
  EXPECT_EQ(markup.declarations, 1);
  EXPECT_EQ(markup.loose, 0);
  EXPECT_EQ(markup.doubled, 0);
}

// No control character but the newline, nothing that reorders a line, no broken UTF-8.
void expect_sound_text(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const std::string one(text.substr(0, point.bytes));
    ASSERT_TRUE(one == "\n" || visible_text(one) == one)
        << visible_text(text.substr(0, 60)) << " at " << text.size();
    text.remove_prefix(point.bytes);
  }
}

void expect_harmless(const std::string& evil, const std::string& file) {
  SCOPED_TRACE(visible_text(evil).substr(0, 60));
  const SyntheticRun run = hostile_run(evil);
  const Page page = page_of(run, file);
  expect_plain_page(page);
  expect_sound_text(render_html(page));
  for (const Chart& chart : page.charts) {
    const std::string svg = standalone_svg(chart.svg);
    const Markup markup(svg);
    for (const auto& [name, count] : markup.elements) EXPECT_TRUE(kElements.contains(name)) << name;
    EXPECT_EQ(markup.loose + markup.declarations, 0);
    expect_sound_text(svg);
    EXPECT_LT(chart.id.size(), 200u);
  }
  const std::string markdown = render_markdown(page);
  expect_sound_text(markdown);
  const Markup written(markdown);
  for (const auto& [name, count] : written.elements) {
    EXPECT_TRUE(name == "details" || name == "summary") << name;
  }
  EXPECT_EQ(written.loose + written.declarations, 0);
  EXPECT_EQ(markdown.find("@everyone"), std::string::npos);
  EXPECT_EQ(markdown.find("[link]("), std::string::npos);
  const auto data = nlohmann::json::parse(raw_data_json(page));
  EXPECT_EQ(data["runs"][0]["context"][evil], evil);
  EXPECT_EQ(data["runs"][0]["skipped"][1]["reason"], evil);
}

TEST(Hostile, TextStaysText) {
  for (const std::string& evil : kHostile) expect_harmless(evil, evil);
}

TEST(Hostile, AFileNameThatIsNoUtf8IsShownByItsBytes) {
  const Page page = page_of(synthetic_cpu_run(), "a\xff\xed\xa0\x80<b>.json");
  Page two = page_of(synthetic_cpu_run(), "a\xff\xed\xa0\x80<b>.json");
  two.runs[0].label = "A";
  expect_sound_text(render_html(page));
  const std::string html = render_html(two);
  expect_sound_text(html);
  EXPECT_NE(html.find("a[byte FF][byte ED][byte A0][byte 80]&lt;b&gt;.json"), std::string::npos);
}

TEST(Hostile, AMegabyteOfTextIsCutWhereItIsShownAndWholeInTheData) {
  const std::string large(1 << 20, 'x');
  SyntheticRun run = synthetic_cpu_run();
  run.rounds = 1;
  run.repetitions = 1;
  run.cases.resize(12);
  run.cases.push_back(synthetic_matmul(large, 8, 8, 8, "cpu/" + large + "/f32", 1));
  run.cases.push_back(synthetic_matmul(large, 8, 8, 8, "cpu/" + large + "b/f32", 1));
  run.cases.back().texts["label"] = large;
  run.cases.push_back(synthetic_matmul("s", 8, 8, 8, "cpu/failing/f32", 1));
  run.cases.back().failure = large;
  run.facts["cpu.model"] = large;
  run.skipped = {{large, large}};
  const Page page = page_of(run, "f.json");
  const std::string html = render_html(page);
  const std::size_t data = html.find("<script type=\"application/json\"");
  EXPECT_LT(data, 200000u);
  const std::string rest = html.substr(html.find("</script>", data));
  EXPECT_EQ(rest.find(std::string(3000, 'x')), std::string::npos);
  EXPECT_EQ(html.substr(0, data).find(std::string(3000, 'x')), std::string::npos);
  EXPECT_NE(html.find(large), std::string::npos);
  EXPECT_LT(render_markdown(page).size(), 4 * kMarkdownLimit);
  // Names that differ after the cut are still two.
  std::set<std::string> cut;
  for (const Case& c : page.runs[0].cases) {
    if (c.segments.implementation.size() > 100) cut.insert(c.segments.implementation);
  }
  EXPECT_EQ(cut.size(), 2u);
  for (const Chart& chart : page.charts) EXPECT_LT(chart.id.size(), 200u);
}

}  // namespace
}  // namespace breakeven
