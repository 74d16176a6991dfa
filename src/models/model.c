/* Owns opening and closing a model. Refuses files whose architecture, tensors or tokenizer it does not know.
 */
#include "models/model.h"

#include "base/error.h"
#include "base/thread.h"
#include "quant/quant.h"

#define VERSION_TEXT(a, b, c)   #a "." #b "." #c
#define VERSION_EXPAND(a, b, c) VERSION_TEXT(a, b, c)

const char *smidgen_version(void)
{
    return VERSION_EXPAND(SMIDGEN_VERSION_MAJOR, SMIDGEN_VERSION_MINOR, SMIDGEN_VERSION_PATCH);
}

/* Llama 3 GGUF files carry the scaling of each frequency as a tensor. Returns false only on a failed read. */
static bool read_frequency_factors(smidgen_model *m, smidgen_error *error)
{
    rope_options *rope = &m->config.ropes[0];
    const checkpoint_tensor *t =
        m->checkpoint->gguf == NULL ? NULL : checkpoint_find(m->checkpoint, "rope_freqs.weight");
    if (t == NULL) {
        return true;
    }
    uint64_t count = (uint64_t)rope->rotary_size / 2;
    if (t->rank != 1 || t->shape[0] != count || !element_is_float(t->type)) {
        return error_set(error, SMIDGEN_ERROR_WRONG_SHAPE,
                         "tensor 'rope_freqs.weight' does not have %llu numbers", (unsigned long long)count);
    }
    void *stored = arena_allocate(&m->arena, (size_t)t->size_bytes);
    float *factors = arena_array(&m->arena, (size_t)count, sizeof(float));
    if (stored == NULL || factors == NULL) {
        return error_set_memory(error, "rope", t->size_bytes);
    }
    if (!checkpoint_read(m->checkpoint, t, 0, stored, (size_t)t->size_bytes, error)) {
        return false;
    }
    quant_decode(t->type, stored, factors, count);
    rope->frequency_factors = factors;
    return true;
}

static bool make_ropes(smidgen_model *m, smidgen_error *error)
{
    if (!read_frequency_factors(m, error)) {
        return false;
    }
    for (; m->ropes_made < m->config.rope_count; m->ropes_made++) {
        if (!rope_create(&m->ropes[m->ropes_made], &m->config.ropes[m->ropes_made], m->allocator, error)) {
            return false;
        }
    }
    m->layer_ropes = arena_array(&m->arena, (size_t)m->config.layer_count, sizeof m->layer_ropes[0]);
    if (m->layer_ropes == NULL) {
        return error_set_memory(error, "rope", sizeof m->layer_ropes[0]);
    }
    for (int32_t i = 0; i < m->config.layer_count; i++) {
        m->layer_ropes[i] = &m->ropes[m->config.layers[i].rope];
    }
    return true;
}

static bool make_plans(smidgen_model *m, smidgen_error *error)
{
    graph_init(&m->graph, &m->arena);
    graph_init(&m->hidden_graph, &m->arena);
    decoder_build(&m->config, DECODER_LOGITS, &m->graph);
    decoder_build(&m->config, DECODER_HIDDEN, &m->hidden_graph);
    if (!plan_create(&m->plan, &m->graph, &m->arena) ||
        !plan_create(&m->hidden_plan, &m->hidden_graph, &m->arena)) {
        return error_set_memory(error, "the graph", m->arena.reserved_bytes);
    }
    return true;
}

static bool make_tokenizer(smidgen_model *m, smidgen_error *error)
{
    checkpoint *c = m->checkpoint;
    if (c->gguf != NULL) {
        if (gguf_find(c->gguf, "tokenizer.ggml.model") == NULL) {
            return true;
        }
        m->tokenizer = tokenizer_from_gguf(c->gguf, m->allocator, error);
    } else if (c->tokenizer != NULL) {
        m->tokenizer = tokenizer_from_json(json_root(c->tokenizer), json_root(c->tokenizer_config),
                                           json_root(c->config), m->allocator, error);
    } else {
        return true;
    }
    if (m->tokenizer == NULL) {
        return false;
    }
    tokenizer_info info;
    tokenizer_get_info(m->tokenizer, &info);
    if (info.vocab_size > m->config.vocab_size) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "the tokenizer has %d tokens, the embedding only %d",
                         (int)info.vocab_size, (int)m->config.vocab_size);
    }
    return true;
}

/* Everything but the weights' bytes. */
static bool prepare(smidgen_model *m, const smidgen_model_options *options, smidgen_error *error)
{
    m->family = family_find(m->checkpoint, error);
    if (m->family == NULL || !hyperparameters_read(m->checkpoint, &m->config, error) ||
        !m->family->configure(m->checkpoint, &m->config, error) || !make_ropes(m, error) ||
        !make_plans(m, error) || !make_tokenizer(m, error)) {
        return false;
    }
    m->name = m->checkpoint->gguf != NULL ? gguf_text(m->checkpoint->gguf, "general.name", "") : "";
    int threads = options->threads > 0 ? options->threads : thread_core_count();
    m->pool = cpu_pool_create(threads > 256 ? 256 : threads, m->allocator);
    if (m->pool == NULL) {
        return error_set_memory(error, "the thread pool", 0);
    }
    return cpu_weights_create(&m->weights, &m->graph, m->checkpoint, options->precision, cpu_isa_choose(),
                              m->allocator, error);
}

static smidgen_model *begin(const smidgen_model_options *options, smidgen_error *error)
{
    const smidgen_allocator *allocator = options->allocator != NULL ? options->allocator : &memory_system;
    smidgen_model *m = memory_allocate_zeroed(allocator, sizeof *m);
    if (m == NULL) {
        error_set_memory(error, "the model", sizeof *m);
        return NULL;
    }
    memory_counter_init(&m->memory, allocator);
    m->allocator = &m->memory.base;
    arena_init(&m->arena, m->allocator);
    return m;
}

smidgen_model *model_open_source(source *s, arena *owner, const smidgen_model_options *options,
                                 smidgen_error *error)
{
    smidgen_model *m = begin(options, error);
    if (m == NULL) {
        s->close(s);
        arena_close(owner);
        return NULL;
    }
    m->checkpoint = checkpoint_open_source(s, owner, m->allocator, error);
    if (m->checkpoint == NULL || !prepare(m, options, error)) {
        smidgen_model_close(m);
        return NULL;
    }
    return m;
}

smidgen_model *smidgen_model_open(const char *path, const smidgen_model_options *options,
                                  smidgen_error *error)
{
    static const smidgen_model_options defaults = {0};
    options = options != NULL ? options : &defaults;
    if (path == NULL || options->threads < 0) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  path == NULL ? "the path is NULL" : "threads is negative");
        return NULL;
    }
    smidgen_model *m = begin(options, error);
    if (m == NULL) {
        return NULL;
    }
    weights_progress progress = {options->progress, options->progress_context};
    m->checkpoint = checkpoint_open(path, m->allocator, error);
    if (m->checkpoint == NULL || !prepare(m, options, error) ||
        !cpu_weights_read(&m->weights, m->checkpoint, m->pool, progress, error)) {
        smidgen_model_close(m);
        return NULL;
    }
    return m;
}

bool model_is_complete(const smidgen_model *m, smidgen_error *error)
{
    int64_t missing = cpu_weights_missing(&m->weights);
    return missing == 0 || error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                                     "%lld pieces of the weights have not arrived yet", (long long)missing);
}

void smidgen_model_close(smidgen_model *m)
{
    if (m == NULL) {
        return;
    }
    const smidgen_allocator *outer = m->memory.inner;
    cpu_weights_close(&m->weights);
    if (m->pool != NULL) {
        cpu_pool_close(m->pool);
    }
    if (m->tokenizer != NULL) {
        tokenizer_close(m->tokenizer);
    }
    for (int32_t i = 0; i < m->ropes_made; i++) {
        rope_close(&m->ropes[i], m->allocator);
    }
    if (m->checkpoint != NULL) {
        checkpoint_close(m->checkpoint);
    }
    arena_close(&m->arena);
    memory_release(outer, m, sizeof *m);
}

cpu_model model_backend(const smidgen_model *m, decoder_result result)
{
    return (cpu_model){.plan = result == DECODER_LOGITS ? &m->plan : &m->hidden_plan,
                       .weights = &m->weights,
                       .ropes = m->ropes,
                       .pool = m->pool};
}

bool model_needs_tokenizer(const smidgen_model *m, smidgen_error *error)
{
    return m->tokenizer != NULL ||
           error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "the model's files have no tokenizer");
}

void smidgen_model_get_info(const smidgen_model *m, smidgen_model_info *info)
{
    tokenizer_info t = {.bos = -1, .eos = -1};
    if (m->tokenizer != NULL) {
        tokenizer_get_info(m->tokenizer, &t);
    }
    *info = (smidgen_model_info){.architecture = m->family->name,
                                 .name = m->name,
                                 .chat_template = m->checkpoint->chat_template,
                                 .parameter_count = m->weights.parameter_count,
                                 .file_bytes = m->weights.stored_bytes,
                                 .packed_bytes = m->weights.packed_bytes,
                                 .vocab_size = m->config.vocab_size,
                                 .layer_count = m->config.layer_count,
                                 .hidden_size = m->config.hidden_size,
                                 .head_count = m->config.head_count,
                                 .head_count_kv = m->config.head_count_kv,
                                 .head_size = m->config.head_size,
                                 .context_tokens = m->config.context_tokens,
                                 .bos_token = t.bos,
                                 .eos_token = t.eos,
                                 .adds_bos = t.adds_bos,
                                 .kernel_set = cpu_isa_name(m->weights.isa),
                                 .threads = cpu_pool_threads(m->pool)};
}
