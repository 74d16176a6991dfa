/* Owns which bytes of the file go into which packed matrix. Refuses tensors that are missing or whose shape
 * is not the one that the graph asked for. */
#include "cpu/weights.h"

#include "base/error.h"
#include "quant/quant.h"

enum { PIECE_BYTES = 1 << 20 };

static bool check_tensor(const checkpoint_tensor *t, const graph_weight_info *info, smidgen_error *error)
{
    if (t == NULL) {
        return error_set(error, SMIDGEN_ERROR_MISSING_TENSOR, "the file has no tensor '%s'", info->name);
    }
    if (quant_find(t->type) == NULL && !element_is_float(t->type)) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TYPE,
                         "tensor '%s' has type %s, which is no weight type", t->name,
                         element_name((uint32_t)t->type));
    }
    uint64_t rows = t->rank == 1 ? 1 : t->shape[0], columns = t->rank == 1 ? t->shape[0] : t->shape[1];
    if (t->rank > 2 || rows != (uint64_t)info->rows || columns != (uint64_t)info->columns) {
        return error_set(error, SMIDGEN_ERROR_WRONG_SHAPE,
                         "tensor '%s' is %llu x %llu, the model needs %lld x %lld", t->name,
                         (unsigned long long)rows, (unsigned long long)columns, (long long)info->rows,
                         (long long)info->columns);
    }
    return true;
}

/* Rows of a piece: whole panels, about PIECE_BYTES. */
static int64_t rows_a_piece(const checkpoint_tensor *t, int64_t rows)
{
    uint64_t row_bytes = t->size_bytes / (uint64_t)rows;
    int64_t count = row_bytes >= PIECE_BYTES ? 1 : (int64_t)(PIECE_BYTES / (row_bytes + 1));
    count = (count + LINEAR_PANEL_ROWS - 1) / LINEAR_PANEL_ROWS * LINEAR_PANEL_ROWS;
    return count < rows ? count : rows;
}

static bool make_room(cpu_weights *w, graph_weight i, const checkpoint_tensor *t, smidgen_precision precision,
                      smidgen_error *error)
{
    const graph_weight_info *info = &w->graph->weights[i];
    if (info->is_matrix) {
        w->matrices[i] =
            linear_create(t->type, info->rows, info->columns, precision, w->isa, w->allocator, error);
        w->packed_bytes += w->matrices[i] == NULL ? 0 : linear_bytes(w->matrices[i]);
        return w->matrices[i] != NULL;
    }
    w->vector_bytes[i] = memory_array_bytes((size_t)info->columns, sizeof(float));
    w->vectors[i] = memory_allocate(w->allocator, w->vector_bytes[i]);
    w->packed_bytes += w->vector_bytes[i];
    return w->vectors[i] != NULL || error_set_memory(error, t->name, w->vector_bytes[i]);
}

static bool reserve(cpu_weights *w, const checkpoint *c, smidgen_precision precision, smidgen_error *error)
{
    for (graph_weight i = 0; i < w->graph->weight_count; i++) {
        const graph_weight_info *info = &w->graph->weights[i];
        const checkpoint_tensor *t = checkpoint_find(c, info->name);
        if (!check_tensor(t, info, error) || !make_room(w, i, t, precision, error)) {
            return false;
        }
        int64_t step = rows_a_piece(t, info->rows);
        w->parameter_count += (uint64_t)info->rows * (uint64_t)info->columns;
        w->stored_bytes += t->size_bytes;
        w->first_piece[i] = w->piece_count;
        w->piece_count += (info->rows + step - 1) / step;
        atomic_init(&w->missing[i], (int)(w->piece_count - w->first_piece[i]));
    }
    w->first_piece[w->graph->weight_count] = w->piece_count;
    return true;
}

static bool list_pieces(cpu_weights *w, const checkpoint *c, smidgen_error *error)
{
    w->pieces =
        memory_allocate(w->allocator, memory_array_bytes((size_t)w->piece_count, sizeof w->pieces[0]));
    w->arrived = memory_allocate_zeroed(w->allocator, (size_t)w->piece_count);
    if (w->pieces == NULL || w->arrived == NULL) {
        return error_set_memory(error, "the list of weights", (uint64_t)w->piece_count * sizeof w->pieces[0]);
    }
    int64_t at = 0;
    for (graph_weight i = 0; i < w->graph->weight_count; i++) {
        const checkpoint_tensor *t = checkpoint_find(c, w->graph->weights[i].name);
        int64_t rows = w->graph->weights[i].rows, step = rows_a_piece(t, rows);
        uint64_t row_bytes = t->size_bytes / (uint64_t)rows;
        for (int64_t row = 0; row < rows; row += step) {
            int64_t count = rows - row < step ? rows - row : step;
            uint64_t bytes = row_bytes * (uint64_t)count;
            w->pieces[at++] = (weights_piece){i, t, row, count, row_bytes * (uint64_t)row, bytes};
            w->largest_piece_bytes = bytes > w->largest_piece_bytes ? bytes : w->largest_piece_bytes;
        }
    }
    return true;
}

bool cpu_weights_create(cpu_weights *w, const graph *g, const checkpoint *c, smidgen_precision precision,
                        cpu_isa isa, const smidgen_allocator *allocator, smidgen_error *error)
{
    *w = (cpu_weights){.allocator = allocator, .graph = g, .isa = isa};
    size_t count = (size_t)g->weight_count;
    w->matrices = memory_allocate_zeroed(allocator, count * sizeof w->matrices[0]);
    w->vectors = memory_allocate_zeroed(allocator, count * sizeof w->vectors[0]);
    w->vector_bytes = memory_allocate_zeroed(allocator, count * sizeof w->vector_bytes[0]);
    w->first_piece = memory_allocate_zeroed(allocator, (count + 1) * sizeof w->first_piece[0]);
    w->missing = memory_allocate_zeroed(allocator, count * sizeof w->missing[0]);
    bool ok = w->matrices != NULL && w->vectors != NULL && w->vector_bytes != NULL &&
              w->first_piece != NULL && w->missing != NULL;
    if (!ok) {
        error_set_memory(error, "the list of weights", count * 36);
    }
    ok = ok && reserve(w, c, precision, error) && list_pieces(w, c, error);
    if (!ok) {
        cpu_weights_close(w);
    }
    return ok;
}

void cpu_weights_close(cpu_weights *w)
{
    size_t count = w->graph == NULL ? 0 : (size_t)w->graph->weight_count;
    for (size_t i = 0; i < count; i++) {
        if (w->matrices != NULL && w->matrices[i] != NULL) {
            linear_close(w->matrices[i]);
        }
        if (w->vectors != NULL && w->vector_bytes != NULL) {
            memory_release(w->allocator, w->vectors[i], w->vector_bytes[i]);
        }
    }
    if (w->allocator != NULL) {
        memory_release(w->allocator, w->matrices, count * sizeof w->matrices[0]);
        memory_release(w->allocator, w->vectors, count * sizeof w->vectors[0]);
        memory_release(w->allocator, w->vector_bytes, count * sizeof w->vector_bytes[0]);
        memory_release(w->allocator, w->first_piece, (count + 1) * sizeof w->first_piece[0]);
        memory_release(w->allocator, w->missing, count * sizeof w->missing[0]);
        memory_release(w->allocator, w->pieces, (size_t)w->piece_count * sizeof w->pieces[0]);
        memory_release(w->allocator, w->arrived, (size_t)w->piece_count);
    }
    *w = (cpu_weights){0};
}

void cpu_weights_pack(cpu_weights *w, int64_t index, const void *stored)
{
    const weights_piece *p = &w->pieces[index];
    if (w->matrices[p->weight] != NULL) {
        linear_pack(w->matrices[p->weight], stored, p->row_begin, p->row_count);
    } else {
        float *vector = w->vectors[p->weight]; /* [columns] */
        int64_t columns = w->graph->weights[p->weight].columns;
        quant_decode(p->tensor->type, stored, vector, (uint64_t)columns);
        for (int64_t k = 0; w->graph->weights[p->weight].add_one && k < columns; k++) {
            vector[k] += 1.0f;
        }
    }
    atomic_store_explicit(&w->arrived[index], 1, memory_order_release);
    atomic_fetch_sub_explicit(&w->missing[p->weight], 1, memory_order_release);
}

int64_t cpu_weights_missing(const cpu_weights *w)
{
    int64_t missing = 0;
    for (graph_weight i = 0; i < w->graph->weight_count; i++) {
        missing += atomic_load_explicit(&w->missing[i], memory_order_acquire);
    }
    return missing;
}

bool cpu_weights_have_piece(const cpu_weights *w, int64_t piece)
{
    return atomic_load_explicit(&w->arrived[piece], memory_order_acquire) != 0;
}

bool cpu_weights_have(const cpu_weights *w, graph_weight weight)
{
    return weight == GRAPH_NONE || atomic_load_explicit(&w->missing[weight], memory_order_acquire) == 0;
}

bool cpu_weights_have_row(const cpu_weights *w, graph_weight weight, int64_t row)
{
    const weights_piece *first = &w->pieces[w->first_piece[weight]];
    int64_t piece = w->first_piece[weight] + row / first->row_count;
    return atomic_load_explicit(&w->arrived[piece], memory_order_acquire) != 0;
}

typedef struct read_job {
    cpu_weights *weights;
    const checkpoint *checkpoint;
    uint8_t *staging; /* [threads, largest_piece_bytes] */
    weights_progress progress;
    _Atomic uint64_t done_bytes;
    atomic_bool failed;
    atomic_flag error_taken;
    smidgen_error error; /* of the thread that failed first */
} read_job;

static void fail(read_job *job, const smidgen_error *error)
{
    if (!atomic_flag_test_and_set(&job->error_taken)) {
        job->error = *error;
    }
    atomic_store(&job->failed, true);
}

static void read_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    read_job *job = context;
    cpu_weights *w = job->weights;
    uint8_t *staging = job->staging + (size_t)thread * (size_t)w->largest_piece_bytes;
    for (int64_t i = begin; i < end && !atomic_load_explicit(&job->failed, memory_order_relaxed); i++) {
        const weights_piece *p = &w->pieces[i];
        smidgen_error error = {0};
        if (!checkpoint_read(job->checkpoint, p->tensor, p->offset, staging, (size_t)p->size_bytes, &error)) {
            fail(job, &error);
            return;
        }
        cpu_weights_pack(w, i, staging);
        uint64_t done = atomic_fetch_add(&job->done_bytes, p->size_bytes) + p->size_bytes;
        if (thread == 0 && job->progress.report != NULL &&
            !job->progress.report(job->progress.context, done, w->stored_bytes)) {
            error_set(&error, SMIDGEN_ERROR_CANCELLED, "opening the model was cancelled");
            fail(job, &error);
        }
    }
}

bool cpu_weights_read(cpu_weights *w, const checkpoint *c, cpu_pool *pool, weights_progress progress,
                      smidgen_error *error)
{
    size_t bytes = memory_array_bytes((size_t)cpu_pool_threads(pool), (size_t)w->largest_piece_bytes);
    read_job job = {.weights = w, .checkpoint = c, .progress = progress, .error_taken = ATOMIC_FLAG_INIT};
    job.staging = memory_allocate(w->allocator, bytes);
    if (job.staging == NULL) {
        return error_set_memory(error, "reading the weights", bytes);
    }
    cpu_pool_run(pool, read_pieces, &job, w->piece_count, 1);
    memory_release(w->allocator, job.staging, bytes);
    if (atomic_load(&job.failed) && error != NULL) {
        *error = job.error;
    }
    return !atomic_load(&job.failed);
}
