# The test executable, the fuzzers and their replay programs.
file(GLOB TEST_SOURCES CONFIGURE_DEPENDS tests/*.c tests/unit/*.c tests/ops/*.c tests/models/*.c
     tests/golden/*.c tests/golden_errors/*.c tests/budgets/*.c)
add_executable(smidgen_tests ${TEST_SOURCES})
target_include_directories(smidgen_tests PRIVATE src tests)
target_include_directories(smidgen_tests SYSTEM PRIVATE ${YYJSON})
target_compile_definitions(smidgen_tests PRIVATE _GNU_SOURCE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
target_link_libraries(smidgen_tests PRIVATE smidgen)

enable_testing()
add_test(NAME smidgen_tests COMMAND smidgen_tests)

# tests/fuzz/fuzz_<thing>.c becomes fuzz_<thing> under libFuzzer, and in every other build replay_<thing>,
# which feeds the files named on its command line to the same entry.
file(GLOB FUZZ_SOURCES CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(FUZZ_SOURCE ${FUZZ_SOURCES})
  get_filename_component(FUZZ_NAME ${FUZZ_SOURCE} NAME_WE)
  if(SMIDGEN_FUZZ)
    set(FUZZ_TARGET ${FUZZ_NAME})
    add_executable(${FUZZ_TARGET} ${FUZZ_SOURCE})
    target_link_options(${FUZZ_TARGET} PRIVATE -fsanitize=fuzzer)
  else()
    string(REPLACE "fuzz_" "replay_" FUZZ_TARGET ${FUZZ_NAME})
    add_executable(${FUZZ_TARGET} ${FUZZ_SOURCE} tests/fuzz/replay.c)
  endif()
  target_include_directories(${FUZZ_TARGET} PRIVATE src tests)
  target_include_directories(${FUZZ_TARGET} SYSTEM PRIVATE ${YYJSON})
  target_compile_definitions(${FUZZ_TARGET} PRIVATE _GNU_SOURCE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  target_link_libraries(${FUZZ_TARGET} PRIVATE smidgen)
endforeach()
