// A directory of its own for each test, and `breakeven` run inside it with the fake worker.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/breakeven/process.h"

namespace breakeven {

class Sandbox : public ::testing::Test {
 protected:
  Sandbox() {
    std::string pattern = ::testing::TempDir() + "breakeven-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    set("BREAKEVEN_BENCH", FAKE_WORKER);
    set("FAKE_LOG", (directory_ / "log").string());
  }
  ~Sandbox() override {
    for (const std::string& name : variables_) unsetenv(name.c_str());
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables_.push_back(name);
  }

  std::filesystem::path file(const std::string& name) const { return directory_ / name; }
  std::filesystem::path out() const { return file("results.json"); }
  std::filesystem::path journal() const { return file("results.json.journal.ndjson"); }

  static std::string text(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name)) << content;
  }
  nlohmann::json results() const { return nlohmann::json::parse(text(out())); }

  static std::vector<std::string> command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BREAKEVEN);
    return arguments;
  }
  Finished breakeven(const std::vector<std::string>& arguments) const {
    return run_all({command(arguments)}, std::chrono::seconds(60)).front();
  }
  /// `breakeven run` of every case into out().
  std::vector<std::string> run_arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"run", "--filter", ".", "--out", out().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Finished run(const std::vector<std::string>& more = {}) const {
    return breakeven(run_arguments(more));
  }

  /// How often each case was started, by the fake worker's log.
  std::map<std::string, int> starts() const {
    std::map<std::string, int> counts;
    std::ifstream log(file("log"));
    for (std::string name, threads; log >> name >> threads;) ++counts[name];
    return counts;
  }

  /// Round, process and repetition of the rows of a results file, by name; error rows have
  /// repetition -1.
  static std::map<std::string, std::vector<std::array<int, 3>>> rows(
      const nlohmann::json& results) {
    std::map<std::string, std::vector<std::array<int, 3>>> rows;
    for (const nlohmann::json& row : results.at("benchmarks")) {
      rows[row.at("name")].push_back({row.at("round").get<int>(), row.at("process").get<int>(),
                                      row.value("repetition_index", -1)});
    }
    return rows;
  }

  /// Exactly one line on standard error that holds `words`, and exit code 2.
  static void expect_refused(const Finished& finished, const std::vector<std::string>& words) {
    EXPECT_EQ(finished.ending.exit_code, 2) << finished.errors;
    EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1)
        << finished.errors;
    for (const std::string& word : words) {
      EXPECT_NE(finished.errors.find(word), std::string::npos) << word << " in " << finished.errors;
    }
  }

 private:
  std::filesystem::path directory_;
  std::vector<std::string> variables_;
};

}  // namespace breakeven
