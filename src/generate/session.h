/* Inside of a session, shared by the files that advance one (session.c), several together (batch.c) and read
 * logits. */
#ifndef GENERATE_SESSION_H
#define GENERATE_SESSION_H

#include <stdatomic.h>

#include "generate/sampler.h"
#include "models/model.h"

struct smidgen_session {
    smidgen_model *model;
    memory_counter memory;              /* everything that the session holds, its own struct apart */
    const smidgen_allocator *allocator; /* = &memory.base */
    arena arena;
    smidgen_session_options options; /* defaults filled in */
    kv_cache *cache;
    cpu_runner *runner;      /* options.prefill_chunk_tokens tokens, 1 output */
    cpu_runner *wide_runner; /* many outputs: logits and batches; made at first use */
    int32_t wide_tokens;     /* tokens (and outputs) of wide_runner */
    int32_t *tokens;         /* [context_tokens] the timeline */
    int32_t token_count;     /* in the timeline */
    int32_t computed;        /* leading tokens whose keys and values are in the cache */
    int32_t *positions;      /* [prefill_chunk_tokens] scratch of a step */
    kv_cache **caches;       /* [prefill_chunk_tokens] scratch of a step */
    cpu_step step;           /* the one that is_waiting, or the last one */
    int32_t last_row;        /* of step */
    bool is_waiting;         /* the step has begun, and waits for weights that have not arrived */
    float *logits;           /* of the last token, in a runner's memory; NULL when used up */
    sampler *sampler;
    stop_filter *filter;
    smidgen_logprob *alternatives; /* [alternative_room] of the last token */
    int32_t alternative_count, alternative_room;
    smidgen_finish finish;
    smidgen_usage usage;
    atomic_flag busy;
};

/* Takes the session for one call; false sets BUSY. */
bool session_enter(smidgen_session *s, smidgen_error *error);
void session_leave(smidgen_session *s);
/* Makes room for `count` more tokens in the cache, sliding where the options say so; false: CONTEXT_FULL. */
bool session_make_room(smidgen_session *s, int32_t count, smidgen_error *error);
typedef enum session_outcome { SESSION_DONE, SESSION_PENDING, SESSION_FAILED } session_outcome;

/* Computes queued tokens until at most `leave` are left; the last computed one's logits are kept where leave
 * is 0. SESSION_PENDING where weights have not arrived: the next call goes on, unless the timeline changes in
 * between. */
session_outcome session_compute(smidgen_session *s, int32_t leave, smidgen_error *error);
/* Samples from s->logits and takes the token in; the id, or -1 when the reply is complete (s->finish says
 * why), or -2 with an error. */
int32_t session_sample(smidgen_session *s, smidgen_error *error);
/* The runner with room for `count` tokens and outputs. */
cpu_runner *session_wide_runner(smidgen_session *s, int32_t count, smidgen_error *error);

#endif
