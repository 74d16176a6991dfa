/* Owns the choice of the instruction set: what the machine has, what this build carries, what SMIDGEN_ISA
 * asks for. */
#include "cpu/isa.h"

#include <stdlib.h>
#include <string.h>

static const char *const isa_names[] = {"scalar", "avx2", "avx512", "neon", "wasm128", "relaxed"};

#if defined(__x86_64__)

static int machine_has(cpu_isa isa)
{
    switch (isa) {
    case CPU_ISA_SCALAR:
        return 1;
    case CPU_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("f16c");
    case CPU_ISA_AVX512:
        return machine_has(CPU_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
    default:
        return 0;
    }
}

static const cpu_isa isa_preference[] = {CPU_ISA_AVX512, CPU_ISA_AVX2, CPU_ISA_SCALAR};

#elif defined(__aarch64__)

static int machine_has(cpu_isa isa)
{
    return isa == CPU_ISA_SCALAR || (isa == CPU_ISA_NEON && cpu_isa_has_dot_product());
}

static const cpu_isa isa_preference[] = {CPU_ISA_NEON, CPU_ISA_SCALAR};

#elif defined(__wasm_relaxed_simd__)

static int machine_has(cpu_isa isa) /* a module that uses an instruction only loads where it exists */
{
    return isa == CPU_ISA_SCALAR || isa == CPU_ISA_WASM128 || isa == CPU_ISA_RELAXED;
}

static const cpu_isa isa_preference[] = {CPU_ISA_RELAXED, CPU_ISA_WASM128, CPU_ISA_SCALAR};

#elif defined(__wasm_simd128__)

static int machine_has(cpu_isa isa)
{
    return isa == CPU_ISA_SCALAR || isa == CPU_ISA_WASM128;
}

static const cpu_isa isa_preference[] = {CPU_ISA_WASM128, CPU_ISA_SCALAR};

#else

static int machine_has(cpu_isa isa)
{
    return isa == CPU_ISA_SCALAR;
}

static const cpu_isa isa_preference[] = {CPU_ISA_SCALAR};

#endif

int cpu_isa_supported(cpu_isa isa)
{
    return machine_has(isa);
}

cpu_isa cpu_isa_choose(void)
{
    const char *wish = getenv("SMIDGEN_ISA");
    size_t count = sizeof isa_preference / sizeof isa_preference[0];
    if (wish != NULL) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(wish, cpu_isa_name(isa_preference[i])) == 0 && machine_has(isa_preference[i])) {
                return isa_preference[i];
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (machine_has(isa_preference[i])) {
            return isa_preference[i];
        }
    }
    return CPU_ISA_SCALAR;
}

const char *cpu_isa_name(cpu_isa isa)
{
    size_t index = (size_t)isa;
    return index < sizeof isa_names / sizeof isa_names[0] ? isa_names[index] : "?";
}
