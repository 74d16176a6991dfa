/* Owns the timeline of one session: which tokens it has, which of them are computed, and what comes next.
 * Refuses prompts past the context where the overflow policy is to stop. */
#include "generate/session.h"

#include <string.h>

#include "base/error.h"
#include "base/thread.h"

enum { DEFAULT_CONTEXT = 4096, DEFAULT_CHUNK = 512, DEFAULT_SINKS = 4, CONTEXT_MAX = 1 << 24 };

bool session_enter(smidgen_session *s, smidgen_error *error)
{
    return !atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire) ||
           error_set(error, SMIDGEN_ERROR_BUSY, "the session is in use by another thread");
}

void session_leave(smidgen_session *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

static bool set_options(smidgen_session *s, const smidgen_session_options *options, smidgen_error *error)
{
    smidgen_session_options *o = &s->options;
    *o = options != NULL ? *options : (smidgen_session_options){0};
    int32_t trained = s->model->config.context_tokens;
    if (o->context_tokens == 0) {
        o->context_tokens = trained < DEFAULT_CONTEXT ? trained : DEFAULT_CONTEXT;
    }
    o->overflow_sink_tokens = o->overflow_sink_tokens == 0 ? DEFAULT_SINKS : o->overflow_sink_tokens;
    o->prefill_chunk_tokens = o->prefill_chunk_tokens == 0 ? DEFAULT_CHUNK : o->prefill_chunk_tokens;
    if (o->context_tokens < 1 || o->context_tokens > CONTEXT_MAX || o->prefill_chunk_tokens < 1 ||
        o->overflow_sink_tokens < 0) {
        return error_set_limit(
            error, SMIDGEN_ERROR_INVALID_ARGUMENT, CONTEXT_MAX, (uint64_t)o->context_tokens,
            "context_tokens must be 1 to %d, prefill_chunk_tokens at least 1", CONTEXT_MAX);
    }
    if (o->overflow == SMIDGEN_OVERFLOW_SLIDE && o->overflow_sink_tokens + 2 > o->context_tokens) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "%d sink tokens leave no room in a context of %d", (int)o->overflow_sink_tokens,
                         (int)o->context_tokens);
    }
    if (o->prefill_chunk_tokens > o->context_tokens) {
        o->prefill_chunk_tokens = o->context_tokens;
    }
    return true;
}

static bool make_parts(smidgen_session *s, smidgen_error *error)
{
    const smidgen_model *m = s->model;
    const smidgen_session_options *o = &s->options;
    s->tokens = arena_array(&s->arena, (size_t)o->context_tokens, sizeof s->tokens[0]);
    s->positions = arena_array(&s->arena, (size_t)o->prefill_chunk_tokens, sizeof s->positions[0]);
    s->caches = arena_array(&s->arena, (size_t)o->prefill_chunk_tokens, sizeof s->caches[0]);
    if (s->tokens == NULL || s->positions == NULL || s->caches == NULL) {
        return error_set_memory(error, "the session", (uint64_t)o->context_tokens * sizeof s->tokens[0]);
    }
    kv_shape shape = {.layers = m->config.layer_count,
                      .heads_kv = m->config.head_count_kv,
                      .head_size = m->config.head_size,
                      .capacity_tokens = o->context_tokens,
                      .key_type = o->key_type,
                      .value_type = o->value_type};
    s->cache = kv_create(&shape, s->allocator, error);
    if (s->cache == NULL) {
        return false;
    }
    cpu_model backend = model_backend(m, DECODER_LOGITS);
    s->runner = cpu_runner_create(&backend, o->prefill_chunk_tokens, 1, s->allocator, error);
    if (s->runner == NULL) {
        return false;
    }
    smidgen_sampling greedy = smidgen_sampling_default();
    return smidgen_session_set_sampling(s, &greedy, error);
}

smidgen_session *smidgen_session_create(smidgen_model *model, const smidgen_session_options *options,
                                        smidgen_error *error)
{
    smidgen_session *s = memory_allocate_zeroed(model->memory.inner, sizeof *s);
    if (s == NULL) {
        error_set_memory(error, "the session", sizeof *s);
        return NULL;
    }
    s->model = model;
    atomic_flag_clear(&s->busy);
    memory_counter_init(&s->memory, model->memory.inner);
    s->allocator = &s->memory.base;
    arena_init(&s->arena, s->allocator);
    if (!set_options(s, options, error) || !make_parts(s, error)) {
        smidgen_session_close(s);
        return NULL;
    }
    return s;
}

static void close_sampling(smidgen_session *s)
{
    if (s->sampler != NULL) {
        sampler_close(s->sampler);
    }
    if (s->filter != NULL) {
        stop_filter_close(s->filter);
    }
    memory_release(s->allocator, s->alternatives, (size_t)s->alternative_room * sizeof s->alternatives[0]);
}

void smidgen_session_close(smidgen_session *s)
{
    if (s == NULL) {
        return;
    }
    const smidgen_allocator *outer = s->memory.inner;
    close_sampling(s);
    cpu_runner_close(s->runner);
    cpu_runner_close(s->wide_runner);
    if (s->cache != NULL) {
        kv_close(s->cache);
    }
    arena_close(&s->arena);
    memory_release(outer, s, sizeof *s);
}

smidgen_sampling smidgen_sampling_default(void)
{
    return (smidgen_sampling){.top_p = 1, .typical_p = 1, .repetition_penalty = 1};
}

bool smidgen_session_set_sampling(smidgen_session *s, const smidgen_sampling *sampling, smidgen_error *error)
{
    const smidgen_allocator *allocator = s->allocator;
    if (sampling->logprobs < 0 || sampling->logprobs > s->model->config.vocab_size) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "logprobs must be 0 to %d",
                         (int)s->model->config.vocab_size);
    }
    if (!session_enter(s, error)) {
        return false;
    }
    int32_t room = sampling->logprobs == 0 ? 0 : sampling->logprobs + 1;
    smidgen_logprob *alternatives = memory_allocate(allocator, (size_t)room * sizeof alternatives[0]);
    sampler *chooser =
        sampler_create(sampling, s->model->config.vocab_size, s->model->tokenizer, allocator, error);
    stop_filter *filter =
        chooser == NULL ? NULL : stop_filter_create(sampling->stop, sampling->stop_count, allocator, error);
    bool ok = filter != NULL && (room == 0 || alternatives != NULL);
    if (ok) {
        close_sampling(s);
        s->sampler = chooser;
        s->filter = filter;
        s->alternatives = alternatives;
        s->alternative_room = room;
        s->alternative_count = 0;
        for (int32_t i = 0; i < s->token_count; i++) {
            sampler_accept(chooser, s->tokens[i], false);
        }
    } else {
        if (filter != NULL) {
            stop_filter_close(filter);
            error_set_memory(error, "logprobs", (uint64_t)room * sizeof alternatives[0]);
        }
        if (chooser != NULL) {
            sampler_close(chooser);
        }
        memory_release(allocator, alternatives, (size_t)room * sizeof alternatives[0]);
    }
    session_leave(s);
    return ok;
}

bool session_make_room(smidgen_session *s, int32_t count, smidgen_error *error)
{
    const smidgen_session_options *o = &s->options;
    if (s->token_count + count <= o->context_tokens) {
        return true;
    }
    if (o->overflow == SMIDGEN_OVERFLOW_STOP) {
        return error_set_limit(error, SMIDGEN_ERROR_CONTEXT_FULL, (uint64_t)o->context_tokens,
                               (uint64_t)s->token_count + (uint64_t)count,
                               "%lld tokens do not fit a context of %d tokens",
                               (long long)s->token_count + count, (int)o->context_tokens);
    }
    int32_t sinks = o->overflow_sink_tokens < s->token_count ? o->overflow_sink_tokens : s->token_count;
    int32_t drop = (s->token_count - sinks + 1) / 2;
    int32_t excess = s->token_count + count - o->context_tokens;
    drop = drop < excess ? excess : drop;
    if (drop > s->token_count - sinks) {
        return error_set_limit(
            error, SMIDGEN_ERROR_CONTEXT_FULL, (uint64_t)o->context_tokens, (uint64_t)sinks + (uint64_t)count,
            "%d tokens do not fit a context of %d tokens", (int)count, (int)o->context_tokens);
    }
    int32_t computed_drop = s->computed - sinks < drop ? s->computed - sinks : drop;
    if (computed_drop > 0) {
        kv_remove(s->cache, sinks, computed_drop, s->computed, s->model->layer_ropes);
        s->computed -= computed_drop;
    }
    memmove(s->tokens + sinks, s->tokens + sinks + drop,
            (size_t)(s->token_count - sinks - drop) * sizeof s->tokens[0]);
    s->token_count -= drop;
    return true;
}

/* Starts a new reply: what the sampler and the filter remember belongs to the old one. */
static void begin_reply(smidgen_session *s)
{
    sampler_reset(s->sampler);
    for (int32_t i = 0; i < s->token_count; i++) {
        sampler_accept(s->sampler, s->tokens[i], false);
    }
    stop_filter_reset(s->filter);
    s->finish = SMIDGEN_FINISH_NONE;
    s->is_waiting = false; /* a step that had begun is begun again: what it stored lies behind `computed` */
    s->alternative_count = 0;
    s->usage = (smidgen_usage){.prompt_tokens = s->token_count, .cached_tokens = s->computed};
}

static bool check_ids(const smidgen_session *s, const int32_t *ids, size_t count, smidgen_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= s->model->config.vocab_size) {
            return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "token %d at %zu is not in the vocabulary of %d", (int)ids[i], i,
                             (int)s->model->config.vocab_size);
        }
    }
    return true;
}

/* A prompt longer than the context under the sliding policy: its sinks and its newest tokens, with half the
 * window free. */
static size_t shorten_prompt(const smidgen_session *s, const int32_t *ids, size_t count, int32_t *kept)
{
    size_t context = (size_t)s->options.context_tokens, sinks = (size_t)s->options.overflow_sink_tokens;
    size_t newest = (context - sinks + 1) / 2;
    memcpy(kept, ids, sinks * sizeof kept[0]);
    memcpy(kept + sinks, ids + count - newest, newest * sizeof kept[0]);
    return sinks + newest;
}

static int32_t set_prompt(smidgen_session *s, const int32_t *ids, size_t count)
{
    int32_t same = 0;
    while (same < s->computed && (size_t)same < count && s->tokens[same] == ids[same]) {
        same++;
    }
    if ((size_t)same == count && same > 0) {
        same--; /* the last token is computed again: its logits are wanted */
    }
    memmove(s->tokens, ids, count * sizeof s->tokens[0]);
    s->token_count = (int32_t)count;
    s->computed = same;
    s->logits = NULL;
    begin_reply(s);
    return same;
}

int32_t smidgen_session_set_prompt(smidgen_session *s, const int32_t *ids, size_t count, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return -1;
    }
    int32_t reused = -1;
    size_t context = (size_t)s->options.context_tokens;
    if (check_ids(s, ids, count, error)) {
        if (count <= context) {
            reused = set_prompt(s, ids, count);
        } else if (s->options.overflow == SMIDGEN_OVERFLOW_STOP) {
            error_set_limit(error, SMIDGEN_ERROR_CONTEXT_FULL, context, count,
                            "a prompt of %zu tokens does not fit a context of %zu tokens", count, context);
        } else {
            int32_t *kept = memory_allocate(s->allocator, context * sizeof kept[0]);
            if (kept == NULL) {
                error_set_memory(error, "the prompt", context * sizeof kept[0]);
            } else {
                reused = set_prompt(s, kept, shorten_prompt(s, ids, count, kept));
                memory_release(s->allocator, kept, context * sizeof kept[0]);
            }
        }
    }
    session_leave(s);
    return reused;
}

bool smidgen_session_append(smidgen_session *s, const int32_t *ids, size_t count, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return false;
    }
    bool ok = check_ids(s, ids, count, error);
    if (ok && count > (size_t)s->options.context_tokens) {
        ok = error_set_limit(error, SMIDGEN_ERROR_CONTEXT_FULL, (uint64_t)s->options.context_tokens, count,
                             "%zu tokens do not fit a context of %d tokens", count,
                             (int)s->options.context_tokens);
    }
    ok = ok && session_make_room(s, (int32_t)count, error);
    if (ok) {
        if (count != 0) {
            memcpy(s->tokens + s->token_count, ids, count * sizeof ids[0]);
        }
        s->token_count += (int32_t)count;
        s->logits = count == 0 ? s->logits : NULL;
        begin_reply(s);
    }
    session_leave(s);
    return ok;
}

static void begin_chunk(smidgen_session *s, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        s->positions[i] = s->computed + i;
        s->caches[i] = s->cache;
    }
    s->last_row = count - 1;
    bool wants_logits = s->computed + count == s->token_count;
    s->step = (cpu_step){.tokens = s->tokens + s->computed,
                         .positions = s->positions,
                         .caches = s->caches,
                         .token_count = count,
                         .output_rows = &s->last_row,
                         .output_count = wants_logits ? 1 : 0};
    cpu_runner_begin(s->runner, &s->step);
}

/* Computes the next `count` tokens, or goes on with the chunk that waits; the logits of the last one are kept
 * when it is the newest token. False: weights are missing. */
static bool compute_chunk(smidgen_session *s, int32_t count)
{
    double begin = thread_seconds();
    if (!s->is_waiting) {
        begin_chunk(s, count);
    }
    s->is_waiting = !cpu_runner_advance(s->runner);
    double seconds = thread_seconds() - begin;
    if (s->usage.reply_tokens == 0) {
        s->usage.prefill_seconds += seconds;
    } else {
        s->usage.decode_seconds += seconds;
    }
    if (s->is_waiting) {
        return false;
    }
    s->computed += s->step.token_count;
    s->logits = s->step.output_count != 0 ? cpu_runner_result(s->runner, 0) : NULL;
    return true;
}

session_outcome session_compute(smidgen_session *s, int32_t leave, smidgen_error *error)
{
    if (s->token_count == 0) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "the session has no tokens: set a prompt first");
        return SESSION_FAILED;
    }
    if (s->logits == NULL && s->computed == s->token_count) {
        s->computed--; /* everything is in the cache, but the last logits are used up */
    }
    s->is_waiting = s->is_waiting && leave == 0; /* a waiting chunk may reach further than this call wants */
    while (s->token_count - s->computed > leave) {
        int32_t count = s->token_count - s->computed - leave;
        if (!compute_chunk(s, count < s->options.prefill_chunk_tokens ? count
                                                                      : s->options.prefill_chunk_tokens)) {
            return SESSION_PENDING;
        }
    }
    return SESSION_DONE;
}

int32_t smidgen_session_prefill(smidgen_session *s, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return -1;
    }
    int32_t queued = s->token_count - s->computed;
    if (queued > 0) {
        int32_t chunk = s->options.prefill_chunk_tokens;
        bool is_done = compute_chunk(s, queued < chunk ? queued : chunk);
        queued = is_done ? s->token_count - s->computed : SMIDGEN_PENDING;
    }
    session_leave(s);
    return queued;
}

int32_t smidgen_session_tokens(const smidgen_session *s, const int32_t **ids)
{
    if (ids != NULL) {
        *ids = s->tokens;
    }
    return s->token_count;
}

bool smidgen_session_truncate(smidgen_session *s, int32_t position, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return false;
    }
    bool ok = position >= 0 && position <= s->token_count;
    if (!ok) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  "position %d is outside the %d tokens of the session", (int)position, (int)s->token_count);
    } else {
        int32_t keep =
            position == 0 ? 0 : position - 1; /* the new last token is computed again for its logits */
        s->computed = s->computed < keep ? s->computed : keep;
        s->token_count = position;
        s->logits = NULL;
        begin_reply(s);
    }
    session_leave(s);
    return ok;
}

static int32_t finish_reply(smidgen_session *s, smidgen_finish why)
{
    s->finish = why;
    stop_filter_finish(s->filter);
    return -1;
}

int32_t session_sample(smidgen_session *s, smidgen_error *error)
{
    double begin = thread_seconds();
    int32_t token =
        sampler_choose(s->sampler, s->logits, s->alternatives, s->alternative_room, &s->alternative_count);
    s->logits = NULL;
    if (token < 0) {
        error_set(error, SMIDGEN_ERROR_GRAMMAR,
                  "no token is allowed here (grammar, bans or logits that are not numbers)");
        return -2;
    }
    const tokenizer *t = s->model->tokenizer;
    if (t != NULL && tokenizer_is_end(t, token)) {
        return finish_reply(s, SMIDGEN_FINISH_STOP);
    }
    bool is_full = s->token_count == s->options.context_tokens;
    if (is_full && (s->options.overflow == SMIDGEN_OVERFLOW_STOP || !session_make_room(s, 1, NULL))) {
        return finish_reply(s, SMIDGEN_FINISH_LENGTH);
    }
    s->tokens[s->token_count++] = token;
    s->usage.reply_tokens++;
    sampler_accept(s->sampler, token, true);
    size_t size = 0;
    const char *bytes = t == NULL ? NULL : tokenizer_token_bytes(t, token, false, &size);
    bool out_of_memory = false;
    if (size != 0 && stop_filter_feed(s->filter, bytes, size, &out_of_memory)) {
        s->finish = SMIDGEN_FINISH_STOP;
    }
    s->usage.decode_seconds += thread_seconds() - begin;
    if (out_of_memory) {
        error_set_memory(error, "the reply's text", size);
        return -2;
    }
    return token;
}

int32_t smidgen_session_next(smidgen_session *s, int32_t *tokens, int32_t budget, smidgen_error *error)
{
    if (!session_enter(s, error)) {
        return -1;
    }
    int32_t produced = 0;
    while (produced < budget && s->finish == SMIDGEN_FINISH_NONE) {
        session_outcome outcome = s->logits == NULL ? session_compute(s, 0, error) : SESSION_DONE;
        if (outcome !=
            SESSION_DONE) { /* only the first step of a reply can wait: then nothing was produced */
            produced = outcome == SESSION_PENDING ? SMIDGEN_PENDING : -1;
            break;
        }
        int32_t token = session_sample(s, error);
        if (token < 0) {
            produced = token == -2 ? -1 : produced;
            break;
        }
        if (tokens != NULL) {
            tokens[produced] = token;
        }
        produced++;
    }
    session_leave(s);
    return produced;
}

size_t smidgen_session_text(smidgen_session *s, char *text, size_t capacity)
{
    return stop_filter_take(s->filter, text, capacity);
}

smidgen_finish smidgen_session_finish(const smidgen_session *s)
{
    return s->finish;
}

int32_t smidgen_session_logprobs(const smidgen_session *s, smidgen_logprob *out, int32_t capacity)
{
    int32_t count = s->alternative_count < capacity ? s->alternative_count : capacity;
    if (count > 0) {
        memcpy(out, s->alternatives, (size_t)count * sizeof out[0]);
    }
    return count;
}

void smidgen_session_usage(const smidgen_session *s, smidgen_usage *usage)
{
    *usage = s->usage;
}
