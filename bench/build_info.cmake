# Run at every build: writes OUTPUT from INPUT with the commit of SOURCE. configure_file leaves the
# file alone where nothing changed, so nothing is compiled again then.
set(COMMIT unknown)
set(DIRTY unknown)
find_program(git git)
if(git)
  execute_process(COMMAND ${git} rev-parse HEAD WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE head RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET)
  if(NOT failed)
    set(COMMIT ${head})
    execute_process(COMMAND ${git} status --porcelain --untracked-files=no
                    WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes STREQUAL "")
      set(DIRTY false)
    else()
      set(DIRTY true)
    endif()
  endif()
endif()
configure_file(${INPUT} ${OUTPUT} @ONLY)
