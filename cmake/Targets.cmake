# How this project makes libraries, tests, kernel modules and embedded data files.

# Everything of ours: warnings, sanitizers, includes from the project's root. GCC 12 sees overlapping
# copies in std::string where there are none (its bug 105651), hence -Wno-restrict.
add_library(breakeven_options INTERFACE)
target_include_directories(breakeven_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(
  breakeven_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wno-restrict
                              $<$<BOOL:${BREAKEVEN_WERROR}>:-Werror>>)
if(BREAKEVEN_SANITIZE)
  target_compile_options(breakeven_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${BREAKEVEN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer>)
  target_link_options(breakeven_options INTERFACE -fsanitize=${BREAKEVEN_SANITIZE})
endif()
if(TARGET dep::cuda)
  target_compile_options(
    breakeven_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Werror all-warnings
                                -Xptxas --warn-on-spills --expt-relaxed-constexpr
                                --compress-mode=size>)
endif()

# breakeven_library(<name> SOURCES … [LIBS …])
function(breakeven_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC breakeven_options ${arg_LIBS})
  set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden)
endfunction()

# breakeven_test(<name> SOURCES … [LIBS …] [ENV K=V …] [LABELS …]): one GoogleTest program.
function(breakeven_test name)
  if(NOT BREAKEVEN_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;ENV;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE breakeven_options ${arg_LIBS} dep::gtest)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "${arg_LABELS}"
                       ENVIRONMENT "${arg_ENV}")
endfunction()

# embed_files(<output.cpp> <function> <file> …): a source with
# `std::vector<std::pair<std::string_view, std::string_view>> breakeven::<function>()`, the name and
# text of each file, so that the programs need no data files at run time.
function(embed_files output function)
  set(text "#include <string_view>\n#include <utility>\n#include <vector>\n\nnamespace breakeven {\n\n")
  string(APPEND text "std::vector<std::pair<std::string_view, std::string_view>> ${function}();\n\n")
  string(APPEND text "std::vector<std::pair<std::string_view, std::string_view>> ${function}() {\n  return {\n")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(stem ${file} NAME)
    file(READ ${file} content)
    string(APPEND text "      {\"${stem}\", R\"embedded(${content})embedded\"},\n")
  endforeach()
  string(APPEND text "  };\n}\n\n}  // namespace breakeven\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()

# kernel(<op> <source> <module>): a competitor of that module. It is built where the module's
# dependency exists; configure says which, and `breakeven list` repeats why not.
function(kernel op source module)
  get_filename_component(stem ${source} NAME_WE)
  get_property(dependency GLOBAL PROPERTY MODULE_${module}_DEPENDENCY)
  if(TARGET dep::${dependency})
    message(STATUS "+ ${op}/${stem} (module ${module})")
    target_sources(module_${module} PRIVATE ${op}/${source})
  else()
    message(STATUS "- ${op}/${stem} (no ${dependency})")
  endif()
  set_property(GLOBAL APPEND PROPERTY MODULE_${module}_KERNELS "${op}/${stem}")
endfunction()

# kernel_module(<name> DEVICE cpu|gpu DEPENDENCY <dep> [LIBS …]): the shared object
# modules/breakeven_<name>.so, built where dep::<dep> exists.
function(kernel_module name)
  cmake_parse_arguments(arg "" "DEVICE;DEPENDENCY" "LIBS" ${ARGN})
  set_property(GLOBAL APPEND PROPERTY KERNEL_MODULES ${name})
  set_property(GLOBAL PROPERTY MODULE_${name}_DEVICE ${arg_DEVICE})
  set_property(GLOBAL PROPERTY MODULE_${name}_DEPENDENCY ${arg_DEPENDENCY})
  if(NOT TARGET dep::${arg_DEPENDENCY})
    return()
  endif()
  add_library(module_${name} MODULE ${CMAKE_CURRENT_BINARY_DIR}/${name}_entry.cpp)
  target_link_libraries(module_${name} PRIVATE breakeven_options dep::${arg_DEPENDENCY} ${arg_LIBS})
  set_target_properties(
    module_${name} PROPERTIES PREFIX "" OUTPUT_NAME breakeven_${name} CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
                                 VISIBILITY_INLINES_HIDDEN ON
                                 LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/modules)
endfunction()

# Writes the entry point of every module, and the table of all of them, built or not.
function(write_kernel_modules)
  get_property(modules GLOBAL PROPERTY KERNEL_MODULES)
  set(table "")
  foreach(name IN LISTS modules)
    get_property(device GLOBAL PROPERTY MODULE_${name}_DEVICE)
    get_property(dependency GLOBAL PROPERTY MODULE_${name}_DEPENDENCY)
    get_property(missing GLOBAL PROPERTY MISSING_${dependency})
    get_property(kernels GLOBAL PROPERTY MODULE_${name}_KERNELS)
    set(reason "")
    if(NOT TARGET dep::${dependency})
      set(reason "not built: ${missing}")
    endif()
    set(quoted "")
    set(declarations "")
    set(calls "")
    foreach(kernel IN LISTS kernels)
      string(REPLACE "/" "::" factory ${kernel})
      string(REGEX REPLACE "::.*" "" op ${factory})
      string(REGEX REPLACE ".*::" "" stem ${factory})
      string(APPEND quoted "\"${kernel}\", ")
      string(APPEND declarations "namespace ${op} {\nvoid ${stem}(Registry&);\n}\n")
      string(APPEND calls "  ${factory}(registry);\n")
    endforeach()
    string(APPEND table "      {\"${name}\", \"${device}\", {}, R\"(${reason})\", {${quoted}}},\n")
    set(module ${name})
    configure_file(${PROJECT_SOURCE_DIR}/kernels/module_entry.cpp.in ${name}_entry.cpp @ONLY)
  endforeach()
  configure_file(${PROJECT_SOURCE_DIR}/kernels/module_table.cpp.in module_table.cpp @ONLY)
endfunction()
