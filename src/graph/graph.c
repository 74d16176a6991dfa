/* Owns building a graph. Refuses nothing itself: shapes come from the model code, and a wrong one is caught
 * by the loader, which compares every weight with the file. */
#include "graph/graph.h"

#include <string.h>

static const struct {
    const char *name;
    graph_runs runs;
} op_rows[GRAPH_OP_COUNT] = {
#define GRAPH_OP_ROW(name, runs, doc) {#name, GRAPH_RUNS_##runs},
#include "graph/ops.def"
#undef GRAPH_OP_ROW
};

const char *graph_op_name(graph_op op)
{
    return op_rows[op].name;
}

graph_runs graph_op_runs(graph_op op)
{
    return op_rows[op].runs;
}

void graph_init(graph *g, arena *a)
{
    *g = (graph){.arena = a, .result = GRAPH_NONE};
}

/* Makes room for one more element; the old array stays in the arena (graphs are small). */
static bool grow(graph *g, void **array, int32_t count, int32_t *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    int32_t wanted = *room == 0 ? 64 : *room * 2;
    void *bigger = arena_array(g->arena, (size_t)wanted, size);
    if (bigger == NULL) {
        g->out_of_memory = true;
        return false;
    }
    if (count != 0) {
        memcpy(bigger, *array, (size_t)count * size);
    }
    *array = bigger;
    *room = wanted;
    return true;
}

static graph_weight add_weight(graph *g, const graph_weight_info *wanted)
{
    for (int32_t i = 0; i < g->weight_count; i++) {
        if (strcmp(g->weights[i].name, wanted->name) == 0) {
            return i;
        }
    }
    const char *name = arena_copy_text(g->arena, wanted->name, strlen(wanted->name));
    if (name == NULL ||
        !grow(g, (void **)&g->weights, g->weight_count, &g->weight_room, sizeof g->weights[0])) {
        g->out_of_memory = true;
        return 0;
    }
    g->weights[g->weight_count] = *wanted;
    g->weights[g->weight_count].name = name;
    return g->weight_count++;
}

graph_weight graph_matrix(graph *g, const char *name, int64_t rows, int64_t columns)
{
    return add_weight(
        g, &(graph_weight_info){.name = name, .rows = rows, .columns = columns, .is_matrix = true});
}

graph_weight graph_vector(graph *g, const char *name, int64_t columns, bool add_one)
{
    return add_weight(g,
                      &(graph_weight_info){.name = name, .rows = 1, .columns = columns, .add_one = add_one});
}

static graph_value add_node(graph *g, graph_node node, graph_rows rows, int64_t columns)
{
    node.output = GRAPH_NONE;
    if (!grow(g, (void **)&g->nodes, g->node_count, &g->node_room, sizeof g->nodes[0]) ||
        !grow(g, (void **)&g->values, g->value_count, &g->value_room, sizeof g->values[0])) {
        return 0;
    }
    if (columns != 0) {
        node.output = g->value_count;
        g->values[g->value_count++] = (graph_value_info){.rows = rows, .columns = (int32_t)columns};
    }
    g->nodes[g->node_count++] = node;
    return node.output;
}

static graph_node node_of(graph_op op, graph_value x, graph_value y)
{
    return (graph_node){.op = op, .inputs = {x, y}, .matrix = GRAPH_NONE, .vector = GRAPH_NONE};
}

static graph_value_info info_of(const graph *g, graph_value v)
{
    return g->out_of_memory ? (graph_value_info){.columns = 1} : g->values[v];
}

static graph_value add_like(graph *g, graph_node node)
{
    graph_value_info like = info_of(g, node.inputs[0]);
    return add_node(g, node, like.rows, like.columns);
}

graph_value graph_embed(graph *g, graph_weight table, float scale)
{
    graph_node node = node_of(GRAPH_EMBED, GRAPH_NONE, GRAPH_NONE);
    node.matrix = table;
    node.number = scale;
    return add_node(g, node, GRAPH_ROWS_TOKENS, g->out_of_memory ? 1 : g->weights[table].columns);
}

graph_value graph_select(graph *g, graph_value x)
{
    return add_node(g, node_of(GRAPH_SELECT, x, GRAPH_NONE), GRAPH_ROWS_OUTPUTS, info_of(g, x).columns);
}

graph_value graph_rms_norm(graph *g, graph_value x, graph_weight weight, float epsilon, int32_t size)
{
    graph_node node = node_of(GRAPH_RMS_NORM, x, GRAPH_NONE);
    node.vector = weight;
    node.number = epsilon;
    node.size = size != 0 ? size : info_of(g, x).columns;
    return add_like(g, node);
}

graph_value graph_linear(graph *g, graph_value x, graph_weight matrix, graph_weight bias_or_none)
{
    graph_node node = node_of(GRAPH_LINEAR, x, GRAPH_NONE);
    node.matrix = matrix;
    node.vector = bias_or_none;
    return add_node(g, node, info_of(g, x).rows, g->out_of_memory ? 1 : g->weights[matrix].rows);
}

graph_value graph_add(graph *g, graph_value x, graph_value y)
{
    return add_like(g, node_of(GRAPH_ADD, x, y));
}

graph_value graph_scale(graph *g, graph_value x, float factor)
{
    graph_node node = node_of(GRAPH_SCALE, x, GRAPH_NONE);
    node.number = factor;
    return add_like(g, node);
}

graph_value graph_silu_multiply(graph *g, graph_value gate, graph_value up)
{
    return add_like(g, node_of(GRAPH_SILU_MULTIPLY, gate, up));
}

graph_value graph_gelu_tanh_multiply(graph *g, graph_value gate, graph_value up)
{
    return add_like(g, node_of(GRAPH_GELU_TANH_MULTIPLY, gate, up));
}

graph_value graph_soft_cap(graph *g, graph_value x, float limit)
{
    graph_node node = node_of(GRAPH_SOFT_CAP, x, GRAPH_NONE);
    node.number = limit;
    return add_like(g, node);
}

graph_value graph_rope_angles(graph *g, int32_t table, int32_t rotary_size)
{
    graph_node node = node_of(GRAPH_ROPE_ANGLES, GRAPH_NONE, GRAPH_NONE);
    node.index = table;
    return add_node(g, node, GRAPH_ROWS_TOKENS, rotary_size);
}

graph_value graph_rope(graph *g, graph_value x, graph_value angles, int32_t table, int32_t heads)
{
    graph_node node = node_of(GRAPH_ROPE, x, angles);
    node.index = table;
    node.heads = heads;
    return add_like(g, node);
}

graph_value graph_attention(graph *g, graph_value q, graph_value k, graph_value v,
                            const graph_attention_options *o)
{
    graph_node store = node_of(GRAPH_KV_STORE, k, v);
    store.index = o->layer;
    store.heads_kv = o->heads_kv;
    store.size = o->head_size;
    add_node(g, store, GRAPH_ROWS_TOKENS, 0);
    graph_node node = node_of(GRAPH_ATTENTION, q, GRAPH_NONE);
    node.index = o->layer;
    node.heads = o->heads;
    node.heads_kv = o->heads_kv;
    node.size = o->head_size;
    node.window = o->window;
    node.number = o->scale;
    node.soft_cap = o->soft_cap;
    return add_node(g, node, GRAPH_ROWS_TOKENS, (int64_t)o->heads * o->head_size);
}

void graph_label(graph *g, const char *label)
{
    if (g->out_of_memory || g->node_count == 0) {
        return;
    }
    g->nodes[g->node_count - 1].label = arena_copy_text(g->arena, label, strlen(label));
    g->out_of_memory = g->nodes[g->node_count - 1].label == NULL;
}
