/* Owns what values mean: truth, equality, order, membership, length, iteration, and dicts. */
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "generate/jinja/jinja_runtime.h"
#include "generate/jinja/jinja_text.h"

const char *jinja_kind_name(jinja_value v)
{
    static const char *const names[] = {
        [JINJA_UNDEFINED] = "undefined", [JINJA_NONE] = "none",   [JINJA_BOOL] = "bool",
        [JINJA_INTEGER] = "int",         [JINJA_FLOAT] = "float", [JINJA_STRING] = "str",
        [JINJA_LIST] = "list",           [JINJA_TUPLE] = "tuple", [JINJA_DICT] = "dict",
        [JINJA_NAMESPACE] = "namespace", [JINJA_LOOP] = "loop",   [JINJA_FUNCTION] = "function",
        [JINJA_METHOD] = "method",       [JINJA_MACRO] = "macro", [JINJA_NOT_GIVEN] = "nothing",
    };
    return names[v.kind];
}

bool jinja_is_true(jinja_value v)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
    case JINJA_NOT_GIVEN:
        return false;
    case JINJA_BOOL:
        return v.as.boolean;
    case JINJA_INTEGER:
        return v.as.integer != 0;
    case JINJA_FLOAT:
        return v.as.number != 0;
    case JINJA_STRING:
    case JINJA_LIST:
    case JINJA_TUPLE:
        return v.size != 0;
    case JINJA_DICT:
        return v.as.dict->count != 0;
    default:
        return true;
    }
}

static bool is_same_text(jinja_value x, jinja_value y)
{
    return x.size == y.size && (x.size == 0 || memcmp(x.as.text, y.as.text, x.size) == 0);
}

static bool is_same_number(jinja_value x, jinja_value y)
{
    if (x.kind == JINJA_FLOAT || y.kind == JINJA_FLOAT) {
        return jinja_as_double(x) == jinja_as_double(y);
    }
    return jinja_as_integer(x) == jinja_as_integer(y);
}

/* Equality of everything but containers. */
static bool is_same_scalar(jinja_value x, jinja_value y)
{
    if (jinja_is_numeric(x) && jinja_is_numeric(y)) {
        return is_same_number(x, y);
    }
    if (x.kind != y.kind) {
        return false;
    }
    switch (x.kind) {
    case JINJA_STRING:
        return is_same_text(x, y);
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    case JINJA_METHOD:
        return x.as.method->function == y.as.method->function;
    default:
        return x.as.dict == y.as.dict; /* the same object */
    }
}

static bool equal_dicts(jinja_runtime *rt, const jinja_dict *x, const jinja_dict *y, bool *is_equal)
{
    *is_equal = x->count == y->count;
    for (uint32_t i = 0; *is_equal && i < x->count; i++) {
        const jinja_value *other = jinja_dict_get(rt, y, x->entries[i].key);
        *is_equal = other != NULL;
        if (other != NULL && !jinja_equal(rt, x->entries[i].value, *other, is_equal)) {
            return false;
        }
    }
    return true;
}

bool jinja_equal(jinja_runtime *rt, jinja_value x, jinja_value y, bool *is_equal)
{
    bool is_text = x.kind == JINJA_STRING && y.kind == JINJA_STRING && x.size == y.size;
    if (!jinja_charge(rt, is_text ? x.size : 0)) {
        return false;
    }
    if (x.kind != y.kind || (!jinja_is_sequence(x) && x.kind != JINJA_DICT)) {
        *is_equal = is_same_scalar(x, y);
        return true;
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    bool is_compared = true;
    if (x.kind == JINJA_DICT) {
        is_compared = equal_dicts(rt, x.as.dict, y.as.dict, is_equal);
    } else {
        *is_equal = x.size == y.size;
        for (uint32_t i = 0; is_compared && *is_equal && i < x.size; i++) {
            is_compared = jinja_equal(rt, x.as.items[i], y.as.items[i], is_equal);
        }
    }
    rt->depth--;
    return is_compared;
}

static int order_of(bool is_less, bool is_greater)
{
    return is_less ? -1 : is_greater;
}

static int compare_text(jinja_value x, jinja_value y, bool is_case_ignored)
{
    if (!is_case_ignored) { /* UTF-8 sorts like code points */
        size_t common = x.size < y.size ? x.size : y.size;
        int order = common == 0 ? 0 : memcmp(x.as.text, y.as.text, common);
        return order != 0 ? order_of(order < 0, true) : order_of(x.size<y.size, x.size> y.size);
    }
    size_t i = 0, j = 0;
    while (i < x.size && j < y.size) {
        uint32_t a, b;
        i += utf8_decode(x.as.text + i, x.size - i, &a);
        j += utf8_decode(y.as.text + j, y.size - j, &b);
        a = jinja_lower(a);
        b = jinja_lower(b);
        if (a != b) {
            return order_of(a < b, true);
        }
    }
    return order_of(j < y.size, i < x.size);
}

bool jinja_compare(jinja_runtime *rt, jinja_value x, jinja_value y, bool is_case_ignored, int *order)
{
    if (x.kind == JINJA_STRING && y.kind == JINJA_STRING) {
        uint64_t common = x.size < y.size ? x.size : y.size;
        *order = compare_text(x, y, is_case_ignored);
        return jinja_charge(rt, is_case_ignored ? JINJA_CHARACTER_WORK * common : common);
    }
    if (jinja_is_numeric(x) && jinja_is_numeric(y)) {
        if (x.kind == JINJA_FLOAT || y.kind == JINJA_FLOAT) {
            double a = jinja_as_double(x), b = jinja_as_double(y);
            *order = order_of(a<b, a> b);
        } else {
            int64_t a = jinja_as_integer(x), b = jinja_as_integer(y);
            *order = order_of(a<b, a> b);
        }
        return jinja_charge(rt, 0);
    }
    if (!jinja_is_sequence(x) || x.kind != y.kind) {
        if (x.kind == JINJA_UNDEFINED || y.kind == JINJA_UNDEFINED) {
            jinja_value u = x.kind == JINJA_UNDEFINED ? x : y;
            return jinja_fail(rt, "'%.*s' is undefined and cannot be compared", (int)u.size, u.as.text);
        }
        return jinja_fail(rt, "%s and %s have no order", jinja_kind_name(x), jinja_kind_name(y));
    }
    if (!jinja_enter(rt)) {
        return false;
    }
    uint32_t common = x.size < y.size ? x.size : y.size;
    *order = 0;
    for (uint32_t i = 0; i < common && *order == 0; i++) {
        if (!jinja_compare(rt, x.as.items[i], y.as.items[i], is_case_ignored, order)) {
            return false;
        }
    }
    *order = *order != 0 ? *order : order_of(x.size<y.size, x.size> y.size);
    rt->depth--;
    return true;
}

bool jinja_contains(jinja_runtime *rt, jinja_value container, jinja_value item, bool *is_contained)
{
    *is_contained = false;
    switch (container.kind) {
    case JINJA_UNDEFINED:
        return true;
    case JINJA_STRING:
        if (item.kind != JINJA_STRING) {
            return jinja_fail(rt, "'in <string>' needs a string on its left, not %s", jinja_kind_name(item));
        }
        *is_contained =
            jinja_text_find(container.as.text, container.size, item.as.text, item.size) != SIZE_MAX;
        return jinja_charge(rt, container.size);
    case JINJA_DICT:
        *is_contained = jinja_dict_get(rt, container.as.dict, item) != NULL;
        return jinja_charge(rt, 0);
    case JINJA_LIST:
    case JINJA_TUPLE:
        for (uint32_t i = 0; i < container.size && !*is_contained; i++) {
            if (!jinja_equal(rt, container.as.items[i], item, is_contained)) {
                return false;
            }
        }
        return true;
    default:
        return jinja_fail(rt, "%s cannot be searched with 'in'", jinja_kind_name(container));
    }
}

static bool characters_of(jinja_runtime *rt, jinja_value v, const jinja_value **items, uint32_t *count)
{
    size_t length = jinja_text_length(v.as.text, v.size), at = 0;
    jinja_value *characters = jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)v.size)
                                  ? jinja_allocate_array(rt, length, sizeof *characters)
                                  : NULL;
    if (characters == NULL) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        uint32_t c;
        size_t bytes = utf8_decode(v.as.text + at, v.size - at, &c);
        characters[i] = jinja_string(v.as.text + at, bytes);
        at += bytes;
    }
    *items = characters;
    *count = (uint32_t)length;
    return true;
}

bool jinja_iterate(jinja_runtime *rt, jinja_value v, const jinja_value **items, uint32_t *count)
{
    *items = NULL;
    *count = 0;
    switch (v.kind) {
    case JINJA_UNDEFINED:
        return true;
    case JINJA_LIST:
    case JINJA_TUPLE:
        *items = v.as.items;
        *count = v.size;
        return true;
    case JINJA_STRING:
        return characters_of(rt, v, items, count);
    case JINJA_DICT: {
        const jinja_dict *d = v.as.dict;
        jinja_value *keys =
            jinja_charge(rt, d->count) ? jinja_allocate_array(rt, d->count, sizeof *keys) : NULL;
        for (uint32_t i = 0; keys != NULL && i < d->count; i++) {
            keys[i] = d->entries[i].key;
        }
        *items = keys;
        *count = d->count;
        return keys != NULL;
    }
    default:
        return jinja_fail(rt, "%s is not iterable", jinja_kind_name(v));
    }
}

bool jinja_length(jinja_runtime *rt, jinja_value v, int64_t *length)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
        *length = 0;
        return true;
    case JINJA_STRING:
        *length = (int64_t)jinja_text_length(v.as.text, v.size);
        return jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)v.size);
    case JINJA_LIST:
    case JINJA_TUPLE:
        *length = v.size;
        return true;
    case JINJA_DICT:
        *length = v.as.dict->count;
        return true;
    case JINJA_LOOP:
        *length = v.as.loop->count;
        return true;
    default:
        return jinja_fail(rt, "%s has no length", jinja_kind_name(v));
    }
}

bool jinja_pair(jinja_runtime *rt, jinja_value first, jinja_value second, jinja_value *out)
{
    jinja_value *items = jinja_allocate_array(rt, 2, sizeof *items);
    if (items == NULL) {
        return false;
    }
    items[0] = first;
    items[1] = second;
    *out = (jinja_value){.kind = JINJA_TUPLE, .size = 2, .as.items = items};
    return true;
}

/* ---- dicts: keys are scalars */

static uint64_t hash_key(jinja_value key)
{
    if (key.kind == JINJA_STRING) {
        return hash_bytes(key.as.text, key.size);
    }
    if (jinja_is_numeric(key)) { /* 1, 1.0 and true are the same key */
        double number = jinja_as_double(key);
        return hash_bytes(&number, sizeof number);
    }
    return (uint64_t)key.kind;
}

/* Keys that were compared are paid for afterwards, so that colliding or huge keys cannot make lookups free.
 */
static void pay(jinja_runtime *rt, uint64_t compared, jinja_value key)
{
    rt->steps += compared * (1 + (key.kind == JINJA_STRING ? key.size : 0)) / 64;
}

/* The slot of the key's entry, or of the hole where it belongs. */
static uint32_t find_slot(jinja_runtime *rt, const jinja_dict *d, jinja_value key)
{
    uint32_t mask = d->index_size - 1, slot = (uint32_t)hash_key(key) & mask, compared = 1;
    while (d->index[slot] != 0 && !is_same_scalar(d->entries[d->index[slot] - 1].key, key)) {
        slot = (slot + 1) & mask;
        compared++;
    }
    pay(rt, compared, key);
    return slot;
}

const jinja_value *jinja_dict_get(jinja_runtime *rt, const jinja_dict *d, jinja_value key)
{
    if (d->index != NULL) {
        uint32_t entry = d->index[find_slot(rt, d, key)];
        return entry == 0 ? NULL : &d->entries[entry - 1].value;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        if (is_same_scalar(d->entries[i].key, key)) {
            pay(rt, i, key);
            return &d->entries[i].value;
        }
    }
    pay(rt, d->count, key);
    return NULL;
}

static bool dict_reserve(jinja_runtime *rt, jinja_dict *d, size_t capacity)
{
    if (capacity > JINJA_MEMORY_MAX / sizeof(jinja_entry)) {
        return jinja_allocate(rt, SIZE_MAX) != NULL;
    }
    jinja_entry *entries = jinja_allocate_array(rt, capacity, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    if (d->count != 0) {
        memcpy(entries, d->entries, d->count * sizeof *entries);
    }
    d->entries = entries;
    d->capacity = (uint32_t)capacity;
    d->index = NULL;
    if (capacity < JINJA_DICT_INDEX_FROM) {
        return true;
    }
    uint32_t size = 32;
    while (size < 2 * capacity) {
        size *= 2;
    }
    d->index_size = size;
    uint32_t *index = jinja_allocate_array(rt, size, sizeof *index);
    if (index == NULL) {
        return false;
    }
    d->index = index;
    for (uint32_t i = 0; i < d->count; i++) {
        index[find_slot(rt, d, entries[i].key)] = i + 1;
    }
    return jinja_charge(rt, size);
}

jinja_dict *jinja_dict_make(jinja_runtime *rt, size_t capacity)
{
    jinja_dict *d = jinja_allocate(rt, sizeof *d);
    return d != NULL && dict_reserve(rt, d, capacity == 0 ? 1 : capacity) ? d : NULL;
}

bool jinja_dict_set(jinja_runtime *rt, jinja_dict *d, jinja_value key, jinja_value value)
{
    if (!jinja_charge(rt, 0)) {
        return false;
    }
    if (key.kind == JINJA_UNDEFINED || key.kind > JINJA_STRING) {
        return jinja_fail(rt, "%s cannot be the key of a dict", jinja_kind_name(key));
    }
    const jinja_value *found = jinja_dict_get(rt, d, key);
    if (found != NULL) {
        d->entries[(const jinja_entry *)((const char *)found - offsetof(jinja_entry, value)) - d->entries]
            .value = value;
        return true;
    }
    if (d->count == d->capacity && !dict_reserve(rt, d, 2 * (size_t)d->capacity)) {
        return false;
    }
    if (d->index != NULL) {
        d->index[find_slot(rt, d, key)] = d->count + 1;
    }
    d->entries[d->count++] = (jinja_entry){key, value};
    return true;
}
