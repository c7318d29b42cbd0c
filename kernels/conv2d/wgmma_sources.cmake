# The convolutions by wgmma, for sm_90a alone and for the emulator; and what stands in for them.
set(conv_wgmma_sources
    implicit_wgmma.cpp implicit_wgmma_bf16.cu implicit_wgmma_f16.cu implicit_wgmma_tf32.cu)
set(conv_wgmma_none implicit_wgmma_none.cpp)
foreach(sources conv_wgmma_sources conv_wgmma_none)
  list(TRANSFORM ${sources} PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
endforeach()
