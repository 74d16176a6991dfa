/* Owns the filters over single values: text, numbers, defaults, JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

#define FILTER(name)                                                                                         \
    static bool name(jinja_runtime *rt, jinja_value v, const jinja_value *given, jinja_value *out)

static bool change_case(jinja_runtime *rt, jinja_value v, jinja_case how, jinja_value *out)
{
    return jinja_to_string(rt, v, &v) && jinja_change_case(rt, v, how, out);
}

FILTER(filter_upper)
{
    (void)given;
    return change_case(rt, v, JINJA_CASE_UPPER, out);
}
FILTER(filter_lower)
{
    (void)given;
    return change_case(rt, v, JINJA_CASE_LOWER, out);
}
FILTER(filter_title)
{
    (void)given;
    return change_case(rt, v, JINJA_CASE_WORDS, out);
}
FILTER(filter_capitalize)
{
    (void)given;
    return change_case(rt, v, JINJA_CASE_FIRST, out);
}
FILTER(filter_string)
{
    (void)given;
    return jinja_to_string(rt, v, out);
}

FILTER(filter_safe)
{
    (void)rt;
    (void)given;
    *out = v;
    return true;
}

FILTER(filter_trim)
{
    if (jinja_is_given(given[0]) && given[0].kind != JINJA_STRING) {
        return jinja_fail(rt, "trim: 'chars' must be a string, not %s", jinja_kind_name(given[0]));
    }
    return jinja_to_string(rt, v, &v) && jinja_strip(rt, v, given[0], JINJA_SIDE_BOTH, out);
}

FILTER(filter_replace)
{
    int64_t limit;
    jinja_value old, new_text;
    return jinja_to_string(rt, v, &v) && jinja_to_string(rt, given[0], &old) &&
           jinja_to_string(rt, given[1], &new_text) &&
           jinja_given_integer(rt, given[2], "count", -1, &limit) &&
           jinja_replace(rt, v, old, new_text, limit, out);
}

FILTER(filter_escape)
{
    jinja_builder b = {0};
    (void)given;
    if (!jinja_to_string(rt, v, &v)) {
        return false;
    }
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    for (uint32_t at = 0; at < v.size;) {
        const char *found = v.as.text[at] == 0 ? NULL : strchr(from, v.as.text[at]);
        uint32_t end = at + 1;
        if (found != NULL) {
            if (!jinja_append(rt, &b, to[found - from], strlen(to[found - from]))) {
                return false;
            }
        } else {
            while (end < v.size && (v.as.text[end] == 0 || strchr(from, v.as.text[end]) == NULL)) {
                end++;
            }
            if (!jinja_append(rt, &b, v.as.text + at, end - at)) {
                return false;
            }
        }
        at = end;
    }
    *out = jinja_built(&b);
    return true;
}

FILTER(filter_default)
{
    (void)rt;
    bool is_replaced = v.kind == JINJA_UNDEFINED || (jinja_given_bool(given[1], false) && !jinja_is_true(v));
    *out = !is_replaced ? v : given[0].kind == JINJA_NOT_GIVEN ? jinja_string("", 0) : given[0];
    return true;
}

FILTER(filter_indent)
{
    jinja_builder b = {0}, margin = {0};
    jinja_value lines;
    bool is_first_indented = jinja_given_bool(given[1], false),
         is_blank_indented = jinja_given_bool(given[2], false);
    int64_t width = 4;
    if (given[0].kind == JINJA_STRING) {
        if (!jinja_append_value(rt, &margin, given[0])) {
            return false;
        }
    } else if (!jinja_given_integer(rt, given[0], "width", 4, &width) ||
               !jinja_append_spaces(rt, &margin, width)) {
        return false;
    }
    if (!jinja_to_string(rt, v, &v) || !jinja_split_lines(rt, v, false, &lines)) {
        return false;
    }
    /* A text that ends with a newline keeps it: its last line is then empty. */
    bool ends_open = v.size == 0 || (v.as.text[v.size - 1] == '\n');
    uint32_t count = lines.size + ends_open;
    for (uint32_t i = 0; i < count; i++) {
        jinja_value line = i < lines.size ? lines.as.items[i] : jinja_string("", 0);
        bool is_indented = i == 0 ? is_first_indented : is_blank_indented || line.size != 0;
        if ((i != 0 && !jinja_append(rt, &b, "\n", 1)) ||
            (is_indented && !jinja_append(rt, &b, margin.data, margin.size)) ||
            !jinja_append_value(rt, &b, line)) {
            return false;
        }
    }
    *out = jinja_built(&b);
    return true;
}

FILTER(filter_truncate)
{
    int64_t limit, leeway, length;
    jinja_value end;
    if (!jinja_to_string(rt, v, &v) || !jinja_given_integer(rt, given[0], "length", 255, &limit) ||
        !jinja_given_string(rt, given[2], "end", jinja_string("...", 3), &end) ||
        !jinja_given_integer(rt, given[3], "leeway", 5, &leeway) || !jinja_length(rt, v, &length)) {
        return false;
    }
    int64_t kept = limit - (int64_t)jinja_text_length(end.as.text, end.size);
    if (kept < 0 || leeway < 0) {
        return jinja_fail(rt, "truncate: 'length' is shorter than 'end', or 'leeway' is negative");
    }
    if (length <= limit || length - limit <= leeway) {
        *out = v;
        return true;
    }
    size_t size = jinja_text_offset(v.as.text, v.size, (size_t)kept);
    if (!jinja_given_bool(given[1], false)) {
        size_t space = jinja_text_find_last(v.as.text, size, " ", 1);
        size = space == SIZE_MAX ? size : space;
    }
    return jinja_concatenate(rt, jinja_string(v.as.text, size), end, out);
}

FILTER(filter_center)
{
    int64_t width;
    return jinja_to_string(rt, v, &v) && jinja_given_integer(rt, given[0], "width", 80, &width) &&
           jinja_pad(rt, v, width, JINJA_SIDE_BOTH, out);
}

/* ---- numbers */

static bool integer_of_double(double number, int64_t *integer)
{
    if (!(number > -0x1p63 && number < 0x1p63)) {
        return false;
    }
    *integer = (int64_t)number;
    return true;
}

FILTER(filter_int)
{
    int64_t base, integer = 0;
    double number;
    bool is_read = false;
    if (!jinja_given_integer(rt, given[1], "base", 10, &base)) {
        return false;
    }
    if (base < 2 || base > 36) {
        return jinja_fail(rt, "int: 'base' must lie between 2 and 36");
    }
    if (v.kind == JINJA_STRING) {
        is_read = jinja_parse_integer(v.as.text, v.size, (int)base, &integer) ||
                  (jinja_parse_float(v.as.text, v.size, &number) && integer_of_double(number, &integer));
    } else if (v.kind == JINJA_FLOAT) {
        is_read = integer_of_double(v.as.number, &integer);
    } else if (jinja_is_numeric(v)) {
        integer = jinja_as_integer(v);
        is_read = true;
    }
    *out = is_read ? jinja_integer(integer) : given[0].kind == JINJA_NOT_GIVEN ? jinja_integer(0) : given[0];
    return jinja_charge(rt, v.kind == JINJA_STRING ? v.size : 0);
}

FILTER(filter_float)
{
    double number = 0;
    bool is_read = v.kind == JINJA_STRING && jinja_parse_float(v.as.text, v.size, &number);
    if (jinja_is_numeric(v)) {
        number = jinja_as_double(v);
        is_read = true;
    }
    *out = is_read ? jinja_float(number) : given[0].kind == JINJA_NOT_GIVEN ? jinja_float(0) : given[0];
    return jinja_charge(rt, v.kind == JINJA_STRING ? v.size : 0);
}

FILTER(filter_abs)
{
    (void)given;
    if (v.kind == JINJA_FLOAT) {
        *out = jinja_float(fabs(v.as.number));
        return true;
    }
    if (!jinja_is_numeric(v)) {
        return jinja_fail(rt, "abs: %s is not a number", jinja_kind_name(v));
    }
    int64_t integer = jinja_as_integer(v);
    return jinja_operate(rt, integer < 0 ? JINJA_OP_SUBTRACT : JINJA_OP_ADD, jinja_integer(0),
                         jinja_integer(integer), out);
}

FILTER(filter_round)
{
    int64_t precision;
    jinja_value method;
    if (!jinja_given_integer(rt, given[0], "precision", 0, &precision) ||
        !jinja_given_string(rt, given[1], "method", jinja_string("common", 6), &method)) {
        return false;
    }
    if (!jinja_is_numeric(v) || precision < -300 || precision > 300) {
        return jinja_fail(rt, "round: needs a number and a precision within 300");
    }
    double number = jinja_as_double(v), scale = pow(10, (double)precision);
    if (method.size == 4 && memcmp(method.as.text, "ceil", 4) == 0) {
        *out = jinja_float(ceil(number * scale) / scale);
    } else if (method.size == 5 && memcmp(method.as.text, "floor", 5) == 0) {
        *out = jinja_float(floor(number * scale) / scale);
    } else if (method.size != 6 || memcmp(method.as.text, "common", 6) != 0) {
        return jinja_fail(rt, "round: 'method' must be common, ceil or floor");
    } else if (v.kind != JINJA_FLOAT && precision >= 0) {
        *out = jinja_integer(jinja_as_integer(v));
    } else if (precision > 17) {
        *out = jinja_float(number);
    } else if (precision > 0) { /* through decimal text, so that 2.675 rounds like the number that it is */
        char digits[350];
        snprintf(digits, sizeof digits, "%.*f", (int)precision, number);
        *out = jinja_float(strtod(digits, NULL));
    } else {
        *out = jinja_float(precision == 0 ? rint(number) : rint(number * scale) / scale);
    }
    return true;
}

/* ---- JSON */

FILTER(filter_tojson)
{
    jinja_builder b = {0};
    jinja_json_style style = {.is_ascii = jinja_given_bool(given[0], false),
                              .is_sorted = jinja_given_bool(given[3], false)};
    if (!jinja_given_integer(rt, given[1], "indent", -1, &style.indent)) {
        return false;
    }
    style.indent = style.indent < 0 && jinja_is_given(given[1]) ? 0 : style.indent;
    style.item_separator = style.indent >= 0 ? jinja_string(",", 1) : jinja_string(", ", 2);
    style.key_separator = jinja_string(": ", 2);
    if (jinja_is_given(given[2])) {
        jinja_value pair = given[2];
        if (!jinja_is_sequence(pair) || pair.size != 2 || pair.as.items[0].kind != JINJA_STRING ||
            pair.as.items[1].kind != JINJA_STRING) {
            return jinja_fail(rt, "tojson: 'separators' must be two strings");
        }
        style.item_separator = pair.as.items[0];
        style.key_separator = pair.as.items[1];
    }
    if (!jinja_append_json(rt, &b, v, &style, 0)) {
        return false;
    }
    *out = jinja_built(&b);
    return true;
}

static bool filter_format(jinja_runtime *rt, jinja_value v, const jinja_arguments *arguments,
                          jinja_value *out)
{
    if (arguments->named_count != 0) {
        return jinja_fail(rt, "format: arguments by name are not supported");
    }
    jinja_value values = {.kind = JINJA_TUPLE, .size = arguments->count, .as.items = arguments->values};
    return jinja_to_string(rt, v, &v) && jinja_format_percent(rt, v, values, out);
}

FILTER(filter_attr)
{
    jinja_value name;
    return jinja_given_string(rt, given[0], "name", jinja_none(), &name) &&
           jinja_attribute(rt, v, name.as.text, name.size, out);
}

const jinja_function jinja_filters_of_text[] = {
    {"abs", "", 0, filter_abs, NULL},
    {"attr", "name", 1, filter_attr, NULL},
    {"capitalize", "", 0, filter_capitalize, NULL},
    {"center", "width", 0, filter_center, NULL},
    {"d", "default_value boolean", 0, filter_default, NULL},
    {"default", "default_value boolean", 0, filter_default, NULL},
    {"e", "", 0, filter_escape, NULL},
    {"escape", "", 0, filter_escape, NULL},
    {"float", "default", 0, filter_float, NULL},
    {"forceescape", "", 0, filter_escape, NULL},
    {"format", NULL, 0, NULL, filter_format},
    {"indent", "width first blank", 0, filter_indent, NULL},
    {"int", "default base", 0, filter_int, NULL},
    {"lower", "", 0, filter_lower, NULL},
    {"replace", "old new count", 2, filter_replace, NULL},
    {"round", "precision method", 0, filter_round, NULL},
    {"safe", "", 0, filter_safe, NULL},
    {"string", "", 0, filter_string, NULL},
    {"title", "", 0, filter_title, NULL},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson, NULL},
    {"trim", "chars", 0, filter_trim, NULL},
    {"truncate", "length killwords end leeway", 0, filter_truncate, NULL},
    {"upper", "", 0, filter_upper, NULL},
    {"random", "", 0, NULL, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
