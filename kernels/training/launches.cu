// Launches every kernel of training steps, for tools/budget.
#include <cstdint>

#include "kernels/cuda/launches.h"
#include "kernels/training/activation.h"
#include "kernels/training/attention.h"
#include "kernels/training/batch_norm.h"
#include "kernels/training/cross_entropy.h"
#include "kernels/training/embedding.h"
#include "kernels/training/layer_norm.h"
#include "kernels/training/optimizer.h"
#include "kernels/training/pool.h"
#include "kernels/training/widen.h"

namespace breakeven::training {
namespace {

/// Any address as aligned as cudaMalloc's; nothing reads it.
template <class T = void>
T* address(int number) {
  return reinterpret_cast<T*>(std::uintptr_t{0x10000000} << number);
}

// Columns in whole vectors, and columns that no vector reaches.
constexpr std::int64_t kColumns[] = {768, 10, 15};
// Where rows run together: 1023 times 15 columns no vector reaches, either.
constexpr std::int64_t kOddRows = 1023;
constexpr ElementType kStorages[] = {ElementType::f32, ElementType::bf16};

void launch_activations(std::int64_t columns, ElementType storage) {
  for (const Activation activation : {Activation::none, Activation::relu, Activation::gelu}) {
    BiasActivation forward;
    forward.activation = activation;
    forward.rows = 1024;
    forward.columns = columns;
    forward.x = address(1);
    forward.y = address(2);
    for (const void* bias : {static_cast<const void*>(nullptr), address<const void>(3)}) {
      forward.bias = bias;
      catch_launches("bias_activation", prepare_bias_activation(forward, storage));
    }
    BiasActivationBackward backward;
    backward.activation = activation;
    backward.rows = kOddRows;
    backward.columns = columns;
    backward.dy = address(1);
    backward.saved = address(2);
    for (const int parts : {1, 2, 3}) {  // dx, dbias, both
      backward.dx = (parts & 1) != 0 ? address(3) : nullptr;
      backward.dbias = (parts & 2) != 0 ? address<float>(4) : nullptr;
      catch_launches("bias_activation_backward",
                     prepare_bias_activation_backward(backward, address(5), storage));
    }
  }
  catch_launches("add",
                 prepare_add(address(1), address(2), address(3), kOddRows * columns, storage));
}

void launch_norms(std::int64_t columns, ElementType storage) {
  LayerNorm layer;
  layer.rows = 1024;
  layer.columns = columns;
  layer.x = address(1), layer.gamma = address(2), layer.beta = address(3), layer.y = address(4);
  layer.mean = address<float>(5), layer.rstd = address<float>(6);
  catch_launches("layer_norm", prepare_layer_norm(layer, storage));
  LayerNormBackward layer_backward;
  layer_backward.rows = 1024;
  layer_backward.columns = columns;
  layer_backward.dy = address(1), layer_backward.x = address(2), layer_backward.gamma = address(3);
  layer_backward.mean = address<float>(4), layer_backward.rstd = address<float>(5);
  layer_backward.dx = address(6), layer_backward.dgamma = address<float>(7);
  layer_backward.dbeta = address<float>(8);
  catch_launches("layer_norm_backward",
                 prepare_layer_norm_backward(layer_backward, address(9), storage));

  BatchNorm batch;
  batch.rows = 1024;
  batch.columns = columns;
  batch.x = address(1), batch.gamma = address(2), batch.beta = address(3), batch.y = address(4);
  batch.running_mean = address<float>(5), batch.running_variance = address<float>(6);
  batch.mean = address<float>(7), batch.rstd = address<float>(8);
  batch.next_running_mean = address<float>(9), batch.next_running_variance = address<float>(10);
  catch_launches("batch_norm", prepare_batch_norm(batch, address(11), storage));
  catch_launches("batch_norm_inference", prepare_batch_norm_inference(batch, storage));
  BatchNormBackward batch_backward;
  batch_backward.rows = 1024;
  batch_backward.columns = columns;
  batch_backward.dy = address(1), batch_backward.x = address(2), batch_backward.gamma = address(3);
  batch_backward.mean = address<float>(4), batch_backward.rstd = address<float>(5);
  batch_backward.dx = address(6), batch_backward.dgamma = address<float>(7);
  batch_backward.dbeta = address<float>(8);
  catch_launches("batch_norm_backward",
                 prepare_batch_norm_backward(batch_backward, address(9), storage));
}

void launch_rows(std::int64_t columns, ElementType storage) {
  CrossEntropy loss;
  loss.rows = 64;
  loss.columns = columns;
  loss.logits = address(1), loss.targets = address<const std::int32_t>(2);
  loss.gradient = address(1), loss.row_losses = address<float>(3), loss.loss = address<float>(4);
  catch_launches("cross_entropy", prepare_cross_entropy(loss, storage));

  Embedding embedding;
  embedding.batch = 8, embedding.length = 128, embedding.columns = columns;
  embedding.vocabulary = 256, embedding.tokens = address<const std::int32_t>(1);
  embedding.table = address(2), embedding.positions = address(3), embedding.x = address(4);
  catch_launches("embedding", prepare_embedding(embedding, storage));
  EmbeddingBackward embedding_backward;
  embedding_backward.batch = 8, embedding_backward.length = 128;
  embedding_backward.columns = columns, embedding_backward.vocabulary = 256;
  embedding_backward.tokens = address<const std::int32_t>(1);
  embedding_backward.dx = address(2), embedding_backward.dtable = address<float>(3);
  embedding_backward.dpositions = address<float>(4);
  catch_launches("embedding_backward", prepare_embedding_backward(embedding_backward, storage));
}

void launch_pools(std::int64_t channels, ElementType storage) {
  const MaxPool pool = {8, 28, 28, channels, 3, 2, 1};
  catch_launches("max_pool", prepare_max_pool(pool, address(1), address(2), storage));
  catch_launches("max_pool_backward",
                 prepare_max_pool_backward(pool, address(1), address(2), address(3), storage));
  catch_launches("average_pool",
                 prepare_average_pool(8, 49, channels, address(1), address(2), storage));
  catch_launches("average_pool_backward",
                 prepare_average_pool_backward(8, 49, channels, address(1), address(2), storage));
}

void launch_attention(std::int64_t head, ElementType storage) {
  AttentionBackward p;
  p.forward.batch = 8;
  p.forward.length = 1024;
  p.forward.heads = 12;
  p.forward.columns = 12 * head;
  p.forward.qkv = address(1), p.forward.y = address(2), p.forward.lse = address<float>(3);
  p.dy = address(4), p.dqkv = address(5);
  catch_launches("attention", prepare_attention(p.forward, storage));
  catch_launches("attention_backward", prepare_attention_backward(p, address(6), storage));
}

void launch_updates() {
  const auto* tensors = address<const OptimizerTensor>(1);
  const auto* chunks = address<const OptimizerChunk>(2);
  catch_launches("sgd", prepare_sgd(tensors, chunks, 100, address<const SgdScalars>(3)));
  catch_launches("adamw", prepare_adamw(tensors, chunks, 100, address<const AdamwScalars>(3)));
  catch_launches("next_step", prepare_next_step(address<AdamwScalars>(3)));
  catch_launches("widen", prepare_widen(address<const bf16>(1), address<float>(2), 1 << 20));
}

void launch_all() {
  for (const ElementType storage : kStorages) {
    for (const std::int64_t columns : kColumns) {
      launch_activations(columns, storage);
      launch_norms(columns, storage);
      launch_rows(columns, storage);
      launch_pools(columns, storage);
    }
    for (const std::int64_t head : {std::int64_t{32}, std::int64_t{64}})
      launch_attention(head, storage);
  }
  launch_updates();
}

const Launcher launcher(launch_all);

}  // namespace
}  // namespace breakeven::training
