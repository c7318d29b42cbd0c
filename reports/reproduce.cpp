// The commands that measure rows again.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostNames = 12;  // in one regular expression that people are to read

// A regular expression that matches this text only.
std::string quoted_regex(std::string_view name) {
  std::string regex;
  for (const char c : name) {
    if (std::string_view(R"(.[]{}()\*+?^$|)").find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
  return regex;
}

// The words of a command that breakeven wrote, quotes undone.
std::vector<std::string> shell_split(const std::string& command) {
  std::vector<std::string> words;
  bool quoted = false;
  bool inside = false;  // a word, be it empty so far
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (!quoted && c == ' ') {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (c == '\'') {
      quoted = !quoted;
    } else if (!quoted && c == '\\' && i + 1 < command.size()) {
      words.back() += command[++i];
    } else {
      words.back() += c;
    }
  }
  return words;
}

// What a run was given that decides which cases there are and how they run.
std::string same_options(const std::string& command) {
  static const std::set<std::string_view> kKept = {"--shapes", "--threads", "--rounds", "--seed",
                                                   "--case-timeout"};
  const std::vector<std::string> words = shell_split(command);
  std::string text;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (!kKept.contains(words[i])) continue;
    text += fmt::format(" {} {}", words[i], shell_word(words[i + 1]));
    ++i;
  }
  return text;
}

// Matches these cases; of many, everything of their operations.
std::string filter_of(const std::vector<const Case*>& cases) {
  const bool few = cases.size() <= kMostNames;
  std::set<std::string_view> parts;
  for (const Case* c : cases) parts.insert(few ? c->name : c->segments.op);
  std::string all;
  for (const std::string_view part : parts) all += (all.empty() ? "" : "|") + quoted_regex(part);
  if (parts.size() > 1) all = "(" + all + ")";
  return shell_quoted("^" + all + (few ? "$" : "/"));
}

std::string own_command(const Run& run, const std::string& filter) {
  if (run.results.schema == 0) return "--benchmark_filter=" + filter;
  std::string command = "breakeven run";
  if (const std::string suite = run.fact("suite"); !suite.empty()) {
    command += " --suite " + shell_word(suite);
  }
  return command + " --filter " + filter + same_options(run.results.command);
}

}  // namespace

std::vector<std::string> reproduce_commands(const Run& run, const std::vector<const Case*>& cases) {
  std::vector<const Case*> own, framework_cpu, framework_gpu;
  for (const Case* c : cases) {
    const bool gpu = c->segments.device == "gpu";
    (!is_framework(*c) ? own : gpu ? framework_gpu : framework_cpu).push_back(c);
  }
  std::vector<std::string> commands;
  if (!own.empty()) commands.push_back(own_command(run, filter_of(own)));
  const std::string framework = "tools/peers/pytorch --filter ";
  if (!framework_cpu.empty()) commands.push_back(framework + filter_of(framework_cpu));
  if (!framework_gpu.empty()) {
    commands.push_back(framework + filter_of(framework_gpu) + " --device gpu");
  }
  return commands;
}

std::string reproduce_command(const Run& run, const Case& c) {
  return reproduce_commands(run, {&c}).front();
}

}  // namespace breakeven
