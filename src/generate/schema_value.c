/* Owns const and enum: values as compact JSON text, and the check that oneOf's branches exclude each other.
 * Refuses const and enum beside keywords that would need a full validator. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "generate/schema.h"

enum { ENUM_VALUES_MAX = 16384 };

/* ------------------------------------------------------------------------------------------------ writing */

typedef struct text_buffer {
    schema_compiler *c;
    char *bytes; /* [capacity] */
    size_t size, capacity;
    bool has_failed;
} text_buffer;

static void put(text_buffer *t, const char *bytes, size_t size)
{
    if (t->capacity - t->size < size && !t->has_failed) {
        size_t capacity = 2 * (t->size + size) + 32;
        char *grown = arena_allocate(t->c->scratch, capacity);
        if (grown == NULL) {
            t->has_failed = true;
            return;
        }
        if (t->size > 0) {
            memcpy(grown, t->bytes, t->size);
        }
        t->bytes = grown;
        t->capacity = capacity;
    }
    if (!t->has_failed) {
        memcpy(t->bytes + t->size, bytes, size);
        t->size += size;
    }
}

static void put_string(text_buffer *t, const char *text, size_t size)
{
    put(t, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
        const char *found = text[i] != 0 ? strchr(special, text[i]) : NULL;
        char escape[8] = {'\\'};
        if (found != NULL) {
            escape[1] = letter[found - special];
            put(t, escape, 2);
        } else if ((uint8_t)text[i] < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)text[i]);
            put(t, escape, 6);
        } else {
            put(t, text + i, 1);
        }
    }
    put(t, "\"", 1);
}

static void put_number(text_buffer *t, const json_value *value)
{
    char text[40];
    double x = json_number(value, 0.0);
    int64_t whole = json_integer(value, INT64_MIN);
    int size = 0;
    if (whole != INT64_MIN) {
        size = snprintf(text, sizeof text, "%lld", (long long)whole);
    } else {
        for (int precision = 15; precision <= 17; precision++) {
            size = snprintf(text, sizeof text, "%.*g", precision, x);
            if (strtod(text, NULL) == x) {
                break;
            }
        }
    }
    put(t, text, (size_t)size);
}

static void put_scalar(text_buffer *t, const json_value *value)
{
    size_t size;
    const char *text;
    switch (json_kind_of(value)) {
    case JSON_STRING:
        text = json_string(value, &size);
        put_string(t, text, size);
        break;
    case JSON_NUMBER:
        put_number(t, value);
        break;
    case JSON_BOOL:
        put(t, json_bool(value, false) ? "true" : "false", json_bool(value, false) ? 4 : 5);
        break;
    default:
        put(t, "null", 4);
    }
}

bool schema_write(schema_compiler *c, const json_value *value, automaton_word *text)
{
    json_iterator stack[SCHEMA_NESTING_MAX];
    bool is_first[SCHEMA_NESTING_MAX];
    text_buffer t = {.c = c};
    int depth = -1;
    for (const json_value *next = value;;) {
        json_kind kind = json_kind_of(next);
        if (next != NULL && (kind == JSON_OBJECT || kind == JSON_ARRAY)) {
            if (++depth == SCHEMA_NESTING_MAX) {
                return schema_fail(c, c->root, "a value of const or enum is nested more than %d deep",
                                   SCHEMA_NESTING_MAX);
            }
            stack[depth] = json_iterate(next);
            is_first[depth] = true;
            put(&t, kind == JSON_OBJECT ? "{" : "[", 1);
        } else if (next != NULL) {
            put_scalar(&t, next);
        }
        if (depth < 0) {
            break;
        }
        if (!json_next(&stack[depth])) {
            put(&t, stack[depth].is_object ? "}" : "]", 1);
            depth--;
            next = NULL;
            continue;
        }
        if (!is_first[depth]) {
            put(&t, ",", 1);
        }
        is_first[depth] = false;
        if (stack[depth].is_object) {
            put_string(&t, stack[depth].key, stack[depth].key_bytes);
            put(&t, ":", 1);
        }
        next = stack[depth].value;
    }
    *text = (automaton_word){t.bytes, t.size};
    return !t.has_failed || schema_fail_memory(c);
}

bool schema_write_string(schema_compiler *c, const char *text, size_t size_bytes, automaton_word *out)
{
    text_buffer t = {.c = c};
    put_string(&t, text, size_bytes);
    *out = (automaton_word){t.bytes, t.size};
    return !t.has_failed || schema_fail_memory(c);
}

/* ------------------------------------------------------------------------------------------------- values */

static uint32_t type_of(const json_value *value)
{
    switch (json_kind_of(value)) {
    case JSON_NULL:
        return SCHEMA_NULL;
    case JSON_BOOL:
        return SCHEMA_BOOLEAN;
    case JSON_STRING:
        return SCHEMA_STRING;
    case JSON_ARRAY:
        return SCHEMA_ARRAY;
    case JSON_OBJECT:
        return SCHEMA_OBJECT;
    default:
        return json_number(value, 0.5) == floor(json_number(value, 0.5)) ? SCHEMA_INTEGER : SCHEMA_FRACTION;
    }
}

/* Values of the schema's const and enum as text; *count -1 where it has neither. */
static bool read_values(schema_compiler *c, const json_value *schema, uint32_t types, automaton_word **words,
                        int64_t *count)
{
    const json_value *constant = json_get(schema, "const"), *list = json_get(schema, "enum");
    *count = -1;
    if (constant == NULL && list == NULL) {
        return true;
    }
    if (list != NULL && json_kind_of(list) != JSON_ARRAY) {
        return schema_fail(c, schema, "enum must be a list of values");
    }
    if (constant != NULL && list != NULL) {
        return schema_fail(c, schema, "const and enum cannot be honoured together");
    }
    if (json_count(list) > ENUM_VALUES_MAX) {
        return schema_fail(c, schema, "enum has more than %d values", ENUM_VALUES_MAX);
    }
    *words = arena_array(c->scratch, json_count(list) + 1, sizeof **words);
    if (*words == NULL) {
        return schema_fail_memory(c);
    }
    *count = 0;
    if (constant != NULL && (type_of(constant) & types) != 0) {
        return schema_write(c, constant, &(*words)[(*count)++]);
    }
    for (json_iterator it = json_iterate(list); json_next(&it);) {
        if ((type_of(it.value) & types) != 0 && !schema_write(c, it.value, &(*words)[(*count)++])) {
            return false;
        }
    }
    return true;
}

static bool is_among(const automaton_word *words, int64_t count, automaton_word word)
{
    for (int64_t i = 0; i < count; i++) {
        if (words[i].size == word.size && memcmp(words[i].bytes, word.bytes, word.size) == 0) {
            return true;
        }
    }
    return false;
}

/* Keywords whose effect on given values is not worked out. */
static bool check_alone(schema_compiler *c, const schema_entry *e)
{
    static const char *const others[] = {"properties",
                                         "required",
                                         "additionalProperties",
                                         "items",
                                         "prefixItems",
                                         "minLength",
                                         "maxLength",
                                         "pattern",
                                         "format",
                                         "minimum",
                                         "maximum",
                                         "exclusiveMinimum",
                                         "exclusiveMaximum",
                                         "minItems",
                                         "maxItems"};
    for (int32_t i = 0; i < e->count; i++) {
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            if (json_get(e->items[i].schema, others[k]) != NULL) {
                return schema_fail(c, e->items[i].schema,
                                   "\"%s\" cannot be honoured together with const or enum", others[k]);
            }
        }
    }
    return true;
}

bool schema_values(schema_compiler *c, const schema_entry *e, uint32_t types, bool *has_values, fragment *f)
{
    automaton_word *words = NULL, *own = NULL;
    int64_t count = -1, own_count;
    *has_values = false;
    for (int32_t i = 0; i < e->count; i++) {
        if (!read_values(c, e->items[i].schema, types, &own, &own_count)) {
            return false;
        }
        if (own_count < 0) {
            continue;
        }
        if (count < 0) {
            words = own;
            count = own_count;
            continue;
        }
        int64_t kept = 0;
        if (count * own_count > 1 << 24) {
            return schema_fail(c, e->items[i].schema, "the enums that apply at once are too long");
        }
        for (int64_t k = 0; k < count; k++) {
            if (is_among(own, own_count, words[k])) {
                words[kept++] = words[k];
            }
        }
        count = kept;
    }
    if (count < 0) {
        return true;
    }
    *has_values = true;
    if (!check_alone(c, e)) {
        return false;
    }
    size_t longest = 0;
    for (int64_t i = 0; i < count; i++) {
        longest = words[i].size > longest ? words[i].size : longest;
    }
    int32_t *path = arena_array(c->scratch, longest + 1, sizeof *path);
    if (path == NULL) {
        return schema_fail_memory(c);
    }
    *f = automaton_words(c->a, words, (size_t)count, path);
    return true;
}

/* ------------------------------------------------------------------------------------------------ branches
 */

/* The branch behind its references. */
static const json_value *dereference(schema_compiler *c, const json_value *schema)
{
    for (int i = 0; i < 16 && json_get(schema, "$ref") != NULL; i++) {
        schema = schema_resolve(c, schema);
    }
    return schema;
}

static bool have_disjoint_values(schema_compiler *c, const json_value *x, const json_value *y, bool *disjoint)
{
    automaton_word *a, *b;
    int64_t a_count, b_count;
    *disjoint = false;
    if (!read_values(c, x, SCHEMA_ANY, &a, &a_count) || !read_values(c, y, SCHEMA_ANY, &b, &b_count)) {
        return false;
    }
    *disjoint = a_count >= 0 && b_count >= 0 && a_count * b_count <= 1 << 20;
    for (int64_t i = 0; i < a_count && *disjoint; i++) {
        *disjoint = !is_among(b, b_count, a[i]);
    }
    return true;
}

static bool requires(const json_value *schema, const char *key)
{
    for (json_iterator it = json_iterate(json_get(schema, "required")); json_next(&it);) {
        if (json_is_string(it.value, key)) {
            return true;
        }
    }
    return false;
}

/* Both require a property whose values differ, or their types or own values exclude each other. */
static bool are_disjoint(schema_compiler *c, const json_value *x, const json_value *y, bool *disjoint)
{
    uint32_t x_types, y_types;
    if (!schema_types(c, x, &x_types) || !schema_types(c, y, &y_types)) {
        return false;
    }
    *disjoint = (x_types & y_types) == 0;
    if (!*disjoint && !have_disjoint_values(c, x, y, disjoint)) {
        return false;
    }
    if (x_types != SCHEMA_OBJECT || y_types != SCHEMA_OBJECT) {
        return true; /* only objects must have a property */
    }
    for (json_iterator it = json_iterate(json_get(x, "properties")); !*disjoint && json_next(&it);) {
        const json_value *other = json_get(json_get(y, "properties"), it.key);
        if (other != NULL && requires(x, it.key) && requires(y, it.key) &&
            !have_disjoint_values(c, it.value, other, disjoint)) {
            return false;
        }
    }
    return true;
}

bool schema_check_disjoint(schema_compiler *c, const json_value *schema)
{
    const json_value *branches = json_get(schema, "oneOf");
    const json_value *seen[64];
    size_t count = 0;
    if (json_count(branches) > sizeof seen / sizeof seen[0]) {
        return schema_fail(c, schema, "oneOf has more than 64 branches");
    }
    for (json_iterator it = json_iterate(branches); json_next(&it);) {
        const json_value *branch = dereference(c, it.value);
        if (branch == NULL) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            bool disjoint;
            if (!are_disjoint(c, seen[i], branch, &disjoint)) {
                return false;
            }
            if (!disjoint) {
                return schema_fail(c, schema, "branches %zu and %zu of oneOf may overlap; use anyOf", i,
                                   count);
            }
        }
        seen[count++] = branch;
    }
    return true;
}
