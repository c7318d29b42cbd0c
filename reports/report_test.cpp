#include "reports/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "reports/synthetic.h"
#include "reports/testing/verdicts.h"

namespace breakeven {
namespace {

class Report : public testing::Test {
 protected:
  Report() {
    std::string name = (std::filesystem::temp_directory_path() / "report_XXXXXX").string();
    directory_ = mkdtemp(name.data());
    write("cpu.json", synthetic_cpu_run().text());
    write("gpu.json", synthetic_gpu_run().text());
    request_.inputs = {directory_ / "cpu.json"};
    request_.html = directory_ / "report.html";
  }
  ~Report() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(directory_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string failure() const {
    try {
      write_reports(request_);
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "no error";
  }

  std::filesystem::path directory_;
  ReportRequest request_;
};

TEST_F(Report, WritesAllThatIsAskedFor) {
  request_.inputs.push_back(directory_ / "gpu.json");
  request_.markdown = directory_ / "summary.md";
  request_.charts = directory_ / "charts" / "new";
  write_reports(request_);
  EXPECT_EQ(read("report.html").find("<!doctype html>"), 0u);
  EXPECT_EQ(read("summary.md").find("**Run A: No speedup"), 0u);
  EXPECT_NE(read("charts/new/throughput-A-matmul-f32.svg").find("<svg"), std::string::npos);
  EXPECT_NE(read("charts/new/speedup-B-matmul-f32-.svg").find("<svg"), std::string::npos);
}

TEST_F(Report, IsTheSameEveryTime) {
  write_reports(request_);
  const std::string first = read("report.html");
  write_reports(request_);
  EXPECT_EQ(read("report.html"), first);
}

TEST_F(Report, ABadInputWritesNothing) {
  write("report.html", "the old report");
  const std::string whole = read("cpu.json");
  write("bad.json", whole.substr(0, whole.size() / 2));
  request_.inputs.push_back(directory_ / "bad.json");
  EXPECT_NE(failure().find("bad.json: line "), std::string::npos) << failure();
  EXPECT_NE(failure().find("truncated"), std::string::npos);
  EXPECT_EQ(read("report.html"), "the old report");
}

TEST_F(Report, RefusesADirectoryAndAnEmptyRun) {
  request_.inputs = {directory_};
  EXPECT_NE(failure().find("is a directory"), std::string::npos);
  write("empty.json", R"({"context":{},"benchmarks":[]})");
  request_.inputs = {directory_ / "empty.json"};
  EXPECT_NE(failure().find("an empty run"), std::string::npos);
  request_.inputs = {};
  EXPECT_EQ(failure(), "no results file was given");
  EXPECT_FALSE(std::filesystem::exists(request_.html));
}

TEST_F(Report, NamesWhatCannotBeWritten) {
  request_.html = directory_ / "missing" / "report.html";
  EXPECT_NE(failure().find("create its directory first"), std::string::npos);
  request_.html = directory_ / "report.html";
  request_.charts = directory_ / "gpu.json";
  EXPECT_NE(failure().find("can't make this directory"), std::string::npos) << failure();
}

TEST_F(Report, WritesNothingWhereOneTargetIsBad) {
  request_.markdown = directory_ / "missing" / "summary.md";
  EXPECT_NE(failure().find("create its directory first"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(request_.html));
}

TEST_F(Report, NeverOverwritesItsInputsOrItself) {
  const std::string whole = read("cpu.json");
  request_.html = directory_ / "." / "cpu.json";
  EXPECT_NE(failure().find("is one of the files to read"), std::string::npos) << failure();
  std::filesystem::create_symlink("cpu.json", directory_ / "link.json");
  request_.html = directory_ / "report.html";
  request_.markdown = directory_ / "link.json";
  EXPECT_NE(failure().find("is one of the files to read"), std::string::npos) << failure();
  request_.markdown = directory_ / "." / "report.html";
  EXPECT_NE(failure().find("two outputs"), std::string::npos) << failure();
  EXPECT_EQ(read("cpu.json"), whole);
  EXPECT_FALSE(std::filesystem::exists(request_.html));
  request_.html = "/dev/null";
  request_.markdown = "/dev/null";
  EXPECT_NO_THROW(write_reports(request_));
}

TEST_F(Report, RefusesAFileThatIsGivenTwice) {
  request_.inputs.push_back(request_.inputs.front());
  EXPECT_NE(failure().find("is given twice"), std::string::npos);
}

TEST_F(Report, NeverOverwritesAHistory) {
  std::filesystem::create_directories(directory_ / "history" / "machine");
  const std::string history = synthetic_history(5, 9);
  write("history/machine/2026-11.ndjson", history);
  request_.inputs.clear();
  request_.verdict.reset();
  request_.history = {directory_ / "history"};
  request_.html = directory_ / "history" / "machine" / "2026-11.ndjson";
  EXPECT_NE(failure().find("is a file of the history"), std::string::npos);
  EXPECT_EQ(read("history/machine/2026-11.ndjson"), history);
}

TEST_F(Report, PricesAreReadOrNothingIsWritten) {
  write("prices.json", R"({"currency": "EUR", "prices": [{"device": "cpu", "per_hour": -2}]})");
  request_.prices = directory_ / "prices.json";
  EXPECT_NE(failure().find("prices.json: prices[0].per_hour: is -2"), std::string::npos)
      << failure();
  write("prices.json", R"({"currency": "EUR", "prices": [
      {"device": "gpu", "machine": "another", "per_hour": 2}]})");
  EXPECT_NE(failure().find("matches no device"), std::string::npos) << failure();
  EXPECT_FALSE(std::filesystem::exists(request_.html));
  write("prices.json", R"({"currency": "EUR", "prices": [{"device": "cpu", "per_hour": 2}]})");
  request_.markdown = directory_ / "prices.json";
  EXPECT_NE(failure().find("is one of the files to read"), std::string::npos) << failure();
  request_.markdown.reset();
  write_reports(request_);
  EXPECT_NE(read("report.html").find("2.000 EUR an hour"), std::string::npos);
}

TEST_F(Report, ReadsPlainGoogleBenchmarkFiles) {
  write("plain.json", R"({"context":{"host_name":"h"},"benchmarks":[
      {"name":"BM_x/8","run_name":"BM_x/8","run_type":"iteration","repetition_index":0,
       "iterations":5,"real_time":12.5,"cpu_time":12,"time_unit":"us","threads":1}]})");
  request_.inputs = {directory_ / "plain.json"};
  write_reports(request_);
  const std::string html = read("report.html");
  EXPECT_NE(html.find("BM_x/8"), std::string::npos);
  EXPECT_NE(html.find("12.50 µs"), std::string::npos);
  EXPECT_NE(html.find("know no rounds"), std::string::npos);
}

}  // namespace
}  // namespace breakeven
