#include "bench/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <vector>

namespace breakeven {
namespace {

constexpr std::int64_t kMostCalls = 1'000'000'000;
constexpr double kLongCallSeconds = 0.25;  ///< one such call is a warm-up and a batch by itself

double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double process_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::size_t saturating_sum(std::size_t a, std::size_t b) {
  return a > std::numeric_limits<std::size_t>::max() - b ? std::numeric_limits<std::size_t>::max()
                                                         : a + b;
}

void refuse_over(std::size_t needed, std::size_t available, std::string_view what) {
  if (needed <= available) return;
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  throw Unsupported(fmt::format("needs {:.4g} GiB of {}, {:.4g} GiB are available",
                                static_cast<double>(needed) / kGiB, what,
                                static_cast<double>(available) / kGiB));
}

std::string describe(const std::string& when, const Check& check) {
  if (!std::isfinite(check.error)) {
    return fmt::format("{}the answer is not finite, so its error exceeds limit {:.1e} ({})", when,
                       check.limit, check.method);
  }
  return fmt::format("{}error {:.1e} exceeds limit {:.1e} ({})", when, check.error, check.limit,
                     check.method);
}

std::int64_t clamp_calls(double calls) {
  // Written so that a NaN or an infinity (a zero pace) ends at a bound.
  if (!(calls > 1)) return 1;
  if (!(calls < static_cast<double>(kMostCalls))) return kMostCalls;
  return static_cast<std::int64_t>(std::ceil(calls));
}

}  // namespace

WrongAnswer::WrongAnswer(const std::string& when, Check check)
    : std::runtime_error(describe(when, check)), check_(std::move(check)) {}

Session::Session(const Case& c, Device& device, const Policy& policy)
    : case_(c), device_(device), policy_(policy) {}

void Session::load() {
  check_footprint();
  device_.configure(case_.options);
  peak_before_ = device_.peak_bytes();
  kernel_ = case_.implementation->load(*case_.workload, case_.precision, case_.options);
  const double start = wall_seconds();
  kernel_->prepare();
  facts_.prepare_seconds = wall_seconds() - start;
}

Check Session::verify() {
  kernel_->poison_output();
  const double start = wall_seconds();
  kernel_->run();
  std::span<const std::byte> answer = kernel_->output();
  first_call_seconds_ = wall_seconds() - start;
  peak_unchecked_ = device_.peak_bytes();
  const std::vector<std::byte> first(answer.begin(), answer.end());
  Check check = judge(first, "");

  // Again as it will be timed (a graph's replay, cold caches), and twice over where that is quick:
  // a kernel that adds to its output, or leaves it as it was, is caught here.
  // A GPU prepares at its first timing (capture, a plain call): only what follows is as timed.
  if (on_gpu()) device_.time(*kernel_, 1);
  kernel_->poison_output();
  device_.time(*kernel_, first_call_seconds_ < kLongCallSeconds ? 2 : 1);
  answer = kernel_->output();
  // The same bytes need no second judgement, which can take longer than the kernel.
  if (answer.size() != first.size() ||
      std::memcmp(answer.data(), first.data(), first.size()) != 0) {
    const Check second = judge(answer, "on the second run: ");
    if (second.error > check.error) check = second;
  }
  facts_.check = check;
  facts_.kernel = kernel_->facts();
  return check;
}

void Session::settle(std::int64_t known_calls) {
  facts_.transfers = kernel_->time_transfers();
  const Pace settled = warm_up();
  calls_ = known_calls > 0 ? known_calls : calibrate(settled);
  // Eviction between cold calls would be counted too, so cold rows have no energy.
  if (policy_.energy && case_.options.cache == Cache::warm) {
    facts_.energy_joules = joules_per_call(device_, *kernel_, calls_, policy_.energy_policy);
  }
}

Sample Session::batch() {
  Sample sample;
  sample.calls = calls_;
  for (int retries = 0; retries <= policy_.throttled_retries; ++retries) {
    const double cpu_start = process_cpu_seconds();
    sample.batch = device_.time(*kernel_, calls_);
    sample.cpu_seconds = process_cpu_seconds() - cpu_start;
    if (!sample.batch.throttled.value_or(false)) break;
  }
  if (!(sample.batch.seconds > 0) || !std::isfinite(sample.batch.seconds)) {
    throw std::runtime_error(fmt::format("the device's clock gave {} s for {} calls",
                                         sample.batch.seconds, sample.calls));
  }
  // The peak is the process's: only where this case raised it is it this case's. Host memory holds
  // the check's fp64 copies by now, a GPU's doesn't, but may have grown when it was captured.
  const std::optional<std::size_t> peak = on_gpu() ? device_.peak_bytes() : peak_unchecked_;
  if (peak && (!peak_before_ || *peak > *peak_before_)) sample.peak_bytes = peak;
  return sample;
}

void Session::check_footprint() const {
  const Workload& workload = *case_.workload;
  const std::size_t kernel_bytes =
      case_.implementation->footprint_bytes(workload, case_.precision, case_.options);
  const std::size_t answer_bytes = workload.output(case_.precision).bytes();
  // The first answer is kept to compare the second.
  const std::size_t check_bytes =
      saturating_sum(workload.check_bytes(case_.precision), answer_bytes);
  if (on_gpu()) {
    // Operands are made and copied in host memory, an answer arrives beside the one before it.
    const std::size_t copies =
        saturating_sum(operand_bytes(workload, case_.precision), answer_bytes);
    refuse_over(kernel_bytes, device_.available_bytes(), "GPU memory");
    refuse_over(saturating_sum(copies, check_bytes), policy_.host_available_bytes(),
                "memory for its inputs and check");
  } else {
    refuse_over(saturating_sum(kernel_bytes, check_bytes), device_.available_bytes(), "memory");
  }
}

Check Session::judge(std::span<const std::byte> answer, const std::string& when) const {
  const std::size_t expected = case_.workload->output(case_.precision).bytes();
  if (answer.size() != expected) {
    throw std::runtime_error(
        fmt::format("{}the answer has {} bytes, not {}", when, answer.size(), expected));
  }
  const Check check = case_.workload->check(case_.precision, answer);
  if (!check.ok()) throw WrongAnswer(when, check);
  return check;
}

Session::Pace Session::pace(std::int64_t calls) {
  const double start = wall_seconds();
  const Batch batch = device_.time(*kernel_, calls);
  const double wall = std::max(wall_seconds() - start, batch.seconds);
  return {batch.seconds / static_cast<double>(calls), wall / static_cast<double>(calls)};
}

Session::Pace Session::warm_up() {
  const WarmUp& rule = on_gpu() ? policy_.gpu_warm_up : policy_.cpu_warm_up;
  Pace last = pace(1);
  Pace fastest = last;
  double spent = last.wall_seconds;
  while (spent < rule.most_seconds) {
    const std::int64_t calls = clamp_calls(rule.window_seconds / last.wall_seconds);
    const Pace window = pace(calls);
    spent += window.wall_seconds * static_cast<double>(calls);
    const bool agrees = std::abs(window.seconds - last.seconds) <= rule.agreement * last.seconds;
    last = window;
    fastest = {std::min(fastest.seconds, window.seconds),
               std::min(fastest.wall_seconds, window.wall_seconds)};
    if (agrees && spent >= rule.least_seconds) break;
  }
  return fastest;
}

double Session::target_seconds() const {
  return std::max(policy_.min_batch_seconds,
                  policy_.resolutions_per_batch * device_.resolution_seconds());
}

std::int64_t Session::calibrate(Pace estimate) {
  const double target = target_seconds();
  if (case_.options.cache == Cache::cold) {
    // Each cold call is timed by itself, so a short batch loses repetitions, not resolution.
    const double by_wall = policy_.cold_wall_factor * target / estimate.wall_seconds;
    return clamp_calls(std::min(target / estimate.seconds, by_wall));
  }
  std::int64_t calls = clamp_calls(target / estimate.seconds);
  // One long call is known to be long enough; anything else is tried, since pace varies.
  while (!(calls == 1 && estimate.seconds >= target) && calls < kMostCalls) {
    const Pace tried = pace(calls);
    const double seconds = tried.seconds * static_cast<double>(calls);
    if (seconds >= target) break;
    const double growth = std::clamp(1.05 * target / seconds, 1.05, 10.0);
    calls =
        clamp_calls(std::max(static_cast<double>(calls) * growth, static_cast<double>(calls) + 1));
  }
  return calls;
}

}  // namespace breakeven
