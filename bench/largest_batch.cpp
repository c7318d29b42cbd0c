#include "bench/largest_batch.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <variant>
#include <vector>

#include "reference/training/training_shapes.h"
#include "reference/training/training_step.h"

namespace breakeven {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 28;
constexpr double kShareOfMemory = 0.9;  // the system and the library need some, too
constexpr unsigned kLongestRunSeconds = 600;
constexpr int kMistake = 3;  // exit status of a child that found a mistake of the caller

/// What a child process wrote, and how it ended.
struct Child {
  std::string text;
  int status = 0;
};

/// Runs work in a child process; it writes what it returns, or what it throws and exits with 1.
Child in_child(const std::function<std::string()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    close(ends[0]);
    alarm(kLongestRunSeconds);
    // Where memory runs out after all, this process is to be killed, and no other.
    std::ofstream("/proc/self/oom_score_adj") << 1000 << std::flush;
    int status = 0;
    std::string text;
    try {
      text = work();
    } catch (const UsageError& error) {
      text = error.what();
      status = kMistake;
    } catch (const std::bad_alloc&) {
      text = "out of memory";
      status = 1;
    } catch (const std::exception& error) {
      text = error.what();
      status = 1;
    }
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t written = write(ends[1], text.data() + done, text.size() - done);
      if (written <= 0) break;
      done += static_cast<std::size_t>(written);
    }
    _exit(status);
  }
  close(ends[1]);
  Child result;
  char block[4096];
  for (;;) {
    const ssize_t count = read(ends[0], block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    result.text.append(block, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  while (waitpid(child, &result.status, 0) < 0 && errno == EINTR) {
  }
  return result;
}

std::string ending(const Child& child) {
  if (WIFSIGNALED(child.status)) {
    const int signal = WTERMSIG(child.status);
    if (signal == SIGALRM) return fmt::format("took over {} s", kLongestRunSeconds);
    if (signal == SIGKILL) return "was killed, as where memory runs out";
    return fmt::format("ended by signal {} ({})", signal, strsignal(signal));
  }
  if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0) return "";
  // Of several lines the first.
  return child.text.empty() ? "failed without a word" : child.text.substr(0, child.text.find('\n'));
}

const TrainingStep& step_of(const Case& c) {
  const auto* step = dynamic_cast<const TrainingStep*>(c.workload);
  if (step == nullptr) {
    throw UsageError(
        fmt::format("--largest_batch: {} has no batch; choose rows of training steps or inference, "
                    "as with --benchmark_filter=training_step_mlp/b128/",
                    c.name));
  }
  return *step;
}

std::unique_ptr<TrainingStep> sized(const TrainingStep& step, std::int64_t batch) {
  return std::make_unique<TrainingStep>(fmt::format("batch_{}", batch),
                                        with_batch(step.size, batch), step.part);
}

/// Why there is no such row at a batch, "" where there is one.
std::string refusal(const Case& c, const TrainingStep& step, std::int64_t batch) {
  try {
    return c.implementation->unsupported(*sized(step, batch), c.precision, c.options);
  } catch (const std::invalid_argument& error) {
    return error.what();  // no model, or more elements than an index can count
  }
}

/// Bytes that a row takes, with a host copy of its largest operand in f64 as it is filled.
double bytes_of(const Case& c, const TrainingStep& step, bool on_gpu) {
  const auto kernel =
      static_cast<double>(c.implementation->footprint_bytes(step, c.precision, c.options));
  double largest = 0;
  for (const Operand& input : step.inputs(c.precision)) {
    largest = std::max(largest, 8 * static_cast<double>(input.elements));
  }
  return on_gpu ? kernel : kernel + largest;
}

/// In a child: what the search needs to know of each row, a search by footprint among it.
std::string plan(const ModuleInfo& info, const Workloads& workloads, const BenchOptions& options,
                 const ThreadRange& threads) {
  Module module;
  try {
    module = open_module(info);
  } catch (const Unsupported& reason) {
    throw UsageError(fmt::format("module {} is unavailable here: {}", info.name, reason.what()));
  }
  const bool on_gpu = module.device->kind() == "gpu";
  const std::vector<Case> cases =
      expand_cases(module.registry, workloads, module.device->kind(), threads);
  Json rows = Json::array();
  for (const Case& c : select_cases(cases, options)) {
    const TrainingStep& step = step_of(c);
    const double available = static_cast<double>(module.device->available_bytes());
    const std::int64_t own = std::visit([](const auto& size) { return size.batch; }, step.size);
    std::int64_t least = 1;
    std::string why = refusal(c, step, least);
    for (const std::int64_t batch : {std::int64_t{2}, own}) {
      if (why.empty()) break;
      least = batch;
      why = refusal(c, step, least);
    }
    if (!why.empty()) {
      rows.push_back({{"name", c.name}, {"unsupported", why}});
      continue;
    }
    const auto fits = [&](std::int64_t batch) {
      return refusal(c, step, batch).empty() &&
             bytes_of(c, *sized(step, batch), on_gpu) <= kShareOfMemory * available;
    };
    const LargestBatch found =
        largest_batch(fits, kMost, [](auto) { return std::string(); }, least);
    const auto shown = sized(step, std::max(found.estimated, least));
    rows.push_back({{"name", c.name},
                    {"unsupported", ""},
                    {"least", least},
                    {"estimated", found.estimated},
                    {"bytes", bytes_of(c, *shown, on_gpu)},
                    {"available", available},
                    {"memory", on_gpu ? "GPU memory" : "memory"}});
  }
  return rows.dump();
}

/// In a child: loads and prepares a row at a batch and runs it twice. Gives the second call's
/// seconds.
std::string run_once(const ModuleInfo& info, const Workloads& workloads, const std::string& name,
                     std::int64_t batch, const ThreadRange& threads) {
  const Module module = open_module(info);
  for (const Case& c : expand_cases(module.registry, workloads, module.device->kind(), threads)) {
    if (c.name != name) continue;
    const auto step = sized(step_of(c), batch);
    module.device->configure(c.options);
    const auto kernel = c.implementation->load(*step, c.precision, c.options);
    kernel->prepare();
    kernel->run();
    kernel->poison_output();
    const double seconds = module.device->time(*kernel, 1).seconds;
    const std::span<const std::byte> answer = kernel->output();
    if (!std::isfinite(load_element(step->output(c.precision).type, answer.data(), 0))) {
      throw std::runtime_error("the answer is not finite");
    }
    return fmt::format("{}", seconds);
  }
  throw std::runtime_error("the row is gone");
}

std::string line_of(const Json& row, const LargestBatch& found, const std::string& seconds) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const std::string name = row["name"];
  if (const std::string why = row["unsupported"]; !why.empty()) {
    return fmt::format("{}: none; {}", name, why);
  }
  const std::int64_t least = row["least"];
  const std::string memory =
      fmt::format("{:.4g} GiB of {:.4g} GiB of {}", row["bytes"].get<double>() / kGiB,
                  row["available"].get<double>() / kGiB, row["memory"].get<std::string>());
  if (found.estimated == 0) {
    return fmt::format("{}: none; a batch of {} needs {}", name, least, memory);
  }
  if (found.batch == 0) {
    return fmt::format("{}: none; a batch of {} {}", name, least, found.reason);
  }
  const std::string time = fmt::format("one call takes {:.3g} s", std::stod(seconds));
  if (found.batch == found.estimated) {
    return fmt::format("{}: {} ({}; {})", name, found.batch, memory, time);
  }
  return fmt::format("{}: {} ({}; its footprint allows {}, but a larger batch {})", name,
                     found.batch, time, found.estimated, found.reason);
}

}  // namespace

LargestBatch largest_batch(const std::function<bool(std::int64_t)>& fits, std::int64_t most,
                           const std::function<std::string(std::int64_t)>& attempt,
                           std::int64_t least) {
  LargestBatch found;
  if (!fits(least)) return found;
  std::int64_t low = least;
  while (low < most && fits(std::min(2 * low, most))) low = std::min(2 * low, most);
  std::int64_t high = std::min(2 * low, most + 1);  // doesn't fit, or isn't allowed
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  found.estimated = low;

  std::int64_t failing = low + 1;
  for (std::int64_t next = low; next > found.batch;) {
    const std::string reason = attempt(next);
    if (reason.empty()) {
      found.batch = next;
    } else {
      failing = next;
      found.reason = reason;
    }
    const std::int64_t known = std::max(found.batch, least - 1);
    if (failing - known <= std::max<std::int64_t>(1, known / 16)) break;
    next = known + (failing - known) / 2;
  }
  return found;
}

int search_largest_batches(const ModuleInfo& module, const Workloads& workloads,
                           const BenchOptions& options, const ThreadRange& threads,
                           std::ostream& out) {
  const Child planned = in_child([&] { return plan(module, workloads, options, threads); });
  if (WIFEXITED(planned.status) && WEXITSTATUS(planned.status) == kMistake) {
    throw UsageError(planned.text);
  }
  if (const std::string reason = ending(planned); !reason.empty()) {
    throw std::runtime_error(fmt::format("module {}: {}", module.name, reason));
  }
  int status = 0;
  for (const Json& row : Json::parse(planned.text)) {
    std::string seconds;
    const auto attempt = [&](std::int64_t batch) {
      const Child child =
          in_child([&] { return run_once(module, workloads, row["name"], batch, threads); });
      const std::string reason = ending(child);
      if (reason.empty()) seconds = child.text;
      return reason;
    };
    LargestBatch found;
    if (row["unsupported"].get<std::string>().empty()) {
      const std::int64_t estimated = row["estimated"];
      found = largest_batch([&](std::int64_t batch) { return batch <= estimated; }, estimated,
                            attempt, row["least"]);
      if (found.batch == 0) status = 1;
    }
    out << line_of(row, found, seconds) << std::endl;
  }
  return status;
}

}  // namespace breakeven
