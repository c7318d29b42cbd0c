# The hand-written kernels of training steps: nvcc compiles them, and a C++ compiler for the emulator.
set(training_sources
    cross_entropy.cu layer_norm.cu activation.cu optimizer.cu embedding.cu attention.cu
    attention_f32.cu attention_bf16.cu attention_backward_bf16.cu batch_norm.cu pool.cu widen.cu)
list(TRANSFORM training_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
# A graph as launches of them, and of the products of kernels/matmul and kernels/conv2d.
set(training_program_sources
    device_build.cu device_operations.cu device_gradients.cu device_products.cu device_program.cu)
list(TRANSFORM training_program_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
