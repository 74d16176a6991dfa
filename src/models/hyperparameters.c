/* Owns reading hyperparameters, which GGUF metadata and config.json name differently. Refuses sizes that are
 * missing, not positive, or do not fit each other. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "models/family.h"

/* The GGUF key with its architecture prefix. */
static const gguf_value *find_gguf(const checkpoint *c, const char *name)
{
    char key[128];
    const char *architecture = gguf_text(c->gguf, "general.architecture", "");
    int length = snprintf(key, sizeof key, "%s.%s", architecture, name);
    return length > 0 && (size_t)length < sizeof key ? gguf_find(c->gguf, key) : NULL;
}

static const json_value *find_json(const checkpoint *c, const char *name)
{
    const json_value *value = json_get(json_root(c->config), name);
    return json_kind_of(value) == JSON_NULL ? NULL : value;
}

int64_t hyperparameter_integer(const checkpoint *c, const char *gguf, const char *json, int64_t fallback)
{
    if (c->gguf == NULL) {
        return json == NULL ? fallback : json_integer(find_json(c, json), fallback);
    }
    const gguf_value *value = gguf == NULL ? NULL : find_gguf(c, gguf);
    return value == NULL ? fallback : gguf_integer(c->gguf, value->key, fallback);
}

double hyperparameter_number(const checkpoint *c, const char *gguf, const char *json, double fallback)
{
    if (c->gguf == NULL) {
        return json == NULL ? fallback : json_number(find_json(c, json), fallback);
    }
    const gguf_value *value = gguf == NULL ? NULL : find_gguf(c, gguf);
    return value == NULL ? fallback : gguf_number(c->gguf, value->key, fallback);
}

bool hyperparameter_bool(const checkpoint *c, const char *gguf, const char *json, bool fallback)
{
    if (c->gguf == NULL) {
        return json == NULL ? fallback : json_bool(find_json(c, json), fallback);
    }
    const gguf_value *value = gguf == NULL ? NULL : find_gguf(c, gguf);
    return value == NULL ? fallback : gguf_bool(c->gguf, value->key, fallback);
}

static bool has_tensor(const checkpoint *c, const decoder_config *config, const char *role, int32_t layer,
                       const char *suffix)
{
    char name[128];
    return decoder_weight_name(config, role, layer, suffix, name, sizeof name) &&
           checkpoint_find(c, name) != NULL;
}

/* A size that must be there: 1 .. most. */
static bool read_size(const checkpoint *c, const char *gguf, const char *json, int64_t most, int32_t *size,
                      smidgen_error *error)
{
    int64_t value = hyperparameter_integer(c, gguf, json, -1);
    if (value < 1 || value > most) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "'%s' is %s (allowed: 1 to %lld)",
                         c->gguf != NULL ? gguf : json, value == -1 ? "missing" : "out of range",
                         (long long)most);
    }
    *size = (int32_t)value;
    return true;
}

static bool read_sizes(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    if (!read_size(c, "block_count", "num_hidden_layers", DECODER_LAYERS_MAX, &config->layer_count, error) ||
        !read_size(c, "embedding_length", "hidden_size", 1 << 20, &config->hidden_size, error) ||
        !read_size(c, "feed_forward_length", "intermediate_size", 1 << 24, &config->mlp_size, error) ||
        !read_size(c, "attention.head_count", "num_attention_heads", 4096, &config->head_count, error)) {
        return false;
    }
    int64_t head_count_kv =
        hyperparameter_integer(c, "attention.head_count_kv", "num_key_value_heads", config->head_count);
    int64_t head_size = hyperparameter_integer(c, "attention.key_length", "head_dim",
                                               config->hidden_size / config->head_count);
    int64_t value_size = hyperparameter_integer(c, "attention.value_length", NULL, head_size);
    if (head_count_kv < 1 || head_count_kv > config->head_count || config->head_count % head_count_kv != 0) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "%d attention heads cannot share %lld key heads",
                         (int)config->head_count, (long long)head_count_kv);
    }
    if (head_size < 2 || head_size > 1024 || head_size % 2 != 0 || value_size != head_size) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "head size %lld (values %lld) is not supported",
                         (long long)head_size, (long long)value_size);
    }
    config->head_count_kv = (int32_t)head_count_kv;
    config->head_size = (int32_t)head_size;
    int64_t context = hyperparameter_integer(c, "context_length", "max_position_embeddings", 2048);
    config->context_tokens = context<1 ? 2048 : context>(1 << 24) ? 1 << 24 : (int32_t)context;
    return true;
}

/* The vocabulary is as large as the embedding says: files often pad it past the tokenizer's. */
static bool read_vocabulary(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    char name[128];
    decoder_weight_name(config, "token_embd", -1, "weight", name, sizeof name);
    const checkpoint_tensor *t = checkpoint_find(c, name);
    if (t == NULL) {
        return error_set(error, SMIDGEN_ERROR_MISSING_TENSOR, "the file has no tensor '%s'", name);
    }
    if (t->rank != 2 || t->shape[0] < 1 || t->shape[0] > (1 << 24)) {
        return error_set(error, SMIDGEN_ERROR_WRONG_SHAPE, "tensor '%s' is no table of at most 2^24 tokens",
                         name);
    }
    config->vocab_size = (int32_t)t->shape[0];
    return true;
}

static bool set_scaling(rope_options *rope, const char *type, smidgen_error *error)
{
    if (type == NULL || strcmp(type, "none") == 0 || strcmp(type, "default") == 0) {
        rope->scaling = ROPE_SCALING_NONE;
    } else if (strcmp(type, "linear") == 0) {
        rope->scaling = ROPE_SCALING_LINEAR;
    } else if (strcmp(type, "llama3") == 0) {
        rope->scaling = ROPE_SCALING_LLAMA3;
    } else if (strcmp(type, "yarn") == 0) {
        rope->scaling = ROPE_SCALING_YARN;
    } else {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_MODEL, "rope scaling '%.60s' is not supported",
                         type);
    }
    return true;
}

static bool read_rope_json(const checkpoint *c, rope_options *rope, int32_t context, smidgen_error *error)
{
    const json_value *scaling = find_json(c, "rope_scaling");
    const char *type = json_string(json_get(scaling, "rope_type"), NULL);
    type = type != NULL ? type : json_string(json_get(scaling, "type"), NULL);
    rope->factor = (float)json_number(json_get(scaling, "factor"), 1);
    rope->low_frequency_factor = (float)json_number(json_get(scaling, "low_freq_factor"), 1);
    rope->high_frequency_factor = (float)json_number(json_get(scaling, "high_freq_factor"), 4);
    rope->original_context =
        (int32_t)json_integer(json_get(scaling, "original_max_position_embeddings"), context);
    rope->beta_fast = (float)json_number(json_get(scaling, "beta_fast"), 0);
    rope->beta_slow = (float)json_number(json_get(scaling, "beta_slow"), 0);
    rope->attention_factor = (float)json_number(json_get(scaling, "attention_factor"), 0);
    return set_scaling(rope, type, error);
}

static bool read_rope(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    rope_options *rope = &config->ropes[0];
    config->rope_count = 1;
    rope->style = ROPE_HALVES;
    rope->head_size = config->head_size;
    double partial = c->gguf != NULL ? 1 : json_number(find_json(c, "partial_rotary_factor"), 1);
    int64_t rotary = c->gguf != NULL
                         ? hyperparameter_integer(c, "rope.dimension_count", NULL, config->head_size)
                         : (int64_t)(partial * config->head_size);
    if (rotary < 2 || rotary > config->head_size || rotary % 2 != 0) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "%lld rotary dimensions do not fit heads of %d",
                         (long long)rotary, (int)config->head_size);
    }
    rope->rotary_size = (int32_t)rotary;
    rope->theta = (float)hyperparameter_number(c, "rope.freq_base", "rope_theta", 10000);
    if (!(rope->theta > 0) || !isfinite(rope->theta)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "the rope base is not a positive number");
    }
    if (c->gguf == NULL) {
        return read_rope_json(c, rope, config->context_tokens, error);
    }
    const gguf_value *type = find_gguf(c, "rope.scaling.type");
    rope->factor = (float)hyperparameter_number(c, "rope.scaling.factor", NULL,
                                                hyperparameter_number(c, "rope.scale_linear", NULL, 1));
    rope->original_context = (int32_t)hyperparameter_integer(c, "rope.scaling.original_context_length", NULL,
                                                             config->context_tokens);
    rope->attention_factor = (float)hyperparameter_number(c, "rope.scaling.attn_factor", NULL, 0);
    rope->beta_fast = (float)hyperparameter_number(c, "rope.scaling.yarn_beta_fast", NULL, 0);
    rope->beta_slow = (float)hyperparameter_number(c, "rope.scaling.yarn_beta_slow", NULL, 0);
    const char *fallback = rope->factor != 1 ? "linear" : "none";
    return set_scaling(rope, type == NULL ? fallback : gguf_text(c->gguf, type->key, fallback), error);
}

bool hyperparameters_read(const checkpoint *c, decoder_config *config, smidgen_error *error)
{
    memset(config, 0, sizeof *config);
    config->names = c->gguf != NULL ? DECODER_NAMES_GGUF : DECODER_NAMES_HUGGING_FACE;
    if (!read_sizes(c, config, error) || !read_vocabulary(c, config, error) || !read_rope(c, config, error)) {
        return false;
    }
    config->norm_epsilon =
        (float)hyperparameter_number(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    config->embedding_scale = 1;
    config->attention_scale = 1.0f / sqrtf((float)config->head_size);
    config->activation = DECODER_SILU;
    config->has_query_bias = has_tensor(c, config, "attn_q", 0, "bias");
    config->has_output_bias = has_tensor(c, config, "attn_output", 0, "bias");
    config->has_mlp_bias = has_tensor(c, config, "ffn_down", 0, "bias");
    config->is_tied = !has_tensor(c, config, "output", -1, "weight") ||
                      (c->gguf == NULL && hyperparameter_bool(c, NULL, "tie_word_embeddings", false));
    return true;
}
