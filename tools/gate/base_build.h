// The base of a change, built by its own commit's sources in a work tree beside the results.
#pragma once

#include <filesystem>
#include <string>

#include "tools/breakeven/interrupt.h"
#include "tools/breakeven/progress.h"

namespace breakeven::gate {

struct BaseBuild {
  std::string commit;             ///< the merge base of `ref` and HEAD
  std::filesystem::path program;  ///< the built one
};

/// Checks the merge base of `ref` and HEAD out into `directory`/base-tree, a git work tree, runs
/// `build` there with sh, and finds the program where `head` lies below its own work tree. A work
/// tree of an earlier run is taken again, so that builds are incremental (its program is set aside
/// where the commit is another one); nothing is ever removed, and nothing but that folder and
/// `directory`/base-build.log is written. Throws std::runtime_error with one line: no repository,
/// no such revision, a folder in the way (of no work tree of this repository, on a branch, or with
/// changes), a build that fails (its last line and where the rest is), a program that it didn't
/// make; Interrupted after a signal.
BaseBuild build_base(const std::string& ref, const std::string& build,
                     const std::filesystem::path& head, const std::filesystem::path& directory,
                     Progress& progress, const InterruptGuard& interrupt);

/// The commit that is checked out here, with "-dirty" behind it where tracked files have changed;
/// "" outside a repository.
std::string current_commit();

}  // namespace breakeven::gate
