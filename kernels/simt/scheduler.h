// The emulator from within: what the models of primitives are built on. Each CUDA thread is a
// fiber; all of them share one thread of the operating system, so a model needs no locks. A fiber
// runs until it blocks; which one runs next is drawn from the seed.
//
// Models run quietly: ThreadSanitizer must see the kernel's accesses, not the emulator's own. Begin
// each function that touches emulator state with `const Quiet quiet;` and leave outside it the
// accesses that the kernel's thread makes (reading its row, writing its result).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "kernels/simt/fault.h"
#include "kernels/simt/sanitizers.h"
#include "kernels/simt/types.h"

namespace breakeven::simt {

class Block;
class Cluster;
class Thread;

/// State that a model keeps for a block or a cluster, made on first use, gone with the block.
class State {
 public:
  virtual ~State() = default;
  /// A thread of the block has returned from the kernel; may call fault().
  virtual void thread_finished(Thread&) {}
  /// All threads have returned; may call fault(). Runs in no thread.
  virtual void all_finished() {}
};

/// Holds at most one State of each type.
class States {
 public:
  template <class T, class... A>
  T& get(A&&... arguments) {
    for (auto& [type, state] : states_) {
      if (type == typeid(T)) return static_cast<T&>(*state);
    }
    states_.emplace_back(typeid(T), std::make_unique<T>(std::forward<A>(arguments)...));
    return static_cast<T&>(*states_.back().second);
  }
  /// Null where there is none yet.
  template <class T>
  T* find() {
    for (auto& [type, state] : states_) {
      if (type == typeid(T)) return static_cast<T*>(state.get());
    }
    return nullptr;
  }
  void thread_finished(Thread& thread);
  void all_finished();
  void clear() { states_.clear(); }

 private:
  std::vector<std::pair<std::type_index, std::unique_ptr<State>>> states_;
};

/// One CUDA thread. Its number in the block counts x fastest, as the hardware's does.
class Thread {
 public:
  uint3 index{};  // threadIdx
  int number = 0;
  Block* block = nullptr;
  bool finished = false;

  int lane() const { return number % 32; }
  int warp() const { return number / 32; }
  int warpgroup() const { return number / 128; }
};

/// One CUDA block. Its shared memory lies in [shared_begin, shared_begin + shared_capacity).
class Block {
 public:
  uint3 index{};  // blockIdx
  int rank = 0;   // in the cluster
  int thread_count = 0;
  Cluster* cluster = nullptr;
  States states;

  /// Thread `number` of this block.
  Thread& thread(int number) const;
  std::byte* shared_begin() const;
  std::size_t shared_capacity() const;
};

/// Blocks that run together. A launch without clusters has clusters of one block.
class Cluster {
 public:
  States states;
  int size() const;
  Block& block(int rank) const;
};

namespace detail {
extern Thread* running;  // null outside kernels
}

/// The fiber that runs. Only inside a kernel.
inline Thread& current_thread() { return *detail::running; }
inline Block& current_block() { return *current_thread().block; }
inline Cluster& current_cluster() { return *current_block().cluster; }

/// A T per block, per cluster: a class derived from State.
template <class T>
T& block_state() {
  return current_block().states.get<T>();
}
template <class T>
T& cluster_state() {
  return current_cluster().states.get<T>();
}

/// Blocks this thread until `ready()` is true. `what` names the wait in a deadlock's report and
/// must outlive it. The predicate is asked from other fibers, quietly: it may read emulator state
/// and what it captured, and must neither block nor ask for the current thread.
/// Faults with the list of who waits for what when nothing in the cluster can ever go on.
template <class Ready>
void wait_until(const char* what, Ready&& ready);

/// Lets others run now and then, so that primitives without a wait interleave, too.
void maybe_yield(const char* what);
/// Lets others run; for a thread that polls. Faults where nobody is left who could change anything.
void yield(const char* what);

/// An asynchronous operation, `complete` being its effect. It happens at a moment drawn from the
/// seed while fibers switch, at the latest when every thread of the cluster is blocked. Quietly,
/// and in no thread's name: it must not ask for the current thread, block or cluster, nor order
/// memory (release when issuing, acquire after waiting). One that is open when all threads have
/// returned is a fault, naming `what`.
using Operation = std::uint64_t;
Operation defer(const char* what, std::function<void()> complete);
/// Completes `operation` now, unless it has happened already.
void complete_now(Operation operation);
bool is_complete(Operation operation);

/// A number below `bound` from the launch's seed, for a model's own choices.
std::uint32_t draw(std::uint32_t bound);

/// A warp's operation: blocks until every lane of `mask` that hasn't returned from the kernel has
/// come with the same mask and operation; then the last to come runs compute(deposits), deposits[i]
/// being lane i's `mine` or null, and all go on. It orders no memory (__syncwarp does).
/// Faults where a lane isn't in its own mask or lanes of one mask come with different operations.
template <class Deposit, class Compute>
void warp_collective(const char* operation, std::uint32_t mask, Deposit& mine, Compute&& compute);

/// The same among all 32 lanes, none of which may have returned (mma, ldmatrix).
template <class Deposit, class Compute>
void full_warp_collective(const char* operation, Deposit& mine, Compute&& compute);

/// The same among the 128 threads of a warpgroup (wgmma); compute(deposits) gets 128 of them.
template <class Deposit, class Compute>
void warpgroup_collective(const char* operation, Deposit& mine, Compute&& compute);

/// The same among all threads of the cluster (barrier.cluster): compute() takes no deposits.
void cluster_collective(const char* operation);

/// Where `pointer` lies in the current block's shared memory, in bytes from its begin, which is
/// 1024-byte aligned. Faults, naming `what`, where it lies elsewhere.
std::size_t shared_offset(const void* pointer, const char* what);
bool is_shared(const void* pointer);
/// Faults, naming `what`, unless `pointer` is a multiple of `alignment` bytes.
void require_aligned(const void* pointer, std::size_t alignment, const char* what);

/// For ThreadSanitizer: what happened before order_release(key) is seen after order_acquire(key).
/// Nothing elsewhere. The keys are addresses, of emulator state.
inline void order_release(const void* key) { tsan_release(key); }
inline void order_acquire(const void* key) { tsan_acquire(key); }

}  // namespace breakeven::simt

#include "kernels/simt/scheduler_inline.h"
