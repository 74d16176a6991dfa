/* Owns objects and arrays of JSON schemas: order of properties, optional ones, further keys, lengths. Refuses
 * more than SCHEMA_PROPERTIES_MAX properties. */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "generate/schema.h"

typedef struct property {
    const char *key; /* terminated, [size] */
    size_t size;
    bool is_required;
} property;

typedef struct property_set {
    property *items; /* [count], room for SCHEMA_PROPERTIES_MAX */
    size_t count;
} property_set;

/* ---------------------------------------------------------------------------------------------- properties
 */

static bool add_property(schema_compiler *c, property_set *set, const json_value *where, const char *key,
                         size_t size, bool is_required)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].size == size && memcmp(set->items[i].key, key, size) == 0) {
            set->items[i].is_required |= is_required;
            return true;
        }
    }
    if (strlen(key) != size) {
        return schema_fail(c, where, "a property name contains a zero byte");
    }
    if (set->count == SCHEMA_PROPERTIES_MAX) {
        c->has_failed = true;
        return error_set_limit(c->error, SMIDGEN_ERROR_LIMIT, SCHEMA_PROPERTIES_MAX,
                               SCHEMA_PROPERTIES_MAX + 1,
                               "JSON schema: an object has more than %d properties", SCHEMA_PROPERTIES_MAX);
    }
    set->items[set->count++] = (property){.key = key, .size = size, .is_required = is_required};
    return true;
}

/* Names in the order of the schema; those that are only required come last. */
static bool gather_properties(schema_compiler *c, const schema_entry *e, property_set *set)
{
    set->items = arena_array(c->scratch, SCHEMA_PROPERTIES_MAX, sizeof *set->items);
    if (set->items == NULL) {
        return schema_fail_memory(c);
    }
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema, *properties = json_get(schema, "properties");
        if (properties != NULL && json_kind_of(properties) != JSON_OBJECT) {
            return schema_fail(c, schema, "properties must be an object");
        }
        for (json_iterator it = json_iterate(properties); json_next(&it);) {
            if (!add_property(c, set, schema, it.key, it.key_bytes, false)) {
                return false;
            }
        }
    }
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema, *required = json_get(schema, "required");
        if (required != NULL && json_kind_of(required) != JSON_ARRAY) {
            return schema_fail(c, schema, "required must be a list of names");
        }
        for (json_iterator it = json_iterate(required); json_next(&it);) {
            size_t size;
            const char *name = json_string(it.value, &size);
            if (name == NULL) {
                return schema_fail(c, schema, "required must be a list of names");
            }
            if (!add_property(c, set, schema, name, size, true)) {
                return false;
            }
        }
    }
    return true;
}

/* What the value of a key must satisfy; key NULL: one that no member names. */
static bool list_for_key(schema_compiler *c, const schema_entry *e, const char *key, schema_list *list)
{
    *list = (schema_list){.count = 0};
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema, *value = NULL;
        if (key != NULL) {
            value = json_get(json_get(schema, "properties"), key);
        }
        value = value == NULL ? json_get(schema, "additionalProperties") : value;
        if (value != NULL && !schema_list_add(c, list, value, 0)) {
            return false;
        }
    }
    return true;
}

static fragment key_and_value(schema_compiler *c, fragment key, const schema_list *list)
{
    fragment f = automaton_then(c->a, key, schema_literal(c, ":"));
    return automaton_then(c->a, automaton_then(c->a, f, schema_space(c)), schema_call(c, list));
}

static fragment comma(schema_compiler *c)
{
    return automaton_then(c->a, schema_literal(c, ","), schema_space(c));
}

/* ------------------------------------------------------------------------------------------- further keys */

typedef struct key_branch {
    size_t from, to, at; /* names[from..to) share the first `at` bytes */
    int32_t node;
} key_branch;

/* Ways out of one node of the trie of names: to the next characters of names, to any other character and then
 * freedom, and to the end where no name ends here. Pushes the branches that follow. */
static void add_branch(schema_compiler *c, const automaton_word *names, key_branch b, int32_t freedom,
                       int32_t end, key_branch *stack, size_t *depth, code_range *taken)
{
    size_t count = 0, i = b.from;
    bool is_name = i < b.to && names[i].size == b.at;
    for (; i < b.to && names[i].size == b.at; i++) {
    }
    while (i < b.to) {
        uint32_t code, other;
        size_t length = utf8_decode(names[i].bytes + b.at, names[i].size - b.at, &code), from = i;
        for (; i < b.to; i++) {
            utf8_decode(names[i].bytes + b.at, names[i].size - b.at, &other);
            if (other != code) {
                break;
            }
        }
        fragment f = automaton_text(c->a, names[from].bytes + b.at, length);
        automaton_add(c->a, b.node, f.first);
        taken[count++] = (code_range){code, code};
        stack[(*depth)++] = (key_branch){from, i, b.at + length, f.last};
    }
    taken[count++] = (code_range){0, 0x1F};
    taken[count++] = (code_range){'"', '"'};
    taken[count++] = (code_range){'\\', '\\'};
    count = code_ranges_sort(taken, count);
    size_t others = code_ranges_invert(taken, count, taken + count);
    fragment f = automaton_class(c->a, taken + count, others);
    automaton_connect(c->a, f, freedom);
    automaton_add(c->a, b.node, f.first);
    if (!is_name) {
        automaton_add(c->a, b.node, end);
    }
}

/* The inside of a key that is none of the names, written without escapes. */
static bool other_key(schema_compiler *c, const property_set *set, fragment *key)
{
    automaton_word *names = arena_array(c->scratch, set->count + 1, sizeof *names);
    key_branch *stack = arena_array(c->scratch, set->count + 2, sizeof *stack);
    code_range *taken = arena_array(c->scratch, 2 * set->count + 16, sizeof *taken);
    size_t count = 0, longest = 0, depth = 0;
    for (size_t i = 0; names != NULL && i < set->count; i++) {
        automaton_word quoted;
        const property *p = &set->items[i];
        if (!schema_write_string(c, p->key, p->size, &quoted)) {
            return false;
        }
        longest = p->size > longest ? p->size : longest;
        if (quoted.size == p->size + 2) { /* others cannot be written without escapes anyway */
            names[count++] = (automaton_word){p->key, p->size};
        }
    }
    int32_t *path = arena_array(c->scratch, longest + 1, sizeof *path);
    if (names == NULL || stack == NULL || taken == NULL || path == NULL) {
        return schema_fail_memory(c);
    }
    automaton_words(c->a, names, count, path); /* for its sorting; the nodes stay unused */
    int32_t begin = automaton_node_new(c->a), end = automaton_node_new(c->a),
            freedom = automaton_node_new(c->a);
    fragment any = schema_raw_character(c);
    automaton_connect(c->a, any, freedom);
    automaton_add(c->a, freedom, any.first);
    automaton_add(c->a, freedom, end);
    stack[depth++] = (key_branch){0, count, 0, begin};
    while (depth > 0 && c->a->failure == SMIDGEN_ERROR_NONE) {
        key_branch b = stack[--depth];
        add_branch(c, names, b, freedom, end, stack, &depth, taken);
    }
    *key = schema_quoted(c, (fragment){begin, end});
    return true;
}

/* A rule for `key : value` of keys that no member names; -1 where there can be none. */
static bool other_pair(schema_compiler *c, const schema_entry *e, const property_set *set, int32_t *rule)
{
    schema_list list;
    fragment key;
    *rule = -1;
    if (!list_for_key(c, e, NULL, &list)) {
        return false;
    }
    if (list.is_never) {
        return true;
    }
    if (set->count == 0) {
        key = automaton_call(c->a, c->string);
    } else if (!other_key(c, set, &key)) {
        return false;
    }
    *rule = automaton_rule_new(c->a);
    if (*rule >= 0) {
        automaton_define(c->a, *rule, key_and_value(c, key, &list));
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ objects */

/* A rule for one named pair; -1 where its value cannot exist. */
static bool named_pair(schema_compiler *c, const schema_entry *e, const property *p, int32_t *rule)
{
    schema_list list;
    automaton_word key;
    *rule = -1;
    if (!list_for_key(c, e, p->key, &list) || !schema_write_string(c, p->key, p->size, &key)) {
        return false;
    }
    if (!list.is_never) {
        *rule = automaton_rule_new(c->a);
        if (*rule >= 0) {
            automaton_define(c->a, *rule, key_and_value(c, automaton_text(c->a, key.bytes, key.size), &list));
        }
    }
    return true;
}

/* Pairs in order. Two chains of nodes run side by side: `first` has written nothing yet, `more` needs a
 * comma. */
bool schema_object(schema_compiler *c, const schema_entry *e, fragment *f)
{
    automaton *a = c->a;
    property_set set = {0};
    int32_t other;
    if (!gather_properties(c, e, &set) || !other_pair(c, e, &set, &other)) {
        return false;
    }
    int32_t end = automaton_node_new(a), first = end, more = end;
    if (other >= 0) {
        more = automaton_node_new(a);
        first = automaton_node_new(a);
        fragment again = automaton_then(a, comma(c), automaton_call(a, other)),
                 once = automaton_call(a, other);
        automaton_connect(a, again, more);
        automaton_connect(a, once, more);
        automaton_add(a, more, again.first);
        automaton_add(a, more, end);
        automaton_add(a, first, once.first);
        automaton_add(a, first, end);
    }
    for (size_t i = set.count; i-- > 0 && a->failure == SMIDGEN_ERROR_NONE;) {
        int32_t rule, with_comma = automaton_node_new(a), without = automaton_node_new(a);
        if (!named_pair(c, e, &set.items[i], &rule)) {
            return false;
        }
        if (rule >= 0) {
            fragment next = automaton_then(a, comma(c), automaton_call(a, rule)),
                     begin = automaton_call(a, rule);
            automaton_connect(a, next, more);
            automaton_connect(a, begin, more);
            automaton_add(a, with_comma, next.first);
            automaton_add(a, without, begin.first);
        }
        if (!set.items[i].is_required) {
            automaton_add(a, with_comma, more);
            automaton_add(a, without, first);
        }
        more = with_comma;
        first = without;
    }
    fragment inside = {first, end};
    inside = automaton_then(a, automaton_then(a, schema_literal(c, "{"), schema_space(c)), inside);
    *f = automaton_then(a, automaton_then(a, inside, schema_space(c)), schema_literal(c, "}"));
    return true;
}

/* ------------------------------------------------------------------------------------------------- arrays */

typedef struct array_shape {
    int64_t min, max; /* max -1: open */
    int64_t prefix;   /* items from here on are all alike */
} array_shape;

static bool read_count(schema_compiler *c, const json_value *schema, const char *key, int64_t *count)
{
    const json_value *value = json_get(schema, key);
    *count = json_integer(value, -1);
    if (value != NULL && *count < 0) {
        return schema_fail(c, schema, "%s must be a whole number from 0 on", key);
    }
    return true;
}

static bool read_shape(schema_compiler *c, const schema_entry *e, array_shape *shape)
{
    *shape = (array_shape){0, -1, 0};
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema, *prefix = json_get(schema, "prefixItems");
        int64_t min, max, count = (int64_t)json_count(prefix);
        if (json_kind_of(json_get(schema, "items")) == JSON_ARRAY) {
            return schema_fail(c, schema, "items as a list cannot be honoured: call it prefixItems");
        }
        if (prefix != NULL && json_kind_of(prefix) != JSON_ARRAY) {
            return schema_fail(c, schema, "prefixItems must be a list of schemas");
        }
        if (!read_count(c, schema, "minItems", &min) || !read_count(c, schema, "maxItems", &max)) {
            return false;
        }
        shape->min = min > shape->min ? min : shape->min;
        shape->max = max >= 0 && (shape->max < 0 || max < shape->max) ? max : shape->max;
        shape->prefix = count > shape->prefix ? count : shape->prefix;
    }
    return true;
}

/* What item `index` must satisfy. */
static bool list_for_item(schema_compiler *c, const schema_entry *e, int64_t index, schema_list *list)
{
    *list = (schema_list){.count = 0};
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema, *prefix = json_get(schema, "prefixItems");
        const json_value *value = NULL;
        if (index < (int64_t)json_count(prefix)) {
            json_iterator it = json_iterate(prefix);
            for (int64_t k = 0; k <= index && json_next(&it); k++) {
                value = it.value;
            }
        } else {
            value = json_get(schema, "items");
        }
        if (value != NULL && !schema_list_add(c, list, value, 0)) {
            return false;
        }
    }
    return true;
}

bool schema_array(schema_compiler *c, const schema_entry *e, fragment *f)
{
    automaton *a = c->a;
    array_shape s;
    schema_list rest, list;
    if (!read_shape(c, e, &s) || !list_for_item(c, e, s.prefix, &rest)) {
        return false;
    }
    if (rest.is_never && (s.max < 0 || s.max > s.prefix)) {
        s.max = s.prefix;
    }
    int32_t end = automaton_node_new(a), next = end;
    int64_t count = s.max;
    if (s.max < 0) { /* written out as far as places differ, then a loop */
        fragment item = automaton_then(a, comma(c), schema_call(c, &rest));
        next = automaton_node_new(a);
        automaton_connect(a, item, next);
        automaton_add(a, next, item.first);
        automaton_add(a, next, end);
        count = s.min > s.prefix ? s.min : s.prefix;
        count = count > 1 ? count : 1;
    }
    for (int64_t i = count; i-- > 0 && a->failure == SMIDGEN_ERROR_NONE;) {
        const schema_list *own = &rest;
        if (i < s.prefix) {
            if (!list_for_item(c, e, i, &list)) {
                return false;
            }
            own = &list;
        }
        fragment item = schema_call(c, own);
        item = i > 0 ? automaton_then(a, comma(c), item) : item;
        automaton_connect(a, item, next);
        next = automaton_node_new(a);
        automaton_add(a, next, item.first);
        if (i >= s.min) {
            automaton_add(a, next, end);
        }
    }
    if (s.max >= 0 && s.max < s.min) {
        *f = automaton_never(a);
        return !c->has_failed;
    }
    fragment inside = {next, end};
    inside = automaton_then(a, automaton_then(a, schema_literal(c, "["), schema_space(c)), inside);
    *f = automaton_then(a, automaton_then(a, inside, schema_space(c)), schema_literal(c, "]"));
    return !c->has_failed;
}
