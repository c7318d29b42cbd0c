#include "kernels/simt/machine.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

uint3 threadIdx{};
uint3 blockIdx{};
dim3 blockDim;
dim3 gridDim;

namespace breakeven::simt {

Thread* detail::running = nullptr;

namespace {

// Unwinds the threads of a launch that has failed.
struct Cancelled {};

constexpr std::uint32_t kPollOneIn = 16;
constexpr std::uint32_t kCompleteOneIn = 8;
constexpr std::uint64_t kMostIdleYields = 1 << 21;

std::string text(const uint3& index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

void reset_groups(std::vector<Group>& groups, int width, int threads) {
  for (Group& group : groups) {
    group.active.clear();
    group.gone = 0;
  }
  const int incomplete = threads % width;
  for (int lane = incomplete; incomplete != 0 && lane < width; ++lane) {
    groups.back().gone |= 1u << lane % 32;
  }
}

}  // namespace

void States::thread_finished(Thread& thread) {
  for (auto& [type, state] : states_) state->thread_finished(thread);
}

void States::all_finished() {
  for (auto& [type, state] : states_) state->all_finished();
}

Machine& Machine::instance() {
  // Never destroyed: its fibers are parked in the middle of their work, which ThreadSanitizer takes
  // for a mistake when they end.
  static Machine* const machine = new Machine;
  return *machine;
}

void Machine::prepare(const LaunchShape& shape, std::uint64_t seed) {
  shape_ = shape;
  random_ = Random(seed);
  const int threads = static_cast<int>(shape.threads.x * shape.threads.y * shape.threads.z);
  const std::size_t fibers =
      static_cast<std::size_t>(threads) * static_cast<std::size_t>(shape.cluster);
  while (runners_.size() < fibers) {
    Runner& runner = runners_.emplace_back();
    runner.fiber.start(&Machine::fiber_main, static_cast<int>(runners_.size()));
  }
  auto& blocks = cluster_.blocks;
  while (blocks.size() < static_cast<std::size_t>(shape.cluster)) {
    blocks.push_back(std::make_unique<BlockRecord>());
  }
  blocks.resize(static_cast<std::size_t>(shape.cluster));
  for (int rank = 0; rank < shape.cluster; ++rank) {
    BlockRecord& block = *blocks[static_cast<std::size_t>(rank)];
    block.rank = rank;
    block.thread_count = threads;
    block.cluster = &cluster_;
    block.warps.resize(static_cast<std::size_t>(threads + 31) / 32);
    block.warp_order.resize(static_cast<std::size_t>(threads));
    block.warpgroups.resize(static_cast<std::size_t>(threads + 127) / 128);
  }
}

void Machine::run_cluster(uint3 first, const std::function<void()>& kernel) {
  const Quiet quiet;
  kernel_ = &kernel;
  cancelling_ = false;
  failure_ = nullptr;
  idle_yields_ = 0;
  ready_.clear();
  polling_.clear();
  deferred_.clear();
  cluster_.states.clear();
  cluster_.at_barrier.clear();
  unfinished_ = 0;
  for (auto& pointer : cluster_.blocks) {
    BlockRecord& block = *pointer;
    block.index = {first.x + static_cast<unsigned>(block.rank), first.y, first.z};
    block.finished = 0;
    block.states.clear();
    block.at_barrier.clear();
    reset_groups(block.warps, 32, block.thread_count);
    reset_groups(block.warpgroups, 128, block.thread_count);
    block.named = {};
    reset_arena(block, shape_.shared_bytes);
    for (int number = 0; number < block.thread_count; ++number) {
      Runner& runner = runners_[static_cast<std::size_t>(unfinished_++)];
      const auto n = static_cast<unsigned>(number);
      runner.index = {n % shape_.threads.x, n / shape_.threads.x % shape_.threads.y,
                      n / (shape_.threads.x * shape_.threads.y)};
      runner.number = number;
      runner.block = &block;
      runner.finished = false;
      runner.started = false;
      runner.waits_for = nullptr;
      runner.copies.clear();
      runner.copy_group = 0;
      runner.last_atomic = nullptr;
      runner.fenced = false;
      if (number == 0) block.first_runner = unfinished_ - 1;
      ready_.push_back(&runner);
    }
  }
  counters().blocks += cluster_.blocks.size();
  blockDim = shape_.threads;
  gridDim = shape_.blocks;
  main_.fiber.adopt_current();
  order_release(&begin_key_);
  switch_to(*next());
  order_acquire(&end_key_);
  if (failure_ == nullptr) {
    try {
      if (!deferred_.empty()) {
        throw Fault("block " + text(first) + ": all threads have returned, but nobody waited for " +
                    deferred_.front().what);
      }
      for (auto& block : cluster_.blocks) block->states.all_finished();
      cluster_.states.all_finished();
    } catch (...) {
      failure_ = std::current_exception();
    }
  } else {
    cancel_all();
  }
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// Each thread that is inside the kernel leaves it by an exception, so that its frames are undone.
void Machine::cancel_all() {
  cancelling_ = true;
  deferred_.clear();
  for (Runner& runner : runners_) {
    if (runner.started) switch_to(runner);
  }
  order_acquire(&end_key_);
  // What they did behind the threads' backs ends here, too.
  for (auto& block : cluster_.blocks) block->states.clear();
  cluster_.states.clear();
}

void Machine::fiber_main() {
  for (;;) instance().run_kernel();
}

void Machine::run_kernel() {
  Runner* to = &main_;
  order_acquire(&begin_key_);
  try {
    (*kernel_)();
    const Quiet quiet;
    finish_current();
  } catch (const Cancelled&) {  // NOLINT(bugprone-empty-catch): it has done its work, unwinding
  } catch (...) {
    const Quiet quiet;
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
  const Quiet quiet;
  order_release(&end_key_);
  current_->started = false;
  try {
    if (failure_ == nullptr) to = next();
  } catch (...) {
    failure_ = std::current_exception();
  }
  switch_to(*to);
}

void Machine::finish_current() {
  Runner& runner = *current_;
  runner.finished = true;
  BlockRecord& block = this->block();
  ++block.finished;
  const auto number = static_cast<std::size_t>(runner.number);
  block.warps[number / 32].gone |= 1u << number % 32;
  block.warpgroups[number / 128].gone |= 1u << number % 32;
  --unfinished_;
  idle_yields_ = 0;
  check_finished_thread(runner);
  block.states.thread_finished(runner);
  cluster_.states.thread_finished(runner);
}

void Machine::switch_to(Runner& to) {
  Runner& from = *current_;
  if (&to != &from) {
    ++counters().switches;
    current_ = &to;
    detail::running = &to;
    if (&to != &main_) {
      to.started = true;
      threadIdx = to.index;
      blockIdx = to.block->index;
    } else {
      detail::running = nullptr;
    }
    Fiber::switch_to(from.fiber, to.fiber);
  }
  if (cancelling_ && &from != &main_ && from.started) throw Cancelled();
}

Runner* Machine::next() {
  for (;;) {
    if (!deferred_.empty() && random_.below(kCompleteOneIn) == 0) {
      complete(random_.below(static_cast<std::uint32_t>(deferred_.size())));
    }
    if (!polling_.empty() && (ready_.empty() || random_.below(kPollOneIn) == 0)) poll();
    if (!ready_.empty()) {
      const std::size_t chosen = random_.below(static_cast<std::uint32_t>(ready_.size()));
      Runner* runner = ready_[chosen];
      ready_[chosen] = ready_.back();
      ready_.pop_back();
      return runner;
    }
    if (unfinished_ == 0) return &main_;
    if (deferred_.empty()) report_deadlock();
    complete(random_.below(static_cast<std::uint32_t>(deferred_.size())));
  }
}

void Machine::poll() {
  for (std::size_t i = 0; i < polling_.size();) {
    Runner& runner = *polling_[i];
    if (runner.ready(runner.ready_context)) {
      polling_[i] = polling_.back();
      polling_.pop_back();
      wake(runner);
    } else {
      ++i;
    }
  }
}

void Machine::suspend(const char* what, unsigned line, detail::Predicate ready, void* context) {
  Runner& runner = *current_;
  runner.waits_for = what;
  runner.line = line;
  if (ready != nullptr) {
    runner.ready = ready;
    runner.ready_context = context;
    polling_.push_back(&runner);
  }
  switch_to(*next());
}

void Machine::wake(Runner& runner) {
  runner.waits_for = nullptr;
  idle_yields_ = 0;
  ready_.push_back(&runner);
}

void Machine::yield(const char* what) {
  if (++idle_yields_ > kMostIdleYields) {
    fault(std::string("spins at ") + what +
          " for what no thread of its cluster can do; clusters run one after another");
  }
  ready_.push_back(current_);
  switch_to(*next());
}

Operation Machine::defer(const char* what, std::function<void()> complete) {
  deferred_.push_back({next_operation_, what, std::move(complete)});
  return next_operation_++;
}

void Machine::complete(std::size_t index) {
  const Deferred operation = std::move(deferred_[index]);
  deferred_[index] = std::move(deferred_.back());
  deferred_.pop_back();
  Thread* const thread = std::exchange(detail::running, nullptr);
  try {
    operation.complete();
  } catch (...) {
    detail::running = thread;
    throw;
  }
  detail::running = thread;
}

void Machine::complete_now(Operation operation) {
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    if (deferred_[i].operation == operation) return complete(i);
  }
}

bool Machine::is_complete(Operation operation) const {
  return std::none_of(deferred_.begin(), deferred_.end(),
                      [&](const Deferred& d) { return d.operation == operation; });
}

void Machine::report_deadlock() {
  struct Waiters {
    int count = 0;
    const Runner* first = nullptr;
  };
  std::map<std::string, Waiters> waits;
  for (const Runner& runner : runners_) {
    if (runner.waits_for == nullptr || runner.finished || !runner.started) continue;
    std::string what = runner.waits_for;
    if (runner.line != 0) what += " in line " + std::to_string(runner.line);
    Waiters& waiters = waits[what];
    if (waiters.count++ == 0) waiters.first = &runner;
  }
  std::string report = "deadlock, nobody can go on:";
  for (const auto& [what, waiters] : waits) {
    report += " " + std::to_string(waiters.count) + " wait for " + what + " (the first: thread " +
              text(waiters.first->index) + " of block " + text(waiters.first->block->index) + ");";
  }
  report.pop_back();
  throw Fault(report);
}

void fault(const std::string& what) {
  const Thread* thread = detail::running;
  if (thread == nullptr) throw Fault(what);
  throw Fault("block " + text(thread->block->index) + " thread " + text(thread->index) + ": " +
              what);
}

}  // namespace breakeven::simt
