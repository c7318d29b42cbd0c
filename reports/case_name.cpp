// The grammar of case names.

#include <algorithm>

#include "reports/results.h"
#include "reports/text.h"

namespace breakeven {
namespace {

bool is_suffix(std::string_view segment) {
  for (const std::string_view whole : {"manual_time", "real_time", "process_time"}) {
    if (segment == whole) return true;
  }
  for (const std::string_view key : {"iterations:", "repeats:", "min_time:", "min_warmup_time:"}) {
    if (segment.size() > key.size() && segment.substr(0, key.size()) == key) return true;
  }
  return false;
}

std::string bounded(std::string_view segment) {
  constexpr std::size_t kLongest = 200;
  if (segment.size() <= kLongest) return std::string(segment);
  std::size_t end = kLongest - 24;
  while (end > 0 && (static_cast<unsigned char>(segment[end]) & 0xC0) == 0x80) --end;
  return std::string(segment.substr(0, end)) + "…" + hash_text(segment);
}

}  // namespace

std::string case_identity(std::string_view name) {
  for (std::size_t slash = name.rfind('/'); slash != std::string_view::npos && slash > 0;
       slash = name.rfind('/')) {
    if (!is_suffix(name.substr(slash + 1))) break;
    name = name.substr(0, slash);
  }
  return std::string(name);
}

CaseName split_case_name(std::string_view identity) {
  std::vector<std::string> segments;
  for (std::size_t start = 0; start <= identity.size();) {
    const std::size_t end = std::min(identity.find('/', start), identity.size());
    segments.push_back(bounded(identity.substr(start, end - start)));
    start = end + 1;
  }
  if (segments.size() < 5 || (segments[2] != "cpu" && segments[2] != "gpu")) {
    CaseName whole;
    whole.op = bounded(identity);
    return whole;
  }
  CaseName name{segments[0], segments[1], segments[2], segments[3], segments[4], {}};
  for (std::size_t i = 5; i < segments.size(); ++i) {
    const std::size_t colon = segments[i].find(':');
    name.options[segments[i].substr(0, colon)] =
        colon == std::string::npos ? "" : segments[i].substr(colon + 1);
  }
  return name;
}

}  // namespace breakeven
