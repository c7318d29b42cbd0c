// Barriers in shared memory, the cluster's barrier, register quotas.
#include <fmt/format.h>

#include "kernels/simt/hopper.h"
#include "kernels/simt/hopper_state.h"

namespace breakeven::simt {

namespace {

std::size_t barrier_offset(const std::uint64_t* barrier, const char* what) {
  require_aligned(barrier, 8, what);
  return shared_offset(barrier, what);
}

void require_parity(int parity, const char* what) {
  if (parity != 0 && parity != 1) fault(fmt::format("{}: parity {}", what, parity));
}

/// Registers of one block, handed from warp group to warp group.
class RegisterPool : public State {
 public:
  explicit RegisterPool(Block& block)
      : groups_(static_cast<std::size_t>(block.thread_count) / 128) {
    if (block.thread_count % 128 != 0) {
      fault(fmt::format("setmaxnreg in a block of {} threads", block.thread_count));
    }
    // What the compiler may give each thread when it knows the block's size.
    const int each = std::min(255, kRegisters / block.thread_count) / 8 * 8;
    for (Group& group : groups_) group.registers = each;
  }

  void set(int registers, bool increase) {
    const char* const what = increase ? "setmaxnreg_increase" : "setmaxnreg_decrease";
    if (registers < 24 || registers > 256 || registers % 8 != 0) {
      fault(fmt::format("{} to {}: no multiple of 8 in 24 ... 256", what, registers));
    }
    Group& group = groups_[static_cast<std::size_t>(current_thread().warpgroup())];
    if (group.arrived == 0) {
      group.asked = registers;
      group.increase = increase;
    }
    if (group.asked != registers || group.increase != increase) {
      fault(fmt::format("{} to {}: other threads of the warp group ask for {}", what, registers,
                        group.asked));
    }
    const int least_elsewhere = (static_cast<int>(groups_.size()) - 1) * 24;
    if ((registers + least_elsewhere) * 128 > kRegisters) {
      fault(fmt::format("{} to {}: {} warp groups can't all fit in {} registers", what, registers,
                        groups_.size(), kRegisters));
    }
    if (increase ? registers < group.registers : registers > group.registers) {
      fault(fmt::format("{} from {} to {}", what, group.registers, registers));
    }
    const std::uint64_t round = group.rounds;
    if (++group.arrived == 128 && !increase) finish(group);
    if (increase) {
      wait_until("setmaxnreg_increase: all 128 threads, and registers that others gave up", [&] {
        if (group.rounds == round && group.arrived == 128 &&
            free() >= (group.asked - group.registers) * 128) {
          finish(group);
        }
        return group.rounds != round;
      });
    }
  }

  void all_finished() override {
    for (const Group& group : groups_) {
      if (group.arrived != 0) {
        fault(fmt::format("setmaxnreg by {} of 128 threads of a warp group", group.arrived));
      }
    }
  }

 private:
  static constexpr int kRegisters = 65536;  // of a multiprocessor
  struct Group {
    int registers = 0;  ///< each thread's
    int asked = 0;
    bool increase = false;
    int arrived = 0;
    std::uint64_t rounds = 0;
  };

  void finish(Group& group) {
    free_ -= (group.asked - group.registers) * 128;
    group.registers = group.asked;
    group.arrived = 0;
    ++group.rounds;
  }
  int free() const { return free_; }

  std::vector<Group> groups_;
  int free_ = 0;
};

}  // namespace

void mbarrier_init(std::uint64_t* barrier, int arrivals) {
  const Quiet quiet;
  hopper().make_barrier(barrier_offset(barrier, "mbarrier_init"), arrivals);
}

void mbarrier_fence_init() {
  const Quiet quiet;
  hopper().show_barriers(current_thread().number);
}

void mbarrier_arrive(std::uint64_t* barrier, int expect_bytes) {
  const Quiet quiet;
  const std::size_t offset = barrier_offset(barrier, "mbarrier_arrive");
  order_release(hopper().barrier(offset, "mbarrier_arrive").key());
  hopper().arrive(offset, expect_bytes, "mbarrier_arrive");
}

void mbarrier_arrive_remote(std::uint64_t* barrier, int cta_rank) {
  const Quiet quiet;
  const std::size_t offset = barrier_offset(barrier, "mbarrier_arrive_remote");
  HopperBlock& there = peer(cta_rank, "mbarrier_arrive_remote");
  const Barrier& at = there.barrier(offset, "mbarrier_arrive_remote");
  if (!at.shown && &there.block() != &current_block()) {
    fault("mbarrier_arrive_remote: no mbarrier_fence_init by the thread that made the barrier");
  }
  order_release(at.key());
  there.arrive(offset, 0, "mbarrier_arrive_remote");
}

void mbarrier_wait(std::uint64_t* barrier, int parity) {
  const Quiet quiet;
  require_parity(parity, "mbarrier_wait");
  const Barrier& at = hopper().barrier(barrier_offset(barrier, "mbarrier_wait"), "mbarrier_wait");
  wait_until("mbarrier_wait", [&] { return (at.phase & 1) != static_cast<unsigned>(parity); });
  order_acquire(&at.keys[parity]);
}

bool mbarrier_test(std::uint64_t* barrier, int parity) {
  const Quiet quiet;
  require_parity(parity, "mbarrier_test");
  const Barrier& at = hopper().barrier(barrier_offset(barrier, "mbarrier_test"), "mbarrier_test");
  if ((at.phase & 1) == static_cast<unsigned>(parity)) yield("mbarrier_test");
  if ((at.phase & 1) == static_cast<unsigned>(parity)) return false;
  order_acquire(&at.keys[parity]);
  return true;
}

void cluster_sync() {
  const Quiet quiet;
  cluster_collective("cluster_sync");
}

void set_registers(int registers, bool increase) {
  const Quiet quiet;
  Block& block = current_block();
  block.states.get<RegisterPool>(block).set(registers, increase);
}

}  // namespace breakeven::simt
