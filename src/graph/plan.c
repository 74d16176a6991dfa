/* Owns grouping nodes into phases and placing values. Values over tokens and values over outputs live in two
 * separate regions, so that offsets stay independent of the number of rows. */
#include "graph/plan.h"

/* May the output overwrite the first input? Only where the operation reads each element before it writes it.
 */
static bool works_in_place(graph_op op)
{
    return op == GRAPH_ADD || op == GRAPH_SCALE || op == GRAPH_SILU_MULTIPLY ||
           op == GRAPH_GELU_TANH_MULTIPLY || op == GRAPH_SOFT_CAP || op == GRAPH_ROPE || op == GRAPH_RMS_NORM;
}

static graph_rows rows_of_node(const graph *g, const graph_node *node)
{
    graph_value v = node->output != GRAPH_NONE ? node->output : node->inputs[0];
    return g->values[v].rows;
}

static plan_phase *add_phase(plan *p, plan_phase_kind kind, graph_rows rows, int32_t first_node)
{
    p->phases[p->phase_count] = (plan_phase){
        .kind = kind, .rows = rows, .first_node = first_node, .node_count = 0, .prepare = GRAPH_NONE};
    return &p->phases[p->phase_count++];
}

/* The phase that a matrix product joins: the open one when it reads the same input, else a new one behind a
 * ROWS phase that prepares the input. */
static plan_phase *phase_of_linear(plan *p, plan_phase *open, int32_t node_index, graph_rows rows)
{
    const graph *g = p->graph;
    graph_value x = g->nodes[node_index].inputs[0];
    if (open != NULL && open->kind == PLAN_PHASE_LINEAR && g->nodes[open->first_node].inputs[0] == x) {
        return open;
    }
    if (open == NULL || open->kind != PLAN_PHASE_ROWS || open->rows != rows) {
        open = add_phase(p, PLAN_PHASE_ROWS, rows, node_index);
    }
    open->prepare = x;
    if (g->values[x].columns > p->prepare_columns_max) {
        p->prepare_columns_max = g->values[x].columns;
    }
    return add_phase(p, PLAN_PHASE_LINEAR, rows, node_index);
}

static void group_nodes(plan *p)
{
    const graph *g = p->graph;
    plan_phase *phase = NULL;
    for (int32_t i = 0; i < g->node_count; i++) {
        graph_rows rows = rows_of_node(g, &g->nodes[i]);
        graph_runs runs = graph_op_runs(g->nodes[i].op);
        if (runs == GRAPH_RUNS_LINEAR) {
            phase = phase_of_linear(p, phase, i, rows);
        } else if (runs == GRAPH_RUNS_ALONE) {
            phase = add_phase(p, PLAN_PHASE_ALONE, rows, i);
        } else if (phase == NULL || phase->kind != PLAN_PHASE_ROWS || phase->rows != rows) {
            phase = add_phase(p, PLAN_PHASE_ROWS, rows, i);
        }
        phase->node_count++;
    }
}

typedef struct placement {
    int32_t *born, *dies; /* [value_count] phase indices, inclusive */
    int32_t *last_node;   /* [value_count] last node that touches the value */
    graph_value
        *owner;  /* [value_count] value whose place it shares (itself, or the first of an in-place chain) */
    int64_t *at; /* [value_count] columns; -1: not placed yet */
} placement;

static void find_lifetimes(const plan *p, placement *pl)
{
    const graph *g = p->graph;
    for (int32_t phase = 0; phase < p->phase_count; phase++) {
        const plan_phase *ph = &p->phases[phase];
        for (int32_t i = ph->first_node; i < ph->first_node + ph->node_count; i++) {
            const graph_node *node = &g->nodes[i];
            for (int k = 0; k < 2; k++) {
                if (node->inputs[k] != GRAPH_NONE) {
                    pl->dies[node->inputs[k]] = phase;
                    pl->last_node[node->inputs[k]] = i;
                }
            }
            if (node->output != GRAPH_NONE) {
                pl->born[node->output] = pl->dies[node->output] = phase;
                pl->last_node[node->output] = i;
            }
        }
    }
    pl->dies[g->result] = p->phase_count;
    pl->last_node[g->result] = g->node_count;
}

/* Chains of in-place nodes share the first one's place, which then lives as long as the last of them. */
static void find_owners(const graph *g, placement *pl)
{
    for (graph_value v = 0; v < g->value_count; v++) {
        pl->owner[v] = v;
        pl->at[v] = -1;
    }
    for (int32_t i = 0; i < g->node_count; i++) {
        const graph_node *node = &g->nodes[i];
        graph_value x = node->inputs[0], y = node->output;
        if (works_in_place(node->op) && pl->last_node[x] == i && g->values[x].rows == g->values[y].rows &&
            g->values[x].columns == g->values[y].columns) {
            graph_value first = pl->owner[x];
            pl->owner[y] = first;
            pl->dies[first] = pl->dies[y] > pl->dies[first] ? pl->dies[y] : pl->dies[first];
        }
    }
}

/* First fit: the lowest gap among the values that are placed already and alive at the same time. */
static int64_t lowest_gap(const graph *g, const placement *pl, graph_value v)
{
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (graph_value o = 0; o < v; o++) {
            bool is_alive = pl->at[o] >= 0 && g->values[o].rows == g->values[v].rows &&
                            pl->born[o] <= pl->dies[v] && pl->born[v] <= pl->dies[o];
            if (is_alive && at < pl->at[o] + g->values[o].columns && pl->at[o] < at + g->values[v].columns) {
                at = pl->at[o] + g->values[o].columns;
                moved = true;
            }
        }
    }
    return at;
}

static bool place_values(plan *p, arena *a)
{
    const graph *g = p->graph;
    size_t count = (size_t)g->value_count;
    placement pl = {
        .born = arena_array(a, count, sizeof(int32_t)),
        .dies = arena_array(a, count, sizeof(int32_t)),
        .last_node = arena_array(a, count, sizeof(int32_t)),
        .owner = arena_array(a, count, sizeof(graph_value)),
        .at = arena_array(a, count, sizeof(int64_t)),
    };
    if (pl.born == NULL || pl.dies == NULL || pl.last_node == NULL || pl.owner == NULL || pl.at == NULL) {
        return false;
    }
    find_lifetimes(p, &pl);
    find_owners(g, &pl);
    for (graph_value v = 0; v < g->value_count; v++) {
        if (pl.owner[v] == v) {
            pl.at[v] = lowest_gap(g, &pl, v);
            int64_t end = pl.at[v] + g->values[v].columns;
            int64_t *size = g->values[v].rows == GRAPH_ROWS_TOKENS ? &p->token_columns : &p->output_columns;
            *size = end > *size ? end : *size;
        }
    }
    for (graph_value v = 0; v < g->value_count; v++) {
        bool is_tokens = g->values[v].rows == GRAPH_ROWS_TOKENS;
        p->token_columns_before[v] = is_tokens ? pl.at[pl.owner[v]] : p->token_columns;
        p->output_columns_before[v] = is_tokens ? 0 : pl.at[pl.owner[v]];
    }
    return true;
}

bool plan_create(plan *p, const graph *g, arena *a)
{
    *p = (plan){.graph = g};
    p->phases = arena_array(a, 2 * (size_t)g->node_count + 1, sizeof p->phases[0]);
    p->token_columns_before = arena_array(a, (size_t)g->value_count, sizeof(int64_t));
    p->output_columns_before = arena_array(a, (size_t)g->value_count, sizeof(int64_t));
    if (g->out_of_memory || p->phases == NULL || p->token_columns_before == NULL ||
        p->output_columns_before == NULL) {
        return false;
    }
    group_nodes(p);
    return place_values(p, a);
}
