// The scheduler's own state: which threads of the cluster can run, who waits for what. For the
// files that implement kernels/simt/scheduler.h; models use that.
#pragma once

#include <array>
#include <bitset>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <source_location>
#include <vector>

#include "kernels/simt/fiber.h"
#include "kernels/simt/random.h"
#include "kernels/simt/scheduler.h"
#include "kernels/simt/simt.h"

namespace breakeven::simt {

/// A cp.async that hasn't arrived. Its source was read when it was issued.
struct AsyncCopy {
  void* to;
  int bytes;
  unsigned group;
  std::uint32_t words[4];
};

struct Runner : Thread {
  Fiber fiber;
  bool started = false;  // its fiber is inside the kernel
  const char* waits_for = nullptr;
  unsigned line = 0;  // of the wait, where it is known
  detail::Predicate ready = nullptr;
  void* ready_context = nullptr;
  std::vector<AsyncCopy> copies;
  unsigned copy_group = 0;
  const void* last_atomic = nullptr;
  bool fenced = false;  // since its last atomic
};

/// An operation that some lanes of a warp or warpgroup have come to.
struct Collective {
  const char* operation;
  std::uint32_t mask;
  std::uint32_t came;  // lanes of a warp; of a warpgroup only `arrived` says how many
  int arrived;
  bool all_alive;
  detail::Compute compute;
  void* context;
  std::array<void*, 128> deposits;
};

struct Group {             // a warp or a warpgroup
  std::uint32_t gone = 0;  // lanes that have returned or never were; of a warpgroup, modulo 32
  std::vector<std::unique_ptr<Collective>> active;
  std::vector<std::unique_ptr<Collective>> spare;
};

struct NamedBarrier {
  struct Warp {
    int came = 0;  // lanes, in this phase
    bool wait = false;
    std::source_location where;
  };
  int expected = 0;  // 0: nobody has come in this phase
  int arrived = 0;
  unsigned phase = 0;
  std::bitset<1024> came;
  std::array<Warp, 32> warps;
  std::vector<Runner*> waiting;
  char keys[2] = {};  // ThreadSanitizer's, by the phase's parity
};

struct TakenArray {
  std::size_t begin;
  std::size_t bytes;
  std::size_t alignment;
};

struct WarpOrder {  // ThreadSanitizer's keys of one thread's __syncwarp, by turns
  char keys[2];
  int turn = 0;
};

struct BlockRecord : Block {
  ~BlockRecord();

  int first_runner = 0;  // of the machine's
  int finished = 0;
  std::vector<Group> warps;
  std::vector<Group> warpgroups;
  std::vector<WarpOrder> warp_order;
  // __syncthreads
  std::vector<Runner*> at_barrier;
  std::source_location barrier_site;
  unsigned barrier_phase = 0;
  char barrier_keys[2];
  std::array<NamedBarrier, 16> named;
  // Shared memory.
  std::byte* arena = nullptr;
  std::size_t arena_bytes = 0;      // with what AddressSanitizer's red zones need
  std::size_t requested_bytes = 0;  // by the launch
  std::size_t taken_bytes = 0;      // as the device counts them
  std::size_t arena_used = 0;       // as they lie here
  std::vector<TakenArray> taken;
  // Static arrays lie at the arena's end, filled when they are first asked for.
  std::size_t static_bytes = 0;                                    // as the device counts them
  std::size_t static_end = 0;                                      // as they lie here
  std::vector<std::pair<const void*, std::size_t>> static_arrays;  // by what names them
};

struct ClusterRecord : Cluster {
  std::vector<std::unique_ptr<BlockRecord>> blocks;
  std::vector<Runner*> at_barrier;
  unsigned barrier_phase = 0;
  char barrier_keys[2];
};

/// Runs the blocks of one cluster. One exists; its fibers are kept from launch to launch.
class Machine {
 public:
  static Machine& instance();

  /// Makes ready for launches of this shape; `seed` begins their draws.
  void prepare(const LaunchShape& shape, std::uint64_t seed);
  /// Runs `kernel` in each thread of the cluster whose first block is `first`.
  void run_cluster(uint3 first, const std::function<void()>& kernel);

  Runner& current() { return *current_; }
  BlockRecord& block() { return static_cast<BlockRecord&>(*current_->block); }
  ClusterRecord& cluster() { return cluster_; }
  Runner& runner(const BlockRecord& block, int number) {
    return runners_[static_cast<std::size_t>(block.first_runner) +
                    static_cast<std::size_t>(number)];
  }
  int unfinished() const { return unfinished_; }
  Random& random() { return random_; }

  /// Suspends the current thread until wake(), or until `ready` holds where there is one.
  void suspend(const char* what, unsigned line, detail::Predicate ready = nullptr,
               void* context = nullptr);
  void wake(Runner& runner);
  void yield(const char* what);

  Operation defer(const char* what, std::function<void()> complete);
  void complete_now(Operation operation);
  bool is_complete(Operation operation) const;

 private:
  struct Deferred {
    Operation operation;
    const char* what;
    std::function<void()> complete;
  };

  static void fiber_main();
  void run_kernel();
  void finish_current();
  void cancel_all();
  Runner* next();
  void poll();
  void complete(std::size_t index);
  void switch_to(Runner& to);
  [[noreturn]] void report_deadlock();

  Runner main_;  // run_cluster()'s caller
  Runner* current_ = &main_;
  std::deque<Runner> runners_;
  ClusterRecord cluster_;
  LaunchShape shape_;
  Random random_{1};
  const std::function<void()>* kernel_ = nullptr;
  std::vector<Runner*> ready_;
  std::vector<Runner*> polling_;
  std::vector<Deferred> deferred_;
  Operation next_operation_ = 1;
  int unfinished_ = 0;
  std::uint64_t idle_yields_ = 0;
  bool cancelling_ = false;
  std::exception_ptr failure_;
  char begin_key_;
  char end_key_;
};

/// Fills the arena with NaNs and forgets what was taken of it.
void reset_arena(BlockRecord& block, std::size_t requested_bytes);
/// A thread has returned: what its barriers, warp and copies say to that.
void check_finished_thread(Runner& runner);

}  // namespace breakeven::simt
