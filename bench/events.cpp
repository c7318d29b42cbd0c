#include "bench/events.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "bench/options.h"

namespace breakeven {

void add_check(Json& object, const Check& check) {
  add_finite(object, "error", check.error);
  add_finite(object, "tolerance", check.limit);
}

Events::Events(const std::string& path) : path_(path), file_(path, std::ios::app) {
  if (!file_) {
    throw UsageError(fmt::format("--events={}: can't be written ({})", path, std::strerror(errno)));
  }
}

void Events::write(const Json& event) {
  if (path_.empty()) return;
  // Bytes that are not UTF-8 (a vendor's message) are replaced: a line is always valid JSON.
  file_ << event.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
  if (!file_) {
    throw std::runtime_error(
        fmt::format("{}: can't write events ({})", path_, std::strerror(errno)));
  }
}

void Events::context(const Json& context) { write({{"event", "context"}, {"context", context}}); }

void Events::start(const std::string& name) { write({{"event", "start"}, {"case", name}}); }

void Events::rows(const std::string& name, const std::vector<Json>& rows) {
  write({{"event", "rows"}, {"case", name}, {"rows", rows}});
}

void Events::verified(const std::string& name, const Check& check) {
  Json event = {{"event", "verified"}, {"case", name}};
  add_check(event, check);
  event["method"] = check.method;
  write(event);
}

void Events::skip(const std::string& name, const std::string& reason) {
  write({{"event", "skip"}, {"case", name}, {"reason", reason}});
}

void Events::error(const std::string& name, const Failure& failure) {
  Json event = {{"event", "error"}, {"case", name}, {"reason", failure.reason}};
  if (failure.check) add_check(event, *failure.check);
  write(event);
}

void Events::end() { write({{"event", "end"}}); }

}  // namespace breakeven
