// cp.async: a copy's destination is garbage (0xFF) from the moment that it is issued, and its data
// arrives one copy at a time, at moments drawn from the seed, at the latest in the wait for it.
#include "kernels/simt/hopper_state.h"
#include "kernels/simt/machine.h"
#include "kernels/simt/ptx_base.h"

namespace breakeven::simt {
namespace {

// These accesses are the kernel's own, for the sanitizers to see; of any type's memory.
using Word [[gnu::may_alias]] = std::uint32_t;

void write_words(void* to, int bytes, const std::uint32_t* words) {
  for (int i = 0; i < bytes / 4; ++i) static_cast<Word*>(to)[i] = words[i];
}

constexpr std::uint32_t kGarbage[4] = {~0u, ~0u, ~0u, ~0u};
constexpr std::uint32_t kEarlyOneIn = 4;

// Takes copy `index` out of the list; quietly. The caller writes it, as its thread.
AsyncCopy take(Runner& runner, std::size_t index) {
  const AsyncCopy copy = runner.copies[index];
  runner.copies.erase(runner.copies.begin() + static_cast<std::ptrdiff_t>(index));
  return copy;
}

bool take_early(AsyncCopy& copy) {
  const Quiet quiet;
  Runner& runner = Machine::instance().current();
  if (runner.copies.empty() || draw(kEarlyOneIn) != 0) return false;
  copy = take(runner, draw(static_cast<std::uint32_t>(runner.copies.size())));
  return true;
}

bool take_older(unsigned pending, AsyncCopy& copy) {
  const Quiet quiet;
  Runner& runner = Machine::instance().current();
  if (runner.copies.empty()) return false;
  // Groups are numbered modulo 2^32; the list is in their order.
  const unsigned age = runner.copy_group - runner.copies.front().group;
  if (runner.copies.front().group == runner.copy_group || age <= pending) return false;
  copy = take(runner, 0);
  return true;
}

}  // namespace

void cp_async(void* shared, const void* global, int bytes, bool valid, const Site& where) {
  const auto size = static_cast<std::size_t>(bytes);
  require_aligned(shared, size, "cp.async's destination");
  require_aligned(global, size, "cp.async's source");
  shared_offset(shared, "cp.async's destination");
  require_free(shared, size, true, "cp.async");
  if (valid && is_shared(global)) fault("cp.async's source lies in shared memory");
  count_access(Space::shared, true, shared, size, where);
  if (valid) count_access(Space::global, false, global, size, where);
  AsyncCopy copy{shared, bytes, 0, {}};
  if (valid) {
    for (int i = 0; i < bytes / 4; ++i) copy.words[i] = static_cast<const Word*>(global)[i];
  }
  write_words(shared, bytes, kGarbage);
  const Quiet quiet;
  ++counters().async_copies;
  Runner& runner = Machine::instance().current();
  copy.group = runner.copy_group;
  runner.copies.push_back(copy);
}

void cp_async_commit() {
  AsyncCopy copy;
  if (take_early(copy)) write_words(copy.to, copy.bytes, copy.words);
  const Quiet quiet;
  ++Machine::instance().current().copy_group;
}

void cp_async_wait(int pending) {
  AsyncCopy copy;
  while (take_older(static_cast<unsigned>(pending), copy)) {
    write_words(copy.to, copy.bytes, copy.words);
  }
  if (take_early(copy)) write_words(copy.to, copy.bytes, copy.words);
}

}  // namespace breakeven::simt
