#include "bench/modes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bench/testing/fakes.h"

namespace breakeven {
namespace {

/// A machine of `cpus` CPUs, two hyperthreads to a core, with a quota if `quota` isn't empty.
Machine machine(int cpus, const std::string& quota) {
  const std::filesystem::path root = ::testing::TempDir() + "machine_of_modes";
  std::filesystem::remove_all(root);
  const auto write = [&](const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << content;
  };
  write("proc/self/status", "Cpus_allowed_list: 0-" + std::to_string(cpus - 1) + "\n");
  write("proc/self/cgroup", "0::/\n");
  if (!quota.empty()) write("sys/fs/cgroup/cpu.max", quota);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    write("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
          "core " + std::to_string(cpu / 2));
  }
  return Machine(root);
}

TEST(ThreadRange, DefaultsToPhysicalCores) {
  const ThreadRange range = thread_range(machine(8, ""), std::nullopt);
  EXPECT_EQ(range.default_threads, 4);
  EXPECT_EQ(range.max_threads, 8);
}

TEST(ThreadRange, StaysBelowTheQuota) {
  const ThreadRange range = thread_range(machine(8, "350000 100000"), std::nullopt);
  EXPECT_EQ(range.default_threads, 3);
  EXPECT_EQ(range.max_threads, 3);
  EXPECT_EQ(thread_range(machine(8, "50000 100000"), std::nullopt).max_threads, 1);
}

TEST(ThreadRange, RefusesWhatIsOutsideAndNamesTheRange) {
  EXPECT_EQ(thread_range(machine(8, ""), 8).default_threads, 8);
  for (const int bad : {0, -1, 9}) {
    try {
      thread_range(machine(8, ""), bad);
      ADD_FAILURE() << bad << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("give 1 to 8"), std::string::npos);
    }
  }
}

TEST(Modes, ModulesJsonHasEveryKey) {
  const Json json =
      modules_json({{"openblas", "cpu", "/x/breakeven_openblas.so", "", {"matmul/openblas"}},
                    {"cublas", "gpu", {}, "not built: no CUDA toolkit", {}}});
  EXPECT_EQ(json.dump(),
            R"([{"name":"openblas","device":"cpu","path":"/x/breakeven_openblas.so","missing":"",)"
            R"("competitors":["matmul/openblas"]},{"name":"cublas","device":"gpu","path":"",)"
            R"("missing":"not built: no CUDA toolkit","competitors":[]}])");
}

TEST(Modes, ListJsonNamesCasesAndReasons) {
  Module module;
  module.info.name = "fake";
  module.device = std::make_unique<testing::FakeDevice>();
  module.facts = {{"fake.version", "1"}};
  const testing::FakeCase c(testing::right());
  Case absent = c.what;
  absent.unsupported = "needs AMX";
  const Json json = list_json(module, {c.what, absent}, {2, 4});
  EXPECT_EQ(json["module"], "fake");
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["facts"]["fake.device"], "yes");
  EXPECT_EQ(json["facts"]["fake.version"], "1");
  EXPECT_EQ(json["default_threads"], 2);
  EXPECT_FALSE(json["cases"][0].contains("unsupported"));
  EXPECT_EQ(json["cases"][1]["unsupported"], "needs AMX");
}

TEST(Modes, AnUnavailableModuleHasAReasonAndNoCases) {
  const Json json = unavailable_json({"cublas", "gpu", {}, "", {}}, "no driver", {2, 4});
  EXPECT_EQ(json["unavailable"], "no driver");
  EXPECT_TRUE(json["cases"].empty());
}

TEST(Modes, AnUnknownModuleIsNamedWithTheKnownOnes) {
  BenchOptions options;
  options.module = "mkl";
  try {
    choose_module({{"host", "cpu", {}, "", {}}, {"cublas", "gpu", {}, "", {}}}, options, {}, {});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "--module=mkl: there is no such module; there are host, cublas");
  }
}

TEST(Modes, NetworkFactsNameEveryLayerOfTheSelectedNetworks) {
  Workloads workloads;
  const auto add = [&](const std::string& shape, Layer layer) {
    workloads.push_back(std::make_unique<testing::FakeWorkload>(shape));
    workloads.back()->set_layer(std::move(layer));
  };
  add("stem_n1", {"net", 1, "stem"});
  add("stem_n16", {"net", 1, "stem"});
  add("block_n1", {"net", 4, "block"});
  add("other", {"another", 2, "other"});
  add("alone", {});
  Case stem;
  stem.workload = workloads[0].get();
  Case alone;
  alone.workload = workloads[4].get();
  EXPECT_EQ(network_facts(workloads, {stem, alone}), (Facts{{"network.net", "stem*1 block*4"}}));
  EXPECT_TRUE(network_facts(workloads, {alone}).empty());
}

TEST(Modes, VerifyPrintsALinePerCase) {
  testing::FakeDevice device;
  Events events;
  Runner runner(device, Policy(), 1, events);
  const testing::FakeCase good(testing::right(), "good");
  const testing::FakeCase bad(testing::wrong(), "bad");
  const testing::FakeCase absent(testing::unsupporting(), "absent");
  std::ostringstream out;
  EXPECT_EQ(verify_cases({good.what, absent.what}, runner, out), 0);
  EXPECT_EQ(verify_cases({bad.what}, runner, out), 1);
  EXPECT_EQ(out.str(),
            "right    fake/four/cpu/good/f64: error 0.0e+00, limit 1.0e-09 (full fp64)\n"
            "skipped  fake/four/cpu/absent/f64: not on this machine\n"
            "WRONG    fake/four/cpu/bad/f64: error 5.0e-01 exceeds limit 1.0e-09 (full fp64)\n");
}

}  // namespace
}  // namespace breakeven
