#include "tools/breakeven/help.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "tools/breakeven/help_gate.h"
#include "tools/breakeven/lines.h"
#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

class HelpTest : public Sandbox {
 protected:
  void expect_options_accepted(const CommandHelp& help) const;
};

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  return {std::istream_iterator<std::string>(stream), {}};
}

void expect_fits(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), kTerminalColumns) << line;
  }
}

TEST_F(HelpTest, EveryCommandHasOne) {
  const Finished all = breakeven({"--help"});
  EXPECT_EQ(all.ending.exit_code, 0);
  expect_fits(all.output);
  for (const CommandHelp& help : command_helps()) {
    EXPECT_NE(all.output.find("  " + std::string(help.name) + " "), std::string::npos);
    const Finished one = breakeven({std::string(help.name), "--help"});
    EXPECT_EQ(one.ending.exit_code, 0);
    EXPECT_EQ(one.output, help.text);
    expect_fits(one.output);
  }
}

TEST_F(HelpTest, EveryCommandOfTheGateHasOne) {
  EXPECT_EQ(breakeven({"gate", "-h"}).output, breakeven({"gate", "--help"}).output);
  for (const CommandHelp& help : gate_helps()) {
    std::vector<std::string> command = words_of(help.name);
    command.push_back("--help");
    const Finished one = breakeven(command);
    EXPECT_EQ(one.ending.exit_code, 0) << help.name;
    EXPECT_EQ(one.output, help.text);
    expect_fits(one.output);
  }
}

/// A flag that the text names but the parser doesn't know is "not expected"; every other answer
/// ("requires an argument", a value it can't use) shows that it is known.
void HelpTest::expect_options_accepted(const CommandHelp& help) const {
  for (std::string word : words_of(help.text)) {
    while (!word.empty() && std::string("[],.;()`").find(word.back()) != std::string::npos) {
      word.pop_back();
    }
    if (word.starts_with("[")) word.erase(0, 1);
    word.resize(std::min(word.size(), word.find_first_of("=[")));
    if (!word.starts_with("-") || word == "-" || word == "--") continue;
    std::vector<std::string> command = words_of(help.name);
    command.insert(command.end(), {word, "--surely-unknown"});
    const Finished finished = breakeven(command);
    EXPECT_EQ(finished.errors.find("not expected: " + word), std::string::npos) << finished.errors;
  }
}

TEST_F(HelpTest, EveryOptionInItIsAccepted) {
  for (const CommandHelp& help : command_helps()) expect_options_accepted(help);
  for (const CommandHelp& help : gate_helps()) {
    if (help.name != "gate") expect_options_accepted(help);
  }
}

TEST_F(HelpTest, Version) {
  const Finished finished = breakeven({"--version"});
  EXPECT_EQ(finished.ending.exit_code, 0);
  EXPECT_TRUE(finished.output.starts_with("breakeven 0.")) << finished.output;
}

}  // namespace
}  // namespace breakeven
