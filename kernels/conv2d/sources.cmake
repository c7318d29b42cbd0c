# The hand-written convolutions: nvcc compiles them, and a C++ compiler for the emulator.
set(conv_sources
    conv.cpp conv_dispatch.cpp implicit_gemm.cpp pointwise.cpp naive.cu implicit_sgemm.cu
    implicit_mma_bf16.cu implicit_mma_f16.cu implicit_mma_tf32.cu implicit_mma_fp8.cu
    implicit_mma_int8.cu conv_reduce.cu conv_pad.cu depthwise.cu depthwise_weights.cu winograd.cu
    bias_relu.cu)
list(TRANSFORM conv_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
