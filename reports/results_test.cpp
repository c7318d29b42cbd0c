#include "reports/results.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace breakeven {
namespace {

std::string failure(const std::string& text) {
  try {
    parse_results(text, "f.json");
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

// A file of our own with these rows.
std::string ours(const std::string& rows) {
  return R"({"context":{"breakeven_schema":1},"benchmarks":[)" + rows + "]}";
}

std::string row(const std::string& more) {
  return R"({"name":"matmul/s/cpu/openblas/f32","real_time":5,"time_unit":"us")" + more + "}";
}

void expect_message(const std::string& text, const std::string& part) {
  EXPECT_NE(failure(text).find(part), std::string::npos) << failure(text);
}

TEST(CaseIdentity, StripsWhatGoogleBenchmarkAppends) {
  EXPECT_EQ(case_identity("matmul/s/cpu/o/f32/threads:2/iterations:1/repeats:3/manual_time"),
            "matmul/s/cpu/o/f32/threads:2");
  EXPECT_EQ(case_identity("BM_x/64/min_time:0.050/process_time/real_time"), "BM_x/64");
  EXPECT_EQ(case_identity("BM_x/iterations:"), "BM_x/iterations:");
  EXPECT_EQ(case_identity("manual_time"), "manual_time");
}

TEST(SplitCaseName, ReadsSegmentsAndOptions) {
  const CaseName name = split_case_name("matmul/gpt2/gpu/cublas/tf32/cache:cold/launch:graph");
  EXPECT_EQ(name.op, "matmul");
  EXPECT_EQ(name.shape, "gpt2");
  EXPECT_EQ(name.device, "gpu");
  EXPECT_EQ(name.implementation, "cublas");
  EXPECT_EQ(name.precision, "tf32");
  EXPECT_EQ(name.options.at("cache"), "cold");
  EXPECT_EQ(name.options.at("launch"), "graph");
  EXPECT_EQ(split_case_name("BM_a/b/c/d/e").op, "BM_a/b/c/d/e");
}

TEST(ParseResults, ReadsOurKeys) {
  const Results results = parse_results(
      R"({"context":{"breakeven_schema":1,"cpu.model":"X","num_cpus":2},
          "benchmarks":[{"name":"matmul/s/cpu/openblas/f32/iterations:1/manual_time",
             "run_type":"iteration","round":3,"process":77,"repetition_index":1,"threads":2,
             "iterations":40,"real_time":2.5,"cpu_time":2,"time_unit":"ms","flops":100,
             "error":1e-7,"label":"kernel=a"}],
          "breakeven":{"command":"breakeven run",
             "skipped":[{"name":"n","reason":"slow"}],
             "refused":["my.json: shapes[1] \"x\": m is missing"],
             "unavailable":[{"module":"cublas","reason":"no driver","competitors":["matmul/x"]}],
             "stopping":[{"name":"n","rounds":6,"reason":"narrow","half_width":0.01}]}})",
      "f.json");
  ASSERT_EQ(results.rows.size(), 1u);
  const Row& r = results.rows[0];
  EXPECT_EQ(r.name, "matmul/s/cpu/openblas/f32");
  EXPECT_EQ(r.round, 3);
  EXPECT_EQ(r.process, 77);
  EXPECT_EQ(r.repetition, 1);
  EXPECT_DOUBLE_EQ(*r.seconds, 2.5e-3);
  EXPECT_DOUBLE_EQ(*r.cpu_seconds, 2e-3);
  EXPECT_EQ(r.iterations, 40);
  EXPECT_EQ(r.counter("flops"), 100);
  EXPECT_EQ(r.counter("real_time"), std::nullopt);
  EXPECT_EQ(r.texts.at("label"), "kernel=a");
  EXPECT_EQ(results.context.at("num_cpus"), "2");
  EXPECT_EQ(results.schema, 1);
  EXPECT_EQ(results.skipped.at(0).reason, "slow");
  EXPECT_EQ(results.refused.at(0), "my.json: shapes[1] \"x\": m is missing");
  EXPECT_EQ(results.unavailable.at(0).competitors.at(0), "matmul/x");
  EXPECT_EQ(results.stopping.at(0).half_width, 0.01);
  EXPECT_EQ(results.command, "breakeven run");
}

TEST(ParseResults, ReadsPlainGoogleBenchmarkFiles) {
  const Results results = parse_results(
      R"({"context":{"num_cpus":2},"benchmarks":[
          {"name":"BM_x/8/repeats:2","run_name":"BM_x/8/repeats:2","repetition_index":0,
           "real_time":1,"cpu_time":1,"time_unit":"ns","iterations":9},
          {"name":"BM_x/8/repeats:2","run_name":"BM_x/8/repeats:2","repetition_index":1,
           "real_time":2,"cpu_time":1,"time_unit":"ns","iterations":9},
          {"name":"BM_x/8/repeats:2_mean","run_name":"BM_x/8","run_type":"aggregate",
           "real_time":1.5,"time_unit":"ns"},
          {"name":"BM_old","real_time":1},{"name":"BM_old","real_time":2}]})",
      "f.json");
  EXPECT_EQ(results.schema, 0);
  ASSERT_EQ(results.rows.size(), 4u);
  EXPECT_EQ(results.rows[1].name, "BM_x/8");
  EXPECT_FALSE(results.rows[1].round.has_value());
  EXPECT_EQ(results.rows[3].repetition, 1);  // unnumbered rows are numbered as they come
}

TEST(ParseResults, ErrorRowsHaveNoTime) {
  const Results results = parse_results(
      ours(R"({"name":"matmul/s/cpu/x/f32","error_occurred":true,"error_message":"wrong",
               "real_time":0,"cpu_time":0,"error":0.5,"tolerance":0.1},
              {"name":"matmul/s/cpu/y/f32","skipped":true,"skip_message":"later"})"),
      "f.json");
  EXPECT_EQ(results.rows[0].failure, "wrong");
  EXPECT_FALSE(results.rows[0].seconds.has_value());
  EXPECT_FALSE(results.rows[0].cpu_seconds.has_value());
  EXPECT_EQ(results.rows[0].counter("error"), 0.5);
  EXPECT_EQ(results.rows[1].failure, "later");
}

TEST(ParseResults, NamesThePlaceOfMalformedJson) {
  EXPECT_EQ(failure("{\n \"context\": {},,\n}"), "f.json: line 2, column 16: not valid JSON");
  expect_message("{\"benchmarks\": [", "line 1, column 17: the file ends in the middle");
  expect_message("{\"benchmarks\": [{\"name\": \"a", "truncated");
  expect_message("", "is empty");
  expect_message(" \n\t", "is empty");
  expect_message("{\"a\": \"\xff\"}", "line 1, column 8: not valid JSON");
}

TEST(ParseResults, NamesNonFiniteNumbers) {
  expect_message("{\n\"benchmarks\":[{\"flops\":NaN}]}",
                 "f.json: line 2, column 24: NaN and infinity are not JSON");
  for (const char* token : {"-nan", "nan", "inf", "-inf", "Infinity", "-Infinity"}) {
    expect_message(std::string("{\"flops\": ") + token + "}", "column 11: NaN and infinity");
  }
  expect_message("{\"flops\": 1e999}", "column 11: the number 1e999 is too large");
}

TEST(ParseResults, RefusesOtherSchemas) {
  const auto with_schema = [](const std::string& schema) {
    return R"({"context":{"breakeven_schema":)" + schema + R"(},"benchmarks":[]})";
  };
  expect_message(with_schema("2"),
                 "schema 2 is newer than this program's 1: use a newer breakeven");
  expect_message(with_schema("99999999999999"), "is newer than");
  expect_message(with_schema("\"1\""), "not a schema number");
  expect_message(with_schema("0"), "not a schema number");
}

TEST(ParseResults, RefusesWhatIsNoRun) {
  expect_message("[]", "not a results file");
  expect_message("{}", "\"benchmarks\" is missing");
  expect_message(R"({"benchmarks":3})", "benchmarks: is not an array");
  expect_message(R"({"benchmarks":[]})", "an empty run");
  expect_message(R"({"benchmarks":[1]})", "benchmarks[0]: is not an object");
  expect_message(R"({"benchmarks":[{}]})", "\"name\" is missing");
  expect_message(R"({"benchmarks":[{"name":"a_mean","run_type":"aggregate"}]})", "aggregates only");
  expect_message(ours(R"({"name":"BM_x","real_time":1})"), "is not op/shape/device");
}

TEST(ParseResults, RefusesBadTimes) {
  for (const char* time : {"-1", "0", "null", "\"5\""}) {
    expect_message(ours(std::string(R"({"name":"m/s/cpu/i/f32","real_time":)") + time + "}"),
                   "real_time: is");
  }
  expect_message(ours(R"({"name":"m/s/cpu/i/f32"})"), "\"real_time\" is missing");
  expect_message(ours(R"({"name":"m/s/cpu/i/f32","real_time":1,"time_unit":"h"})"), "time_unit");
  expect_message(ours(row(R"(,"flops":null)")), "flops: is null");
  expect_message(ours(row(R"(,"round":-1)")), "round: is -1");
  expect_message(ours(row(R"(,"round":1.5)")), "round: is 1.5");
}

TEST(ParseResults, RefusesDuplicates) {
  const std::string one = row(R"(,"round":1,"repetition_index":2)");
  expect_message(ours(one + "," + one), "is there twice (round 1, repetition 2)");
  EXPECT_EQ(failure(ours(one + "," + row(R"(,"round":2,"repetition_index":2)"))), "no error");
}

TEST(ParseResults, RefusesTwoArraysAndFlagsThatAreNone) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      parse_results(text, "f.json");
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "read";
  };
  const std::string row = R"({"name":"a","real_time":1})";
  EXPECT_EQ(refusal("{\"benchmarks\":[" + row + "],\"benchmarks\":[" + row + "]}"),
            "f.json: benchmarks: is there twice");
  EXPECT_EQ(refusal(R"({"benchmarks":[{"name":"a","real_time":1,"error_occurred":"true"}]})"),
            "f.json: benchmarks[0] \"a\".error_occurred: is neither true nor false");
  EXPECT_LT(refusal("{\"benchmarks\":[{\"name\":\"a\",\"real_time\":\"" + std::string(5000, '1') +
                    "\"}]}")
                .size(),
            1000u);
}

TEST(ParseResults, MessagesStayOnOneLine) {
  expect_message(R"({"benchmarks":[{"name":"a\nb\u001b","real_time":-1}]})", "a[U+000A]b[U+001B]");
}

TEST(VisitRows, TakesRowByRowWhatIsWanted) {
  const RowKeys wanted = {"arm", "flops"};
  std::vector<Row> rows;
  const Results results =
      visit_rows(R"({"benchmarks":[
        {"name":"a","real_time":2,"arm":"head","flops":5,"other":1,"label":"x"},
        {"name":"a_mean","run_type":"aggregate","real_time":2},
        {"name":"b","skipped":true,"skip_message":"no GPU"}],"context":{"date":"today"}})",
                 "f.json", &wanted, [&](Row& one, const Place&) { rows.push_back(one); });
  EXPECT_TRUE(results.rows.empty());
  EXPECT_EQ(results.context.at("date"), "today");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].counters, (FlatMap<double>{{"flops", 5}}));
  EXPECT_EQ(rows[0].texts, (FlatMap<std::string>{{"arm", "head"}}));
  EXPECT_EQ(rows[0].repetition, -1);
  EXPECT_TRUE(rows[1].skipped);
  EXPECT_EQ(rows[1].failure, "no GPU");
}

TEST(VisitRows, RowsAreOnlyWhatStandsInTheArray) {
  expect_message(R"({"benchmarks":{"a":{"name":"x"}}})", "benchmarks: is not an array");
  expect_message(R"({"benchmarks":[[{"name":"x","real_time":1}]]})",
                 "benchmarks[0]: is not an object");
  expect_message(R"({"other":[{"name":"x","real_time":1}]})", "\"benchmarks\" is missing");
}

TEST(ReadResults, RefusesWhatIsNoFile) {
  const auto message = [](const char* path) -> std::string {
    try {
      read_results(path);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("/"), "/: is a directory: name a results JSON file");
  EXPECT_EQ(message("/no/such/file"), "/no/such/file: no such file");
  EXPECT_EQ(message("/dev/zero"), "/dev/zero: is not a file: name a results JSON file");
}

}  // namespace
}  // namespace breakeven
