#include "kernels/host/blas_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/host/features.h"

namespace breakeven {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

class BlasEnvironment : public testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {kCoreVariable, kCoreChosenVariable, kCoreKeptVariable}) unsetenv(name);
  }
};

TEST_F(BlasEnvironment, KnowsWhichCoresLackAvx512) {
  EXPECT_TRUE(core_lacks_avx512("Haswell"));
  EXPECT_TRUE(core_lacks_avx512("zen"));
  EXPECT_FALSE(core_lacks_avx512("SkylakeX"));
  EXPECT_FALSE(core_lacks_avx512("SKYLAKEX"));
  EXPECT_FALSE(core_lacks_avx512("Cooperlake"));
}

TEST_F(BlasEnvironment, DropsACoreBelowTheCpu) {
  setenv(kCoreVariable, "Haswell", 1);
  choose_blas_environment();
  if (cpu_features().avx512) {
    EXPECT_NE(variable(kCoreVariable), "Haswell");
    EXPECT_EQ(variable(kCoreChosenVariable), "by CPUID instead of the environment's Haswell");
  } else {
    EXPECT_EQ(variable(kCoreVariable), "Haswell");
  }
}

TEST_F(BlasEnvironment, KeepsItWhereTheUserInsists) {
  setenv(kCoreVariable, "Haswell", 1);
  setenv(kCoreKeptVariable, "1", 1);
  choose_blas_environment();
  EXPECT_EQ(variable(kCoreVariable), "Haswell");
  EXPECT_EQ(variable(kCoreChosenVariable), "");
}

TEST_F(BlasEnvironment, KeepsACoreWithAvx512) {
  setenv(kCoreVariable, "Cooperlake", 1);
  choose_blas_environment();
  EXPECT_EQ(variable(kCoreVariable), "Cooperlake");
  EXPECT_EQ(variable(kCoreChosenVariable), "");
}

TEST_F(BlasEnvironment, ChoosesAvx512OnlyWhereItIsThere) {
  choose_blas_environment();
  if (!cpu_features().avx512) {
    EXPECT_EQ(variable(kCoreVariable), "");
    EXPECT_EQ(variable(kCoreChosenVariable), "");
  } else {
    EXPECT_EQ(variable(kCoreVariable), __builtin_cpu_is("intel") ? "" : "SkylakeX");
    EXPECT_EQ(variable(kCoreChosenVariable), "by CPUID");
  }
}

// A worker process inherits the variables and must still know who chose.
TEST_F(BlasEnvironment, ASecondCallChangesNothing) {
  setenv(kCoreVariable, "Haswell", 1);
  choose_blas_environment();
  const std::string core = variable(kCoreVariable), chosen = variable(kCoreChosenVariable);
  if (!__builtin_cpu_is("intel")) {
    choose_blas_environment();
    EXPECT_EQ(variable(kCoreVariable), core);
    EXPECT_EQ(variable(kCoreChosenVariable), chosen);
  }
}

}  // namespace
}  // namespace breakeven
