#include "kernels/simt/hopper_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace breakeven::simt {

namespace {

constexpr std::size_t kPage = 1024;
constexpr int kPatience[] = {1, 16, 256};
constexpr std::int64_t kMostBytes = (1 << 20) - 1;  // that a phase can wait for

/// Copies without AddressSanitizer looking: red zones between arrays are copied as well.
__attribute__((no_sanitize("address"))) void copy_unseen(std::byte* to, const std::byte* from,
                                                         std::size_t bytes) {
  for (std::size_t i = 0; i + 8 <= bytes; i += 8) {
    *reinterpret_cast<std::uint64_t*>(to + i) = *reinterpret_cast<const std::uint64_t*>(from + i);
  }
  for (std::size_t i = bytes / 8 * 8; i < bytes; ++i) to[i] = from[i];
}

void take_turn(const char* what, const std::shared_ptr<Later>& later) {
  later->operation = defer(what, [what, later] {
    if (later->patience-- > 0) {
      take_turn(what, later);
    } else {
      std::exchange(later->effect, nullptr)();
    }
  });
}

}  // namespace

std::shared_ptr<Later> later(const char* what, std::function<void()> effect) {
  auto made = std::make_shared<Later>();
  made->effect = std::move(effect);
  made->patience = static_cast<int>(draw(static_cast<std::uint32_t>(hopper().patience())));
  take_turn(what, made);
  return made;
}

void finish_now(Later& later) {
  later.patience = 0;
  complete_now(later.operation);
}

HopperBlock::HopperBlock(Block& block)
    : block_(block),
      patience_(kPatience[draw(std::size(kPatience))]),
      readers_(block.shared_capacity() / 16 + 1),
      writers_(block.shared_capacity() / 16 + 1),
      async_view_((block.shared_capacity() / kPage + 1) * kPage, std::byte{0xFF}),
      filled_(block.shared_capacity() / kPage + 1),
      read_(block.shared_capacity() / kPage + 1) {}

Barrier& HopperBlock::barrier(std::size_t offset, const char* what) {
  const auto found = barriers_.find(offset);
  if (found == barriers_.end()) {
    fault(fmt::format("{}: no mbarrier_init at byte {} of shared memory", what, offset));
  }
  std::uint64_t word = 0;
  std::memcpy(&word, block_.shared_begin() + offset, sizeof word);
  if (word != found->second.word) {
    fault(fmt::format("{}: the barrier at byte {} was written over", what, offset));
  }
  return found->second;
}

void HopperBlock::make_barrier(std::size_t offset, int arrivals) {
  if (arrivals < 1 || arrivals > kMostBytes) {
    fault(fmt::format("mbarrier_init with {} arrivals", arrivals));
  }
  Barrier& barrier = barriers_[offset];
  barrier = {};
  barrier.copier = std::make_unique<ShadowThread>();
  barrier.expected = barrier.pending = arrivals;
  barrier.initialiser = current_thread().number;
  barrier.word = 0x6d62617272696572u ^ offset * 0x9e3779b97f4a7c15u;
  std::memcpy(block_.shared_begin() + offset, &barrier.word, sizeof barrier.word);
}

void HopperBlock::show_barriers(int thread) {
  for (auto& [offset, barrier] : barriers_) {
    if (barrier.initialiser == thread) barrier.shown = true;
  }
}

void HopperBlock::settle(Barrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
}

void HopperBlock::arrive(std::size_t offset, std::int64_t expect_bytes, const char* what) {
  Barrier& at = barrier(offset, what);
  if (at.pending == 0) {
    fault(fmt::format("{}: more than {} arrivals in one phase of the barrier at byte {}", what,
                      at.expected, offset));
  }
  at.bytes += expect_bytes;
  if (at.bytes > kMostBytes) fault(fmt::format("{}: {} bytes in one phase", what, at.bytes));
  --at.pending;
  settle(at);
}

void HopperBlock::complete_bytes(std::size_t offset, std::int64_t bytes) {
  Barrier& at = barrier(offset, "a TMA load");
  at.bytes -= bytes;
  if (at.bytes < 0 && at.pending == 0) {
    fault(fmt::format("a TMA load brought {} bytes more than its barrier at byte {} expected",
                      -at.bytes, offset));
  }
  at.copier->release(at.key());
  settle(at);
}

void HopperBlock::require_free(std::size_t offset, std::size_t bytes, bool write,
                               const char* what) const {
  for (std::size_t piece = offset / 16; piece * 16 < offset + bytes; ++piece) {
    if (writers_[piece] > 0) {
      fault(fmt::format("{} {} byte {} of shared memory, which a TMA load still writes", what,
                        write ? "writes" : "reads", piece * 16));
    }
    if (write && readers_[piece] > 0) {
      fault(
          fmt::format("{} writes byte {} of shared memory, which a wgmma or TMA store that "
                      "nobody has waited for still reads",
                      what, piece * 16));
    }
  }
}

void HopperBlock::add_reader(std::size_t offset, std::size_t bytes, int by) {
  for (std::size_t piece = offset / 16; piece * 16 < offset + bytes; ++piece) {
    readers_[piece] = static_cast<std::int16_t>(readers_[piece] + by);
  }
}

void HopperBlock::add_writer(std::size_t offset, std::size_t bytes, int by) {
  for (std::size_t piece = offset / 16; piece * 16 < offset + bytes; ++piece) {
    writers_[piece] = static_cast<std::int16_t>(writers_[piece] + by);
  }
}

const std::byte* HopperBlock::visible(std::size_t address) {
  const std::size_t page = address / kPage;
  if (filled_[page] != 0) {
    return (filled_[page] <= fences_ ? block_.shared_begin() : async_view_.data()) + address;
  }
  if (!read_[page]) {
    read_[page] = true;
    if (fences_ > 0) copy_page(page);
  }
  return async_view_.data() + address;
}

void HopperBlock::copy_page(std::size_t page) {
  copy_unseen(async_view_.data() + page * kPage, block_.shared_begin() + page * kPage,
              std::min(kPage, block_.shared_capacity() - page * kPage));
}

void HopperBlock::show_written(std::size_t offset, std::size_t bytes) {
  copy_unseen(async_view_.data() + offset, block_.shared_begin() + offset, bytes);
  for (std::size_t page = (offset + kPage - 1) / kPage; (page + 1) * kPage <= offset + bytes;
       ++page) {
    filled_[page] = fences_ + 1;
  }
}

// Every thread of a kernel may fence, again and again: only what the proxy reads is copied.
void HopperBlock::fence() {
  ++fences_;
  for (std::size_t page = 0; page < read_.size(); ++page) {
    if (read_[page] && filled_[page] == 0) copy_page(page);
  }
}

bool HopperBlock::alive() const {
  for (int number = 0; number < block_.thread_count; ++number) {
    if (!block_.thread(number).finished) return true;
  }
  return false;
}

HopperBlock& hopper(Block& block) { return block.states.get<HopperBlock>(block); }

void require_free(const void* address, std::size_t bytes, bool write, const char* what) {
  const Quiet quiet;
  const HopperBlock* const state = current_block().states.find<HopperBlock>();
  if (state != nullptr) state->require_free(shared_offset(address, what), bytes, write, what);
}

HopperBlock& peer(int rank, const char* what) {
  Cluster& cluster = current_cluster();
  if (rank < 0 || rank >= cluster.size()) {
    fault(fmt::format("{}: block {} of a cluster of {}", what, rank, cluster.size()));
  }
  HopperBlock& there = hopper(cluster.block(rank));
  if (!there.alive()) fault(fmt::format("{}: block {} of the cluster has ended", what, rank));
  return there;
}

}  // namespace breakeven::simt
