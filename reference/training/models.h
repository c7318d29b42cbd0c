// The models that are trained, each written once as a graph. Sizes are the caller's.
//
// Tensors from outside are called "input" and "target", and parameters as these papers' common
// implementations call them: "fc1.weight", "fc1.bias"; "layer1.0.conv2.weight",
// "layer1.0.bn2.weight" (gamma), ".bias" (beta), ".running_mean", ".running_var",
// "layer2.0.downsample.0.weight" and ".1." for its norm; "wte", "wpe", "h.0.ln_1.weight",
// "h.0.attn.c_attn.weight" (q, k, v), "h.0.attn.c_proj", "h.0.ln_2", "h.0.mlp.c_fc",
// "h.0.mlp.c_proj", "ln_f". Outputs are called "logits" and "loss".
//
// Weights start uniform in +-sqrt(1 / fan in), biases likewise; gamma 1, beta 0. gpt: weights
// +-0.02 sqrt(3), those of projections into the residual stream scaled by 1 / sqrt(2 layers), wpe
// +-0.01 sqrt(3), biases 0. Inputs are uniform in (-1, 1).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "reference/training/graph.h"

namespace breakeven {

/// Linear layers with ReLU between them: widths are input, hidden ..., classes. SGD, rate 0.05,
/// momentum 0.9.
struct Mlp {
  std::int64_t batch = 128;
  std::vector<std::int64_t> widths = {784, 1024, 1024, 10};
};

/// LeCun et al., "Gradient-based learning applied to document recognition", with ReLU and max
/// pooling: conv 5x5x6 pad 2, pool, conv 5x5x16, pool, 120, 84, classes. Images below 14 x 14 get a
/// second convolution of 3x3 with padding 1. SGD as mlp.
struct Lenet {
  std::int64_t batch = 64;
  std::int64_t side = 28;  ///< of an image of one channel
  std::int64_t classes = 10;
};

/// He et al., "Deep residual learning for image recognition" (arXiv 1512.03385). Bottlenecks have
/// their stride in the 3x3 convolution (v1.5). SGD, rate 0.1, momentum 0.9, decay 1e-4.
struct Resnet {
  std::int64_t batch = 8;
  std::int64_t side = 32;
  std::int64_t classes = 10;
  std::vector<std::int64_t> blocks = {2, 2, 2, 2};  ///< of each stage; 18 layers
  bool bottleneck = false;                          ///< {3, 4, 6, 3} with it: 50 layers
  bool imagenet = false;    ///< stem 7x7 stride 2 and max pool 3x3 stride 2, not 3x3 stride 1
  std::int64_t width = 64;  ///< channels of the first stage
};

/// Radford et al., "Language models are unsupervised multitask learners" (GPT-2): pre-norm blocks,
/// GELU by tanh, learned positions, the head is wte again without bias. AdamW, rate 3e-4, betas 0.9
/// and 0.95, epsilon 1e-8, decay 0.1 of matrices.
struct Gpt {
  std::int64_t batch = 8;
  std::int64_t steps = 128;
  std::int64_t layers = 4;
  std::int64_t width = 128;
  std::int64_t heads = 4;
  std::int64_t vocabulary = 256;
};

using ModelSize = std::variant<Mlp, Lenet, Resnet, Gpt>;

/// inference: forward to the logits, with running statistics. loss: and the loss, of the batch's
/// own statistics. training: and backward and update.
enum class Purpose { inference, loss, training };

struct Model {
  Graph graph;
  TensorId input;
  TensorId logits;
  TensorId target;  ///< kNoTensor for inference
  TensorId loss;    ///< kNoTensor for inference
};

/// Throws std::invalid_argument for sizes that make no model: one line that says which and why.
Model build_model(const ModelSize& size, Purpose purpose);

/// "mlp", "lenet", "resnet18", "resnet50" (other depths by their layers), "gpt".
std::string model_name(const ModelSize& size);

/// Images or, for gpt, tokens of one step.
std::int64_t samples_per_step(const ModelSize& size);

}  // namespace breakeven
