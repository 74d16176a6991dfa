/* Owns regular expressions of JSON schemas: the regular part of ECMA 262 (alternatives, groups, classes,
 * repetition, anchors at the ends). Refuses look-around, back references, word boundaries, by position. Where
 * a negated class, a dot or an open end stands for any character, control characters are not offered. */
#include <string.h>

#include "base/utf8.h"
#include "generate/schema.h"

enum { GROUPS_MAX = 64, RANGES_MAX = 256, REPEAT_MAX = 1 << 30 };

typedef struct pattern_group {
    fragment alternatives, sequence, item;
    bool has_alternatives, has_sequence, has_item;
} pattern_group;

typedef struct pattern_parser {
    schema_compiler *c;
    const json_value *where;
    const char *text; /* [size] */
    size_t size, at;
    pattern_group groups[GROUPS_MAX];
    int32_t depth;
    bool is_anchored, is_closed; /* of the alternative being read outside groups: ^ was first, $ was last */
    code_range ranges[2 * RANGES_MAX + 4];
    size_t range_count;
} pattern_parser;

static bool fail(pattern_parser *p, const char *what)
{
    return schema_fail(p->c, p->where, "pattern, byte %zu: %s", p->at + 1, what);
}

static int peek(const pattern_parser *p)
{
    return p->at < p->size ? (uint8_t)p->text[p->at] : -1;
}

/* ---------------------------------------------------------------------------------------------- characters
 */

/* One character out of ranges, as it stands inside a JSON string: escaped where it must be. */
static fragment characters(pattern_parser *p, code_range *ranges, size_t count)
{
    automaton *a = p->c->a;
    static const struct {
        uint32_t low, high;
    } raw[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x10FFFF}};
    code_range plain[3 * RANGES_MAX];
    size_t plain_count = 0;
    fragment f = automaton_never(a);
    count = code_ranges_sort(ranges, count);
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 3 && plain_count < sizeof plain / sizeof plain[0]; k++) {
            uint32_t low = ranges[i].low > raw[k].low ? ranges[i].low : raw[k].low;
            uint32_t high = ranges[i].high < raw[k].high ? ranges[i].high : raw[k].high;
            if (low <= high) {
                plain[plain_count++] = (code_range){low, high};
            }
        }
        for (uint32_t code = ranges[i].low; code <= ranges[i].high && code <= '\\'; code++) {
            char byte = (char)code;
            automaton_word word;
            if ((code < 0x20 || code == '"' || code == '\\') && schema_write_string(p->c, &byte, 1, &word)) {
                f = automaton_either(a, f, automaton_text(a, word.bytes + 1, word.size - 2));
            }
        }
    }
    return plain_count == 0 ? f : automaton_either(a, f, automaton_class(a, plain, plain_count));
}

static bool add_range(pattern_parser *p, uint32_t low, uint32_t high)
{
    if (p->range_count == RANGES_MAX) {
        return fail(p, "a class has too many ranges");
    }
    p->ranges[p->range_count++] = (code_range){low, high};
    return true;
}

/* The complement of ranges[from..range_count), without control characters. */
static bool negate(pattern_parser *p, size_t from)
{
    code_range out[RANGES_MAX + 2];
    if (!add_range(p, 0, 0x1F)) {
        return false;
    }
    size_t count = code_ranges_sort(p->ranges + from, p->range_count - from);
    count = code_ranges_invert(p->ranges + from, count, out);
    if (from + count > RANGES_MAX) {
        return fail(p, "a class has too many ranges");
    }
    memcpy(p->ranges + from, out, count * sizeof out[0]);
    p->range_count = from + count;
    return true;
}

static bool add_named_class(pattern_parser *p, int letter)
{
    size_t from = p->range_count;
    bool ok = true;
    switch (letter | 0x20) {
    case 'd':
        ok = add_range(p, '0', '9');
        break;
    case 'w':
        ok = add_range(p, '0', '9') && add_range(p, 'A', 'Z') && add_range(p, 'a', 'z') &&
             add_range(p, '_', '_');
        break;
    default:
        ok = add_range(p, '\t', '\r') && add_range(p, ' ', ' ') && add_range(p, 0xA0, 0xA0) &&
             add_range(p, 0x1680, 0x1680) && add_range(p, 0x2000, 0x200A) && add_range(p, 0x2028, 0x2029) &&
             add_range(p, 0x202F, 0x202F) && add_range(p, 0x205F, 0x205F) && add_range(p, 0x3000, 0x3000) &&
             add_range(p, 0xFEFF, 0xFEFF);
    }
    return ok && ((letter & 0x20) != 0 || negate(p, from));
}

static bool read_hex(pattern_parser *p, int digits, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++, p->at++) {
        int c = peek(p), lower = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'f')) {
            return fail(p, "a hexadecimal digit is missing");
        }
        *code = *code << 4 | (uint32_t)(c <= '9' ? c - '0' : lower - 'a' + 10);
    }
    return (*code < 0xD800 || *code > 0xDFFF) || fail(p, "surrogates are no characters");
}

/* Behind a backslash: one character, or a named class (then *is_class, added to the ranges). */
static bool read_escape(pattern_parser *p, uint32_t *code, bool *is_class)
{
    static const char control[] = "tnrfv", meaning[] = "\t\n\r\f\v";
    int c = peek(p);
    *is_class = false;
    if (c <= 0) {
        return fail(p, "the pattern ends behind a backslash");
    }
    if (strchr("dDwWsS", c) != NULL) {
        p->at++;
        *is_class = true;
        return add_named_class(p, c);
    }
    const char *found = strchr(control, c);
    if (found != NULL) {
        p->at++;
        *code = (uint8_t)meaning[found - control];
        return true;
    }
    if (c == 'x' || c == 'u') {
        p->at++;
        return read_hex(p, c == 'x' ? 2 : 4, code);
    }
    bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (is_word) {
        return fail(p, "this escape cannot be honoured");
    }
    p->at += utf8_decode(p->text + p->at, p->size - p->at, code);
    return true;
}

static bool read_class_atom(pattern_parser *p, uint32_t *code, bool *is_class)
{
    *is_class = false;
    if (peek(p) == '\\') {
        p->at++;
        if (peek(p) == 'b') { /* inside a class it is the backspace */
            p->at++;
            *code = '\b';
            return true;
        }
        return read_escape(p, code, is_class);
    }
    p->at += utf8_decode(p->text + p->at, p->size - p->at, code);
    return true;
}

static bool read_class(pattern_parser *p, fragment *f)
{
    p->at++;
    p->range_count = 0;
    bool is_negated = peek(p) == '^';
    p->at += is_negated;
    while (peek(p) != ']') {
        uint32_t low, high;
        bool is_class;
        if (peek(p) < 0) {
            return fail(p, "a class is not closed");
        }
        if (!read_class_atom(p, &low, &is_class)) {
            return false;
        }
        if (is_class) {
            continue;
        }
        high = low;
        if (peek(p) == '-' && p->at + 1 < p->size && p->text[p->at + 1] != ']') {
            p->at++;
            if (!read_class_atom(p, &high, &is_class)) {
                return false;
            }
            if (is_class || high < low) {
                return fail(p, "a range runs backwards");
            }
        }
        if (!add_range(p, low, high)) {
            return false;
        }
    }
    p->at++;
    if (is_negated && !negate(p, 0)) {
        return false;
    }
    *f = characters(p, p->ranges, p->range_count);
    return true;
}

/* ---------------------------------------------------------------------------------------------------- items
 */

static bool read_number(pattern_parser *p, int64_t *value)
{
    bool any = false;
    for (*value = 0; peek(p) >= '0' && peek(p) <= '9'; p->at++) {
        *value = *value * 10 + (peek(p) - '0');
        any = true;
        if (*value > REPEAT_MAX) {
            return fail(p, "a repetition is too long");
        }
    }
    return any || fail(p, "a number is missing");
}

static bool read_repetition(pattern_parser *p, pattern_group *g)
{
    int c = peek(p);
    int64_t min = c == '+', max = c == '?' ? 1 : -1;
    if (!g->has_item) {
        return fail(p, "there is nothing to repeat");
    }
    p->at++;
    if (c == '{') {
        if (!read_number(p, &min)) {
            return false;
        }
        max = min;
        if (peek(p) == ',') {
            p->at++;
            max = -1;
            if (peek(p) != '}' && !read_number(p, &max)) {
                return false;
            }
        }
        if (peek(p) != '}' || (max >= 0 && max < min)) {
            return fail(p, "a repetition is not well formed");
        }
        p->at++;
    }
    p->at += peek(p) == '?'; /* lazy or not: the same texts */
    g->item = automaton_repeat(p->c->a, g->item, min, max);
    return true;
}

static void close_item(pattern_parser *p, pattern_group *g)
{
    if (g->has_item) {
        g->sequence = g->has_sequence ? automaton_then(p->c->a, g->sequence, g->item) : g->item;
        g->has_sequence = true;
        g->has_item = false;
    }
}

/* Any text, for the open ends of a pattern that is not anchored. */
static fragment anything(pattern_parser *p)
{
    return automaton_repeat(p->c->a, schema_raw_character(p->c), 0, -1);
}

static void close_sequence(pattern_parser *p, pattern_group *g)
{
    automaton *a = p->c->a;
    close_item(p, g);
    fragment f = g->has_sequence ? g->sequence : automaton_empty(a);
    if (p->depth == 0) {
        f = p->is_anchored ? f : automaton_then(a, anything(p), f);
        f = p->is_closed ? f : automaton_then(a, f, anything(p));
        p->is_anchored = p->is_closed = false;
    }
    g->alternatives = g->has_alternatives ? automaton_either(a, g->alternatives, f) : f;
    g->has_alternatives = true;
    g->has_sequence = false;
}

static bool open_group(pattern_parser *p)
{
    p->at++;
    if (peek(p) == '?') {
        if (p->at + 1 >= p->size || p->text[p->at + 1] != ':') {
            return fail(p, "look-around and named groups cannot be honoured");
        }
        p->at += 2;
    }
    if (p->depth + 1 == GROUPS_MAX) {
        return fail(p, "groups are nested more than 64 deep");
    }
    close_item(p, &p->groups[p->depth]);
    p->groups[++p->depth] = (pattern_group){.has_item = false};
    return true;
}

static bool close_group(pattern_parser *p)
{
    if (p->depth == 0) {
        return fail(p, "this ) closes nothing");
    }
    p->at++;
    close_sequence(p, &p->groups[p->depth]);
    fragment whole = p->groups[p->depth--].alternatives;
    p->groups[p->depth].item = whole;
    p->groups[p->depth].has_item = true;
    return true;
}

static bool read_anchor(pattern_parser *p, pattern_group *g)
{
    bool is_begin = peek(p) == '^';
    p->at++;
    int next = peek(p);
    if (p->depth > 0 ||
        (is_begin ? g->has_item || g->has_sequence || p->is_anchored : next >= 0 && next != '|')) {
        p->at--;
        return fail(p, "anchors are honoured only at the ends of the pattern or of its outer alternatives");
    }
    p->is_anchored |= is_begin;
    p->is_closed |= !is_begin;
    return true;
}

static bool read_item(pattern_parser *p, fragment *f)
{
    uint32_t code;
    bool is_class = false;
    int c = peek(p);
    if (c == '[') {
        return read_class(p, f);
    }
    p->range_count = 0;
    if (c == '.') {
        p->at++;
        is_class = true;
        if (!add_range(p, 0x2028, 0x2029) || !negate(p, 0)) {
            return false;
        }
    } else if (c == '\\') {
        p->at++;
        if (!read_escape(p, &code, &is_class)) {
            return false;
        }
    } else {
        p->at += utf8_decode(p->text + p->at, p->size - p->at, &code);
    }
    if (!is_class && !add_range(p, code, code)) {
        return false;
    }
    *f = characters(p, p->ranges, p->range_count);
    return true;
}

static bool read_pattern(pattern_parser *p)
{
    while (p->at < p->size) {
        pattern_group *g = &p->groups[p->depth];
        int c = peek(p);
        bool ok = true;
        if (c == '|') {
            p->at++;
            close_sequence(p, g);
        } else if (c == '(') {
            ok = open_group(p);
        } else if (c == ')') {
            ok = close_group(p);
        } else if (c == '*' || c == '+' || c == '?' || c == '{') {
            ok = read_repetition(p, g);
        } else if (c == '^' || c == '$') {
            close_item(p, g);
            ok = read_anchor(p, g);
        } else {
            close_item(p, g);
            ok = read_item(p, &g->item);
            g->has_item = true;
        }
        if (!ok || p->c->has_failed || p->c->a->failure != SMIDGEN_ERROR_NONE) {
            return false;
        }
    }
    return p->depth == 0 || fail(p, "a group is not closed");
}

bool schema_pattern(schema_compiler *c, const json_value *where, const char *text, size_t size_bytes,
                    fragment *f)
{
    pattern_parser *p = arena_allocate(c->scratch, sizeof *p);
    if (p == NULL) {
        return schema_fail_memory(c);
    }
    *p = (pattern_parser){.c = c, .where = where, .text = text, .size = size_bytes};
    if (!read_pattern(p)) {
        return false;
    }
    close_sequence(p, &p->groups[0]);
    *f = p->groups[0].alternatives;
    return true;
}
