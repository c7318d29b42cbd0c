// breakeven-bench: opens one kernel module and measures its cases.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <sstream>

#include "bench/google.h"
#include "bench/largest_batch.h"
#include "bench/modes.h"
#include "bench/tune_mode.h"

namespace breakeven {
namespace {

Facts merged(Facts facts, Facts more) {
  facts.merge(std::move(more));
  return facts;
}

/// Rows that can't run here are no benchmarks; they are summed up by their reason.
std::vector<Case> without_unsupported(const std::vector<Case>& cases, Runner& runner) {
  std::vector<Case> runnable;
  std::map<std::string, int> reasons;
  for (const Case& c : cases) {
    if (c.unsupported.empty()) {
      runnable.push_back(c);
    } else {
      runner.open(c);
      ++reasons[c.unsupported];
    }
  }
  for (const auto& [reason, count] : reasons) {
    std::cerr << fmt::format("breakeven-bench: skipped {} rows: {}\n", count, reason);
  }
  return runnable;
}

Policy policy_of(const BenchOptions& options, const Machine& machine) {
  Policy policy;
  policy.min_batch_seconds = options.min_batch_seconds;
  policy.energy = options.energy;
  policy.host_available_bytes = [machine] { return machine.available_bytes(); };
  return policy;
}

/// Facts and paths in it may be no UTF-8: the strict dump would throw.
void print_list(Json list, const std::vector<std::string>& refused) {
  if (!refused.empty()) list["refused"] = refused;
  std::cout << list.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// Says which entries of shape files are left out, and whether that counts against this process.
/// A list holds them; a driver, which has seen that list, asks with both --cases and --events.
bool tell_refused(const std::vector<std::string>& refused, const BenchOptions& options) {
  if (options.mode == Mode::list || (options.cases && options.events)) return false;
  for (const std::string& line : refused) std::cerr << "breakeven-bench: " << line << '\n';
  return !refused.empty();
}

/// Everything that needs the module open: --list, --verify and the run itself.
int with_module(const ModuleInfo& info, const LoadedShapes& shapes, const BenchOptions& options,
                const ThreadRange& threads, Facts facts) {
  const Workloads& workloads = shapes.workloads;
  Module module;
  try {
    module = open_module(info);
  } catch (const Unsupported& reason) {
    if (options.mode == Mode::list) {
      print_list(unavailable_json(info, reason.what(), threads), shapes.refused);
      return 0;
    }
    throw UsageError(fmt::format("module {} is unavailable here: {}", info.name, reason.what()));
  }
  const std::vector<Case> cases =
      expand_cases(module.registry, workloads, module.device->kind(), threads);
  if (options.mode == Mode::list) {
    print_list(list_json(module, cases, threads), shapes.refused);
    return 0;
  }
  const std::vector<Case> selected = select_cases(cases, options);
  if (options.mode == Mode::list_names) {
    for (const Case& c : selected) std::cout << c.name << '\n';
    return 0;
  }
  facts = merged(merged(std::move(facts), module.device->facts()), module.facts);
  const Json context = context_json(merged(facts, network_facts(workloads, selected)), options);
  if (options.mode == Mode::facts) {
    std::cout << context.dump(2) << '\n';
    return 0;
  }
  const Machine machine;
  Events events = options.events ? Events(*options.events) : Events();
  events.context(context);
  Runner runner(*module.device, policy_of(options, machine), options.repetitions, events);
  if (options.mode == Mode::verify) {
    verify_cases(selected, runner, std::cout);
  } else {
    if (options.energy && !module.device->energy_joules()) {
      std::cerr << "breakeven-bench: --energy: no energy counter can be read here\n";
    }
    run_google_benchmark(without_unsupported(selected, runner), runner, context, options);
  }
  events.end();
  return runner.errors() > 0 ? 1 : 0;
}

int run(const char* program, const BenchOptions& options) {
  if (options.mode == Mode::help) {
    std::cout << help_text();
    return 0;
  }
  initialize_google_benchmark(program, options);
  if (options.mode == Mode::modules) {
    std::cout << modules_json(known_modules()).dump() << '\n';
    return 0;
  }
  const Machine machine;
  Facts facts = merged(merged(machine.facts(), build_facts()), environment_facts(environ));
  const ThreadRange threads = thread_range(machine, options.threads);
  if (options.mode == Mode::facts && options.module.empty()) {
    std::cout << context_json(facts, options).dump(2) << '\n';
    return 0;
  }
  const LoadedShapes shapes = load_workloads(options.shapes);
  const bool incomplete = tell_refused(shapes.refused, options);
  int status = 0;
  if (options.mode == Mode::tune) {
    status = tune(known_modules(), shapes.workloads, options, std::cout);
  } else {
    const ModuleInfo module = choose_module(known_modules(), options, shapes.workloads, threads);
    status = options.mode == Mode::largest_batch
                 ? search_largest_batches(module, shapes.workloads, options, threads, std::cout)
                 : with_module(module, shapes, options, threads, std::move(facts));
  }
  return status == 0 && incomplete ? 1 : status;
}

/// A shape file may be refused with several lines.
void print_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::cerr << "breakeven-bench: " << line << '\n';
  }
}

}  // namespace
}  // namespace breakeven

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return breakeven::run(argv[0], breakeven::parse_options(arguments));
  } catch (const breakeven::UsageError& error) {
    breakeven::print_lines(error.what());
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "breakeven-bench: " << error.what() << '\n';
    return 1;
  }
}
