/* Values of the template language. A value is 16 bytes and passed by copy; what it points to lies in the
 * arena of the rendering (or in the caller's messages, or in the template) and never changes, namespaces
 * excepted. */
#ifndef GENERATE_JINJA_VALUE_H
#define GENERATE_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum jinja_kind {
    JINJA_UNDEFINED, /* text: the name that was looked up, for the error message */
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INTEGER,
    JINJA_FLOAT,
    JINJA_STRING, /* UTF-8, not terminated */
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,     /* the variable `loop` */
    JINJA_FUNCTION, /* a global function */
    JINJA_METHOD,   /* a method bound to its receiver */
    JINJA_MACRO,
    JINJA_NOT_GIVEN, /* an argument that the caller left out; never seen by a template */
} jinja_kind;

struct jinja_value;
struct jinja_dict;
struct jinja_loop;
struct jinja_function;
struct jinja_bound_method;
struct jinja_macro;

typedef struct jinja_value {
    jinja_kind kind;
    uint32_t size; /* bytes of a string, elements of a list or tuple */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;                /* [size] */
        const struct jinja_value *items; /* [size] */
        struct jinja_dict *dict;         /* of a namespace too */
        struct jinja_loop *loop;
        const struct jinja_function *function;
        const struct jinja_bound_method *method;
        const struct jinja_macro *macro;
    } as;
} jinja_value;

typedef struct jinja_entry {
    jinja_value key, value;
} jinja_entry;

/* In order of insertion. Above JINJA_DICT_INDEX_FROM entries lookups go through an open-addressing table. */
typedef struct jinja_dict {
    jinja_entry *entries; /* [capacity], count of them in use */
    uint32_t count, capacity;
    uint32_t *index; /* [index_size] entry number + 1, or 0; NULL for small dicts */
    uint32_t index_size;
} jinja_dict;

enum { JINJA_DICT_INDEX_FROM = 16 };

static inline jinja_value jinja_undefined(const char *name, size_t size)
{
    return (jinja_value){.kind = JINJA_UNDEFINED, .size = (uint32_t)size, .as.text = name};
}

static inline jinja_value jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NONE};
}

static inline jinja_value jinja_bool(bool boolean)
{
    return (jinja_value){.kind = JINJA_BOOL, .as.boolean = boolean};
}

static inline jinja_value jinja_integer(int64_t integer)
{
    return (jinja_value){.kind = JINJA_INTEGER, .as.integer = integer};
}

static inline jinja_value jinja_float(double number)
{
    return (jinja_value){.kind = JINJA_FLOAT, .as.number = number};
}

/* Points to the text; no copy. Sizes fit 32 bits because a rendering is bounded. */
static inline jinja_value jinja_string(const char *text, size_t size)
{
    return (jinja_value){.kind = JINJA_STRING, .size = (uint32_t)size, .as.text = text};
}

static inline jinja_value jinja_list(const jinja_value *items, size_t count)
{
    return (jinja_value){.kind = JINJA_LIST, .size = (uint32_t)count, .as.items = items};
}

static inline bool jinja_is_sequence(jinja_value v)
{
    return v.kind == JINJA_LIST || v.kind == JINJA_TUPLE;
}

/* Bools count as numbers, as in Python. */
static inline bool jinja_is_numeric(jinja_value v)
{
    return v.kind == JINJA_BOOL || v.kind == JINJA_INTEGER || v.kind == JINJA_FLOAT;
}

static inline double jinja_as_double(jinja_value v)
{
    return v.kind == JINJA_FLOAT  ? v.as.number
           : v.kind == JINJA_BOOL ? (double)v.as.boolean
                                  : (double)v.as.integer;
}

static inline int64_t jinja_as_integer(jinja_value v)
{
    return v.kind == JINJA_BOOL ? (int64_t)v.as.boolean : v.as.integer;
}

/* "str", "dict" ...: what Python calls the type. */
const char *jinja_kind_name(jinja_value v);
bool jinja_is_true(jinja_value v);

#endif
