# The test executable, the fuzzers and their replay programs.
file(GLOB TEST_SOURCES CONFIGURE_DEPENDS tests/*.c tests/unit/*.c tests/ops/*.c tests/models/*.c
     tests/golden/*.c tests/golden_errors/*.c tests/budgets/*.c)

# What sees the inside of the library.
function(smidgen_add_inside_program NAME)
  add_executable(${NAME} ${ARGN})
  target_include_directories(${NAME} PRIVATE src tests)
  target_include_directories(${NAME} SYSTEM PRIVATE ${YYJSON})
  target_compile_definitions(${NAME} PRIVATE _GNU_SOURCE TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  target_link_libraries(${NAME} PRIVATE smidgen)
endfunction()

if(NOT SMIDGEN_FUZZ)
  smidgen_add_inside_program(smidgen_tests ${TEST_SOURCES})
  enable_testing()
  add_test(NAME smidgen_tests COMMAND smidgen_tests)
endif()

# bench/<thing>_bench.c measures a part of the library; built by name.
file(GLOB BENCH_SOURCES CONFIGURE_DEPENDS bench/*_bench.c)
foreach(BENCH_SOURCE ${BENCH_SOURCES})
  get_filename_component(BENCH_NAME ${BENCH_SOURCE} NAME_WE)
  smidgen_add_inside_program(${BENCH_NAME} EXCLUDE_FROM_ALL ${BENCH_SOURCE})
endforeach()

# tests/fuzz/fuzz_<thing>.c becomes fuzz_<thing> under libFuzzer, and in every other build replay_<thing>,
# which feeds the files named on its command line to the same entry.
file(GLOB FUZZ_SOURCES CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(FUZZ_SOURCE ${FUZZ_SOURCES})
  get_filename_component(FUZZ_NAME ${FUZZ_SOURCE} NAME_WE)
  if(SMIDGEN_FUZZ)
    set(FUZZ_TARGET ${FUZZ_NAME})
    smidgen_add_inside_program(${FUZZ_TARGET} ${FUZZ_SOURCE})
    target_link_options(${FUZZ_TARGET} PRIVATE -fsanitize=fuzzer)
  else()
    string(REPLACE "fuzz_" "replay_" FUZZ_TARGET ${FUZZ_NAME})
    smidgen_add_inside_program(${FUZZ_TARGET} ${FUZZ_SOURCE} tests/fuzz/replay.c)
  endif()
endforeach()
