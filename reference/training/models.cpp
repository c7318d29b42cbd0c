#include "reference/training/models.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace breakeven {
namespace {

constexpr Sgd kPlainSgd{.rate = 0.05, .momentum = 0.9, .decay = 0};
constexpr Sgd kResnetSgd{.rate = 0.1, .momentum = 0.9, .decay = 1e-4};
constexpr AdamW kGptAdamW{.rate = 3e-4, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .decay = 0.1};
// What the last batch norm of a residual block starts from. Goyal et al. (arXiv 1706.02677) take 0,
// from which the block's other parameters have no gradient that a check could judge. From 1, bf16's
// roundings turn so many ReLUs of 50 layers that gradients of the early ones are all noise.
constexpr double kResidualGain = 0.2;
const double kGptScale = 0.02 * std::sqrt(3.0);  // of uniform values with this deviation: 0.02

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument(what);
}

Fill by_fan_in(std::int64_t fan_in) {
  return {.scale = std::sqrt(1 / static_cast<double>(fan_in))};
}

// A linear layer with bias: parameters <name>.weight and <name>.bias, its output <output>.
TensorId dense(Graph& graph, const std::string& name, const std::string& output, TensorId x,
               std::int64_t outputs) {
  const std::int64_t inputs = graph.tensor(x).shape[1];
  const TensorId w = graph.parameter(name + ".weight", {outputs, inputs}, by_fan_in(inputs));
  const TensorId b = graph.parameter(name + ".bias", {outputs}, by_fan_in(inputs));
  return graph.linear(output, x, w, b);
}

TensorId convolve(Graph& graph, const std::string& name, TensorId x, std::int64_t filters,
                  std::int64_t side, std::int64_t pad, std::int64_t stride, bool bias) {
  const std::int64_t channels = graph.tensor(x).shape[3];
  const Fill fill = by_fan_in(channels * side * side);
  const TensorId w = graph.parameter(name + ".weight", {filters, side, side, channels}, fill);
  const TensorId b = bias ? graph.parameter(name + ".bias", {filters}, fill) : kNoTensor;
  return graph.conv2d(name, x, w, b, pad, stride);
}

// Each model's text: from its input to its logits.
TensorId mlp(Graph& graph, const Mlp& size, TensorId x) {
  const auto layers = static_cast<std::int64_t>(size.widths.size()) - 1;
  for (std::int64_t layer = 1; layer <= layers; ++layer) {
    const std::string name = fmt::format("fc{}", layer);
    const bool last = layer == layers;
    x = dense(graph, name, last ? "logits" : name, x, size.widths[layer]);
    if (!last) x = graph.relu(fmt::format("relu{}", layer), x);
  }
  return x;
}

TensorId lenet(Graph& graph, const Lenet& size, TensorId x) {
  x = graph.relu("relu1", convolve(graph, "conv1", x, 6, 5, 2, 1, true));
  x = graph.max_pool("pool1", x, {.side = 2, .stride = 2, .pad = 0});
  const bool small = size.side < 14;
  x = graph.relu("relu2", convolve(graph, "conv2", x, 16, small ? 3 : 5, small ? 1 : 0, 1, true));
  x = graph.max_pool("pool2", x, {.side = 2, .stride = 2, .pad = 0});
  x = graph.flatten("flat", x);
  x = graph.relu("relu3", dense(graph, "fc1", "fc1", x, 120));
  x = graph.relu("relu4", dense(graph, "fc2", "fc2", x, 84));
  return dense(graph, "fc3", "logits", x, size.classes);
}

TensorId normalise(Graph& graph, const std::string& name, TensorId x, bool inference,
                   double gain = 1) {
  const std::int64_t channels = graph.tensor(x).shape[3];
  const TensorId gamma = graph.parameter(name + ".weight", {channels}, {.offset = gain});
  const TensorId beta = graph.parameter(name + ".bias", {channels}, {});
  const TensorId mean = graph.state(name + ".running_mean", {channels}, {});
  const TensorId variance = graph.state(name + ".running_var", {channels}, {.offset = 1});
  if (inference) return graph.batch_norm_inference(name, x, gamma, beta, mean, variance);
  return graph.batch_norm(name, x, gamma, beta, mean, variance);
}

// A residual block: convolutions of the given sides, of which `strided` has the stride.
struct Block {
  std::vector<std::int64_t> sides;
  std::vector<std::int64_t> filters;
  std::size_t strided;
  std::int64_t stride;
};

TensorId residual(Graph& graph, const std::string& name, const Block& block, TensorId x,
                  bool inference) {
  TensorId y = x;
  for (std::size_t i = 0; i < block.sides.size(); ++i) {
    const std::int64_t side = block.sides[i];
    const std::int64_t stride = i == block.strided ? block.stride : 1;
    if (i > 0) y = graph.relu(fmt::format("{}.relu{}", name, i), y);
    y = convolve(graph, fmt::format("{}.conv{}", name, i + 1), y, block.filters[i], side, side / 2,
                 stride, false);
    const bool last = i + 1 == block.sides.size();
    y = normalise(graph, fmt::format("{}.bn{}", name, i + 1), y, inference,
                  last ? kResidualGain : 1);
  }
  const bool same = block.stride == 1 && graph.tensor(x).shape == graph.tensor(y).shape;
  if (!same) {
    x = convolve(graph, name + ".downsample.0", x, block.filters.back(), 1, 0, block.stride, false);
    x = normalise(graph, name + ".downsample.1", x, inference);
  }
  return graph.relu(name, graph.add(name + ".sum", y, x));
}

TensorId resnet(Graph& graph, const Resnet& size, TensorId x, bool inference) {
  x = size.imagenet ? convolve(graph, "conv1", x, size.width, 7, 3, 2, false)
                    : convolve(graph, "conv1", x, size.width, 3, 1, 1, false);
  x = graph.relu("relu1", normalise(graph, "bn1", x, inference));
  if (size.imagenet) x = graph.max_pool("pool1", x, {.side = 3, .stride = 2, .pad = 1});
  for (std::size_t stage = 0; stage < size.blocks.size(); ++stage) {
    const std::int64_t width = size.width << stage;
    for (std::int64_t i = 0; i < size.blocks[stage]; ++i) {
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      const Block block = size.bottleneck ? Block{{1, 3, 1}, {width, width, 4 * width}, 1, stride}
                                          : Block{{3, 3}, {width, width}, 0, stride};
      x = residual(graph, fmt::format("layer{}.{}", stage + 1, i), block, x, inference);
    }
  }
  return dense(graph, "fc", "logits", graph.average_pool("pool", x), size.classes);
}

// A linear layer of gpt: bias 0, weights scaled by `scale`.
TensorId projection(Graph& graph, const std::string& name, TensorId x, std::int64_t outputs,
                    double scale) {
  const std::int64_t inputs = graph.tensor(x).shape[1];
  const TensorId w = graph.parameter(name + ".weight", {outputs, inputs}, {.scale = scale});
  return graph.linear(name, x, w, graph.parameter(name + ".bias", {outputs}, {}));
}

TensorId layer_norm(Graph& graph, const std::string& name, TensorId x) {
  const std::int64_t width = graph.tensor(x).shape[1];
  const TensorId gamma = graph.parameter(name + ".weight", {width}, {.offset = 1});
  return graph.layer_norm(name, x, gamma, graph.parameter(name + ".bias", {width}, {}));
}

TensorId gpt(Graph& graph, const Gpt& size, TensorId tokens) {
  const TensorId wte = graph.parameter("wte", {size.vocabulary, size.width}, {.scale = kGptScale});
  const TensorId wpe = graph.parameter("wpe", {size.steps, size.width}, {.scale = kGptScale / 2});
  const Sequence sequence{.batch = size.batch, .steps = size.steps, .heads = size.heads};
  const double into_residual = kGptScale / std::sqrt(2.0 * static_cast<double>(size.layers));
  TensorId x = graph.embedding("embedding", tokens, wte, wpe, sequence);
  for (std::int64_t layer = 0; layer < size.layers; ++layer) {
    graph.scope(fmt::format("h.{}.", layer));
    TensorId y = layer_norm(graph, "ln_1", x);
    y = projection(graph, "attn.c_attn", y, 3 * size.width, kGptScale);
    y = graph.attention("attn", y, sequence);
    y = projection(graph, "attn.c_proj", y, size.width, into_residual);
    x = graph.add("attn.sum", x, y);
    y = projection(graph, "mlp.c_fc", layer_norm(graph, "ln_2", x), 4 * size.width, kGptScale);
    y = projection(graph, "mlp.c_proj", graph.gelu("mlp.gelu", y), size.width, into_residual);
    x = graph.add("mlp.sum", x, y);
  }
  graph.scope("");
  return graph.linear("logits", layer_norm(graph, "ln_f", x), wte);
}

void require_sane(const Mlp& size) {
  require(size.widths.size() >= 2, "mlp needs at least two widths: of the input and the classes");
}

void require_sane(const Lenet& size) {
  require(size.side >= 4, fmt::format("lenet needs images of 4 x 4 and more, not {}", size.side));
}

void require_sane(const Resnet& size) {
  require(!size.blocks.empty() && size.blocks.size() <= 8, "resnet needs 1 to 8 stages of blocks");
  for (const std::int64_t blocks : size.blocks) {
    require(blocks >= 1, "each stage of resnet needs a block");
  }
}

void require_sane(const Gpt& size) {
  require(size.layers >= 1 && size.heads >= 1, "gpt needs a layer and a head");
  require(size.width % size.heads == 0,
          fmt::format("gpt's width {} must be a multiple of its {} heads", size.width, size.heads));
  require(size.vocabulary >= 1 && size.vocabulary <= INT32_MAX, "tokens must be 32-bit integers");
}

struct Ends {
  TensorId input;
  TensorId logits;
};

Ends build_forward(Graph& graph, const Mlp& size, Purpose) {
  const TensorId x = graph.input("input", {size.batch, size.widths[0]}, {.scale = 1});
  return {x, mlp(graph, size, x)};
}

Ends build_forward(Graph& graph, const Lenet& size, Purpose) {
  const TensorId x = graph.input("input", {size.batch, size.side, size.side, 1}, {.scale = 1});
  return {x, lenet(graph, size, x)};
}

Ends build_forward(Graph& graph, const Resnet& size, Purpose purpose) {
  const TensorId x = graph.input("input", {size.batch, size.side, size.side, 3}, {.scale = 1});
  return {x, resnet(graph, size, x, purpose == Purpose::inference)};
}

Ends build_forward(Graph& graph, const Gpt& size, Purpose) {
  const TensorId tokens =
      graph.index_input("input", TensorKind::input, size.batch * size.steps, size.vocabulary);
  return {tokens, gpt(graph, size, tokens)};
}

void append_updates(Graph& graph, const Mlp&) { append_sgd(graph, kPlainSgd); }
void append_updates(Graph& graph, const Lenet&) { append_sgd(graph, kPlainSgd); }
void append_updates(Graph& graph, const Resnet&) { append_sgd(graph, kResnetSgd); }
void append_updates(Graph& graph, const Gpt&) { append_adamw(graph, kGptAdamW); }

}  // namespace

Model build_model(const ModelSize& size, Purpose purpose) {
  return std::visit(
      [&](const auto& own) {
        require_sane(own);
        Model model{{}, kNoTensor, kNoTensor, kNoTensor, kNoTensor};
        const Ends ends = build_forward(model.graph, own, purpose);
        model.input = ends.input;
        model.logits = ends.logits;
        if (purpose == Purpose::inference) return model;
        const std::vector<std::int64_t> rows = model.graph.tensor(ends.logits).shape;
        model.target = model.graph.index_input("target", TensorKind::target, rows[0], rows[1]);
        model.loss = model.graph.cross_entropy("loss", ends.logits, model.target);
        if (purpose == Purpose::loss) return model;
        differentiate(model.graph, model.loss);
        append_updates(model.graph, own);
        return model;
      },
      size);
}

std::string model_name(const ModelSize& size) {
  if (std::holds_alternative<Mlp>(size)) return "mlp";
  if (std::holds_alternative<Lenet>(size)) return "lenet";
  if (std::holds_alternative<Gpt>(size)) return "gpt";
  const auto& own = std::get<Resnet>(size);
  const std::int64_t blocks =
      std::accumulate(own.blocks.begin(), own.blocks.end(), std::int64_t{0});
  return fmt::format("resnet{}", (own.bottleneck ? 3 : 2) * blocks + 2);
}

std::int64_t samples_per_step(const ModelSize& size) {
  if (const auto* own = std::get_if<Gpt>(&size)) return own->batch * own->steps;
  return std::visit([](const auto& own) { return own.batch; }, size);
}

}  // namespace breakeven
