/* The weights of a graph as the CPU backend holds them: matrices packed for this machine, vectors as float32.
 * They arrive in pieces (runs of rows of about a MiB), in any order, from any thread: from a file all at
 * once, or one by one behind a download, while a runner already computes with the layers that are there. */
#ifndef CPU_WEIGHTS_H
#define CPU_WEIGHTS_H

#include <stdatomic.h>

#include "cpu/linear.h"
#include "cpu/pool.h"
#include "formats/checkpoint.h"
#include "graph/graph.h"

typedef struct weights_piece {
    graph_weight weight;
    const checkpoint_tensor *tensor;
    int64_t row_begin, row_count;
    uint64_t offset, size_bytes; /* inside the tensor's data */
} weights_piece;

typedef struct cpu_weights {
    const smidgen_allocator *allocator;
    const graph *graph;
    cpu_isa isa;
    linear_weights **matrices; /* [graph->weight_count] NULL for vectors */
    float **vectors;           /* [graph->weight_count] NULL for matrices */
    size_t *vector_bytes;      /* [graph->weight_count] */
    int64_t
        *first_piece; /* [graph->weight_count + 1] pieces of weight i: first_piece[i] .. first_piece[i + 1] */
    atomic_int *missing;   /* [graph->weight_count] pieces that have not arrived */
    weights_piece *pieces; /* [piece_count] in the order in which a step uses them */
    atomic_uchar *arrived; /* [piece_count] */
    int64_t piece_count;
    uint64_t packed_bytes, stored_bytes, parameter_count, largest_piece_bytes;
} cpu_weights;

/* Checks every tensor and reserves the packed memory; nothing is read. Fails with MISSING_TENSOR,
 * WRONG_SHAPE, UNSUPPORTED_TYPE or OUT_OF_MEMORY; then nothing is left behind. graph and checkpoint must
 * outlive the weights. */
bool cpu_weights_create(cpu_weights *w, const graph *g, const checkpoint *c, smidgen_precision precision,
                        cpu_isa isa, const smidgen_allocator *allocator, smidgen_error *error);
void cpu_weights_close(cpu_weights *w);

/* Packs one piece: stored[size_bytes] as in the file. Each piece once; different ones from different threads.
 */
void cpu_weights_pack(cpu_weights *w, int64_t piece, const void *stored);
/* Pieces that have not arrived. */
int64_t cpu_weights_missing(const cpu_weights *w);
bool cpu_weights_have_piece(const cpu_weights *w, int64_t piece);
bool cpu_weights_have(const cpu_weights *w, graph_weight weight);
/* Whether the piece with this row of a matrix is there (embedding look-up before the whole table has
 * arrived). */
bool cpu_weights_have_row(const cpu_weights *w, graph_weight weight, int64_t row);

typedef struct weights_progress {
    bool (*report)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL; false cancels */
    void *context;
} weights_progress;

/* Reads and packs every piece on all threads of the pool. Fails with IO, BAD_FILE, CANCELLED or
 * OUT_OF_MEMORY. */
bool cpu_weights_read(cpu_weights *w, const checkpoint *c, cpu_pool *pool, weights_progress progress,
                      smidgen_error *error);

#endif
