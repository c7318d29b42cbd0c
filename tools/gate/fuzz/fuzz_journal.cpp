#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tools/breakeven/journal.h"
#include "tools/gate/fuzz/fuzz.h"
#include "tools/gate/results_files.h"

namespace breakeven::gate::fuzz {
namespace {

/// A file in memory, one for all inputs.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("journal", MFD_CLOEXEC)) {
    require(file_ >= 0, "no memory file");
  }
  ~MemoryFile() { close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  void hold(std::string_view text) const {
    require(ftruncate(file_, 0) == 0, "can't empty the memory file");
    const ssize_t written = pwrite(file_, text.data(), text.size(), 0);
    require(written == static_cast<ssize_t>(text.size()), "can't fill the memory file");
  }

 private:
  int file_;
};

}  // namespace

void fuzz_journal(std::string_view input) {
  static const MemoryFile kFile;
  kFile.hold(input);
  const bool lines = reads([&] {
    read_journal(kFile.path(), [](const nlohmann::json& record) {
      require(record.is_object(), "a record that is no object");
    });
  });
  std::array<std::string, 2> texts;
  const Facts machine = {{"cpu.model", "some machine"}};
  if (!reads([&] { texts = results_of(kFile.path(), {machine, machine}); })) return;
  require(lines, "results of what is no journal");
  for (const Arm arm : {Arm::base, Arm::head}) {
    const std::string& text = texts[arm == Arm::base ? 0 : 1];
    require_json(text, "results of a journal");
    reads([&] { require_sound(parse_samples(text, "of.json", arm, default_exact_counters())); });
  }
}

}  // namespace breakeven::gate::fuzz
