#include "kernels/simt/conformance/check.h"

namespace breakeven::conformance {

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (const auto& checks : {language_checks(), copy_checks(), matrix_checks(),
                             hopper_copy_checks(), hopper_im2col_checks(), hopper_wgmma_checks()}) {
    all.insert(all.end(), checks.begin(), checks.end());
  }
  return all;
}

}  // namespace breakeven::conformance
