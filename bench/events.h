// The event stream: what happened, one JSON object a line, flushed as it happens, so that whoever
// reads along keeps every finished row when this process dies.
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "bench/json.h"
#include "reference/workload.h"

namespace breakeven {

/// Why a case has no time: what went wrong and, where an answer was judged, the verdict.
struct Failure {
  std::string reason;
  std::optional<Check> check;
};

class Events {
 public:
  /// A stream that goes nowhere.
  Events() = default;

  /// Appends to the file, pipe or /dev/fd/N at `path`. Throws UsageError where it can't be opened.
  explicit Events(const std::string& path);

  // Each writes one line and throws std::runtime_error where that fails (a full disk).
  void context(const Json& context);
  void start(const std::string& name);
  void rows(const std::string& name, const std::vector<Json>& rows);
  void verified(const std::string& name, const Check& check);
  void skip(const std::string& name, const std::string& reason);
  void error(const std::string& name, const Failure& failure);
  void end();

 private:
  void write(const Json& event);

  std::string path_;
  std::ofstream file_;
};

/// Adds `error` and `tolerance` to an object, as far as JSON can say them.
void add_check(Json& object, const Check& check);

}  // namespace breakeven
