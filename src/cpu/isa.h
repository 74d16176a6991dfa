/* Which instruction set the CPU backend uses in this process. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

typedef enum cpu_isa {
    CPU_ISA_SCALAR,
    CPU_ISA_AVX2,
    CPU_ISA_AVX512,
    CPU_ISA_NEON,
    CPU_ISA_WASM128,
    CPU_ISA_RELAXED
} cpu_isa;

/* The best that this machine and this build have; the environment variable SMIDGEN_ISA (scalar, avx2, avx512,
 * neon) picks a lower one; a value that this machine cannot run is ignored. AVX2 means AVX2 + FMA + F16C;
 * AVX512 means F, BW, VL, DQ and VNNI; NEON means dot product. */
cpu_isa cpu_isa_choose(void);
/* Whether this machine and this build can run it. */
int cpu_isa_supported(cpu_isa isa);
const char *cpu_isa_name(cpu_isa isa);
/* Private to isa.c: what the operating system says of an Arm processor. */
int cpu_isa_has_dot_product(void);

#endif
