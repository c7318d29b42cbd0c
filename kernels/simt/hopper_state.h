// What the models of Hopper's primitives know of a block: its barriers, which pieces of its shared
// memory are read or written by something that hasn't been waited for, and what the asynchronous
// proxy (TMA and wgmma) sees of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "kernels/simt/hopper_memory.h"
#include "kernels/simt/scheduler.h"
#include "kernels/simt/shadow_thread.h"

namespace breakeven::simt {

/// One mbarrier. The word in shared memory only says that nobody wrote over it.
struct Barrier {
  int expected = 0;
  int pending = 0;          ///< arrivals still to come in this phase
  std::int64_t bytes = 0;   ///< announced minus arrived; negative while bytes are early
  std::uint64_t phase = 0;  ///< phases that have ended
  int initialiser = 0;      ///< thread
  bool shown = false;       ///< mbarrier_fence_init since then
  std::uint64_t word = 0;
  /// For ThreadSanitizer: what arrived in the phases of each parity. One that comes in a phase must
  /// not be ordered before those who wait for an earlier one.
  char keys[2] = {};
  std::unique_ptr<ShadowThread> copier;  ///< makes the TMA loads that it counts

  /// Of the phase in progress.
  const char* key() const { return &keys[phase & 1]; }
};

/// An operation that may be in no hurry: a launch's seed makes its copies and multiplications
/// prompt or slow, so that some seeds show a wait that is missing and others one that is too late.
struct Later {
  std::function<void()> effect;
  int patience = 0;  ///< how many of the scheduler's turns for it still pass unused
  Operation operation = 0;
};
std::shared_ptr<Later> later(const char* what, std::function<void()> effect);
/// Makes its effect happen, unless it has.
void finish_now(Later& later);

class HopperBlock : public State {
 public:
  explicit HopperBlock(Block& block);

  /// The barrier at `offset`; faults, naming `what`, where there is none or it was overwritten.
  Barrier& barrier(std::size_t offset, const char* what);
  void make_barrier(std::size_t offset, int arrivals);
  void show_barriers(int thread);

  /// Ends the phase if all has come.
  static void settle(Barrier& barrier);
  void arrive(std::size_t offset, std::int64_t expect_bytes, const char* what);
  void complete_bytes(std::size_t offset, std::int64_t bytes);

  /// Faults, naming `what`, where a copy still writes the 16-byte pieces of [offset, + bytes), or,
  /// for a write, a copy or wgmma still reads them.
  void require_free(std::size_t offset, std::size_t bytes, bool write, const char* what) const;
  void add_reader(std::size_t offset, std::size_t bytes, int by);
  void add_writer(std::size_t offset, std::size_t bytes, int by);

  /// The 16-byte piece at `address` as the asynchronous proxy sees it: what TMA wrote, and what
  /// threads had written when one of them last called fence_async_proxy. The rest is still 0xFF.
  /// (Where it reads a kilobyte for the first time, or TMA filled it, and some thread has fenced
  /// since, it sees what threads have written until now.)
  const std::byte* visible(std::size_t address);
  /// TMA has written [offset, + bytes) of shared memory.
  void show_written(std::size_t offset, std::size_t bytes);
  void fence();

  Block& block() const { return block_; }
  int patience() const { return patience_; }
  bool alive() const;

 private:
  void copy_page(std::size_t page);

  Block& block_;
  int patience_;
  std::map<std::size_t, Barrier> barriers_;
  std::vector<std::int16_t> readers_;  // per 16-byte piece
  std::vector<std::int16_t> writers_;
  std::vector<std::byte> async_view_;
  std::uint64_t fences_ = 0;
  std::vector<std::uint64_t> filled_;  // per kilobyte: fences_ + 1 when TMA filled it, or 0
  std::vector<bool> read_;             // per kilobyte: by the asynchronous proxy
};

HopperBlock& hopper(Block& block);
inline HopperBlock& hopper() { return hopper(current_block()); }

/// HopperBlock::require_free for the accesses of other primitives, in shared memory.
void require_free(const void* address, std::size_t bytes, bool write, const char* what);

/// The block of this rank in the current cluster; faults, naming `what`, where there is none or its
/// threads have all returned.
HopperBlock& peer(int rank, const char* what);

}  // namespace breakeven::simt
