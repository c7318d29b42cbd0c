// The block's barriers, and the warp operations that the language has.
#include <algorithm>
#include <iterator>
#include <utility>

#include "kernels/simt/collectives.h"
#include "kernels/simt/machine.h"

namespace breakeven::simt {
namespace {

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

void come_to_barrier(Machine& machine, BlockRecord& block, const std::source_location& where) {
  if (block.finished != 0) {
    fault("divergent __syncthreads: waits in line " + std::to_string(where.line()) + " after " +
          std::to_string(block.finished) + " threads of the block have returned");
  }
  if (block.at_barrier.empty()) {
    block.barrier_site = where;
  } else if (!same_place(block.barrier_site, where)) {
    fault("divergent __syncthreads: waits in line " + std::to_string(where.line()) +
          " while other threads wait in line " + std::to_string(block.barrier_site.line()));
  }
  if (static_cast<int>(block.at_barrier.size()) + 1 < block.thread_count) {
    block.at_barrier.push_back(&machine.current());
    machine.suspend("__syncthreads", where.line());
  } else {
    ++counters().barriers;
    ++block.barrier_phase;
    for (Runner* waiting : block.at_barrier) machine.wake(*waiting);
    block.at_barrier.clear();
  }
}

/// Lanes of warp `warp` that the block has.
int lanes_of(const BlockRecord& block, std::size_t warp) {
  return std::min(32, block.thread_count - static_cast<int>(warp) * 32);
}

/// Warps come as a whole, from one place in the source: what comes there in two halves counts twice
/// on a GPU, where barriers count warps.
void come_with_warp(const BlockRecord& block, NamedBarrier& barrier, const std::string& name,
                    std::size_t warp, bool wait, const std::source_location& where) {
  NamedBarrier::Warp& mine = barrier.warps[warp];
  if (mine.came == 0) {
    mine.wait = wait;
    mine.where = where;
  } else if (mine.wait != wait || !same_place(mine.where, where)) {
    fault(name + ": comes from line " + std::to_string(where.line()) +
          ", other lanes of its warp from line " + std::to_string(mine.where.line()));
  }
  const int lanes = lanes_of(block, warp);
  for (std::size_t lane = 0; lane < static_cast<std::size_t>(lanes); ++lane) {
    if ((block.warps[warp].gone >> lane & 1u) != 0 && !barrier.came[warp * 32 + lane]) {
      fault(name + ": comes after other lanes of its warp have returned");
    }
  }
  // The last warp counts as one of 32, too.
  barrier.arrived += ++mine.came == lanes ? 33 - lanes : 1;
}

void come_to_named_barrier(Machine& machine, NamedBarrier& barrier, int id, int threads, bool wait,
                           const std::source_location& where) {
  Runner& runner = machine.current();
  const std::string name = "named barrier " + std::to_string(id);
  if (barrier.expected == 0) barrier.expected = threads;
  if (barrier.expected != threads) {
    fault(name + ": comes for " + std::to_string(threads) + " threads, others for " +
          std::to_string(barrier.expected));
  }
  const auto number = static_cast<std::size_t>(runner.number);
  if (barrier.came[number]) fault(name + ": comes twice in one phase");
  barrier.came.set(number);
  come_with_warp(machine.block(), barrier, name, number / 32, wait, where);
  if (barrier.arrived == barrier.expected) {
    for (std::size_t warp = 0; warp < barrier.warps.size(); ++warp) {
      const int came = std::exchange(barrier.warps[warp].came, 0);
      if (came != 0 && came != lanes_of(machine.block(), warp)) {
        fault(name + ": " + std::to_string(came) + " lanes of warp " + std::to_string(warp) +
              " come; barriers count whole warps");
      }
    }
    ++counters().named_barriers;
    ++barrier.phase;
    barrier.arrived = 0;
    barrier.expected = 0;
    barrier.came.reset();
    for (Runner* waiting : barrier.waiting) machine.wake(*waiting);
    barrier.waiting.clear();
  } else if (wait) {
    barrier.waiting.push_back(&runner);
    machine.suspend("a named barrier", 0);
  }
}

}  // namespace

// ThreadSanitizer's order is kept by the barrier's phase: a thread that has run ahead to the next
// phase must not order those that are still in this one.
void block_barrier(const std::source_location& where) {
  const char* key = nullptr;
  {
    const Quiet quiet;
    Machine& machine = Machine::instance();
    BlockRecord& block = machine.block();
    key = &block.barrier_keys[block.barrier_phase % 2];
    order_release(key);
    come_to_barrier(machine, block, where);
  }
  order_acquire(key);
}

void named_barrier(int id, int threads, bool wait, const std::source_location& where) {
  const char* key = nullptr;
  {
    const Quiet quiet;
    Machine& machine = Machine::instance();
    BlockRecord& block = machine.block();
    if (id < 1 || id > 15) fault("no named barrier " + std::to_string(id) + "; they are 1 to 15");
    if (threads < 32 || threads % 32 != 0 || threads > (block.thread_count + 31) / 32 * 32) {
      fault("named barrier " + std::to_string(id) + ": " + std::to_string(threads) +
            " threads are no whole warps of this block");
    }
    NamedBarrier& barrier = block.named[static_cast<std::size_t>(id)];
    key = &barrier.keys[barrier.phase % 2];
    order_release(key);
    come_to_named_barrier(machine, barrier, id, threads, wait, where);
  }
  if (wait) order_acquire(key);
}

void warp_barrier(std::uint32_t mask) {
  // Lanes that leave and come back early would release to the same key: two, by turns.
  const Quiet quiet;
  BlockRecord& block = Machine::instance().block();
  WarpOrder& order = block.warp_order[static_cast<std::size_t>(current_thread().number)];
  const char* mine = &order.keys[order.turn ^= 1];
  order_release(mine);
  struct Came {
    const char* key;
    const char* keys[32];
  } came{mine, {}};
  warp_collective("__syncwarp", mask, came, [](Came* const* lanes) {
    const char* keys[32] = {};
    for (int i = 0; i < 32; ++i) keys[i] = lanes[i] != nullptr ? lanes[i]->key : nullptr;
    for (int i = 0; i < 32; ++i) {
      if (lanes[i] != nullptr) std::copy(std::begin(keys), std::end(keys), lanes[i]->keys);
    }
  });
  if constexpr (kThreadSanitizer) {
    for (const char* key : came.keys) {
      if (key != nullptr) order_acquire(key);
    }
  }
}

void begin_atomic(const void* address) {
  maybe_yield("an atomic");
  if constexpr (kThreadSanitizer) {
    const Quiet quiet;
    Runner& runner = Machine::instance().current();
    if (runner.fenced) order_release(address);
    runner.fenced = false;
    runner.last_atomic = address;
  }
}

void thread_fence() {
  if constexpr (kThreadSanitizer) {
    const Quiet quiet;
    Runner& runner = Machine::instance().current();
    if (runner.last_atomic != nullptr) order_acquire(runner.last_atomic);
    runner.fenced = true;
  }
}

std::uint32_t ballot(std::uint32_t mask, bool predicate) {
  struct Vote {
    bool mine;
    std::uint32_t all;
  } vote{predicate, 0};
  const Quiet quiet;
  warp_collective("a vote", mask, vote, [](Vote* const* lanes) {
    std::uint32_t all = 0;
    for (int i = 0; i < 32; ++i) {
      if (lanes[i] != nullptr && lanes[i]->mine) all |= 1u << i;
    }
    for (int i = 0; i < 32; ++i) {
      if (lanes[i] != nullptr) lanes[i]->all = all;
    }
  });
  return vote.all;
}

std::uint32_t match_any(std::uint32_t mask, std::uint64_t value) {
  struct Match {
    std::uint64_t value;
    std::uint32_t equal;
  } match{value, 0};
  const Quiet quiet;
  warp_collective("__match_any_sync", mask, match, [](Match* const* lanes) {
    for (int i = 0; i < 32; ++i) {
      for (int j = 0; lanes[i] != nullptr && j < 32; ++j) {
        if (lanes[j] != nullptr && lanes[j]->value == lanes[i]->value) lanes[i]->equal |= 1u << j;
      }
    }
  });
  return match.equal;
}

void shuffle_bits(std::uint32_t mask, void* value, std::size_t bytes, int source) {
  struct Lane {
    std::size_t bytes;
    int source;
    bool came;
    unsigned char in[16];
    unsigned char out[16];
  } mine{bytes, source, true, {}, {}};
  const Quiet quiet;
  std::memcpy(mine.in, value, bytes);
  warp_collective("a shuffle", mask, mine, [](Lane* const* lanes) {
    for (int i = 0; i < 32; ++i) {
      if (lanes[i] == nullptr) continue;
      const Lane* from = lanes[lanes[i]->source];
      lanes[i]->came = from != nullptr && from->bytes == lanes[i]->bytes;
      if (lanes[i]->came) std::memcpy(lanes[i]->out, from->in, sizeof from->in);
    }
  });
  if (!mine.came) {
    fault("shuffles from lane " + std::to_string(source) +
          ", which isn't in the mask, has returned "
          "or shuffles another type");
  }
  std::memcpy(value, mine.out, bytes);
}

}  // namespace breakeven::simt
