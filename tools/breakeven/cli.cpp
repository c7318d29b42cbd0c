// The command line: options into structs, mistakes into one line and exit code 2.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "tools/breakeven/build_info.h"
#include "tools/breakeven/cli_checks.h"
#include "tools/breakeven/cli_gate.h"
#include "tools/breakeven/commands.h"
#include "tools/breakeven/help.h"
#include "tools/breakeven/interrupt.h"
#include "tools/breakeven/worker.h"

namespace breakeven {
namespace {

/// All options of all commands, and which command was given.
struct Arguments {
  RunOptions run;
  VerifyOptions verify;
  ListOptions list;
  DoctorOptions doctor;
  PeakOptions peak;
  ReportOptions report;
  RecordOptions record;
  std::string budget, run_timeout, verify_timeout;
  GateArguments gate;
};

// More than any machine has, and as many rounds as the exact intervals are computed for.
constexpr std::uint64_t kMostThreads = 1'000'000;
constexpr std::uint64_t kMostRounds = 1000;

void add_run(CLI::App& app, Arguments& arguments) {
  RunOptions& run = arguments.run;
  CLI::App* command = app.add_subcommand("run");
  command->add_option("--suite", run.suite);
  command->add_option("--filter", run.filter);
  command->add_option("--shapes", run.shapes)->allow_extra_args(false)->take_all();
  command->add_option("--threads", run.threads)->check(whole_number("--threads", 1, kMostThreads));
  command->add_option("--rounds", run.rounds)->check(whole_number("--rounds", 1, kMostRounds));
  command->add_option("--budget", arguments.budget);
  command->add_option("--seed", run.seed)
      ->check(whole_number("--seed", 0, std::numeric_limits<std::uint64_t>::max()));
  command->add_option("--case-timeout", arguments.run_timeout);
  command->add_option("--out", run.out);
  command->add_flag("--resume", run.resume);
}

void add_others(CLI::App& app, Arguments& arguments) {
  CLI::App* verify = app.add_subcommand("verify");
  verify->add_option("--filter", arguments.verify.filter);
  verify->add_option("--shapes", arguments.verify.shapes)->allow_extra_args(false)->take_all();
  verify->add_option("--threads", arguments.verify.threads)
      ->check(whole_number("--threads", 1, kMostThreads));
  verify->add_option("--case-timeout", arguments.verify_timeout);

  CLI::App* list = app.add_subcommand("list");
  list->add_option("--filter", arguments.list.filter);
  list->add_option("--shapes", arguments.list.shapes)->allow_extra_args(false)->take_all();
  list->add_flag("--cases", arguments.list.cases);
  list->add_flag("--json", arguments.list.json);

  app.add_subcommand("doctor")->add_flag("--json", arguments.doctor.json);
  app.add_subcommand("peak")->add_flag("--json", arguments.peak.json);

  CLI::App* report = app.add_subcommand("report");
  report->add_option("files", arguments.report.files)->take_all();
  report->add_option("-o,--out", arguments.report.html);
  report->add_option("--markdown", arguments.report.markdown);
  report->add_option("--charts", arguments.report.charts);
  report->add_option("--prices", arguments.report.prices);
  report->add_option("--verdict", arguments.report.verdict);
  report->add_option("--history", arguments.report.history)->take_all();
  report->add_flag("--across-machines", arguments.report.across_machines);

  CLI::App* record = app.add_subcommand("record");
  record->add_option("file", arguments.record.file);
  record->add_option("--to", arguments.record.directory);
  record->add_flag("--check", arguments.record.check);
}

/// What CLI11 can't check by itself.
void finish_arguments(const std::string& command, Arguments& arguments) {
  if (command == "run") {
    RunOptions& run = arguments.run;
    if (!arguments.budget.empty()) run.budget_seconds = duration_of("--budget", arguments.budget);
    if (!arguments.run_timeout.empty()) {
      run.case_timeout_seconds = duration_of("--case-timeout", arguments.run_timeout);
    }
  } else if (command == "verify") {
    if (!arguments.verify_timeout.empty()) {
      arguments.verify.case_timeout_seconds =
          duration_of("--case-timeout", arguments.verify_timeout);
    }
  } else if (command == "report" && arguments.report.files.empty() &&
             arguments.report.verdict.empty() && arguments.report.history.empty()) {
    throw std::runtime_error("no results file given: breakeven report FILE...");
  } else if (command == "record" && arguments.record.file.empty() != arguments.record.check) {
    throw std::runtime_error("give one results file to record, or --check alone");
  }
}

int dispatch(const std::string& command, const Arguments& arguments) {
  if (command == "run") return run_command(arguments.run);
  if (command == "verify") return verify_command(arguments.verify);
  if (command == "list") return list_command(arguments.list);
  if (command == "doctor") return doctor_command(arguments.doctor);
  if (command == "peak") return peak_command(arguments.peak);
  if (command == "record") return record_command(arguments.record);
  return report_command(arguments.report);
}

/// The command's name. Throws std::runtime_error where there is none of that name.
std::string command_name(int count, char** arguments) {
  std::vector<std::string_view> names;
  for (const CommandHelp& help : command_helps()) names.push_back(help.name);
  names.push_back("gate");
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (count < 2) throw std::runtime_error("no command given: one of " + all);
  std::string given = arguments[1];
  if (given.starts_with('-')) {
    throw std::runtime_error(
        fmt::format("{}: no such option; give a command first: {}", given, all));
  }
  if (std::find(names.begin(), names.end(), given) == names.end()) {
    throw std::runtime_error(fmt::format("{}: no such command; there are {}", given, all));
  }
  return given;
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// Parses and does; throws std::runtime_error for every mistake.
int run_main(int count, char** argv) {
  const std::string first = count > 1 ? argv[1] : "";
  if (first == "--help" || first == "-h") {
    fmt::print("{}", overview());
    return kExitFine;
  }
  if (first == "--version") {
    fmt::print("breakeven {}\n", kVersion);
    return kExitFine;
  }
  const std::string command = command_name(count, argv);
  Arguments arguments;
  CLI::App app;
  app.option_defaults()->take_last();  // an option given twice: the last one counts
  add_run(app, arguments);
  add_others(app, arguments);
  add_gate(app, arguments.gate);
  const bool gated = command == "gate";
  const std::string name = gated ? "gate " + gate_command_name(count, argv) : command;
  if (name == "gate ") {
    fmt::print("{}", help_of(command));
    return kExitFine;
  }
  try {
    app.parse(count, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_of(name));
    return kExitFine;
  } catch (const CLI::ParseError& error) {
    throw std::runtime_error(
        fmt::format("{}: {}; see `breakeven {} --help`", name, on_one_line(error.what()), name));
  }
  if (gated) return dispatch_gate(*app.get_subcommand("gate"), arguments.gate, argv[0]);
  refuse_empty_values(*app.get_subcommand(command));
  finish_arguments(command, arguments);
  arguments.run.program = argv[0];
  return dispatch(command, arguments);
}

}  // namespace

double parse_duration(const std::string& text) {
  const auto fail = [&] {
    throw std::runtime_error(fmt::format("{}: not a length of time; write 90s, 5m or 1h30m", text));
  };
  double seconds = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) fail();
  while (at != end) {
    double number = 0;
    const auto [rest, error] = std::from_chars(at, end, number, std::chars_format::fixed);
    if (error != std::errc()) fail();
    const char unit = rest == end ? 's' : *rest;
    const double scale = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
    seconds += number * scale;
    if (scale == 0 || !(number >= 0)) fail();
    at = rest == end ? end : rest + 1;
  }
  constexpr double kLongest = 366 * 86400.0;
  if (!(seconds > 0) || seconds > kLongest) fail();
  return seconds;
}

int breakeven_main(int argument_count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an error of a write, not a death
  int code = kExitUsage;
  try {
    code = run_main(argument_count, arguments);
  } catch (const Interrupted& interrupted) {
    fmt::print(stderr, "breakeven: {}\n", interrupted.what());
    return kExitInterrupted;
  } catch (const WorkerRefusal& refusal) {
    std::fflush(stdout);
    std::istringstream lines(refusal.what());
    for (std::string line; std::getline(lines, line);) {
      fmt::print(stderr, "breakeven: {}\n", line);
    }
    return kExitUsage;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "breakeven: {}\n", on_one_line(error.what()));
    return kExitUsage;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    if (errno != EPIPE) {
      fmt::print(stderr, "breakeven: standard output: {}\n", std::strerror(errno));
      return kExitUsage;
    }
  }
  return code;
}

}  // namespace breakeven
