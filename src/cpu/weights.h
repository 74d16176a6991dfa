/* The weights of a graph as the CPU backend holds them: matrices packed for this machine, vectors as float32. */
#ifndef CPU_WEIGHTS_H
#define CPU_WEIGHTS_H

#include "cpu/linear.h"
#include "cpu/pool.h"
#include "formats/checkpoint.h"
#include "graph/graph.h"

typedef struct cpu_weights {
    const smidgen_allocator *allocator;
    int32_t count;
    linear_weights **matrices; /* [count] NULL for vectors */
    float **vectors;           /* [count] NULL for matrices */
    size_t *vector_bytes;      /* [count] */
    cpu_isa isa;
    uint64_t packed_bytes, stored_bytes, parameter_count;
} cpu_weights;

typedef struct cpu_weights_options {
    smidgen_precision precision;
    cpu_isa isa;
    bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *progress_context;
} cpu_weights_options;

/* Reads and packs every weight of the graph, on all threads of the pool. Fails with MISSING_TENSOR, WRONG_SHAPE,
 * UNSUPPORTED_TYPE, IO, BAD_FILE, CANCELLED or OUT_OF_MEMORY; then nothing is left behind. */
bool cpu_weights_load(cpu_weights *w, const graph *g, const checkpoint *c, cpu_pool *pool,
                      const cpu_weights_options *options, const smidgen_allocator *allocator, smidgen_error *error);
void cpu_weights_close(cpu_weights *w);

#endif
