# Cross build for WebAssembly: clang, wasm-ld and wasi-libc, no Emscripten. Used by web/engine alone.
# The versions are looked for from the newest down; relaxed SIMD needs clang 16 or later.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
find_program(WASM_CLANG NAMES clang-22 clang-21 clang-20 clang-19 clang-18 REQUIRED)
find_program(WASM_LD NAMES wasm-ld-22 wasm-ld-21 wasm-ld-20 wasm-ld-19 wasm-ld-18 REQUIRED)
set(CMAKE_C_COMPILER ${WASM_CLANG})
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "-Wno-deprecated")
