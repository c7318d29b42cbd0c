// breakeven gate history: where the rows of many commits changed.
#pragma once

#include <string>

namespace breakeven::gate {

struct HistoryOptions {
  std::string directory;
  std::string row;  ///< a regular expression; "" for all
  bool json = false;
};

/// Prints the change points of every machine's history, newest first. Returns 0; throws
/// std::runtime_error with one line for bad input.
int history_command(const HistoryOptions& options);

}  // namespace breakeven::gate
