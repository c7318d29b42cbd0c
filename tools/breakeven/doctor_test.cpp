#include "tools/breakeven/doctor.h"

#include <algorithm>
#include <fstream>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

namespace fs = std::filesystem;

/// A machine of files, sound until a test spoils something.
class DoctorTest : public Sandbox {
 protected:
  DoctorTest() {
    put("proc/stat", "cpu  100 0 100 9000 0 0 0 0\ncpu0 50 0 50 4500\ncpu1 50 0 50 4500\n");
    put("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\n");
    put("proc/cpuinfo", "flags\t\t: fpu avx2 avx512f avx512vl\n");
    put(kCpu + "cpu0/cpufreq/scaling_governor", "performance\n");
    put(kCpu + "cpu0/thermal_throttle/core_throttle_count", "0\n");
    put(kCpu + "intel_pstate/no_turbo", "1\n");
    put(kCpu + "smt/active", "0\n");
    put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    patient_.root = file("");
    patient_.facts = {{"openblas.core", "SkylakeX"}, {"cpu.quota", "2"}, {"cpu.threads", "2"}};
  }

  void put(const std::string& path, const std::string& content) const {
    fs::create_directories(file(path).parent_path());
    std::ofstream(file(path)) << content;
  }

  /// Ids of all harmful findings, and "(id)" of the others.
  std::vector<std::string> ids() const {
    std::vector<std::string> result;
    for (const Finding& finding : examine(patient_)) {
      result.push_back(finding.harmful ? finding.id : "(" + finding.id + ")");
      EXPECT_EQ(finding.what.find('\n'), std::string::npos);
    }
    return result;
  }
  using Ids = std::vector<std::string>;

  const std::string kCpu = "sys/devices/system/cpu/";
  Patient patient_;
};

TEST_F(DoctorTest, ASoundMachineHasNoFinding) { EXPECT_EQ(ids(), Ids{}); }

TEST_F(DoctorTest, AnEmptyMachineHasNoFinding) {
  patient_ = {};
  patient_.root = file("nothing");
  EXPECT_EQ(ids(), Ids{});
}

TEST_F(DoctorTest, GovernorOfAnyCpu) {
  put(kCpu + "cpu1/cpufreq/scaling_governor", "powersave\n");
  EXPECT_EQ(ids(), Ids{"governor"});
}

TEST_F(DoctorTest, Turbo) {
  put(kCpu + "intel_pstate/no_turbo", "0\n");
  EXPECT_EQ(ids(), Ids{"turbo"});
  put(kCpu + "intel_pstate/no_turbo", "1\n");
  put(kCpu + "cpufreq/boost", "1\n");
  EXPECT_EQ(ids(), Ids{"turbo"});
}

TEST_F(DoctorTest, HyperthreadsThrottlingHugePagesMemory) {
  put(kCpu + "smt/active", "1\n");
  put(kCpu + "cpu0/thermal_throttle/core_throttle_count", "12\n");
  put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  put("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 1000000 kB\n");
  EXPECT_EQ(ids(), (Ids{"hyperthreads", "throttling", "huge-pages", "memory"}));
}

TEST_F(DoctorTest, Quota) {
  patient_.facts["cpu.threads"] = "64";
  EXPECT_EQ(ids(), Ids{"quota"});
}

TEST_F(DoctorTest, LoadNamesWhoUsesTheCpus) {
  put("proc/42/stat", "42 (cc1 (plus)) R 1 1 1 0 -1 0 0 0 0 0 100 50 0 0\n");
  patient_.wait = [&] {  // one second at 100 ticks: 0.9 of a CPU, 0.8 of it by process 42
    put("proc/stat", "cpu  180 0 110 9110 0 0 0 0\ncpu0 1\ncpu1 1\n");
    put("proc/42/stat", "42 (cc1 (plus)) R 1 1 1 0 -1 0 0 0 0 0 170 60 0 0\n");
  };
  const std::vector<Finding> findings = examine(patient_);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].id, "load");
  EXPECT_EQ(findings[0].what, "other processes use 0.9 CPUs: cc1 (plus) (42) 80 %");
}

TEST_F(DoctorTest, TimeTakenByTheHypervisor) {
  patient_.wait = [&] { put("proc/stat", "cpu  100 0 100 9190 0 0 0 10\ncpu0 1\ncpu1 1\n"); };
  EXPECT_EQ(ids(), Ids{"steal"});
}

TEST_F(DoctorTest, OpenblasCoreWeakerThanTheCpu) {
  patient_.facts["openblas.core"] = "Haswell";
  EXPECT_EQ(ids(), Ids{"openblas-core"});
  put("proc/cpuinfo", "flags\t\t: fpu avx2\n");
  EXPECT_EQ(ids(), Ids{});
  patient_.facts["openblas.core"] = "Prescott";
  EXPECT_EQ(ids(), Ids{"openblas-core"});
}

TEST_F(DoctorTest, WarningsOfModulesAndVariables) {
  patient_.facts["openmp.warning"] = "several OpenMP runtimes are loaded";
  patient_.environment = {{"OMP_PROC_BIND", "TRUE"}};
  EXPECT_EQ(ids(), (Ids{"openmp", "environment"}));
  patient_.environment = {{"OPENBLAS_CORETYPE", "Haswell"}};
  EXPECT_EQ(ids(), (Ids{"openmp", "environment"}));
  // A worker that took another core is not harmed by the variable.
  patient_.facts["openblas.core_requested"] = "SkylakeX (by CPUID instead of Haswell)";
  EXPECT_EQ(ids(), (Ids{"openmp"}));
  patient_.environment = {{"OMP_PROC_BIND", "false"}};
  EXPECT_EQ(ids(), Ids{"openmp"});
}

TEST_F(DoctorTest, HarmlessThingsComeLastAndSpoilNothing) {
  patient_.facts["library_build_type"] = "debug";
  patient_.facts["gpu.other_processes"] = "2";
  patient_.unavailable_gpus["cublas"] = "no CUDA driver";
  EXPECT_EQ(ids(), (Ids{"gpu-processes", "(gpu)", "(benchmark-build)"}));
}

}  // namespace
}  // namespace breakeven
