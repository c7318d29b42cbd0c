// The commands of `breakeven gate`: what each was asked, and the function that does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/gate/judgement.h"

namespace breakeven::gate {

/// How to judge; common to `run` and `judge`. "" and 0 where not given.
struct JudgeFlags {
  double delta = Margins{}.regression;
  double equivalence = Margins{}.equivalence;
  bool strict = false;
  bool counters_only = false;
  std::vector<std::string> exact;  ///< NAME or NAME=TOLERANCE, beside the default ones
  std::string accepted;            ///< files
  std::string selftest;
  std::string base_budgets, head_budgets;
  std::string today;
  std::string history;  ///< a directory
  std::string title = "gate";
};

struct RunOptions {
  JudgeFlags judge;
  std::string base, head;       ///< programs
  std::string base_ref, build;  ///< instead of `base`: a git revision, and how to build it
  std::string out = "gate";
  std::string filter;
  int rounds = 0;   ///< 0: as many as the number of rows needs
  int confirm = 0;  ///< 0: 24
  int repetitions = 3;
  double min_time_seconds = 0.05;
  double timeout_seconds = 600;  ///< of a process
  std::uint64_t seed = 1;
  std::vector<std::string> arguments;  ///< of both programs
  bool resume = false;
  std::string program = "breakeven";  ///< as it was called, for the command that goes on
};

struct JudgeCommandOptions {
  JudgeFlags judge;
  std::vector<std::string> base, head;  ///< results files; base may be one directory of baselines
  bool allow_mismatch = false;
  std::string out;    ///< "" for no files
  std::string store;  ///< a directory of baselines, to keep head's results in
};

struct SelftestOptions {
  std::string bin;
  std::string filter;
  std::string out = "selftest.json";
  int rounds = 20;
  int repetitions = 3;
  double min_time_seconds = 0.05;
  double timeout_seconds = 600;
  double delta = Margins{}.regression;
  std::uint64_t seed = 1;
  std::vector<std::string> arguments;
};

// Each returns an exit status (judgement.h) and throws std::runtime_error with one line where it
// can't begin or go on: exit 2.
int run_command(const RunOptions& options);
int judge_command(const JudgeCommandOptions& options);
int selftest_command(const SelftestOptions& options);

}  // namespace breakeven::gate
