#include "kernels/host/blas_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/host/features.h"

namespace breakeven {
namespace {

class BlasEnvironment : public testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    unsetenv(kCoreVariable);
    unsetenv(kCoreChosenVariable);
  }
};

TEST_F(BlasEnvironment, LeavesTheUsersChoiceAlone) {
  setenv(kCoreVariable, "Zen", 1);
  choose_blas_environment();
  EXPECT_STREQ(std::getenv(kCoreVariable), "Zen");
  EXPECT_EQ(std::getenv(kCoreChosenVariable), nullptr);
}

TEST_F(BlasEnvironment, ChoosesAvx512OnlyWhereItIsThere) {
  choose_blas_environment();
  const char* core = std::getenv(kCoreVariable);
  if (core) {
    EXPECT_STREQ(core, "SkylakeX");
    EXPECT_TRUE(cpu_features().avx512);
    EXPECT_NE(std::getenv(kCoreChosenVariable), nullptr);
  } else {
    EXPECT_TRUE(!cpu_features().avx512 || __builtin_cpu_is("intel"));
  }
}

// A worker process inherits both variables and must still know who chose.
TEST_F(BlasEnvironment, ASecondCallChangesNothing) {
  choose_blas_environment();
  const auto before = [] {
    const char* chosen = std::getenv(kCoreChosenVariable);
    return std::string(chosen ? chosen : "");
  }();
  choose_blas_environment();
  const char* after = std::getenv(kCoreChosenVariable);
  EXPECT_EQ(before, after ? after : "");
}

}  // namespace
}  // namespace breakeven
