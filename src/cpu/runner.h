/* Replays a plan on the CPU. A runner owns the memory of one plan (activations, scratch) for up to max_tokens
 * tokens and max_outputs outputs a step; running allocates nothing. Not for two threads at once. */
#ifndef CPU_RUNNER_H
#define CPU_RUNNER_H

#include "cpu/kv_cache.h"
#include "cpu/weights.h"
#include "graph/plan.h"

typedef struct cpu_runner cpu_runner;

typedef struct cpu_model {
    const plan *plan;
    const cpu_weights *weights;
    const rope_table *ropes; /* by the graph's rope table index */
    cpu_pool *pool;
} cpu_model;

cpu_runner *cpu_runner_create(const cpu_model *model, int32_t max_tokens, int32_t max_outputs,
                              const smidgen_allocator *allocator, smidgen_error *error);
void cpu_runner_close(cpu_runner *r);
uint64_t cpu_runner_bytes(const cpu_runner *r);

/* One step: tokens of one or several sequences. A sequence's tokens stand in ascending positions. */
typedef struct cpu_step {
    const int32_t *tokens, *positions; /* [token_count] */
    kv_cache *const *caches;           /* [token_count] */
    int32_t token_count;
    const int32_t *output_rows; /* [output_count] tokens whose results are wanted */
    int32_t output_count;
    /* Called after a labelled node with its output [rows, columns] (tests); may be NULL. */
    void (*look)(void *context, const char *label, const float *value, int64_t rows, int64_t columns);
    void *look_context;
} cpu_step;

void cpu_runner_run(cpu_runner *r, const cpu_step *step);

/* The same in parts, for a model whose weights are still arriving: begin, then advance until it returns true;
 * it returns false where the next phase's weights are not there yet. step must stay valid until then. */
void cpu_runner_begin(cpu_runner *r, const cpu_step *step);
bool cpu_runner_advance(cpu_runner *r);
/* Result of output row i of the last step: [columns of the plan's result]; may be changed by the caller. */
float *cpu_runner_result(cpu_runner *r, int32_t output);

#endif
