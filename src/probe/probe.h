/* What the system says about this machine. probe_posix.c natively. */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdint.h>

typedef struct probe_machine {
    char cpu_model[96];    /* "unknown" where the system does not say */
    char cpu_flags[512];   /* instruction sets that matter here, one blank between two */
    char os[64];           /* "Linux 6.1.0" */
    char architecture[32]; /* "x86_64" */
    int32_t cpus_online;   /* logical, of the machine */
    int32_t cpus_usable;   /* logical, by this process (affinity and quota) */
    uint64_t memory_total_bytes;
    uint64_t memory_available_bytes; /* without pushing anything out; 0: unknown */
    uint64_t memory_limit_bytes;     /* set for this process (cgroup, rlimit); 0: none */
    uint64_t cache_bytes[4];         /* [1..3]: data cache of that level; 0: unknown */
} probe_machine;

void probe_machine_read(probe_machine *m);

#endif
