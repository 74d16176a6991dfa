/* Owns loading: which bytes of the file go into which packed matrix. Refuses tensors that are missing or whose shape is
 * not the one that the graph asked for. Rows are read in pieces of about a MiB by whichever thread is free. */
#include "cpu/weights.h"

#include <stdatomic.h>

#include "base/error.h"
#include "quant/quant.h"

enum { PIECE_BYTES = 1 << 20 };

/* A run of rows of one matrix that one thread reads and packs. */
typedef struct piece {
    linear_weights *matrix;
    const checkpoint_tensor *tensor;
    int64_t row_begin, row_count;
} piece;

typedef struct load_job {
    const checkpoint *checkpoint;
    const piece *pieces;
    uint8_t *staging; /* [threads, staging_bytes] */
    size_t staging_bytes;
    const cpu_weights_options *options;
    uint64_t total_bytes;
    _Atomic uint64_t done_bytes;
    atomic_bool failed;
    atomic_flag error_taken;
    smidgen_error error; /* of the thread that failed first */
} load_job;

static void fail(load_job *job, const smidgen_error *error)
{
    if (!atomic_flag_test_and_set(&job->error_taken)) {
        job->error = *error;
    }
    atomic_store(&job->failed, true);
}

static void load_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    load_job *job = context;
    uint8_t *staging = job->staging + (size_t)thread * job->staging_bytes;
    for (int64_t i = begin; i < end && !atomic_load_explicit(&job->failed, memory_order_relaxed); i++) {
        const piece *p = &job->pieces[i];
        uint64_t row_bytes = p->tensor->size_bytes / (uint64_t)linear_rows(p->matrix);
        size_t bytes = (size_t)(row_bytes * (uint64_t)p->row_count);
        smidgen_error error = {0};
        if (!checkpoint_read(job->checkpoint, p->tensor, row_bytes * (uint64_t)p->row_begin, staging, bytes, &error)) {
            fail(job, &error);
            return;
        }
        linear_pack(p->matrix, staging, p->row_begin, p->row_count);
        uint64_t done = atomic_fetch_add(&job->done_bytes, bytes) + bytes;
        if (thread == 0 && job->options->progress != NULL &&
            !job->options->progress(job->options->progress_context, done, job->total_bytes)) {
            error_set(&error, SMIDGEN_ERROR_CANCELLED, "opening the model was cancelled");
            fail(job, &error);
        }
    }
}

static bool check_shape(const checkpoint_tensor *t, const graph_weight_info *info, smidgen_error *error)
{
    uint64_t rows = t->rank == 1 ? 1 : t->shape[0], columns = t->rank == 1 ? t->shape[0] : t->shape[1];
    if (t->rank > 2 || rows != (uint64_t)info->rows || columns != (uint64_t)info->columns) {
        return error_set(error, SMIDGEN_ERROR_WRONG_SHAPE, "tensor '%s' is %llu x %llu, the model needs %lld x %lld",
                         t->name, (unsigned long long)rows, (unsigned long long)columns, (long long)info->rows,
                         (long long)info->columns);
    }
    return true;
}

static bool load_vector(cpu_weights *w, int32_t i, const graph_weight_info *info, const checkpoint *c,
                        const checkpoint_tensor *t, smidgen_error *error)
{
    size_t count = (size_t)info->columns;
    w->vector_bytes[i] = memory_array_bytes(count, sizeof(float));
    w->vectors[i] = memory_allocate(w->allocator, w->vector_bytes[i]);
    void *stored = memory_allocate(w->allocator, (size_t)t->size_bytes);
    bool ok = w->vectors[i] != NULL && stored != NULL;
    if (!ok) {
        error_set_memory(error, t->name, w->vector_bytes[i]);
    } else if ((ok = checkpoint_read(c, t, 0, stored, (size_t)t->size_bytes, error))) {
        quant_decode(t->type, stored, w->vectors[i], count);
        for (size_t k = 0; info->add_one && k < count; k++) {
            w->vectors[i][k] += 1.0f;
        }
        w->packed_bytes += w->vector_bytes[i];
    }
    memory_release(w->allocator, stored, (size_t)t->size_bytes);
    return ok;
}

static int64_t rows_a_piece(const checkpoint_tensor *t, int64_t rows)
{
    uint64_t row_bytes = t->size_bytes / (uint64_t)rows;
    int64_t count = row_bytes >= PIECE_BYTES ? 1 : (int64_t)(PIECE_BYTES / (row_bytes + 1));
    count = (count + LINEAR_PANEL_ROWS - 1) / LINEAR_PANEL_ROWS * LINEAR_PANEL_ROWS;
    return count < rows ? count : rows;
}

/* Makes the matrices and vectors, and counts the pieces. */
static bool prepare(cpu_weights *w, const graph *g, const checkpoint *c, const cpu_weights_options *options,
                    int64_t *piece_count, size_t *staging_bytes, smidgen_error *error)
{
    for (int32_t i = 0; i < g->weight_count; i++) {
        const graph_weight_info *info = &g->weights[i];
        const checkpoint_tensor *t = checkpoint_find(c, info->name);
        if (t == NULL) {
            return error_set(error, SMIDGEN_ERROR_MISSING_TENSOR, "the file has no tensor '%s'", info->name);
        }
        if (quant_find(t->type) == NULL && !element_is_float(t->type)) {
            return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TYPE, "tensor '%s' has type %s, which is no weight type",
                             t->name, element_name((uint32_t)t->type));
        }
        if (!check_shape(t, info, error)) {
            return false;
        }
        w->parameter_count += (uint64_t)info->rows * (uint64_t)info->columns;
        w->stored_bytes += t->size_bytes;
        if (!info->is_matrix) {
            if (!load_vector(w, i, info, c, t, error)) {
                return false;
            }
            continue;
        }
        w->matrices[i] = linear_create(t->type, info->rows, info->columns, options->precision, options->isa,
                                       w->allocator, error);
        if (w->matrices[i] == NULL) {
            return false;
        }
        w->packed_bytes += linear_bytes(w->matrices[i]);
        int64_t step = rows_a_piece(t, info->rows);
        size_t bytes = (size_t)(t->size_bytes / (uint64_t)info->rows * (uint64_t)step);
        *staging_bytes = bytes > *staging_bytes ? bytes : *staging_bytes;
        *piece_count += (info->rows + step - 1) / step;
    }
    return true;
}

static void list_pieces(const cpu_weights *w, const graph *g, const checkpoint *c, piece *pieces)
{
    int64_t at = 0;
    for (int32_t i = 0; i < g->weight_count; i++) {
        if (w->matrices[i] == NULL) {
            continue;
        }
        const checkpoint_tensor *t = checkpoint_find(c, g->weights[i].name);
        int64_t rows = g->weights[i].rows, step = rows_a_piece(t, rows);
        for (int64_t row = 0; row < rows; row += step) {
            pieces[at++] = (piece){w->matrices[i], t, row, rows - row < step ? rows - row : step};
        }
    }
}

static bool load_matrices(cpu_weights *w, const graph *g, const checkpoint *c, cpu_pool *pool,
                          const cpu_weights_options *options, int64_t piece_count, size_t staging_bytes,
                          smidgen_error *error)
{
    size_t staging_total = memory_array_bytes((size_t)cpu_pool_threads(pool), staging_bytes);
    size_t pieces_bytes = memory_array_bytes((size_t)piece_count, sizeof(piece));
    piece *pieces = memory_allocate(w->allocator, pieces_bytes);
    uint8_t *staging = memory_allocate(w->allocator, staging_total);
    bool ok = pieces != NULL && staging != NULL;
    if (!ok) {
        error_set_memory(error, "reading the weights", staging_total + pieces_bytes);
    } else {
        list_pieces(w, g, c, pieces);
        load_job job = {.checkpoint = c, .pieces = pieces, .staging = staging, .staging_bytes = staging_bytes,
                        .options = options, .total_bytes = w->stored_bytes, .error_taken = ATOMIC_FLAG_INIT};
        cpu_pool_run(pool, load_pieces, &job, piece_count, 1);
        ok = !atomic_load(&job.failed);
        if (!ok && error != NULL) {
            *error = job.error;
        }
    }
    memory_release(w->allocator, staging, staging_total);
    memory_release(w->allocator, pieces, pieces_bytes);
    return ok;
}

bool cpu_weights_load(cpu_weights *w, const graph *g, const checkpoint *c, cpu_pool *pool,
                      const cpu_weights_options *options, const smidgen_allocator *allocator, smidgen_error *error)
{
    *w = (cpu_weights){.allocator = allocator, .count = g->weight_count, .isa = options->isa};
    size_t count = (size_t)g->weight_count;
    w->matrices = memory_allocate_zeroed(allocator, count * sizeof w->matrices[0]);
    w->vectors = memory_allocate_zeroed(allocator, count * sizeof w->vectors[0]);
    w->vector_bytes = memory_allocate_zeroed(allocator, count * sizeof w->vector_bytes[0]);
    int64_t piece_count = 0;
    size_t staging_bytes = 0;
    bool ok = w->matrices != NULL && w->vectors != NULL && w->vector_bytes != NULL;
    if (!ok) {
        error_set_memory(error, "the weight table", count * 24);
    }
    ok = ok && prepare(w, g, c, options, &piece_count, &staging_bytes, error) &&
         load_matrices(w, g, c, pool, options, piece_count, staging_bytes, error);
    if (!ok) {
        cpu_weights_close(w);
    }
    return ok;
}

void cpu_weights_close(cpu_weights *w)
{
    size_t count = (size_t)w->count;
    for (size_t i = 0; i < count; i++) {
        if (w->matrices != NULL && w->matrices[i] != NULL) {
            linear_close(w->matrices[i]);
        }
        if (w->vectors != NULL && w->vector_bytes != NULL) {
            memory_release(w->allocator, w->vectors[i], w->vector_bytes[i]);
        }
    }
    memory_release(w->allocator, w->matrices, count * sizeof w->matrices[0]);
    memory_release(w->allocator, w->vectors, count * sizeof w->vectors[0]);
    memory_release(w->allocator, w->vector_bytes, count * sizeof w->vector_bytes[0]);
    *w = (cpu_weights){0};
}
