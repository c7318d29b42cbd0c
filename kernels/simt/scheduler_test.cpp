#include "kernels/simt/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

// Appends the thread's number in the grid, in the order in which they run.
__global__ void note_order(std::vector<unsigned>* order) {
  const Quiet quiet;  // the vector is the test's, not the kernel's
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  order->push_back(block * blockDim.x * blockDim.y * blockDim.z + thread);
}

std::vector<unsigned> order_of(std::uint64_t seed, const Grid& grid) {
  const SettingsGuard guard;
  settings().seed = seed;
  std::vector<unsigned> order;
  launch(note_order, grid, {}, &order);
  return order;
}

TEST(Scheduler, RunsEachThreadOfEachBlockOnce) {
  std::vector<unsigned> order = order_of(3, {dim3(3, 2, 2), dim3(5, 3, 2)});
  std::sort(order.begin(), order.end());
  std::vector<unsigned> expected(12 * 30);
  std::iota(expected.begin(), expected.end(), 0u);
  EXPECT_EQ(order, expected);
}

TEST(Scheduler, SeedDecidesTheOrder) {
  const Grid grid{dim3(4), dim3(96)};
  EXPECT_EQ(order_of(7, grid), order_of(7, grid));
  EXPECT_NE(order_of(7, grid), order_of(8, grid));
  std::set<unsigned> first_threads;
  for (std::uint64_t seed = 0; seed < 50; ++seed) first_threads.insert(order_of(seed, grid)[0]);
  EXPECT_GT(first_threads.size(), 30u);
}

__global__ void hand_over(int* turn, int* out) {
  const int me = static_cast<int>(threadIdx.x);
  wait_until("its turn", [turn, me] { return *turn == me; });
  const Quiet quiet;
  out[me] = me * me;
  *turn = me + 1;
}

TEST(Scheduler, WaitsForAPredicate) {
  for_seeds(10, [] {
    int turn = 0;
    std::vector<int> out(64);
    launch(hand_over, {dim3(1), dim3(64)}, {}, &turn, out.data());
    EXPECT_EQ(turn, 64);
    EXPECT_EQ(out[63], 63 * 63);
  });
}

TEST(Scheduler, ReportsWhoWaitsForWhat) {
  int turn = 1;  // nobody's predecessor ever comes
  std::vector<int> out(64);
  EXPECT_TRUE(says(fault_of([&] { launch(hand_over, {dim3(1), dim3(1)}, {}, &turn, out.data()); }),
                   "deadlock, nobody can go on: 1 wait for its turn (the first: thread "
                   "(0,0,0) of block (0,0,0))"));
}

// Lives on a fiber's stack until the kernel returns or is unwound.
struct Alive {
  explicit Alive(int* alive) : count(alive) { ++*count; }
  ~Alive() { --*count; }
  int* count;
};

__global__ void fail_late(int* alive) {
  const Quiet quiet;
  const Alive here(alive);
  __syncthreads();
  if (threadIdx.x == 3) throw std::domain_error("thread 3 gives up");
  __syncthreads();
}

TEST(Scheduler, UnwindsEveryThreadWhenOneThrows) {
  for_seeds(5, [] {
    int alive = 0;
    EXPECT_THROW(launch(fail_late, {dim3(2), dim3(70)}, {}, &alive), std::domain_error);
    EXPECT_EQ(alive, 0);
  });
  EXPECT_EQ(order_of(1, {dim3(1), dim3(128)}).size(), 128u) << "launches go on working";
}

__global__ void deferred_sum(int* sum, bool wait) {
  const Operation operation = defer("an addition", [sum] { ++*sum; });
  if (wait) {
    wait_until("the addition", [operation] { return is_complete(operation); });
  }
}

TEST(Scheduler, CompletesDeferredOperationsBeforeAllStand) {
  for_seeds(10, [] {
    int sum = 0;
    launch(deferred_sum, {dim3(2), dim3(40)}, {}, &sum, true);
    EXPECT_EQ(sum, 80);
  });
}

TEST(Scheduler, FaultsWhereNobodyWaitsForAnOperation) {
  int sum = 0;
  EXPECT_TRUE(says(fault_of([&] { launch(deferred_sum, {dim3(1), dim3(40)}, {}, &sum, false); }),
                   "all threads have returned, but nobody waited for an addition"));
}

__global__ void complete_at_once(int* sum) {
  const Operation operation = defer("an addition", [sum] { ++*sum; });
  complete_now(operation);
  complete_now(operation);  // has happened: no second time
}

TEST(Scheduler, CompletesAnOperationOnceOnDemand) {
  int sum = 0;
  launch(complete_at_once, {dim3(1), dim3(32)}, {}, &sum);
  EXPECT_EQ(sum, 32);
}

__global__ void spin(unsigned* flag) {
  while (atomicAdd(flag, 0u) == 0) {
  }
}

TEST(Scheduler, FaultsWhereAThreadSpinsForever) {
  unsigned flag = 0;
  EXPECT_TRUE(says(fault_of([&] { launch(spin, {dim3(1), dim3(1)}, {}, &flag); }),
                   "block (0,0,0) thread (0,0,0): spins at an atomic"));
}

__global__ void launch_within() { launch(spin, {dim3(1), dim3(1)}, {}, nullptr); }

TEST(Scheduler, RefusesWhatNoGpuTakes) {
  std::vector<unsigned> order;
  const auto run_with = [&](const Grid& grid) { launch(note_order, grid, {}, &order); };
  EXPECT_THROW(run_with({dim3(0), dim3(32)}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(1), dim3(0)}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(1), dim3(1025)}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(1), dim3(33, 32)}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(1, 65536), dim3(1)}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(1), dim3(1), 227 * 1024 + 1}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(3), dim3(1), 0, 2}), std::invalid_argument);
  EXPECT_THROW(run_with({dim3(16), dim3(1), 0, 16}), std::invalid_argument);
  EXPECT_TRUE(order.empty());
  run_with({dim3(16), dim3(1), 0, 8});
  EXPECT_EQ(order.size(), 16u);
  EXPECT_TRUE(
      says(fault_of([] { launch(launch_within, {dim3(1), dim3(1)}, {}); }), "launches a kernel"));
}

struct Mailbox final : State {
  int sum = 0;
};

// Each block of a cluster gives its rank to all others, then all compare.
__global__ void exchange(int* sums) {
  Cluster& cluster = current_cluster();
  {
    const Quiet quiet;
    for (int rank = 0; threadIdx.x == 0 && rank < cluster.size(); ++rank) {
      cluster.block(rank).states.get<Mailbox>().sum += current_block().rank + 1;
    }
  }
  cluster_collective("the cluster's barrier");
  const Quiet quiet;
  if (threadIdx.x == 0) sums[blockIdx.x] = block_state<Mailbox>().sum;
}

TEST(Scheduler, RunsTheBlocksOfAClusterTogether) {
  for_seeds(5, [] {
    std::vector<int> sums(8);
    launch(exchange, {dim3(8), dim3(64), 0, 4}, {}, sums.data());
    EXPECT_EQ(sums, std::vector<int>(8, 1 + 2 + 3 + 4));
  });
}

__global__ void leave_cluster_early() {
  if (blockIdx.x == 0) return;
  cluster_collective("the cluster's barrier");
}

TEST(Scheduler, FaultsWhereOneBlockLeavesTheClustersBarrier) {
  for_seeds(10, [] {
    EXPECT_NE(fault_of([] { launch(leave_cluster_early, {dim3(2), dim3(32), 0, 2}, {}); }),
              "no fault");
  });
}

}  // namespace
}  // namespace breakeven::simt
