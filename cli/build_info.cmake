# Writes OUTPUT (a header) with the commit and the build type; leaves it alone when nothing changed.
set(commit "unknown")
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE head
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit "${head}")
    execute_process(COMMAND ${GIT} -C ${SOURCE} diff --quiet HEAD -- src include cli CMakeLists.txt
                    RESULT_VARIABLE dirty ERROR_QUIET)
    if(dirty)
      set(commit "${head}-dirty")
    endif()
  endif()
endif()
set(text "/* Made by build_info.cmake. */
#define BUILD_COMMIT \"${commit}\"
#define BUILD_TYPE \"${BUILD_TYPE}\"
#define BUILD_COMPILER \"${COMPILER}\"
")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
