// TMA: boxes of a matrix to shared memory and back, at moments drawn from the seed.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "kernels/simt/hopper.h"
#include "kernels/simt/hopper_state.h"
#include "kernels/simt/simt.h"

namespace breakeven::simt {

namespace {

/// A store: first it reads shared memory, some time later it writes.
struct Store {
  ptx::TensorMap map;
  int column = 0;
  int row = 0;
  std::uint32_t offset = 0;
  HopperBlock* from = nullptr;
  std::vector<std::byte> source;   ///< what was to be stored, as threads saw it at the start
  std::vector<std::byte> content;  ///< shared memory from the 1024 bytes that hold `offset` on
  std::shared_ptr<Later> read;
  std::shared_ptr<Later> written;
  ShadowThread* shadow = nullptr;  ///< the issuing thread's
  char read_key = 0;

  /// The source must be untouched until its reader is waited for, even if it has been read.
  void require_untouched() const {
    const std::byte* const now = from->block().shared_begin() + offset;
    if (!std::equal(source.begin(), source.end(), now)) {
      fault("a tma_store's source was written over before tma_store_wait_read");
    }
  }
  void do_read() {
    if (!content.empty()) return;
    const std::size_t begin = offset / 1024 * 1024;
    const std::size_t end = offset + static_cast<std::size_t>(box_bytes(map));
    content.resize(end - begin);
    for (std::size_t at = offset; at < end; at += 16) {
      std::memcpy(content.data() + (at - begin), from->visible(at), 16);
    }
  }
  void do_write() {
    do_read();
    for_each_row(map, column, row,
                 [&](const std::byte* begin, std::size_t bytes) { shadow->write(begin, bytes); });
    store_box(map, column, row, content.data(), offset % 1024);
  }
};

/// One thread's stores.
struct Stores {
  std::vector<std::shared_ptr<Store>> open;
  std::deque<std::vector<std::shared_ptr<Store>>> groups;  ///< whose reads nobody has waited for
  std::deque<std::vector<std::shared_ptr<Store>>> unwritten;
  ShadowThread shadow;  ///< makes them
};

class BlockStores : public State {
 public:
  Stores& mine() { return stores_[current_thread().number]; }

  void thread_finished(Thread& thread) override {
    const auto found = stores_.find(thread.number);
    if (found == stores_.end()) return;
    if (!found->second.open.empty()) fault("returned without tma_store_commit after a tma_store");
    if (!found->second.groups.empty()) {
      fault("returned without tma_store_wait: its stores may still read shared memory");
    }
    for (const auto& group : found->second.unwritten) {
      for (const auto& store : group) finish_now(*store->written);
    }
  }
  // The host sees what was stored.
  void all_finished() override {
    for (auto& [thread, stores] : stores_) stores.shadow.join();
  }

 private:
  std::map<int, Stores> stores_;
};

template <class Map>
std::uint32_t tma_address(const void* shared, const Map& map, const char* what) {
  require_aligned(shared, 128, what);
  const std::size_t offset = shared_offset(shared, what);
  const auto bytes = static_cast<std::size_t>(box_bytes(map));
  if (offset + bytes > current_block().shared_capacity()) {
    fault(fmt::format("{}: a box of {} bytes at byte {} of {}", what, bytes, offset,
                      current_block().shared_capacity()));
  }
  return static_cast<std::uint32_t>(offset);
}

void count_sectors(const std::byte* begin, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  counters().global_sectors += (address + bytes - 1) / 32 - address / 32 + 1;
}

/// Its requests and sectors of global memory; how it fills shared memory has no conflicts to count.
void count_box(const ptx::TensorMap& map, int column, int row) {
  if (!settings().count_accesses) return;
  ++counters().global_requests;
  for_each_row(map, column, row, count_sectors);
}

/// Where the loads of one instruction go, and what brings their bytes.
struct Load {
  const char* what;
  std::uint32_t offset;
  std::size_t bytes;
  std::size_t barrier;
  std::function<void(std::byte* shared)> copy;
};

void start_load(HopperBlock& to, const Load& load) {
  const std::uint32_t offset = load.offset;
  const std::size_t bytes = load.bytes, barrier = load.barrier;
  const Barrier& counts = to.barrier(barrier, load.what);
  if (!counts.shown) {
    fault(fmt::format("{}: no mbarrier_fence_init by the thread that made the barrier", load.what));
  }
  to.require_free(offset, bytes, true, load.what);
  to.add_writer(offset, bytes, 1);
  counts.copier->follow();
  counts.copier->write(to.block().shared_begin() + offset, bytes);
  std::memset(to.block().shared_begin() + offset, 0xFF, bytes);
  to.show_written(offset, bytes);
  later("a TMA load", [&to, offset, bytes, barrier, copy = load.copy] {
    if (!to.alive()) fault("a TMA load arrives in a block that has ended");
    copy(to.block().shared_begin());
    to.show_written(offset, bytes);
    to.add_writer(offset, bytes, -1);
    to.complete_bytes(barrier, static_cast<std::int64_t>(bytes));
  });
}

/// To this block, or to those of `cta_mask`.
void start_loads(const Load& load, std::uint32_t cta_mask) {
  if (cta_mask == 0) return start_load(hopper(), load);
  for (int rank = 0; rank < 16; ++rank) {
    if ((cta_mask >> rank & 1) != 0) start_load(peer(rank, "tma_load_multicast"), load);
  }
}

std::size_t barrier_address(const std::uint64_t* barrier) {
  require_aligned(barrier, 8, "tma_load's barrier");
  return shared_offset(barrier, "tma_load's barrier");
}

}  // namespace

void tma_load(void* shared, const ptx::TensorMap& map, std::uint64_t* barrier, int column, int row,
              std::uint32_t cta_mask) {
  const Quiet quiet;
  const std::uint32_t offset = tma_address(shared, map, "tma_load");
  const std::size_t barrier_at = barrier_address(barrier);
  count_box(map, column, row);
  start_loads({"tma_load", offset, static_cast<std::size_t>(box_bytes(map)), barrier_at,
               [=](std::byte* to) { load_box(map, column, row, to, offset); }},
              cta_mask);
}

void tma_load_im2col(void* shared, const ptx::Im2colMap& map, std::uint64_t* barrier,
                     const Im2colCopy& copy, std::uint32_t cta_mask) {
  const Quiet quiet;
  const std::uint32_t offset = tma_address(shared, map, "tma_load_im2col");
  const std::size_t barrier_at = barrier_address(barrier);
  if (const std::string problem = im2col_problem(map, copy); !problem.empty()) {
    fault(fmt::format("tma_load_im2col at image {}, row {}, column {}, offsets {} {}: {}",
                      copy.from.image, copy.from.h, copy.from.w, copy.offset_h, copy.offset_w,
                      problem));
  }
  if (settings().count_accesses) {
    ++counters().global_requests;
    for_each_run(map, copy, count_sectors);
  }
  start_loads({"tma_load_im2col", offset, static_cast<std::size_t>(box_bytes(map)), barrier_at,
               [=](std::byte* to) { load_im2col(map, copy, to, offset); }},
              cta_mask);
}

void tma_store(const ptx::TensorMap& map, const void* shared, int column, int row) {
  const Quiet quiet;
  auto store = std::make_shared<Store>();
  store->map = map;
  store->column = column;
  store->row = row;
  store->offset = tma_address(shared, map, "tma_store");
  store->from = &hopper();
  count_box(map, column, row);
  const auto bytes = static_cast<std::size_t>(box_bytes(map));
  hopper().require_free(store->offset, bytes, false, "tma_store");
  hopper().add_reader(store->offset, bytes, 1);
  const std::byte* const begin = current_block().shared_begin() + store->offset;
  store->source.assign(begin, begin + bytes);
  Stores& mine = block_state<BlockStores>().mine();
  store->shadow = &mine.shadow;
  mine.shadow.follow();
  mine.shadow.read(begin, bytes);
  mine.shadow.release(&store->read_key);
  Store* const kept = store.get();  // by this thread's lists, until both are done
  store->read = later("a TMA store's read", [kept] { kept->do_read(); });
  store->written = later("a TMA store's write", [kept] { kept->do_write(); });
  mine.open.push_back(std::move(store));
}

void tma_store_commit() {
  const Quiet quiet;
  Stores& mine = block_state<BlockStores>().mine();
  mine.groups.push_back(mine.open);
  mine.unwritten.push_back(std::move(mine.open));
  mine.open.clear();
}

void tma_store_wait(int pending, bool only_reads) {
  const Quiet quiet;
  Stores& mine = block_state<BlockStores>().mine();
  const auto most = static_cast<std::size_t>(pending);
  for (; mine.groups.size() > most; mine.groups.pop_front()) {
    for (const auto& store : mine.groups.front()) {
      store->require_untouched();
      finish_now(*store->read);
      order_acquire(&store->read_key);
      hopper().add_reader(store->offset, static_cast<std::size_t>(box_bytes(store->map)), -1);
    }
  }
  if (only_reads) return;
  for (; mine.unwritten.size() > most; mine.unwritten.pop_front()) {
    for (const auto& store : mine.unwritten.front()) finish_now(*store->written);
    mine.shadow.join();
  }
}

void fence_async_proxy() {
  const Quiet quiet;
  hopper().fence();
}

}  // namespace breakeven::simt
