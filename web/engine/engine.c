/* Owns the module's exports: include/smidgen.h with flat arguments, so that JavaScript needs no struct
 * layouts but those that are asserted here. File offsets and sizes are doubles (exact up to 2^53). Knows no
 * model. */
#include <stddef.h>

#include "smidgen.h"

#define EXPORT(name) __attribute__((export_name(#name)))

/* What web/src/memory.ts reads. */
_Static_assert(sizeof(smidgen_error) == 504 && offsetof(smidgen_error, message) == 4 &&
                   offsetof(smidgen_error, advice) == 324 && offsetof(smidgen_error, limit) == 488 &&
                   offsetof(smidgen_error, needed) == 496,
               "smidgen_error");
_Static_assert(sizeof(smidgen_message) == 8 && sizeof(smidgen_logprob) == 8 &&
                   sizeof(smidgen_logit_bias) == 8,
               "pairs of 32-bit fields");

EXPORT(loader_create)
smidgen_loader *loader_create(double file_bytes, int32_t threads, int32_t precision, smidgen_error *error)
{
    smidgen_model_options options = {.threads = threads, .precision = (smidgen_precision)precision};
    return smidgen_loader_create((uint64_t)file_bytes, &options, error);
}

EXPORT(loader_close) void loader_close(smidgen_loader *loader)
{
    smidgen_loader_close(loader);
}

EXPORT(loader_feed)
int32_t loader_feed(smidgen_loader *loader, double offset, const void *bytes, size_t size,
                    smidgen_error *error)
{
    return smidgen_loader_feed(loader, (uint64_t)offset, bytes, size, error);
}

/* range: [2] offset and size of what is needed. */
EXPORT(loader_open) smidgen_model *loader_open(smidgen_loader *loader, double *range, smidgen_error *error)
{
    smidgen_range needed = {0, 0};
    smidgen_model *model = smidgen_loader_open(loader, &needed, error);
    range[0] = (double)needed.offset;
    range[1] = (double)needed.size_bytes;
    return model;
}

EXPORT(model_close) void model_close(smidgen_model *model)
{
    smidgen_model_close(model);
}

EXPORT(model_piece) void model_piece(const smidgen_model *model, int32_t index, double *range)
{
    smidgen_range piece = smidgen_model_piece(model, index);
    range[0] = (double)piece.offset;
    range[1] = (double)piece.size_bytes;
}

EXPORT(model_missing)
int32_t model_missing(const smidgen_model *model, const int32_t *ids, size_t count, int64_t *pieces,
                      size_t capacity)
{
    return (int32_t)smidgen_model_missing_pieces(model, ids, count, pieces, capacity);
}

EXPORT(model_feed)
int32_t model_feed(smidgen_model *model, int32_t index, const void *bytes, size_t size, smidgen_error *error)
{
    return smidgen_model_feed(model, index, bytes, size, error);
}

/* numbers: [14] in the order below; texts: [4] architecture, name, chat template or NULL, kernel set. */
EXPORT(model_info) void model_info(const smidgen_model *model, double *numbers, const char **texts)
{
    smidgen_model_info i;
    smidgen_model_get_info(model, &i);
    const double values[14] = {(double)i.parameter_count,
                               (double)i.file_bytes,
                               (double)i.packed_bytes,
                               i.vocab_size,
                               i.layer_count,
                               i.hidden_size,
                               i.head_count,
                               i.head_count_kv,
                               i.head_size,
                               i.context_tokens,
                               i.bos_token,
                               i.eos_token,
                               i.adds_bos,
                               i.threads};
    for (int k = 0; k < 14; k++) {
        numbers[k] = values[k];
    }
    texts[0] = i.architecture;
    texts[1] = i.name;
    texts[2] = i.chat_template;
    texts[3] = i.kernel_set;
}

EXPORT(tokenize)
int32_t tokenize(const smidgen_model *model, const char *text, size_t size, int32_t add_special,
                 int32_t parse_special, int32_t *ids, size_t capacity, smidgen_error *error)
{
    return (int32_t)smidgen_tokenize(model, text, size, add_special, parse_special, ids, capacity, error);
}

EXPORT(detokenize)
int32_t detokenize(const smidgen_model *model, const int32_t *ids, size_t count, int32_t render_special,
                   char *text, size_t capacity, smidgen_error *error)
{
    return (int32_t)smidgen_detokenize(model, ids, count, render_special, text, capacity, error);
}

EXPORT(render_chat)
int32_t render_chat(const smidgen_model *model, const char *template_text, const smidgen_message *messages,
                    size_t count, int32_t add_generation_prompt, char *text, size_t capacity,
                    smidgen_error *error)
{
    return (int32_t)smidgen_render_chat(model, template_text, messages, count, add_generation_prompt, text,
                                        capacity, error);
}

EXPORT(embed_text)
int32_t embed_text(smidgen_model *model, const char *text, size_t size, int32_t pooling, int32_t normalize,
                   float *out, smidgen_error *error)
{
    return smidgen_embed_text(model, text, size, (smidgen_pooling)pooling, normalize, out, error);
}

EXPORT(session_create)
smidgen_session *session_create(smidgen_model *model, int32_t context_tokens, int32_t key_type,
                                int32_t value_type, int32_t overflow, int32_t prefill_chunk_tokens,
                                smidgen_error *error)
{
    smidgen_session_options options = {.context_tokens = context_tokens,
                                       .key_type = (smidgen_kv_type)key_type,
                                       .value_type = (smidgen_kv_type)value_type,
                                       .overflow = (smidgen_overflow)overflow,
                                       .prefill_chunk_tokens = prefill_chunk_tokens};
    return smidgen_session_create(model, &options, error);
}

EXPORT(session_close) void session_close(smidgen_session *session)
{
    smidgen_session_close(session);
}

/* numbers: [11] temperature, top_k, top_p, min_p, typical_p, repetition, presence, frequency penalty,
 * penalty_last_tokens, seed, logprobs. texts: [2] grammar and schema, NULL where there is none. */
EXPORT(session_set_sampling)
int32_t session_set_sampling(smidgen_session *session, const double *numbers, const char *const *texts,
                             const char *const *stop, size_t stop_count, const smidgen_logit_bias *biases,
                             size_t bias_count, smidgen_error *error)
{
    smidgen_sampling sampling = {.temperature = (float)numbers[0],
                                 .top_k = (int32_t)numbers[1],
                                 .top_p = (float)numbers[2],
                                 .min_p = (float)numbers[3],
                                 .typical_p = (float)numbers[4],
                                 .repetition_penalty = (float)numbers[5],
                                 .presence_penalty = (float)numbers[6],
                                 .frequency_penalty = (float)numbers[7],
                                 .penalty_last_tokens = (int32_t)numbers[8],
                                 .seed = (uint64_t)numbers[9],
                                 .logprobs = (int32_t)numbers[10],
                                 .grammar = texts[0],
                                 .json_schema = texts[1],
                                 .stop = stop,
                                 .stop_count = stop_count,
                                 .biases = biases,
                                 .bias_count = bias_count};
    return smidgen_session_set_sampling(session, &sampling, error);
}

EXPORT(session_set_prompt)
int32_t session_set_prompt(smidgen_session *session, const int32_t *ids, size_t count, smidgen_error *error)
{
    return smidgen_session_set_prompt(session, ids, count, error);
}

EXPORT(session_append)
int32_t session_append(smidgen_session *session, const int32_t *ids, size_t count, smidgen_error *error)
{
    return smidgen_session_append(session, ids, count, error);
}

EXPORT(session_truncate)
int32_t session_truncate(smidgen_session *session, int32_t position, smidgen_error *error)
{
    return smidgen_session_truncate(session, position, error);
}

EXPORT(session_prefill) int32_t session_prefill(smidgen_session *session, smidgen_error *error)
{
    return smidgen_session_prefill(session, error);
}

EXPORT(session_next)
int32_t session_next(smidgen_session *session, int32_t *tokens, int32_t budget, smidgen_error *error)
{
    return smidgen_session_next(session, tokens, budget, error);
}

EXPORT(session_text) int32_t session_text(smidgen_session *session, char *text, size_t capacity)
{
    return (int32_t)smidgen_session_text(session, text, capacity);
}

EXPORT(session_finish) int32_t session_finish(const smidgen_session *session)
{
    return (int32_t)smidgen_session_finish(session);
}

EXPORT(session_logprobs)
int32_t session_logprobs(const smidgen_session *session, smidgen_logprob *out, int32_t capacity)
{
    return smidgen_session_logprobs(session, out, capacity);
}

EXPORT(session_tokens) int32_t session_tokens(const smidgen_session *session, const int32_t **ids)
{
    return smidgen_session_tokens(session, ids);
}

/* numbers: [5] prompt, cached and reply tokens, prefill and decode seconds. */
EXPORT(session_usage) void session_usage(const smidgen_session *session, double *numbers)
{
    smidgen_usage usage;
    smidgen_session_usage(session, &usage);
    numbers[0] = usage.prompt_tokens;
    numbers[1] = usage.cached_tokens;
    numbers[2] = usage.reply_tokens;
    numbers[3] = usage.prefill_seconds;
    numbers[4] = usage.decode_seconds;
}

/* numbers: [5] weights, KV cache, activations, tokenizer, other; of the model where session is NULL. */
EXPORT(memory_report)
void memory_report(const smidgen_model *model, const smidgen_session *session, double *numbers)
{
    smidgen_memory memory;
    smidgen_memory_report(model, session, &memory);
    numbers[0] = (double)memory.weights_bytes;
    numbers[1] = (double)memory.kv_cache_bytes;
    numbers[2] = (double)memory.activations_bytes;
    numbers[3] = (double)memory.tokenizer_bytes;
    numbers[4] = (double)memory.other_bytes;
}

EXPORT(probe_json) int32_t probe_json(char *text, size_t capacity)
{
    return (int32_t)smidgen_probe_json(text, capacity);
}

EXPORT(version) const char *version(void)
{
    return smidgen_version();
}

EXPORT(error_name) const char *error_name(int32_t code)
{
    return smidgen_error_name((smidgen_error_code)code);
}
