#include "reports/synthetic.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace breakeven {
namespace {

using nlohmann::json;

// In [-1, 1), from a counter: the same on every machine (the finaliser of SplitMix64).
double noise_of(std::uint64_t counter) {
  std::uint64_t z = (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>(z >> 11) / static_cast<double>(std::uint64_t{1} << 52) - 1;
}

SyntheticCase synthetic_stream(const std::string& name, double bytes, double gigabytes_per_second,
                               int threads) {
  SyntheticCase c{name, bytes / (gigabytes_per_second * 1e9), {{"bytes", bytes}}, threads, {}};
  c.counters["error"] = 0;
  c.counters["tolerance"] = 1e-6;
  return c;
}

SyntheticCase synthetic_peak(const std::string& name, double gflops, int threads) {
  const double flops = std::exp2(31);
  return {name,
          flops / (gflops * 1e9),
          {{"flops", flops}, {"error", 0}, {"tolerance", 1e-9}},
          threads,
          {}};
}

SyntheticCase synthetic_part(const std::string& op, const std::string& rest, double seconds,
                             double flops, double batch, const std::string& shape) {
  SyntheticCase c;
  c.name = op + "/" + shape + "/" + rest;
  c.seconds = seconds;
  c.counters = {{"flops", flops}, {"bytes", 1e6}, {"n", batch}, {"error", 1}, {"tolerance", 4}};
  if (op != "training_update_mlp") {
    c.counters["items"] = batch;
    c.texts["items_name"] = "samples";
  }
  return c;
}

// How fast a library is at a size: it climbs to its plateau.
double climb(double plateau, double size, double half) { return plateau * size / (size + half); }

}  // namespace

std::string SyntheticRun::text() const {
  json document;
  for (const auto& [key, value] : facts) document["context"][key] = value;
  document["context"]["breakeven_schema"] = 1;
  document["benchmarks"] = json::array();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const SyntheticCase& c = cases[i];
      json row = {{"name", c.name},
                  {"run_name", c.name},
                  {"run_type", "iteration"},
                  {"round", round},
                  {"process", 100 + round}};
      for (const auto& [key, value] : c.counters) row[key] = value;
      for (const auto& [key, value] : c.texts) row[key] = value;
      if (c.failure) {
        row["error_occurred"] = true;
        row["error_message"] = *c.failure;
        document["benchmarks"].push_back(row);
        continue;
      }
      for (int repetition = 0; repetition < repetitions; ++repetition) {
        const auto sample = static_cast<std::uint64_t>((round * 1000 + repetition) * 100000) + i;
        row["repetitions"] = repetitions;
        row["repetition_index"] = repetition;
        row["threads"] = c.threads;
        row["iterations"] = 10;
        row["time_unit"] = "ns";
        row["real_time"] = c.seconds * 1e9 * (1 + noise * noise_of(sample));
        row["cpu_time"] = c.seconds * 1e9;
        document["benchmarks"].push_back(row);
      }
    }
  }
  document["breakeven"]["command"] = "breakeven run --suite quick";
  for (const auto& [name, reason] : skipped) {
    document["breakeven"]["skipped"].push_back({{"name", name}, {"reason", reason}});
  }
  for (const auto& [module, reason] : unavailable) {
    document["breakeven"]["unavailable"].push_back(
        {{"module", module}, {"reason", reason}, {"competitors", {"matmul/" + module}}});
  }
  return document.dump(1);
}

SyntheticCase synthetic_matmul(const std::string& shape, double m, double n, double k,
                               const std::string& rest, double gflops, double error,
                               double tolerance) {
  const double flops = 2 * m * n * k;
  const double bytes = 4 * (m * k + k * n + m * n);
  SyntheticCase c;
  c.name = "matmul/" + shape + "/" + rest;
  c.seconds = flops / (gflops * 1e9);
  c.counters = {{"flops", flops},
                {"bytes", bytes},
                {"m", m},
                {"n", n},
                {"k", k},
                {"error", error},
                {"tolerance", tolerance},
                {"prepare_seconds", 1.5e-5}};
  if (rest.rfind("gpu", 0) == 0) {
    c.threads = 0;
    c.counters["upload_seconds"] = 1e-5 + bytes * 2 / 3 / 25e9;
    c.counters["download_seconds"] = 1e-5 + bytes / 3 / 25e9;
    c.counters["host_seconds"] = c.seconds + 4e-6;
  }
  return c;
}

SyntheticCase synthetic_layer(const std::string& network, const std::string& layer, int times,
                              int batch, const std::string& rest, double seconds) {
  SyntheticCase c;
  c.name = fmt::format("conv2d_forward/{}_n{}/{}", layer, batch, rest);
  c.seconds = seconds;
  c.counters = {{"flops", 1e9 * batch},
                {"bytes", 1e6 * batch},
                {"n", batch},
                {"c", 64},
                {"h", 56},
                {"w", 56},
                {"k", 128},
                {"r", 3},
                {"s", 3},
                {"pad_h", 1},
                {"pad_w", 1},
                {"stride_h", 2},
                {"times", times},
                {"error", 3e-7},
                {"tolerance", 1e-5}};
  c.texts = {{"network", network}, {"layer", layer}};
  if (rest.starts_with("gpu")) {
    c.threads = 0;
    c.counters["upload_seconds"] = 1e-4 * batch;
    c.counters["download_seconds"] = 1e-4 * batch;
  }
  return c;
}

SyntheticRun synthetic_cpu_run() {
  SyntheticRun run;
  run.facts = {{"cpu.model", "Synthetic CPU"},
               {"cpu.cores", "2"},
               {"cpu.threads", "2"},
               {"memory.total_bytes", "25769803776"},
               {"date", "2001-02-03T04:05:06"},
               {"git.commit", "0123abc"},
               {"suite", "quick"},
               {"seed", "1"},
               {"onednn.isa", "avx512_core_amx"}};
  auto& cases = run.cases;
  for (const int threads : {1, 2}) {
    const std::string suffix = threads == 1 ? "/threads:1" : "";
    cases.push_back(synthetic_peak("peak/fma/cpu/avx512/f32" + suffix, 239.0 * threads, threads));
    cases.push_back(synthetic_peak("peak/fma/cpu/avx2/f32" + suffix, 120.0 * threads, threads));
    cases.push_back(synthetic_peak("peak/fma/cpu/amx/bf16" + suffix, 3700.0 * threads, threads));
  }
  for (const char* kind : {"copy", "triad"}) {
    for (double elements = 1 << 14; elements <= (1 << 26); elements *= 16) {
      const double speed = elements < (1 << 20) ? 90 : 21 + (kind[0] == 't' ? 1 : 0);
      cases.push_back(synthetic_stream(
          fmt::format("stream/{}_{:.0f}/cpu/openmp/f32", kind, elements), elements * 12, speed, 2));
    }
  }
  for (double n = 64; n <= 4096; n *= 2) {
    const std::string shape = fmt::format("square_{:.0f}", n);
    cases.push_back(synthetic_matmul(shape, n, n, n, "cpu/openblas/f32", climb(335, n, 110)));
    cases.push_back(synthetic_matmul(shape, n, n, n, "cpu/onednn/f32", climb(300, n, 60)));
    cases.push_back(synthetic_matmul(shape, n, n, n, "cpu/onednn_packed/f32", climb(345, n, 60)));
    cases.push_back(
        synthetic_matmul(shape, n, n, n, "cpu/onednn/bf16", climb(2600, n, 700), 4e-3, 2e-2));
    if (n <= 1024) {
      cases.push_back(synthetic_matmul(shape, n, n, n, "cpu/naive/f32", n > 256 ? 0.9 : 2.1));
      cases.back().threads = 1;
    } else {
      run.skipped.emplace_back("matmul/" + shape + "/cpu/naive/f32",
                               "one call would take more than 2 s");
    }
  }
  cases.push_back(synthetic_matmul("gpt2_mlp_up", 1024, 3072, 768, "cpu/openblas/f32", 312));
  cases.push_back(synthetic_matmul("gpt2_mlp_up", 1024, 3072, 768, "cpu/onednn/f32", 290));
  cases.push_back(synthetic_matmul("ragged_tall", 8191, 17, 127, "cpu/openblas/f32", 120));
  for (const char* implementation : {"openblas", "onednn"}) {
    const std::string rest = fmt::format("cpu/{}/f32", implementation);
    cases.push_back(synthetic_matmul("square_1024", 1024, 1024, 1024, rest + "/threads:1", 160));
    cases.back().threads = 1;
    cases.push_back(synthetic_matmul("square_1024", 1024, 1024, 1024, rest + "/cache:cold", 240));
  }
  SyntheticCase wrong = synthetic_matmul("square_512", 512, 512, 512, "cpu/wrong/f32", 1, 0.37);
  wrong.failure = "wrong answer: error 0.37 is above its limit 1e-05";
  cases.push_back(wrong);
  run.unavailable = {{"cuda", "no NVIDIA driver answers"}, {"cublas", "no NVIDIA driver answers"}};
  return run;
}

SyntheticRun synthetic_gpu_run() {
  SyntheticRun run = synthetic_cpu_run();
  run.unavailable.clear();
  run.facts["gpu.name"] = "Synthetic GPU";
  run.cases.push_back(synthetic_peak("peak/fma/gpu/ffma/f32", 50000, 0));
  run.cases.push_back(synthetic_stream("stream/copy_67108864/gpu/cuda/f32", 805306368, 2600, 0));
  for (double n = 64; n <= 4096; n *= 2) {
    const std::string shape = fmt::format("square_{:.0f}", n);
    // 20 µs of latency: the CPU wins below 256.
    const double flops = 2 * n * n * n;
    const double gflops = flops / (2e-5 + flops / 45e12) / 1e9;
    run.cases.push_back(synthetic_matmul(shape, n, n, n, "gpu/cublas/f32", gflops));
    run.cases.push_back(synthetic_matmul(shape, n, n, n, "gpu/naive/f32", gflops / 9));
    run.cases.push_back(
        synthetic_matmul(shape, n, n, n, "gpu/cublas/tf32", gflops * 3, 1e-4, 1e-3));
  }
  return run;
}

void add_synthetic_step(SyntheticRun& run, const std::string& rest, double factor, double batch,
                        const std::string& sweep) {
  const std::string shape = sweep + std::to_string(static_cast<int>(batch));
  const double unit = factor * 1e-3 * batch / 128;
  const double flops = 1e6 * batch;
  run.cases.push_back(synthetic_part("training_step_mlp", rest, 8 * unit, 6 * flops, batch, shape));
  run.cases.push_back(
      synthetic_part("training_forward_mlp", rest, 2 * unit, 2 * flops, batch, shape));
  run.cases.push_back(
      synthetic_part("training_backward_mlp", rest, 5 * unit, 4 * flops, batch, shape));
  run.cases.push_back(synthetic_part("training_update_mlp", rest, unit, 0, batch, shape));
  run.cases.push_back(synthetic_part("inference_mlp", rest, unit, 2 * flops, batch, shape));
}

SyntheticRun synthetic_training_run() {
  SyntheticRun run;
  run.noise = 0;
  run.facts = {{"cpu.model", "Synthetic CPU"}};
  SyntheticCase peak = synthetic_part("peak", "cpu/avx512/f32", 1e-3, 1.92e8, 1, "fma");
  run.cases = {peak};
  add_synthetic_step(run, "cpu/onednn/f32", 1);
  add_synthetic_step(run, "cpu/onednn_unfused/f32", 2);
  add_synthetic_step(run, "cpu/onednn/bf16", 0.5);
  add_synthetic_step(run, "cpu/onednn/f32", 1, 256);
  add_synthetic_step(run, "cpu/openblas/f32", 3, 64);
  SyntheticCase converged =
      synthetic_part("convergence_mlp", "cpu/onednn/f32", 1.5, 0, 64, "digits");
  converged.texts["label"] =
      "data=digits; loss_curve=2.3026,2.1,1.5; metric=accuracy 0.975; seconds_to_target=1.5; "
      "steps_to_target=210; target=accuracy 0.97";
  run.cases.push_back(converged);
  converged.name = "convergence_mlp/digits/cpu/openblas/f32";
  converged.texts["label"] = "loss_curve=2.3026,2.1x; metric=<b>";
  run.cases.push_back(converged);
  converged.name = "convergence_mlp/digits/cpu/onednn/bf16";
  converged.failure = "accuracy 0.9 after 420 steps | <i>";
  run.cases.push_back(converged);
  return run;
}

}  // namespace breakeven
