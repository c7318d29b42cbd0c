#include "kernels/module.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace breakeven {
namespace {

std::string refusal(const ModuleInfo& info) {
  try {
    open_module(info);
  } catch (const Unsupported& reason) {
    return reason.what();
  }
  return "opened";
}

TEST(Modules, TheTableNamesEveryModuleBuiltOrNotWithItsCompetitors) {
  const std::vector<ModuleInfo> modules = known_modules();
  for (const char* name : {"host", "openblas", "onednn", "cuda", "cublas", "cudnn"}) {
    const auto found = std::find_if(modules.begin(), modules.end(),
                                    [&](const ModuleInfo& info) { return info.name == name; });
    ASSERT_NE(found, modules.end()) << name;
    EXPECT_FALSE(found->competitors.empty()) << name;
    EXPECT_NE(found->missing.empty(), found->path.empty()) << name << ": a path or a reason";
  }
}

TEST(Modules, AModuleThatWasNotBuiltSaysWhy) {
  EXPECT_EQ(refusal({"cublas", "gpu", {}, "not built: no CUDA toolkit", {}}),
            "not built: no CUDA toolkit");
}

TEST(Modules, AMissingOrForeignSharedObjectIsAReasonAndNotACrash) {
  EXPECT_NE(refusal({"absent", "cpu", "/nowhere/breakeven_absent.so", "", {}})
                .find("cannot open shared object file"),
            std::string::npos);
  EXPECT_NE(refusal({"libc", "cpu", "libc.so.6", "", {}}).find("is no kernel module"),
            std::string::npos);
}

TEST(Modules, OtherPeoplesModulesAreFoundByDirectory) {
  const auto directory = std::filesystem::temp_directory_path() / "breakeven_module_test";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "breakeven_mine.so") << "no ELF file";
  std::ofstream(directory / "unrelated.so") << "";
  setenv("BREAKEVEN_MODULE_PATH", ("/nowhere:" + directory.string()).c_str(), 1);
  const std::vector<ModuleInfo> modules = known_modules();
  unsetenv("BREAKEVEN_MODULE_PATH");
  std::filesystem::remove_all(directory);
  const auto mine = std::find_if(modules.begin(), modules.end(),
                                 [](const ModuleInfo& info) { return info.name == "mine"; });
  ASSERT_NE(mine, modules.end());
  EXPECT_EQ(mine->path, directory / "breakeven_mine.so");
  EXPECT_EQ(std::count_if(modules.begin(), modules.end(),
                          [](const ModuleInfo& info) { return info.name == "unrelated"; }),
            0);
}

}  // namespace
}  // namespace breakeven
