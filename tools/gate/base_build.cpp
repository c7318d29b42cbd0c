#include "tools/gate/base_build.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "reports/text.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/process.h"

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;

constexpr auto kGitTimeout = std::chrono::minutes(10);  // a large tree takes its time

// A hook or script of git's has these set, and they would turn every command, whatever directory it
// is given, to the caller's own repository and index.
constexpr std::array kGitVariables = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE",
                                      "GIT_COMMON_DIR", "GIT_PREFIX"};

Finished git(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"/usr/bin/env"};
  for (const char* variable : kGitVariables) command.insert(command.end(), {"-u", variable});
  command.emplace_back("git");
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_all({command}, kGitTimeout).front();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool succeeded(const Finished& finished) {
  return finished.ending.exit_code == 0 && finished.ending.signal == 0;
}

/// The first line of what git says. Throws with its last words where it fails.
std::string git_line(const std::vector<std::string>& arguments, const std::string& what) {
  const Finished finished = git(arguments);
  if (succeeded(finished)) return first_line(finished.output);
  throw std::runtime_error(fmt::format("{}: {}", what, visible_text(last_line(finished.errors))));
}

/// Where a folder's repository keeps what all of its work trees share; "" outside of any.
std::string common_directory(const fs::path& folder) {
  const Finished finished =
      git({"-C", folder.string(), "rev-parse", "--path-format=absolute", "--git-common-dir"});
  return succeeded(finished) ? first_line(finished.output) : std::string();
}

/// Why `tree` isn't what an earlier run left: the top of a work tree of this repository, without a
/// branch and without changes; "" where it is.
std::string not_ours(const fs::path& tree) {
  const std::string at = tree.string();
  const Finished top = git({"-C", at, "rev-parse", "--show-toplevel"});
  std::error_code ignored;
  if (!succeeded(top) || !fs::equivalent(first_line(top.output), tree, ignored) ||
      common_directory(tree) != common_directory(".")) {
    return "is no work tree of this repository";
  }
  if (succeeded(git({"-C", at, "symbolic-ref", "--quiet", "HEAD"}))) return "is on a branch";
  const Finished changes = git({"-C", at, "status", "--porcelain", "--untracked-files=no"});
  return succeeded(changes) && changes.output.empty() ? "" : "has changes of its own";
}

/// A work tree of this repository in `tree`, at `commit`. False where it is at that commit already.
bool check_out(const fs::path& tree, const std::string& commit) {
  if (!fs::exists(tree)) {
    // By force, since git may still know of a work tree there whose folder was deleted.
    git_line({"worktree", "add", "--force", "--detach", tree.string(), commit},
             fmt::format("--base-ref: can't check out {}", commit.substr(0, 10)));
    return true;
  }
  if (const std::string why = not_ours(tree); !why.empty()) {
    throw std::runtime_error(
        fmt::format("{}: {}, so --base-ref doesn't touch it; move it away, or choose another -o",
                    tree.string(), why));
  }
  const std::string before = git_line({"-C", tree.string(), "rev-parse", "HEAD"}, tree.string());
  if (before == commit) return false;
  git_line({"-C", tree.string(), "checkout", "--detach", "--quiet", commit},
           fmt::format("{}: can't check out {}", tree.string(), commit.substr(0, 10)));
  return true;
}

/// A program of another commit must not be taken for what the build makes.
void set_aside(const fs::path& program) {
  fs::path aside = program;
  aside += ".before";
  std::error_code ignored;
  fs::rename(program, aside, ignored);
}

/// The last line of a file that says anything.
std::string last_words(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return last_line(std::string{std::istreambuf_iterator<char>(stream), {}});
}

void run_build(const fs::path& tree, const std::string& build, const fs::path& log,
               const InterruptGuard& interrupt) {
  const std::string script =
      fmt::format("unset {}; cd {} && {{ {}\n}} >{} 2>&1", fmt::join(kGitVariables, " "),
                  shell_quoted(tree.string()), build, shell_quoted(log.string()));
  Process process({"/bin/sh", "-c", script}, Process::Output::discard);
  Process* const only = &process;
  while (!process.ending()) {
    if (interrupt.requested()) throw Interrupted();
    Process::wait({&only, 1}, std::chrono::hours(1), interrupt.descriptor());
  }
  if (interrupt.requested()) throw Interrupted();
  if (process.ending()->exit_code == 0) return;
  throw std::runtime_error(fmt::format("--build failed in {}: {}; all of it in {}", tree.string(),
                                       visible_text(last_words(log)), log.string()));
}

}  // namespace

std::string current_commit() {
  const Finished finished = git({"rev-parse", "HEAD"});
  if (!succeeded(finished)) return {};
  const Finished changes = git({"status", "--porcelain", "--untracked-files=no"});
  return first_line(finished.output) + (changes.output.empty() ? "" : "-dirty");
}

BaseBuild build_base(const std::string& ref, const std::string& build, const fs::path& head,
                     const fs::path& directory, Progress& progress,
                     const InterruptGuard& interrupt) {
  if (ref.starts_with('-'))
    throw std::runtime_error(fmt::format("--base-ref {}: no revision", ref));
  const fs::path top = git_line({"rev-parse", "--show-toplevel"}, "--base-ref");
  const std::string commit = git_line({"merge-base", ref, "HEAD"},
                                      fmt::format("--base-ref {}: no merge base with HEAD", ref));
  const fs::path inside = fs::relative(fs::weakly_canonical(head), fs::weakly_canonical(top));
  if (inside.empty() || *inside.begin() == "..") {
    throw std::runtime_error(fmt::format(
        "--head {}: lies outside of {}, so --base-ref can't tell where the base's program will be; "
        "build base by yourself and give --base",
        head.string(), top.string()));
  }
  const fs::path tree = fs::weakly_canonical(directory) / "base-tree";
  if (check_out(tree, commit)) set_aside(tree / inside);
  progress.note(fmt::format("building {}, the merge base with {}", commit.substr(0, 10), ref));
  run_build(tree, build, fs::weakly_canonical(directory) / "base-build.log", interrupt);
  const fs::path program = tree / inside;
  if (!fs::is_regular_file(program)) {
    throw std::runtime_error(
        fmt::format("--build made no {} in {}: it must build what --head names", inside.string(),
                    tree.string()));
  }
  return {commit, program};
}

}  // namespace breakeven::gate
