/* Owns the tests behind `is`. */
#include <math.h>
#include <string.h>

#include "generate/jinja/jinja_library.h"

#define TEST_OF(name, condition)                                                                             \
    static bool name(jinja_runtime *rt, jinja_value v, const jinja_value *given, jinja_value *out)           \
    {                                                                                                        \
        (void)rt;                                                                                            \
        (void)v, (void)given;                                                                                \
        *out = jinja_bool(condition);                                                                        \
        return true;                                                                                         \
    }

TEST_OF(test_defined, v.kind != JINJA_UNDEFINED)
TEST_OF(test_undefined, v.kind == JINJA_UNDEFINED)
TEST_OF(test_none, v.kind == JINJA_NONE)
TEST_OF(test_boolean, v.kind == JINJA_BOOL)
TEST_OF(test_true, v.kind == JINJA_BOOL && v.as.boolean)
TEST_OF(test_false, v.kind == JINJA_BOOL && !v.as.boolean)
TEST_OF(test_integer, v.kind == JINJA_INTEGER)
TEST_OF(test_float, v.kind == JINJA_FLOAT)
TEST_OF(test_number, jinja_is_numeric(v))
TEST_OF(test_string, v.kind == JINJA_STRING)
TEST_OF(test_mapping, v.kind == JINJA_DICT)
TEST_OF(test_sequence,
        jinja_is_sequence(v) || v.kind == JINJA_STRING || v.kind == JINJA_DICT || v.kind == JINJA_UNDEFINED)
TEST_OF(test_iterable, jinja_is_sequence(v) || v.kind == JINJA_STRING || v.kind == JINJA_DICT ||
                           v.kind == JINJA_UNDEFINED || v.kind == JINJA_LOOP)
TEST_OF(test_callable, v.kind == JINJA_FUNCTION || v.kind == JINJA_METHOD || v.kind == JINJA_MACRO)
TEST_OF(test_escaped, false)
TEST_OF(test_filter, v.kind == JINJA_STRING && jinja_filter_find(v.as.text, v.size) != NULL)
TEST_OF(test_test, v.kind == JINJA_STRING && jinja_test_find(v.as.text, v.size) != NULL)
/* Containers are the same when they are one object; scalars when kind and value agree. */
TEST_OF(test_sameas, v.kind == given[0].kind && v.size == given[0].size &&
                         (v.kind == JINJA_NONE || v.kind == JINJA_UNDEFINED ||
                          (v.kind == JINJA_BOOL ? v.as.boolean == given[0].as.boolean
                                                : v.as.integer == given[0].as.integer)))

static bool divides(jinja_runtime *rt, jinja_value v, jinja_value by, int64_t wanted, jinja_value *out)
{
    jinja_value remainder;
    if (!jinja_is_numeric(v) || !jinja_is_numeric(by)) {
        return jinja_fail(rt, "odd, even and divisibleby need numbers, not %s", jinja_kind_name(v));
    }
    if (!jinja_operate(rt, JINJA_OP_MODULO, v, by, &remainder)) {
        return false;
    }
    *out = jinja_bool(jinja_as_double(remainder) == (double)wanted);
    return true;
}

#define TEST_BODY(name)                                                                                      \
    static bool name(jinja_runtime *rt, jinja_value v, const jinja_value *given, jinja_value *out)

TEST_BODY(test_odd)
{
    (void)given;
    return divides(rt, v, jinja_integer(2), 1, out);
}
TEST_BODY(test_even)
{
    (void)given;
    return divides(rt, v, jinja_integer(2), 0, out);
}
TEST_BODY(test_divisibleby)
{
    return divides(rt, v, given[0], 0, out);
}
TEST_BODY(test_eq)
{
    return jinja_operate(rt, JINJA_OP_EQUAL, v, given[0], out);
}
TEST_BODY(test_ne)
{
    return jinja_operate(rt, JINJA_OP_NOT_EQUAL, v, given[0], out);
}
TEST_BODY(test_lt)
{
    return jinja_operate(rt, JINJA_OP_LESS, v, given[0], out);
}
TEST_BODY(test_le)
{
    return jinja_operate(rt, JINJA_OP_LESS_EQUAL, v, given[0], out);
}
TEST_BODY(test_gt)
{
    return jinja_operate(rt, JINJA_OP_GREATER, v, given[0], out);
}
TEST_BODY(test_ge)
{
    return jinja_operate(rt, JINJA_OP_GREATER_EQUAL, v, given[0], out);
}
TEST_BODY(test_in)
{
    return jinja_operate(rt, JINJA_OP_IN, v, given[0], out);
}

static bool test_case(jinja_runtime *rt, jinja_value v, const char *question, jinja_value *out)
{
    static const jinja_arguments none = {0};
    const jinja_function *row = jinja_table_find(JINJA_TABLE_STRING_METHODS, question, strlen(question));
    return jinja_to_string(rt, v, &v) && jinja_call_function(rt, row, "test", v, &none, out);
}

TEST_BODY(test_lower)
{
    (void)given;
    return test_case(rt, v, "islower", out);
}
TEST_BODY(test_upper)
{
    (void)given;
    return test_case(rt, v, "isupper", out);
}

const jinja_function jinja_tests[] = {
    {"boolean", "", 0, test_boolean, NULL},     {"callable", "", 0, test_callable, NULL},
    {"defined", "", 0, test_defined, NULL},     {"divisibleby", "num", 1, test_divisibleby, NULL},
    {"eq", "other", 1, test_eq, NULL},          {"equalto", "other", 1, test_eq, NULL},
    {"==", "other", 1, test_eq, NULL},          {"escaped", "", 0, test_escaped, NULL},
    {"even", "", 0, test_even, NULL},           {"false", "", 0, test_false, NULL},
    {"filter", "", 0, test_filter, NULL},       {"float", "", 0, test_float, NULL},
    {"ge", "other", 1, test_ge, NULL},          {">=", "other", 1, test_ge, NULL},
    {"greaterthan", "other", 1, test_gt, NULL}, {"gt", "other", 1, test_gt, NULL},
    {">", "other", 1, test_gt, NULL},           {"in", "seq", 1, test_in, NULL},
    {"integer", "", 0, test_integer, NULL},     {"iterable", "", 0, test_iterable, NULL},
    {"le", "other", 1, test_le, NULL},          {"<=", "other", 1, test_le, NULL},
    {"lessthan", "other", 1, test_lt, NULL},    {"lower", "", 0, test_lower, NULL},
    {"lt", "other", 1, test_lt, NULL},          {"<", "other", 1, test_lt, NULL},
    {"mapping", "", 0, test_mapping, NULL},     {"ne", "other", 1, test_ne, NULL},
    {"!=", "other", 1, test_ne, NULL},          {"none", "", 0, test_none, NULL},
    {"number", "", 0, test_number, NULL},       {"odd", "", 0, test_odd, NULL},
    {"sameas", "other", 1, test_sameas, NULL},  {"sequence", "", 0, test_sequence, NULL},
    {"string", "", 0, test_string, NULL},       {"test", "", 0, test_test, NULL},
    {"true", "", 0, test_true, NULL},           {"undefined", "", 0, test_undefined, NULL},
    {"upper", "", 0, test_upper, NULL},         {NULL, NULL, 0, NULL, NULL},
};
