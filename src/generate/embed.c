/* Owns embeddings of decoder models and the memory report. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "generate/session.h"

enum { EMBED_CHUNK = 128 };

typedef struct embedding_job {
    const smidgen_model *model;
    kv_cache *cache;
    cpu_runner *runner;
    const int32_t *ids;
    int32_t count;
} embedding_job;

/* Sums (or takes the last of) the hidden states of all tokens. */
static void run_chunks(const embedding_job *job, smidgen_pooling pooling, double *sum, float *out)
{
    int32_t rows[EMBED_CHUNK], positions[EMBED_CHUNK], size = job->model->config.hidden_size;
    kv_cache *caches[EMBED_CHUNK];
    for (int32_t done = 0; done < job->count; done += EMBED_CHUNK) {
        int32_t count = job->count - done < EMBED_CHUNK ? job->count - done : EMBED_CHUNK;
        for (int32_t i = 0; i < count; i++) {
            rows[i] = i;
            positions[i] = done + i;
            caches[i] = job->cache;
        }
        cpu_step step = {.tokens = job->ids + done,
                         .positions = positions,
                         .caches = caches,
                         .token_count = count,
                         .output_rows = rows,
                         .output_count = count};
        cpu_runner_run(job->runner, &step);
        for (int32_t i = 0; i < count; i++) {
            const float *hidden = cpu_runner_result(job->runner, i);
            for (int32_t k = 0; k < size; k++) {
                sum[k] += hidden[k];
            }
        }
        memcpy(out, cpu_runner_result(job->runner, count - 1), (size_t)size * sizeof out[0]);
    }
    for (int32_t k = 0; pooling == SMIDGEN_POOLING_MEAN && k < size; k++) {
        out[k] = (float)(sum[k] / job->count);
    }
}

static void scale_to_length_1(float *out, int32_t size)
{
    double length = 0;
    for (int32_t k = 0; k < size; k++) {
        length += (double)out[k] * out[k];
    }
    float factor = length > 0 ? (float)(1 / sqrt(length)) : 0;
    for (int32_t k = 0; k < size; k++) {
        out[k] *= factor;
    }
}

static bool embed_ids(smidgen_model *m, const int32_t *ids, int32_t count, smidgen_pooling pooling,
                      bool normalize, float *out, smidgen_error *error)
{
    kv_shape shape = {.layers = m->config.layer_count,
                      .heads_kv = m->config.head_count_kv,
                      .head_size = m->config.head_size,
                      .capacity_tokens = count};
    cpu_model backend = model_backend(m, DECODER_HIDDEN);
    size_t sum_bytes = (size_t)m->config.hidden_size * sizeof(double);
    double *sum = memory_allocate_zeroed(m->allocator, sum_bytes);
    kv_cache *cache = kv_create(&shape, m->allocator, error);
    int32_t chunk = count < EMBED_CHUNK ? count : EMBED_CHUNK;
    cpu_runner *runner =
        cache == NULL ? NULL : cpu_runner_create(&backend, chunk, chunk, m->allocator, error);
    bool ok = runner != NULL && (sum != NULL || error_set_memory(error, "the embedding", sum_bytes));
    if (ok) {
        embedding_job job = {m, cache, runner, ids, count};
        run_chunks(&job, pooling, sum, out);
        if (normalize) {
            scale_to_length_1(out, m->config.hidden_size);
        }
    }
    cpu_runner_close(runner);
    if (cache != NULL) {
        kv_close(cache);
    }
    memory_release(m->allocator, sum, sum_bytes);
    return ok;
}

bool smidgen_embed_text(smidgen_model *m, const char *text, size_t text_bytes, smidgen_pooling pooling,
                        bool normalize, float *out, smidgen_error *error)
{
    int64_t count = smidgen_tokenize(m, text, text_bytes, true, false, NULL, 0, error);
    if (count < 0 || !model_is_complete(m, error)) {
        return false;
    }
    if (count == 0 || count > m->config.context_tokens) {
        return error_set_limit(error, SMIDGEN_ERROR_LIMIT, (uint64_t)m->config.context_tokens,
                               (uint64_t)count, "a text of %lld tokens cannot be embedded (1 to %d tokens)",
                               (long long)count, (int)m->config.context_tokens);
    }
    size_t bytes = (size_t)count * sizeof(int32_t);
    int32_t *ids = memory_allocate(m->allocator, bytes);
    if (ids == NULL) {
        return error_set_memory(error, "the text's tokens", bytes);
    }
    bool ok = smidgen_tokenize(m, text, text_bytes, true, false, ids, (size_t)count, error) == count &&
              embed_ids(m, ids, (int32_t)count, pooling, normalize, out, error);
    memory_release(m->allocator, ids, bytes);
    return ok;
}

void smidgen_memory_report(const smidgen_model *m, const smidgen_session *s, smidgen_memory *memory)
{
    *memory = (smidgen_memory){0};
    uint64_t named;
    if (s != NULL) {
        memory->kv_cache_bytes = kv_bytes(kv_get_shape(s->cache));
        memory->activations_bytes =
            cpu_runner_bytes(s->runner) + (s->wide_runner == NULL ? 0 : cpu_runner_bytes(s->wide_runner));
        named = memory->kv_cache_bytes + memory->activations_bytes;
    } else {
        tokenizer_info info = {0};
        if (m->tokenizer != NULL) {
            tokenizer_get_info(m->tokenizer, &info);
        }
        memory->weights_bytes = m->weights.packed_bytes;
        memory->tokenizer_bytes = info.memory_bytes;
        named = memory->weights_bytes + memory->tokenizer_bytes;
    }
    uint64_t live = atomic_load(s != NULL ? &s->memory.live_bytes : &m->memory.live_bytes);
    memory->other_bytes = live > named ? live - named : 0;
}
