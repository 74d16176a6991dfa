/* Owns the public face of chat templates: a parsed template, and one rendering of it. The interpreter is in
 * jinja/. A template is immutable, so it may be rendered from several threads at once. */
#include "generate/chat_template.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "generate/jinja/jinja_runtime.h"

struct chat_template {
    const smidgen_allocator *allocator;
    arena memory;
    jinja_node *root;
};

enum { TEMPLATE_BYTES_MAX = 16 * 1024 * 1024 };

/* A copy whose line ends are all \n, without the last one: what Jinja parses. */
static char *normalise_lines(arena *a, const char *text, size_t size, size_t *out_size)
{
    char *copy = arena_allocate(a, size + 1);
    size_t used = 0;
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        bool is_return = text[i] == '\r';
        if (is_return && i + 1 < size && text[i + 1] == '\n') {
            continue;
        }
        copy[used++] = is_return ? '\n' : text[i];
    }
    *out_size = used > 0 && copy[used - 1] == '\n' ? used - 1 : used;
    return copy;
}

chat_template *chat_template_create(const char *text, size_t size_bytes, const smidgen_allocator *allocator,
                                    smidgen_error *error)
{
    if (size_bytes > TEMPLATE_BYTES_MAX) {
        error_set_limit(error, SMIDGEN_ERROR_LIMIT, TEMPLATE_BYTES_MAX, size_bytes,
                        "the chat template is longer than %d bytes", TEMPLATE_BYTES_MAX);
        return NULL;
    }
    chat_template *t = memory_allocate_zeroed(allocator, sizeof *t);
    if (t == NULL) {
        error_set_memory(error, "the chat template", sizeof *t);
        return NULL;
    }
    t->allocator = allocator;
    arena_init(&t->memory, allocator);
    size_t size;
    const char *source = normalise_lines(&t->memory, text, size_bytes, &size);
    bool is_parsed = source == NULL ? error_set_memory(error, "the chat template", size_bytes)
                                    : jinja_parse(source, size, &t->memory, &t->root, error);
    if (!is_parsed) {
        chat_template_close(t);
        return NULL;
    }
    return t;
}

void chat_template_close(chat_template *t)
{
    if (t != NULL) {
        arena_close(&t->memory);
        memory_release(t->allocator, t, sizeof *t);
    }
}

static bool set_variable(jinja_runtime *rt, jinja_scope *scope, const char *name, jinja_value value)
{
    return jinja_scope_set(rt, scope, jinja_name_make(name, strlen(name)), value);
}

static jinja_value text_value(const char *text)
{
    return jinja_string(text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

/* Messages as the template sees them: dicts with role and content. */
static bool set_messages(jinja_runtime *rt, jinja_scope *scope, const chat_template_input *input)
{
    jinja_value *items = jinja_allocate_array(rt, input->count, sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < input->count; i++) {
        jinja_dict *message = jinja_dict_make(rt, 2);
        if (message == NULL ||
            !jinja_dict_set(rt, message, jinja_string("role", 4), text_value(input->messages[i].role)) ||
            !jinja_dict_set(rt, message, jinja_string("content", 7),
                            text_value(input->messages[i].content))) {
            return false;
        }
        items[i] = (jinja_value){.kind = JINJA_DICT, .as.dict = message};
    }
    return set_variable(rt, scope, "messages", jinja_list(items, input->count));
}

static bool set_variables(jinja_runtime *rt, jinja_scope *scope, const chat_template_input *input,
                          const json_document *further)
{
    if (!set_messages(rt, scope, input) ||
        !set_variable(rt, scope, "add_generation_prompt", jinja_bool(input->add_generation_prompt)) ||
        !set_variable(rt, scope, "bos_token", text_value(input->bos_token)) ||
        !set_variable(rt, scope, "eos_token", text_value(input->eos_token))) {
        return false;
    }
    for (json_iterator it = json_iterate(json_root(further)); json_next(&it);) {
        jinja_value value;
        if (!jinja_from_json(rt, it.value, &value) ||
            !jinja_scope_set(rt, scope, jinja_name_make(it.key, it.key_bytes), value)) {
            return false;
        }
    }
    return true;
}

static char *render(const chat_template *t, const chat_template_input *input, const json_document *further,
                    arena *a, size_t *size_bytes, smidgen_error *error)
{
    arena memory;
    arena_init(&memory, a->allocator);
    jinja_builder output = {0};
    jinja_scope scope = {0};
    jinja_runtime rt = {.memory = &memory, .error = error, .output = &output};
    char *text = NULL;
    if (set_variables(&rt, &scope, input, further) && jinja_execute(&rt, &scope, t->root)) {
        text = arena_copy_text(a, output.data, output.size);
        if (text == NULL) {
            error_set_memory(error, "the rendered chat", output.size);
        } else if (size_bytes != NULL) {
            *size_bytes = output.size;
        }
    }
    arena_close(&memory);
    return text;
}

char *chat_template_render(const chat_template *t, const chat_template_input *input, arena *a,
                           size_t *size_bytes, smidgen_error *error)
{
    json_document *further = NULL;
    smidgen_error unused;
    error = error == NULL ? &unused : error;
    if (input->variables_json != NULL) {
        further = json_parse(input->variables_json, strlen(input->variables_json), "the template's variables",
                             a->allocator, error);
        if (further == NULL) {
            return NULL;
        }
        if (json_kind_of(json_root(further)) != JSON_OBJECT) {
            json_close(further);
            error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                      "the template's variables must be a JSON object");
            return NULL;
        }
    }
    char *text = render(t, input, further, a, size_bytes, error);
    json_close(further);
    return text;
}
