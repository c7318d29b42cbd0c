#include "kernels/simt/shadow_thread.h"

#include <vector>

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_read_range(const void* begin, unsigned long bytes);
extern "C" void __tsan_write_range(void* begin, unsigned long bytes);
#endif

namespace breakeven::simt {

#if defined(__SANITIZE_THREAD__)

namespace {

// Nothing of what runs in a shadow's name may touch this stack: it isn't the shadow's.
#define BREAKEVEN_UNSEEN __attribute__((no_sanitize_thread, noinline))

BREAKEVEN_UNSEEN void* become(void* fiber) {
  void* const before = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
  return before;
}

// ThreadSanitizer has room for some thousands and remembers the dead: they are used again.
std::vector<void*>& spare() {
  static auto* const spare = new std::vector<void*>;
  return *spare;
}

}  // namespace

void* ShadowThread::take() {
  const Quiet quiet;
  if (spare().empty()) return __tsan_create_fiber(0);
  void* const fiber = spare().back();
  spare().pop_back();
  return fiber;
}

void ShadowThread::give_back() {
  const Quiet quiet;
  join_caller();
  spare().push_back(fiber_);
}

BREAKEVEN_UNSEEN void ShadowThread::follow_caller() {
  __tsan_release(&key_);
  void* const caller = become(fiber_);
  __tsan_acquire(&key_);
  become(caller);
}

BREAKEVEN_UNSEEN void ShadowThread::join_caller() {
  note_release(&key_);
  __tsan_acquire(&key_);
}

BREAKEVEN_UNSEEN void ShadowThread::note_read(const void* begin, std::size_t bytes) {
  void* const caller = become(fiber_);
  __tsan_read_range(begin, bytes);
  become(caller);
}

BREAKEVEN_UNSEEN void ShadowThread::note_write(const void* begin, std::size_t bytes) {
  void* const caller = become(fiber_);
  __tsan_write_range(const_cast<void*>(begin), bytes);
  become(caller);
}

BREAKEVEN_UNSEEN void ShadowThread::note_release(const void* key) {
  void* const caller = become(fiber_);
  __tsan_release(const_cast<void*>(key));
  become(caller);
}

#else

void* ShadowThread::take() { return nullptr; }
void ShadowThread::give_back() {}
void ShadowThread::follow_caller() {}
void ShadowThread::join_caller() {}
void ShadowThread::note_read(const void*, std::size_t) {}
void ShadowThread::note_write(const void*, std::size_t) {}
void ShadowThread::note_release(const void*) {}

#endif

}  // namespace breakeven::simt
