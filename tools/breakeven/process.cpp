#include "tools/breakeven/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

namespace breakeven {
namespace {

constexpr std::size_t kErrorTail = 64 << 10;

struct Pipe {
  FileDescriptor read, write;
};

[[noreturn]] void fail(std::string_view what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("can't make a pipe");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

FileDescriptor memory_file(std::string_view text) {
  FileDescriptor file(memfd_create("breakeven", MFD_CLOEXEC));
  if (!file.open()) fail("can't make a file in memory");
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0) fail("can't write a file in memory");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return file;
}

// Everything from here to exec runs in the child: system calls only, no allocation.
struct ChildSetup {
  pid_t parent;
  int null, output, errors, events, text, failure;
  char* const* arguments;
};

[[noreturn]] void become(const ChildSetup& setup) {
  const auto give_up = [&] {
    const int error = errno;
    [[maybe_unused]] const ssize_t ignored = write(setup.failure, &error, sizeof error);
    _exit(127);
  };
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != setup.parent) _exit(127);  // the parent died before the line above
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // The sources are moved above 16 first, so that no dup2 overwrites one that is still needed.
  std::array sources = {setup.null, setup.output, setup.errors, setup.events, setup.text};
  for (int& source : sources) {
    source = fcntl(source, F_DUPFD_CLOEXEC, 16);
    if (source < 0) give_up();
  }
  for (int target = 0; target < static_cast<int>(sources.size()); ++target) {
    if (dup2(sources[static_cast<std::size_t>(target)], target) < 0) give_up();
  }
  execv(setup.arguments[0], setup.arguments);
  give_up();
  _exit(127);
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name ? fmt::format("SIG{}", name) : "unknown";
}

}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void FileDescriptor::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

std::string describe(const Ending& ending) {
  if (ending.signal == 0) return fmt::format("worker ended with exit code {}", ending.exit_code);
  return fmt::format("worker ended by signal {} ({})", ending.signal, signal_name(ending.signal));
}

Process::Process(const std::vector<std::string>& arguments, Output output, std::string_view text)
    : keep_output_(output == Output::keep) {
  std::vector<char*> argument_pointers;
  argument_pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    argument_pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  argument_pointers.push_back(nullptr);

  Pipe output_pipe = make_pipe(), error_pipe = make_pipe(), event_pipe = make_pipe();
  Pipe failure_pipe = make_pipe();
  const FileDescriptor text_file = memory_file(text);
  const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.open()) fail("/dev/null");
  const ChildSetup setup = {getpid(),
                            null.get(),
                            keep_output_ ? output_pipe.write.get() : null.get(),
                            error_pipe.write.get(),
                            event_pipe.write.get(),
                            text_file.get(),
                            failure_pipe.write.get(),
                            argument_pointers.data()};
  id_ = fork();
  if (id_ < 0) fail("can't start a process");
  if (id_ == 0) become(setup);
  setpgid(id_, id_);  // also here: whoever comes first, so that kill() never meets a missing group
  failure_pipe.write.close();
  int error = 0;
  if (read(failure_pipe.read.get(), &error, sizeof error) == sizeof error) {
    waitpid(id_, nullptr, 0);
    throw std::runtime_error(
        fmt::format("{}: can't be started: {}", arguments.at(0), std::strerror(error)));
  }
  output_pipe_ = std::move(output_pipe.read);
  error_pipe_ = std::move(error_pipe.read);
  event_pipe_ = std::move(event_pipe.read);
  for (const FileDescriptor* pipe : {&output_pipe_, &error_pipe_, &event_pipe_}) {
    fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
  }
}

Process::~Process() {
  if (ending_) return;
  kill();
  waitpid(id_, nullptr, 0);
}

void Process::kill() {
  if (!ending_) ::kill(-id_, SIGKILL);
}

std::vector<std::string> Process::take_events() {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = event_text_.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    lines.push_back(event_text_.substr(begin, end - begin));
  }
  event_text_.erase(0, begin);
  return lines;
}

/// True while the pipe may bring more.
bool Process::read_pipe(FileDescriptor& pipe, std::string& into) {
  std::array<char, 65536> buffer;
  while (pipe.open()) {
    const ssize_t count = read(pipe.get(), buffer.data(), buffer.size());
    if (count > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && errno == EAGAIN) {
      return true;
    } else {
      pipe.close();
    }
  }
  return false;
}

void Process::read_pipes() {
  read_pipe(output_pipe_, output_);
  read_pipe(error_pipe_, errors_);
  read_pipe(event_pipe_, event_text_);
  if (errors_.size() > kErrorTail) errors_.erase(0, errors_.size() - kErrorTail);
}

void Process::try_reap() {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  if (info.si_pid != id_) return;
  kill();  // whatever it left behind in its group, whose number is ours until waitpid
  int status = 0;
  waitpid(id_, &status, 0);
  read_pipes();  // what it wrote between our last look and its end
  ending_ = WIFSIGNALED(status) ? Ending{-1, WTERMSIG(status)} : Ending{WEXITSTATUS(status), 0};
}

void Process::wait(std::span<Process* const> processes, std::chrono::milliseconds timeout,
                   int wake_descriptor) {
  // A process that closed its pipes is about to end, and nothing but waitpid tells when: look
  // often.
  constexpr std::chrono::milliseconds kEndingSoon(1), kLongest(100);
  std::vector<pollfd> descriptors;
  for (Process* process : processes) {
    if (process->ending_) continue;
    bool any_open = false;
    for (FileDescriptor* pipe :
         {&process->output_pipe_, &process->error_pipe_, &process->event_pipe_}) {
      if (!pipe->open()) continue;
      descriptors.push_back({pipe->get(), POLLIN, 0});
      any_open = true;
    }
    timeout = std::min(timeout, any_open ? kLongest : kEndingSoon);
  }
  if (wake_descriptor >= 0) descriptors.push_back({wake_descriptor, POLLIN, 0});
  poll(descriptors.data(), descriptors.size(), static_cast<int>(timeout.count()));
  for (Process* process : processes) {
    if (process->ending_) continue;
    process->read_pipes();
    process->try_reap();
  }
}

std::vector<Finished> run_all(const std::vector<std::vector<std::string>>& commands,
                              std::chrono::milliseconds timeout) {
  std::vector<std::unique_ptr<Process>> processes;
  std::vector<Process*> running;
  for (const std::vector<std::string>& command : commands) {
    processes.push_back(std::make_unique<Process>(command, Process::Output::keep));
    running.push_back(processes.back().get());
  }
  std::vector<Finished> results(commands.size());
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!running.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      for (std::size_t i = 0; i < processes.size(); ++i) {
        if (processes[i]->ending()) continue;
        results[i].timed_out = true;
        processes[i]->kill();
      }
    }
    Process::wait(running, std::clamp(left, std::chrono::milliseconds(1), timeout));
    std::erase_if(running, [](const Process* process) { return process->ending().has_value(); });
  }
  for (std::size_t i = 0; i < processes.size(); ++i) {
    results[i].ending = *processes[i]->ending();
    results[i].output = processes[i]->output();
    results[i].errors = processes[i]->errors();
  }
  return results;
}

}  // namespace breakeven
