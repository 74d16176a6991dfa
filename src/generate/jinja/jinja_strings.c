/* Owns the work on strings behind methods and filters: case, stripping, replacing, splitting into lines,
 * padding. */
#include <string.h>

#include "base/utf8.h"
#include "generate/jinja/jinja_library.h"
#include "generate/jinja/jinja_text.h"

bool jinja_given_integer(jinja_runtime *rt, jinja_value given, const char *name, int64_t fallback,
                         int64_t *out)
{
    *out = fallback;
    if (!jinja_is_given(given)) {
        return true;
    }
    if (given.kind != JINJA_INTEGER && given.kind != JINJA_BOOL) {
        return jinja_fail(rt, "'%s' must be a whole number, not %s", name, jinja_kind_name(given));
    }
    *out = jinja_as_integer(given);
    return true;
}

bool jinja_given_string(jinja_runtime *rt, jinja_value given, const char *name, jinja_value fallback,
                        jinja_value *out)
{
    *out = jinja_is_given(given) ? given : fallback;
    if (out->kind != JINJA_STRING) {
        return jinja_fail(rt, "'%s' must be a string, not %s", name, jinja_kind_name(*out));
    }
    return true;
}

bool jinja_items_add(jinja_runtime *rt, jinja_items *list, jinja_value v)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        jinja_value *items = jinja_allocate_array(rt, capacity, sizeof *items);
        if (items == NULL) {
            return false;
        }
        memcpy(items, list->count == 0 ? items : list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = v;
    return jinja_charge(rt, 0);
}

static bool is_word_break(uint32_t c)
{
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || c == ' ' || (c >= 9 && c <= 13);
}

/* `is_start`: the character begins a word by the rule of `how`. */
static uint32_t cased(uint32_t c, jinja_case how, bool is_start)
{
    switch (how) {
    case JINJA_CASE_UPPER:
        return jinja_upper(c);
    case JINJA_CASE_LOWER:
        return jinja_lower(c);
    case JINJA_CASE_SWAP:
        return jinja_lower(c) != c ? jinja_lower(c) : jinja_upper(c);
    default:
        return is_start ? jinja_upper(c) : jinja_lower(c);
    }
}

bool jinja_change_case(jinja_runtime *rt, jinja_value text, jinja_case how, jinja_value *out)
{
    enum { SHARP_S = 0xDF }; /* the one common letter whose upper case is two letters */
    jinja_builder b = {0};
    char buffer[256];
    size_t used = 0;
    bool is_start = true;
    for (size_t at = 0; at < text.size;) {
        uint32_t c;
        size_t length = utf8_decode(text.as.text + at, text.size - at, &c);
        uint32_t changed = c == UINT32_MAX ? c : cased(c, how, is_start);
        bool is_split = c == SHARP_S && (how == JINJA_CASE_UPPER || how == JINJA_CASE_SWAP ||
                                         (how != JINJA_CASE_LOWER && is_start));
        if (is_split) {
            buffer[used++] = 'S';
            buffer[used++] = how == JINJA_CASE_UPPER || how == JINJA_CASE_SWAP ? 'S' : 's';
        } else if (changed == c) { /* a byte that is not UTF-8 stays, too */
            memcpy(buffer + used, text.as.text + at, length);
            used += length;
        } else {
            used += utf8_encode(changed, buffer + used);
        }
        is_start = how == JINJA_CASE_TITLE   ? !jinja_is_letter(c)
                   : how == JINJA_CASE_WORDS ? is_word_break(c)
                                             : false;
        at += length;
        if (used > sizeof buffer - 4 || at == text.size) {
            if (!jinja_charge(rt, used * JINJA_CHARACTER_WORK) || !jinja_append(rt, &b, buffer, used)) {
                return false;
            }
            used = 0;
        }
    }
    *out = jinja_built(&b);
    return true;
}

static bool is_stripped(jinja_value set, const char *character, size_t size)
{
    if (set.kind != JINJA_STRING) {
        return jinja_space_first(character, size) != 0;
    }
    return jinja_text_find(set.as.text, set.size, character, size) != SIZE_MAX;
}

bool jinja_strip(jinja_runtime *rt, jinja_value text, jinja_value set, jinja_side side, jinja_value *out)
{
    const char *first = text.as.text, *last = first + text.size;
    size_t cost = set.kind == JINJA_STRING ? set.size : 0;
    while ((side & JINJA_SIDE_LEFT) != 0 && first < last) {
        uint32_t c;
        size_t length = utf8_decode(first, (size_t)(last - first), &c);
        if (!is_stripped(set, first, length)) {
            break;
        }
        first += length;
        if (cost > 64 && !jinja_charge(rt, cost)) {
            return false;
        }
    }
    while ((side & JINJA_SIDE_RIGHT) != 0 && first < last) {
        size_t length = jinja_character_last(first, (size_t)(last - first));
        if (!is_stripped(set, last - length, length)) {
            break;
        }
        last -= length;
        if (cost > 64 && !jinja_charge(rt, cost)) {
            return false;
        }
    }
    *out = jinja_string(first, (size_t)(last - first));
    return jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)(text.size - out->size));
}

bool jinja_replace(jinja_runtime *rt, jinja_value text, jinja_value old, jinja_value new_text, int64_t limit,
                   jinja_value *out)
{
    jinja_builder b = {0};
    size_t at = 0, done = 0;
    if (!jinja_charge(rt, text.size)) {
        return false;
    }
    while (limit < 0 || done < (size_t)limit) {
        size_t found = at;
        if (old.size != 0) {
            size_t offset = jinja_text_find(text.as.text + at, text.size - at, old.as.text, old.size);
            if (offset == SIZE_MAX) {
                break;
            }
            found = at + offset;
        }
        size_t next = found + old.size; /* an empty text is found before every character and at the end */
        if (!jinja_append(rt, &b, text.as.text + at, found - at) ||
            !jinja_append(rt, &b, new_text.as.text, new_text.size)) {
            return false;
        }
        done++;
        at = next;
        if (old.size == 0) {
            if (at == text.size) {
                break;
            }
            size_t length = jinja_text_offset(text.as.text + at, text.size - at, 1);
            if (!jinja_append(rt, &b, text.as.text + at, length)) {
                return false;
            }
            at += length;
        }
    }
    if (done == 0) {
        *out = text;
        return true;
    }
    if (!jinja_append(rt, &b, text.as.text + at, text.size - at)) {
        return false;
    }
    *out = jinja_built(&b);
    return true;
}

/* Bytes of the line end at text[0..size), size > 0; 0 when there is none. */
static size_t line_end(const char *text, size_t size)
{
    uint32_t c;
    size_t length = utf8_decode(text, size, &c);
    bool is_end = (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
    return !is_end ? 0 : c == '\r' && size > 1 && text[1] == '\n' ? 2 : length;
}

bool jinja_split_lines(jinja_runtime *rt, jinja_value text, bool with_ends, jinja_value *out)
{
    jinja_items lines = {0};
    size_t first = 0;
    for (size_t at = 0; at < text.size;) {
        size_t end = line_end(text.as.text + at, text.size - at);
        if (end == 0) {
            at++;
            continue;
        }
        if (!jinja_items_add(rt, &lines,
                             jinja_string(text.as.text + first, at - first + (with_ends ? end : 0)))) {
            return false;
        }
        at += end;
        first = at;
    }
    if (first < text.size &&
        !jinja_items_add(rt, &lines, jinja_string(text.as.text + first, text.size - first))) {
        return false;
    }
    *out = jinja_items_list(&lines);
    return jinja_charge(rt, JINJA_CHARACTER_WORK * (uint64_t)text.size);
}

bool jinja_pad(jinja_runtime *rt, jinja_value text, int64_t width, jinja_side space_at, jinja_value *out)
{
    int64_t length;
    jinja_builder b = {0};
    if (!jinja_length(rt, text, &length)) {
        return false;
    }
    int64_t space = width > length ? width - length : 0;
    /* Python's center() puts the odd space to the left when the width is odd. */
    int64_t left = space_at == JINJA_SIDE_LEFT    ? space
                   : space_at == JINJA_SIDE_RIGHT ? 0
                                                  : space / 2 + (space & width & 1);
    if (!jinja_append_spaces(rt, &b, left) || !jinja_append(rt, &b, text.as.text, text.size) ||
        !jinja_append_spaces(rt, &b, space - left)) {
        return false;
    }
    *out = jinja_built(&b);
    return true;
}
