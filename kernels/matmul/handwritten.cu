// The hand-written kernels as competitors: every rung of the ladders by itself, and `handwritten`,
// which takes the rung that is expected to be the fastest for the shape and the GPU.
#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "kernels/cuda/buffered_kernel.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/probes.h"
#include "kernels/kernel.h"
#include "kernels/matmul/dispatch.h"
#include "kernels/matmul/tuned_source.h"

namespace breakeven::matmul {
namespace {

// Earlier rungs than these are expected to lose, and would cost a tuner most of its time. All that
// the models choose among are later ones (f32: pipelined, split warp groups, split k, skinny,
// sgemv).
constexpr std::size_t kLastRungs = 5;

constexpr std::array kLadderPrecisions = {Precision::bf16, Precision::f32, Precision::tf32,
                                          Precision::f16,  Precision::fp8, Precision::int8};

Gpu gpu() { return {device_info().compute_capability, device_info().sms}; }

const Matmul& as_matmul(const Workload& workload) { return static_cast<const Matmul&>(workload); }

class RungKernel final : public BufferedKernel {
 public:
  RungKernel(const Matmul& matmul, Precision precision, Choice choice)
      : BufferedKernel(matmul, precision),
        rung_(*choice.rung),
        gpu_(gpu()),
        gemm_(dense_gemm(matmul)) {
    gemm_.tiling = choice.tiling;
    gemm_.a = input(0).data();
    gemm_.b = input(1).data();
    gemm_.c = result().data();
    workspace_ = DeviceBuffer(rung_.workspace_bytes(gemm_, gpu_));
  }

  void prepare() override { prepared_ = rung_.prepare(gemm_, workspace_.data(), gpu_); }

  void run() override { prepared_.enqueue(work_stream()); }

  Facts facts() const override {
    Facts facts = {{"implementation", rung_.name}};
    if (!prepared_.plan.empty()) facts["plan"] = prepared_.plan;
    return facts;
  }

 private:
  const Rung& rung_;
  Gpu gpu_;
  Gemm gemm_;
  DeviceBuffer workspace_;
  PreparedGemm prepared_;
};

/// The rung `name` as it was asked for, or the best one for "".
Choice choice_of(const std::string& name, const Matmul& matmul, Precision precision,
                 const std::string& way) {
  if (name.empty()) return choose(dense_gemm(matmul), precision, gpu());
  const Rung* rung = find_rung(name, precision);
  return {rung, tiling_index(*rung, way)};
}

std::string reason_against(const std::string& name, const Workload& workload, Precision precision,
                           const Options& options) {
  const Matmul& matmul = as_matmul(workload);
  const Choice choice = choice_of(name, matmul, precision, options.way);
  if (!choice.rung) return "no hand-written kernel for this product on this GPU";
  Gemm gemm = dense_gemm(matmul);
  gemm.tiling = choice.tiling;
  std::string reason = unsupported_reason(*choice.rung, gemm, gpu());
  // An older architecture's code runs on a newer GPU, but traps where it lacks an instruction.
  const int code = device_code_version();
  if (reason.empty() && code < choice.rung->min_compute_capability) {
    reason = "needs code for sm_" + std::to_string(choice.rung->min_compute_capability) +
             " or later, this build's for this GPU is sm_" + std::to_string(code) + "'s";
  }
  return reason;
}

std::size_t footprint_bytes(const std::string& name, const Workload& workload, Precision precision,
                            const Options& options) {
  const Matmul& matmul = as_matmul(workload);
  Gemm gemm = dense_gemm(matmul);
  const Choice choice = choice_of(name, matmul, precision, options.way);
  gemm.tiling = choice.tiling;
  const std::size_t scratch = choice.rung ? choice.rung->workspace_bytes(gemm, gpu()) : 0;
  return operand_bytes(workload, precision) + scratch;
}

/// `name`: a rung's, or "" for the choice among them.
Implementation implementation_of(const std::string& name) {
  Implementation implementation;
  implementation.op = "matmul";
  implementation.name = name.empty() ? "handwritten" : name;
  if (name.empty()) implementation.launches = {Launch::stream, Launch::graph};
  if (!name.empty()) implementation.caches = {Cache::warm};  // a ladder needs one row a rung
  implementation.threaded = false;
  implementation.unsupported = [name](const Workload& workload, Precision precision,
                                      const Options& options) {
    return reason_against(name, workload, precision, options);
  };
  implementation.footprint_bytes = [name](const Workload& workload, Precision precision,
                                          const Options& options) {
    return footprint_bytes(name, workload, precision, options);
  };
  implementation.load = [name](const Workload& workload, Precision precision,
                               const Options& options) {
    const Matmul& matmul = as_matmul(workload);
    return std::make_unique<RungKernel>(matmul, precision,
                                        choice_of(name, matmul, precision, options.way));
  };
  return implementation;
}

bool is_late(const std::vector<Rung>& ladder, const Rung& rung) {
  const auto same = [&](const Rung& other) { return other.precision == rung.precision; };
  return std::count_if(&rung, ladder.data() + ladder.size(), same) <=
         static_cast<std::ptrdiff_t>(kLastRungs);
}

/// Names of the rungs that a tuner tries for a precision.
std::set<std::string> rungs_to_tune(Precision precision) {
  std::set<std::string> names;
  for (const std::vector<Rung>* ladder : {&f32_rungs(), &mma_rungs(), &wgmma_rungs()}) {
    for (const Rung& rung : *ladder) {
      if (rung.precision == precision && is_late(*ladder, rung)) names.insert(rung.name);
    }
  }
  return names;
}

/// The rung's own choice, then each of its tilings.
std::vector<std::string> ways_of(const std::string& name, Precision precision) {
  if (!rungs_to_tune(precision).contains(name)) return {};
  std::vector<std::string> ways = {""};
  for (const char* tiling : find_rung(name, precision)->tilings) ways.emplace_back(tiling);
  return ways;
}

void add_rungs(Registry& registry) {
  std::set<std::string> done;
  for (const Rung* rung : all_rungs()) {
    if (!done.insert(rung->name).second) continue;
    Implementation implementation = implementation_of(rung->name);
    for (const Rung* other : all_rungs()) {
      if (implementation.name == other->name) implementation.precisions.push_back(other->precision);
    }
    implementation.ways = [name = implementation.name](const Workload&, Precision precision) {
      return ways_of(name, precision);
    };
    registry.add(std::move(implementation));
  }
}

std::string table_text(const std::vector<Tuned>& found) {
  std::vector<TunedChoice> choices;
  for (const Tuned& tuned : found) {
    const Rung& rung = *find_rung(tuned.implementation, tuned.precision);
    const int tiling = tiling_index(rung, tuned.way);
    choices.push_back({gpu().compute_capability, gpu().sms, tuned.precision,
                       dense_gemm(as_matmul(*tuned.workload)).shape, rung.name,
                       tiling < 0 ? "" : rung.tilings[tiling]});
  }
  return tuned_source(merged_choices(tuned_choices(), choices));
}

TuningTable tuning_table() {
  TuningTable table;
  table.op = "matmul";
  table.file = "kernels/matmul/tuned.cpp";
  table.shapes = {"square_4096",     "square_8192",    "square_2048",    "square_1024",
                  "gpt2_mlp_up",     "gpt2_mlp_down",  "gpt2_qkv",       "gpt2_attn_proj",
                  "square_512",      "batch_sweep_64", "batch_sweep_16", "batch_sweep_256",
                  "llama3_8b_qkv",   "llama3_8b_down", "square_256",     "square_1536",
                  "square_3072",     "square_6144",    "gpt2_lm_head",   "llama3_8b_gate_up",
                  "batch_sweep_128", "square_768",     "bert_base_qkv",  "vit_b16_mlp_up"};
  table.precisions = {kLadderPrecisions.begin(), kLadderPrecisions.end()};
  table.text = table_text;
  return table;
}

}  // namespace

void handwritten(Registry& registry) {
  Implementation best = implementation_of("");
  best.precisions = {kLadderPrecisions.begin(), kLadderPrecisions.end()};
  registry.add(std::move(best));
  add_rungs(registry);
  registry.add(tuning_table());
}

}  // namespace breakeven::matmul
