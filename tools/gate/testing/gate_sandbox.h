// Two programs in a directory of their own, and `breakeven gate` run on them.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven::gate {

class GateSandbox : public Sandbox {
 protected:
  /// Writes an executable script.
  void script(const std::string& name, const std::string& text) const {
    write(name, text);
    std::filesystem::permissions(file(name), std::filesystem::perms::owner_all);
  }

  /// Makes `name` a fake Google Benchmark program with these settings (testing/fake_benchmark).
  void fake(const std::string& name, const std::map<std::string, std::string>& settings) const {
    std::string text = "#!/bin/sh\nexport FAKE_LOG='" + log(name).string() + "'\n";
    for (const auto& [key, value] : settings) text += "export " + key + "='" + value + "'\n";
    script(name, text + "exec " FAKE_BENCHMARK " \"$@\"\n");
  }

  std::filesystem::path log(const std::string& name) const { return file(name + ".log"); }

  /// The runs of a fake program: the rows of each, in order.
  std::vector<std::string> runs(const std::string& name) const {
    std::vector<std::string> lines;
    std::ifstream stream(log(name));
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  std::vector<std::string> gate_arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"gate",   "run",
                                          "--base", file("base").string(),
                                          "--head", file("head").string(),
                                          "-o",     out_directory().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Finished gate(const std::vector<std::string>& more = {}) const {
    return breakeven(gate_arguments(more));
  }

  std::filesystem::path out_directory() const { return file("out"); }
  std::filesystem::path gate_journal() const { return out_directory() / "journal.ndjson"; }

  nlohmann::json verdict() const {
    return nlohmann::json::parse(text(out_directory() / "verdict.json"));
  }
  nlohmann::json arm(const std::string& name) const {
    return nlohmann::json::parse(text(out_directory() / (name + ".json")));
  }
  /// The verdict's word of a row; "" where it has none.
  std::string word(const std::string& row) const {
    const nlohmann::json rows = verdict().at("rows");
    for (const nlohmann::json& one : rows) {
      if (one.at("name") == row) return one.at("verdict").get<std::string>();
    }
    return "";
  }
};

}  // namespace breakeven::gate
