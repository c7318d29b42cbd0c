#include "tools/breakeven/cli_gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "tools/breakeven/cli_checks.h"
#include "tools/gate/accepted.h"

namespace breakeven {
namespace {

constexpr std::array<std::string_view, 4> kCommands = {"run", "judge", "selftest", "history"};
constexpr std::uint64_t kMostSeed = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMostRounds = 1000;

void add_judge_flags(CLI::App& command, gate::JudgeFlags& flags) {
  command.add_option("--delta", flags.delta)->check(positive_number("--delta", 1));
  command.add_option("--equivalence", flags.equivalence)
      ->check(positive_number("--equivalence", 1));
  command.add_flag("--strict", flags.strict);
  command.add_option("--exact", flags.exact)->allow_extra_args(false)->take_all();
  command.add_option("--accepted", flags.accepted);
  command.add_option("--selftest", flags.selftest);
  command.add_option("--base-budgets", flags.base_budgets);
  command.add_option("--head-budgets", flags.head_budgets);
  command.add_option("--today", flags.today);
  command.add_option("--history", flags.history);
  command.add_option("--title", flags.title);
}

void add_run(CLI::App& app, GateArguments& arguments) {
  gate::RunOptions& run = arguments.run;
  CLI::App* command = app.add_subcommand("run");
  add_judge_flags(*command, run.judge);
  command->add_option("--base", run.base);
  command->add_option("--head", run.head);
  command->add_option("--base-ref", run.base_ref);
  command->add_option("--build", run.build);
  command->add_option("-o,--out", run.out);
  command->add_option("--filter", run.filter);
  command->add_option("--rounds", run.rounds)->check(whole_number("--rounds", 1, kMostRounds));
  command->add_option("--confirm", run.confirm)->check(whole_number("--confirm", 1, kMostRounds));
  command->add_option("--repetitions", run.repetitions)
      ->check(whole_number("--repetitions", 1, 100));
  command->add_option("--min-time", run.min_time_seconds)->check(positive_number("--min-time", 60));
  command->add_option("--timeout", arguments.run_timeout);
  command->add_option("--seed", run.seed)->check(whole_number("--seed", 0, kMostSeed));
  command->add_flag("--resume", run.resume);
  command->add_option("arguments", run.arguments);
}

void add_judge(CLI::App& app, GateArguments& arguments) {
  gate::JudgeCommandOptions& judge = arguments.judge;
  CLI::App* command = app.add_subcommand("judge");
  add_judge_flags(*command, judge.judge);
  command->add_option("base", judge.base)->take_all();
  command->add_option("--head", judge.head)->take_all();
  command->add_flag("--allow-mismatch", judge.allow_mismatch);
  command->add_flag("--counters-only", judge.judge.counters_only);
  command->add_option("-o,--out", judge.out);
  command->add_option("--store", judge.store);
}

void add_selftest(CLI::App& app, GateArguments& arguments) {
  gate::SelftestOptions& selftest = arguments.selftest;
  CLI::App* command = app.add_subcommand("selftest");
  command->add_option("--bin", selftest.bin);
  command->add_option("--filter", selftest.filter);
  command->add_option("--rounds", selftest.rounds)->check(whole_number("--rounds", 6, kMostRounds));
  command->add_option("--repetitions", selftest.repetitions)
      ->check(whole_number("--repetitions", 1, 100));
  command->add_option("--min-time", selftest.min_time_seconds)
      ->check(positive_number("--min-time", 60));
  command->add_option("--timeout", arguments.selftest_timeout);
  command->add_option("--delta", selftest.delta)->check(positive_number("--delta", 1));
  command->add_option("--seed", selftest.seed)->check(whole_number("--seed", 0, kMostSeed));
  command->add_option("-o,--out", selftest.out);
  command->add_option("arguments", selftest.arguments);
}

void add_history(CLI::App& app, GateArguments& arguments) {
  CLI::App* command = app.add_subcommand("history");
  command->add_option("directory", arguments.history.directory);
  command->add_option("--row", arguments.history.row);
  command->add_option("--least", arguments.history.least)->check(positive_number("--least", 1));
  command->add_flag("--json", arguments.history.json);
}

void require(bool condition, const char* line) {
  if (!condition) throw std::runtime_error(line);
}

void finish_judge_flags(const gate::JudgeFlags& flags) {
  require(flags.base_budgets.empty() == flags.head_budgets.empty(),
          "--base-budgets and --head-budgets: give both");
  if (!flags.today.empty() && !gate::valid_date(flags.today)) {
    throw std::runtime_error(fmt::format("--today {}: give a date as 2027-01-31", flags.today));
  }
}

int dispatch_run(GateArguments& arguments, const std::string& program) {
  gate::RunOptions& run = arguments.run;
  run.program = program;
  finish_judge_flags(run.judge);
  if (!arguments.run_timeout.empty()) {
    run.timeout_seconds = duration_of("--timeout", arguments.run_timeout);
  }
  if (!run.resume || !run.head.empty()) {
    require(!run.head.empty(), "--head: give the program to judge");
    require(run.base.empty() != run.base_ref.empty(),
            "--base: give the program to compare with, or --base-ref and --build to build it");
    require(run.base_ref.empty() == run.build.empty(),
            "--base-ref and --build: give both, the revision and the command that builds it");
  }
  return gate::run_command(run);
}

int dispatch_judge(GateArguments& arguments) {
  gate::JudgeCommandOptions& judge = arguments.judge;
  finish_judge_flags(judge.judge);
  const bool budgets_alone = judge.head.empty() && !judge.judge.head_budgets.empty();
  require(!judge.head.empty() || budgets_alone, "--head: give the results to judge");
  require(!judge.base.empty() || !judge.store.empty() || budgets_alone,
          "give the results to compare with first: breakeven gate judge BASE... --head HEAD...");
  return gate::judge_command(judge);
}

int dispatch_selftest(GateArguments& arguments) {
  gate::SelftestOptions& selftest = arguments.selftest;
  require(!selftest.bin.empty(), "--bin: give a Google Benchmark program");
  if (!arguments.selftest_timeout.empty()) {
    selftest.timeout_seconds = duration_of("--timeout", arguments.selftest_timeout);
  }
  return gate::selftest_command(selftest);
}

}  // namespace

void add_gate(CLI::App& app, GateArguments& arguments) {
  CLI::App* command = app.add_subcommand("gate");
  add_run(*command, arguments);
  add_judge(*command, arguments);
  add_selftest(*command, arguments);
  add_history(*command, arguments);
}

int dispatch_gate(const CLI::App& gate, GateArguments& arguments, const std::string& program) {
  const CLI::App& command = *gate.get_subcommands().front();
  refuse_empty_values(command);
  const std::string name = command.get_name();
  if (name == "run") return dispatch_run(arguments, program);
  if (name == "judge") return dispatch_judge(arguments);
  if (name == "selftest") return dispatch_selftest(arguments);
  require(!arguments.history.directory.empty(), "give the directory of a history");
  return gate::history_command(arguments.history);
}

std::string gate_command_name(int count, char** arguments) {
  const std::string all = fmt::format("{}", fmt::join(kCommands, ", "));
  if (count < 3) throw std::runtime_error("gate: no command given: one of " + all);
  std::string given = arguments[2];
  if (given == "--help" || given == "-h") return "";
  if (std::find(kCommands.begin(), kCommands.end(), given) == kCommands.end()) {
    throw std::runtime_error(fmt::format("gate {}: no such command; there are {}", given, all));
  }
  return given;
}

}  // namespace breakeven
