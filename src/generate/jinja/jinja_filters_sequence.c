/* Owns the filters over lists, dicts and the characters of strings. Where Python's Jinja gives a generator,
 * these give a list. */
#include <string.h>

#include "base/utf8.h"
#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

#define FILTER(name)                                                                                         \
    static bool name(jinja_runtime *rt, jinja_value v, const jinja_value *given, jinja_value *out)

static jinja_value *new_items(jinja_runtime *rt, uint32_t count)
{
    return jinja_charge(rt, count) ? jinja_allocate_array(rt, count, sizeof(jinja_value)) : NULL;
}

FILTER(filter_length)
{
    int64_t length;
    (void)given;
    if (!jinja_length(rt, v, &length)) {
        return false;
    }
    *out = jinja_integer(length);
    return true;
}

static bool end_of(jinja_runtime *rt, jinja_value v, bool is_last, jinja_value *out)
{
    const jinja_value *items;
    uint32_t count;
    if (v.kind == JINJA_STRING && v.size != 0) {
        uint32_t c;
        size_t bytes = is_last ? jinja_character_last(v.as.text, v.size) : utf8_decode(v.as.text, v.size, &c);
        *out = jinja_string(v.as.text + (is_last ? v.size - bytes : 0), bytes);
        return true;
    }
    if (!jinja_iterate(rt, v, &items, &count)) {
        return false;
    }
    *out = count == 0 ? jinja_undefined("an item of an empty sequence", 28) : items[is_last ? count - 1 : 0];
    return true;
}

FILTER(filter_first)
{
    (void)given;
    return end_of(rt, v, false, out);
}
FILTER(filter_last)
{
    (void)given;
    return end_of(rt, v, true, out);
}

FILTER(filter_list)
{
    const jinja_value *items;
    uint32_t count;
    (void)given;
    if (!jinja_iterate(rt, v, &items, &count)) {
        return false;
    }
    *out = jinja_list(items, count);
    return true;
}

FILTER(filter_reverse)
{
    const jinja_value *items;
    uint32_t count;
    jinja_builder b = {0};
    (void)given;
    if (!jinja_iterate(rt, v, &items, &count)) {
        return false;
    }
    jinja_value *reversed = new_items(rt, count);
    if (reversed == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        reversed[i] = items[count - 1 - i];
        if (v.kind == JINJA_STRING && !jinja_append_value(rt, &b, reversed[i])) {
            return false;
        }
    }
    *out = v.kind == JINJA_STRING ? jinja_built(&b) : jinja_list(reversed, count);
    return true;
}

FILTER(filter_items)
{
    (void)given;
    if (v.kind == JINJA_UNDEFINED) {
        *out = jinja_list(NULL, 0);
        return true;
    }
    return v.kind == JINJA_DICT ? jinja_dict_items(rt, v.as.dict, out)
                                : jinja_fail(rt, "items: needs a dict, not %s", jinja_kind_name(v));
}

/* The value at a path like "function.name" or "0.text"; a path that is not given is the value itself. */
static bool at_path(jinja_runtime *rt, jinja_value v, jinja_value path, jinja_value *out)
{
    *out = v;
    if (path.kind == JINJA_INTEGER) {
        return jinja_item(rt, v, path, out);
    }
    if (!jinja_is_given(path)) {
        return true;
    }
    if (path.kind != JINJA_STRING) {
        return jinja_fail(rt, "'attribute' must be a string or a number, not %s", jinja_kind_name(path));
    }
    const char *at = path.as.text, *end = at + path.size;
    for (;;) {
        const char *dot = at == end ? NULL : memchr(at, '.', (size_t)(end - at));
        size_t size = (size_t)((dot == NULL ? end : dot) - at);
        int64_t index;
        bool is_number =
            size != 0 && at[0] >= '0' && at[0] <= '9' && jinja_parse_integer(at, size, 10, &index);
        if (!jinja_item(rt, *out, is_number ? jinja_integer(index) : jinja_string(at, size), out)) {
            return false;
        }
        if (dot == NULL) {
            return jinja_charge(rt, 0);
        }
        at = dot + 1;
    }
}

FILTER(filter_join)
{
    const jinja_value *items;
    uint32_t count;
    jinja_builder b = {0};
    jinja_value separator = jinja_string("", 0);
    if (!jinja_iterate(rt, v, &items, &count) ||
        (given[0].kind != JINJA_NOT_GIVEN && !jinja_to_string(rt, given[0], &separator))) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        jinja_value item;
        if ((i != 0 && !jinja_append_value(rt, &b, separator)) || !at_path(rt, items[i], given[1], &item) ||
            !jinja_append_value(rt, &b, item)) {
            return false;
        }
    }
    *out = jinja_built(&b);
    return true;
}

/* The items' values at a path, as sort keys and the like. */
static bool keys_of(jinja_runtime *rt, const jinja_value *items, uint32_t count, jinja_value path,
                    jinja_value **keys)
{
    *keys = new_items(rt, count);
    for (uint32_t i = 0; *keys != NULL && i < count; i++) {
        if (!at_path(rt, items[i], path, &(*keys)[i])) {
            return false;
        }
    }
    return *keys != NULL;
}

FILTER(filter_sort)
{
    const jinja_value *items;
    jinja_value *keys;
    uint32_t count, *order;
    if (!jinja_iterate(rt, v, &items, &count) || !keys_of(rt, items, count, given[2], &keys) ||
        !jinja_sort_order(rt, keys, count, !jinja_given_bool(given[1], false),
                          jinja_given_bool(given[0], false), &order)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = items[order[i]];
    }
    *out = jinja_list(keys, count);
    return true;
}

FILTER(filter_dictsort)
{
    jinja_value by, pairs;
    jinja_value *keys;
    uint32_t *order;
    if (v.kind != JINJA_DICT) {
        return jinja_fail(rt, "dictsort: needs a dict, not %s", jinja_kind_name(v));
    }
    if (!jinja_given_string(rt, given[1], "by", jinja_string("key", 3), &by) ||
        !jinja_dict_items(rt, v.as.dict, &pairs)) {
        return false;
    }
    bool is_by_value = by.size == 5 && memcmp(by.as.text, "value", 5) == 0;
    if (!is_by_value && (by.size != 3 || memcmp(by.as.text, "key", 3) != 0)) {
        return jinja_fail(rt, "dictsort: 'by' must be key or value");
    }
    if (!keys_of(rt, pairs.as.items, pairs.size, jinja_integer(is_by_value), &keys) ||
        !jinja_sort_order(rt, keys, pairs.size, !jinja_given_bool(given[0], false),
                          jinja_given_bool(given[2], false), &order)) {
        return false;
    }
    for (uint32_t i = 0; i < pairs.size; i++) {
        keys[i] = pairs.as.items[order[i]];
    }
    *out = jinja_list(keys, pairs.size);
    return true;
}

static bool lowered(jinja_runtime *rt, jinja_value v, bool is_case_ignored, jinja_value *out)
{
    *out = v;
    return !is_case_ignored || v.kind != JINJA_STRING || jinja_change_case(rt, v, JINJA_CASE_LOWER, out);
}

FILTER(filter_unique)
{
    const jinja_value *items;
    jinja_value *keys;
    uint32_t count;
    jinja_items kept = {0};
    jinja_dict *seen = jinja_dict_make(rt, 8);
    if (seen == NULL || !jinja_iterate(rt, v, &items, &count) ||
        !keys_of(rt, items, count, given[1], &keys)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        jinja_value key;
        if (!lowered(rt, keys[i], !jinja_given_bool(given[0], false), &key)) {
            return false;
        }
        if (jinja_dict_get(rt, seen, key) == NULL &&
            (!jinja_dict_set(rt, seen, key, jinja_none()) || !jinja_items_add(rt, &kept, items[i]))) {
            return false;
        }
    }
    *out = jinja_items_list(&kept);
    return true;
}

static bool extreme(jinja_runtime *rt, jinja_value v, const jinja_value *given, int wanted, jinja_value *out)
{
    const jinja_value *items;
    jinja_value *keys;
    uint32_t count, best = 0;
    if (!jinja_iterate(rt, v, &items, &count) || !keys_of(rt, items, count, given[1], &keys)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        int order;
        if (!jinja_compare(rt, keys[i], keys[best], !jinja_given_bool(given[0], false), &order)) {
            return false;
        }
        best = order == wanted ? i : best;
    }
    *out = count == 0 ? jinja_undefined("an item of an empty sequence", 28) : items[best];
    return true;
}

FILTER(filter_min)
{
    return extreme(rt, v, given, -1, out);
}
FILTER(filter_max)
{
    return extreme(rt, v, given, 1, out);
}

FILTER(filter_sum)
{
    const jinja_value *items;
    uint32_t count;
    jinja_value total = given[1].kind == JINJA_NOT_GIVEN ? jinja_integer(0) : given[1];
    if (!jinja_iterate(rt, v, &items, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        jinja_value item;
        if (!at_path(rt, items[i], given[0], &item) ||
            !jinja_operate(rt, JINJA_OP_ADD, total, item, &total)) {
            return false;
        }
    }
    *out = total;
    return true;
}

FILTER(filter_batch)
{
    const jinja_value *items;
    uint32_t count;
    int64_t size;
    jinja_items batches = {0};
    if (!jinja_iterate(rt, v, &items, &count) || !jinja_given_integer(rt, given[0], "linecount", 0, &size)) {
        return false;
    }
    if (size < 1) {
        return jinja_fail(rt, "batch: 'linecount' must be at least 1");
    }
    for (uint32_t at = 0; at < count;) {
        uint32_t taken = (uint64_t)size < count - at ? (uint32_t)size : count - at;
        jinja_value batch = jinja_list(items + at, taken);
        at += taken;
        if (taken < size && given[1].kind != JINJA_NOT_GIVEN && given[1].kind != JINJA_NONE) {
            uint32_t full = size > JINJA_MEMORY_MAX ? JINJA_MEMORY_MAX : (uint32_t)size;
            jinja_value *filled = new_items(rt, full);
            if (filled == NULL) {
                return false;
            }
            for (uint32_t i = 0; i < full; i++) {
                filled[i] = i < taken ? batch.as.items[i] : given[1];
            }
            batch = jinja_list(filled, full);
        }
        if (!jinja_items_add(rt, &batches, batch)) {
            return false;
        }
    }
    *out = jinja_items_list(&batches);
    return true;
}

/* ---- filters that take another filter or a test by name */

/* As in Jinja, what is false (none, say) counts as empty here, whether it is iterable or not. */
static bool iterate_if_true(jinja_runtime *rt, jinja_value v, const jinja_value **items, uint32_t *count)
{
    return jinja_iterate(rt, jinja_is_true(v) ? v : jinja_list(NULL, 0), items, count);
}

static bool named_row(jinja_runtime *rt, jinja_table table, jinja_value name, const jinja_function **row)
{
    const char *what = table == JINJA_TABLE_TESTS ? "test" : "filter";
    if (name.kind != JINJA_STRING) {
        return jinja_fail(rt, "the name of a %s must be a string, not %s", what, jinja_kind_name(name));
    }
    *row = jinja_table_find(table, name.as.text, name.size);
    return *row != NULL || jinja_fail(rt, "there is no %s '%.*s'", what, (int)name.size, name.as.text);
}

static jinja_arguments without_first(const jinja_arguments *arguments, uint32_t dropped)
{
    jinja_arguments rest = *arguments;
    rest.values = dropped < rest.count ? rest.values + dropped : NULL;
    rest.count = dropped < rest.count ? rest.count - dropped : 0;
    return rest;
}

static jinja_value named_argument(const jinja_arguments *arguments, const char *name)
{
    for (uint32_t i = 0; i < arguments->named_count; i++) {
        const jinja_variable *named = &arguments->named[i];
        if (named->name.size == strlen(name) && memcmp(named->name.text, name, named->name.size) == 0) {
            return named->value;
        }
    }
    return (jinja_value){.kind = JINJA_NOT_GIVEN};
}

static bool filter_map(jinja_runtime *rt, jinja_value v, const jinja_arguments *arguments, jinja_value *out)
{
    const jinja_value *items;
    const jinja_function *row = NULL;
    uint32_t count;
    jinja_value path = named_argument(arguments, "attribute"),
                fallback = named_argument(arguments, "default");
    jinja_arguments rest = without_first(arguments, 1);
    if (arguments->count == 0 && path.kind == JINJA_NOT_GIVEN) {
        return jinja_fail(rt, "map: needs the name of a filter, or attribute=");
    }
    if (arguments->count != 0 && !named_row(rt, JINJA_TABLE_FILTERS, arguments->values[0], &row)) {
        return false;
    }
    jinja_value *mapped = iterate_if_true(rt, v, &items, &count) ? new_items(rt, count) : NULL;
    if (mapped == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_mapped = row != NULL ? jinja_call_function(rt, row, "filter", items[i], &rest, &mapped[i])
                                     : at_path(rt, items[i], path, &mapped[i]);
        if (!is_mapped) {
            return false;
        }
        if (row == NULL && mapped[i].kind == JINJA_UNDEFINED && fallback.kind != JINJA_NOT_GIVEN) {
            mapped[i] = fallback;
        }
    }
    *out = jinja_list(mapped, count);
    return true;
}

/* select, reject, selectattr, rejectattr: keeps items whose value (at the path) passes the test, or does not.
 */
static bool choose(jinja_runtime *rt, jinja_value v, const jinja_arguments *arguments, bool by_attribute,
                   bool wanted, jinja_value *out)
{
    const jinja_value *items;
    const jinja_function *row = NULL;
    uint32_t count, at = by_attribute;
    jinja_items kept = {0};
    if (arguments->count < at) {
        return jinja_fail(rt, "selectattr and rejectattr need the name of an attribute");
    }
    if (arguments->count > at && !named_row(rt, JINJA_TABLE_TESTS, arguments->values[at], &row)) {
        return false;
    }
    jinja_arguments rest = without_first(arguments, at + 1);
    jinja_value path = by_attribute ? arguments->values[0] : (jinja_value){.kind = JINJA_NOT_GIVEN};
    if (!iterate_if_true(rt, v, &items, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        jinja_value result;
        if (!jinja_charge(rt, 0) || !at_path(rt, items[i], path, &result) ||
            (row != NULL && !jinja_call_function(rt, row, "test", result, &rest, &result))) {
            return false;
        }
        if (jinja_is_true(result) == wanted && !jinja_items_add(rt, &kept, items[i])) {
            return false;
        }
    }
    *out = jinja_items_list(&kept);
    return true;
}

#define CHOOSE(name, by_attribute, wanted)                                                                   \
    static bool name(jinja_runtime *rt, jinja_value v, const jinja_arguments *arguments, jinja_value *out)   \
    {                                                                                                        \
        return choose(rt, v, arguments, by_attribute, wanted, out);                                          \
    }
CHOOSE(filter_select, false, true)
CHOOSE(filter_reject, false, false)
CHOOSE(filter_selectattr, true, true)
CHOOSE(filter_rejectattr, true, false)

const jinja_function jinja_filters_of_sequences[] = {
    {"batch", "linecount fill_with", 1, filter_batch, NULL},
    {"count", "", 0, filter_length, NULL},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort, NULL},
    {"first", "", 0, filter_first, NULL},
    {"items", "", 0, filter_items, NULL},
    {"join", "d attribute", 0, filter_join, NULL},
    {"last", "", 0, filter_last, NULL},
    {"length", "", 0, filter_length, NULL},
    {"list", "", 0, filter_list, NULL},
    {"map", NULL, 0, NULL, filter_map},
    {"max", "case_sensitive attribute", 0, filter_max, NULL},
    {"min", "case_sensitive attribute", 0, filter_min, NULL},
    {"reject", NULL, 0, NULL, filter_reject},
    {"rejectattr", NULL, 0, NULL, filter_rejectattr},
    {"reverse", "", 0, filter_reverse, NULL},
    {"select", NULL, 0, NULL, filter_select},
    {"selectattr", NULL, 0, NULL, filter_selectattr},
    {"sort", "reverse case_sensitive attribute", 0, filter_sort, NULL},
    {"sum", "attribute start", 0, filter_sum, NULL},
    {"unique", "case_sensitive attribute", 0, filter_unique, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
