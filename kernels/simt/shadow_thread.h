// Whom ThreadSanitizer takes for a thread of its own: what the hardware does behind the threads'
// backs (TMA's copies, wgmma's reads of its operands) happens in such a one's name, so that only
// the wait for it orders it before what threads do, and not, say, a __syncthreads.
#pragma once

#include <cstddef>

#include "kernels/simt/sanitizers.h"

namespace breakeven::simt {

/// Does nothing, and is nothing, in builds without ThreadSanitizer.
class ShadowThread {
 public:
  ShadowThread() {
    if constexpr (kThreadSanitizer) fiber_ = take();
  }
  /// As join().
  ~ShadowThread() {
    if constexpr (kThreadSanitizer) give_back();
  }
  ShadowThread(const ShadowThread&) = delete;
  ShadowThread& operator=(const ShadowThread&) = delete;

  /// What the caller has done or seen is before what this does from here on.
  void follow() {
    if constexpr (kThreadSanitizer) follow_caller();
  }
  /// What this has done is before what the caller does from here on.
  void join() {
    if constexpr (kThreadSanitizer) join_caller();
  }
  void read([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t bytes) {
    if constexpr (kThreadSanitizer) note_read(begin, bytes);
  }
  void write([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t bytes) {
    if constexpr (kThreadSanitizer) note_write(begin, bytes);
  }
  /// What this has done is seen after order_acquire(key).
  void release([[maybe_unused]] const void* key) {
    if constexpr (kThreadSanitizer) note_release(key);
  }

 private:
  static void* take();
  void give_back();
  void follow_caller();
  void join_caller();
  void note_read(const void* begin, std::size_t bytes);
  void note_write(const void* begin, std::size_t bytes);
  void note_release(const void* key);

  void* fiber_ = nullptr;  // ThreadSanitizer's
  char key_ = 0;
};

}  // namespace breakeven::simt
