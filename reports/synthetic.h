// Invented results for the tests of the report: no number here was ever measured.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace breakeven {

struct SyntheticCase {
  std::string name;
  double seconds = 0;
  std::map<std::string, double> counters;
  int threads = 2;
  std::optional<std::string> failure;  ///< an error row: no time is written
  std::map<std::string, std::string> texts = {};
};

struct SyntheticRun {
  int rounds = 6;
  int repetitions = 3;
  double noise = 0.01;  ///< relative, deterministic, different for every sample
  std::map<std::string, std::string> facts;
  std::vector<SyntheticCase> cases;
  std::vector<std::pair<std::string, std::string>> skipped;
  std::vector<std::pair<std::string, std::string>> unavailable;

  std::string text() const;  ///< the results JSON
};

/// A matmul row with the counters that such a row has.
SyntheticCase synthetic_matmul(const std::string& shape, double m, double n, double k,
                               const std::string& rest, double gflops, double error = 3e-7,
                               double tolerance = 1e-5);

/// A forward convolution of `layer`, which occurs `times` times in `network`, with `batch` images.
/// rest: "cpu/onednn/f32".
SyntheticCase synthetic_layer(const std::string& network, const std::string& layer, int times,
                              int batch, const std::string& rest, double seconds);

/// A CPU-only run: peaks, streams, squares and named shapes in two precisions, a thread sweep, cold
/// rows, a failed case, skipped and unavailable ones.
SyntheticRun synthetic_cpu_run();

/// The same machine with an invented GPU beside it that wins from size 256 on.
SyntheticRun synthetic_gpu_run();

/// All parts of a training step of an mlp whose shape is the sweep's name and the batch: at batch
/// 128 and factor 1 a step of 8 ms whose phases take 2, 5 and 1 ms, and inference of 1 ms.
void add_synthetic_step(SyntheticRun& run, const std::string& rest, double factor,
                        double batch = 128, const std::string& sweep = "b");

/// Steps of an mlp at three batches by four ways without any noise, a peak of 192 GFLOP/s, and
/// three rows of training to a target: one that reached it, one without it, and one that failed.
SyntheticRun synthetic_training_run();

}  // namespace breakeven
