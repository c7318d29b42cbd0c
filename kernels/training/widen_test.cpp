#include "kernels/training/widen.h"

#include "kernels/training/training_testing.h"

namespace breakeven::training {
namespace {

TEST(Widen, EveryElementAndNoneBehindThem) {
  for (const std::int64_t elements : {1, 3, 4, 1023, 1025}) {
    Tensor<bf16> from(elements, 1, 100);
    Tensor<float> to(elements);
    prepare_widen(from.data(), to.data(), elements)(Stream{});
    for (std::int64_t i = 0; i < elements; ++i)
      ASSERT_EQ(to[i], from[i]) << i << " of " << elements;
  }
}

TEST(Widen, RefusesWhatItCantDo) {
  Tensor<bf16> from(8, 1);
  Tensor<float> to(8);
  EXPECT_THROW(prepare_widen(from.data(), to.data(), 0), std::invalid_argument);
  EXPECT_THROW(prepare_widen(from.data() + 1, to.data(), 4), std::invalid_argument);
  EXPECT_THROW(prepare_widen(from.data(), to.data() + 1, 4), std::invalid_argument);
}

}  // namespace
}  // namespace breakeven::training
