/* Owns the methods of dicts, lists and `loop`, and those questions about strings that only look at
 * characters. Values never change, so methods that would change one (append, pop, update ...) are named here
 * but refused, as they are in the sandbox that the reference implementation renders chat templates in. */
#include <string.h>

#include "base/utf8.h"
#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

#define METHOD(name)                                                                                         \
    static bool name(jinja_runtime *rt, jinja_value s, const jinja_value *given, jinja_value *out)

bool jinja_dict_items(jinja_runtime *rt, const jinja_dict *d, jinja_value *out)
{
    jinja_value *items =
        jinja_charge(rt, d->count) ? jinja_allocate_array(rt, d->count, sizeof *items) : NULL;
    if (items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        if (!jinja_pair(rt, d->entries[i].key, d->entries[i].value, &items[i])) {
            return false;
        }
    }
    *out = jinja_list(items, d->count);
    return true;
}

METHOD(dict_items)
{
    (void)given;
    return jinja_dict_items(rt, s.as.dict, out);
}

METHOD(dict_keys)
{
    const jinja_value *items;
    uint32_t count;
    (void)given;
    if (!jinja_iterate(rt, s, &items, &count)) {
        return false;
    }
    *out = jinja_list(items, count);
    return true;
}

METHOD(dict_values)
{
    const jinja_dict *d = s.as.dict;
    (void)given;
    jinja_value *items =
        jinja_charge(rt, d->count) ? jinja_allocate_array(rt, d->count, sizeof *items) : NULL;
    if (items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++) {
        items[i] = d->entries[i].value;
    }
    *out = jinja_list(items, d->count);
    return true;
}

METHOD(dict_get)
{
    const jinja_value *found = jinja_dict_get(rt, s.as.dict, given[0]);
    *out = found != NULL ? *found : given[1].kind == JINJA_NOT_GIVEN ? jinja_none() : given[1];
    return true;
}

METHOD(dict_copy)
{
    (void)rt;
    (void)given;
    *out = s;
    return true;
}

const jinja_function jinja_dict_methods[] = {
    {"items", "", 0, dict_items, NULL},   {"keys", "", 0, dict_keys, NULL},
    {"values", "", 0, dict_values, NULL}, {"get", "key default", 1, dict_get, NULL},
    {"copy", "", 0, dict_copy, NULL},     {"update", "", 0, NULL, NULL},
    {"pop", "", 0, NULL, NULL},           {"popitem", "", 0, NULL, NULL},
    {"setdefault", "", 0, NULL, NULL},    {"clear", "", 0, NULL, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

METHOD(list_index)
{
    for (uint32_t i = 0; i < s.size; i++) {
        bool is_equal;
        if (!jinja_equal(rt, s.as.items[i], given[0], &is_equal)) {
            return false;
        }
        if (is_equal) {
            *out = jinja_integer(i);
            return true;
        }
    }
    return jinja_fail(rt, "index(): the value is not in the list");
}

METHOD(list_count)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < s.size; i++) {
        bool is_equal;
        if (!jinja_equal(rt, s.as.items[i], given[0], &is_equal)) {
            return false;
        }
        count += is_equal;
    }
    *out = jinja_integer(count);
    return true;
}

METHOD(list_copy)
{
    return dict_copy(rt, s, given, out);
}

const jinja_function jinja_list_methods[] = {
    {"index", "value", 1, list_index, NULL},
    {"count", "value", 1, list_count, NULL},
    {"copy", "", 0, list_copy, NULL},
    {"append", "", 0, NULL, NULL},
    {"extend", "", 0, NULL, NULL},
    {"insert", "", 0, NULL, NULL},
    {"pop", "", 0, NULL, NULL},
    {"remove", "", 0, NULL, NULL},
    {"reverse", "", 0, NULL, NULL},
    {"sort", "", 0, NULL, NULL},
    {"clear", "", 0, NULL, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static bool loop_cycle(jinja_runtime *rt, jinja_value s, const jinja_arguments *arguments, jinja_value *out)
{
    if (arguments->count == 0) {
        return jinja_fail(rt, "loop.cycle() needs arguments");
    }
    *out = arguments->values[s.as.loop->index0 % arguments->count];
    return true;
}

static bool loop_changed(jinja_runtime *rt, jinja_value s, const jinja_arguments *arguments, jinja_value *out)
{
    jinja_value now = jinja_list(arguments->values, arguments->count);
    bool is_equal = false;
    if (!jinja_equal(rt, s.as.loop->changed, now, &is_equal)) {
        return false;
    }
    s.as.loop->changed = now;
    *out = jinja_bool(!is_equal);
    return true;
}

const jinja_function jinja_loop_methods[] = {
    {"cycle", NULL, 0, NULL, loop_cycle},
    {"changed", NULL, 0, NULL, loop_changed},
    {NULL, NULL, 0, NULL, NULL},
};

typedef enum question { IS_SPACE, IS_DIGIT, IS_ALPHA, IS_ALNUM } question;

static bool holds(question q, const char *text, size_t size, uint32_t c)
{
    bool is_digit = c >= '0' && c <= '9';
    switch (q) {
    case IS_SPACE:
        return jinja_space_first(text, size) != 0;
    case IS_DIGIT:
        return is_digit;
    case IS_ALPHA:
        return jinja_is_letter(c);
    default:
        return is_digit || jinja_is_letter(c);
    }
}

static bool ask(jinja_runtime *rt, jinja_value s, question q, jinja_value *out)
{
    bool is_so = s.size != 0;
    for (size_t at = 0; at < s.size && is_so;) {
        uint32_t c;
        size_t length = utf8_decode(s.as.text + at, s.size - at, &c);
        is_so = holds(q, s.as.text + at, length, c);
        at += length;
    }
    *out = jinja_bool(is_so);
    return jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)s.size);
}

METHOD(is_space)
{
    (void)given;
    return ask(rt, s, IS_SPACE, out);
}
METHOD(is_digit)
{
    (void)given;
    return ask(rt, s, IS_DIGIT, out);
}
METHOD(is_alpha)
{
    (void)given;
    return ask(rt, s, IS_ALPHA, out);
}
METHOD(is_alnum)
{
    (void)given;
    return ask(rt, s, IS_ALNUM, out);
}

/* Some letter has case, and none has the other one. */
static bool ask_case(jinja_runtime *rt, jinja_value s, bool is_upper, jinja_value *out)
{
    bool has_case = false, is_so = true;
    for (size_t at = 0; at < s.size;) {
        uint32_t c;
        at += utf8_decode(s.as.text + at, s.size - at, &c);
        bool is_upper_letter = jinja_lower(c) != c, is_lower_letter = jinja_upper(c) != c;
        has_case |= is_upper_letter || is_lower_letter;
        is_so &= is_upper ? !is_lower_letter : !is_upper_letter;
    }
    *out = jinja_bool(has_case && is_so);
    return jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)s.size);
}

METHOD(is_upper)
{
    (void)given;
    return ask_case(rt, s, true, out);
}
METHOD(is_lower)
{
    (void)given;
    return ask_case(rt, s, false, out);
}

const jinja_function jinja_string_questions[] = {
    {"isspace", "", 0, is_space, NULL},   {"isdigit", "", 0, is_digit, NULL},
    {"isdecimal", "", 0, is_digit, NULL}, {"isnumeric", "", 0, is_digit, NULL},
    {"isalpha", "", 0, is_alpha, NULL},   {"isalnum", "", 0, is_alnum, NULL},
    {"isupper", "", 0, is_upper, NULL},   {"islower", "", 0, is_lower, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
