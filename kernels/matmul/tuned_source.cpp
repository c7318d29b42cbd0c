#include "kernels/matmul/tuned_source.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <tuple>

namespace breakeven::matmul {
namespace {

constexpr std::string_view kHead =
    R"(// The fastest rung and tiling of each product, measured on a GPU by `breakeven-bench --tune`, which
// writes this file. What is not near one of these is chosen by models (kernels/matmul/dispatch.cpp).
#include "kernels/matmul/dispatch.h"

namespace breakeven::matmul {
)";

auto key(const TunedChoice& choice) {
  const GemmShape& s = choice.shape;
  return std::tuple(choice.compute_capability, choice.sms, choice.precision, s.trans_a, s.trans_b,
                    s.m, s.n, s.k);
}

const char* truth(bool value) { return value ? "true" : "false"; }

}  // namespace

std::vector<TunedChoice> merged_choices(std::span<const TunedChoice> old,
                                        std::span<const TunedChoice> found) {
  std::vector<TunedChoice> all(found.begin(), found.end());
  for (const TunedChoice& entry : old) {
    const bool replaced = std::any_of(found.begin(), found.end(), [&](const TunedChoice& fresh) {
      return key(fresh) == key(entry);
    });
    if (!replaced) all.push_back(entry);
  }
  std::sort(all.begin(), all.end(),
            [](const TunedChoice& a, const TunedChoice& b) { return key(a) < key(b); });
  return all;
}

std::string tuned_source(std::span<const TunedChoice> choices) {
  std::ostringstream text;
  text << kHead;
  if (choices.empty()) {
    text << "\nstd::span<const TunedChoice> tuned_choices() { return {}; }\n";
  } else {
    text << "namespace {\n\n"
            "// Compute capability, multiprocessors, precision, {m, n, k, trans_a, trans_b}, rung, "
            "tiling.\n"
            "// clang-format off\n"
            "constexpr TunedChoice kTuned[] = {\n";
    for (const TunedChoice& choice : choices) {
      const GemmShape& s = choice.shape;
      text << "    {" << choice.compute_capability << ", " << choice.sms
           << ", Precision::" << traits(choice.precision).name << ", {" << s.m << ", " << s.n
           << ", " << s.k << ", " << truth(s.trans_a) << ", " << truth(s.trans_b) << "}, \""
           << choice.rung << "\", \"" << choice.tiling << "\"},\n";
    }
    text << "};\n"
            "// clang-format on\n\n"
            "}  // namespace\n\n"
            "std::span<const TunedChoice> tuned_choices() { return kTuned; }\n";
  }
  text << "\n}  // namespace breakeven::matmul\n";
  return text.str();
}

}  // namespace breakeven::matmul
