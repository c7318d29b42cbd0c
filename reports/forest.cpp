#include "reports/forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "reports/svg.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// Pixels: names, verdicts, the plot, figures.
constexpr double kWidth = 960;
constexpr double kVerdictX = 312;
constexpr double kLeft = 458;
constexpr double kRight = 790;
constexpr double kFigureX = 812;
constexpr double kTop = 52;
constexpr double kRowHeight = 24;
constexpr double kLeastRange = 1e-3;  // of a ratio to either side
constexpr double kTickSpacing = 40;
constexpr std::size_t kNameLength = 40;
constexpr std::size_t kReasonLength = 48;
constexpr std::size_t kFigureLength = 23;

std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// Where the code points of a text start.
std::vector<std::size_t> code_points(const std::string& text) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  }
  return starts;
}

/// A name with its middle left out where it is too long: both ends tell rows apart.
std::string fitted(const std::string& name) {
  std::string text = shortened(name, kNameLength * 100);
  const std::vector<std::size_t> starts = code_points(text);
  if (starts.size() <= kNameLength) return text;
  constexpr std::size_t kEnd = kNameLength / 2;
  return text.substr(0, starts[kNameLength - kEnd - 1]) + "…" +
         text.substr(starts[starts.size() - kEnd]);
}

/// 1.1 is "+10 %"; from a factor of 2 on, "2x" and "0.5x".
std::string tick_text(double ratio) {
  if (ratio >= 2 || ratio <= 0.5) return format_number(ratio, 2) + "x";
  const std::string percent = fmt::format("{:.3g}", std::abs(100 * (ratio - 1)));
  return ratio == 1 ? "same" : fmt::format("{}{} %", ratio > 1 ? "+" : "−", percent);
}

class Forest {
 public:
  Forest(const GateVerdict& verdict, const std::vector<const VerdictRow*>& rows)
      : verdict_(verdict), rows_(rows.begin(), rows.begin() + shown(rows.size())) {
    bottom_ = kTop + kRowHeight * static_cast<double>(rows_.size());
    find_range();
  }

  std::string render(const std::string& id, const std::string& title) {
    begin(id, title);
    margin();
    axis();
    for (std::size_t i = 0; i < rows_.size(); ++i) draw(*rows_[i], i);
    out_ += "</svg>";
    return std::move(out_);
  }

 private:
  template <typename... Arguments>
  void put(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Arguments>(arguments)...);
  }

  static std::ptrdiff_t shown(std::size_t rows) {
    return static_cast<std::ptrdiff_t>(std::min(rows, kMostForestRows));
  }

  /// Wide enough for every estimate and both margins; an interval that is far wider ends in an
  /// arrow, so that one row without information doesn't press all others together.
  void find_range() {
    const double widest = std::max({verdict_.margin, verdict_.equivalence, kLeastRange});
    double estimate = std::log1p(widest), low = 0, high = 0;
    for (const VerdictRow* row : rows_) {
      if (!row->decision) continue;
      const Estimate& ratio = row->decision->ratio;
      if (ratio.value > 0) estimate = std::max(estimate, std::abs(std::log(ratio.value)));
      if (ratio.interval.low > 0) low = std::min(low, std::log(ratio.interval.low));
      if (ratio.interval.high > 0) high = std::max(high, std::log(ratio.interval.high));
    }
    constexpr double kFurthest = 1.6;
    low_ = std::max(low, -kFurthest * estimate);
    high_ = std::min(high, kFurthest * estimate);
    low_ = std::min(low_, -std::log1p(widest)) * 1.12;
    high_ = std::max(high_, std::log1p(widest)) * 1.12;
    for (const VerdictRow* row : rows_) {  // an estimate is always inside
      if (!row->decision || !(row->decision->ratio.value > 0)) continue;
      low_ = std::min(low_, 1.05 * std::log(row->decision->ratio.value));
      high_ = std::max(high_, 1.05 * std::log(row->decision->ratio.value));
    }
  }

  double x(double ratio) const {
    return kLeft + (kRight - kLeft) * (std::log(ratio) - low_) / (high_ - low_);
  }

  void begin(const std::string& id, const std::string& title) {
    const double height = bottom_ + 30;
    put(R"(<svg xmlns="http://www.w3.org/2000/svg" class="chart forest" viewBox="0 0 {0} {1}" )"
        R"(width="{0}" height="{1}" role="img" aria-labelledby="{2}-t {2}-d" )"
        R"(font-family="system-ui,sans-serif" font-size="12.5">)",
        number(kWidth), number(height), id);
    put(R"(<title id="{0}-t">{1}</title><desc id="{0}-d">A line for each row: its time in head as )"
        R"(a ratio of that in base, with its interval, on a logarithmic axis. To the right head is )"
        R"(slower. Shaded: the margin of {2} in which a difference is no change; dashed: {3}, )"
        R"(inside of which a row is the same.</desc>)",
        id, escape_html(title), margin_text(verdict_.margin), margin_text(verdict_.equivalence));
    put(R"(<rect class="bg" width="{}" height="{}" fill="#fff"/>)", number(kWidth), number(height));
  }

  void margin() {
    const double from = x(1 / (1 + verdict_.margin)), to = x(1 + verdict_.margin);
    put(R"(<rect class="lt" x="{}" y="{}" width="{}" height="{}" fill="#4b5563" )"
        R"(fill-opacity=".14"/>)",
        number(from), number(kTop), number(to - from), number(bottom_ - kTop));
    std::string lines;
    for (const double ratio : {1 / (1 + verdict_.equivalence), 1 + verdict_.equivalence}) {
      lines += fmt::format("M{} {}V{}", number(x(ratio)), number(kTop), number(bottom_));
    }
    put(R"(<path class="lv" d="{}" fill="none" stroke="#4b5563" stroke-dasharray="3 4"/>)", lines);
  }

  std::vector<double> ticks() const {
    constexpr std::array kRatios = {1.0, 1.001, 1.002, 1.005, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5,
                                    2.0, 3.0,   5.0,   10.,   20.,  50.,  1e2,  1e3, 1e4, 1e6};
    std::vector<double> chosen;
    const auto add = [&](double ratio) {
      if (std::log(ratio) < low_ || std::log(ratio) > high_) return;
      const bool free = std::all_of(chosen.begin(), chosen.end(), [&](double other) {
        return std::abs(x(other) - x(ratio)) >= kTickSpacing;
      });
      if (free) chosen.push_back(ratio);
    };
    // The largest first: it says how far the axis goes.
    add(1);
    for (auto ratio = kRatios.rbegin(); ratio != kRatios.rend(); ++ratio) {
      add(*ratio);
      // −10 % is 0.9, not 1 / 1.1; beyond a factor of 2 both sides are factors.
      add(*ratio >= 2 ? 1 / *ratio : 2 - *ratio);
    }
    return chosen;
  }

  void axis() {
    std::string lines = fmt::format("M{0} {1}V{2}", number(x(1)), number(kTop), number(bottom_));
    std::string texts;
    for (const double ratio : ticks()) {
      lines +=
          fmt::format("M{0} {1}v-4M{0} {2}v4", number(x(ratio)), number(kTop), number(bottom_));
      for (const double y : {kTop - 8, bottom_ + 18}) {
        texts += fmt::format(R"(<text x="{}" y="{}">{}</text>)", number(x(ratio)), number(y),
                             tick_text(ratio));
      }
    }
    put(R"(<path class="fr" d="{}" fill="none" stroke="#9ca3af"/>)", lines);
    put(R"(<g class="ax" fill="#4b5563" font-size="11.5" text-anchor="middle">{})", texts);
    put(R"(<text x="{}" y="18" text-anchor="start">← head is faster</text>)", number(kLeft));
    put(R"(<text x="{}" y="18" text-anchor="end">head is slower →</text></g>)", number(kRight));
    put(R"(<g class="ax" fill="#4b5563" font-size="11.5"><text x="8" y="{0}">row</text>)"
        R"(<text x="{1}" y="{0}">verdict</text><text x="{2}" y="{0}">change [interval]</text></g>)",
        number(kTop - 8), number(kVerdictX), number(kFigureX));
    std::string rules;
    for (std::size_t i = 0; i <= rows_.size(); ++i) {
      rules += fmt::format("M0 {}H{}", number(kTop + kRowHeight * static_cast<double>(i)),
                           number(kWidth));
    }
    put(R"(<path class="gr" d="{}" fill="none" stroke="#e5e7eb"/>)", rules);
  }

  void draw(const VerdictRow& row, std::size_t index) {
    const double y = kTop + kRowHeight * (static_cast<double>(index) + 0.5);
    const int style = verdict_style(row);
    const std::string name = escape_html(fitted(row.name));
    put(R"(<text class="ax" fill="#4b5563" x="8" y="{}">{}<title>{}</title></text>)", number(y + 4),
        name, escape_html(shortened(row.name, 1000)));
    put(R"(<g class="s{}"><text class="fi" fill="{}" x="{}" y="{}" font-size="11" )"
        R"(font-weight="600">{}</text>)",
        style, style_colour(style), number(kVerdictX), number(y + 4),
        escape_html(verdict_words(row)));
    const bool drawn = row.decision && row.decision->ratio.value > 0;
    if (drawn) draw_interval(row, y, style);
    out_ += "</g>";
    if (!drawn) {
      put(R"(<text class="ax" fill="#4b5563" font-style="italic" x="{}" y="{}">{}</text>)",
          number(kLeft + 6), number(y + 4),
          escape_html(
              shortened(row.reason.empty() ? "no time to compare" : row.reason, kReasonLength)));
      return;
    }
    const std::string figure = change_text(row.decision->ratio);
    // A longer one is set as narrow as the column.
    const std::string fit = code_points(figure).size() > kFigureLength
                                ? fmt::format(R"( textLength="{}" lengthAdjust="spacingAndGlyphs")",
                                              number(kWidth - kFigureX - 4))
                                : "";
    put(R"(<text class="ax" fill="#4b5563" font-size="12" x="{}" y="{}"{}>{}</text>)",
        number(kFigureX), number(y + 4), fit, escape_html(figure));
  }

  void draw_interval(const VerdictRow& row, double y, int style) {
    const Estimate& ratio = row.decision->ratio;
    std::string path;
    if (ratio.interval.coverage > 0) {
      const bool open_low = !(ratio.interval.low > 0) || std::log(ratio.interval.low) < low_;
      const bool open_high = !(ratio.interval.high > 0) || std::log(ratio.interval.high) > high_;
      const double from = open_low ? kLeft : x(ratio.interval.low);
      const double to = open_high ? kRight : x(ratio.interval.high);
      path = fmt::format("M{} {}H{}", number(from), number(y), number(to));
      path += open_low ? fmt::format("M{} {}l-5 5l5 5", number(from + 5), number(y - 5))
                       : fmt::format("M{} {}v8", number(from), number(y - 4));
      path += open_high ? fmt::format("M{} {}l5 5l-5 5", number(to - 5), number(y - 5))
                        : fmt::format("M{} {}v8", number(to), number(y - 4));
    }
    const char* colour = style_colour(style);
    if (!path.empty()) {
      put(R"(<path class="st" d="{}" fill="none" stroke="{}" stroke-width="1.8"/>)", path, colour);
    }
    const double at = x(ratio.value);
    // Shapes differ, too: up is slower, down is faster, a ring is undecided.
    std::string shape =
        fmt::format("M{} {}a4 4 0 1 0 8 0a4 4 0 1 0-8 0", number(at - 4), number(y));
    if (row.verdict == "REGRESSED") {
      shape = fmt::format("M{} {}l5.5 9.5h-11z", number(at), number(y - 6));
    } else if (row.verdict == "IMPROVED") {
      shape = fmt::format("M{} {}l5.5-9.5h-11z", number(at), number(y + 6));
    } else if (row.verdict == "CHANGED") {
      shape = fmt::format("M{} {}h8v8h-8z", number(at - 4), number(y - 4));
    }
    if (row.verdict == "INCONCLUSIVE") {
      put(R"(<path class="bg" d="{}" fill="#fff"/><path class="st" d="{}" fill="none" )"
          R"(stroke="{}" stroke-width="1.8"/>)",
          shape, shape, colour);
    } else {
      put(R"(<path class="fi" d="{}" fill="{}"/>)", shape, colour);
    }
  }

  const GateVerdict& verdict_;
  std::vector<const VerdictRow*> rows_;
  double bottom_ = 0;
  double low_ = 0, high_ = 0;  ///< logarithms, of the axis
  std::string out_;
};

}  // namespace

std::string margin_text(double margin) { return fmt::format("{:.4g} %", 100 * margin); }

int verdict_style(const VerdictRow& row) {
  if (!row.accepted.empty() && !row.gates) return 5;
  if (row.verdict == "REGRESSED" || row.verdict == "MISSING" || row.verdict == "ERROR") return 7;
  if (row.verdict == "CHANGED") return row.gates ? 7 : 5;
  if (row.verdict == "IMPROVED") return 3;
  if (row.verdict == "NEW") return 6;
  return row.verdict == "EQUIVALENT" ? 1 : 0;
}

std::string verdict_words(const VerdictRow& row) {
  return row.verdict + (row.accepted.empty() ? "" : ", accepted");
}

std::string forest_svg(const GateVerdict& verdict, const std::vector<const VerdictRow*>& rows,
                       const std::string& id, const std::string& title) {
  return Forest(verdict, rows).render(id, title);
}

}  // namespace breakeven
