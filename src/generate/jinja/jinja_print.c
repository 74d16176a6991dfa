/* Owns the text of values: Python's str() and repr(), JSON in Python's layout, and values from JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "generate/jinja/jinja_runtime.h"
#include "generate/jinja/jinja_text.h"

static bool append_literal(jinja_runtime *rt, jinja_builder *b, const char *text)
{
    return jinja_append(rt, b, text, strlen(text));
}

static bool append_number(jinja_runtime *rt, jinja_builder *b, jinja_value v)
{
    char digits[JINJA_NUMBER_BYTES];
    size_t size = v.kind == JINJA_FLOAT ? jinja_format_float(v.as.number, digits)
                                        : jinja_format_integer(v.as.integer, digits);
    return jinja_append(rt, b, digits, size);
}

/* The escape of a character in repr(), or "" when it stands for itself. */
static void repr_escape(uint32_t c, char quote, char out[12])
{
    static const char from[] = "\n\r\t\\", to[] = "nrt\\";
    const char *known = c == 0 || c > 127 ? NULL : strchr(from, (char)c);
    out[0] = 0;
    if (known != NULL) {
        snprintf(out, 12, "\\%c", to[known - from]);
    } else if (c == (uint32_t)quote) {
        snprintf(out, 12, "\\%c", quote);
    } else if (c < 32 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) {
        snprintf(out, 12, "\\x%02x", (unsigned)c);
    } else if ((c >= 0x2000 && c <= 0x200F) || (c >= 0x2028 && c <= 0x202F) || c == 0x3000 || c == 0xFEFF) {
        snprintf(out, 12, "\\u%04x", (unsigned)c);
    }
}

static bool append_quoted(jinja_runtime *rt, jinja_builder *b, jinja_value v)
{
    bool has_single = v.size != 0 && memchr(v.as.text, '\'', v.size) != NULL;
    char quote = has_single && memchr(v.as.text, '"', v.size) == NULL ? '"' : '\'';
    if (!jinja_append(rt, b, &quote, 1)) {
        return false;
    }
    size_t kept = 0, at = 0; /* text[kept..at) is copied as it stands */
    while (at < v.size) {
        uint32_t c;
        char escape[12];
        size_t length = utf8_decode(v.as.text + at, v.size - at, &c);
        repr_escape(c, quote, escape);
        if (escape[0] != 0) {
            if (!jinja_append(rt, b, v.as.text + kept, at - kept) || !append_literal(rt, b, escape)) {
                return false;
            }
            kept = at + length;
        }
        at += length;
    }
    return jinja_append(rt, b, v.as.text + kept, at - kept) && jinja_append(rt, b, &quote, 1);
}

static bool append_repr(jinja_runtime *rt, jinja_builder *b, jinja_value v);

static bool append_repr_items(jinja_runtime *rt, jinja_builder *b, jinja_value v)
{
    bool is_tuple = v.kind == JINJA_TUPLE;
    if (!append_literal(rt, b, is_tuple ? "(" : "[")) {
        return false;
    }
    for (uint32_t i = 0; i < v.size; i++) {
        if ((i != 0 && !append_literal(rt, b, ", ")) || !append_repr(rt, b, v.as.items[i])) {
            return false;
        }
    }
    return append_literal(rt, b, !is_tuple ? "]" : v.size == 1 ? ",)" : ")");
}

static bool append_repr_dict(jinja_runtime *rt, jinja_builder *b, const jinja_dict *d)
{
    if (!append_literal(rt, b, "{")) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        if ((i != 0 && !append_literal(rt, b, ", ")) || !append_repr(rt, b, d->entries[i].key) ||
            !append_literal(rt, b, ": ") || !append_repr(rt, b, d->entries[i].value)) {
            return false;
        }
    }
    return append_literal(rt, b, "}");
}

static bool append_repr(jinja_runtime *rt, jinja_builder *b, jinja_value v)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
        return append_literal(rt, b, "Undefined");
    case JINJA_NONE:
        return append_literal(rt, b, "None");
    case JINJA_BOOL:
        return append_literal(rt, b, v.as.boolean ? "True" : "False");
    case JINJA_INTEGER:
    case JINJA_FLOAT:
        return append_number(rt, b, v);
    case JINJA_STRING:
        return append_quoted(rt, b, v);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_DICT:
        break;
    default:
        return append_literal(rt, b, "<") && append_literal(rt, b, jinja_kind_name(v)) &&
               append_literal(rt, b, ">");
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    bool is_appended =
        v.kind == JINJA_DICT ? append_repr_dict(rt, b, v.as.dict) : append_repr_items(rt, b, v);
    rt->depth--;
    return is_appended;
}

bool jinja_append_value(jinja_runtime *rt, jinja_builder *b, jinja_value v)
{
    if (v.kind == JINJA_STRING) {
        return jinja_append(rt, b, v.as.text, v.size);
    }
    return v.kind == JINJA_UNDEFINED || append_repr(rt, b, v);
}

bool jinja_to_string(jinja_runtime *rt, jinja_value v, jinja_value *out)
{
    if (v.kind == JINJA_STRING) {
        *out = v;
        return true;
    }
    jinja_builder b = {0};
    if (!jinja_append_value(rt, &b, v)) {
        return false;
    }
    *out = jinja_built(&b);
    return true;
}

/* ---- JSON */

static void json_escape(uint32_t c, bool is_ascii, char out[16])
{
    static const char from[] = "\n\r\t\b\f\\\"", to[] = "nrtbf\\\"";
    const char *known = c == 0 || c > 127 ? NULL : strchr(from, (char)c);
    out[0] = 0;
    if (known != NULL) {
        snprintf(out, 16, "\\%c", to[known - from]);
    } else if (c < 32 || (is_ascii && c > 126 && c < 0x10000)) {
        snprintf(out, 16, "\\u%04x", (unsigned)c);
    } else if (is_ascii && c >= 0x10000 && c <= 0x10FFFF) {
        snprintf(out, 16, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                 (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
    }
}

static bool append_json_string(jinja_runtime *rt, jinja_builder *b, jinja_value v, bool is_ascii)
{
    if (!append_literal(rt, b, "\"")) {
        return false;
    }
    size_t kept = 0, at = 0;
    while (at < v.size) {
        uint32_t c;
        char escape[16];
        size_t length = utf8_decode(v.as.text + at, v.size - at, &c);
        json_escape(c, is_ascii, escape);
        if (escape[0] != 0) {
            if (!jinja_append(rt, b, v.as.text + kept, at - kept) || !append_literal(rt, b, escape)) {
                return false;
            }
            kept = at + length;
        }
        at += length;
    }
    return jinja_append(rt, b, v.as.text + kept, at - kept) && append_literal(rt, b, "\"");
}

static bool append_line(jinja_runtime *rt, jinja_builder *b, const jinja_json_style *style, int64_t level)
{
    if (style->indent < 0) {
        return true;
    }
    int64_t spaces = style->indent > JINJA_MEMORY_MAX ? JINJA_MEMORY_MAX : style->indent;
    return append_literal(rt, b, "\n") && jinja_append_spaces(rt, b, spaces * level);
}

/* Dict keys are strings in JSON; Python writes other scalars as it would write the value. */
static bool append_json_key(jinja_runtime *rt, jinja_builder *b, jinja_value key,
                            const jinja_json_style *style)
{
    if (key.kind == JINJA_STRING) {
        return append_json_string(rt, b, key, style->is_ascii);
    }
    return append_literal(rt, b, "\"") && jinja_append_json(rt, b, key, style, 0) &&
           append_literal(rt, b, "\"");
}

/* The entries in the order in which they are written. */
static bool ordered_entries(jinja_runtime *rt, const jinja_dict *d, bool is_sorted,
                            const jinja_entry **entries)
{
    *entries = d->entries;
    if (!is_sorted || d->count < 2) {
        return true;
    }
    jinja_value *keys = jinja_allocate_array(rt, d->count, sizeof *keys);
    jinja_entry *sorted = jinja_allocate_array(rt, d->count, sizeof *sorted);
    if (keys == NULL || sorted == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        keys[i] = d->entries[i].key;
    }
    uint32_t *order;
    if (!jinja_sort_order(rt, keys, d->count, false, false, &order)) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        sorted[i] = d->entries[order[i]];
    }
    *entries = sorted;
    return true;
}

static bool append_json_dict(jinja_runtime *rt, jinja_builder *b, const jinja_dict *d,
                             const jinja_json_style *style, int64_t level)
{
    const jinja_entry *entries;
    if (d->count == 0) {
        return append_literal(rt, b, "{}");
    }
    if (!append_literal(rt, b, "{") || !ordered_entries(rt, d, style->is_sorted, &entries)) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        if ((i != 0 && !jinja_append_value(rt, b, style->item_separator)) ||
            !append_line(rt, b, style, level + 1) || !append_json_key(rt, b, entries[i].key, style) ||
            !jinja_append_value(rt, b, style->key_separator) ||
            !jinja_append_json(rt, b, entries[i].value, style, level + 1)) {
            return false;
        }
    }
    return append_line(rt, b, style, level) && append_literal(rt, b, "}");
}

static bool append_json_list(jinja_runtime *rt, jinja_builder *b, jinja_value v,
                             const jinja_json_style *style, int64_t level)
{
    if (v.size == 0) {
        return append_literal(rt, b, "[]");
    }
    if (!append_literal(rt, b, "[")) {
        return false;
    }
    for (uint32_t i = 0; i < v.size; i++) {
        if ((i != 0 && !jinja_append_value(rt, b, style->item_separator)) ||
            !append_line(rt, b, style, level + 1) ||
            !jinja_append_json(rt, b, v.as.items[i], style, level + 1)) {
            return false;
        }
    }
    return append_line(rt, b, style, level) && append_literal(rt, b, "]");
}

bool jinja_append_json(jinja_runtime *rt, jinja_builder *b, jinja_value v, const jinja_json_style *style,
                       int64_t level)
{
    switch (v.kind) {
    case JINJA_NONE:
        return append_literal(rt, b, "null");
    case JINJA_BOOL:
        return append_literal(rt, b, v.as.boolean ? "true" : "false");
    case JINJA_FLOAT:
        if (isnan(v.as.number) || isinf(v.as.number)) {
            return append_literal(rt, b,
                                  isnan(v.as.number) ? "NaN"
                                  : v.as.number < 0  ? "-Infinity"
                                                     : "Infinity");
        }
        return append_number(rt, b, v);
    case JINJA_INTEGER:
        return append_number(rt, b, v);
    case JINJA_STRING:
        return append_json_string(rt, b, v, style->is_ascii);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_DICT:
        break;
    case JINJA_UNDEFINED:
        return jinja_fail(rt, "tojson: '%.*s' is undefined", (int)v.size, v.as.text);
    default:
        return jinja_fail(rt, "tojson: %s cannot be written as JSON", jinja_kind_name(v));
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    bool is_appended = v.kind == JINJA_DICT ? append_json_dict(rt, b, v.as.dict, style, level)
                                            : append_json_list(rt, b, v, style, level);
    rt->depth--;
    return is_appended;
}

static bool list_from_json(jinja_runtime *rt, const json_value *json, jinja_value *out)
{
    size_t count = json_count(json), i = 0;
    jinja_value *items = jinja_charge(rt, count) ? jinja_allocate_array(rt, count, sizeof *items) : NULL;
    if (items == NULL) {
        return false;
    }
    for (json_iterator it = json_iterate(json); json_next(&it);) {
        if (!jinja_from_json(rt, it.value, &items[i++])) {
            return false;
        }
    }
    *out = jinja_list(items, count);
    return true;
}

static bool dict_from_json(jinja_runtime *rt, const json_value *json, jinja_value *out)
{
    jinja_dict *d = jinja_dict_make(rt, json_count(json));
    if (d == NULL) {
        return false;
    }
    for (json_iterator it = json_iterate(json); json_next(&it);) {
        jinja_value value;
        if (!jinja_from_json(rt, it.value, &value) ||
            !jinja_dict_set(rt, d, jinja_string(it.key, it.key_bytes), value)) {
            return false;
        }
    }
    *out = (jinja_value){.kind = JINJA_DICT, .as.dict = d};
    return true;
}

static jinja_value number_from_json(const json_value *json)
{
    return json_is_integer(json) ? jinja_integer(json_integer(json, 0)) : jinja_float(json_number(json, 0));
}

bool jinja_from_json(jinja_runtime *rt, const json_value *json, jinja_value *out)
{
    size_t size = 0;
    const char *text;
    switch (json_kind_of(json)) {
    case JSON_BOOL:
        *out = jinja_bool(json_bool(json, false));
        return true;
    case JSON_NUMBER:
        *out = number_from_json(json);
        return true;
    case JSON_STRING:
        text = json_string(json, &size);
        *out = jinja_string(text, size);
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    default:
        *out = jinja_none();
        return true;
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    bool is_read =
        json_kind_of(json) == JSON_ARRAY ? list_from_json(rt, json, out) : dict_from_json(rt, json, out);
    rt->depth--;
    return is_read;
}
