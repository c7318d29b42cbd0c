#include "reports/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "reports/scale.h"
#include "reports/text.h"

namespace breakeven {
namespace {

// Pixels of the drawing. The right margin holds the labels of the series.
constexpr double kWidth = 720;
constexpr double kHeight = 400;
constexpr double kLeft = 62;
constexpr double kRight = kWidth - 172;
constexpr double kTop = 16;
constexpr double kBottom = kHeight - 52;
constexpr double kLabelSpacing = 17;
constexpr double kMarkerHeight = 4;
constexpr std::size_t kLabelLength = 20;
constexpr std::size_t kMostLabels = 19;  // above one another

// Told apart by people with any colour vision, with 4.5:1 contrast on white; markers differ too.
constexpr std::array<const char*, kStyles> kColours = {"#6b7280", "#0072b2", "#c2500a", "#00795a",
                                                       "#a83279", "#7a5c00", "#5b4fc4", "#b3261e"};

constexpr const char* kDarkStyle =
    "<style>@media "
    "(prefers-color-scheme:dark){.bg{fill:#16181d}.ax{fill:#b6bcc8}.gr{stroke:#2c313a}"
    ".fr{stroke:#4a515e}.lv{stroke:#9aa3b2}.lt{fill:#9aa3b2}"
    ".s0{--c:#9ca3af}.s1{--c:#5ab4f0}.s2{--c:#f28b45}.s3{--c:#35c89b}.s4{--c:#f08cc4}"
    ".s5{--c:#e0bd45}.s6{--c:#a79bff}.s7{--c:#ff8a80}"
    ".st{stroke:var(--c)}.fi{fill:var(--c)}}</style>";

std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.size() > 2 && text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
  return text;
}

// The outline of a marker around a point; eight shapes, one per style.
std::string marker_path(int style, double x, double y) {
  const auto p = [&](double dx, double dy) { return number(x + dx) + " " + number(y + dy); };
  switch (style % kStyles) {
    case 0:
      return fmt::format("M{}L{}M{}L{}", p(-3, -3), p(3, 3), p(-3, 3), p(3, -3));
    case 2:
      return fmt::format("M{}h6v6h-6z", p(-3, -3));
    case 3:
      return fmt::format("M{}l4 7h-8z", p(0, -4));
    case 4:
      return fmt::format("M{}l4 4l-4 4l-4-4z", p(0, -4));
    case 5:
      return fmt::format("M{}l4-7h-8z", p(0, 4));
    case 6:
      return fmt::format("M{}L{}M{}L{}", p(-4, 0), p(4, 0), p(0, -4), p(0, 4));
    case 7:
      return fmt::format("M{}h8v3h-8z", p(-4, -1.5));
    default:
      return fmt::format("M{}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", p(-3.5, 0));
  }
}

// Crosses have no inside to fill.
bool open_marker(int style) { return style % kStyles == 0 || style % kStyles == 6; }

// How markers of a style are drawn; stated once for a group of them.
std::string marker_paint(int style) {
  const char* colour = kColours[static_cast<std::size_t>(style % kStyles)];
  if (open_marker(style)) {
    return fmt::format(R"(class="st" fill="none" stroke="{}" stroke-width="1.8")", colour);
  }
  return fmt::format(R"(class="fi" fill="{}")", colour);
}

std::string marker(int style, double x, double y) {
  return fmt::format(R"(<path {} d="{}"/>)", marker_paint(style), marker_path(style, x, y));
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value, bool logarithmic) {
    if (!std::isfinite(value) || (logarithmic && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

bool drawable(const Plot& plot, const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && (!plot.x.logarithmic || point.x > 0) &&
         (!plot.y.logarithmic || point.y > 0);
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot)
      : plot_(plot),
        x_(scale(plot.x, range(true), kLeft, kRight)),
        y_(scale(plot.y, range(false), kBottom, kTop)) {}

  std::string render() {
    begin();
    grid();
    for (const Span& span : plot_.spans) draw_span(span);
    for (const Level& level : plot_.levels) draw_level(level);
    for (const Series& series : plot_.series) draw_series(series);
    for (const Arrow& arrow : plot_.arrows) draw_arrow(arrow);
    labels();
    out_ += "</svg>";
    return std::move(out_);
  }

 private:
  struct Label {
    double value;   // what it points to
    double y;       // where that is
    double placed;  // where it is written
    int style;      // -1: a level
    std::string text;
  };

  template <typename... Arguments>
  void put(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Arguments>(arguments)...);
  }

  bool logarithmic() const { return plot_.x.logarithmic || plot_.y.logarithmic; }

  // The values themselves, so that a script can redraw the marks along linear axes.
  template <typename... Values>
  std::string data(const char* name, Values... values) const {
    if (!logarithmic()) return "";
    std::string text;
    ((text += (text.empty() ? "" : ",") + fmt::format("{:.4g}", values)), ...);
    return fmt::format(R"( data-{}="{}")", name, text);
  }

  std::string data(const std::vector<Point>& points) const {
    if (!logarithmic()) return "";
    std::string text;
    for (const Point& point : points) {
      text += fmt::format("{}{:.4g},{:.4g}", text.empty() ? "" : ";", point.x, point.y);
      if (point.low && point.high) text += fmt::format(",{:.4g},{:.4g}", *point.low, *point.high);
    }
    return fmt::format(R"( data-p="{}")", text);
  }

  Range range(bool of_x) const {
    Range range;
    const Axis& axis = of_x ? plot_.x : plot_.y;
    for (const Series& series : plot_.series) {
      for (const Point& point : series.points) {
        if (!drawable(plot_, point)) continue;
        range.add(of_x ? point.x : point.y, axis.logarithmic);
        if (of_x) continue;
        range.add(point.low.value_or(point.y), axis.logarithmic);
        range.add(point.high.value_or(point.y), axis.logarithmic);
      }
    }
    if (of_x) {
      for (const Span& span : plot_.spans) {
        range.add(span.from, axis.logarithmic);
        range.add(span.to, axis.logarithmic);
      }
    } else {
      for (const Level& level : plot_.levels) range.add(level.y, axis.logarithmic);
    }
    for (const Arrow& arrow : plot_.arrows) {
      for (const Point* end : {&arrow.from, &arrow.to}) {
        range.add(of_x ? end->x : end->y, axis.logarithmic);
      }
    }
    if (!axis.logarithmic && (!of_x || plot_.x_from_zero)) range.add(0, false);
    return range;
  }

  static AxisScale scale(const Axis& axis, const Range& range, double from, double to) {
    return {axis, range.low, range.high, from, to};
  }

  void begin() {
    put(R"(<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {0} {1}" )"
        R"(width="{0}" height="{1}" role="img" aria-labelledby="{2}-t {2}-d" )"
        R"(font-family="system-ui,sans-serif" font-size="13"{3}>)",
        number(kWidth), number(kHeight), plot_.id,
        logarithmic() ? fmt::format(R"( data-log="{}{}")", plot_.x.logarithmic ? "x" : "",
                                    plot_.y.logarithmic ? "y" : "")
                      : "");
    put(R"(<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>)", plot_.id,
        escape_html(plot_.title), escape_html(plot_.description));
    put(R"(<rect class="bg" width="{}" height="{}" fill="#fff"/>)", number(kWidth),
        number(kHeight));
  }

  void grid() {
    std::string lines;
    std::string texts;
    const auto add_text = [&](double x, double y, const std::string& label) {
      if (label.empty()) return;
      texts += fmt::format(R"(<text x="{}" y="{}">{}</text>)", number(x), number(y), label);
    };
    for (const Tick& tick : x_.ticks()) {
      const std::string x = number(x_.pixel(tick.value));
      const double length = tick.label.empty() ? 3 : kTop - kBottom;
      lines += fmt::format("M{} {}v{}", x, number(kBottom), number(length));
      add_text(x_.pixel(tick.value), kBottom + 17, tick.label);
    }
    put(R"(<g class="ax" fill="#4b5563" text-anchor="middle">{})", texts);
    put(R"(<text x="{}" y="{}">{}</text></g>)", number((kLeft + kRight) / 2), number(kHeight - 12),
        escape_html(plot_.x.title));
    texts.clear();
    for (const Tick& tick : y_.ticks()) {
      const std::string y = number(y_.pixel(tick.value));
      const double length = tick.label.empty() ? -3 : kRight - kLeft;
      lines += fmt::format("M{} {}h{}", number(kLeft), y, number(length));
      add_text(kLeft - 7, y_.pixel(tick.value) + 4, tick.label);
    }
    put(R"(<g class="ax" fill="#4b5563" text-anchor="end">{})", texts);
    put(R"svg(<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text></g>)svg",
        number((kTop + kBottom) / 2), escape_html(plot_.y.title));
    put(R"(<path class="gr" d="{}" fill="none" stroke="#e5e7eb"/>)", lines);
    put(R"(<path class="fr" d="M{0} {1}V{2}H{3}" fill="none" stroke="#9ca3af"/>)", number(kLeft),
        number(kTop), number(kBottom), number(kRight));
  }

  void draw_span(const Span& span) {
    const double from = x_.pixel(std::clamp(span.from, x_.low(), x_.high()));
    const double to = std::max(from + 2, x_.pixel(std::clamp(span.to, x_.low(), x_.high())));
    put(R"(<rect class="lt" x="{}" y="{}" width="{}" height="{}" fill="#4b5563" )"
        R"(fill-opacity=".12"{}/>)",
        number(from), number(kTop), number(to - from), number(kBottom - kTop),
        data("x", span.from, span.to));
    const bool left_half = from < (kLeft + kRight) / 2;
    put(R"(<text class="lt" fill="#4b5563" x="{}" y="{}" text-anchor="{}">{}</text>)",
        number(left_half ? to + 5 : from - 5), number(kBottom - 8), left_half ? "start" : "end",
        escape_html(span.label));
  }

  void draw_level(const Level& level) {
    if (!y_.shows(level.y)) return;
    const double y = y_.pixel(level.y);
    put(R"(<path class="lv" d="M{} {}H{}" fill="none" stroke="#4b5563" stroke-dasharray="6 4"{}/>)",
        number(kLeft), number(y), number(kRight), data("y", level.y));
    labels_.push_back({level.y, y, y, -1, level.label});
  }

  void draw_series(const Series& series) {
    const char* colour = kColours[static_cast<std::size_t>(series.style % kStyles)];
    std::vector<Point> points;
    std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points),
                 [&](const Point& point) { return drawable(plot_, point); });
    if (points.empty()) return;
    put(R"(<g class="s{}"{}>)", series.style % kStyles, data(points));
    if (series.band) draw_band(points, colour);
    if (series.line && points.size() > 1) {
      std::string path;
      for (const Point& point : points) {
        path += fmt::format("{}{} {}", path.empty() ? "M" : "L", number(x_.pixel(point.x)),
                            number(y_.pixel(point.y)));
      }
      put(R"(<path class="st ln" d="{}" fill="none" stroke="{}" stroke-width="1.8"{}/>)", path,
          colour, series.dashed ? R"( stroke-dasharray="5 3")" : "");
    }
    if (!series.band) draw_whiskers(points, colour);
    if (series.markers) {
      put("<g {}>", marker_paint(series.style));
      for (const Point& point : points) {
        put(R"(<path d="{}"><title>{}</title></path>)",
            marker_path(series.style, x_.pixel(point.x), y_.pixel(point.y)),
            escape_html(point.tip));
      }
      put("</g>");
    }
    put("</g>");
    if (series.label.empty()) return;
    const double end = y_.pixel(points.back().y);
    labels_.push_back(
        {points.back().y, end, end, series.markers ? series.style % kStyles : -1, series.label});
  }

  void draw_arrow(const Arrow& arrow) {
    if (!drawable(plot_, arrow.from) || !drawable(plot_, arrow.to)) return;
    const double x = x_.pixel(arrow.to.x), y = y_.pixel(arrow.to.y);
    const double dx = x - x_.pixel(arrow.from.x), dy = y - y_.pixel(arrow.from.y);
    const double length = std::hypot(dx, dy);
    if (length < 1) return;
    // Both sides of the head, 6 pixels long.
    const double ux = 6 * dx / length, uy = 6 * dy / length;
    put(R"(<path class="st s{}" d="M{} {}L{} {}M{} {}L{} {}L{} {}" fill="none" stroke="{}" )"
        R"(stroke-width="1.6"><title>{}</title></path>)",
        arrow.style % kStyles, number(x - dx), number(y - dy), number(x), number(y),
        number(x - ux - uy / 1.5), number(y - uy + ux / 1.5), number(x), number(y),
        number(x - ux + uy / 1.5), number(y - uy - ux / 1.5), style_colour(arrow.style),
        escape_html(arrow.to.tip));
  }

  void draw_band(const std::vector<Point>& points, const char* colour) {
    std::string path;
    const auto add = [&](const Point& point, double y) {
      path += fmt::format("{}{} {}", path.empty() ? "M" : "L", number(x_.pixel(point.x)),
                          number(y_.pixel(y)));
    };
    for (const Point& point : points) add(point, point.high.value_or(point.y));
    for (auto point = points.rbegin(); point != points.rend(); ++point) {
      add(*point, point->low.value_or(point->y));
    }
    put(R"(<path class="fi bd" d="{}z" fill="{}" fill-opacity=".18"/>)", path, colour);
  }

  // One path for all whiskers of a series: they need no tips of their own.
  void draw_whiskers(const std::vector<Point>& points, const char* colour) {
    std::string path;
    for (const Point& point : points) {
      if (!point.low || !point.high || (plot_.y.logarithmic && *point.low <= 0)) continue;
      const double x = x_.pixel(point.x);
      const double low = y_.pixel(*point.low);
      const double high = y_.pixel(*point.high);
      if (low - high < kMarkerHeight) continue;  // the marker would cover it
      path += fmt::format("M{} {}h6m-3 0V{}m-3 0h6", number(x - 3), number(low), number(high));
    }
    if (!path.empty()) put(R"(<path class="st wh" d="{}" fill="none" stroke="{}"/>)", path, colour);
  }

  // Labels stand to the right of the plot at the height of what they name, moved apart where they
  // would overlap, each with a line to its place.
  void labels() {
    std::stable_sort(labels_.begin(), labels_.end(),
                     [](const Label& a, const Label& b) { return a.y < b.y; });
    std::size_t more = 0;  // labels for which there is no room
    while (labels_.size() > kMostLabels) {
      labels_.erase(labels_.begin() + kMostLabels / 2);
      ++more;
    }
    double next = kTop + 4;
    for (Label& label : labels_) {
      label.placed = std::max(label.placed, next);
      next = label.placed + kLabelSpacing;
    }
    double limit = kBottom;
    for (auto label = labels_.rbegin(); label != labels_.rend(); ++label) {
      label->placed = std::min(label->placed, limit);
      limit = label->placed - kLabelSpacing;
    }
    for (const Label& label : labels_) {
      const bool level = label.style < 0;
      put(R"(<g class="la"{}><path class="fr" d="M{} {}L{} {}" fill="none" stroke="#9ca3af" stroke-width=".7"/>)",
          data("y", label.value), number(kRight + 2), number(label.y), number(kRight + 14),
          number(label.placed));
      if (!level) {
        put(R"(<g class="s{}">{}</g>)", label.style,
            marker(label.style, kRight + 22, label.placed));
      }
      put(R"(<text class="{}" fill="#4b5563" font-size="12" x="{}" y="{}"{}>{}<title>{}</title></text></g>)",
          level ? "lt" : "ax", number(kRight + (level ? 17 : 30)), number(label.placed + 4),
          level ? R"( font-style="italic")" : "", escape_html(shortened(label.text, kLabelLength)),
          escape_html(label.text));
    }
    if (more > 0) {
      put(R"(<text class="ax" fill="#4b5563" font-size="12" x="{}" y="{}">and {} more</text>)",
          number(kRight + 17), number(kBottom + 22), more);
    }
  }

  const Plot& plot_;
  AxisScale x_;
  AxisScale y_;
  std::vector<Label> labels_;
  std::string out_;
};

}  // namespace

std::string render_svg(const Plot& plot) { return Drawing(plot).render(); }

std::string standalone_svg(const std::string& svg) {
  std::string file = svg;
  file.insert(file.find('>') + 1, kDarkStyle);
  return file + "\n";
}

const char* style_colour(int style) { return kColours[static_cast<std::size_t>(style % kStyles)]; }

std::string marker_svg(int style) {
  return fmt::format(R"(<svg class="s{}" width="12" height="12" aria-hidden="true">{}</svg>)",
                     style % kStyles, marker(style, 6, 6));
}

}  // namespace breakeven
