#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/simt/machine.h"
#include "kernels/simt/simt.h"

namespace breakeven::simt {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("no GPU takes this launch: " + what);
}

// The limits of every architecture that this project knows; 227 KB of shared memory is Hopper's.
void check_shape(const LaunchShape& shape) {
  const auto [bx, by, bz] = shape.blocks;
  require(bx >= 1 && by >= 1 && bz >= 1, "a grid without blocks");
  require(bx <= 0x7fffffffu && by <= 65535 && bz <= 65535, "too many blocks in one dimension");
  const auto [x, y, z] = shape.threads;
  require(x >= 1 && y >= 1 && z >= 1, "a block without threads");
  require(x <= 1024 && y <= 1024 && z <= 64 && x * y * z <= 1024, "more than 1024 threads a block");
  require(shape.shared_bytes <= 227 * 1024, "more than 227 KB of shared memory");
  // 16 only where a kernel asks for it and the GPU has the room: that isn't portable.
  require(shape.cluster >= 1 && shape.cluster <= 8, "a cluster has 1 to 8 blocks");
  require(bx % static_cast<unsigned>(shape.cluster) == 0, "the cluster doesn't divide blocks.x");
}

}  // namespace

Settings& settings() {
  static Settings settings;
  return settings;
}

Counters& counters() {
  static Counters counters;
  return counters;
}

void reset_counters() { counters() = {}; }

void run(const LaunchShape& shape, const std::function<void()>& kernel) {
  check_shape(shape);
  if (detail::running != nullptr) fault("launches a kernel");
  static std::mutex one_at_a_time;
  const std::scoped_lock lock(one_at_a_time);
  Machine& machine = Machine::instance();
  machine.prepare(shape, settings().seed);
  const auto size = static_cast<std::uint64_t>(shape.cluster);
  const std::uint64_t across = shape.blocks.x / size;
  std::vector<std::uint64_t> order(across * shape.blocks.y * shape.blocks.z);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[machine.random().next() % left]);
  }
  for (const std::uint64_t cluster : order) {
    machine.run_cluster({static_cast<unsigned>(cluster % across * size),
                         static_cast<unsigned>(cluster / across % shape.blocks.y),
                         static_cast<unsigned>(cluster / across / shape.blocks.y)},
                        kernel);
  }
}

}  // namespace breakeven::simt
