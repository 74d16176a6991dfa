/* Qwen2, Qwen2.5 (biases on q, k, v) and Qwen3 (norms on q and k instead): arXiv 2407.10671, 2505.09388. */
#include "models/family.h"

static bool is_sliding(const checkpoint *c, int32_t layer)
{
    const json_value *root = json_root(c->config);
    const json_value *types = json_get(root, "layer_types");
    if (json_kind_of(types) == JSON_ARRAY) {
        int32_t i = 0;
        for (json_iterator it = json_iterate(types); json_next(&it); i++) {
            if (i == layer) {
                return json_is_string(it.value, "sliding_attention");
            }
        }
    }
    return layer >= json_integer(json_get(root, "max_window_layers"), INT32_MAX);
}

static void set_windows(const checkpoint *c, decoder_config *config)
{
    if (c->gguf == NULL && json_bool(json_get(json_root(c->config), "use_sliding_window"), false)) {
        int64_t window = hyperparameter_integer(c, NULL, "sliding_window", 0);
        family_set_windows(config, window > 0 ? (int32_t)window : 0, is_sliding, c);
    }
}

bool family_qwen2(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    (void)error;
    set_windows(c, config);
    return true;
}

bool family_qwen3(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    (void)error;
    config->has_qk_norm = true;
    set_windows(c, config);
    return true;
}
