// What kernels/simt/scheduler.h declares, in terms of the machine.
#include "kernels/simt/scheduler.h"

#include <algorithm>
#include <cstring>

#include "kernels/simt/machine.h"

namespace breakeven::simt {
namespace {

constexpr std::uint32_t kYieldOneIn = 4;

std::uint32_t lanes(int count) { return count >= 32 ? 0xffffffffu : (1u << count) - 1; }

std::unique_ptr<Collective> take_spare(Group& group) {
  if (group.spare.empty()) return std::make_unique<Collective>();
  std::unique_ptr<Collective> spare = std::move(group.spare.back());
  group.spare.pop_back();
  return spare;
}

// Runs the operation and lets its lanes go on, but for `last`, which runs already.
void complete(BlockRecord& block, Group& group, std::size_t index, int first, int width,
              const Thread* last) {
  std::unique_ptr<Collective> done = std::move(group.active[index]);
  group.active.erase(group.active.begin() + static_cast<std::ptrdiff_t>(index));
  ++counters().warp_operations;
  if (done->compute != nullptr) done->compute(done->context, done->deposits.data());
  for (int lane = 0; lane < width; ++lane) {
    if (done->deposits[static_cast<std::size_t>(lane)] == nullptr) continue;
    Runner& runner = Machine::instance().runner(block, first + lane);
    if (&runner != last) Machine::instance().wake(runner);
  }
  group.spare.push_back(std::move(done));
}

bool has_all(const Collective& collective, const Group& group, int width) {
  if (collective.all_alive) return collective.arrived == width;
  return (collective.mask & ~(collective.came | group.gone)) == 0;
}

// The operation that `lane` has come to. One with other lanes under way isn't in its way, unless
// they wait for it while it would wait for them.
Collective& join(Group& group, const char* operation, std::uint32_t mask, int lane, int width,
                 bool all_alive) {
  for (auto& active : group.active) {
    if ((active->mask >> lane % 32 & 1u) == 0 || (active->came & mask) == 0) continue;
    if (active->operation != operation && std::strcmp(active->operation, operation) != 0) {
      fault(std::string("comes to ") + operation + " while lanes of its mask wait at " +
            active->operation);
    }
    if (active->mask != mask) {
      fault(std::string("comes to ") + operation +
            " with another mask than lanes that wait there: they name each other");
    }
    return *active;
  }
  group.active.push_back(take_spare(group));
  Collective& made = *group.active.back();
  made.operation = operation;
  made.mask = mask;
  made.came = 0;
  made.arrived = 0;
  made.all_alive = all_alive;
  std::fill_n(made.deposits.begin(), width, nullptr);
  return made;
}

}  // namespace

void detail::wait_until(const char* what, Predicate ready, void* context) {
  const Quiet quiet;
  if (!ready(context)) Machine::instance().suspend(what, 0, ready, context);
}

void detail::collective(const char* operation, int width, std::uint32_t mask, bool all_alive,
                        void* mine, Compute compute, void* context) {
  const Quiet quiet;
  Machine& machine = Machine::instance();
  BlockRecord& block = machine.block();
  const int number = current_thread().number;
  const int index = number / width;
  const int lane = number % width;
  const int first = index * width;
  Group& group = (width == 32 ? block.warps : block.warpgroups)[static_cast<std::size_t>(index)];
  mask &= lanes(block.thread_count - first);
  if (!all_alive && (mask >> lane & 1u) == 0) {
    fault(std::string("comes to ") + operation + " but isn't in its own mask");
  }
  if (all_alive && group.gone != 0) {
    fault(std::string("comes to ") + operation + ", which needs all " + std::to_string(width) +
          " threads, but some have returned or never were");
  }
  Collective& joined = join(group, operation, mask, lane, width, all_alive);
  joined.deposits[static_cast<std::size_t>(lane)] = mine;
  joined.compute = compute;
  joined.context = context;
  joined.came |= 1u << lane % 32;
  ++joined.arrived;
  if (!has_all(joined, group, width)) return machine.suspend(operation, 0);
  std::size_t at = 0;
  while (group.active[at].get() != &joined) ++at;
  complete(block, group, at, first, width, &current_thread());
}

void check_finished_thread(Runner& runner) {
  BlockRecord& block = Machine::instance().block();
  if (!runner.copies.empty()) {
    fault("returns with " + std::to_string(runner.copies.size()) +
          " asynchronous copies that it hasn't waited for");
  }
  if (!block.at_barrier.empty()) {
    fault("divergent __syncthreads: returns while " + std::to_string(block.at_barrier.size()) +
          " threads wait in line " + std::to_string(block.barrier_site.line()));
  }
  const auto number = static_cast<std::size_t>(runner.number);
  for (std::size_t id = 1; id < block.named.size(); ++id) {
    if (block.named[id].warps[number / 32].came != 0 && !block.named[id].came[number]) {
      fault("returns while other lanes of its warp have come to named barrier " +
            std::to_string(id));
    }
  }
  // Lanes that wait for nobody but this one go on without it.
  for (const int width : {32, 128}) {
    const int first = runner.number / width * width;
    Group& group =
        (width == 32 ? block.warps
                     : block.warpgroups)[static_cast<std::size_t>(runner.number / width)];
    for (std::size_t i = 0; i < group.active.size();) {
      const Collective& waiting = *group.active[i];
      if (waiting.all_alive) {
        fault(std::string("returns while others wait for it at ") + waiting.operation);
      }
      if (has_all(waiting, group, width)) {
        complete(block, group, i, first, width, nullptr);
      } else {
        ++i;
      }
    }
  }
}

void cluster_collective(const char* operation) {
  Machine& machine = Machine::instance();
  ClusterRecord& cluster = machine.cluster();
  const char* key = nullptr;
  {
    const Quiet quiet;
    Runner& runner = machine.current();
    int threads = 0;
    int alive = 0;
    for (const auto& block : cluster.blocks) {
      threads += block->thread_count;
      alive += block->thread_count - block->finished;
    }
    if (alive != threads) {
      fault(std::string("comes to ") + operation + " after other threads have returned");
    }
    key = &cluster.barrier_keys[cluster.barrier_phase % 2];
    order_release(key);
    if (static_cast<int>(cluster.at_barrier.size()) + 1 < threads) {
      cluster.at_barrier.push_back(&runner);
      machine.suspend(operation, 0);
    } else {
      ++cluster.barrier_phase;
      for (Runner* waiting : cluster.at_barrier) machine.wake(*waiting);
      cluster.at_barrier.clear();
    }
  }
  order_acquire(key);
}

void yield(const char* what) {
  const Quiet quiet;
  Machine::instance().yield(what);
}

void maybe_yield(const char* what) {
  const Quiet quiet;
  if (Machine::instance().random().below(kYieldOneIn) == 0) Machine::instance().yield(what);
}

Operation defer(const char* what, std::function<void()> complete) {
  const Quiet quiet;
  return Machine::instance().defer(what, std::move(complete));
}

void complete_now(Operation operation) {
  const Quiet quiet;
  Machine::instance().complete_now(operation);
}

bool is_complete(Operation operation) {
  const Quiet quiet;
  return Machine::instance().is_complete(operation);
}

std::uint32_t draw(std::uint32_t bound) {
  const Quiet quiet;
  return Machine::instance().random().below(bound);
}

Thread& Block::thread(int number) const {
  return Machine::instance().runner(static_cast<const BlockRecord&>(*this), number);
}

std::byte* Block::shared_begin() const { return static_cast<const BlockRecord&>(*this).arena; }

std::size_t Block::shared_capacity() const {
  return static_cast<const BlockRecord&>(*this).arena_bytes;
}

int Cluster::size() const {
  return static_cast<int>(static_cast<const ClusterRecord&>(*this).blocks.size());
}

Block& Cluster::block(int rank) const {
  return *static_cast<const ClusterRecord&>(*this).blocks[static_cast<std::size_t>(rank)];
}

}  // namespace breakeven::simt
