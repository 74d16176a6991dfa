/* Owns what the readers of tokenizer.json's parts share. Nesting is followed eight levels deep, no further.
 */
#include "tokenizers/json_parts.h"

#include <string.h>

#include "tokenizers/pattern.h"

enum { DEEPEST = 8 };

static bool one_part(tokenizer *t, const json_value *part, const char *what, json_part_adder add,
                     smidgen_error *error)
{
    size_t size;
    const char *type = json_string(json_get(part, "type"), &size);
    if (json_kind_of(part) != JSON_OBJECT || type == NULL || strlen(type) != size) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: a %s has no type", what);
    }
    return add(t, part, type, error);
}

bool json_each_part(tokenizer *t, const json_value *part, const char *what, const char *member,
                    json_part_adder add, smidgen_error *error)
{
    json_iterator levels[DEEPEST];
    int depth = 0;
    if (json_kind_of(part) == JSON_ABSENT || json_kind_of(part) == JSON_NULL) {
        return true;
    }
    const json_value *now = part;
    while (true) {
        if (json_is_string(json_get(now, "type"), "Sequence")) {
            const json_value *list = json_get(now, member);
            if (json_kind_of(list) != JSON_ARRAY) {
                return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                                 "tokenizer.json: a Sequence has no list of %s", member);
            }
            if (depth == DEEPEST) {
                return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                                 "tokenizer.json: %s nested too deep", member);
            }
            levels[depth++] = json_iterate(list);
        } else if (!one_part(t, now, what, add, error)) {
            return false;
        }
        while (depth > 0 && !json_next(&levels[depth - 1])) {
            depth--;
        }
        if (depth == 0) {
            return true;
        }
        now = levels[depth - 1].value;
    }
}

bool json_read_text(tokenizer *t, const json_value *object, const char *key, const char *fallback,
                    text_span *text, smidgen_error *error)
{
    const json_value *value = json_get(object, key);
    json_kind kind = json_kind_of(value);
    size_t size = fallback == NULL ? 0 : strlen(fallback);
    const char *found = fallback;
    if (kind == JSON_STRING) {
        found = json_string(value, &size);
    } else if ((kind != JSON_ABSENT && kind != JSON_NULL) || fallback == NULL) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: \"%s\" is not a text", key);
    }
    text->text = arena_copy_text(&t->arena, found, size);
    text->size_bytes = size;
    return text->text != NULL || error_set_memory(error, "a tokenizer", size);
}

bool pattern_from_expression(tokenizer *t, const char *expression, size_t size_bytes, pattern *p,
                             smidgen_error *error)
{
    splitter *s = arena_allocate(&t->arena, sizeof *s);
    bool out_of_memory = s == NULL;
    *p = (pattern){.kind = PATTERN_SPLITTER, .splitter = s};
    if (s != NULL && splitter_parse(s, &t->arena, expression, size_bytes, &out_of_memory)) {
        return true;
    }
    if (out_of_memory) {
        return error_set_memory(error, "a pre-tokenizer", sizeof *s);
    }
    p->kind = PATTERN_PCRE2;
    p->splitter = NULL;
    p->engine = pattern_engine_open(expression, size_bytes, t->arena.allocator, error);
    return p->engine != NULL;
}

bool json_read_pattern(tokenizer *t, const json_value *value, pattern *p, smidgen_error *error)
{
    size_t size;
    const char *expression = json_string(json_get(value, "Regex"), &size);
    *p = (pattern){.kind = PATTERN_TEXT};
    if (expression != NULL) {
        return pattern_from_expression(t, expression, size, p, error);
    }
    if (json_string(json_get(value, "String"), &size) == NULL) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "tokenizer.json: a pattern is neither String nor Regex");
    }
    return json_read_text(t, value, "String", NULL, &p->text, error);
}
