#include "kernels/host/libraries.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstdlib>

namespace breakeven {
namespace {

using Paths = std::vector<std::string>;

TEST(OpenmpRuntimes, TellsRuntimesFromTheirNeighbours) {
  EXPECT_EQ(
      openmp_runtimes({"/usr/lib/libgomp.so.1", "/usr/lib/libgompx.so", "/usr/lib/libomptarget.so",
                       "/opt/libiomp5.so", "/usr/lib/libomp.so.5", "/w/libgomp-a34b3233.so.1.0.0"}),
      (Paths{"/usr/lib/libgomp.so.1", "/opt/libiomp5.so", "/usr/lib/libomp.so.5",
             "/w/libgomp-a34b3233.so.1.0.0"}));
  EXPECT_EQ(openmp_runtimes({"/lib/libgomp.so.1", "/lib/libgomp.so.1"}).size(), 1u);
}

TEST(OpenmpFacts, NameTheRuntimeOfThisProcess) {
  const Facts facts = openmp_facts();
  EXPECT_NE(facts.at("openmp.path").find("omp"), std::string::npos);
  EXPECT_EQ(facts.count("openmp.warning"), 0u);
  EXPECT_EQ(host_facts(), facts);
}

TEST(LibraryPath, FindsTheFileOfAFunction) {
  EXPECT_NE(library_path(reinterpret_cast<const void*>(&omp_get_max_threads)).find(".so"),
            std::string::npos);
  int local = 0;
  EXPECT_EQ(library_path(&local), "");
}

}  // namespace
}  // namespace breakeven
