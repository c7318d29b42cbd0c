// A child process in a process group of its own, with its output, errors and events read by pipes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace breakeven {

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }

  int get() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }
  void close();

 private:
  int descriptor_ = -1;
};

/// How a process ended: by exit(code), or by a signal.
struct Ending {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;
};

/// "worker ended by signal 9 (SIGKILL)" or "worker ended with exit code 3".
std::string describe(const Ending& ending);

/// Started by its constructor, in a process group of its own so that a Ctrl-C at the terminal
/// reaches it only through us. The kernel ends it when this process dies, however that happens; the
/// destructor ends it and everything in its group. Standard input is empty.
class Process {
 public:
  enum class Output { keep, discard };

  /// What a program finds under these paths: a pipe for its events, and the text that it was given.
  static constexpr std::string_view kEventsPath = "/dev/fd/3";
  static constexpr std::string_view kTextPath = "/dev/fd/4";

  /// Starts arguments[0] with `arguments`. `text` can be read from kTextPath; it lives in memory,
  /// so nothing has to be cleaned up. Throws std::runtime_error where the program can't be started.
  Process(const std::vector<std::string>& arguments, Output output, std::string_view text = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t id() const { return id_; }

  /// Complete lines of the event stream since the last call. A torn last line is never returned.
  std::vector<std::string> take_events();
  const std::string& output() const { return output_; }  ///< all of standard output, if kept
  const std::string& errors() const { return errors_; }  ///< the last 64 KiB of standard error

  /// Set once the process has ended and all that it wrote has been read.
  const std::optional<Ending>& ending() const { return ending_; }

  /// Ends the whole process group at once (SIGKILL). ending() follows by wait().
  void kill();

  /// Reads from all of `processes` until something arrived, one ended, or `timeout` passed;
  /// `wake_descriptor`, if not negative, ends the wait when readable.
  static void wait(std::span<Process* const> processes, std::chrono::milliseconds timeout,
                   int wake_descriptor = -1);

 private:
  bool read_pipe(FileDescriptor& pipe, std::string& into);
  void read_pipes();
  void try_reap();

  pid_t id_ = -1;
  bool keep_output_;
  FileDescriptor output_pipe_, error_pipe_, event_pipe_;
  std::string output_, errors_, event_text_;
  std::optional<Ending> ending_;
};

/// Runs a program to its end. Past `timeout` it is ended by SIGKILL and `timed_out` is set.
struct Finished {
  Ending ending;
  bool timed_out = false;
  std::string output;
  std::string errors;
};

/// Runs all of `commands` side by side; results in their order.
std::vector<Finished> run_all(const std::vector<std::vector<std::string>>& commands,
                              std::chrono::milliseconds timeout);

}  // namespace breakeven
