/* Owns steps with many outputs: logits of every position, and one step of several sessions together. */
#include <string.h>

#include "base/error.h"
#include "base/thread.h"
#include "generate/session.h"

enum { LOGITS_CHUNK = 32, BATCH_MAX = 256 };

cpu_runner *session_wide_runner(smidgen_session *s, int32_t count, smidgen_error *error)
{
    if (s->wide_runner != NULL && s->wide_tokens >= count) {
        return s->wide_runner;
    }
    cpu_model backend = model_backend(s->model, DECODER_LOGITS);
    cpu_runner *wider = cpu_runner_create(&backend, count, count, s->allocator, error);
    if (wider != NULL) {
        cpu_runner_close(s->wide_runner);
        s->wide_runner = wider;
        s->wide_tokens = count;
    }
    return wider;
}

/* Computes `count` queued tokens with logits for each; false when the visitor stops. */
static bool visit_chunk(smidgen_session *s, cpu_runner *runner, int32_t count,
                        bool (*visit)(void *context, int32_t position, const float *logits), void *context)
{
    int32_t rows[LOGITS_CHUNK], positions[LOGITS_CHUNK];
    kv_cache *caches[LOGITS_CHUNK];
    for (int32_t i = 0; i < count; i++) {
        rows[i] = i;
        positions[i] = s->computed + i;
        caches[i] = s->cache;
    }
    cpu_step step = {.tokens = s->tokens + s->computed,
                     .positions = positions,
                     .caches = caches,
                     .token_count = count,
                     .output_rows = rows,
                     .output_count = count};
    cpu_runner_run(runner, &step);
    int32_t first = s->computed;
    s->computed += count;
    for (int32_t i = 0; i < count; i++) {
        if (!visit(context, first + i, cpu_runner_result(runner, i))) {
            return false;
        }
    }
    return true;
}

static bool visit_all(smidgen_session *s, int32_t first_position,
                      bool (*visit)(void *context, int32_t position, const float *logits), void *context,
                      smidgen_error *error)
{
    if (first_position < 0 || first_position >= s->token_count) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "position %d is outside the %d tokens of the session", (int)first_position,
                         (int)s->token_count);
    }
    cpu_runner *runner =
        model_is_complete(s->model, error) ? session_wide_runner(s, LOGITS_CHUNK, error) : NULL;
    if (runner == NULL) {
        return false;
    }
    if (s->computed > first_position) {
        s->computed = first_position;
    }
    int32_t leave = s->token_count - first_position;
    if (session_compute(s, leave, error) != SESSION_DONE) {
        return false;
    }
    s->logits = NULL;
    while (s->computed < s->token_count) {
        int32_t left = s->token_count - s->computed;
        if (!visit_chunk(s, runner, left < LOGITS_CHUNK ? left : LOGITS_CHUNK, visit, context)) {
            break;
        }
    }
    s->computed =
        s->computed == s->token_count ? s->token_count - 1 : s->computed; /* a reply needs its last logits */
    return true;
}

bool smidgen_session_logits(smidgen_session *s, int32_t first_position,
                            bool (*visit)(void *context, int32_t position, const float *logits),
                            void *context, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return false;
    }
    bool ok = visit_all(s, first_position, visit, context, error);
    session_leave(s);
    return ok;
}

/* Sessions of one step that need the weights: each has exactly one queued token by now. */
typedef struct batch {
    smidgen_session *members[BATCH_MAX];
    int32_t tokens[BATCH_MAX], positions[BATCH_MAX], rows[BATCH_MAX];
    kv_cache *caches[BATCH_MAX];
    int32_t count;
} batch;

static bool gather(smidgen_session *const *sessions, size_t count, batch *b, smidgen_error *error)
{
    b->count = 0;
    for (size_t i = 0; i < count; i++) {
        smidgen_session *s = sessions[i];
        if (s->finish != SMIDGEN_FINISH_NONE || s->logits != NULL) {
            continue;
        }
        if (session_compute(s, 1, error) != SESSION_DONE) {
            return false;
        }
        int32_t k = b->count++;
        b->members[k] = s;
        b->tokens[k] = s->tokens[s->computed];
        b->positions[k] = s->computed;
        b->rows[k] = k;
        b->caches[k] = s->cache;
    }
    return true;
}

static bool run_together(smidgen_session *const *sessions, size_t count, batch *b, smidgen_error *error)
{
    if (!gather(sessions, count, b, error)) {
        return false;
    }
    if (b->count == 0) {
        return true;
    }
    cpu_runner *runner = session_wide_runner(sessions[0], (int32_t)count, error);
    if (runner == NULL) {
        return false;
    }
    cpu_step step = {.tokens = b->tokens,
                     .positions = b->positions,
                     .caches = b->caches,
                     .token_count = b->count,
                     .output_rows = b->rows,
                     .output_count = b->count};
    double begin = thread_seconds();
    cpu_runner_run(runner, &step);
    double seconds = thread_seconds() - begin;
    for (int32_t k = 0; k < b->count; k++) {
        smidgen_session *s = b->members[k];
        s->computed++;
        s->usage.decode_seconds += seconds;
        s->logits = cpu_runner_result(runner, k);
    }
    return true;
}

bool smidgen_sessions_step(smidgen_session *const *sessions, size_t count, int32_t *tokens,
                           smidgen_error *error)
{
    if (count == 0 || count > BATCH_MAX) {
        return error_set_limit(error, SMIDGEN_ERROR_INVALID_ARGUMENT, BATCH_MAX, count,
                               "a step takes 1 to %d sessions", BATCH_MAX);
    }
    size_t entered = 0;
    bool ok = true;
    for (; ok && entered < count; entered += ok) {
        ok =
            sessions[entered]->model == sessions[0]->model
                ? session_enter(sessions[entered], error)
                : error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "the sessions belong to different models");
    }
    batch b;
    ok = ok && model_is_complete(sessions[0]->model, error) && run_together(sessions, count, &b, error);
    for (size_t i = 0; ok && i < count; i++) {
        smidgen_session *s = sessions[i];
        tokens[i] = s->finish != SMIDGEN_FINISH_NONE ? -1 : session_sample(s, error);
        ok = tokens[i] != -2;
    }
    for (size_t i = 0; i < entered; i++) {
        session_leave(sessions[i]);
    }
    return ok;
}
