/* One rendering: its memory, its bounds, its variables. Every function that can fail returns false with
 * rt->error set. */
#ifndef GENERATE_JINJA_RUNTIME_H
#define GENERATE_JINJA_RUNTIME_H

#include "base/arena.h"
#include "base/json.h"
#include "generate/jinja/jinja_node.h"
#include "generate/jinja/jinja_tables.h"

enum {
    /* Takes at most 128 KiB of stack in a release build on x86-64. */
    JINJA_RUN_DEPTH_MAX = 400,         /* nested expressions, blocks, macro calls and values together */
    JINJA_STEPS_MAX = 4 * 1000 * 1000, /* nodes evaluated, and more for the bytes and items touched */
    JINJA_MEMORY_MAX = 64 * 1024 * 1024,
};

typedef enum jinja_signal { JINJA_SIGNAL_NONE, JINJA_SIGNAL_BREAK, JINJA_SIGNAL_CONTINUE } jinja_signal;

typedef struct jinja_variable {
    jinja_name name;
    jinja_value value;
} jinja_variable;

typedef struct jinja_scope {
    struct jinja_scope *parent;
    jinja_variable *variables; /* [capacity] */
    uint32_t count, capacity;
    bool is_captured; /* a macro may outlive it, so a loop must not reuse it */
} jinja_scope;

/* Text that grows. */
typedef struct jinja_builder {
    char *data; /* [capacity] */
    size_t size, capacity;
} jinja_builder;

/* Room behind the end of a concatenation, so that text = text + more costs only `more`. */
typedef struct jinja_tail {
    char *end;
    size_t room_bytes;
} jinja_tail;

typedef struct jinja_runtime {
    arena *memory;
    smidgen_error *error;
    uint64_t steps;
    uint32_t depth, line;
    jinja_signal signal;
    jinja_builder *output;
    jinja_tail tails[4];
} jinja_runtime;

typedef struct jinja_arguments {
    const jinja_value *values; /* [count] */
    uint32_t count, named_count;
    const jinja_variable *named; /* [named_count] */
} jinja_arguments;

typedef struct jinja_macro {
    const jinja_node *node; /* MACRO_BLOCK */
    jinja_scope *scope;     /* where it was defined */
} jinja_macro;

typedef struct jinja_bound_method {
    const jinja_function *function;
    jinja_value receiver;
} jinja_bound_method;

typedef struct jinja_loop {
    const jinja_value *items; /* [count] */
    uint32_t count, index0, depth0;
    const jinja_node *node; /* FOR, when it is recursive; else NULL */
    jinja_scope *scope;     /* around the loop */
    jinja_value changed;    /* what loop.changed() saw last */
} jinja_loop;

/* ---- jinja_runtime.c: bounds, memory, text under construction, variables */

/* TEMPLATE: "line N: ..." */
__attribute__((format(printf, 2, 3))) bool jinja_fail(jinja_runtime *rt, const char *format, ...);
/* Bytes that are looked at one character at a time, in units of work. */
enum { JINJA_CHARACTER_WORK = 8 };
/* One step and one more for each 64 units of work; LIMIT when the steps are used up. */
bool jinja_charge(jinja_runtime *rt, uint64_t work);
/* One level deeper (leave with rt->depth--), or LIMIT. */
bool jinja_enter(jinja_runtime *rt);
/* NULL with OUT_OF_MEMORY or LIMIT set. */
void *jinja_allocate(jinja_runtime *rt, size_t size_bytes);
void *jinja_allocate_array(jinja_runtime *rt, size_t count, size_t size);
bool jinja_append(jinja_runtime *rt, jinja_builder *b, const char *text, size_t size);
bool jinja_append_spaces(jinja_runtime *rt, jinja_builder *b, int64_t count);
static inline jinja_value jinja_built(const jinja_builder *b)
{
    return jinja_string(b->data == NULL ? "" : b->data, b->size);
}
bool jinja_concatenate(jinja_runtime *rt, jinja_value left, jinja_value right, jinja_value *out);
bool jinja_scope_set(jinja_runtime *rt, jinja_scope *scope, jinja_name name, jinja_value value);
/* The variable, or the global function of that name, or undefined. */
bool jinja_scope_get(jinja_runtime *rt, const jinja_scope *scope, const jinja_name *name, jinja_value *out);
void jinja_scope_capture(jinja_scope *scope);

/* ---- jinja_value.c */

/* Python's ==. */
bool jinja_equal(jinja_runtime *rt, jinja_value x, jinja_value y, bool *is_equal);
/* Python's <=>: *order is -1, 0 or 1; fails for kinds that have no order. */
bool jinja_compare(jinja_runtime *rt, jinja_value x, jinja_value y, bool is_case_ignored, int *order);
bool jinja_contains(jinja_runtime *rt, jinja_value container, jinja_value item, bool *is_contained);
/* What a loop goes over: items, keys, characters; *count of them. Fails for what is not iterable. */
bool jinja_iterate(jinja_runtime *rt, jinja_value v, const jinja_value **items, uint32_t *count);
/* len(); fails for what has none. */
bool jinja_length(jinja_runtime *rt, jinja_value v, int64_t *length);
jinja_dict *jinja_dict_make(jinja_runtime *rt, size_t capacity);
bool jinja_dict_set(jinja_runtime *rt, jinja_dict *d, jinja_value key, jinja_value value);
/* NULL when there is none; cannot fail. */
const jinja_value *jinja_dict_get(jinja_runtime *rt, const jinja_dict *d, jinja_value key);
bool jinja_pair(jinja_runtime *rt, jinja_value first, jinja_value second, jinja_value *out);

/* The permutation that sorts keys, stably; descending when reversed. jinja_sort.c */
bool jinja_sort_order(jinja_runtime *rt, const jinja_value *keys, uint32_t count, bool is_case_ignored,
                      bool is_reversed, uint32_t **order);

/* ---- jinja_print.c: values to text and JSON; JSON to values */

bool jinja_append_value(jinja_runtime *rt, jinja_builder *b, jinja_value v); /* str() */
bool jinja_to_string(jinja_runtime *rt, jinja_value v, jinja_value *out);
typedef struct jinja_json_style {
    int64_t indent; /* -1: one line */
    bool is_ascii, is_sorted;
    jinja_value item_separator, key_separator;
} jinja_json_style;
bool jinja_append_json(jinja_runtime *rt, jinja_builder *b, jinja_value v, const jinja_json_style *style,
                       int64_t level);
bool jinja_from_json(jinja_runtime *rt, const json_value *json, jinja_value *out);

/* ---- jinja_operate.c: operators, indices, slices */

bool jinja_operate(jinja_runtime *rt, jinja_operator operation, jinja_value x, jinja_value y,
                   jinja_value *out);
bool jinja_attribute(jinja_runtime *rt, jinja_value v, const char *name, size_t size, jinja_value *out);
bool jinja_item(jinja_runtime *rt, jinja_value v, jinja_value key, jinja_value *out);
/* Bounds that are none count as left out. */
bool jinja_slice(jinja_runtime *rt, jinja_value v, const jinja_value bounds[3], jinja_value *out);
/* 'text %s' % values and 'text {}'.format(values). jinja_format.c */
bool jinja_format_percent(jinja_runtime *rt, jinja_value format, jinja_value values, jinja_value *out);
bool jinja_format_braces(jinja_runtime *rt, jinja_value format, const jinja_arguments *arguments,
                         jinja_value *out);

/* ---- jinja_call.c: sorting arguments into parameters */

bool jinja_call_function(jinja_runtime *rt, const jinja_function *f, const char *what, jinja_value subject,
                         const jinja_arguments *arguments, jinja_value *out);
bool jinja_call(jinja_runtime *rt, jinja_value callee, const jinja_arguments *arguments, jinja_value *out);

/* ---- jinja_evaluate.c (expressions), jinja_execute.c (statements) */

bool jinja_evaluate(jinja_runtime *rt, jinja_scope *scope, const jinja_node *node, jinja_value *out);
bool jinja_evaluate_arguments(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first,
                              jinja_arguments *out);
/* Filters one after the other. */
bool jinja_apply_filters(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first, jinja_value *value);
bool jinja_execute(jinja_runtime *rt, jinja_scope *scope, const jinja_node *first);
bool jinja_call_macro(jinja_runtime *rt, const jinja_macro *macro, const jinja_arguments *arguments,
                      jinja_value *out);
bool jinja_call_loop(jinja_runtime *rt, jinja_loop *loop, jinja_value items, jinja_value *out);

#endif
