#include "reports/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "reports/text.h"

namespace breakeven {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  const char* remedy = "";
  switch (error) {
    case ENOENT:
      remedy = ": create its directory first";
      break;
    case EACCES:
    case EROFS:
    case EPERM:
      remedy = ": choose a directory that you may write to";
      break;
    case ENOSPC:
    case EDQUOT:
      remedy = ": free some space or choose another disk";
      break;
    default:
      break;
  }
  throw std::runtime_error(fmt::format("{}: can't write: {}{}", visible_text(path.string()),
                                       std::strerror(error), remedy));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }
  // Network file systems report a full disk only here.
  bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Opens a temporary file that nobody else has; one left by a killed process is stepped over.
std::pair<int, std::filesystem::path> open_temporary(const std::filesystem::path& target) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::filesystem::path temporary = target;
    temporary += fmt::format(".{}.{}.tmp", ::getpid(), attempt);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                  S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);
    if (descriptor >= 0) return {descriptor, temporary};
    if (errno != EEXIST) fail(target, errno);
  }
  fail(target, EEXIST);
}

// What is replaced: of a symbolic link the file behind it.
std::filesystem::path target_of(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  if (std::filesystem::is_other(path, error)) return path;  // /dev/stdout: a pipe has no other name
  std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  if (error) fail(path, error.value());
  return target;
}

}  // namespace

void require_writable(const std::filesystem::path& path) {
  const std::filesystem::path target = target_of(path);
  struct stat status {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail(path, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    // Opening a pipe would wait for its reader, or take it away from the write that follows.
    if (::access(target.c_str(), W_OK) != 0) fail(path, errno);
    return;
  }
  const auto [descriptor, temporary] = open_temporary(target);
  const Descriptor file(descriptor);
  ::unlink(temporary.c_str());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path target = target_of(path);
  struct stat status {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail(path, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    Descriptor file(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || !write_all(file.get(), text) || !file.close()) fail(path, errno);
    return;
  }

  const auto [descriptor, temporary] = open_temporary(target);
  Descriptor file(descriptor);
  const bool keeps_mode = !exists || ::fchmod(descriptor, status.st_mode & 07777) == 0;
  const bool complete = keeps_mode && write_all(descriptor, text) && ::fsync(descriptor) == 0 &&
                        file.close() && ::rename(temporary.c_str(), target.c_str()) == 0;
  if (!complete) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail(path, error);
  }
}

}  // namespace breakeven
