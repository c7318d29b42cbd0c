// Error measures that no NaN, infinity or all-zero answer slips through.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "reference/workload.h"

namespace breakeven {

/// |got - expected| / scale; infinite where `got` is not finite, or where `scale` is 0 and the two
/// differ. Throws std::domain_error where `expected` or `scale` is not finite or `scale` < 0: the
/// reference itself is then wrong.
double scaled_error(double got, double expected, double scale);

/// Keeps the worst of many scaled errors and where it was, and whether there was anything to
/// compare with: an expected answer that is all zeros would pass anything that computes nothing.
class ErrorMeasure {
 public:
  void add(std::int64_t index, double got, double expected, double scale);
  void merge(const ErrorMeasure& other);

  double error() const { return error_; }
  std::int64_t index() const { return index_; }  ///< of the worst element; -1 if none was added

  /// The verdict. Where it fails, `where(index)` says in `method` which element was worst. The
  /// error is infinite where nothing was added or every expected value was 0.
  Check verdict(double limit, const std::string& method,
                const std::function<std::string(std::int64_t)>& where) const;

 private:
  double error_ = 0;
  std::int64_t index_ = -1;
  double got_ = 0;
  double expected_ = 0;
  bool some_nonzero_ = false;
};

}  // namespace breakeven
