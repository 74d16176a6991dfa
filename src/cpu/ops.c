/* Owns the choice of function tables. Where this build has no table for an instruction set, the scalar one
 * answers. */
#include "cpu/ops_internal.h"

extern const cpu_ops cpu_ops_scalar, cpu_ops_avx2, cpu_ops_avx512, cpu_ops_neon, cpu_ops_wasm128,
    cpu_ops_relaxed;
extern const attention_kernels attention_kernels_scalar, attention_kernels_avx2, attention_kernels_avx512,
    attention_kernels_neon, attention_kernels_wasm128, attention_kernels_relaxed;

#if defined(__x86_64__)
#define OPS_ISA_TABLE(name) [CPU_ISA_AVX2] = &name##_avx2, [CPU_ISA_AVX512] = &name##_avx512
#elif defined(__aarch64__)
#define OPS_ISA_TABLE(name) [CPU_ISA_NEON] = &name##_neon
#elif defined(__wasm_relaxed_simd__)
#define OPS_ISA_TABLE(name) [CPU_ISA_WASM128] = &name##_wasm128, [CPU_ISA_RELAXED] = &name##_relaxed
#elif defined(__wasm_simd128__)
#define OPS_ISA_TABLE(name) [CPU_ISA_WASM128] = &name##_wasm128
#else
#define OPS_ISA_TABLE(name) [CPU_ISA_SCALAR] = &name##_scalar
#endif

enum { OPS_ISA_COUNT = CPU_ISA_RELAXED + 1 };

static const cpu_ops *const ops_tables[OPS_ISA_COUNT] = {OPS_ISA_TABLE(cpu_ops)};
static const attention_kernels *const kernel_tables[OPS_ISA_COUNT] = {OPS_ISA_TABLE(attention_kernels)};

const cpu_ops *cpu_ops_for(cpu_isa isa)
{
    const cpu_ops *ops = (unsigned)isa < OPS_ISA_COUNT ? ops_tables[isa] : NULL;
    return ops != NULL ? ops : &cpu_ops_scalar;
}

const attention_kernels *attention_kernels_for(cpu_isa isa)
{
    const attention_kernels *kernels = (unsigned)isa < OPS_ISA_COUNT ? kernel_tables[isa] : NULL;
    return kernels != NULL ? kernels : &attention_kernels_scalar;
}
