// A folder where workers keep what took them minutes of fp64, for the workers that come after them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace breakeven {

/// Names the folder to workers: reference/training/kept_answer.h reads it.
inline constexpr const char* kAnswersVariable = "BREAKEVEN_ANSWERS";

/// Empty at first, named to the processes that this one starts, and gone with the object. Where it
/// can't be made, each worker takes its own answers.
class AnswerFolder {
 public:
  explicit AnswerFolder(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
    if (std::filesystem::create_directory(path_, failed)) {
      setenv(kAnswersVariable, std::filesystem::absolute(path_).c_str(), 1);
    }
  }
  ~AnswerFolder() {
    unsetenv(kAnswersVariable);
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
  }
  AnswerFolder(const AnswerFolder&) = delete;
  AnswerFolder& operator=(const AnswerFolder&) = delete;

 private:
  std::filesystem::path path_;
};

}  // namespace breakeven
