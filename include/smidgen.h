/* Smidgen: language models at 1.5 to 4 bits a weight, natively and in the browser.
 *
 * Three nouns:
 *   smidgen_model    weights, tokenizer and what the model can do; immutable after opening
 *   smidgen_session  one mutable timeline: tokens, KV cache, sampler
 *   smidgen_error    code, sentence, advice; filled by the callee, owned by the caller
 *
 * Threads: a model may be used by any number of sessions from any number of threads at once; a session by one
 * thread at a time (two threads in one session get SMIDGEN_ERROR_BUSY). There is no global state: two models,
 * or two versions of the library, live side by side in one process.
 *
 * Errors: every call that can fail takes `smidgen_error *error`, which may be NULL. On failure a call returns
 * NULL, false or a negative number, fills *error, and leaves its objects as they were before the call.
 *
 * Memory: text that the library returns is owned by the object that it came from, unless the call says
 * otherwise. Sizes carry their unit in the name. */
#ifndef SMIDGEN_H
#define SMIDGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SMIDGEN_SHARED) && defined(__GNUC__)
#define SMIDGEN_API __attribute__((visibility("default")))
#else
#define SMIDGEN_API
#endif

#define SMIDGEN_VERSION_MAJOR 0
#define SMIDGEN_VERSION_MINOR 1
#define SMIDGEN_VERSION_PATCH 0

/* ------------------------------------------------------------------------------------------------- errors */

typedef enum smidgen_error_code {
#define SMIDGEN_ERROR_ROW(name, number, sentence, advice) SMIDGEN_ERROR_##name = number,
#include "smidgen_errors.def"
#undef SMIDGEN_ERROR_ROW
} smidgen_error_code;

typedef struct smidgen_error {
    smidgen_error_code code;
    char message[320]; /* one sentence that names the thing at fault, UTF-8, always terminated */
    char advice[160];  /* what to do about it; may be empty */
    uint64_t limit;    /* the limit that was exceeded and the amount that was needed, in the unit that the */
    uint64_t needed;   /* message names; 0 where there is none */
} smidgen_error;

/* "BAD_FILE" for SMIDGEN_ERROR_BAD_FILE; never NULL. */
SMIDGEN_API const char *smidgen_error_name(smidgen_error_code code);

/* "0.1.0". */
SMIDGEN_API const char *smidgen_version(void);

/* Where the library gets memory from. allocate returns a block aligned to 64 bytes or NULL; release gets the
 * size that was asked for. Both may be called from several threads at once. */
typedef struct smidgen_allocator {
    void *(*allocate)(void *context, size_t size_bytes);
    void (*release)(void *context, void *block, size_t size_bytes);
    void *context;
} smidgen_allocator;

/* ------------------------------------------------------------------------------------------------- models */

typedef struct smidgen_model smidgen_model;
typedef struct smidgen_session smidgen_session;

typedef enum smidgen_precision {
    SMIDGEN_PRECISION_FAST = 0, /* activations of 8 bits in blocks of 32, outliers kept by a second pass */
    SMIDGEN_PRECISION_EXACT =
        1, /* float32 activations: equal to the reference up to the order of sums; slow */
} smidgen_precision;

typedef struct smidgen_model_options {
    int32_t threads; /* 0: one for each physical core that this process may use */
    smidgen_precision precision;
    const smidgen_allocator *allocator; /* NULL: the C library's; must outlive the model */
    /* Called while the weights are read, from the opening thread; returning false cancels. May be NULL. */
    bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *progress_context;
} smidgen_model_options;

/* Opens the model at `path`: a GGUF file, or a folder in Hugging Face's layout (config.json, tokenizer.json,
 * *.safetensors). Weights are read once and packed for this machine; the file is not needed afterwards.
 * options may be NULL. Fails with NOT_FOUND, IO, BAD_FILE, UNSUPPORTED_*, MISSING_TENSOR, WRONG_SHAPE,
 * OUT_OF_MEMORY or CANCELLED. Close with smidgen_model_close after the last session. */
SMIDGEN_API smidgen_model *smidgen_model_open(const char *path, const smidgen_model_options *options,
                                              smidgen_error *error);
SMIDGEN_API void smidgen_model_close(smidgen_model *model);

typedef struct smidgen_model_info {
    const char *architecture;  /* "llama", "qwen2", ... */
    const char *name;          /* as the file says, or "" */
    const char *chat_template; /* Jinja text that the file carries, or NULL */
    uint64_t parameter_count;  /* weights, embedding included */
    uint64_t file_bytes;       /* tensors as stored */
    uint64_t packed_bytes;     /* tensors as held in memory */
    int32_t vocab_size, layer_count, hidden_size, head_count, head_count_kv, head_size;
    int32_t context_tokens;       /* what the model was trained for */
    int32_t bos_token, eos_token; /* -1 where there is none */
    bool adds_bos;                /* the model wants BOS before a text */
    const char *kernel_set;       /* "scalar", "avx2", "avx512", "neon", ... */
    int32_t threads;
} smidgen_model_info;

SMIDGEN_API void smidgen_model_get_info(const smidgen_model *model, smidgen_model_info *info);

/* ------------------------------------------------------------------------------------------------- loading
 */
/* Opening a GGUF file whose bytes the caller brings, in any order and from anywhere: a download, a browser's
 * storage.
 *   1. Feed the ranges that smidgen_loader_open asks for, until it gives the model: tokenizer and names are
 * usable.
 *   2. Bring every piece of the model by smidgen_model_feed. Sessions may be created and prompts set
 * meanwhile: smidgen_session_prefill and _next go as far as the weights allow and then return
 * SMIDGEN_PENDING. */

typedef struct smidgen_loader smidgen_loader;

typedef struct smidgen_range {
    uint64_t offset, size_bytes; /* in the file */
} smidgen_range;

/* file_bytes: size of the whole file. options may be NULL; what it points to must outlive the loader. */
SMIDGEN_API smidgen_loader *smidgen_loader_create(uint64_t file_bytes, const smidgen_model_options *options,
                                                  smidgen_error *error);
SMIDGEN_API void smidgen_loader_close(smidgen_loader *loader);

/* Copies bytes[0..size_bytes) of the file at `offset`. Fails with INVALID_ARGUMENT past the end of the file.
 */
SMIDGEN_API bool smidgen_loader_feed(smidgen_loader *loader, uint64_t offset, const void *bytes,
                                     size_t size_bytes, smidgen_error *error);

/* The model, once its header is there; the loader can be closed then. NULL with needed->size_bytes != 0: feed
 * that range and call again (*error is not set; about 1, 2, 4 MiB ... from the start of the file). NULL with
 * 0: failed, as smidgen_model_open does. */
SMIDGEN_API smidgen_model *smidgen_loader_open(smidgen_loader *loader, smidgen_range *needed,
                                               smidgen_error *error);

/* Pieces of the model's weights, about 1 MiB each, numbered in the order in which a step uses them. */
SMIDGEN_API int64_t smidgen_model_piece_count(const smidgen_model *model);
/* Where piece `index` lies in the file. index: 0 .. count - 1. */
SMIDGEN_API smidgen_range smidgen_model_piece(const smidgen_model *model, int64_t index);

/* Numbers of the pieces that have not arrived, in the order that lets the prompt ids[0..count) be computed
 * soonest (its embeddings first; the rest of the table, which only the last layer may need, at the end). ids
 * may be NULL. Writes up to capacity numbers and returns how many are missing. */
SMIDGEN_API int64_t smidgen_model_missing_pieces(const smidgen_model *model, const int32_t *ids, size_t count,
                                                 int64_t *pieces, size_t capacity);

/* Packs piece `index`: bytes[0..size_bytes) as in the file, not needed afterwards. A piece that is there
 * already is left alone. Different pieces may come from different threads while sessions compute; one piece
 * from one thread at a time. Fails with INVALID_ARGUMENT. */
SMIDGEN_API bool smidgen_model_feed(smidgen_model *model, int64_t index, const void *bytes, size_t size_bytes,
                                    smidgen_error *error);

/* ------------------------------------------------------------------------------------------------- tokens */

/* Writes the ids of `text` (UTF-8, any bytes are accepted) to ids[0..capacity) and returns how many there
 * are, which may be more than capacity (then call again with more room). add_special: BOS/EOS as the model
 * wants them. parse_special: text such as "<|im_end|>" becomes its control token; leave it off for text from
 * users. Negative on failure. Time is linear in text_bytes. */
SMIDGEN_API int64_t smidgen_tokenize(const smidgen_model *model, const char *text, size_t text_bytes,
                                     bool add_special, bool parse_special, int32_t *ids, size_t capacity,
                                     smidgen_error *error);

/* The bytes of ids[0..count) as text; returns their number, which may be more than capacity. Not terminated.
 * render_special: control tokens appear as their text, otherwise they are left out. */
SMIDGEN_API int64_t smidgen_detokenize(const smidgen_model *model, const int32_t *ids, size_t count,
                                       bool render_special, char *text, size_t capacity,
                                       smidgen_error *error);

typedef struct smidgen_message {
    const char *role;    /* "system", "user", "assistant", "tool" */
    const char *content; /* UTF-8 */
} smidgen_message;

/* Renders messages through the model's chat template (or `template_text`, where not NULL) and returns the
 * number of bytes, which may be more than capacity; not terminated. Fails with TEMPLATE, naming the construct
 * and its line. */
SMIDGEN_API int64_t smidgen_render_chat(const smidgen_model *model, const char *template_text,
                                        const smidgen_message *messages, size_t count,
                                        bool add_generation_prompt, char *text, size_t capacity,
                                        smidgen_error *error);

/* ----------------------------------------------------------------------------------------------- sessions */

typedef enum smidgen_kv_type { SMIDGEN_KV_F16 = 0, SMIDGEN_KV_Q8_0 = 1, SMIDGEN_KV_F32 = 2 } smidgen_kv_type;

typedef enum smidgen_overflow {
    SMIDGEN_OVERFLOW_STOP =
        0, /* generation ends with SMIDGEN_FINISH_LENGTH; a longer prompt fails with CONTEXT_FULL */
    SMIDGEN_OVERFLOW_SLIDE =
        1, /* the first overflow_sink_tokens stay, the oldest half of the rest is dropped */
} smidgen_overflow;

typedef struct smidgen_session_options {
    int32_t context_tokens; /* 0: the model's own, at most 4096 */
    smidgen_kv_type key_type, value_type;
    smidgen_overflow overflow;
    int32_t overflow_sink_tokens; /* 0: 4 */
    int32_t prefill_chunk_tokens; /* 0: 512 */
} smidgen_session_options;

SMIDGEN_API smidgen_session *
smidgen_session_create(smidgen_model *model, const smidgen_session_options *options, smidgen_error *error);
SMIDGEN_API void smidgen_session_close(smidgen_session *session);

typedef struct smidgen_logit_bias {
    int32_t token;
    float bias; /* added to the logit; -INFINITY bans the token */
} smidgen_logit_bias;

typedef struct smidgen_sampling {
    float temperature;                         /* 0: greedy */
    int32_t top_k;                             /* 0: off */
    float top_p, min_p, typical_p;             /* 1, 0 and 1: off */
    float repetition_penalty;                  /* 1: off */
    float presence_penalty, frequency_penalty; /* 0: off */
    int32_t penalty_last_tokens;               /* 0: 64; -1: the whole context */
    uint64_t seed; /* the same seed gives the same text on every machine with equal logits */
    const smidgen_logit_bias *biases; /* [bias_count] */
    size_t bias_count;
    const char *grammar;     /* GBNF text, or NULL */
    const char *json_schema; /* JSON text, or NULL; not together with grammar */
    const char *const *stop; /* [stop_count] strings that end the reply; never part of the text */
    size_t stop_count;
    int32_t logprobs; /* how many alternatives smidgen_session_logprobs lists; 0: none */
} smidgen_sampling;

/* Greedy, everything else off. */
SMIDGEN_API smidgen_sampling smidgen_sampling_default(void);

/* Takes effect from the next token on. Fails with GRAMMAR or INVALID_ARGUMENT. Copies what it needs. */
SMIDGEN_API bool smidgen_session_set_sampling(smidgen_session *session, const smidgen_sampling *sampling,
                                              smidgen_error *error);

/* Makes ids[0..count) the whole timeline: the longest common prefix with what the session holds is reused,
 * the rest is cut off or queued; queued tokens are computed by the next smidgen_session_next (or _prefill).
 * Returns the number of tokens reused, or -1. */
SMIDGEN_API int32_t smidgen_session_set_prompt(smidgen_session *session, const int32_t *ids, size_t count,
                                               smidgen_error *error);

/* Appends to the timeline without computing. */
SMIDGEN_API bool smidgen_session_append(smidgen_session *session, const int32_t *ids, size_t count,
                                        smidgen_error *error);

/* Computes up to one chunk of the queued tokens; returns how many are still queued, SMIDGEN_PENDING, or -1.
 * Between two calls the caller may cancel by simply not calling again. */
SMIDGEN_API int32_t smidgen_session_prefill(smidgen_session *session, smidgen_error *error);

/* Number of tokens in the timeline, queued ones included, and its ids [returned count]; valid until the next
 * change. */
SMIDGEN_API int32_t smidgen_session_tokens(const smidgen_session *session, const int32_t **ids);

/* Drops every token at and after `position`. */
SMIDGEN_API bool smidgen_session_truncate(smidgen_session *session, int32_t position, smidgen_error *error);

typedef enum smidgen_finish {
    SMIDGEN_FINISH_NONE = 0,   /* the reply goes on */
    SMIDGEN_FINISH_STOP = 1,   /* end token or stop string */
    SMIDGEN_FINISH_LENGTH = 2, /* the context is full */
} smidgen_finish;

/* The next layer cannot be computed yet: a device works, or weights have not arrived (smidgen_model_feed).
 * Call again after the event. A model of smidgen_model_open on the CPU never gives it. */
#define SMIDGEN_PENDING (-1000)

/* Advances by up to `budget` tokens and returns how many were produced: 0 when the reply is complete,
 * SMIDGEN_PENDING (nothing was produced), another negative number on failure. tokens: room for `budget` ids;
 * may be NULL. The end token is not among them. Queued tokens are computed first. */
SMIDGEN_API int32_t smidgen_session_next(smidgen_session *session, int32_t *tokens, int32_t budget,
                                         smidgen_error *error);

/* Text of the reply that became certain since the last call (never half a character, never a beginning of a
 * stop string): writes up to capacity bytes and returns how many. Call until it returns 0. */
SMIDGEN_API size_t smidgen_session_text(smidgen_session *session, char *text, size_t capacity);

SMIDGEN_API smidgen_finish smidgen_session_finish(const smidgen_session *session);

typedef struct smidgen_logprob {
    int32_t token;
    float logprob; /* natural log, after the penalties and biases, before temperature and truncation */
} smidgen_logprob;

/* Alternatives of the last token, best first, the chosen one at index 0; returns how many were written. */
SMIDGEN_API int32_t smidgen_session_logprobs(const smidgen_session *session, smidgen_logprob *out,
                                             int32_t capacity);

/* Computes all queued tokens and hands out raw logits: visit(context, position, logits [vocab_size]) is
 * called for every position from `first_position` on, in order; returning false stops. Returns false on
 * failure. */
SMIDGEN_API bool smidgen_session_logits(smidgen_session *session, int32_t first_position,
                                        bool (*visit)(void *context, int32_t position, const float *logits),
                                        void *context, smidgen_error *error);

/* One decode step of several sessions of one model at once: each session's queued token (exactly one must be
 * queued, or none: then its next token is sampled first, as smidgen_session_next would) goes through the
 * weights together. tokens[i] gets the sampled id, or -1 when session i is complete. Returns false on failure
 * (no session advanced). */
SMIDGEN_API bool smidgen_sessions_step(smidgen_session *const *sessions, size_t count, int32_t *tokens,
                                       smidgen_error *error);

typedef struct smidgen_usage {
    int32_t prompt_tokens, cached_tokens, reply_tokens;
    double prefill_seconds, decode_seconds; /* time inside the library */
} smidgen_usage;

/* Of the current reply: counted since the last smidgen_session_set_prompt or _append. */
SMIDGEN_API void smidgen_session_usage(const smidgen_session *session, smidgen_usage *usage);

/* ---------------------------------------------------------------------------------------------- embeddings
 */

typedef enum smidgen_pooling { SMIDGEN_POOLING_MEAN = 0, SMIDGEN_POOLING_LAST = 1 } smidgen_pooling;

/* Embedding of a text by a decoder model: final hidden states, pooled, length 1 where `normalize`.
 * out: [hidden_size]. */
SMIDGEN_API bool smidgen_embed_text(smidgen_model *model, const char *text, size_t text_bytes,
                                    smidgen_pooling pooling, bool normalize, float *out,
                                    smidgen_error *error);

/* ------------------------------------------------------------------------------------------------- reports
 */

typedef struct smidgen_memory {
    uint64_t weights_bytes, kv_cache_bytes, activations_bytes, tokenizer_bytes, other_bytes;
} smidgen_memory;

/* Of the model, or of one of its sessions where session is not NULL. */
SMIDGEN_API void smidgen_memory_report(const smidgen_model *model, const smidgen_session *session,
                                       smidgen_memory *memory);

/* What this device can do, as JSON text: instruction sets, cores, memory. Returns the number of bytes, which
 * may be more than capacity. */
SMIDGEN_API size_t smidgen_probe_json(char *text, size_t capacity);

/* What the file or folder at `path` holds, as JSON text, without reading any weights: format, every metadata
 * entry, every tensor (name, type, shape outermost first, bytes, offset), sums for each type. Arrays in the
 * metadata list their first array_limit elements (0: 8; negative: all) beside their count. Returns the number
 * of bytes, which may be more than capacity (then call again with more room), or -1; not terminated. Fails as
 * smidgen_model_open does. */
SMIDGEN_API int64_t smidgen_inspect_json(const char *path, int32_t array_limit, char *text, size_t capacity,
                                         smidgen_error *error);

/* SHA-256 of the file at `path` as 64 lower-case hex digits and a terminator. progress as in
 * smidgen_model_options; may be NULL. Fails with NOT_FOUND, IO, BAD_FILE or CANCELLED. */
SMIDGEN_API bool smidgen_hash_file(const char *path, char hex[65],
                                   bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                                   void *progress_context, smidgen_error *error);

#ifdef __cplusplus
}
#endif
#endif
