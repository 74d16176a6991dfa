/* Gemma 3, text (arXiv 2503.19786): norms around both halves of a block, q and k normalised, GELU, embeddings
 * scaled by sqrt(hidden), five sliding layers to one full one, which have rope bases of their own. GGUF files
 * have + 1 in the norms already; Hugging Face files do not. */
#include <math.h>

#include "base/error.h"
#include "models/family.h"

enum { GEMMA3_PATTERN = 6, GEMMA3_LOCAL_ROPE_BASE = 10000 };

static bool is_sliding(const checkpoint *c, int32_t layer)
{
    if (c->gguf == NULL) {
        const json_value *types = json_get(json_root(c->config), "layer_types");
        int32_t i = 0;
        for (json_iterator it = json_iterate(types); json_next(&it); i++) {
            if (i == layer) {
                return json_is_string(it.value, "sliding_attention");
            }
        }
    }
    int64_t pattern = hyperparameter_integer(c, "attention.sliding_window_pattern", "sliding_window_pattern",
                                             GEMMA3_PATTERN);
    return pattern < 1 || (layer + 1) % pattern != 0;
}

bool family_gemma3(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    int64_t window = hyperparameter_integer(c, "attention.sliding_window", "sliding_window", 0);
    if (window < 1 || window > (1 << 24)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "Gemma 3 needs a sliding window, the file has none");
    }
    config->activation = DECODER_GELU_TANH;
    config->has_qk_norm = true;
    config->has_post_norms = true;
    config->norm_adds_one = c->gguf == NULL;
    config->embedding_scale = sqrtf((float)config->hidden_size);
    double query_scalar = hyperparameter_number(c, NULL, "query_pre_attn_scalar", config->head_size);
    config->attention_scale = (float)(1.0 / sqrt(query_scalar > 0 ? query_scalar : config->head_size));
    config->final_soft_cap =
        (float)hyperparameter_number(c, "final_logit_softcapping", "final_logit_softcapping", 0);
    config->attention_soft_cap =
        (float)hyperparameter_number(c, "attn_logit_softcapping", "attn_logit_softcapping", 0);
    config->rope_count = 2; /* 0: full layers, 1: sliding layers, which are never scaled */
    if (c->gguf != NULL) {
        config->ropes[0].theta = (float)hyperparameter_number(c, "rope.freq_base", NULL, 1000000);
    }
    config->ropes[1] = config->ropes[0];
    config->ropes[1].scaling = ROPE_SCALING_NONE;
    config->ropes[1].theta =
        (float)hyperparameter_number(c, "rope.freq_base_swa", "rope_local_base_freq", GEMMA3_LOCAL_ROPE_BASE);
    family_set_windows(config, (int32_t)window, is_sliding, c);
    for (int32_t i = 0; i < config->layer_count; i++) {
        config->layers[i].rope = config->layers[i].window != 0;
    }
    return true;
}
