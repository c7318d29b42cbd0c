// Shares a fixed amount of work among workers, exactly.
#pragma once

#include <cstdint>

namespace breakeven::peak {

/// `total` units among `workers`: the first `extra` get base + 1, the others `base`.
struct WorkSplit {
  std::int64_t base;
  std::int64_t extra;
};

constexpr WorkSplit split_work(std::int64_t total, std::int64_t workers) {
  return {total / workers, total % workers};
}

constexpr std::int64_t units_of(const WorkSplit& split, std::int64_t worker) {
  return split.base + (worker < split.extra ? 1 : 0);
}

}  // namespace breakeven::peak
