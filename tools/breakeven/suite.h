// Suites: named sets of rows with the rounds that they are measured in. Data, in bench/suites.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

struct Suite {
  std::string name;
  int rounds = 0;                 ///< at least so many fresh processes per case
  int max_rounds = 0;             ///< and at most so many
  int repetitions = 0;            ///< per process
  double min_batch_seconds = 0;   ///< of a calibrated batch of calls
  double half_width = 0;          ///< a case is done when half its interval over its median is less
  double case_timeout = 0;        ///< seconds of a case's start, check and batches; 120 unless told
  std::vector<std::string> rows;  ///< regular expressions on case names; any of them selects
};

/// Reads the JSON text of a suite. Throws std::runtime_error with one line naming `name` and what
/// is wrong: not JSON, an unknown or missing key, a value out of range.
Suite parse_suite(const std::string& name, std::string_view text);

/// One of the suites that were built in. Throws std::runtime_error naming those that there are.
Suite find_suite(const std::string& name);

}  // namespace breakeven
