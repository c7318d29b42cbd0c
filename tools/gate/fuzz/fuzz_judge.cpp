#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/markdown.h"
#include "tools/breakeven/lines.h"
#include "tools/gate/fuzz/fuzz.h"
#include "tools/gate/judge.h"

namespace breakeven::gate::fuzz {
namespace {

constexpr std::size_t kCrowd = 400;  // rows, more than a comment can show

bool probability(double p) { return p >= 0 && p <= 1; }

void require_sound_row(const RowJudgement& row) {
  require(!row.name.empty(), "a verdict without a row");
  if (!row.decision) return;
  const Decision& decision = *row.decision;
  require(probability(decision.p_regressed) && probability(decision.q_regressed) &&
              probability(decision.q_improved),
          "a probability outside of 0 … 1");
  require(decision.rounds > 0, "a decision of no rounds");
  const Interval& interval = decision.ratio.interval;
  require(interval.low <= decision.ratio.value && decision.ratio.value <= interval.high,
          "an interval without its estimate");
  require(probability(interval.coverage), "a coverage outside of 0 … 1");
  require(std::isfinite(row.base_seconds) && row.base_seconds > 0 &&
              std::isfinite(row.head_seconds) && row.head_seconds > 0,
          "a median that is not positive and finite");
  require(!decision.detectable || *decision.detectable >= 0, "detects what is no slowdown");
}

void require_sound_json(const Judgement& judgement) {
  const std::string text = verdict_json(judgement);
  const auto document = nlohmann::json::parse(text, nullptr, false);
  require(!document.is_discarded(), "verdict.json is not JSON");
  require(document.at("rows").size() == judgement.rows.size(), "verdict.json lacks rows");
  require(document.at("exit_code") == judgement.exit_code, "verdict.json has another status");
}

void require_markdown(const Judgement& judgement) {
  const std::string text = verdict_markdown(judgement, "fuzz");
  require(text.size() <= kMarkdownLimit, "verdict.md is too long");
  require(text.starts_with("<!-- breakeven-gate: fuzz -->\n"), "verdict.md lost its marker");
  require_visible_lines(text, "verdict.md");
}

template <class Check>
void for_each_line(std::string_view text, Check check) {
  require(text.empty() || text.ends_with('\n'), "a last line without its end");
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    check(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

void require_sound_texts(const Judgement& judgement) {
  require_sound_json(judgement);
  require_markdown(judgement);
  require_visible_lines(verdict_junit(judgement, "fuzz"), "junit.xml");
  require(headline(judgement).find('\n') == std::string::npos, "a headline of two lines");
  const std::string terminal = verdict_text(judgement);
  require_visible_lines(terminal, "the verdict's text");
  for_each_line(terminal, [](std::string_view line) {
    require(columns(line) <= kTerminalColumns, "a line wider than a terminal");
  });
  const std::string github = github_lines(judgement, "fuzz");
  require_visible_lines(github, "GitHub's lines");
  for_each_line(github, [](std::string_view line) {
    require(line.starts_with("::"), "a line that GitHub does not read");
  });
}

void require_sound(const Judgement& judgement) {
  const int status = judgement.exit_code;
  require(status == kNoRegression || status == kRegression || status == kCoverage ||
              status == kInconclusive || status == kOtherMachine,
          "an unknown exit status");
  std::for_each(judgement.rows.begin(), judgement.rows.end(), require_sound_row);
  require(std::is_sorted(judgement.rows.begin(), judgement.rows.end(),
                         [](const auto& a, const auto& b) { return a.name < b.name; }),
          "rows out of order");
  require_sound_texts(judgement);
}

/// The same rows again and again, so that the limits of texts are reached.
Judgement crowded(Judgement judgement) {
  const std::size_t rows = judgement.rows.size();
  judgement.rows.reserve(kCrowd);
  for (std::size_t i = 0; rows > 0 && judgement.rows.size() < kCrowd; ++i) {
    judgement.rows.push_back(judgement.rows[i % rows]);
  }
  return judgement;
}

/// The same files as both arms: nothing may be found.
void require_no_false_alarm(const Samples& samples, const JudgeOptions& options) {
  Judgement judgement;
  if (!reads([&] { judgement = judge(samples, samples, options); })) return;
  for (const RowJudgement& row : judgement.rows) {
    const bool found = row.verdict == Verdict::regressed || row.verdict == Verdict::improved ||
                       row.verdict == Verdict::changed || row.verdict == Verdict::added;
    require(!found, "a file differs from itself");
  }
}

}  // namespace

void fuzz_judge(std::string_view input) {
  const Halves texts = halves(input);
  Samples base, head;
  const auto& exact = default_exact_counters();
  if (!reads([&] { base = parse_samples(texts.base, "base.json", Arm::base, exact); })) return;
  require_sound(base);
  if (!reads([&] { head = parse_samples(texts.head, "head.json", Arm::head, exact); })) return;
  require_sound(head);
  JudgeOptions strict, counters_only, plain;
  strict.strict = strict.allow_mismatch = true;
  counters_only.counters_only = true;
  for (const JudgeOptions& options : {plain, strict, counters_only}) {
    Judgement judgement;
    if (!reads([&] { judgement = judge(base, head, options); })) continue;
    require_sound(judgement);
    // Costly, and of one kind: not for every input.
    if (input.size() % 8 == 0) require_sound_texts(crowded(std::move(judgement)));
  }
  require_no_false_alarm(base, plain);
}

}  // namespace breakeven::gate::fuzz
