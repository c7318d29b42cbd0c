// Barriers, warp shuffles and votes, atomics: the models behind kernels/simt/language.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <source_location>

#include "kernels/simt/scheduler.h"

namespace breakeven::simt {

void block_barrier(const std::source_location& where);
void named_barrier(int id, int threads, bool wait, const std::source_location& where);
/// Unlike the other warp operations it orders memory among its lanes.
void warp_barrier(std::uint32_t mask);
std::uint32_t ballot(std::uint32_t mask, bool predicate);
std::uint32_t match_any(std::uint32_t mask, std::uint64_t value);
/// Gives lane `source`'s bits to each lane; at most 16 bytes. A source outside the mask faults.
void shuffle_bits(std::uint32_t mask, void* value, std::size_t bytes, int source);

template <class T>
T shuffle(std::uint32_t mask, T value, int source) {
  static_assert(sizeof(T) <= 16);
  shuffle_bits(mask, &value, sizeof value, source);
  return value;
}

/// Before an atomic: lets others run now and then, and tells ThreadSanitizer what a fence before it
/// published. After one, thread_fence() sees what the last to touch that atomic had published.
void begin_atomic(const void* address);
void thread_fence();

/// Stores update(old value), returns the old value.
template <class T, class Update>
T atomic_update(T* to, Update update) {
  require_aligned(to, sizeof(T), "an atomic");
  begin_atomic(to);
  T old;
  __atomic_load(to, &old, __ATOMIC_RELAXED);
  T next;
  do {
    next = update(old);
  } while (!__atomic_compare_exchange(to, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace breakeven::simt
