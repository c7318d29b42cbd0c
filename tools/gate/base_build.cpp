#include "tools/gate/base_build.h"

#include <fmt/format.h>

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

Finished git(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"/usr/bin/env", "git"});
  return run_all({arguments}, kGitTimeout).front();
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

/// A work tree of this repository in `tree`, at `commit`.
void check_out(const fs::path& tree, const std::string& commit) {
  if (!fs::exists(tree)) {
    git_line({"worktree", "add", "--detach", tree.string(), commit},
             fmt::format("--base-ref: can't check out {}", commit.substr(0, 10)));
    return;
  }
  const Finished top = git({"-C", tree.string(), "rev-parse", "--show-toplevel"});
  std::error_code ignored;
  if (!succeeded(top) || !fs::equivalent(first_line(top.output), tree, ignored)) {
    throw std::runtime_error(fmt::format(
        "{}: is in the way of a work tree for --base-ref; move it, or choose another -o",
        tree.string()));
  }
  git_line({"-C", tree.string(), "checkout", "--detach", "--quiet", commit},
           fmt::format("{}: can't check out {}", tree.string(), commit.substr(0, 10)));
}

/// The last line of a file that says anything.
std::string last_words(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return last_line(std::string{std::istreambuf_iterator<char>(stream), {}});
}

void run_build(const fs::path& tree, const std::string& build, const fs::path& log,
               const InterruptGuard& interrupt) {
  const std::string script = fmt::format("cd {} && {{ {}\n}} >{} 2>&1", shell_quoted(tree.string()),
                                         build, shell_quoted(log.string()));
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
  return succeeded(finished) ? first_line(finished.output) : std::string();
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
  check_out(tree, commit);
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
