// gpu-timing-check: compares what the harness says that a call takes with what CUPTI saw of the
// same calls. Exit: 0 all within 2 %; 1 one is not, or could not be checked; 2 usage; 3 no GPU or
// no CUPTI here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>

#include "bench/modes.h"
#include "bench/timing_check/cupti.h"

namespace breakeven {
namespace {

constexpr double kAllowed = 0.02;

// Ten rows from microseconds to milliseconds, bound by arithmetic, memory and launches.
constexpr const char* kRows =
    "^(matmul/square_(256|512|1024|2048|4096|8192)/gpu/handwritten/bf16"
    "|matmul/square_(1024|4096)/gpu/handwritten/f32"
    "|conv2d_forward/resnet50_res3a_branch2b_n64/gpu/handwritten/bf16"
    "|stream/copy_256mib/gpu/handwritten/f32)$";

/// Whether the row's time is right; prints it.
bool is_right(const Case& c, Device& device, const Policy& policy, Tracer& tracer) {
  std::cout << c.name << '\n';
  try {
    Session session(c, device, policy);
    const TimingCheck check = check_timing(session, tracer);
    const bool right = std::abs(check.apart()) <= kAllowed;
    std::cout << fmt::format("  {:+.2f} %{}: {:.2f} us by events, {:.2f} us traced\n",
                             100 * check.apart(), right ? "" : ", TOO FAR",
                             1e6 * check.event_seconds, 1e6 * check.traced_seconds)
              << fmt::format("  {:.2f} us when nobody watched; {} kernels a call\n",
                             1e6 * check.untraced_seconds, check.kernels_per_call)
              << std::flush;
    return right;
  } catch (const std::exception& error) {
    std::cout << "  not checked: " << error.what() << '\n' << std::flush;
    return false;
  }
}

Module open(const std::string& name) {
  std::string names;
  for (const ModuleInfo& info : known_modules()) {
    if (info.name == name) return open_module(info);
    if (info.device == "gpu") names += ' ' + info.name;
  }
  throw UsageError(fmt::format("--module: no {}; GPU modules are{}", name, names));
}

int run(const std::string& module_name, const std::string& filter) {
  const Module module = open(module_name);
  if (module.device->kind() != "gpu") {
    throw UsageError(fmt::format("--module: {} runs on no GPU", module_name));
  }
  const std::unique_ptr<Tracer> tracer = make_cupti_tracer();
  const Machine machine;
  const LoadedShapes shapes = load_workloads({});
  const std::vector<Case> cases =
      expand_cases(module.registry, shapes.workloads, "gpu", thread_range(machine, std::nullopt));
  BenchOptions options;
  options.filter = filter;
  Policy policy;
  policy.throttled_retries = 0;  // a retried batch would be traced twice
  policy.host_available_bytes = [&] { return machine.available_bytes(); };
  int right = 0, all = 0;
  for (const Case& c : select_cases(cases, options)) {
    if (!c.unsupported.empty()) {
      std::cout << fmt::format("{}\n  skipped: {}\n", c.name, c.unsupported);
      continue;
    }
    ++all;
    right += is_right(c, *module.device, policy, *tracer) ? 1 : 0;
  }
  std::cout << fmt::format("{} of {} rows within {:.0f} % of CUPTI's\n", right, all,
                           100 * kAllowed);
  return right == all && all > 0 ? 0 : 1;
}

}  // namespace
}  // namespace breakeven

int main(int argc, char** argv) {
  using namespace breakeven;
  CLI::App app("Compares the times of GPU rows with what CUPTI saw of the same calls.",
               "gpu-timing-check");
  std::string module = "cuda", filter = kRows;
  app.add_option("--module", module, "which one's rows: cuda, cublas or cudnn")
      ->capture_default_str();
  app.add_option("--filter", filter, "which rows, without copies at their ends; default: ten");
  try {
    app.parse(argc, argv);
    return run(module, filter);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const UsageError& error) {
    std::cerr << "gpu-timing-check: " << error.what() << '\n';
    return 2;
  } catch (const Unsupported& reason) {
    std::cerr << "gpu-timing-check: " << reason.what() << '\n';
    return 3;
  } catch (const std::exception& error) {
    std::cerr << "gpu-timing-check: " << error.what() << '\n';
    return 1;
  }
}
