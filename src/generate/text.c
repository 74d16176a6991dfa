/* Owns the text calls of a model: tokens, chat templates. */
#include <string.h>

#include "base/error.h"
#include "generate/chat_template.h"
#include "models/model.h"

int64_t smidgen_tokenize(const smidgen_model *model, const char *text, size_t text_bytes, bool add_special,
                         bool parse_special, int32_t *ids, size_t capacity, smidgen_error *error)
{
    if (!model_needs_tokenizer(model, error)) {
        return -1;
    }
    int flags = (add_special ? TOKENIZER_ADD_SPECIAL : 0) | (parse_special ? TOKENIZER_PARSE_SPECIAL : 0);
    return tokenizer_encode(model->tokenizer, text, text_bytes, flags, ids, capacity, error);
}

int64_t smidgen_detokenize(const smidgen_model *model, const int32_t *ids, size_t count, bool render_special,
                           char *text, size_t capacity, smidgen_error *error)
{
    if (!model_needs_tokenizer(model, error)) {
        return -1;
    }
    return tokenizer_decode(model->tokenizer, ids, count, render_special, text, capacity, error);
}

/* Text of a special token as templates want it: terminated, "" where there is none. */
static const char *token_text(const smidgen_model *model, int32_t id, arena *a)
{
    size_t size = 0;
    const char *bytes = id < 0 ? NULL : tokenizer_token_bytes(model->tokenizer, id, true, &size);
    const char *copy = bytes == NULL ? NULL : arena_copy_text(a, bytes, size);
    return copy == NULL ? "" : copy;
}

static int64_t render(const smidgen_model *model, chat_template *t, const smidgen_message *messages,
                      size_t count, bool add_generation_prompt, char *text, size_t capacity,
                      smidgen_error *error)
{
    arena a;
    arena_init(&a, model->allocator);
    tokenizer_info info = {.bos = -1, .eos = -1};
    if (model->tokenizer != NULL) {
        tokenizer_get_info(model->tokenizer, &info);
    }
    chat_template_input input = {.messages = messages,
                                 .count = count,
                                 .add_generation_prompt = add_generation_prompt,
                                 .bos_token = token_text(model, info.bos, &a),
                                 .eos_token = token_text(model, info.eos, &a)};
    size_t size = 0;
    const char *rendered = chat_template_render(t, &input, &a, &size, error);
    if (rendered != NULL && capacity != 0) {
        memcpy(text, rendered, size < capacity ? size : capacity);
    }
    arena_close(&a);
    return rendered == NULL ? -1 : (int64_t)size;
}

int64_t smidgen_render_chat(const smidgen_model *model, const char *template_text,
                            const smidgen_message *messages, size_t count, bool add_generation_prompt,
                            char *text, size_t capacity, smidgen_error *error)
{
    const char *jinja = template_text != NULL ? template_text : model->checkpoint->chat_template;
    if (jinja == NULL) {
        error_set(error, SMIDGEN_ERROR_TEMPLATE, "the model carries no chat template");
        return -1;
    }
    chat_template *t = chat_template_create(jinja, strlen(jinja), model->allocator, error);
    if (t == NULL) {
        return -1;
    }
    int64_t size = render(model, t, messages, count, add_generation_prompt, text, capacity, error);
    chat_template_close(t);
    return size;
}
