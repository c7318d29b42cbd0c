// `breakeven gate …`: options into structs.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tools/gate/commands.h"
#include "tools/gate/history_command.h"

namespace breakeven {

struct GateArguments {
  gate::RunOptions run;
  gate::JudgeCommandOptions judge;
  gate::SelftestOptions selftest;
  gate::HistoryOptions history;
  std::string run_timeout, selftest_timeout;
};

/// Adds `gate` with its commands to `app`.
void add_gate(CLI::App& app, GateArguments& arguments);

/// Does what was parsed. Throws std::runtime_error with one line for what CLI11 can't check.
int dispatch_gate(const CLI::App& gate, GateArguments& arguments, const std::string& program);

/// The name of the command behind `gate` on the command line. Throws std::runtime_error where there
/// is none of that name.
std::string gate_command_name(int count, char** arguments);

}  // namespace breakeven
