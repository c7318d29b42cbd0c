#include "tools/breakeven/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

namespace breakeven {
namespace {

Catalog catalog(int shapes) {
  Catalog catalog;
  catalog.modules.resize(3);
  catalog.modules[2].name = "cublas";
  catalog.modules[2].unavailable = "no CUDA driver";
  for (int shape = 0; shape < shapes; ++shape) {
    for (std::size_t module = 0; module < 2; ++module) {
      for (const char* precision : {"f32", "f64"}) {
        ListedCase listed;
        listed.name = "matmul/s" + std::to_string(shape) + "/cpu/m" + std::to_string(module) + "/" +
                      precision;
        listed.parts = split_case_name(listed.name);
        listed.module = module;
        catalog.cases.push_back(listed);
      }
    }
  }
  return catalog;
}

std::string message(const Catalog& catalog, const Wanted& wanted) {
  try {
    select_cases(catalog, wanted);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Select, RowsAndFilterBothCount) {
  const Catalog all = catalog(10);
  EXPECT_EQ(select_cases(all, {}).size(), 40u);
  EXPECT_EQ(select_cases(all, {.filter = "f32$"}).size(), 20u);
  EXPECT_EQ(select_cases(all, {.rows = {{"^matmul/s[12]/"}}}).size(), 8u);
  EXPECT_EQ(select_cases(all, {.rows = {{"^matmul/s1/", "s2/"}}, .filter = "f64"}).size(), 4u);
}

TEST(Select, OwnShapesJoinTheSuiteOrStandAlone) {
  Catalog all = catalog(10);
  for (std::size_t i = 0; i < 4; ++i) all.cases[i].user_shape = true;
  EXPECT_EQ(select_cases(all, {.user_shapes = true}).size(), 4u);
  EXPECT_EQ(select_cases(all, {.rows = {{"s9"}}, .user_shapes = true}).size(), 8u);
  EXPECT_EQ(select_cases(all, {.filter = "f32", .user_shapes = true}).size(), 2u);
}

TEST(Select, NothingIsAnErrorThatSaysWhatThereIs) {
  const std::string text = message(catalog(2), {.filter = "conv2d"});
  for (const char* word : {"--filter 'conv2d'", "none of the 8 cases", "matmul", "cublas"}) {
    EXPECT_NE(text.find(word), std::string::npos) << text;
  }
}

TEST(Select, OnlyUnsupportedIsAnErrorWithTheReason) {
  Catalog all = catalog(1);
  for (ListedCase& listed : all.cases) listed.unsupported = "needs AMX";
  EXPECT_NE(message(all, {.filter = "s0"}).find("needs AMX"), std::string::npos);
}

TEST(Select, ABadExpressionIsNamed) {
  EXPECT_NE(message(catalog(1), {.filter = "("}).find("--filter '('"), std::string::npos);
  EXPECT_NE(message(catalog(1), {.rows = {{"["}}}).find("suite row '['"), std::string::npos);
}

TEST(RoundOrder, EveryCaseOnce) {
  const Catalog all = catalog(50);
  std::multiset<std::string> seen, expected;
  for (const ListedCase& listed : all.cases) expected.insert(listed.name);
  for (const ModuleCases& batch : round_order(all.cases, 1, 0)) {
    for (const std::string& name : batch.cases) {
      seen.insert(name);
      EXPECT_NE(name.find("/m" + std::to_string(batch.module) + "/"), std::string::npos);
    }
  }
  EXPECT_EQ(seen, expected);
}

TEST(RoundOrder, RowsOfAWorkloadAreNeighbours) {
  const Catalog all = catalog(50);
  const std::vector<ModuleCases> batches = round_order(all.cases, 1, 0);
  std::map<std::string, std::pair<std::size_t, std::size_t>> span;  // first and last batch
  for (std::size_t i = 0; i < batches.size(); ++i) {
    for (const std::string& name : batches[i].cases) {
      auto& [first, last] =
          span.try_emplace(workload_of(split_case_name(name)), i, i).first->second;
      last = std::max(last, i);
    }
  }
  for (const auto& [workload, batch] : span) EXPECT_LE(batch.second - batch.first, 1u) << workload;
}

TEST(RoundOrder, DependsOnSeedAndRoundOnly) {
  const Catalog all = catalog(50);
  const auto names = [&](std::uint64_t seed, int round) {
    std::vector<std::string> result;
    for (const ModuleCases& batch : round_order(all.cases, seed, round)) {
      result.insert(result.end(), batch.cases.begin(), batch.cases.end());
    }
    return result;
  };
  EXPECT_EQ(names(1, 0), names(1, 0));
  EXPECT_NE(names(1, 0), names(1, 1));
  EXPECT_NE(names(1, 0), names(2, 0));
  EXPECT_EQ(names(1, 0).front(), "matmul/s23/cpu/m0/f64");  // the same on every machine
}

TEST(RoundOrder, NoModuleAlwaysComesFirst) {
  const Catalog all = catalog(6);  // one shard
  int first = 0;
  for (int round = 0; round < 100; ++round)
    first += round_order(all.cases, 1, round)[0].module == 0;
  EXPECT_GT(first, 30);
  EXPECT_LT(first, 70);
}

}  // namespace
}  // namespace breakeven
