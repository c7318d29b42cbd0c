// selftest.json: what a machine can see of a program.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/gate/decision.h"
#include "tools/gate/machine.h"

namespace breakeven::gate {

struct SelftestRow {
  std::string name;
  double noise = 0;  ///< of its log ratios, both arms the same program
  std::optional<double>
      detectable;        ///< smallest slowdown found in 8 of 10 runs; absent: above 50 %
  bool gateable = true;  ///< noise at most 20 %
  Verdict verdict = Verdict::inconclusive;
};

struct Selftest {
  Facts machine;
  std::string program;
  int rounds = 0;
  std::vector<SelftestRow> rows;
  double false_positive_rate = 0;  ///< of a row, by flipping signs of its rounds
  std::set<std::string> not_gateable;
};

/// On several lines, version 1.
std::string to_json(const Selftest& selftest);

/// Throws std::runtime_error with one line where the file is no selftest.json of this version.
Selftest read_selftest(const std::filesystem::path& path);

/// The same of text.
Selftest parse_selftest(std::string_view text, const std::string& file);

}  // namespace breakeven::gate
