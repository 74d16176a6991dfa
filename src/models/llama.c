/* Llama 1 to 3, SmolLM2, TinyLlama and Mistral (arXiv 2302.13971, 2407.21783, 2310.06825). GGUF files store q
 * and k in Meta's order, where rope turns neighbouring pairs; Hugging Face's order pairs the halves of a
 * head. */
#include <string.h>

#include "base/error.h"
#include "models/family.h"

bool family_llama(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    if (c->gguf != NULL) {
        if (gguf_integer(c->gguf, "llama.expert_count", 0) > 0) {
            return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_MODEL, "mixtures of experts are not supported");
        }
        config->ropes[0].style = ROPE_PAIRS;
    } else {
        const char *activation = json_string(json_get(json_root(c->config), "hidden_act"), NULL);
        if (activation != NULL && strcmp(activation, "silu") != 0) {
            return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_MODEL, "activation '%.60s' is not supported",
                             activation);
        }
    }
    int64_t window = c->gguf != NULL ? hyperparameter_integer(c, "attention.sliding_window", NULL, 0) : 0;
    family_set_windows(config, window > 0 ? (int32_t)window : 0, NULL, c);
    return true;
}

bool family_mistral(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    (void)error;
    if (c->gguf != NULL) {
        config->ropes[0].style = ROPE_PAIRS;
    }
    int64_t window = hyperparameter_integer(c, "attention.sliding_window", "sliding_window", 0);
    family_set_windows(config, window > 0 ? (int32_t)window : 0, NULL, c);
    return true;
}
