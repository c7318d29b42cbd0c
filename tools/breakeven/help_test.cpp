#include "tools/breakeven/help.h"

#include <sstream>

#include "tools/breakeven/lines.h"
#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

class HelpTest : public Sandbox {};

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

TEST_F(HelpTest, EveryOptionInItIsAccepted) {
  // A flag that the text names but the parser doesn't know is "not expected"; every other answer
  // ("requires an argument", a value it can't use) shows that it is known.
  for (const CommandHelp& help : command_helps()) {
    std::istringstream words{std::string(help.text)};
    for (std::string word; words >> word;) {
      while (!word.empty() && std::string("[],.;()").find(word.back()) != std::string::npos) {
        word.pop_back();
      }
      if (word.starts_with("[")) word.erase(0, 1);
      if (!word.starts_with("--") || word.size() < 3) continue;
      const Finished finished = breakeven({std::string(help.name), word, "--surely-unknown"});
      EXPECT_EQ(finished.errors.find("not expected: " + word), std::string::npos)
          << finished.errors;
    }
  }
}

TEST_F(HelpTest, Version) {
  const Finished finished = breakeven({"--version"});
  EXPECT_EQ(finished.ending.exit_code, 0);
  EXPECT_TRUE(finished.output.starts_with("breakeven 0.")) << finished.output;
}

}  // namespace
}  // namespace breakeven
