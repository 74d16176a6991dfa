/* What the tests of operations share: numbers, instruction sets, guarded buffers. */
#ifndef TESTS_OPS_TESTING_H
#define TESTS_OPS_TESTING_H

#include "base/memory.h"
#include "cpu/isa.h"

#include "test.h"

#include <stdlib.h>

/* splitmix64: the same numbers on every machine. */
static inline uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Uniform in [-1, 1). */
static inline float random_float(uint64_t *state)
{
    return (float)(random_bits(state) >> 40) * 0x1p-23f - 1.0f;
}

/* About normal. */
static inline float random_normal(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 6; i++) {
        sum += random_float(state);
    }
    return sum * 0.70710678f;
}

static inline float *random_floats(size_t count, uint64_t seed)
{
    float *x = malloc(count * sizeof(float) + 1);
    for (size_t i = 0; i < count; i++) {
        x[i] = random_normal(&seed);
    }
    return x;
}

/* Every instruction set that this machine runs, scalar first; `isa` is declared by the macro. */
#define FOR_EACH_ISA(isa)                                                                                    \
    for (cpu_isa isa = CPU_ISA_SCALAR; isa <= CPU_ISA_RELAXED; isa = (cpu_isa)(isa + 1))                     \
        if (cpu_isa_supported(isa))

#endif
