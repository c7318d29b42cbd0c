// A worker that speaks the protocol of breakeven-bench and misbehaves on request. A case does what
// its shape's name begins with: good, wrong, killed, aborted, hang, garbage, silent, torn, skip,
// untimed, slow, turning (right once, wrong from then on), fading (right once, then skipped),
// parting (right, and killed afterwards). A file of --shapes is a list of such names; those that
// begin with bad are refused.
//
// FAKE_SHAPES       shapes of module `fake`, separated by blanks (those of `fake2`: the good ones)
// FAKE_LOG          file that gets a line "<name> <threads>" when a case starts
// FAKE_DELAY_MS     what a good case takes
// FAKE_FACTS        JSON object that --facts answers
// FAKE_ANSWER_MS    what answering --facts or --list takes
// FAKE_DIE_ONCE     file; while it is missing, a worker that is to run cases makes it and is killed
// FAKE_NO_START     a worker that is to run cases refuses with this line
// FAKE_TELL_ANSWERS file that gets the folder of BREAKEVEN_ANSWERS, where there is one
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using nlohmann::json;

constexpr int kMostThreads = 4;

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

[[noreturn]] void refuse(const std::string& line) {
  std::cerr << "breakeven-bench: " << line << '\n';
  std::exit(2);
}

struct Options {
  std::string module, cases, events;
  bool list = false, verify = false;
  int threads = kMostThreads;
  std::vector<std::string> user_shapes, refused;
};

std::string case_name(const std::string& module, const std::string& shape) {
  return "test/" + shape + "/cpu/" + module + "/f32";
}

json listing(const Options& options) {
  json cases = json::array();
  const auto add = [&](const std::string& shape) {
    json entry = {{"name", case_name(options.module, shape)}};
    if (shape.starts_with("unsupported")) entry["unsupported"] = "needs an ISA that is not here";
    cases.push_back(entry);
  };
  for (const std::string& shape : words(environment("FAKE_SHAPES", "good_1 good_2"))) {
    if (options.module == "fake" || shape.starts_with("good")) add(shape);
  }
  for (const std::string& shape : options.user_shapes) add(shape);
  return {{"module", options.module},
          {"device", "cpu"},
          {"facts", {{options.module + ".version", "1"}}},
          {"default_threads", options.threads},
          {"refused", options.refused},
          {"cases", cases}};
}

class Worker {
 public:
  explicit Worker(const Options& options)
      : options_(options), events_(options.events, std::ios::app) {}

  int run() {
    event({{"event", "context"}, {"context", {{"fake.fact", options_.module}, {"num_cpus", 2}}}});
    std::ifstream cases(options_.cases);
    for (std::string name; std::getline(cases, name);) run_case(name);
    event({{"event", "end"}});
    return failed_ ? 1 : 0;
  }

 private:
  void event(const json& value) { events_ << value.dump() << std::endl; }

  /// How often the case was started before, by the log.
  static int earlier_starts(const std::string& name) {
    std::ifstream log(environment("FAKE_LOG", "/dev/null"));
    int count = 0;
    for (std::string line; std::getline(log, line);) count += line.starts_with(name + " ") ? 1 : 0;
    return count;
  }

  void run_case(const std::string& name) {
    const bool again = earlier_starts(name) > 0;
    std::ofstream(environment("FAKE_LOG", "/dev/null"), std::ios::app)
        << name + " " + std::to_string(options_.threads) + "\n";
    event({{"event", "start"}, {"case", name}});
    const std::string shape = name.substr(name.find('/') + 1);
    const auto is = [&](const char* prefix) { return shape.starts_with(prefix); };
    if (is("killed")) std::raise(SIGKILL);
    if (is("aborted")) {
      std::cerr << "a last word\n";
      std::signal(SIGABRT, SIG_DFL);
      std::raise(SIGABRT);
    }
    if (is("hang")) pause();
    if (is("silent")) std::_Exit(0);
    if (is("garbage")) {
      events_ << "?? this is no event" << std::endl;
      pause();  // until it is ended for that
    }
    if (is("torn")) {
      events_ << R"({"event":"rows","case":")" << std::flush;
      std::raise(SIGKILL);
    }
    if (is("slow")) std::this_thread::sleep_for(std::chrono::milliseconds(700));
    finish(name, is("wrong") || (is("turning") && again), is("skip") || (is("fading") && again),
           is("untimed"));
    if (is("parting")) std::raise(SIGKILL);
    if (is("untimed")) pause();
  }

  void finish(const std::string& name, bool wrong, bool skip, bool untimed) {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::stoi(environment("FAKE_DELAY_MS", "0"))));
    if (wrong) {
      failed_ = true;
      event({{"event", "error"},
             {"case", name},
             {"reason", "wrong answer"},
             {"error", 0.5},
             {"tolerance", 0.001}});
    } else if (skip) {
      event({{"event", "skip"}, {"case", name}, {"reason", "only a try could tell"}});
    } else if (options_.verify) {
      event({{"event", "verified"},
             {"case", name},
             {"error", 1e-8},
             {"tolerance", 1e-6},
             {"method", "full fp64"}});
    } else {
      json rows = json::array();
      for (int repetition = 0; repetition < 3; ++repetition) {
        rows.push_back({{"name", name},
                        {"run_name", name},
                        {"run_type", "iteration"},
                        {"repetitions", 3},
                        {"repetition_index", repetition},
                        {"threads", 2},
                        {"iterations", 10},
                        {"real_time", untimed ? 0.0 : 1e6 + repetition},
                        {"cpu_time", 1e6},
                        {"time_unit", "ns"},
                        {"flops", 2e9},
                        {"bytes", 1e6}});
      }
      event({{"event", "rows"}, {"case", name}, {"rows", rows}});
    }
  }

  const Options& options_;
  std::ofstream events_;
  bool failed_ = false;
};

void print_modules() {
  std::cout << json::array({{{"name", "fake"}, {"device", "cpu"}, {"competitors", {"test/fake"}}},
                            {{"name", "fake2"}, {"device", "cpu"}, {"competitors", {"test/fake2"}}},
                            {{"name", "crashing"}, {"device", "cpu"}},
                            {{"name", "absent"},
                             {"device", "gpu"},
                             {"missing", "not built: no toolkit"},
                             {"competitors", {"test/absent"}}},
                            {{"name", "driverless"}, {"device", "gpu"}}})
            << '\n';
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const std::string value =
        argument.substr(std::min(argument.find('='), argument.size() - 1) + 1);
    if (argument.starts_with("--module=")) options.module = value;
    if (argument.starts_with("--cases=")) options.cases = value;
    if (argument.starts_with("--events=")) options.events = value;
    if (argument == "--list") options.list = true;
    if (argument == "--verify") options.verify = true;
    if (argument.starts_with("--threads=")) options.threads = std::stoi(value);
    if (argument.starts_with("--shapes=")) {
      const json shapes = json::parse(std::ifstream(value), nullptr, false);
      if (!shapes.is_array()) refuse(value + ": not JSON; see the schema");
      for (const json& entry : shapes) {
        const std::string shape = entry.get<std::string>();
        const bool bad = shape.starts_with("bad");
        (bad ? options.refused : options.user_shapes)
            .push_back(bad ? "shapes.json: \"" + shape + "\": its output has no rows at all"
                           : shape);
      }
    }
  }
  if (options.threads > kMostThreads) {
    refuse("--threads=" + std::to_string(options.threads) + ": this process may use 4 CPUs");
  }
  return options;
}

void think() {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::stoi(environment("FAKE_ANSWER_MS", "0"))));
}

}  // namespace

int main(int count, char** arguments) {
  const std::string first = count > 1 ? arguments[1] : "";
  if (first == "--modules") {
    print_modules();
    return 0;
  }
  if (first == "--facts") {
    think();
    std::cout << environment("FAKE_FACTS", R"({"cpu.model":"fake","git.commit":"c0ffee"})") << '\n';
    return 0;
  }
  const Options options = parse(count, arguments);
  if (options.list) think();
  if (options.list && options.module == "crashing") std::raise(SIGKILL);
  if (options.list && options.module == "driverless") {
    std::cout << R"({"module":"driverless","device":"gpu","unavailable":"no CUDA driver"})" << '\n';
    return 0;
  }
  if (options.list) {
    std::cout << listing(options) << '\n';
    return 0;
  }
  if (const char* line = std::getenv("FAKE_NO_START")) refuse(line);
  if (const char* file = std::getenv("FAKE_TELL_ANSWERS")) {
    const char* folder = std::getenv("BREAKEVEN_ANSWERS");
    std::ofstream(file) << (folder != nullptr && std::filesystem::is_directory(folder) ? folder
                                                                                       : "");
  }
  if (const char* mark = std::getenv("FAKE_DIE_ONCE"); mark && !std::filesystem::exists(mark)) {
    std::ofstream(mark) << "died";
    std::raise(SIGKILL);
  }
  return Worker(options).run();
}
