#include "reference/compare.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace breakeven {
namespace {
constexpr double kInfinite = std::numeric_limits<double>::infinity();
}

double scaled_error(double got, double expected, double scale) {
  if (!std::isfinite(expected) || !std::isfinite(scale) || scale < 0) {
    throw std::domain_error(
        fmt::format("the expected answer {} with scale {} is no answer", expected, scale));
  }
  if (!std::isfinite(got)) return kInfinite;
  const double difference = std::fabs(got - expected);
  if (difference == 0) return 0;
  return scale == 0 ? kInfinite : difference / scale;
}

void ErrorMeasure::add(std::int64_t index, double got, double expected, double scale) {
  const double error = scaled_error(got, expected, scale);
  some_nonzero_ = some_nonzero_ || expected != 0;
  if (index_ >= 0 && error <= error_) return;
  error_ = error;
  index_ = index;
  got_ = got;
  expected_ = expected;
}

void ErrorMeasure::merge(const ErrorMeasure& other) {
  const bool some_nonzero = some_nonzero_ || other.some_nonzero_;
  // Among equals the first element counts, so that the verdict is the same for any thread count.
  const bool worse = other.error_ > error_ || (other.error_ == error_ && other.index_ < index_);
  if (other.index_ >= 0 && (index_ < 0 || worse)) *this = other;
  some_nonzero_ = some_nonzero;
}

Check ErrorMeasure::verdict(double limit, const std::string& method,
                            const std::function<std::string(std::int64_t)>& where) const {
  if (index_ < 0) return {kInfinite, limit, method + ": nothing was compared"};
  if (!some_nonzero_) return {kInfinite, limit, method + ": the expected answer is all zeros"};
  if (error_ <= limit) return {error_, limit, method};
  return {error_, limit,
          fmt::format("{}: {} is {:.9g}, expected {:.9g}", method, where(index_), got_, expected_)};
}

}  // namespace breakeven
