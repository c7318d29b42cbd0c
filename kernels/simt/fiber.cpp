#include "kernels/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "kernels/simt/sanitizers.h"

// What runs between the sanitizer's switch and the real one belongs to neither fiber.
#if defined(__SANITIZE_THREAD__)
#define BREAKEVEN_UNINSTRUMENTED __attribute__((no_sanitize_thread, noinline))
#else
#define BREAKEVEN_UNINSTRUMENTED
#endif

namespace breakeven::simt {
namespace {

using boost::context::detail::transfer_t;

constexpr std::size_t kStackBytes = 256 * 1024;  // touched pages only cost memory
constexpr std::size_t kColorBytes = 256;
constexpr int kColors = 16;

// Both ends of a jump: the one that starts it, and the arrival on the other stack.
struct Transfer {
  Fiber* from;
  Fiber* to;
};

}  // namespace

void Fiber::start(Main main, int color) {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (mprotect(memory, page, PROT_NONE) != 0) {
    const int reason = errno;
    munmap(memory, kStackBytes);
    throw std::system_error(reason, std::generic_category(), "guarding a fiber's stack");
  }
  main_ = main;
  bottom_ = static_cast<std::byte*>(memory) + page;
  bytes_ = kStackBytes - page - static_cast<std::size_t>(color % kColors) * kColorBytes;
  void* top = static_cast<std::byte*>(memory) + page + bytes_;
  context_ = boost::context::detail::make_fcontext(top, bytes_, &Fiber::enter);
#if defined(__SANITIZE_THREAD__)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

void Fiber::adopt_current() {
#if defined(__SANITIZE_THREAD__)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

BREAKEVEN_UNINSTRUMENTED void Fiber::switch_to(Fiber& from, Fiber& to) {
  Transfer out{&from, &to};
  const auto target = to.context_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.tsan_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
  const transfer_t in = boost::context::detail::jump_fcontext(target, &out);
  // Back on this stack; `in` describes whoever jumped here.
  Fiber& previous = *static_cast<Transfer*>(in.data)->from;
  previous.context_ = in.fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack_, &previous.bottom_, &previous.bytes_);
#endif
}

BREAKEVEN_UNINSTRUMENTED void Fiber::enter(transfer_t in) {
  const Transfer transfer = *static_cast<Transfer*>(in.data);
  transfer.from->context_ = in.fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &transfer.from->bottom_, &transfer.from->bytes_);
#endif
  transfer.to->main_();
}

}  // namespace breakeven::simt
