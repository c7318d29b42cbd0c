#include "reports/atomic_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace breakeven {
namespace {

class AtomicFile : public testing::Test {
 protected:
  AtomicFile() {
    std::string name = (std::filesystem::temp_directory_path() / "atomic_file_XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~AtomicFile() override {
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(directory_);
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_),
                                                  std::filesystem::directory_iterator()));
  }
  static std::string failure(const std::filesystem::path& path, std::string_view text) {
    try {
      write_file_atomically(path, text);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "no error";
  }

  std::filesystem::path directory_;
};

TEST_F(AtomicFile, WritesAndReplaces) {
  write_file_atomically(directory_ / "a", "one");
  write_file_atomically(directory_ / "a", "two");
  EXPECT_EQ(read(directory_ / "a"), "two");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFile, StepsOverStaleTemporaryFiles) {
  const std::string stale = fmt::format("a.{}.0.tmp", getpid());
  std::ofstream(directory_ / stale) << "left by a killed process";
  write_file_atomically(directory_ / "a", "new");
  EXPECT_EQ(read(directory_ / "a"), "new");
  EXPECT_EQ(read(directory_ / stale), "left by a killed process");
}

TEST_F(AtomicFile, KeepsSymbolicLinksAndModes) {
  write_file_atomically(directory_ / "target", "old");
  std::filesystem::permissions(directory_ / "target", std::filesystem::perms::owner_read |
                                                          std::filesystem::perms::owner_write);
  std::filesystem::create_symlink("target", directory_ / "link");
  write_file_atomically(directory_ / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory_ / "link"));
  EXPECT_EQ(read(directory_ / "target"), "new");
  EXPECT_EQ(std::filesystem::status(directory_ / "target").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(AtomicFile, NamesAMissingDirectory) {
  EXPECT_NE(failure(directory_ / "no" / "a", "x").find("create its directory first"),
            std::string::npos);
}

TEST_F(AtomicFile, RefusesADirectory) {
  EXPECT_NE(failure(directory_, "x").find("Is a directory"), std::string::npos);
}

TEST_F(AtomicFile, NamesAReadOnlyDirectory) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  std::filesystem::permissions(
      directory_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_NE(failure(directory_ / "a", "x").find("choose a directory"), std::string::npos);
}

TEST_F(AtomicFile, ReportsAFullDisk) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const std::string message = failure("/dev/full", "x");
  EXPECT_NE(message.find("No space left"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

// A limit on file sizes stands for a disk that fills up half way.
TEST_F(AtomicFile, LeavesNothingHalfWritten) {
  write_file_atomically(directory_ / "a", "old");
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{1024, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = failure(directory_ / "a", std::string(4096, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(read(directory_ / "a"), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace breakeven
