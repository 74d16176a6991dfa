/* A graph made ready to be replayed: nodes grouped into phases (between two phases all threads meet), and one
 * place in memory for every value, shared by values that are never alive together. The plan does not depend
 * on the number of rows: offsets are in columns, and a backend multiplies by the rows that it made room for.
 */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "graph/graph.h"

typedef enum plan_phase_kind {
    PLAN_PHASE_ROWS,   /* nodes that work row by row: one thread takes some rows through all of them */
    PLAN_PHASE_LINEAR, /* matrix products that share one prepared input */
    PLAN_PHASE_ALONE,  /* one node (attention) */
} plan_phase_kind;

typedef struct plan_phase {
    plan_phase_kind kind;
    graph_rows rows;
    int32_t first_node, node_count;
    graph_value prepare; /* of a ROWS phase: the value that the next phase's products read, quantised row by
                            row at the end of this phase; or GRAPH_NONE */
} plan_phase;

typedef struct plan {
    const graph *graph;
    plan_phase *phases;
    int32_t phase_count;
    /* A value starts at token_columns_before * max_tokens + output_columns_before * max_outputs floats. */
    int64_t *token_columns_before, *output_columns_before; /* [value_count] */
    int64_t token_columns, output_columns;                 /* of the whole buffer */
    int32_t prepare_columns_max;                           /* widest input of a matrix product */
} plan;

/* Everything lives in the arena. false: no memory. */
bool plan_create(plan *p, const graph *g, arena *a);

#endif
