// breakeven record: what may be kept, where it goes, and what is left out of it.
#include <gmock/gmock.h>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json recordable() {
  const json context = {{"breakeven_schema", 1},
                        {"method_version", 1},
                        {"date", "2026-11-23T10:00:00+00:00"},
                        {"host_name", "someones-host"},
                        {"executable", "/home/someone/breakeven-bench"},
                        {"openblas.path", "/usr/lib/libopenblas.so.0"},
                        {"env.LD_PRELOAD", "/home/someone/x.so"},
                        {"env.OMP_NUM_THREADS", "2"},
                        {"suite", "quick"},
                        {"seed", 1},
                        {"cpu.model", "AMD EPYC (Zen 5)"},
                        {"cpu.threads", "2"},
                        {"memory.total_bytes", "25000000000"},
                        {"os.kernel", "6.1"},
                        {"load.1min", "0.05"},
                        {"git.commit", "0123456789abcdef"},
                        {"git.dirty", "false"},
                        {"compiler", "GNU 12.2.0"},
                        {"compiler.flags", "-O3"}};
  const std::string name = "matmul/square_64/cpu/openblas/f32";
  const json row = {{"name", name},      {"run_name", name},    {"run_type", "iteration"},
                    {"round", 0},        {"process", 1},        {"repetition_index", 0},
                    {"threads", 2},      {"iterations", 10},    {"real_time", 1.25},
                    {"time_unit", "us"}, {"error", 3.0625e-07}, {"tolerance", 1.5e-05}};
  return {{"context", context},
          {"benchmarks", {row}},
          {"breakeven", {{"command", "breakeven run --suite quick"}}}};
}

class RecordTest : public Sandbox {
 protected:
  Finished record(const json& document) const {
    write("results.json", document.dump());
    return breakeven({"record", out().string(), "--to", kept()});
  }
  Finished check() const { return breakeven({"record", "--check", "--to", kept()}); }
  std::string kept() const { return file("recorded").string(); }
  std::filesystem::path target() const {
    return file("recorded") / "amd_epyc_zen_5_2_cpus" / "2026-11-23-quick-0123456789.json";
  }
};

TEST_F(RecordTest, KeepsResultsWithoutTheirHost) {
  const Finished finished = record(recordable());
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_EQ(finished.output, "recorded: " + target().string() + "\n");
  const json kept_document = json::parse(text(target()));
  json expected = recordable();
  for (const char* key : {"host_name", "executable", "openblas.path", "env.LD_PRELOAD"}) {
    expected["context"].erase(key);
  }
  EXPECT_EQ(kept_document, expected);
  EXPECT_EQ(check().ending.exit_code, 0) << check().output;
  EXPECT_EQ(record(recordable()).ending.exit_code, 2);  // never over what is there
  EXPECT_THAT(record(recordable()).errors, HasSubstr("is recorded already"));
}

TEST_F(RecordTest, AGpuNamesTheMachine) {
  json document = recordable();
  const std::string name = "matmul/square_64/gpu/cublas/f32";
  document["benchmarks"][0]["name"] = document["benchmarks"][0]["run_name"] = name;
  expect_refused(record(document), {"results.json", "can't be recorded", "gpu.name"});
  document["context"]["gpu.name"] = "NVIDIA H100 PCIe";
  expect_refused(record(document), {"gpu.driver"});
  document["context"]["gpu.driver"] = "580.1";
  EXPECT_THAT(record(document).output, HasSubstr("/nvidia_h100_pcie/2026-11-23-quick-"));
}

TEST_F(RecordTest, AQuotaCountsTheCpusAndASelectionHasAName) {
  json document = recordable();
  document["context"]["cpu.quota"] = "1.5";
  document["context"].erase("suite");
  EXPECT_THAT(record(document).output,
              HasSubstr("/amd_epyc_zen_5_1_5_cpus/2026-11-23-selection-0123456789.json"));
}

TEST_F(RecordTest, RefusesWhatNobodyCanReproduceOrTrust) {
  const auto refused = [&](const json& document, const std::vector<std::string>& words) {
    expect_refused(record(document), words);
    EXPECT_FALSE(std::filesystem::exists(kept()));
  };
  json document = recordable();
  document["context"]["git.dirty"] = "true";
  refused(document, {"uncommitted changes", "commit, build and measure again"});
  document = recordable();
  document["context"].erase("git.commit");
  refused(document, {"doesn't say its git.commit"});
  document["context"].erase("cpu.model");
  refused(document, {"doesn't say its git.commit", "and 1 more"});
  document = recordable();
  document["breakeven"].erase("command");
  refused(document, {"the command that measured it"});
  document = recordable();
  document["benchmarks"][0].erase("error");
  refused(document, {"1 case without a checked answer (first: matmul/square_64/cpu"});
  document["benchmarks"][0]["error"] = 1;
  refused(document, {"1 case without a checked answer"});
  document["benchmarks"][0]["error_occurred"] = true;
  document["benchmarks"][0]["error_message"] = "no memory";
  refused(document, {"1 case failed (first: matmul/square_64/cpu/openblas/f32: no memory)"});
  document = recordable();
  document["context"].erase("breakeven_schema");
  refused(document, {"is no file of `breakeven run`"});
}

TEST_F(RecordTest, CheckFindsWhatIsWrong) {
  ASSERT_EQ(record(recordable()).ending.exit_code, 0);
  const auto found = [&](const std::string& name, const std::string& content,
                         const std::string& words) {
    write("recorded/" + name, content);
    const Finished finished = check();
    EXPECT_EQ(finished.ending.exit_code, 1) << words;
    EXPECT_THAT(finished.output, HasSubstr(words));
    std::filesystem::remove(file("recorded") / name);
  };
  json document = json::parse(text(target()));
  found("other.json", document.dump(), "other.json: belongs at " + target().string());
  found("other.json", "{", "ends in the middle");
  document["context"]["git.dirty"] = "true";
  found("other.json", document.dump(), "uncommitted changes");
  document = json::parse(text(target()));
  document["context"]["onednn.path"] = "/home/someone/lib.so";
  found("other.json", document.dump(), "context.onednn.path says whose machine it was");
  EXPECT_EQ(check().ending.exit_code, 0);
}

TEST_F(RecordTest, BadCommandLines) {
  expect_refused(breakeven({"record"}), {"give one results file to record, or --check alone"});
  expect_refused(breakeven({"record", "x.json", "--check"}), {"--check alone"});
  expect_refused(breakeven({"record", file("none.json").string()}), {"none.json: no such file"});
  expect_refused(check(), {"recorded", "can't be read as a directory"});
  write("taken", "");
  write("results.json", recordable().dump());
  expect_refused(breakeven({"record", out().string(), "--to", file("taken").string()}),
                 {"taken", "can't be made a directory"});
}

}  // namespace
}  // namespace breakeven
