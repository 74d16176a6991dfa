/* Owns the registry. Refuses architectures that are not in registry.def. */
#include "models/family.h"

#include <string.h>

#include "base/error.h"

static const family families[] = {
#define FAMILY_ROW(name, gguf, hugging_face, configure) {name, gguf, hugging_face, configure},
#include "models/registry.def"
#undef FAMILY_ROW
};

const family *family_find(const checkpoint *c, smidgen_error *error)
{
    const char *name = c->gguf != NULL ? gguf_text(c->gguf, "general.architecture", NULL)
                                       : json_string(json_get(json_root(c->config), "model_type"), NULL);
    if (name == NULL) {
        error_set(error, SMIDGEN_ERROR_BAD_FILE, "the model does not say its architecture (%s is missing)",
                  c->gguf != NULL ? "general.architecture" : "model_type in config.json");
        return NULL;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(name, c->gguf != NULL ? families[i].gguf : families[i].hugging_face) == 0) {
            return &families[i];
        }
    }
    error_set(error, SMIDGEN_ERROR_UNSUPPORTED_MODEL, "architecture '%.100s' is not supported", name);
    return NULL;
}

void family_set_windows(decoder_config *config, int32_t window,
                        bool (*is_sliding)(const checkpoint *, int32_t layer), const checkpoint *c)
{
    for (int32_t i = 0; i < config->layer_count; i++) {
        config->layers[i].window = is_sliding == NULL || is_sliding(c, i) ? window : 0;
    }
}
