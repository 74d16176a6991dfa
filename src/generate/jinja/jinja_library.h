/* Pieces that filters, tests, methods and functions share. */
#ifndef GENERATE_JINJA_LIBRARY_H
#define GENERATE_JINJA_LIBRARY_H

#include "generate/jinja/jinja_runtime.h"

typedef enum jinja_case {
    JINJA_CASE_UPPER,
    JINJA_CASE_LOWER,
    JINJA_CASE_TITLE,
    JINJA_CASE_WORDS,
    JINJA_CASE_FIRST,
    JINJA_CASE_SWAP
} jinja_case;
typedef enum jinja_side { JINJA_SIDE_LEFT = 1, JINJA_SIDE_RIGHT = 2, JINJA_SIDE_BOTH = 3 } jinja_side;

/* Optional arguments; a wrong kind is refused with the parameter's name. */
bool jinja_given_integer(jinja_runtime *rt, jinja_value given, const char *name, int64_t fallback,
                         int64_t *out);
bool jinja_given_string(jinja_runtime *rt, jinja_value given, const char *name, jinja_value fallback,
                        jinja_value *out);
static inline bool jinja_given_bool(jinja_value given, bool fallback)
{
    return given.kind == JINJA_NOT_GIVEN ? fallback : jinja_is_true(given);
}
static inline bool jinja_is_given(jinja_value given)
{
    return given.kind != JINJA_NOT_GIVEN && given.kind != JINJA_NONE;
}

/* jinja_strings.c */
bool jinja_change_case(jinja_runtime *rt, jinja_value text, jinja_case how, jinja_value *out);
/* Without the characters of `set` (white space when it is not a string) at its sides. */
bool jinja_strip(jinja_runtime *rt, jinja_value text, jinja_value set, jinja_side side, jinja_value *out);
/* At most `limit` times, -1: all. */
bool jinja_replace(jinja_runtime *rt, jinja_value text, jinja_value old, jinja_value new_text, int64_t limit,
                   jinja_value *out);
/* splitlines() */
bool jinja_split_lines(jinja_runtime *rt, jinja_value text, bool with_ends, jinja_value *out);
/* Padded with spaces to `width` code points. */
bool jinja_pad(jinja_runtime *rt, jinja_value text, int64_t width, jinja_side space_at, jinja_value *out);

/* A growing list. */
typedef struct jinja_items {
    jinja_value *items; /* [capacity] */
    uint32_t count, capacity;
} jinja_items;
bool jinja_items_add(jinja_runtime *rt, jinja_items *list, jinja_value v);
static inline jinja_value jinja_items_list(const jinja_items *list)
{
    return jinja_list(list->items, list->count);
}

/* The (key, value) tuples of a dict as a list. */
bool jinja_dict_items(jinja_runtime *rt, const jinja_dict *d, jinja_value *out);

#endif
