// Static charts: SVG text with a title and a description, readable with scripts and styles off.
// Colours are presentation attributes; the classes beside them let a page's style sheet recolour
// a chart for dark backgrounds.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace breakeven {

struct Point {
  double x = 0;
  double y = 0;
  std::optional<double> low;  ///< whisker, where longer than a marker is high
  std::optional<double> high;
  std::string tip;  ///< what a pointer or a screen reader is told
};

/// One colour and marker. Points are drawn in the order given.
struct Series {
  std::string label;  ///< none where empty
  int style = 0;      ///< index into the palette; the same for one implementation everywhere
  bool line = true;   ///< joins the points
  bool markers = true;
  bool dashed = false;
  bool band = false;  ///< shades low … high instead of whiskers
  std::vector<Point> points;
};

/// A measured limit or a reference level: a thin labelled line over the whole width.
struct Level {
  std::string label;
  double y = 0;
};

/// A shaded range of x, with a label at its top.
struct Span {
  std::string label;
  double from = 0;
  double to = 0;
};

/// From one place to another, as a row that moved.
struct Arrow {
  Point from;
  Point to;  ///< its tip is told
  int style = 0;
};

struct Axis {
  std::string title;  ///< with its unit
  bool logarithmic = true;
  bool powers_of_two = false;  ///< ticks of a logarithmic axis
};

struct Plot {
  std::string id;  ///< prefix of the ids inside; letters, digits and - only
  std::string title;
  std::string description;  ///< what is to be seen, in a sentence
  Axis x;
  Axis y;
  std::vector<Series> series;
  std::vector<Level> levels;
  std::vector<Span> spans;
  std::vector<Arrow> arrows;
  bool x_from_zero = false;  ///< linear axes start at 0
};

/// Number of distinct styles; larger indices repeat.
inline constexpr int kStyles = 8;

/// The drawing, to be embedded in a page. Points that a logarithmic axis can't show (not positive)
/// are left out. Requires a point in some series.
std::string render_svg(const Plot& plot);

/// The same as a file of its own, with the style sheet for dark backgrounds inside.
std::string standalone_svg(const std::string& svg);

/// The colour of a style on white.
const char* style_colour(int style);

/// A marker in the colour of a style, for legends in text: an inline SVG of 12 x 12.
std::string marker_svg(int style);

}  // namespace breakeven
