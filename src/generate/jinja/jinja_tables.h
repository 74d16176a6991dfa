/* What templates may call: filters, tests, methods and global functions, each a row in a table. The tables
 * are the documentation: a test compares docs/chat-templates.md with them. */
#ifndef GENERATE_JINJA_TABLES_H
#define GENERATE_JINJA_TABLES_H

#include "generate/jinja/jinja_value.h"

struct jinja_runtime;
struct jinja_arguments;

enum { JINJA_PARAMETERS_MAX = 6 };

/* Arguments sorted into the row's parameters; those left out are JINJA_NOT_GIVEN. */
typedef bool jinja_bound_call(struct jinja_runtime *rt, jinja_value subject, const jinja_value *given,
                              jinja_value *out);
/* Arguments as they were written. */
typedef bool jinja_free_call(struct jinja_runtime *rt, jinja_value subject,
                             const struct jinja_arguments *arguments, jinja_value *out);

typedef struct jinja_function {
    const char *name;
    const char *parameters; /* names with blanks between; NULL for a free call */
    uint32_t required;
    jinja_bound_call *bound;
    jinja_free_call *free;
} jinja_function;

typedef enum jinja_table {
    JINJA_TABLE_FILTERS,
    JINJA_TABLE_TESTS,
    JINJA_TABLE_FUNCTIONS,
    JINJA_TABLE_STRING_METHODS,
    JINJA_TABLE_DICT_METHODS,
    JINJA_TABLE_LIST_METHODS,
    JINJA_TABLE_LOOP_METHODS,
} jinja_table;

/* NULL past the last row. */
const jinja_function *jinja_table_row(jinja_table table, size_t index);
const jinja_function *jinja_table_find(jinja_table table, const char *name, size_t size);
/* The names of all tags; returns how many there are. */
size_t jinja_tag_names(const char **names, size_t capacity);

static inline const jinja_function *jinja_filter_find(const char *name, size_t size)
{
    return jinja_table_find(JINJA_TABLE_FILTERS, name, size);
}

static inline const jinja_function *jinja_test_find(const char *name, size_t size)
{
    return jinja_table_find(JINJA_TABLE_TESTS, name, size);
}

/* The parts of the tables. */
extern const jinja_function jinja_filters_of_text[], jinja_filters_of_sequences[], jinja_tests[],
    jinja_functions[], jinja_string_methods[], jinja_string_questions[], jinja_dict_methods[],
    jinja_list_methods[], jinja_loop_methods[];

#endif
