#include "kernels/matmul/onednn.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "kernels/host/kernel_check.h"
#include "kernels/matmul/awkward_shapes.h"

namespace breakeven::matmul {
namespace {

class Onednn : public testing::TestWithParam<std::tuple<const char*, Precision>> {
 protected:
  void SetUp() override {
    onednn(registry_);
    const Matmul probe("s", 8, 8, 8);
    const std::string reason = implementation().unsupported(probe, precision(), {});
    if (!reason.empty()) {
      EXPECT_NE(reason.find("oneDNN"), std::string::npos);
      GTEST_SKIP() << reason;
    }
  }
  const Implementation& implementation() {
    return find_implementation(registry_, std::get<0>(GetParam()));
  }
  static Precision precision() { return std::get<1>(GetParam()); }
  Registry registry_;
};

TEST_P(Onednn, IsRight) {
  const int all = static_cast<int>(usable_cpus().size());
  const auto shapes = awkward_shapes();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const int threads = (i + i / 4) % 2 == 0 ? 1 : all;  // in turn, over every transposition
    expect_kernel(implementation(), *shapes[i], precision(), threads);
  }
}

TEST_P(Onednn, IsRightWhereItUsesItsThreads) {
  const Matmul big("s", 301, 401, 503);
  expect_kernel(implementation(), big, precision(), static_cast<int>(usable_cpus().size()));
}

// dnnl_primitive_execute() builds a hash map of its arguments in each call, but keeps nothing.
TEST_P(Onednn, KeepsNoMemory) {
  expect_no_allocation(implementation(), Matmul("s", 65, 130, 70), precision(),
                       Allocates::inside_the_library);
}

TEST_P(Onednn, SaysWhatItDispatched) {
  const Matmul size("s", 64, 64, 64);
  const auto kernel = implementation().load(size, precision(), {.threads = 1});
  EXPECT_TRUE(kernel->facts().empty());
  kernel->prepare();
  const Facts facts = kernel->facts();
  EXPECT_FALSE(facts.at("implementation").starts_with("ref")) << facts.at("implementation");
  EXPECT_EQ(facts.at("weights") == "plain", implementation().name == "onednn");
}

INSTANTIATE_TEST_SUITE_P(Precisions, Onednn,
                         testing::Combine(testing::Values("onednn", "onednn_packed"),
                                          testing::Values(Precision::f32, Precision::bf16,
                                                          Precision::f16, Precision::int8)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" +
                                  std::string(traits(std::get<1>(test.param)).name);
                         });

TEST(OnednnFacts, NameTheLibraryThatIsReallyLoaded) {
  const Facts facts = onednn_facts();
  EXPECT_TRUE(std::filesystem::exists(facts.at("onednn.path")));
  EXPECT_TRUE(facts.at("onednn.version").starts_with("3."));
  EXPECT_NE(facts.at("onednn.isa"), "");
  EXPECT_EQ(facts.count("onednn.warning") == 0, facts.at("onednn.runtime") == "openmp");
}

}  // namespace
}  // namespace breakeven::matmul
