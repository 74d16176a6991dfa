/* A family reads hyperparameters from a checkpoint, in either format, and says how its decoder differs. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "blocks/decoder.h"
#include "formats/checkpoint.h"

typedef struct family {
    const char *name;         /* what smidgen_model_info.architecture says */
    const char *gguf;         /* general.architecture */
    const char *hugging_face; /* config.json's model_type */
    /* config holds what hyperparameters_read found; the family changes what is different. */
    bool (*configure)(const checkpoint *c, decoder_config *config, smidgen_error *error);
} family;

/* Finds the family of a checkpoint; UNSUPPORTED_MODEL names an unknown architecture. */
const family *family_find(const checkpoint *c, smidgen_error *error);

/* One hyperparameter by its two names: GGUF key without the architecture prefix, and config.json key. */
int64_t hyperparameter_integer(const checkpoint *c, const char *gguf, const char *json, int64_t fallback);
double hyperparameter_number(const checkpoint *c, const char *gguf, const char *json, double fallback);
bool hyperparameter_bool(const checkpoint *c, const char *gguf, const char *json, bool fallback);

/* Fills what every family has: sizes, norm epsilon, rope with its scaling, biases and tied head by the
 * presence of their tensors. Fails with BAD_FILE where a size is missing, not positive or inconsistent. */
bool hyperparameters_read(const checkpoint *c, decoder_config *config, smidgen_error *error);

/* Gives every layer that `is_sliding` (or all of them where it is NULL) the window. */
void family_set_windows(decoder_config *config, int32_t window,
                        bool (*is_sliding)(const checkpoint *, int32_t layer), const checkpoint *c);

bool family_llama(const checkpoint *c, decoder_config *config, smidgen_error *error);
bool family_mistral(const checkpoint *c, decoder_config *config, smidgen_error *error);
bool family_qwen2(const checkpoint *c, decoder_config *config, smidgen_error *error);
bool family_qwen3(const checkpoint *c, decoder_config *config, smidgen_error *error);
bool family_gemma3(const checkpoint *c, decoder_config *config, smidgen_error *error);

#endif
