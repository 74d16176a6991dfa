/* Owns the order of work of one step: phase by phase, each spread over the pool. One row of work runs on the
 * calling thread alone, because waking the others costs more than the work. */
#include "cpu/runner.h"

#include <string.h>

#include "base/error.h"

struct cpu_runner {
    cpu_model model;
    const smidgen_allocator *allocator;
    const cpu_ops *ops;
    int32_t max_tokens, max_outputs, threads;
    float *values;    /* plan->token_columns * max_tokens + plan->output_columns * max_outputs */
    void *prepared;   /* quantised input of the current matrix products */
    void *partials;   /* attention, shared */
    uint8_t *scratch; /* [threads, scratch_bytes] */
    size_t values_bytes, prepared_bytes, partials_bytes, scratch_bytes;
    const cpu_step *step;
    int32_t next_phase;
};

static void attention_sizes(const plan *p, int32_t max_tokens, int threads, size_t *partials, size_t *scratch)
{
    for (int32_t i = 0; i < p->graph->node_count; i++) {
        const graph_node *n = &p->graph->nodes[i];
        if (n->op == GRAPH_ATTENTION) {
            size_t shared = attention_partials_bytes(max_tokens, n->heads, n->size, threads);
            size_t own = attention_scratch_bytes(n->heads, n->heads_kv, n->size);
            *partials = shared > *partials ? shared : *partials;
            *scratch = own > *scratch ? own : *scratch;
        }
    }
}

cpu_runner *cpu_runner_create(const cpu_model *model, int32_t max_tokens, int32_t max_outputs,
                              const smidgen_allocator *allocator, smidgen_error *error)
{
    cpu_runner *r = memory_allocate_zeroed(allocator, sizeof *r);
    if (r == NULL) {
        error_set_memory(error, "the runner", sizeof *r);
        return NULL;
    }
    const plan *p = model->plan;
    *r = (cpu_runner){.model = *model,
                      .allocator = allocator,
                      .ops = cpu_ops_for(model->weights->isa),
                      .max_tokens = max_tokens,
                      .max_outputs = max_outputs,
                      .threads = cpu_pool_threads(model->pool)};
    int32_t rows = max_tokens > max_outputs ? max_tokens : max_outputs;
    r->values_bytes =
        (size_t)(p->token_columns * max_tokens + p->output_columns * max_outputs) * sizeof(float);
    r->prepared_bytes = linear_input_bytes(rows, p->prepare_columns_max);
    attention_sizes(p, max_tokens, r->threads, &r->partials_bytes, &r->scratch_bytes);
    for (int32_t i = 0; i < model->weights->graph->weight_count; i++) {
        if (model->weights->matrices[i] != NULL) {
            size_t bytes = linear_scratch_bytes(model->weights->matrices[i]);
            r->scratch_bytes = bytes > r->scratch_bytes ? bytes : r->scratch_bytes;
        }
    }
    r->scratch_bytes = (r->scratch_bytes + 127) & ~(size_t)63;
    r->values = memory_allocate(allocator, r->values_bytes);
    r->prepared = memory_allocate(allocator, r->prepared_bytes);
    r->partials = r->partials_bytes == 0 ? NULL : memory_allocate(allocator, r->partials_bytes);
    r->scratch = memory_allocate(allocator, r->scratch_bytes * (size_t)r->threads);
    bool ok = r->values != NULL && r->prepared != NULL && r->scratch != NULL &&
              (r->partials != NULL || r->partials_bytes == 0);
    if (!ok) {
        error_set_memory(error, "activations", cpu_runner_bytes(r));
        cpu_runner_close(r);
        return NULL;
    }
    return r;
}

void cpu_runner_close(cpu_runner *r)
{
    if (r == NULL) {
        return;
    }
    memory_release(r->allocator, r->values, r->values_bytes);
    memory_release(r->allocator, r->prepared, r->prepared_bytes);
    memory_release(r->allocator, r->partials, r->partials_bytes);
    memory_release(r->allocator, r->scratch, r->scratch_bytes * (size_t)r->threads);
    memory_release(r->allocator, r, sizeof *r);
}

uint64_t cpu_runner_bytes(const cpu_runner *r)
{
    return r->values_bytes + r->prepared_bytes + r->partials_bytes + r->scratch_bytes * (size_t)r->threads;
}

static int64_t columns_of(const cpu_runner *r, graph_value v)
{
    return r->model.plan->graph->values[v].columns;
}

static float *place_of(const cpu_runner *r, graph_value v)
{
    const plan *p = r->model.plan;
    return r->values + p->token_columns_before[v] * r->max_tokens +
           p->output_columns_before[v] * r->max_outputs;
}

static int32_t rows_of(const cpu_runner *r, graph_rows rows)
{
    return rows == GRAPH_ROWS_TOKENS ? r->step->token_count : r->step->output_count;
}

float *cpu_runner_result(cpu_runner *r, int32_t output)
{
    graph_value result = r->model.plan->graph->result;
    return place_of(r, result) + (int64_t)output * columns_of(r, result);
}

/* In-place operations: brings the first input to the output's place where the planner could not share it. */
static float *bring_input(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t columns = columns_of(r, n->output);
    float *y = place_of(r, n->output);
    const float *x = place_of(r, n->inputs[0]);
    if (x != y) {
        memcpy(y + begin * columns, x + begin * columns, (size_t)((end - begin) * columns) * sizeof(float));
    }
    return y + begin * columns;
}

static void run_embed(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t columns = columns_of(r, n->output);
    float *y = place_of(r, n->output);
    for (int64_t t = begin; t < end; t++) {
        linear_decode_row(r->model.weights->matrices[n->matrix], r->step->tokens[t], y + t * columns);
        if (n->number != 1.0f) {
            r->ops->scale(y + t * columns, n->number, columns);
        }
    }
}

static void run_select(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t columns = columns_of(r, n->output);
    for (int64_t i = begin; i < end; i++) {
        memcpy(place_of(r, n->output) + i * columns,
               place_of(r, n->inputs[0]) + (int64_t)r->step->output_rows[i] * columns,
               (size_t)columns * sizeof(float));
    }
}

static void run_rms_norm(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t groups = columns_of(r, n->output) / n->size;
    r->ops->rms_norm(place_of(r, n->inputs[0]), n->size, r->model.weights->vectors[n->vector], n->number,
                     place_of(r, n->output), n->size, n->size, begin * groups, end * groups);
}

static void run_rope(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t columns = columns_of(r, n->output);
    bring_input(r, n, begin, end);
    r->ops->rope_apply(&r->model.ropes[n->index], place_of(r, n->inputs[1]), place_of(r, n->output), columns,
                       n->heads, begin, end);
}

static void run_kv_store(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t columns = columns_of(r, n->inputs[0]);
    for (int64_t t = begin; t < end; t++) {
        kv_store(r->step->caches[t], n->index, r->step->positions[t], place_of(r, n->inputs[0]) + t * columns,
                 place_of(r, n->inputs[1]) + t * columns, 0, n->heads_kv, r->model.weights->isa);
    }
}

static void run_node(const cpu_runner *r, const graph_node *n, int64_t begin, int64_t end)
{
    int64_t floats = n->output == GRAPH_NONE ? 0 : (end - begin) * columns_of(r, n->output);
    const float *second =
        n->inputs[1] == GRAPH_NONE ? NULL : place_of(r, n->inputs[1]) + begin * columns_of(r, n->inputs[1]);
    switch (n->op) {
    case GRAPH_EMBED:
        run_embed(r, n, begin, end);
        break;
    case GRAPH_SELECT:
        run_select(r, n, begin, end);
        break;
    case GRAPH_RMS_NORM:
        run_rms_norm(r, n, begin, end);
        break;
    case GRAPH_ADD:
        r->ops->add(bring_input(r, n, begin, end), second, floats);
        break;
    case GRAPH_SCALE:
        r->ops->scale(bring_input(r, n, begin, end), n->number, floats);
        break;
    case GRAPH_SILU_MULTIPLY:
        r->ops->silu_multiply(bring_input(r, n, begin, end), second, floats);
        break;
    case GRAPH_GELU_TANH_MULTIPLY:
        r->ops->gelu_tanh_multiply(bring_input(r, n, begin, end), second, floats);
        break;
    case GRAPH_SOFT_CAP:
        r->ops->soft_cap(bring_input(r, n, begin, end), n->number, floats);
        break;
    case GRAPH_ROPE_ANGLES:
        r->ops->rope_angles(&r->model.ropes[n->index], r->step->positions, place_of(r, n->output), begin,
                            end);
        break;
    case GRAPH_ROPE:
        run_rope(r, n, begin, end);
        break;
    case GRAPH_KV_STORE:
        run_kv_store(r, n, begin, end);
        break;
    case GRAPH_LINEAR:
    case GRAPH_ATTENTION:
    case GRAPH_OP_COUNT:
        break; /* phases of their own */
    }
}

typedef struct phase_job {
    cpu_runner *runner;
    const plan_phase *phase;
    linear_input input;
    attention_call attention;
} phase_job;

static linear_input input_of(const cpu_runner *r, graph_value v)
{
    int64_t columns = columns_of(r, v);
    return (linear_input){.x = place_of(r, v),
                          .rows = rows_of(r, r->model.plan->graph->values[v].rows),
                          .columns = columns,
                          .stride = columns,
                          .prepared = r->prepared};
}

static void work_rows(void *context, int64_t begin, int64_t end, int thread)
{
    phase_job *job = context;
    const cpu_runner *r = job->runner;
    (void)thread;
    for (int32_t i = 0; i < job->phase->node_count; i++) {
        run_node(r, &r->model.plan->graph->nodes[job->phase->first_node + i], begin, end);
    }
    if (job->phase->prepare != GRAPH_NONE) {
        linear_prepare(&job->input, r->model.weights->isa, begin, end);
    }
}

/* Items of all products of the phase, one after the other. */
static void work_linear(void *context, int64_t begin, int64_t end, int thread)
{
    phase_job *job = context;
    const cpu_runner *r = job->runner;
    int64_t before = 0;
    for (int32_t i = 0; i < job->phase->node_count; i++) {
        const graph_node *n = &r->model.plan->graph->nodes[job->phase->first_node + i];
        const linear_weights *w = r->model.weights->matrices[n->matrix];
        const float *bias = n->vector == GRAPH_NONE ? NULL : r->model.weights->vectors[n->vector];
        int64_t items = linear_items(w);
        int64_t from = begin > before ? begin - before : 0, to = end - before < items ? end - before : items;
        if (from < to) {
            linear_run(w, &job->input, bias, place_of(r, n->output), columns_of(r, n->output), from, to,
                       r->scratch + (size_t)thread * r->scratch_bytes);
        }
        before += items;
    }
}

static void work_attention(void *context, int64_t begin, int64_t end, int thread)
{
    phase_job *job = context;
    const cpu_runner *r = job->runner;
    attention_run(&job->attention, r->threads, r->partials, begin, end,
                  r->scratch + (size_t)thread * r->scratch_bytes);
}

static void work_merge(void *context, int64_t begin, int64_t end, int thread)
{
    phase_job *job = context;
    (void)thread;
    attention_merge(&job->attention, job->runner->threads, job->runner->partials, begin, end);
}

static void run_rows_phase(phase_job *job)
{
    cpu_runner *r = job->runner;
    int32_t rows = rows_of(r, job->phase->rows);
    if (job->phase->prepare != GRAPH_NONE) {
        job->input = input_of(r, job->phase->prepare);
    }
    if (rows <= 2 || r->threads == 1) {
        work_rows(job, 0, rows, 0);
    } else {
        int32_t grain = (rows + 4 * r->threads - 1) / (4 * r->threads);
        cpu_pool_run(r->model.pool, work_rows, job, rows, grain);
    }
}

static void run_linear_phase(phase_job *job)
{
    cpu_runner *r = job->runner;
    int64_t items = 0;
    for (int32_t i = 0; i < job->phase->node_count; i++) {
        const graph_node *n = &r->model.plan->graph->nodes[job->phase->first_node + i];
        items += linear_items(r->model.weights->matrices[n->matrix]);
    }
    job->input = input_of(r, r->model.plan->graph->nodes[job->phase->first_node].inputs[0]);
    int64_t grain = items / (8 * r->threads);
    cpu_pool_run(r->model.pool, work_linear, job, items, grain < 1 ? 1 : grain);
}

static void run_attention_phase(phase_job *job)
{
    cpu_runner *r = job->runner;
    const graph_node *n = &r->model.plan->graph->nodes[job->phase->first_node];
    job->attention = (attention_call){.q = place_of(r, n->inputs[0]),
                                      .out = place_of(r, n->output),
                                      .q_stride = columns_of(r, n->inputs[0]),
                                      .out_stride = columns_of(r, n->output),
                                      .caches = (const struct kv_cache *const *)r->step->caches,
                                      .positions = r->step->positions,
                                      .tokens = r->step->token_count,
                                      .layer = n->index,
                                      .heads = n->heads,
                                      .heads_kv = n->heads_kv,
                                      .head_size = n->size,
                                      .window = n->window,
                                      .scale = n->number,
                                      .soft_cap = n->soft_cap,
                                      .isa = r->model.weights->isa};
    cpu_pool_run(r->model.pool, work_attention, job, attention_items(&job->attention, r->threads), 1);
    int64_t merges = attention_merge_items(&job->attention, r->threads);
    if (merges != 0) {
        cpu_pool_run(r->model.pool, work_merge, job, merges, (merges + r->threads - 1) / r->threads);
    }
}

static void show_labels(const cpu_runner *r, const plan_phase *phase)
{
    const graph *g = r->model.plan->graph;
    for (int32_t i = 0; i < phase->node_count; i++) {
        const graph_node *n = &g->nodes[phase->first_node + i];
        if (n->label != NULL) {
            r->step->look(r->step->look_context, n->label, place_of(r, n->output),
                          rows_of(r, g->values[n->output].rows), columns_of(r, n->output));
        }
    }
}

/* Whether every weight of the phase has arrived; of an embedding table only the rows of the step's tokens
 * matter. */
static bool has_weights(const cpu_runner *r, const plan_phase *phase)
{
    const cpu_weights *w = r->model.weights;
    for (int32_t i = 0; i < phase->node_count; i++) {
        const graph_node *n = &r->model.plan->graph->nodes[phase->first_node + i];
        if (n->op == GRAPH_EMBED) {
            for (int32_t t = 0; t < r->step->token_count; t++) {
                if (!cpu_weights_have_row(w, n->matrix, r->step->tokens[t])) {
                    return false;
                }
            }
        } else if (!cpu_weights_have(w, n->matrix) || !cpu_weights_have(w, n->vector)) {
            return false;
        }
    }
    return true;
}

static void run_phase(cpu_runner *r, const plan_phase *phase)
{
    phase_job job = {.runner = r, .phase = phase};
    if (rows_of(r, phase->rows) == 0) {
        return;
    }
    if (phase->kind == PLAN_PHASE_ROWS) {
        run_rows_phase(&job);
    } else if (phase->kind == PLAN_PHASE_LINEAR) {
        run_linear_phase(&job);
    } else {
        run_attention_phase(&job);
    }
    if (r->step->look != NULL) {
        show_labels(r, phase);
    }
}

void cpu_runner_begin(cpu_runner *r, const cpu_step *step)
{
    r->step = step;
    r->next_phase = 0;
}

bool cpu_runner_advance(cpu_runner *r)
{
    for (; r->next_phase < r->model.plan->phase_count; r->next_phase++) {
        const plan_phase *phase = &r->model.plan->phases[r->next_phase];
        if (!has_weights(r, phase)) {
            return false;
        }
        run_phase(r, phase);
    }
    r->step = NULL;
    return true;
}

void cpu_runner_run(cpu_runner *r, const cpu_step *step)
{
    cpu_runner_begin(r, step);
    cpu_runner_advance(r);
}
