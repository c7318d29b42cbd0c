#include "reports/prices.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "reports/html_parts.h"
#include "reports/synthetic.h"

namespace breakeven {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_prices(text, "prices.json");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "taken";
}

std::string entry(const std::string& members) {
  return R"({"currency": "EUR", "prices": [{)" + members + "}]}";
}

std::vector<Run> runs_of(const SyntheticRun& synthetic) {
  std::vector<Run> runs;
  runs.push_back(make_run(parse_results(synthetic.text(), "synthetic.json"), ""));
  return runs;
}

std::string mismatch(const std::string& text, const SyntheticRun& synthetic) {
  try {
    require_matches(parse_prices(text, "prices.json"), runs_of(synthetic));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "taken";
}

TEST(Prices, WhatIsWrongIsNamed) {
  EXPECT_EQ(refusal(entry(R"("device": "gpu", "per_hour": 2.5, "note": "list")")), "taken");
  const std::pair<std::string, std::string> wrong[] = {
      {"[]", "its top level is not an object"},
      {"{", "prices.json"},
      {R"({"currency": "EUR"})", "lacks \"prices\""},
      {R"({"currency": "EUR", "prices": []})", "is not a list of prices"},
      {R"({"prices": []})", "\"currency\" is missing"},
      {R"({"currency": 3, "prices": []})", "currency: is not a string"},
      {R"({"currency": "", "prices": []})", "currency: is empty"},
      {R"({"currency": "a currency of many words", "prices": []})", "currency: is no name"},
      {entry(R"("device": "gpu", "per_hour": 1e99)"), "not a price between"},
      {R"({"currency": "EUR", "price": []})", "unknown key \"price\""},
      {R"({"currency": "EUR", "prices": [3]})", "prices[0]: is not an object"},
      {entry(R"("device": "tpu", "per_hour": 1)"), "prices[0].device: is neither"},
      {entry(R"("per_hour": 1)"), "prices[0]: \"device\" is missing"},
      {entry(R"("device": "gpu")"), "prices[0]: lacks \"per_hour\""},
      {entry(R"("device": "gpu", "per_hour": "1")"), "prices[0].per_hour: is not a number"},
      {entry(R"("device": "gpu", "per_hour": -1)"), "is -1, not a price between"},
      {entry(R"("device": "gpu", "per_hour": 0)"), "is 0, not a price between"},
      {entry(R"("device": "gpu", "per_hour": NaN)"), "line 1"},
      {entry(R"("device": "gpu", "per_hour": 1, "perhour": 2)"), "unknown key \"perhour\""},
      {entry(R"("device": "gpu", "per_hour": 1, "machine": 2)"), "machine: is not a string"},
  };
  for (const auto& [text, part] : wrong) {
    EXPECT_NE(refusal(text).find(part), std::string::npos) << text << "\n" << refusal(text);
    EXPECT_EQ(refusal(text).find('\n'), std::string::npos);
  }
}

TEST(Prices, OneOfThemMustMatchADevice) {
  EXPECT_EQ(mismatch(R"({"currency": "EUR", "prices": [{"device": "gpu", "per_hour": 2},
                                                      {"device": "cpu", "per_hour": 1}]})",
                     synthetic_cpu_run()),
            "taken");
  const std::string gpu = entry(R"("device": "gpu", "machine": "Synthetic", "per_hour": 1)");
  EXPECT_EQ(mismatch(gpu, synthetic_gpu_run()), "taken");
  EXPECT_NE(mismatch(gpu, synthetic_cpu_run()).find("prices[0]: the price of a gpu"),
            std::string::npos);
  EXPECT_NE(
      mismatch(entry(R"("device": "cpu", "machine": "Xeon", "per_hour": 1)"), synthetic_gpu_run())
          .find("whose name has \"Xeon\" matches no device"),
      std::string::npos);
  EXPECT_NE(mismatch(R"({"currency": "EUR", "prices": [{"device": "cpu", "per_hour": 1},
                                                       {"device": "cpu", "per_hour": 2}]})",
                     synthetic_gpu_run())
                .find("prices[1]: the price of a cpu is for the same device as prices[0]"),
            std::string::npos);
}

TEST(Prices, ANamedMachineGoesFirst) {
  const Prices prices = parse_prices(
      R"({"currency": "EUR", "prices": [{"device": "cpu", "per_hour": 1},
          {"device": "cpu", "machine": "Synthetic", "per_hour": 3}]})",
      "prices.json");
  const auto runs = runs_of(synthetic_gpu_run());
  require_matches(prices, runs);
  EXPECT_EQ(prices.of(runs[0], "cpu")->per_hour, 3);
  EXPECT_EQ(prices.of(runs[0], "gpu"), nullptr);
}

TEST(Prices, GiveTheCostOfStepsWithItsSource) {
  Page page;
  SyntheticRun synthetic = synthetic_training_run();
  synthetic.facts["cpu.model"] = "Synthetic <CPU>";
  page.runs = runs_of(synthetic);
  EXPECT_EQ(costs_html(page), "");
  page.prices = parse_prices(
      entry(R"("device": "cpu", "per_hour": 3.6, "note": "my <b>contract</b>")"), "p.json");
  const std::string html = costs_html(page);
  // 8 ms at 3.6 an hour: 8e-6 for a step, 8 for a million.
  EXPECT_NE(html.find("8.0e-6"), std::string::npos) << html;
  EXPECT_NE(html.find("8.000 (8.000–8.000)"), std::string::npos);
  EXPECT_NE(html.find("training step"), std::string::npos);
  EXPECT_NE(html.find("(my &lt;b&gt;contract&lt;/b&gt;)"), std::string::npos);
  EXPECT_NE(energy_html(page).find("id=\"cost\""), std::string::npos);
}

}  // namespace
}  // namespace breakeven
