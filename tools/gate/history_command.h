// breakeven gate history: where the rows of many commits changed.
#pragma once

#include <string>

namespace breakeven::gate {

struct HistoryOptions {
  std::string directory;
  std::string row;   ///< a regular expression; "" for all
  double least = 0;  ///< changes by less than this factor up or down (0.02 is 2 %) are left out
  bool json = false;
};

/// Prints the change points of every machine's history, newest first, of least size and more.
/// Returns 0; throws std::runtime_error with one line for bad input.
int history_command(const HistoryOptions& options);

}  // namespace breakeven::gate
