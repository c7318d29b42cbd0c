#include "kernels/simt/counting.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <tuple>

#include "kernels/simt/hopper_state.h"
#include "kernels/simt/machine.h"

namespace breakeven::simt {
namespace {

struct Place {
  const char* file;
  unsigned line;
  unsigned column;
  Space space;
  auto operator<=>(const Place&) const = default;
};

struct Instruction {
  std::uint64_t addresses[32];
  std::uint32_t mask = 0;
  std::size_t bytes = 0;
};

void fold(Space space, const Instruction& instruction) {
  Counters& count = counters();
  if (space == Space::shared) {
    const BankPasses passes =
        bank_passes(instruction.addresses, instruction.mask, instruction.bytes);
    count.shared_wavefronts += static_cast<std::uint64_t>(passes.passes);
    count.shared_bank_conflicts += static_cast<std::uint64_t>(passes.passes - passes.least);
  } else {
    ++count.global_requests;
    count.global_sectors += static_cast<std::uint64_t>(
        sectors(instruction.addresses, instruction.mask, instruction.bytes));
  }
}

// Accesses of a block's threads, until their warps are complete or the block ends.
class AccessLog final : public State {
 public:
  void note(const Thread& thread, Space space, const void* address, std::size_t bytes,
            const Site& where) {
    const Place place{where.file_name(), where.line(), where.column(), space};
    const unsigned occurrence = occurrences_[{thread.number, place}]++;
    const Key key{thread.warp(), place, occurrence};
    Instruction& instruction = open_[key];
    instruction.addresses[thread.lane()] = reinterpret_cast<std::uint64_t>(address);
    instruction.mask |= 1u << thread.lane();
    instruction.bytes = std::max(instruction.bytes, bytes);
    if (instruction.mask != 0xffffffffu) return;
    fold(space, instruction);
    open_.erase(key);
  }

  void all_finished() override {
    for (const auto& [key, instruction] : open_) fold(std::get<1>(key).space, instruction);
    open_.clear();
  }

 private:
  using Key = std::tuple<int, Place, unsigned>;
  std::map<std::pair<int, Place>, unsigned> occurrences_;
  std::map<Key, Instruction> open_;
};

}  // namespace

BankPasses bank_passes(const std::uint64_t (&addresses)[32], std::uint32_t mask,
                       std::size_t bytes) {
  // Wide accesses are served in as many parts as keep a part within 128 bytes.
  const int lanes_at_once = bytes <= 4 ? 32 : std::max(1, static_cast<int>(128 / bytes));
  BankPasses passes{0, 0};
  for (int first = 0; first < 32; first += lanes_at_once) {
    std::uint64_t words[64];
    int count = 0;
    for (int lane = first; lane < first + lanes_at_once; ++lane) {
      if ((mask >> lane & 1u) == 0) continue;
      const std::uint64_t last = (addresses[lane] + bytes - 1) / 4;
      for (std::uint64_t word = addresses[lane] / 4; word <= last; ++word) words[count++] = word;
    }
    if (count == 0) continue;
    std::sort(words, words + count);
    const auto distinct = std::unique(words, words + count) - words;
    int per_bank[32] = {};
    for (std::ptrdiff_t i = 0; i < distinct; ++i) ++per_bank[words[i] % 32];
    passes.passes += *std::max_element(per_bank, per_bank + 32);
    ++passes.least;
  }
  return passes;
}

int sectors(const std::uint64_t (&addresses)[32], std::uint32_t mask, std::size_t bytes) {
  std::uint64_t touched[64];
  int count = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1u) == 0) continue;
    touched[count++] = addresses[lane] / 32;
    const std::uint64_t last = (addresses[lane] + bytes - 1) / 32;
    if (last != touched[count - 1]) touched[count++] = last;
  }
  std::sort(touched, touched + count);
  return static_cast<int>(std::unique(touched, touched + count) - touched);
}

void count_access(Space space, bool write, const void* address, std::size_t bytes,
                  const Site& where) {
  const char* what =
      space == Space::shared ? "an access to shared memory" : "an access to global memory";
  require_aligned(address, bytes, what);
  if (space == Space::shared) {
    shared_offset(address, what);
    require_free(address, bytes, write, what);
  } else if (is_shared(address)) {
    fault(std::string(what) + ": the address is in shared memory");
  }
  const Quiet quiet;
  if (!settings().count_accesses) return;
  block_state<AccessLog>().note(current_thread(), space, address, bytes, where);
}

void count_warp_access(Space space, const void* const* addresses, std::uint32_t mask,
                       std::size_t bytes) {
  if (!settings().count_accesses) return;
  Instruction instruction;
  for (int lane = 0; lane < 32; ++lane) {
    instruction.addresses[lane] = reinterpret_cast<std::uint64_t>(addresses[lane]);
  }
  instruction.mask = mask;
  instruction.bytes = bytes;
  fold(space, instruction);
}

}  // namespace breakeven::simt
