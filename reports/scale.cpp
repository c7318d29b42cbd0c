#include "reports/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace breakeven {
namespace {

constexpr int kMostTicks = 10;

double nice_step(double span, int most) {
  const double rough = span / most;
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (decade * factor >= rough) return decade * factor;
  }
  return decade * 10;
}

}  // namespace

std::string tick_label(double value, bool powers_of_two) {
  struct Suffix {
    double factor;
    const char* text;
  };
  if (powers_of_two && value < 65536) return fmt::format("{:.6g}", value);
  for (const Suffix suffix : {Suffix{1e12, "T"}, Suffix{1e9, "G"}, Suffix{1e6, "M"}}) {
    if (value >= suffix.factor) return fmt::format("{:.3g}{}", value / suffix.factor, suffix.text);
  }
  if (value >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

AxisScale::AxisScale(const Axis& axis, double low, double high, double from, double to)
    : axis_(axis), low_(low), high_(high), from_(from), to_(to) {
  if (is_log()) {
    const double margin = std::max(std::log(high_ / low_) * 0.06, std::log(1.15));
    low_ *= std::exp(-margin);
    high_ *= std::exp(margin);
  } else {
    const double margin = std::max((high_ - low_) * 0.06, std::abs(high_) * 1e-3);
    high_ += margin > 0 ? margin : 1;
    if (low_ != 0) low_ -= margin;
  }
}

double AxisScale::pixel(double value) const {
  const double share =
      is_log() ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return from_ + share * (to_ - from_);
}

bool AxisScale::shows(double value) const { return value >= low_ && value <= high_; }

std::vector<Tick> AxisScale::ticks() const {
  if (!is_log()) return linear_ticks();
  return axis_.powers_of_two ? power_of_two_ticks() : decade_ticks();
}

std::vector<Tick> AxisScale::linear_ticks() const {
  const double step = nice_step(high_ - low_, 6);
  std::vector<Tick> ticks;
  for (double i = std::ceil(low_ / step); i * step <= high_; ++i) {
    ticks.push_back({i * step, tick_label(i * step, false)});
  }
  return ticks;
}

std::vector<Tick> AxisScale::power_of_two_ticks() const {
  const double first = std::ceil(std::log2(low_));
  const double last = std::floor(std::log2(high_));
  const double stride = std::max(1.0, std::ceil((last - first + 1) / kMostTicks));
  std::vector<Tick> ticks;
  for (double power = first; power <= last; power += stride) {
    ticks.push_back({std::exp2(power), tick_label(std::exp2(power), true)});
  }
  return ticks;
}

// 1, 2 and 5 of each decade are labelled where few decades are shown, else whole decades; the
// other digits get short ticks.
std::vector<Tick> AxisScale::decade_ticks() const {
  const double decades = std::log10(high_ / low_);
  const double stride = std::max(1.0, std::ceil(decades / kMostTicks));
  std::vector<Tick> ticks;
  for (double power = std::floor(std::log10(low_)); power <= std::log10(high_); power += stride) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double value = digit * std::pow(10, power);
      if (!shows(value) || (stride > 1 && digit > 1)) continue;
      const bool labelled = digit == 1 || (decades < 3 && (digit == 2 || digit == 5)) ||
                            (decades < 0.7 && digit % 2 == 0);
      if (labelled || decades < 6) {
        ticks.push_back({value, labelled ? tick_label(value, false) : ""});
      }
    }
  }
  // Less than a decade may lie between two digits: then the ends must do.
  const auto labels = std::count_if(ticks.begin(), ticks.end(),
                                    [](const Tick& tick) { return !tick.label.empty(); });
  if (labels < 2) {
    ticks.clear();
    const double step = nice_step(high_ - low_, 5);
    for (double i = std::ceil(low_ / step); i * step <= high_; ++i) {
      ticks.push_back({i * step, tick_label(i * step, false)});
    }
  }
  return ticks;
}

}  // namespace breakeven
