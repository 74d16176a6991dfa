/* Owns the choice of a kernel table: which tables this build carries, by machine. */
#include "cpu/linear_layout.h"

#if defined(__x86_64__)

extern const linear_kernels linear_kernels_avx2, linear_kernels_avx512;

const linear_kernels *linear_kernels_for(cpu_isa isa)
{
    return isa == CPU_ISA_AVX512 ? &linear_kernels_avx512
           : isa == CPU_ISA_AVX2 ? &linear_kernels_avx2
                                 : &linear_kernels_scalar;
}

#elif defined(__aarch64__)

extern const linear_kernels linear_kernels_neon;

const linear_kernels *linear_kernels_for(cpu_isa isa)
{
    return isa == CPU_ISA_NEON ? &linear_kernels_neon : &linear_kernels_scalar;
}

#elif defined(__wasm_relaxed_simd__)

extern const linear_kernels linear_kernels_wasm128, linear_kernels_relaxed;

const linear_kernels *linear_kernels_for(cpu_isa isa)
{
    return isa == CPU_ISA_RELAXED   ? &linear_kernels_relaxed
           : isa == CPU_ISA_WASM128 ? &linear_kernels_wasm128
                                    : &linear_kernels_scalar;
}

#elif defined(__wasm_simd128__)

extern const linear_kernels linear_kernels_wasm128;

const linear_kernels *linear_kernels_for(cpu_isa isa)
{
    return isa == CPU_ISA_WASM128 ? &linear_kernels_wasm128 : &linear_kernels_scalar;
}

#else

const linear_kernels *linear_kernels_for(cpu_isa isa)
{
    (void)isa;
    return &linear_kernels_scalar;
}

#endif
