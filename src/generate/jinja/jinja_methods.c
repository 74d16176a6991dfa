/* Owns the methods of strings: Python's names and rules. */
#include <string.h>

#include "base/utf8.h"
#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

#define METHOD(name)                                                                                         \
    static bool name(jinja_runtime *rt, jinja_value s, const jinja_value *given, jinja_value *out)

METHOD(method_upper)
{
    (void)given;
    return jinja_change_case(rt, s, JINJA_CASE_UPPER, out);
}
METHOD(method_lower)
{
    (void)given;
    return jinja_change_case(rt, s, JINJA_CASE_LOWER, out);
}
METHOD(method_title)
{
    (void)given;
    return jinja_change_case(rt, s, JINJA_CASE_TITLE, out);
}
METHOD(method_capitalize)
{
    (void)given;
    return jinja_change_case(rt, s, JINJA_CASE_FIRST, out);
}
METHOD(method_swapcase)
{
    (void)given;
    return jinja_change_case(rt, s, JINJA_CASE_SWAP, out);
}

static bool strip(jinja_runtime *rt, jinja_value s, jinja_value set, jinja_side side, jinja_value *out)
{
    if (jinja_is_given(set) && set.kind != JINJA_STRING) {
        return jinja_fail(rt, "'chars' must be a string, not %s", jinja_kind_name(set));
    }
    return jinja_strip(rt, s, set, side, out);
}

METHOD(method_strip)
{
    return strip(rt, s, given[0], JINJA_SIDE_BOTH, out);
}
METHOD(method_lstrip)
{
    return strip(rt, s, given[0], JINJA_SIDE_LEFT, out);
}
METHOD(method_rstrip)
{
    return strip(rt, s, given[0], JINJA_SIDE_RIGHT, out);
}

/* ---- splitting */

static bool split_at_spaces(jinja_runtime *rt, jinja_value s, int64_t limit, jinja_items *parts)
{
    const char *at = s.as.text, *end = at + s.size;
    for (;;) {
        for (size_t n; (n = jinja_space_first(at, (size_t)(end - at))) != 0;) {
            at += n;
        }
        if (at == end) {
            return true;
        }
        if (limit >= 0 &&
            parts->count == (uint64_t)limit) { /* the rest keeps its trailing spaces, as in Python */
            return jinja_items_add(rt, parts, jinja_string(at, (size_t)(end - at)));
        }
        const char *first = at;
        while (at < end && jinja_space_first(at, (size_t)(end - at)) == 0) {
            at++;
        }
        if (!jinja_items_add(rt, parts, jinja_string(first, (size_t)(at - first)))) {
            return false;
        }
    }
}

METHOD(method_split)
{
    int64_t limit;
    jinja_items parts = {0};
    if (!jinja_given_integer(rt, given[1], "maxsplit", -1, &limit) ||
        !jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)s.size)) {
        return false;
    }
    if (!jinja_is_given(given[0])) {
        if (!split_at_spaces(rt, s, limit, &parts)) {
            return false;
        }
        *out = jinja_items_list(&parts);
        return true;
    }
    jinja_value separator;
    if (!jinja_given_string(rt, given[0], "sep", jinja_none(), &separator)) {
        return false;
    }
    if (separator.size == 0) {
        return jinja_fail(rt, "split() with an empty separator");
    }
    size_t at = 0, found;
    while ((limit < 0 || parts.count < (uint64_t)limit) &&
           (found = jinja_text_find(s.as.text + at, s.size - at, separator.as.text, separator.size)) !=
               SIZE_MAX) {
        if (!jinja_items_add(rt, &parts, jinja_string(s.as.text + at, found))) {
            return false;
        }
        at += found + separator.size;
    }
    if (!jinja_items_add(rt, &parts, jinja_string(s.as.text + at, s.size - at))) {
        return false;
    }
    *out = jinja_items_list(&parts);
    return true;
}

/* Searching backwards compares at every place, so it costs more than a forward search. */
static bool charge_backwards(jinja_runtime *rt, jinja_value s, jinja_value part)
{
    return jinja_charge(rt, ((uint64_t)s.size / 16 + 1) * ((uint64_t)part.size / 16 + 1));
}

static void reverse_items(jinja_items *list)
{
    for (uint32_t i = 0; i < list->count / 2; i++) {
        jinja_value swap = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = swap;
    }
}

static bool rsplit_at_spaces(jinja_runtime *rt, jinja_value s, int64_t limit, jinja_items *parts)
{
    size_t end = s.size;
    for (;;) {
        for (size_t n; (n = jinja_space_last(s.as.text, end)) != 0;) {
            end -= n;
        }
        if (end == 0) {
            return true;
        }
        if (limit >= 0 && parts->count == (uint64_t)limit) {
            return jinja_items_add(rt, parts, jinja_string(s.as.text, end));
        }
        size_t first = end;
        while (first > 0 && jinja_space_last(s.as.text, first) == 0) {
            first -= jinja_character_last(s.as.text, first);
        }
        if (!jinja_items_add(rt, parts, jinja_string(s.as.text + first, end - first))) {
            return false;
        }
        end = first;
    }
}

METHOD(method_rsplit)
{
    int64_t limit;
    jinja_items parts = {0};
    if (!jinja_given_integer(rt, given[1], "maxsplit", -1, &limit) ||
        !jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)s.size)) {
        return false;
    }
    if (!jinja_is_given(given[0])) {
        if (!rsplit_at_spaces(rt, s, limit, &parts)) {
            return false;
        }
    } else {
        jinja_value separator;
        if (!jinja_given_string(rt, given[0], "sep", jinja_none(), &separator) ||
            !charge_backwards(rt, s, separator)) {
            return false;
        }
        if (separator.size == 0) {
            return jinja_fail(rt, "rsplit() with an empty separator");
        }
        size_t end = s.size, found;
        while ((limit < 0 || parts.count < (uint64_t)limit) &&
               (found = jinja_text_find_last(s.as.text, end, separator.as.text, separator.size)) !=
                   SIZE_MAX) {
            size_t first = found + separator.size;
            if (!jinja_items_add(rt, &parts, jinja_string(s.as.text + first, end - first))) {
                return false;
            }
            end = found;
        }
        if (!jinja_items_add(rt, &parts, jinja_string(s.as.text, end))) {
            return false;
        }
    }
    reverse_items(&parts);
    *out = jinja_items_list(&parts);
    return true;
}

METHOD(method_splitlines)
{
    return jinja_split_lines(rt, s, jinja_given_bool(given[0], false), out);
}

static bool three_parts(jinja_runtime *rt, jinja_value a, jinja_value b, jinja_value c, jinja_value *out)
{
    jinja_value *items = jinja_allocate_array(rt, 3, sizeof *items);
    if (items == NULL) {
        return false;
    }
    items[0] = a;
    items[1] = b;
    items[2] = c;
    *out = (jinja_value){.kind = JINJA_TUPLE, .size = 3, .as.items = items};
    return true;
}

static bool partition(jinja_runtime *rt, jinja_value s, jinja_value given, bool from_end, jinja_value *out)
{
    jinja_value sep, empty = jinja_string("", 0);
    if (!jinja_given_string(rt, given, "sep", jinja_none(), &sep) || !charge_backwards(rt, s, sep)) {
        return false;
    }
    if (sep.size == 0) {
        return jinja_fail(rt, "partition() with an empty separator");
    }
    size_t found = from_end ? jinja_text_find_last(s.as.text, s.size, sep.as.text, sep.size)
                            : jinja_text_find(s.as.text, s.size, sep.as.text, sep.size);
    if (found == SIZE_MAX) {
        return from_end ? three_parts(rt, empty, empty, s, out) : three_parts(rt, s, empty, empty, out);
    }
    size_t behind = found + sep.size;
    return three_parts(rt, jinja_string(s.as.text, found), sep,
                       jinja_string(s.as.text + behind, s.size - behind), out);
}

METHOD(method_partition)
{
    return partition(rt, s, given[0], false, out);
}
METHOD(method_rpartition)
{
    return partition(rt, s, given[0], true, out);
}

/* ---- searching */

static bool begins_or_ends(jinja_runtime *rt, jinja_value s, jinja_value part, bool at_end, bool *is_so)
{
    if (part.kind != JINJA_STRING) {
        return jinja_fail(rt, "startswith() and endswith() need strings, not %s", jinja_kind_name(part));
    }
    const char *place = s.as.text + (at_end && part.size <= s.size ? s.size - part.size : 0);
    *is_so = part.size <= s.size && (part.size == 0 || memcmp(place, part.as.text, part.size) == 0);
    return jinja_charge(rt, part.size);
}

static bool begins_or_ends_any(jinja_runtime *rt, jinja_value s, jinja_value given, bool at_end,
                               jinja_value *out)
{
    bool is_so = false;
    if (given.kind != JINJA_TUPLE) {
        if (!begins_or_ends(rt, s, given, at_end, &is_so)) {
            return false;
        }
    }
    for (uint32_t i = 0; given.kind == JINJA_TUPLE && i < given.size && !is_so; i++) {
        if (!begins_or_ends(rt, s, given.as.items[i], at_end, &is_so)) {
            return false;
        }
    }
    *out = jinja_bool(is_so);
    return true;
}

METHOD(method_startswith)
{
    return begins_or_ends_any(rt, s, given[0], false, out);
}
METHOD(method_endswith)
{
    return begins_or_ends_any(rt, s, given[0], true, out);
}

static bool remove_affix(jinja_runtime *rt, jinja_value s, jinja_value part, bool at_end, jinja_value *out)
{
    bool is_so;
    if (!begins_or_ends(rt, s, part, at_end, &is_so)) {
        return false;
    }
    *out = !is_so ? s : jinja_string(s.as.text + (at_end ? 0 : part.size), s.size - part.size);
    return true;
}

METHOD(method_removeprefix)
{
    return remove_affix(rt, s, given[0], false, out);
}
METHOD(method_removesuffix)
{
    return remove_affix(rt, s, given[0], true, out);
}

/* Searches s[start:end] (code points); *found is a code point index or -1. */
static bool find(jinja_runtime *rt, jinja_value s, const jinja_value *given, bool from_end, int64_t *found)
{
    jinja_value part, within, bounds[3] = {jinja_none(), jinja_none(), jinja_none()};
    if (!jinja_given_string(rt, given[0], "sub", jinja_none(), &part) || !charge_backwards(rt, s, part)) {
        return false;
    }
    bounds[0] = jinja_is_given(given[1]) ? given[1] : jinja_none();
    bounds[1] = jinja_is_given(given[2]) ? given[2] : jinja_none();
    if (!jinja_slice(rt, s, bounds, &within)) {
        return false;
    }
    size_t at = from_end ? jinja_text_find_last(within.as.text, within.size, part.as.text, part.size)
                         : jinja_text_find(within.as.text, within.size, part.as.text, part.size);
    *found = at == SIZE_MAX
                 ? -1
                 : (int64_t)jinja_text_length(s.as.text, (size_t)(within.as.text - s.as.text) + at);
    return true;
}

static bool find_as_value(jinja_runtime *rt, jinja_value s, const jinja_value *given, bool from_end,
                          bool must, jinja_value *out)
{
    int64_t found;
    if (!find(rt, s, given, from_end, &found)) {
        return false;
    }
    *out = jinja_integer(found);
    return found >= 0 || !must || jinja_fail(rt, "index(): the text is not there");
}

METHOD(method_find)
{
    return find_as_value(rt, s, given, false, false, out);
}
METHOD(method_rfind)
{
    return find_as_value(rt, s, given, true, false, out);
}
METHOD(method_index)
{
    return find_as_value(rt, s, given, false, true, out);
}
METHOD(method_rindex)
{
    return find_as_value(rt, s, given, true, true, out);
}

METHOD(method_count)
{
    jinja_value part;
    if (!jinja_given_string(rt, given[0], "sub", jinja_none(), &part) || !jinja_charge(rt, s.size)) {
        return false;
    }
    int64_t count = 0;
    if (part.size == 0) {
        count = (int64_t)jinja_text_length(s.as.text, s.size) + 1;
    }
    for (size_t at = 0, found; part.size != 0; at += found + part.size) {
        found = jinja_text_find(s.as.text + at, s.size - at, part.as.text, part.size);
        if (found == SIZE_MAX) {
            break;
        }
        count++;
    }
    *out = jinja_integer(count);
    return true;
}

METHOD(method_replace)
{
    jinja_value old, new_text;
    int64_t limit;
    return jinja_given_string(rt, given[0], "old", jinja_none(), &old) &&
           jinja_given_string(rt, given[1], "new", jinja_none(), &new_text) &&
           jinja_given_integer(rt, given[2], "count", -1, &limit) &&
           jinja_replace(rt, s, old, new_text, limit, out);
}

METHOD(method_join)
{
    const jinja_value *items;
    uint32_t count;
    jinja_builder b = {0};
    if (!jinja_iterate(rt, given[0], &items, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].kind != JINJA_STRING) {
            return jinja_fail(rt, "join(): item %u is %s, not a string", (unsigned)i,
                              jinja_kind_name(items[i]));
        }
        if ((i != 0 && !jinja_append_value(rt, &b, s)) || !jinja_append_value(rt, &b, items[i])) {
            return false;
        }
    }
    *out = jinja_built(&b);
    return true;
}

static bool pad(jinja_runtime *rt, jinja_value s, jinja_value given, jinja_side side, jinja_value *out)
{
    int64_t width;
    return jinja_given_integer(rt, given, "width", 0, &width) && jinja_pad(rt, s, width, side, out);
}

METHOD(method_center)
{
    return pad(rt, s, given[0], JINJA_SIDE_BOTH, out);
}
METHOD(method_ljust)
{
    return pad(rt, s, given[0], JINJA_SIDE_RIGHT, out);
}
METHOD(method_rjust)
{
    return pad(rt, s, given[0], JINJA_SIDE_LEFT, out);
}

METHOD(method_zfill)
{
    int64_t width, length;
    jinja_builder b = {0};
    if (!jinja_given_integer(rt, given[0], "width", 0, &width) || !jinja_length(rt, s, &length)) {
        return false;
    }
    size_t sign = s.size != 0 && (s.as.text[0] == '-' || s.as.text[0] == '+');
    size_t zero_at = sign;
    if (!jinja_append(rt, &b, s.as.text, sign) || !jinja_append_spaces(rt, &b, width - length)) {
        return false;
    }
    if (b.size > zero_at) {
        memset(b.data + zero_at, '0', b.size - zero_at);
    }
    if (!jinja_append(rt, &b, s.as.text + sign, s.size - sign)) {
        return false;
    }
    *out = jinja_built(&b);
    return true;
}

const jinja_function jinja_string_methods[] = {
    {"upper", "", 0, method_upper, NULL},
    {"lower", "", 0, method_lower, NULL},
    {"casefold", "", 0, method_lower, NULL},
    {"title", "", 0, method_title, NULL},
    {"capitalize", "", 0, method_capitalize, NULL},
    {"swapcase", "", 0, method_swapcase, NULL},
    {"strip", "chars", 0, method_strip, NULL},
    {"lstrip", "chars", 0, method_lstrip, NULL},
    {"rstrip", "chars", 0, method_rstrip, NULL},
    {"split", "sep maxsplit", 0, method_split, NULL},
    {"rsplit", "sep maxsplit", 0, method_rsplit, NULL},
    {"splitlines", "keepends", 0, method_splitlines, NULL},
    {"partition", "sep", 1, method_partition, NULL},
    {"rpartition", "sep", 1, method_rpartition, NULL},
    {"startswith", "prefix", 1, method_startswith, NULL},
    {"endswith", "suffix", 1, method_endswith, NULL},
    {"removeprefix", "prefix", 1, method_removeprefix, NULL},
    {"removesuffix", "suffix", 1, method_removesuffix, NULL},
    {"find", "sub start end", 1, method_find, NULL},
    {"rfind", "sub start end", 1, method_rfind, NULL},
    {"index", "sub start end", 1, method_index, NULL},
    {"rindex", "sub start end", 1, method_rindex, NULL},
    {"count", "sub", 1, method_count, NULL},
    {"replace", "old new count", 2, method_replace, NULL},
    {"join", "iterable", 1, method_join, NULL},
    {"center", "width", 1, method_center, NULL},
    {"ljust", "width", 1, method_ljust, NULL},
    {"rjust", "width", 1, method_rjust, NULL},
    {"zfill", "width", 1, method_zfill, NULL},
    {"format", NULL, 0, NULL, jinja_format_braces},
    {NULL, NULL, 0, NULL, NULL},
};
