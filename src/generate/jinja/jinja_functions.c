/* Owns the global functions, and finding a row in any table. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/utf8.h"
#include "generate/jinja/jinja_library.h"

#define FUNCTION(name)                                                                                       \
    static bool name(jinja_runtime *rt, jinja_value s, const jinja_value *given, jinja_value *out)

FUNCTION(function_raise_exception)
{
    jinja_value text;
    (void)s;
    (void)out;
    if (!jinja_to_string(rt, given[0], &text)) {
        return false;
    }
    size_t room = sizeof rt->error->message - 1, size = text.size < room ? text.size : room;
    size -= size < text.size ? utf8_incomplete_tail(text.as.text, size) : 0;
    return error_set(rt->error, SMIDGEN_ERROR_TEMPLATE, "%.*s", (int)size, text.as.text);
}

FUNCTION(function_range)
{
    int64_t first, last, step;
    (void)s;
    bool is_single = !jinja_is_given(given[1]);
    if (!jinja_given_integer(rt, given[is_single ? 0 : 1], "stop", 0, &last) ||
        !jinja_given_integer(rt, given[0], "start", 0, &first) ||
        !jinja_given_integer(rt, given[2], "step", 1, &step)) {
        return false;
    }
    first = is_single ? 0 : first;
    if (step == 0 || step == INT64_MIN) {
        return jinja_fail(rt, "range(): the step must not be %s", step == 0 ? "0" : "so small");
    }
    bool is_up = step > 0;
    uint64_t distance = is_up ? (uint64_t)last - (uint64_t)first : (uint64_t)first - (uint64_t)last;
    uint64_t stride = (uint64_t)(is_up ? step : -step);
    uint64_t count = (is_up ? last <= first : last >= first) ? 0 : (distance - 1) / stride + 1;
    if (count > JINJA_MEMORY_MAX) {
        return jinja_allocate(rt, SIZE_MAX) != NULL;
    }
    jinja_value *items =
        jinja_charge(rt, count) ? jinja_allocate_array(rt, (size_t)count, sizeof *items) : NULL;
    if (items == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        items[i] = jinja_integer(first + (int64_t)i * step);
    }
    *out = jinja_list(items, (size_t)count);
    return true;
}

/* dict(a=1, ...), dict(mapping), dict(pairs): what namespace() takes too. */
static bool make_dict(jinja_runtime *rt, const jinja_arguments *arguments, const char *what, jinja_dict **out)
{
    jinja_dict *d = *out = jinja_dict_make(rt, arguments->named_count);
    if (d == NULL) {
        return false;
    }
    if (arguments->count > 1) {
        return jinja_fail(rt, "%s() takes at most one argument without a name", what);
    }
    jinja_value pairs = jinja_list(NULL, 0);
    if (arguments->count == 1) {
        pairs = arguments->values[0];
        if (pairs.kind == JINJA_DICT && !jinja_dict_items(rt, pairs.as.dict, &pairs)) {
            return false;
        }
    }
    if (!jinja_is_sequence(pairs)) {
        return jinja_fail(rt, "%s() needs a dict or pairs, not %s", what, jinja_kind_name(pairs));
    }
    for (uint32_t i = 0; i < pairs.size; i++) {
        jinja_value pair = pairs.as.items[i];
        if (!jinja_is_sequence(pair) || pair.size != 2) {
            return jinja_fail(rt, "%s() needs pairs, item %u is none", what, (unsigned)i);
        }
        if (!jinja_dict_set(rt, d, pair.as.items[0], pair.as.items[1])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < arguments->named_count; i++) {
        const jinja_variable *named = &arguments->named[i];
        if (!jinja_dict_set(rt, d, jinja_string(named->name.text, named->name.size), named->value)) {
            return false;
        }
    }
    return true;
}

static bool function_dict(jinja_runtime *rt, jinja_value s, const jinja_arguments *arguments,
                          jinja_value *out)
{
    (void)s;
    *out = (jinja_value){.kind = JINJA_DICT};
    return make_dict(rt, arguments, "dict", &out->as.dict);
}

static bool function_namespace(jinja_runtime *rt, jinja_value s, const jinja_arguments *arguments,
                               jinja_value *out)
{
    (void)s;
    *out = (jinja_value){.kind = JINJA_NAMESPACE};
    return make_dict(rt, arguments, "namespace", &out->as.dict);
}

/* One %-code; false when it is not known. English names whatever the locale. */
static bool format_time(char code, const struct tm *t, char out[32])
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    int hour = t->tm_hour % 12 == 0 ? 12 : t->tm_hour % 12;
    const struct {
        char code;
        const char *format;
        int value;
    } numbers[] = {
        {'d', "%02d", t->tm_mday},
        {'e', "%2d", t->tm_mday},
        {'m', "%02d", t->tm_mon + 1},
        {'Y', "%d", t->tm_year + 1900},
        {'y', "%02d", t->tm_year % 100},
        {'H', "%02d", t->tm_hour},
        {'I', "%02d", hour},
        {'M', "%02d", t->tm_min},
        {'S', "%02d", t->tm_sec},
        {'j', "%03d", t->tm_yday + 1},
        {'w', "%d", t->tm_wday},
        {'u', "%d", t->tm_wday == 0 ? 7 : t->tm_wday},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].code == code) {
            snprintf(out, 32, numbers[i].value < 0 ? "%d" : numbers[i].format, numbers[i].value);
            return true;
        }
    }
    switch (code) {
    case 'A':
    case 'a':
        snprintf(out, 32, code == 'A' ? "%s" : "%.3s", days[t->tm_wday]);
        return true;
    case 'B':
    case 'b':
    case 'h':
        snprintf(out, 32, code == 'B' ? "%s" : "%.3s", months[t->tm_mon]);
        return true;
    case 'p':
        snprintf(out, 32, "%s", t->tm_hour < 12 ? "AM" : "PM");
        return true;
    case 'F':
        snprintf(out, 32, "%d-%02d-%02d", t->tm_year + 1900, t->tm_mon + 1, t->tm_mday);
        return true;
    case 'T':
        snprintf(out, 32, "%02d:%02d:%02d", t->tm_hour, t->tm_min, t->tm_sec);
        return true;
    case '%':
        snprintf(out, 32, "%%");
        return true;
    default:
        return false;
    }
}

FUNCTION(function_strftime_now)
{
    jinja_value format;
    jinja_builder b = {0};
    struct tm now = {0};
    time_t seconds = time(NULL);
    (void)s;
    if (!jinja_given_string(rt, given[0], "format", jinja_none(), &format)) {
        return false;
    }
    localtime_r(&seconds, &now);
    for (uint32_t at = 0; at < format.size; at++) {
        char piece[32], c = format.as.text[at];
        if (c != '%') {
            if (!jinja_append(rt, &b, &c, 1)) {
                return false;
            }
            continue;
        }
        bool is_unpadded = at + 2 < format.size && format.as.text[at + 1] == '-';
        at += is_unpadded ? 2 : 1;
        if (at >= format.size || !format_time(format.as.text[at], &now, piece)) {
            return jinja_fail(rt, "strftime_now(): the code '%%%.*s' is not supported", at < format.size,
                              at < format.size ? format.as.text + at : "");
        }
        const char *first = piece;
        while (is_unpadded && (first[0] == '0' || first[0] == ' ') && first[1] != 0) {
            first++;
        }
        if (!jinja_append(rt, &b, first, strlen(first))) {
            return false;
        }
    }
    *out = jinja_built(&b);
    return true;
}

const jinja_function jinja_functions[] = {
    {"raise_exception", "message", 1, function_raise_exception, NULL},
    {"range", "start stop step", 1, function_range, NULL},
    {"dict", NULL, 0, NULL, function_dict},
    {"namespace", NULL, 0, NULL, function_namespace},
    {"strftime_now", "format", 1, function_strftime_now, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

/* Each table is one array or two. */
static const jinja_function *table_part(jinja_table table, int part)
{
    switch (table) {
    case JINJA_TABLE_FILTERS:
        return part == 0 ? jinja_filters_of_text : jinja_filters_of_sequences;
    case JINJA_TABLE_STRING_METHODS:
        return part == 0 ? jinja_string_methods : jinja_string_questions;
    case JINJA_TABLE_TESTS:
        return part == 0 ? jinja_tests : NULL;
    case JINJA_TABLE_FUNCTIONS:
        return part == 0 ? jinja_functions : NULL;
    case JINJA_TABLE_DICT_METHODS:
        return part == 0 ? jinja_dict_methods : NULL;
    case JINJA_TABLE_LIST_METHODS:
        return part == 0 ? jinja_list_methods : NULL;
    default:
        return part == 0 ? jinja_loop_methods : NULL;
    }
}

const jinja_function *jinja_table_row(jinja_table table, size_t index)
{
    for (int part = 0; part < 2; part++) {
        for (const jinja_function *row = table_part(table, part); row != NULL && row->name != NULL; row++) {
            if (index-- == 0) {
                return row;
            }
        }
    }
    return NULL;
}

const jinja_function *jinja_table_find(jinja_table table, const char *name, size_t size)
{
    for (int part = 0; part < 2; part++) {
        for (const jinja_function *row = table_part(table, part); row != NULL && row->name != NULL; row++) {
            if (strlen(row->name) == size && memcmp(row->name, name, size) == 0) {
                return row;
            }
        }
    }
    return NULL;
}
