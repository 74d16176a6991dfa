/* An opened model: everything that sessions share and nobody changes. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "cpu/runner.h"
#include "models/family.h"
#include "tokenizers/tokenizer.h"

struct smidgen_model {
    memory_counter memory;              /* everything that the model holds, its own struct apart */
    const smidgen_allocator *allocator; /* = &memory.base */
    arena arena;
    checkpoint *checkpoint; /* stays open: tokenizer and names point into its header */
    const family *family;
    decoder_config config;
    graph graph, hidden_graph; /* same weights; the second ends at the last norm */
    plan plan, hidden_plan;
    cpu_weights weights;
    rope_table ropes[DECODER_ROPES_MAX];
    int32_t ropes_made;
    const rope_table **layer_ropes; /* [layer_count] for shifting the KV cache */
    cpu_pool *pool;
    tokenizer *tokenizer; /* NULL where the folder has none */
    const char *name;
};

/* A GGUF file whose weights arrive later, by cpu_weights_pack. s (closed with the model, also on failure) and
 * owner are as for checkpoint_open_source; options are not NULL. */
smidgen_model *model_open_source(source *s, arena *owner, const smidgen_model_options *options,
                                 smidgen_error *error);
/* Whether every weight is there; INVALID_ARGUMENT otherwise. */
bool model_is_complete(const smidgen_model *model, smidgen_error *error);

/* What a runner needs to replay one of the two plans. */
cpu_model model_backend(const smidgen_model *model, decoder_result result);
/* Fails with UNSUPPORTED_TOKENIZER where the model has none. */
bool model_needs_tokenizer(const smidgen_model *model, smidgen_error *error);

#endif
