// Clusters with multicast, and registers that move between warp groups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/simt/hopper_test_product.h"
#include "kernels/simt/testing.h"

namespace breakeven::simt {
namespace {

using testing::HasSubstr;

enum class Slip {
  none,
  no_sync_before,  // a copy into a block that may not have made its barriers
  no_sync_after,   // a block ends while the other still copies into it
  own_release,     // blocks release stages to themselves only
  wrong_rank,
  own_half_bytes,  // announces only its own half
};

/// Each of two blocks loads half of every box of 16 x 64 to both; each adds up all it gets. Stages
/// are released to both blocks.
template <Slip kSlip>
__global__ void multicast_sums(const __grid_constant__ ptx::TensorMap from, float* sums,
                               int boxes) {
  ptx::SharedMemory shared;
  auto* const stages = shared.take<f16>(2 * 16 * 64, 1024);
  auto* const full = shared.take<ptx::Mbarrier>(2);
  auto* const empty = shared.take<ptx::Mbarrier>(2);
  const int thread = static_cast<int>(threadIdx.x);
  const int rank = ptx::cluster_rank();
  if (thread == 0) {
    for (int stage = 0; stage < 2; ++stage) {
      ptx::mbarrier_init(full + stage, 1);
      ptx::mbarrier_init(empty + stage, kSlip == Slip::own_release ? 1 : 2);
    }
    ptx::mbarrier_fence_init();
  }
  if (kSlip != Slip::no_sync_before) ptx::cluster_sync();
  if (thread == 0) {
    for (int box = 0; box < boxes; ++box) {
      const int stage = box % 2;
      ptx::mbarrier_wait(empty + stage, (box / 2 & 1) ^ 1);
      ptx::mbarrier_arrive_expect_tx(full + stage, kSlip == Slip::own_half_bytes ? 1024 : 2048);
      ptx::tma_load_multicast(stages + stage * 1024 + rank * 512, from, full + stage, 0,
                              16 * box + 8 * rank, 3);
    }
  }
  if (thread == 32) {
    float sum = 0;
    for (int box = 0; box < boxes; ++box) {
      const int stage = box % 2;
      ptx::mbarrier_wait(full + stage, box / 2 & 1);
      for (int i = 0; i < 1024; ++i) sum += to_float(stages[stage * 1024 + i]);
      if (kSlip == Slip::own_release) {
        ptx::mbarrier_arrive(empty + stage);
      } else {
        ptx::mbarrier_arrive_remote(empty + stage, 0);
        ptx::mbarrier_arrive_remote(empty + stage, kSlip == Slip::wrong_rank ? 2 : 1);
      }
    }
    sums[blockIdx.x] = sum;
  }
  if (kSlip != Slip::no_sync_after) ptx::cluster_sync();
}

template <Slip kSlip>
std::string run_multicast(std::uint64_t seed) {
  constexpr int kBoxes = 6, kCount = kBoxes * 1024;
  TestElements<f16> from(kCount);
  float expected = 0;
  for (int i = 0; i < kCount; ++i) {
    const float value = static_cast<float>(i % 7);
    from.data.get()[i] = from_float<f16>(value);
    expected += value;
  }
  float sums[4] = {};
  settings().seed = seed;
  try {
    launch(multicast_sums<kSlip>, Grid{dim3(4), dim3(64), 6144, 2}, Stream{},
           ptx::make_tensor_map(from.data.get(), kBoxes * 16, 64, 64, 8, 64), sums, kBoxes);
  } catch (const Fault& fault) {
    return fault.what();
  }
  for (const float sum : sums) {
    if (!(sum == expected)) return "wrong: " + std::to_string(sum);
  }
  return "";
}

template <Slip kSlip>
int seen(const std::string& text = "") {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string result = run_multicast<kSlip>(seed);
    if (result.empty()) continue;
    ++count;
    EXPECT_THAT(result, HasSubstr(text));
  }
  return count;
}

TEST(Multicast, ReachesEveryBlockOfTheCluster) {
  for (int seed = 1; seed <= 30; ++seed) EXPECT_EQ(run_multicast<Slip::none>(seed), "") << seed;
}

TEST(Multicast, IsOneRequestOfItsSectors) {
  const SettingsGuard guard;
  settings().count_accesses = true;
  reset_counters();
  EXPECT_EQ(run_multicast<Slip::none>(1), "");
  // Of either cluster: six boxes in two halves of 8 rows of 128 bytes, whole sectors.
  EXPECT_EQ(counters().global_requests, 2u * 6 * 2);
  EXPECT_EQ(counters().global_sectors, 2u * 6 * 2 * 8 * 4);
}

TEST(MulticastMistake, BlocksThatDontWaitForEachOther) {
  if (kThreadSanitizer) GTEST_SKIP() << kPlantedRaces;
  EXPECT_GE(seen<Slip::no_sync_before>("no mbarrier_init"), 5);
  EXPECT_GE(seen<Slip::no_sync_after>("has ended"), 5);
  EXPECT_GE(seen<Slip::own_release>(), 15);
  EXPECT_EQ(seen<Slip::wrong_rank>("block 2 of a cluster of 2"), 20);
  EXPECT_GE(seen<Slip::own_half_bytes>(), 15);
}

template <int kFirst, bool kFirstGivesUp, int kOthers, int kThreads>
__global__ void share_registers(int* out) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kThreads) {
    if (thread < 128) {
      if (kFirstGivesUp) ptx::setmaxnreg_decrease<kFirst>();
    } else {
      ptx::setmaxnreg_increase<kOthers>();
    }
  }
  out[thread] = 1;
}

template <int kFirst, bool kFirstGivesUp, int kOthers, int kThreads = 384>
std::string run_registers() {
  std::vector<int> out(384);
  try {
    launch(share_registers<kFirst, kFirstGivesUp, kOthers, kThreads>,
           Grid{dim3(1), dim3(384), 0, 1}, Stream{}, out.data());
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "";
}

TEST(Registers, MoveFromOneWarpGroupToTheOthers) {
  EXPECT_EQ((run_registers<24, true, 240>()), "");  // of 168 each at the start
  EXPECT_EQ((run_registers<40, true, 232>()), "");
}

TEST(RegistersMistake, MoreThanThereAre) {
  EXPECT_THAT((run_registers<24, false, 240>()), HasSubstr("setmaxnreg_increase"));
  EXPECT_THAT((run_registers<40, true, 240>()), HasSubstr("setmaxnreg_increase"));
  EXPECT_THAT((run_registers<24, true, 160>()), HasSubstr("setmaxnreg_increase from 168 to 160"));
  EXPECT_THAT((run_registers<176, true, 168>()), HasSubstr("setmaxnreg_decrease from 168 to 176"));
}

__global__ void ask_for_registers(int registers) { simt::set_registers(registers, false); }

TEST(RegistersMistake, CountsThatThereAreNot) {
  const auto fault = [](int registers) {
    try {
      launch(ask_for_registers, Grid{dim3(1), dim3(384), 0, 1}, Stream{}, registers);
    } catch (const Fault& refused) {
      return std::string(refused.what());
    }
    return std::string();
  };
  EXPECT_EQ(fault(24), "");
  for (const int registers : {0, 16, 36, 100, 264}) {
    EXPECT_THAT(fault(registers), HasSubstr("no multiple of 8 in 24 ... 256"));
  }
}

TEST(RegistersMistake, ByPartOfAWarpGroup) {
  EXPECT_THAT((run_registers<24, true, 168, 64>()), HasSubstr("setmaxnreg by 64 of 128"));
}

}  // namespace
}  // namespace breakeven::simt
