#include "tools/breakeven/journal.h"

#include <fstream>
#include <stdexcept>

#include "tools/breakeven/testing/sandbox.h"

namespace breakeven {
namespace {

using nlohmann::json;

class JournalTest : public Sandbox {
 protected:
  std::vector<json> records() const {
    std::vector<json> records;
    read_journal(journal(), [&](const json& record) { records.push_back(record); });
    return records;
  }
  static std::string message(const std::function<void()>& action) {
    try {
      action();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(JournalTest, KeepsPlanAndRecords) {
  {
    Journal journal_file = Journal::create(journal(), {{"seed", 7}});
    journal_file.append({{"case", "a"}});
    journal_file.append({{"case", "b"}});
  }
  EXPECT_EQ(read_journal(journal(), [](const json&) {}), json({{"seed", 7}}));
  EXPECT_EQ(records(), (std::vector<json>{{{"case", "a"}}, {{"case", "b"}}}));
}

TEST_F(JournalTest, DropsATornLastLineAndGoesOn) {
  { Journal::create(journal(), json::object()).append({{"case", "a"}}); }
  std::ofstream(journal(), std::ios::app) << R"({"case":"tor)";
  EXPECT_EQ(records().size(), 1u);
  Journal::take_up(journal()).append({{"case", "b"}});
  EXPECT_EQ(records(), (std::vector<json>{{{"case", "a"}}, {{"case", "b"}}}));
}

TEST_F(JournalTest, ATornFirstLineIsNoPlan) {
  write("results.json.journal.ndjson", R"({"journal":1,"pl)");
  EXPECT_TRUE(read_journal(journal(), [](const json&) {}).is_null());
}

TEST_F(JournalTest, NamesALineThatIsNone) {
  write("results.json.journal.ndjson", "{\"journal\":1,\"plan\":{}}\nnonsense\n{}\n");
  EXPECT_NE(message([&] { records(); }).find("ndjson:2: not a line"), std::string::npos);
  write("results.json.journal.ndjson", "{\"journal\":99,\"plan\":{}}\n");
  EXPECT_NE(message([&] { records(); }).find("ndjson:1: not a line"), std::string::npos);
}

TEST_F(JournalTest, OnlyOneProcessMayHoldIt) {
  const Journal first = Journal::create(journal(), json::object());
  EXPECT_NE(message([&] { Journal::take_up(journal()); }).find("another run"), std::string::npos);
}

TEST_F(JournalTest, AFullDiskIsOneClearError) {
  EXPECT_EQ(message([] { Journal::create("/dev/full", json::object()); }),
            "/dev/full: No space left on device");
}

TEST_F(JournalTest, BytesThatAreNoUtf8AreReplaced) {
  Journal::create(journal(), json::object()).append({{"error", "\xff\xfe"}});
  EXPECT_EQ(records().size(), 1u);
}

}  // namespace
}  // namespace breakeven
