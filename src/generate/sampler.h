/* From logits to a token. The order of steps: logit bias, repetition/presence/frequency penalties, grammar
 * mask; then for temperature 0 the arg max, else temperature, top-k, typical, top-p, min-p, and one draw from
 * xoshiro256**. */
#ifndef GENERATE_SAMPLER_H
#define GENERATE_SAMPLER_H

#include "base/arena.h"
#include "tokenizers/tokenizer.h"

typedef struct sampler sampler;

/* Checks every option (INVALID_ARGUMENT names it) and compiles the grammar or schema (GRAMMAR). Copies what
 * it needs. tokenizer gives grammars the bytes of tokens; it must outlive the sampler. */
sampler *sampler_create(const smidgen_sampling *options, int32_t vocab_size, const tokenizer *t,
                        const smidgen_allocator *allocator, smidgen_error *error);
void sampler_close(sampler *s);
/* Forgets the text so far (grammar state, penalties) and reseeds. */
void sampler_reset(sampler *s);
/* Tells the sampler about a token of the context: penalties count it; where `is_reply`, the grammar advances
 * too. */
void sampler_accept(sampler *s, int32_t token, bool is_reply);
/* Chooses a token. logits [vocab_size] are changed. alternatives (may be NULL) gets up to `capacity`
 * logprobs, the chosen token first, then the best ones; *count says how many. Allocates nothing. Returns -1
 * when the grammar admits nothing. */
int32_t sampler_choose(sampler *s, float *logits, smidgen_logprob *alternatives, int32_t capacity,
                       int32_t *count);

/* Stop strings and whole characters: bytes go in, text that is certain comes out. */
typedef struct stop_filter stop_filter;
stop_filter *stop_filter_create(const char *const *stop, size_t stop_count,
                                const smidgen_allocator *allocator, smidgen_error *error);
void stop_filter_close(stop_filter *f);
void stop_filter_reset(stop_filter *f);
/* Feeds the bytes of one token; returns true when a stop string is complete (its text and what follows are
 * dropped). False memory: keeps at most the longest stop string + 3 bytes + what was not taken yet. */
bool stop_filter_feed(stop_filter *f, const char *bytes, size_t size_bytes, bool *out_of_memory);
/* End of the reply: everything held back becomes certain (an incomplete character becomes U+FFFD). */
void stop_filter_finish(stop_filter *f);
/* Takes up to capacity certain bytes, whole characters only. */
size_t stop_filter_take(stop_filter *f, char *text, size_t capacity);

#endif
