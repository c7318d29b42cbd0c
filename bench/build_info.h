// Where this binary comes from; written by the build (build_info.cmake).
#pragma once

namespace breakeven {

struct BuildInfo {
  const char* commit;  ///< full hash, or "unknown" outside a git checkout
  const char* dirty;   ///< "true" where tracked files differed from that commit
  const char* compiler;
  const char* flags;
  const char* type;
};

BuildInfo build_info();

}  // namespace breakeven
