/* Owns the JSON schema compiler's frame: lists of schemas, the queue of rules, references, composition,
 * types. Refuses every keyword that it cannot honour, by name and JSON pointer. */
#include "generate/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "generate/grammar_source.h"

enum { ENTRIES_MAX = AUTOMATON_RULES_MAX, SLOTS = 1 << 15 };

/* -------------------------------------------------------------------------------------------------- errors
 */

/* JSON pointer of a value inside the document, found by search: errors are rare, paths kept everywhere are
 * not. */
static void write_pointer(const json_value *root, const json_value *target, char *out, size_t capacity)
{
    json_iterator stack[SCHEMA_NESTING_MAX];
    size_t lengths[SCHEMA_NESTING_MAX], index[SCHEMA_NESTING_MAX], length = 0;
    int depth = 0;
    out[0] = 0;
    if (root == target) {
        return;
    }
    stack[0] = json_iterate(root);
    lengths[0] = index[0] = 0;
    while (depth >= 0) {
        length = lengths[depth];
        if (!json_next(&stack[depth])) {
            depth--;
            continue;
        }
        json_iterator *it = &stack[depth];
        int written = it->key != NULL ? snprintf(out + length, capacity - length, "/%s", it->key)
                                      : snprintf(out + length, capacity - length, "/%zu", index[depth]);
        index[depth]++;
        length += written < 0 ? 0 : (size_t)written;
        length = length < capacity ? length : capacity - 1;
        if (it->value == target) {
            return;
        }
        json_kind kind = json_kind_of(it->value);
        if ((kind == JSON_OBJECT || kind == JSON_ARRAY) && depth + 1 < SCHEMA_NESTING_MAX) {
            stack[depth + 1] = json_iterate(it->value);
            lengths[depth + 1] = length;
            index[++depth] = 0;
        }
    }
    out[0] = 0;
}

bool schema_fail(schema_compiler *c, const json_value *where, const char *format, ...)
{
    char pointer[120], what[180];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    write_pointer(c->root, where, pointer, sizeof pointer);
    c->has_failed = true;
    return error_set(c->error, SMIDGEN_ERROR_GRAMMAR, "JSON schema at \"#%s\": %s", pointer, what);
}

bool schema_fail_memory(schema_compiler *c)
{
    c->has_failed = true;
    return error_set_memory(c->error, "the JSON schema", c->scratch->used_bytes);
}

/* -------------------------------------------------------------------------------------------------- lists */

/* One step of a JSON pointer: text[*at] is its slash. Decodes ~0 and ~1 into out. */
static bool pointer_token(const char *text, size_t size, size_t *at, char *out, size_t capacity)
{
    size_t used = 0;
    for (++*at; *at < size && text[*at] != '/'; ++*at) {
        char byte = text[*at];
        if (byte == '~' && *at + 1 < size && (text[*at + 1] == '0' || text[*at + 1] == '1')) {
            byte = text[++*at] == '0' ? '~' : '/';
        }
        if (used + 1 >= capacity || byte == '%') {
            return false;
        }
        out[used++] = byte;
    }
    out[used] = 0;
    return true;
}

const json_value *schema_resolve(schema_compiler *c, const json_value *schema)
{
    size_t size = 0, at = 1;
    const json_value *reference = json_get(schema, "$ref"), *value = c->root;
    const char *text = json_string(reference, &size);
    if (text == NULL || size == 0 || text[0] != '#' || (size > 1 && text[1] != '/')) {
        schema_fail(c, schema, "$ref \"%.60s\" is not inside this document", text == NULL ? "" : text);
        return NULL;
    }
    while (at < size && value != NULL) {
        char key[256];
        if (!pointer_token(text, size, &at, key, sizeof key)) {
            value = NULL;
        } else if (json_kind_of(value) == JSON_ARRAY) {
            json_iterator it = json_iterate(value);
            size_t left = 0;
            for (const char *d = key; *d >= '0' && *d <= '9' && left < 100000; d++) {
                left = left * 10 + (size_t)(*d - '0');
            }
            value = NULL;
            while (json_next(&it)) {
                if (left-- == 0) {
                    value = it.value;
                    break;
                }
            }
        } else {
            value = json_get(value, key);
        }
    }
    if (value == NULL) {
        schema_fail(c, schema, "$ref \"%.60s\" names nothing", text);
    }
    return value;
}

static bool list_push(schema_compiler *c, schema_list *list, const json_value *schema, uint32_t taken)
{
    json_kind kind = json_kind_of(schema);
    if (kind == JSON_BOOL) {
        list->is_never = list->is_never || !json_bool(schema, true);
        return true;
    }
    if (kind != JSON_OBJECT) {
        return schema_fail(c, schema, "a schema must be an object, true or false");
    }
    for (int32_t i = 0; i < list->count; i++) {
        if (list->items[i].schema == schema) {
            list->items[i].taken |= taken;
            return true;
        }
    }
    if (list->count == SCHEMA_MEMBERS_MAX) {
        c->has_failed = true;
        return error_set_limit(c->error, SMIDGEN_ERROR_LIMIT, SCHEMA_MEMBERS_MAX, SCHEMA_MEMBERS_MAX + 1,
                               "JSON schema: more than %d schemas apply to one value at once",
                               SCHEMA_MEMBERS_MAX);
    }
    list->items[list->count++] = (schema_member){schema, taken};
    return true;
}

bool schema_list_add(schema_compiler *c, schema_list *list, const json_value *schema, uint32_t taken)
{
    int32_t at = list->count;
    if (!list_push(c, list, schema, taken)) {
        return false;
    }
    for (; at < list->count; at++) { /* new members may refer to more */
        const json_value *member = list->items[at].schema;
        if (json_get(member, "$ref") != NULL) {
            const json_value *target = schema_resolve(c, member);
            if (target == NULL || !list_push(c, list, target, 0)) {
                return false;
            }
        }
        const json_value *all = json_get(member, "allOf");
        if (all != NULL && json_kind_of(all) != JSON_ARRAY) {
            return schema_fail(c, member, "allOf must be a list");
        }
        for (json_iterator it = json_iterate(all); json_next(&it);) {
            if (!list_push(c, list, it.value, 0)) {
                return false;
            }
        }
    }
    return true;
}

static uint32_t list_slot(const schema_member *items, int32_t count)
{
    uint64_t hash = (uint64_t)count;
    for (int32_t i = 0; i < count; i++) {
        uintptr_t key[2] = {(uintptr_t)items[i].schema, items[i].taken};
        hash = hash * 31 + hash_bytes(key, sizeof key);
    }
    return (uint32_t)(hash >> 20) % SLOTS;
}

static bool is_same_list(const schema_entry *e, const schema_list *list)
{
    bool same = e->count == list->count;
    for (int32_t i = 0; same && i < e->count; i++) {
        same = e->items[i].schema == list->items[i].schema && e->items[i].taken == list->items[i].taken;
    }
    return same;
}

fragment schema_call(schema_compiler *c, const schema_list *list)
{
    if (list->is_never || c->has_failed) {
        return automaton_never(c->a);
    }
    uint32_t slot = list_slot(list->items, list->count);
    for (; c->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        if (is_same_list(&c->entries[c->slots[slot] - 1], list)) {
            return automaton_call(c->a, c->entries[c->slots[slot] - 1].rule);
        }
    }
    int32_t rule = automaton_rule_new(c->a);
    if (rule < 0) {
        return automaton_never(c->a);
    }
    size_t bytes = (size_t)list->count * sizeof list->items[0];
    schema_entry *e = &c->entries[c->entry_count];
    *e = (schema_entry){arena_copy(c->scratch, list->items, bytes), list->count, rule};
    if (e->items == NULL) {
        schema_fail_memory(c);
        return automaton_never(c->a);
    }
    c->slots[slot] = ++c->entry_count;
    return automaton_call(c->a, rule);
}

fragment schema_space(schema_compiler *c)
{
    return automaton_call(c->a, c->space);
}

fragment schema_literal(schema_compiler *c, const char *text)
{
    return automaton_text(c->a, text, strlen(text));
}

fragment schema_bytes(schema_compiler *c, const char *pairs)
{
    fragment f = automaton_bytes(c->a, (uint8_t)pairs[0], (uint8_t)pairs[1]);
    for (pairs += 2; *pairs != 0; pairs += 2) {
        f = automaton_either(c->a, f, automaton_bytes(c->a, (uint8_t)pairs[0], (uint8_t)pairs[1]));
    }
    return f;
}

fragment schema_hex(schema_compiler *c, int32_t digits)
{
    fragment f = schema_bytes(c, "09AFaf");
    for (int32_t i = 1; i < digits; i++) {
        f = automaton_then(c->a, f, schema_bytes(c, "09AFaf"));
    }
    return f;
}

fragment schema_raw_character(schema_compiler *c)
{
    code_range ranges[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x10FFFF}};
    return automaton_class(c->a, ranges, 3);
}

fragment schema_quoted(schema_compiler *c, fragment inside)
{
    return automaton_then(c->a, automaton_then(c->a, schema_literal(c, "\""), inside),
                          schema_literal(c, "\""));
}

/* ----------------------------------------------------------------------------------------------- one list */

static bool check_keywords(schema_compiler *c, const json_value *schema)
{
    static const char *const known[] = {
        "type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum", "const",
        "anyOf", "oneOf", "allOf", "$ref", "minLength", "maxLength", "pattern", "format", "minimum",
        "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
        /* these only tell people something */
        "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples",
        "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"};
    for (json_iterator it = json_iterate(schema); json_next(&it);) {
        bool is_known = strcmp(it.key, "uniqueItems") == 0 && json_kind_of(it.value) == JSON_BOOL &&
                        !json_bool(it.value, true);
        for (size_t i = 0; i < sizeof known / sizeof known[0] && !is_known; i++) {
            is_known = strcmp(it.key, known[i]) == 0;
        }
        if (!is_known) {
            return schema_fail(c, schema, "the keyword \"%.60s\" cannot be honoured", it.key);
        }
    }
    return true;
}

static uint32_t type_of_name(const json_value *name)
{
    static const struct {
        const char *name;
        uint32_t type;
    } rows[] = {{"null", SCHEMA_NULL},       {"boolean", SCHEMA_BOOLEAN},
                {"integer", SCHEMA_INTEGER}, {"number", SCHEMA_INTEGER | SCHEMA_FRACTION},
                {"string", SCHEMA_STRING},   {"array", SCHEMA_ARRAY},
                {"object", SCHEMA_OBJECT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (json_is_string(name, rows[i].name)) {
            return rows[i].type;
        }
    }
    return 0;
}

bool schema_types(schema_compiler *c, const json_value *schema, uint32_t *types)
{
    const json_value *type = json_get(schema, "type");
    *types = type == NULL ? SCHEMA_ANY : type_of_name(type);
    if (json_kind_of(type) == JSON_ARRAY) {
        for (json_iterator it = json_iterate(type); json_next(&it);) {
            uint32_t one = type_of_name(it.value);
            if (one == 0) {
                return schema_fail(c, schema, "type lists something that is no type");
            }
            *types |= one;
        }
    }
    return *types != 0 || schema_fail(c, schema, "type is not a type");
}

/* Replaces the first anyOf or oneOf of the list by its branches; *found says whether there was one. */
static bool compile_branches(schema_compiler *c, const schema_entry *e, bool *found, fragment *f)
{
    *found = false;
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema;
        bool any = json_get(schema, "anyOf") != NULL && (e->items[i].taken & SCHEMA_TAKEN_ANY) == 0;
        bool one = !any && json_get(schema, "oneOf") != NULL && (e->items[i].taken & SCHEMA_TAKEN_ONE) == 0;
        if (!any && !one) {
            continue;
        }
        const json_value *branches = json_get(schema, any ? "anyOf" : "oneOf");
        if (json_kind_of(branches) != JSON_ARRAY || json_count(branches) == 0) {
            return schema_fail(c, schema, "%s must be a list of schemas", any ? "anyOf" : "oneOf");
        }
        if (one && !schema_check_disjoint(c, schema)) {
            return false;
        }
        *found = true;
        *f = automaton_never(c->a);
        for (json_iterator it = json_iterate(branches); json_next(&it);) {
            schema_list list = {.count = 0};
            for (int32_t k = 0; k < e->count; k++) {
                uint32_t taken = k != i ? 0 : any ? SCHEMA_TAKEN_ANY : SCHEMA_TAKEN_ONE;
                list.items[list.count++] = (schema_member){e->items[k].schema, e->items[k].taken | taken};
            }
            if (!schema_list_add(c, &list, it.value, 0)) {
                return false;
            }
            *f = automaton_either(c->a, *f, schema_call(c, &list));
        }
        return true;
    }
    return true;
}

static bool compile_types(schema_compiler *c, const schema_entry *e, uint32_t types, fragment *f)
{
    automaton *a = c->a;
    fragment g;
    *f = automaton_never(a);
    if ((types & SCHEMA_OBJECT) != 0) {
        if (!schema_object(c, e, &g)) {
            return false;
        }
        *f = automaton_either(a, *f, g);
    }
    if ((types & SCHEMA_ARRAY) != 0) {
        if (!schema_array(c, e, &g)) {
            return false;
        }
        *f = automaton_either(a, *f, g);
    }
    if ((types & SCHEMA_STRING) != 0) {
        if (!schema_string(c, e, &g)) {
            return false;
        }
        *f = automaton_either(a, *f, g);
    }
    if ((types & (SCHEMA_INTEGER | SCHEMA_FRACTION)) != 0) {
        if (!schema_number(c, e, types, &g)) {
            return false;
        }
        *f = automaton_either(a, *f, g);
    }
    if ((types & SCHEMA_BOOLEAN) != 0) {
        g = automaton_either(a, schema_literal(c, "true"), schema_literal(c, "false"));
        *f = automaton_either(a, *f, g);
    }
    if ((types & SCHEMA_NULL) != 0) {
        *f = automaton_either(a, *f, schema_literal(c, "null"));
    }
    return true;
}

static bool compile_entry(schema_compiler *c, schema_entry e)
{
    uint32_t types = SCHEMA_ANY;
    bool done;
    fragment f = {0, 0};
    for (int32_t i = 0; i < e.count; i++) {
        uint32_t own;
        if (!check_keywords(c, e.items[i].schema) || !schema_types(c, e.items[i].schema, &own)) {
            return false;
        }
        types &= own;
    }
    c->a->owner = e.rule;
    if (!compile_branches(c, &e, &done, &f) || (!done && !schema_values(c, &e, types, &done, &f)) ||
        (!done && !compile_types(c, &e, types, &f)) || c->has_failed) {
        return false;
    }
    automaton_define(c->a, e.rule, f);
    return c->a->failure == SMIDGEN_ERROR_NONE;
}

/* --------------------------------------------------------------------------------------------------- whole
 */

static void define_shared(schema_compiler *c)
{
    automaton *a = c->a;
    c->space = automaton_rule_new(a);
    c->character = automaton_rule_new(a);
    c->string = automaton_rule_new(a);
    fragment line =
        automaton_then(a, schema_literal(c, "\n"), automaton_repeat(a, automaton_bytes(a, ' ', ' '), 0, 20));
    automaton_define(a, c->space, automaton_optional(a, automaton_either(a, schema_literal(c, " "), line)));

    /* half of a surrogate pair alone is no text: such escapes come in pairs */
    fragment plain = automaton_then(a, schema_bytes(c, "09ACEFacef"), schema_hex(c, 3));
    fragment low = automaton_then(a, automaton_then(a, schema_bytes(c, "DDdd"), schema_bytes(c, "07")),
                                  schema_hex(c, 2));
    fragment first = automaton_then(a, automaton_then(a, schema_bytes(c, "DDdd"), schema_bytes(c, "89ABab")),
                                    schema_hex(c, 2));
    fragment second = automaton_then(a, automaton_then(a, schema_bytes(c, "DDdd"), schema_bytes(c, "CFcf")),
                                     schema_hex(c, 2));
    fragment pair = automaton_then(a, automaton_then(a, first, schema_literal(c, "\\u")), second);
    fragment unicode = automaton_either(a, plain, automaton_either(a, low, pair));
    unicode = automaton_then(a, schema_literal(c, "u"), unicode);
    fragment escape = automaton_either(a, schema_bytes(c, "\"\"\\\\//bbffnnrrtt"), unicode);
    escape = automaton_then(a, schema_literal(c, "\\"), escape);
    automaton_define(a, c->character, automaton_either(a, schema_raw_character(c), escape));
    fragment inside = automaton_repeat(a, automaton_call(a, c->character), 0, -1);
    automaton_define(a, c->string, schema_quoted(c, inside));
}

static int32_t finish(schema_compiler *c, int32_t root)
{
    int32_t left_recursive;
    if (!automaton_finish(c->a, &left_recursive)) {
        if (left_recursive >= 0) {
            schema_fail(c, c->root, "a reference leads to itself");
            return -1;
        }
        return grammar_source_fail(c->a, c->error);
    }
    if (!automaton_is_productive(c->a, root)) {
        schema_fail(c, c->root, "no value can satisfy it");
        return -1;
    }
    return root;
}

static int32_t compile(schema_compiler *c)
{
    c->entries = arena_array(c->scratch, ENTRIES_MAX, sizeof *c->entries);
    c->slots = arena_array(c->scratch, SLOTS, sizeof *c->slots);
    if (c->entries == NULL || c->slots == NULL) {
        schema_fail_memory(c);
        return -1;
    }
    int32_t root = automaton_rule_new(c->a);
    define_shared(c);
    schema_list list = {.count = 0};
    if (!schema_list_add(c, &list, c->root, 0)) {
        return -1;
    }
    fragment whole = schema_call(c, &list);
    if (c->a->failure == SMIDGEN_ERROR_NONE) {
        automaton_define(c->a, root, whole);
    }
    while (c->next_entry < c->entry_count && !c->has_failed && c->a->failure == SMIDGEN_ERROR_NONE) {
        compile_entry(c, c->entries[c->next_entry++]);
    }
    if (c->has_failed) {
        return -1;
    }
    return c->a->failure != SMIDGEN_ERROR_NONE ? grammar_source_fail(c->a, c->error) : finish(c, root);
}

int32_t schema_compile(automaton *a, const char *text, size_t size_bytes, arena *scratch,
                       smidgen_error *error)
{
    smidgen_error own = {0};
    json_document *document = json_parse(text, size_bytes, "the JSON schema", scratch->allocator, &own);
    if (document == NULL) {
        own.code = own.code == SMIDGEN_ERROR_BAD_FILE ? SMIDGEN_ERROR_GRAMMAR : own.code;
        error_set(error, own.code, "%s", own.message);
        return -1;
    }
    schema_compiler c = {.a = a, .scratch = scratch, .error = error, .root = json_root(document)};
    int32_t root = compile(&c);
    json_close(document);
    return root;
}
