/* A model's forward pass as a list of operations. Model code builds it once, top to bottom like the paper;
 * plan.h turns it into phases and memory; a backend replays the plan with new tokens. Values are float32
 * matrices [rows, columns], where rows is the number of tokens of the step, or the number of its outputs
 * (rows whose logits are wanted). */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/arena.h"

typedef enum graph_op {
#define GRAPH_OP_ROW(name, runs, doc) GRAPH_##name,
#include "graph/ops.def"
#undef GRAPH_OP_ROW
    GRAPH_OP_COUNT
} graph_op;

typedef enum graph_runs { GRAPH_RUNS_ROWS, GRAPH_RUNS_LINEAR, GRAPH_RUNS_ALONE } graph_runs;
typedef enum graph_rows { GRAPH_ROWS_TOKENS, GRAPH_ROWS_OUTPUTS } graph_rows;

typedef int32_t graph_value;  /* index of a value */
typedef int32_t graph_weight; /* index of a weight */
enum { GRAPH_NONE = -1 };

typedef struct graph_weight_info {
    const char *name; /* tensor name in the checkpoint */
    int64_t rows;     /* 1 for a vector */
    int64_t columns;
    bool is_matrix; /* matrices are packed by the backend, vectors are float32 */
    bool add_one;   /* the stored vector lacks + 1 (Gemma's norms in Hugging Face files) */
} graph_weight_info;

typedef struct graph_value_info {
    graph_rows rows;
    int32_t columns;
} graph_value_info;

typedef struct graph_node {
    graph_op op;
    graph_value inputs[2], output;
    graph_weight matrix, vector;
    float number;
    int32_t index;           /* rope table or layer */
    int32_t heads, heads_kv; /* ROPE, KV_STORE, ATTENTION */
    int32_t size;            /* floats of a head or of a norm's group */
    int32_t window;          /* ATTENTION: 0 for none */
    float soft_cap;          /* ATTENTION: 0 for none */
    const char *label;       /* name under which tests may look at the output, or NULL */
} graph_node;

typedef struct graph {
    arena *arena;
    graph_node *nodes;
    graph_value_info *values;
    graph_weight_info *weights;
    int32_t node_count, value_count, weight_count;
    int32_t node_room, value_room, weight_room;
    graph_value result;
    bool out_of_memory; /* sticks: building goes on harmlessly and the caller checks once at the end */
} graph;

const char *graph_op_name(graph_op op);
graph_runs graph_op_runs(graph_op op);

void graph_init(graph *g, arena *a);

/* The weight of that name; asking twice gives the same index (tied head and embedding). name is copied. */
graph_weight graph_matrix(graph *g, const char *name, int64_t rows, int64_t columns);
graph_weight graph_vector(graph *g, const char *name, int64_t columns, bool add_one);

graph_value graph_embed(graph *g, graph_weight table, float scale);
graph_value graph_select(graph *g, graph_value x);
/* size: columns that are normalised together (a head), or 0 for the whole row. */
graph_value graph_rms_norm(graph *g, graph_value x, graph_weight weight, float epsilon, int32_t size);
graph_value graph_linear(graph *g, graph_value x, graph_weight matrix, graph_weight bias_or_none);
graph_value graph_add(graph *g, graph_value x, graph_value y);
graph_value graph_scale(graph *g, graph_value x, float factor);
graph_value graph_silu_multiply(graph *g, graph_value gate, graph_value up);
graph_value graph_gelu_tanh_multiply(graph *g, graph_value gate, graph_value up);
graph_value graph_soft_cap(graph *g, graph_value x, float limit);
graph_value graph_rope_angles(graph *g, int32_t table, int32_t rotary_size);
graph_value graph_rope(graph *g, graph_value x, graph_value angles, int32_t table, int32_t heads);

typedef struct graph_attention_options {
    int32_t layer, heads, heads_kv, head_size;
    int32_t window; /* 0: none */
    float scale, soft_cap;
} graph_attention_options;
/* Stores keys and values of the step's tokens, then attends. */
graph_value graph_attention(graph *g, graph_value q, graph_value k, graph_value v,
                            const graph_attention_options *options);

/* Names the newest node's output for tests (the name of the module in the reference implementation); copied.
 */
void graph_label(graph *g, const char *label);

#endif
