# The hand-written kernels, ladder by ladder: nvcc compiles them, and a C++ compiler for the emulator.
set(sgemm_sources
    sgemm.cu sgemm_naive.cu sgemm_coalesced.cu sgemm_shared_tile.cu sgemm_register_1d.cu
    sgemm_register_2d.cu sgemm_vectorized.cu sgemm_warp_tile.cu sgemm_pipelined.cu
    sgemm_split_warp_groups.cu sgemm_split_k.cu sgemm_reduce.cu sgemm_skinny.cu sgemv.cu)
set(mma_sources
    mma.cpp mma_plan.cpp mma_basic.cu mma_ldmatrix.cu mma_pipelined.cu mma_tiles_bf16.cu
    mma_tiles_f16.cu mma_tiles_tf32.cu mma_tiles_fp8.cu mma_tiles_int8.cu)
set(wgmma_sources
    wgmma.cu wgmma_64x64.cu wgmma_128x128.cu wgmma_specialised.cu wgmma_persistent.cu
    wgmma_cluster.cu wgmma_async_store.cu wgmma_hilbert.cu wgmma_hilbert_128x128.cu
    wgmma_hilbert_256x128.cu wgmma_hilbert_single.cu)
foreach(sources sgemm_sources mma_sources wgmma_sources)
  list(TRANSFORM ${sources} PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
endforeach()
