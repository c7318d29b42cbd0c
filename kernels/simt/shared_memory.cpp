// A block's shared memory: one arena, handed out array by array. Under AddressSanitizer there are
// red zones between arrays, so that their places differ from the device's; the sum doesn't.
#include <sys/mman.h>

#include <cstring>
#include <new>

#include "kernels/simt/machine.h"
#include "kernels/simt/ptx_base.h"

namespace breakeven::simt {
namespace {

constexpr std::size_t kArenaAlignment = 1024;
constexpr std::size_t kMostStatic = 48 * 1024;
constexpr std::size_t kMostTogether = 227 * 1024;
constexpr std::size_t kStaticAlignment = 128;
constexpr std::size_t kRedZone = kAddressSanitizer ? 128 : 0;
constexpr std::size_t kMostArrays = kAddressSanitizer ? 32 : 0;  // whose red zones have room

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

BlockRecord::~BlockRecord() {
  asan_unpoison(arena, arena_bytes);
  ::operator delete(arena, std::align_val_t{kArenaAlignment});
}

void reset_arena(BlockRecord& block, std::size_t requested_bytes) {
  const std::size_t dynamic = round_up(requested_bytes, kArenaAlignment) + kArenaAlignment +
                              kMostArrays * (kRedZone + kArenaAlignment);
  const std::size_t needed = dynamic + kMostStatic + kMostArrays * kRedZone;
  asan_unpoison(block.arena, block.arena_bytes);
  if (needed > block.arena_bytes) {
    ::operator delete(block.arena, std::align_val_t{kArenaAlignment});
    block.arena = nullptr;
    block.arena_bytes = 0;
    block.arena =
        static_cast<std::byte*>(::operator new(needed, std::align_val_t{kArenaAlignment}));
    block.arena_bytes = needed;
  }
  std::memset(block.arena, 0xff, dynamic);
  asan_poison(block.arena, block.arena_bytes);
  block.requested_bytes = requested_bytes;
  block.taken_bytes = 0;
  block.arena_used = 0;
  block.taken.clear();
  block.static_bytes = 0;
  block.static_end = dynamic;
  block.static_arrays.clear();
}

void* static_shared(const void* key, std::size_t bytes) {
  const Quiet quiet;
  BlockRecord& block = Machine::instance().block();
  for (const auto& [other, begin] : block.static_arrays) {
    if (other == key) return block.arena + begin;
  }
  block.static_bytes = round_up(block.static_bytes, kStaticAlignment) + bytes;
  if (block.static_bytes > kMostStatic) {
    fault("takes " + std::to_string(block.static_bytes) + " bytes of static shared memory");
  }
  if (block.static_bytes + block.requested_bytes > kMostTogether) {
    fault("takes " + std::to_string(block.static_bytes) + " bytes of static shared memory beside " +
          std::to_string(block.requested_bytes) +
          " that the launch asked for: more than there are");
  }
  const std::size_t begin = round_up(block.static_end, kStaticAlignment);
  if (begin + bytes + kRedZone > block.arena_bytes) {
    fault("takes more static arrays than the emulator's red zones have room for");
  }
  block.static_end = begin + bytes + kRedZone;
  block.static_arrays.emplace_back(key, begin);
  asan_unpoison(block.arena + begin, bytes);
  std::memset(block.arena + begin, 0xff, bytes);
  return block.arena + begin;
}

void* take_shared(int sequence, std::size_t bytes, std::size_t alignment) {
  const Quiet quiet;
  BlockRecord& block = Machine::instance().block();
  if (alignment == 0 || alignment > kArenaAlignment || (alignment & (alignment - 1)) != 0) {
    fault("takes shared memory aligned to " + std::to_string(alignment) +
          " bytes; powers of two up to 1024 can be had");
  }
  const auto number = static_cast<std::size_t>(sequence);
  if (number == block.taken.size()) {
    block.taken_bytes = round_up(block.taken_bytes, alignment) + bytes;
    if (block.taken_bytes > block.requested_bytes) {
      fault("takes " + std::to_string(block.taken_bytes) +
            " bytes of shared memory, the launch asked for " +
            std::to_string(block.requested_bytes));
    }
    const std::size_t begin = round_up(block.arena_used, alignment);
    if (begin + bytes + kRedZone > block.arena_bytes) {
      fault("takes more arrays of shared memory than the emulator's red zones have room for");
    }
    block.arena_used = begin + bytes + kRedZone;
    block.taken.push_back({begin, bytes, alignment});
    asan_unpoison(block.arena + begin, bytes);
  }
  const TakenArray& array = block.taken[number];
  if (array.bytes != bytes || array.alignment != alignment) {
    fault("array " + std::to_string(number) + " of shared memory: takes " + std::to_string(bytes) +
          " bytes aligned to " + std::to_string(alignment) + ", another thread took " +
          std::to_string(array.bytes) + " aligned to " + std::to_string(array.alignment));
  }
  return block.arena + array.begin;
}

bool is_shared(const void* pointer) {
  const Quiet quiet;
  const BlockRecord& block = Machine::instance().block();
  const auto* byte = static_cast<const std::byte*>(pointer);
  return byte >= block.arena && byte < block.arena + block.arena_bytes;
}

std::size_t shared_offset(const void* pointer, const char* what) {
  if (!is_shared(pointer)) fault(std::string(what) + ": the address isn't in shared memory");
  const Quiet quiet;
  return static_cast<std::size_t>(static_cast<const std::byte*>(pointer) -
                                  Machine::instance().block().arena);
}

void require_aligned(const void* pointer, std::size_t alignment, const char* what) {
  if (reinterpret_cast<std::uintptr_t>(pointer) % alignment != 0) {
    fault(std::string(what) + ": the address isn't a multiple of " + std::to_string(alignment) +
          " bytes");
  }
}

}  // namespace breakeven::simt
