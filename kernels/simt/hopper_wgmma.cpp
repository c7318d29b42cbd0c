// wgmma: a warp group's multiplications run behind its back, in order, each at a moment drawn from
// the seed after all 128 threads have issued it and before the first of them has waited for it. It
// reads shared memory then. Until a thread waits, its sums are NaN.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <deque>
#include <limits>

#include "kernels/simt/fp8_sum.h"
#include "kernels/simt/hopper.h"
#include "kernels/simt/hopper_state.h"

// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer's own name.
extern "C" int __asan_address_is_poisoned(const volatile void* address);

namespace breakeven::simt {

namespace {

/// Between the arrays of shared memory, where AddressSanitizer's red zones show that.
bool in_red_zone(const std::byte* piece) {
  if constexpr (kAddressSanitizer) return __asan_address_is_poisoned(piece) != 0;
  return piece == nullptr;
}

constexpr int kThreads = 128;
constexpr int kRows = 64;

/// The 64 x n sums that a warp group's registers hold while multiplications on them are under way.
struct Sums {
  int n = 0;
  std::array<float*, kThreads> registers{};  ///< a thread's own array; null until it has issued
  std::array<bool, kThreads> held{};         ///< not yet returned to the thread
  std::array<std::int64_t, kThreads> last_group{};
  std::vector<float> values;
};

/// Calls visit(register i, its element in a row-major 64 x n) for one thread's share.
template <class Visit>
void for_each_sum(int thread, int n, Visit visit) {
  for (int i = 0; i < n / 2; ++i) {
    const int row = 16 * (thread / 32) + 8 * (i / 2 % 2) + thread % 32 / 4;
    const int column = 8 * (i / 4) + 2 * (thread % 4) + i % 2;
    visit(i, static_cast<std::size_t>(row) * static_cast<std::size_t>(n) +
                 static_cast<std::size_t>(column));
  }
}

struct Multiply {
  WgmmaShape shape{};
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  bool accumulate = false;
  std::int64_t group = 0;
  int issued = 0;  ///< threads
  bool done = false;
  bool released = false;       ///< waited for: shared memory may be written again
  std::uint64_t checksum = 0;  ///< of its operands as threads see them, when it was issued
  std::shared_ptr<Later> run;
  std::shared_ptr<Sums> sums;
};

float element(MmaType type, const std::byte* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, type == MmaType::tf32 ? 4 : type == MmaType::e4m3 ? 1 : 2);
  switch (type) {
    case MmaType::bf16:
      return bf16_to_float(static_cast<std::uint16_t>(word));
    case MmaType::f16:
      return f16_to_float(static_cast<std::uint16_t>(word));
    case MmaType::e4m3:
      return e4m3_to_float(static_cast<std::uint8_t>(word));
    case MmaType::tf32:
      break;
  }
  return std::bit_cast<float>(word & 0xffffe000u);
}

int element_size(MmaType type) { return type == MmaType::tf32 ? 4 : type == MmaType::e4m3 ? 1 : 2; }

/// An operand as floats, [k][rows].
std::vector<float> read_operand(HopperBlock& block, MmaType type, std::uint64_t descriptor,
                                int rows, bool transposed) {
  const int size = element_size(type);
  std::vector<float> out(static_cast<std::size_t>(32 / size) * rows);
  for_each_piece(decode(descriptor), rows, transposed, [&](std::uint32_t address, int row, int k) {
    const std::byte* const memory = block.visible(address);
    for (int i = 0; i < 16 / size; ++i) {
      const std::size_t at = transposed ? static_cast<std::size_t>(k) * rows + row + i
                                        : static_cast<std::size_t>(k / size + i) * rows + row;
      out[at] = element(type, memory + i * size);
    }
  });
  return out;
}

template <int kN>
void multiply_add(MmaType type, const std::vector<float>& a, const std::vector<float>& b,
                  float* sums) {
  if (type == MmaType::e4m3) return add_fp8_products(a.data(), b.data(), kRows, kN, sums);
  const int depth = static_cast<int>(a.size()) / kRows;
  for (int row = 0; row < kRows; ++row) {
    float* const out = sums + row * kN;
    for (int k = 0; k < depth; ++k) {
      const float left = a[static_cast<std::size_t>(k) * kRows + static_cast<std::size_t>(row)];
      const float* const right = b.data() + static_cast<std::size_t>(k) * kN;
      for (int column = 0; column < kN; ++column) out[column] += left * right[column];
    }
  }
}

void carry_out(HopperBlock& block, Multiply& multiply) {
  const WgmmaShape& shape = multiply.shape;
  const auto a = read_operand(block, shape.type, multiply.a, kRows, shape.trans_a);
  const auto b = read_operand(block, shape.type, multiply.b, shape.n, shape.trans_b);
  std::vector<float>& values = multiply.sums->values;
  if (!multiply.accumulate) std::fill(values.begin(), values.end(), 0.0f);
  if (shape.n == 64) multiply_add<64>(shape.type, a, b, values.data());
  if (shape.n == 128) multiply_add<128>(shape.type, a, b, values.data());
  if (shape.n == 192) multiply_add<192>(shape.type, a, b, values.data());
  if (shape.n == 256) multiply_add<256>(shape.type, a, b, values.data());
  multiply.done = true;
}

class Warpgroup {
 public:
  Warpgroup(HopperBlock& block) : block_(block) {}

  void issue(int thread, const WgmmaShape& shape, float* d, std::uint64_t a, std::uint64_t b,
             bool accumulate) {
    Lane& lane = lanes_[thread];
    const std::int64_t number = lane.issued++;
    if (number == first_ + static_cast<std::int64_t>(queue_.size())) {
      auto multiply = std::make_shared<Multiply>();
      multiply->shape = shape;
      multiply->a = a;
      multiply->b = b;
      multiply->accumulate = accumulate;
      multiply->group = lane.commits;
      multiply->sums = find_sums(thread, d, shape.n);
      open(*multiply);
      shadow_.release(key(multiply->group));
      queue_.push_back(std::move(multiply));
    }
    const std::shared_ptr<Multiply> multiply = queue_[static_cast<std::size_t>(number - first_)];
    if (!(multiply->shape == shape) || multiply->a != a || multiply->b != b ||
        multiply->accumulate != accumulate || multiply->group != lane.commits) {
      fault("wgmma: the threads of the warp group disagree on its operands or group");
    }
    hold(*multiply->sums, lane, thread, d, multiply->group);
    if (++multiply->issued == kThreads) start(*multiply);
  }

  void fence(int thread) { lanes_[thread].fenced = true; }
  void commit(int thread) { ++lanes_[thread].commits; }

  void wait(int thread, int pending) {
    Lane& lane = lanes_[thread];
    const std::int64_t before = lane.commits - pending;  // groups that must have ended
    if (first_ < lane.issued) {
      wait_until("wgmma_wait: all 128 threads of the warp group must issue the same wgmma",
                 [&] { return all_issued(before, lane.issued); });
    }
    finish_groups(before, lane.issued);
    for (; lane.seen < before; ++lane.seen) order_acquire(key(lane.seen));
    for (auto& sums : sums_) {
      if (sums->held[thread] && sums->last_group[thread] < before) give_back(*sums, thread);
    }
    std::erase_if(sums_, [](const auto& sums) {
      return std::none_of(sums->held.begin(), sums->held.end(), [](bool held) { return held; });
    });
    lane.fenced = false;
  }

  void thread_finished(int thread) {
    for (const auto& sums : sums_) {
      if (sums->held[thread]) fault("returned without wgmma_wait for its last wgmma");
    }
  }

 private:
  struct Lane {
    std::int64_t issued = 0;
    std::int64_t commits = 0;
    std::int64_t seen = 0;  ///< groups that were waited for
    bool fenced = false;
  };

  std::shared_ptr<Sums> find_sums(int thread, float* d, int n) {
    for (const auto& sums : sums_) {
      if (sums->held[thread] && sums->registers[thread] == d) {
        if (sums->n != n) fault("wgmma: another shape on sums that are still under way");
        return sums;
      }
    }
    auto sums = std::make_shared<Sums>();
    sums->n = n;
    sums->values.resize(static_cast<std::size_t>(kRows) * n);
    sums_.push_back(sums);
    return sums;
  }

  /// Takes the thread's registers, unless they are taken already.
  void hold(Sums& sums, Lane& lane, int thread, float* d, std::int64_t group) {
    if (sums.registers[thread] != nullptr && sums.registers[thread] != d) {
      fault("wgmma: the threads of the warp group disagree on its sums");
    }
    sums.last_group[thread] = group;
    if (sums.held[thread]) return;
    if (!lane.fenced) fault("wgmma without wgmma_fence after other uses of its registers");
    sums.registers[thread] = d;
    sums.held[thread] = true;
    for_each_sum(thread, sums.n, [&](int i, std::size_t at) {
      sums.values[at] = d[i];
      d[i] = std::numeric_limits<float>::quiet_NaN();
    });
  }

  static void give_back(Sums& sums, int thread) {
    for_each_sum(thread, sums.n,
                 [&](int i, std::size_t at) { sums.registers[thread][i] = sums.values[at]; });
    sums.held[thread] = false;
  }

  template <class Visit>
  void for_each_operand_piece(const Multiply& multiply, Visit visit) {
    const auto capacity = static_cast<std::uint32_t>(block_.block().shared_capacity());
    const std::byte* const begin = block_.block().shared_begin();
    const auto pieces = [&](std::uint64_t descriptor, int rows, bool transposed) {
      for_each_piece(decode(descriptor), rows, transposed, [&](std::uint32_t address, int, int) {
        if (address + 16 > capacity || in_red_zone(begin + address)) {
          fault(fmt::format("wgmma reads byte {} of {} of shared memory, outside its arrays",
                            address, capacity));
        }
        visit(address);
      });
    };
    pieces(multiply.a, kRows, multiply.shape.trans_a);
    pieces(multiply.b, multiply.shape.n, multiply.shape.trans_b);
  }

  /// Some thread has come to it: from here on its operands must stay as they are.
  void open(Multiply& multiply) {
    shadow_.follow();
    for_each_operand_piece(multiply, [&](std::uint32_t address) {
      block_.require_free(address, 16, false, "wgmma");
      shadow_.read(block_.block().shared_begin() + address, 16);
      block_.add_reader(address, 16, 1);
    });
    multiply.checksum = checksum(multiply);
  }

  /// All threads have.
  void start(Multiply& multiply) {
    multiply.run = later("a wgmma", [this, &multiply] { run_through(multiply); });
  }

  std::uint64_t checksum(const Multiply& multiply) {
    std::uint64_t sum = 0;
    for_each_operand_piece(multiply, [&](std::uint32_t address) {
      std::uint64_t words[2];
      std::memcpy(words, block_.block().shared_begin() + address, sizeof words);
      sum = (sum ^ words[0]) * 0x9e3779b97f4a7c15u;
      sum = (sum ^ words[1]) * 0xc2b2ae3d27d4eb4fu;
    });
    return sum;
  }

  /// A warp group's multiplications happen in order.
  void run_through(const Multiply& last) {
    for (const auto& multiply : queue_) {
      if (!multiply->done) carry_out(block_, *multiply);
      if (multiply.get() == &last) return;
    }
  }

  bool all_issued(std::int64_t before, std::int64_t count) const {
    for (std::int64_t number = first_; number < count; ++number) {
      const Multiply& multiply = *queue_[static_cast<std::size_t>(number - first_)];
      if (multiply.group < before && multiply.issued < kThreads) return false;
    }
    return true;
  }

  void finish_groups(std::int64_t before, std::int64_t count) {
    for (std::int64_t number = first_; number < count; ++number) {
      Multiply& multiply = *queue_[static_cast<std::size_t>(number - first_)];
      if (multiply.group >= before || multiply.released) continue;
      finish_now(*multiply.run);
      if (multiply.checksum != checksum(multiply)) {
        fault("a wgmma's operands were written over before wgmma_wait");
      }
      for_each_operand_piece(multiply,
                             [&](std::uint32_t address) { block_.add_reader(address, 16, -1); });
      multiply.released = true;
    }
    while (!queue_.empty() && queue_.front()->released) {
      queue_.pop_front();
      ++first_;
    }
  }

  /// ThreadSanitizer's, of a group: what it has read, as those see who have waited for it.
  const char* key(std::int64_t group) const {
    return &keys_[static_cast<std::size_t>(group) % keys_.size()];
  }

  HopperBlock& block_;
  ShadowThread shadow_;  ///< reads the operands
  std::array<char, 64> keys_{};
  std::array<Lane, kThreads> lanes_{};
  std::deque<std::shared_ptr<Multiply>> queue_;  ///< from number first_ on, not all waited for
  std::int64_t first_ = 0;
  std::vector<std::shared_ptr<Sums>> sums_;
};

class BlockWarpgroups : public State {
 public:
  explicit BlockWarpgroups(Block& block) {
    if (block.thread_count % kThreads != 0) {
      fault(fmt::format("wgmma in a block of {} threads", block.thread_count));
    }
    for (int i = 0; i < block.thread_count / kThreads; ++i) {
      groups_.push_back(std::make_unique<Warpgroup>(hopper(block)));
    }
  }
  Warpgroup& mine() { return *groups_[static_cast<std::size_t>(current_thread().warpgroup())]; }
  void thread_finished(Thread& thread) override {
    groups_[static_cast<std::size_t>(thread.warpgroup())]->thread_finished(thread.number %
                                                                           kThreads);
  }

 private:
  std::vector<std::unique_ptr<Warpgroup>> groups_;
};

Warpgroup& mine() {
  Block& block = current_block();
  return block.states.get<BlockWarpgroups>(block).mine();
}
int thread_in_group() { return current_thread().number % kThreads; }

}  // namespace

std::uint64_t wgmma_descriptor(const void* shared, int leading_bytes, int stride_bytes,
                               ptx::Swizzle swizzle) {
  const Quiet quiet;
  require_aligned(shared, 16, "wgmma_descriptor");
  if (leading_bytes % 16 != 0 || stride_bytes % 16 != 0) {
    fault("wgmma_descriptor: its strides must be multiples of 16 bytes");
  }
  const auto start = static_cast<std::uint32_t>(shared_offset(shared, "wgmma_descriptor"));
  return encode({start, static_cast<std::uint32_t>(leading_bytes),
                 static_cast<std::uint32_t>(stride_bytes), 0, swizzle});
}

void wgmma(const WgmmaShape& shape, float* d, std::uint64_t a, std::uint64_t b, bool accumulate) {
  const Quiet quiet;
  if (decode(a).base_offset != 0 || decode(b).base_offset != 0) {
    fault("wgmma: swizzled operands must lie in atoms that begin at multiples of 1024 bytes");
  }
  mine().issue(thread_in_group(), shape, d, a, b, accumulate);
}

void wgmma_fence() {
  const Quiet quiet;
  mine().fence(thread_in_group());
}

void wgmma_commit() {
  const Quiet quiet;
  mine().commit(thread_in_group());
}

void wgmma_wait(int pending) {
  const Quiet quiet;
  mine().wait(thread_in_group(), pending);
}

}  // namespace breakeven::simt
