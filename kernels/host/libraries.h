// Which shared libraries this process really runs.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace breakeven {

/// The file that holds `function` (an address in a loaded library), symbolic links resolved; "" if
/// it is in none.
std::string library_path(const void* function);

/// Paths of every OpenMP runtime among `loaded` (GNU's libgomp, LLVM's libomp, Intel's libiomp5).
std::vector<std::string> openmp_runtimes(const std::vector<std::string>& loaded);

/// Paths of all libraries that are loaded now.
std::vector<std::string> loaded_libraries();

/// "openmp.path", and "openmp.warning" where two runtimes are loaded, whose threads would fight for
/// the same CPUs. Every CPU module adds this to its facts.
Facts openmp_facts();

/// The facts of the module `host`: OpenMP only.
Facts host_facts();

}  // namespace breakeven
