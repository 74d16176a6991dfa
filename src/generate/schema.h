/* The parts of the JSON schema compiler. A value must satisfy a list of schemas at once (a conjunction):
 * allOf and $ref make it longer, and each list that is met becomes one rule, compiled when its turn comes, so
 * that nothing recurses. Internal. */
#ifndef GENERATE_SCHEMA_H
#define GENERATE_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"
#include "generate/automaton.h"

enum {
    SCHEMA_MEMBERS_MAX = 64, /* schemas that one value must satisfy at once */
    SCHEMA_PROPERTIES_MAX = 4096,
    SCHEMA_NESTING_MAX = 128, /* of the schema's own JSON */
    SCHEMA_TAKEN_ANY = 1,     /* anyOf of the member was replaced by one of its branches */
    SCHEMA_TAKEN_ONE = 2,
};

typedef enum schema_type {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_FRACTION = 8,
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64,
    SCHEMA_ANY = 127,
} schema_type;

typedef struct schema_member {
    const json_value *schema;
    uint32_t taken;
} schema_member;

typedef struct schema_list {
    schema_member items[SCHEMA_MEMBERS_MAX];
    int32_t count;
    bool is_never; /* false is among them */
} schema_list;

typedef struct schema_entry {
    schema_member *items; /* [count] */
    int32_t count, rule;
} schema_entry;

typedef struct schema_compiler {
    automaton *a;
    arena *scratch;
    smidgen_error *error;
    bool has_failed; /* error is set */
    const json_value *root;
    schema_entry *entries; /* [entry_count] those from `next_entry` on wait to be compiled */
    int32_t entry_count, next_entry;
    int32_t *slots;                   /* hash table over entries: index + 1 */
    int32_t space, character, string; /* rules that everything shares */
} schema_compiler;

/* GRAMMAR with the JSON pointer of `where`; always false. */
bool schema_fail(schema_compiler *c, const json_value *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool schema_fail_memory(schema_compiler *c);

/* Adds a schema with what it refers to. */
bool schema_list_add(schema_compiler *c, schema_list *list, const json_value *schema, uint32_t taken);
/* Call of the rule for a list. */
fragment schema_call(schema_compiler *c, const schema_list *list);
/* One blank at most, or a line end and up to 20 blanks. */
fragment schema_space(schema_compiler *c);
fragment schema_literal(schema_compiler *c, const char *text);
/* One byte of the ranges in `pairs`: "09AF" is 0 to 9 and A to F. */
fragment schema_bytes(schema_compiler *c, const char *pairs);
fragment schema_hex(schema_compiler *c, int32_t digits);
/* A character of a string that needs no escape. */
fragment schema_raw_character(schema_compiler *c);
fragment schema_quoted(schema_compiler *c, fragment inside);

/* One kind of value for a list whose types allow it. False: error set. */
bool schema_object(schema_compiler *c, const schema_entry *e, fragment *f);
bool schema_array(schema_compiler *c, const schema_entry *e, fragment *f);
bool schema_string(schema_compiler *c, const schema_entry *e, fragment *f);
bool schema_number(schema_compiler *c, const schema_entry *e, uint32_t types, fragment *f);
/* const and enum; *has_values says whether there are any. */
bool schema_values(schema_compiler *c, const schema_entry *e, uint32_t types, bool *has_values, fragment *f);
/* oneOf may only be honoured as anyOf where no value fits two branches. */
bool schema_check_disjoint(schema_compiler *c, const json_value *schema);
/* Types that the schema's own `type` allows. */
bool schema_types(schema_compiler *c, const json_value *schema, uint32_t *types);
/* The schema that $ref names, or NULL with the error set. */
const json_value *schema_resolve(schema_compiler *c, const json_value *schema);

/* A regular expression as JSON Schema's `pattern` has it (found anywhere unless anchored), matched against
 * the text of a string and written as its inside. */
bool schema_pattern(schema_compiler *c, const json_value *where, const char *text, size_t size_bytes,
                    fragment *f);

/* Compact JSON text of a value; false without memory or past SCHEMA_NESTING_MAX (error set). */
bool schema_write(schema_compiler *c, const json_value *value, automaton_word *text);
/* The key or string as JSON text, quotes included. */
bool schema_write_string(schema_compiler *c, const char *text, size_t size_bytes, automaton_word *out);

#endif
