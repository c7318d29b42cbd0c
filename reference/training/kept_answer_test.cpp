#include "reference/training/kept_answer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace breakeven {
namespace {

namespace fs = std::filesystem;

class KeptAnswer : public testing::Test {
 protected:
  KeptAnswer() : folder_(fs::path(testing::TempDir()) / "kept_answers") {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    setenv(kAnswersVariable, folder_.c_str(), 1);
  }
  ~KeptAnswer() override {
    unsetenv(kAnswersVariable);
    fs::remove_all(folder_);
  }

  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path only_file() const { return fs::directory_iterator(folder_)->path(); }

  const fs::path folder_;
  const TrainingStep step_{"x", Mlp{.batch = 2, .widths = {3, 4, 2}}, StepPart::step};
};

void expect_same(const ExpectedAnswer& a, const ExpectedAnswer& b) {
  EXPECT_EQ(a.runs, b.runs);
  EXPECT_EQ(a.values, b.values);
  ASSERT_EQ(a.spreads.size(), b.spreads.size());
  for (std::size_t i = 0; i < a.spreads.size(); ++i) {
    EXPECT_EQ(a.spreads[i].root_mean_square, b.spreads[i].root_mean_square);
    EXPECT_EQ(a.spreads[i].largest, b.spreads[i].largest);
    EXPECT_EQ(a.spreads[i].gain, b.spreads[i].gain);
  }
}

TEST_F(KeptAnswer, IsTheAnswerAndIsReadAgain) {
  const ExpectedAnswer right = expected_answer(step_, Precision::f32);
  expect_same(kept_answer(step_, Precision::f32), right);
  ASSERT_EQ(files(), 1u);
  expect_same(kept_answer(step_, Precision::f32), right);
  // That the second came from the file shows in a file that says something else.
  std::fstream file(only_file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put('\x01');
  file.close();
  EXPECT_NE(kept_answer(step_, Precision::f32).spreads.back().gain, right.spreads.back().gain);
}

TEST_F(KeptAnswer, IsOfOneModelSizeAndPrecision) {
  kept_answer(step_, Precision::f32);
  kept_answer(step_, Precision::bf16);
  const TrainingStep other("x", Mlp{.batch = 4, .widths = {3, 4, 2}}, StepPart::step);
  expect_same(kept_answer(other, Precision::f32), expected_answer(other, Precision::f32));
  const TrainingStep inference("x", Mlp{.batch = 2, .widths = {3, 4, 2}}, StepPart::inference);
  expect_same(kept_answer(inference, Precision::f32), expected_answer(inference, Precision::f32));
  EXPECT_EQ(files(), 4u);
  kept_answer(TrainingStep(step_, StepPart::update), Precision::f32);
  EXPECT_EQ(files(), 4u) << "phases share the step's";
}

TEST_F(KeptAnswer, TornFilesAreNotBelieved) {
  const ExpectedAnswer right = kept_answer(step_, Precision::f32);
  const auto whole = fs::file_size(only_file());
  for (const auto size : {whole - 1, whole / 2, decltype(whole){3}, decltype(whole){0}}) {
    fs::resize_file(only_file(), size);
    expect_same(kept_answer(step_, Precision::f32), right);
    EXPECT_EQ(fs::file_size(only_file()), whole) << "and are replaced";
  }
}

TEST_F(KeptAnswer, WithoutAFolderEachTakesItsOwn) {
  setenv(kAnswersVariable, (folder_ / "missing").c_str(), 1);
  expect_same(kept_answer(step_, Precision::f32), expected_answer(step_, Precision::f32));
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace breakeven
