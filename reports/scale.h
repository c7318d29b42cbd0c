// From data to pixels: linear and logarithmic scales and their ticks.
#pragma once

#include <string>
#include <vector>

#include "reports/svg.h"

namespace breakeven {

struct Tick {
  double value = 0;
  std::string label;  ///< empty for a minor tick
};

/// Maps [low, high] of an axis to pixels [from, to]; from may be the larger (y grows upwards).
class AxisScale {
 public:
  /// Widens the range so that it is not empty and data stay off the frame. A logarithmic axis
  /// requires positive bounds.
  AxisScale(const Axis& axis, double low, double high, double from, double to);

  double pixel(double value) const;
  bool shows(double value) const;  ///< inside the range
  std::vector<Tick> ticks() const;
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  std::vector<Tick> linear_ticks() const;
  std::vector<Tick> power_of_two_ticks() const;
  std::vector<Tick> decade_ticks() const;
  bool is_log() const { return axis_.logarithmic; }

  Axis axis_;
  double low_;
  double high_;
  double from_;
  double to_;
};

/// A tick's number: 0.001, 0.5, 20, 4096, 10k, 2.5M, 1G.
std::string tick_label(double value, bool powers_of_two);

}  // namespace breakeven
