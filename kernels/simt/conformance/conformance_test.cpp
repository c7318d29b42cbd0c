// The conformance checks on the emulator.
#include <gtest/gtest.h>

#include <random>

#include "kernels/simt/conformance/check.h"
#include "kernels/simt/testing.h"

namespace breakeven::conformance {
namespace {

class Conformance : public testing::TestWithParam<Check> {};

TEST_P(Conformance, AgreesWithTheManual) {
  const std::uint64_t seed = std::random_device()();
  const simt::SettingsGuard guard;
  for (std::uint64_t round = 0; round < 5; ++round) {
    simt::settings().seed = seed + round;
    EXPECT_EQ(GetParam().run(seed + round), "") << "seed " << seed + round;
  }
}

std::string test_name(const testing::TestParamInfo<Check>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Primitives, Conformance, testing::ValuesIn(all_checks()), test_name);

TEST(ConformanceCompare, SaysWhereResultsDiffer) {
  EXPECT_EQ(compare<int>({1, 2}, {1, 2}), "");
  EXPECT_EQ(compare<int>({1, 2, 3}, {1, 4, 5}), "element 1 is 2, expected 4; 2 of 3 differ");
  EXPECT_NE(compare<float>({NAN}, {NAN}), "");
  EXPECT_NE(compare<int>({1}, {1, 2}), "");
}

}  // namespace
}  // namespace breakeven::conformance
