# The only file that looks for anything. Each dependency becomes a target dep::<name>, or nothing and
# a reason in the global property MISSING_<name>. WITH_<NAME> = AUTO (take it where it is found),
# ON (its absence is an error), OFF (don't look).

# dependency(<name> [REQUIRED]) runs find_<name>(), which makes dep::<name> or sets `missing`.
macro(dependency name)
  string(TOUPPER ${name} upper)
  set(WITH_${upper} AUTO CACHE STRING "Use ${name}: AUTO, ON or OFF")
  set_property(CACHE WITH_${upper} PROPERTY STRINGS AUTO ON OFF)
  set(missing "")
  if(WITH_${upper} STREQUAL "OFF")
    set(missing "switched off by WITH_${upper}=OFF")
  else()
    cmake_language(CALL find_${name})
  endif()
  if(TARGET dep::${name})
    message(STATUS "+ ${name}")
  elseif("${ARGN}" STREQUAL "REQUIRED" OR WITH_${upper} STREQUAL "ON")
    message(FATAL_ERROR "${name}: ${missing}")
  else()
    message(STATUS "- ${name} (${missing})")
    set_property(GLOBAL PROPERTY MISSING_${name} "${missing}")
  endif()
endmacro()

# Makes dep::<name> an interface target that links the given targets or files.
function(dependency_target name)
  cmake_parse_arguments(arg "" "" "LINK;INCLUDE;COMPILE" ${ARGN})
  add_library(dep_${name} INTERFACE)
  target_link_libraries(dep_${name} INTERFACE ${arg_LINK})
  target_include_directories(dep_${name} SYSTEM INTERFACE ${arg_INCLUDE})
  target_compile_options(dep_${name} INTERFACE ${arg_COMPILE})
  add_library(dep::${name} ALIAS dep_${name})
endfunction()

# Packages with a CMake configuration of their own.
macro(find_by_config name package target hint)
  find_package(${package} CONFIG QUIET)
  if(TARGET ${target})
    dependency_target(${name} LINK ${target})
  else()
    set(missing "CMake finds no package ${package}; Debian and Ubuntu: apt-get install ${hint}")
  endif()
endmacro()

macro(find_fmt)
  find_by_config(fmt fmt fmt::fmt libfmt-dev)
endmacro()
macro(find_json)
  find_by_config(json nlohmann_json nlohmann_json::nlohmann_json nlohmann-json3-dev)
endmacro()
macro(find_cli11)
  find_by_config(cli11 CLI11 CLI11::CLI11 libcli11-dev)
endmacro()
macro(find_benchmark)
  find_by_config(benchmark benchmark benchmark::benchmark libbenchmark-dev)
endmacro()
macro(find_gtest)
  find_package(GTest CONFIG QUIET)
  if(TARGET GTest::gtest_main AND TARGET GTest::gmock)
    dependency_target(gtest LINK GTest::gtest_main GTest::gmock)
  else()
    set(missing "no GoogleTest with GoogleMock; Debian and Ubuntu: apt-get install libgtest-dev libgmock-dev")
  endif()
endmacro()

# The host emulator's fibers: a header and a library without a version of its own to ask for.
macro(find_boost_context)
  find_path(BOOST_CONTEXT_INCLUDE boost/context/detail/fcontext.hpp HINTS ${BOOST_ROOT}
            PATH_SUFFIXES include)
  find_library(BOOST_CONTEXT_LIBRARY NAMES boost_context HINTS ${BOOST_ROOT} PATH_SUFFIXES lib)
  if(BOOST_CONTEXT_INCLUDE AND BOOST_CONTEXT_LIBRARY)
    dependency_target(boost_context LINK ${BOOST_CONTEXT_LIBRARY} INCLUDE ${BOOST_CONTEXT_INCLUDE})
  else()
    set(missing "no Boost.Context; Debian and Ubuntu: apt-get install libboost-context-dev")
  endif()
endmacro()

macro(find_openmp)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    dependency_target(openmp LINK OpenMP::OpenMP_CXX)
  else()
    set(missing "the compiler has no OpenMP")
  endif()
endmacro()

# The OpenMP build: beside another OpenMP team (the harness's own), the pthread build fights for the
# cores and costs 2 to 4 times the time. It is taken by its path, whatever the system's default libopenblas is.
macro(find_openblas)
  set(openblas_places /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
                      /usr/lib64/openblas-openmp)
  find_library(OPENBLAS_LIBRARY NAMES openblas HINTS ${OPENBLAS_ROOT} PATHS ${openblas_places}
               PATH_SUFFIXES lib NO_DEFAULT_PATH)
  find_library(OPENBLAS_LIBRARY NAMES openblaso openblas)
  find_path(OPENBLAS_INCLUDE cblas.h HINTS ${OPENBLAS_ROOT}
            PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
            PATH_SUFFIXES include openblas)
  if(OPENBLAS_LIBRARY AND OPENBLAS_INCLUDE)
    dependency_target(openblas LINK ${OPENBLAS_LIBRARY} INCLUDE ${OPENBLAS_INCLUDE})
  else()
    set(missing "no cblas.h and libopenblas; Debian and Ubuntu: apt-get install libopenblas-openmp-dev")
  endif()
endmacro()

# oneDNN 3 on GNU OpenMP: the wheel in .venv (Debian 12 has 2.6, another API), or a system one.
macro(find_onednn)
  find_path(ONEDNN_INCLUDE oneapi/dnnl/dnnl.hpp
            HINTS ${ONEDNN_ROOT} ${PROJECT_SOURCE_DIR}/.venv PATH_SUFFIXES include)
  find_library(ONEDNN_LIBRARY NAMES dnnl
               HINTS ${ONEDNN_ROOT} ${PROJECT_SOURCE_DIR}/.venv PATH_SUFFIXES lib)
  if(NOT ONEDNN_INCLUDE OR NOT ONEDNN_LIBRARY)
    set(missing "no oneDNN; tools/run and tools/test put one into .venv")
  else()
    file(STRINGS ${ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_version.h onednn_major
         REGEX "define DNNL_VERSION_MAJOR +[0-9]+")
    string(REGEX MATCH "[0-9]+$" onednn_major "${onednn_major}")
    if(onednn_major GREATER_EQUAL 3)
      dependency_target(onednn LINK ${ONEDNN_LIBRARY} INCLUDE ${ONEDNN_INCLUDE})
    else()
      set(missing "oneDNN ${onednn_major} at ${ONEDNN_LIBRARY}, 3 is needed")
    endif()
  endif()
endmacro()

# The CUDA compiler and its static runtime. The driver library is never linked: without a driver the
# program must start.
macro(find_cuda)
  if(NOT CMAKE_CUDA_COMPILER)
    unset(CMAKE_CUDA_COMPILER CACHE) # a toolkit may have been mended since
    find_program(nvcc nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin NO_CACHE)
    if(nvcc) # an nvcc without the rest of its toolkit is no error, but none at all
      set(ENV{CUDACXX} ${nvcc})
      include(CheckLanguage)
      check_language(CUDA)
    endif()
  endif()
  if(NOT CMAKE_CUDA_COMPILER AND nvcc)
    set(missing "${nvcc} can't compile a program here; the reason is in CMakeFiles/CMakeConfigureLog.yaml")
  elseif(NOT CMAKE_CUDA_COMPILER)
    set(missing "no CUDA toolkit: no nvcc on PATH or in /usr/local/cuda")
  else()
    if(NOT CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 100-real 120-real 90-virtual
          CACHE STRING "GPU architectures to compile for")
    endif()
    enable_language(CUDA)
    find_package(CUDAToolkit QUIET)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
      set(missing "CUDA ${CMAKE_CUDA_COMPILER_VERSION} at ${CMAKE_CUDA_COMPILER}, 12.8 is needed")
    else()
      set(CMAKE_CUDA_STANDARD 20)
      set(CMAKE_CUDA_STANDARD_REQUIRED ON)
      dependency_target(cuda LINK CUDA::cudart_static)
    endif()
  endif()
endmacro()

macro(find_cublas)
  if(NOT TARGET dep::cuda)
    set(missing "no CUDA toolkit")
  elseif(TARGET CUDA::cublas AND TARGET CUDA::cublasLt)
    dependency_target(cublas LINK CUDA::cublas CUDA::cublasLt)
  else()
    set(missing "the CUDA toolkit at ${CUDAToolkit_BIN_DIR} has no cuBLAS")
  endif()
endmacro()

# CUPTI's headers; its library is looked for at run time.
macro(find_cupti)
  find_path(CUPTI_INCLUDE cupti.h HINTS ${CUPTI_ROOT} ${CUDAToolkit_INCLUDE_DIRS}
            ${CUDAToolkit_BIN_DIR}/../extras/CUPTI PATH_SUFFIXES include)
  if(NOT TARGET dep::cuda)
    set(missing "no CUDA toolkit")
  elseif(NOT CUPTI_INCLUDE)
    set(missing "the CUDA toolkit at ${CUDAToolkit_BIN_DIR} has no cupti.h")
  else()
    dependency_target(cupti INCLUDE ${CUPTI_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
  endif()
endmacro()

# cuDNN 9 and cudnn-frontend, the C++ headers of its graph API: the wheel in .venv, or others. Without
# CUDNN_FRONTEND_SKIP_JSON_LIB they bring a JSON library of their own.
macro(find_cudnn)
  find_path(CUDNN_INCLUDE cudnn_version.h HINTS ${CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS}
            PATH_SUFFIXES include)
  find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9
               HINTS ${CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
  file(GLOB cudnn_frontend_places ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages)
  find_path(CUDNN_FRONTEND_INCLUDE cudnn_frontend.h
            HINTS ${CUDNN_FRONTEND_ROOT} ${cudnn_frontend_places} PATH_SUFFIXES include)
  if(NOT TARGET dep::cuda)
    set(missing "no CUDA toolkit")
  elseif(NOT TARGET dep::cublas)
    set(missing "no cuBLAS, which cuDNN itself needs")
  elseif(NOT CUDNN_INCLUDE OR NOT CUDNN_LIBRARY)
    set(missing "no cudnn_version.h and libcudnn; -DCUDNN_ROOT=FOLDER says where they are")
  elseif(NOT CUDNN_FRONTEND_INCLUDE)
    set(missing "no cudnn_frontend.h; tools/run and tools/test put it into .venv")
  else()
    file(STRINGS ${CUDNN_INCLUDE}/cudnn_version.h cudnn_major REGEX "define CUDNN_MAJOR +[0-9]+")
    string(REGEX MATCH "[0-9]+$" cudnn_major "${cudnn_major}")
    if(cudnn_major GREATER_EQUAL 9)
      dependency_target(cudnn LINK dep::cuda ${CUDNN_LIBRARY}
                        INCLUDE ${CUDNN_INCLUDE} ${CUDNN_FRONTEND_INCLUDE}
                        COMPILE -DCUDNN_FRONTEND_SKIP_JSON_LIB)
    else()
      set(missing "cuDNN ${cudnn_major} at ${CUDNN_LIBRARY}, 9 is needed")
    endif()
  endif()
endmacro()

dependency(fmt REQUIRED)
dependency(json REQUIRED)
dependency(cli11 REQUIRED)
if(BREAKEVEN_FUZZ)
  return() # the readers need no more, and clang may lack an OpenMP
endif()
dependency(benchmark REQUIRED)
dependency(openmp REQUIRED)
if(BREAKEVEN_TESTS)
  dependency(gtest REQUIRED)
  dependency(boost_context REQUIRED)
endif()
dependency(openblas)
dependency(onednn)
dependency(cuda)
dependency(cublas)
dependency(cudnn)
dependency(cupti)
