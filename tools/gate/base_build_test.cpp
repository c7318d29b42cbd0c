// --base-ref in a scratch repository.
#include <gmock/gmock.h>
#include <stdlib.h>

#include "tools/gate/testing/gate_sandbox.h"

namespace breakeven::gate {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

/// A repository whose program is a fake that `make_bench` copies out of the sources.
class BaseBuildTest : public GateSandbox {
 protected:
  BaseBuildTest() {
    set("GIT_CONFIG_GLOBAL", "/dev/null");
    sh("git init -q -b main repository && cd repository && "
       "git config user.name tester && git config user.email tester@example.org");
    commit("a b", "", "first");
  }

  Finished sh(const std::string& script) const {
    Finished finished = run_all({{"/bin/sh", "-c", "cd '" + file("").string() + "' && " + script}},
                                std::chrono::seconds(30))
                            .front();
    EXPECT_EQ(finished.ending.exit_code, 0) << script << "\n" << finished.errors;
    return finished;
  }

  /// A commit whose program has these rows, one of them slow.
  void commit(const std::string& rows, const std::string& slow, const std::string& message) {
    fake("repository/source", {{"FAKE_ROWS", rows}, {"FAKE_SLOW", slow}});
    sh("cd repository && git add source && git commit -q --allow-empty -m '" + message +
       "' && cp source bench");
  }

  Finished gate(const std::string& ref, const std::string& build = "cp source bench") const {
    const std::string command = BREAKEVEN
                                " gate run --rounds 5 --head ./bench -o ../out --base-ref '" +
                                ref + "' --build '" + build + "'";
    return run_all({{"/bin/sh", "-c", "cd '" + file("repository").string() + "' && " + command}},
                   std::chrono::seconds(60))
        .front();
  }
};

TEST_F(BaseBuildTest, ComparesWithTheMergeBase) {
  sh("cd repository && git checkout -q -b change");
  commit("a b", "b=150", "slower");
  sh("cd repository && git checkout -q main");
  commit("a b", "b=200", "meanwhile on main");
  sh("cd repository && git checkout -q change && cp source bench");
  const Finished finished = gate("main");
  EXPECT_EQ(finished.ending.exit_code, 1) << finished.errors << finished.output;
  EXPECT_EQ(word("b"), "REGRESSED");  // against 100, not against main's 200
  const std::string first = sh("cd repository && git merge-base main change").output;
  EXPECT_EQ(arm("base")["context"]["git.commit"].get<std::string>() + "\n", first);
  // Again, in the work tree that is there already.
  EXPECT_EQ(gate("main").ending.exit_code, 1);
  EXPECT_EQ(gate("change").ending.exit_code, 0);  // of another commit: the tree moves
}

TEST_F(BaseBuildTest, NothingOfTheUsersIsTouched) {
  commit("a b", "", "second");
  fs::create_directories(out_directory() / "base-tree");
  write("out/base-tree/mine", "precious");
  expect_refused(gate("HEAD~1"), {"base-tree", "is no work tree of this", "move it away"});
  EXPECT_EQ(text(out_directory() / "base-tree" / "mine"), "precious");
  // A work tree whose folder is away for now is another's business.
  sh("cd repository && git worktree add -q ../other HEAD~1 && mv ../other ../elsewhere");
  sh("rm -r out/base-tree");
  EXPECT_EQ(gate("HEAD~1").ending.exit_code, 0);
  EXPECT_THAT(sh("cd repository && git worktree list").output, HasSubstr("other"));
  // One of this repository's, but with somebody's work in it.
  sh("cd out/base-tree && echo changed >source");
  expect_refused(gate("HEAD~1"), {"base-tree", "has changes of its own"});
  sh("cd out/base-tree && git checkout -q source && git checkout -q -b mine");
  expect_refused(gate("HEAD~1"), {"base-tree", "is on a branch"});
  EXPECT_THAT(sh("cd out/base-tree && git branch --show-current").output, "mine\n");
}

// What a cleaning CI job leaves: git knows of the work tree, whose folder is gone.
TEST_F(BaseBuildTest, AWorkTreeThatWasDeletedIsMadeAgain) {
  commit("a b", "", "second");
  EXPECT_EQ(gate("HEAD~1").ending.exit_code, 0);
  sh("rm -r out");
  const Finished again = gate("HEAD~1");
  EXPECT_EQ(again.ending.exit_code, 0) << again.errors;
}

// A program of another commit isn't taken for one that the build didn't make.
TEST_F(BaseBuildTest, AStaleProgramIsNotMeasured) {
  commit("a b", "", "second");
  EXPECT_EQ(gate("HEAD~1").ending.exit_code, 0);
  const Finished stale = gate("HEAD", "true");
  EXPECT_EQ(stale.ending.exit_code, 2);
  EXPECT_THAT(stale.errors, HasSubstr("--build made no bench"));
}

// As in a hook of git's, whose variables name the caller's repository.
TEST_F(BaseBuildTest, TheCallersRepositoryStaysAsItIs) {
  commit("a b", "", "second");
  EXPECT_EQ(gate("HEAD~1").ending.exit_code, 0);
  const std::string before = sh("cd repository && git status -sb && git rev-parse HEAD").output;
  set("GIT_DIR", file("repository/.git").string());
  const Finished finished = gate("HEAD");
  unsetenv("GIT_DIR");
  EXPECT_EQ(finished.ending.exit_code, 0) << finished.errors;
  EXPECT_EQ(sh("cd repository && git status -sb && git rev-parse HEAD").output, before);
}

TEST_F(BaseBuildTest, BadInput) {
  expect_refused(gate("nowhere"), {"--base-ref nowhere"});
  expect_refused(gate("--all"), {"--base-ref --all"});
  const Finished failed = gate("HEAD", "echo no compiler here; false");
  EXPECT_EQ(failed.ending.exit_code, 2);
  EXPECT_THAT(failed.errors, HasSubstr("base-tree: no compiler here; all of it in"));
  EXPECT_EQ(text(out_directory() / "base-build.log"), "no compiler here\n");
  EXPECT_THAT(gate("HEAD", "true").errors, HasSubstr("--build made no bench"));
  const std::string outside =
      BREAKEVEN " gate run --head ../base --base-ref HEAD --build true -o ../out";
  fake("base", {{"FAKE_ROWS", "a"}});
  expect_refused(
      run_all({{"/bin/sh", "-c", "cd '" + file("repository").string() + "' && " + outside}},
              std::chrono::seconds(20))
          .front(),
      {"lies outside of"});
}

}  // namespace
}  // namespace breakeven::gate
