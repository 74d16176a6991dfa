/* Owns the reading of GBNF: rules of alternatives, sequences, groups, literals, classes, repetition. One
 * pass, groups on a stack of fixed depth. Refuses what it does not know by line and column, and left
 * recursion by the rule's name. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "generate/grammar_source.h"

enum { GROUPS_MAX = 256, NAME_SLOTS = 1 << 15, CLASS_RANGES_MAX = 1024, REPEAT_MAX = 1 << 30 };

typedef struct gbnf_name {
    size_t at, size; /* in the text, where it was first used */
    int32_t rule;
    bool is_defined;
} gbnf_name;

/* What is read of a group: the alternatives that are complete, the sequence before the last item, the last
 * item, which a repetition may still follow. */
typedef struct gbnf_group {
    fragment alternatives, sequence, item;
    bool has_alternatives, has_sequence, has_item;
    size_t opened_at;
} gbnf_group;

typedef struct gbnf_parser {
    automaton *a;
    const char *text; /* [size] */
    size_t size, at;
    gbnf_name *names; /* [name_count], room for AUTOMATON_RULES_MAX */
    int32_t name_count;
    int32_t *slots;     /* [NAME_SLOTS] index of a name + 1, 0: free */
    gbnf_group *groups; /* [GROUPS_MAX] */
    int32_t depth;      /* of the group being read */
    code_range *ranges; /* [2 * CLASS_RANGES_MAX + 1] */
    smidgen_error *error;
} gbnf_parser;

/* ------------------------------------------------------------------------------------------------- helpers
 */

static bool fail_at(gbnf_parser *p, size_t at, const char *what)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < p->size; i++) {
        if (p->text[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((uint8_t)p->text[i] & 0xC0) != 0x80;
        }
    }
    return error_set(p->error, SMIDGEN_ERROR_GRAMMAR, "GBNF line %zu, column %zu: %s", line, column, what);
}

static bool fail_name(gbnf_parser *p, const gbnf_name *name, const char *what)
{
    char message[200];
    int shown = name->size > 80 ? 80 : (int)name->size;
    size_t used = 0;
    for (const char *c = "rule \""; *c != 0; c++) {
        message[used++] = *c;
    }
    memcpy(message + used, p->text + name->at, (size_t)shown);
    used += (size_t)shown;
    message[used++] = '"';
    message[used++] = ' ';
    for (; *what != 0 && used < sizeof message - 1; what++) {
        message[used++] = *what;
    }
    message[used] = 0;
    return fail_at(p, name->at, message);
}

static int peek(const gbnf_parser *p)
{
    return p->at < p->size ? (uint8_t)p->text[p->at] : -1;
}

static bool is_name_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Skips blanks and comments; line ends too where `lines`. */
static void skip_space(gbnf_parser *p, bool lines)
{
    for (;; p->at++) {
        int c = peek(p);
        if (c == '#') {
            while (peek(p) >= 0 && peek(p) != '\n') {
                p->at++;
            }
            c = peek(p);
        }
        if (c != ' ' && c != '\t' && !(lines && (c == '\n' || c == '\r'))) {
            return;
        }
    }
}

/* The entry of text[at..at + size), made where it is new; NULL past the limit of rules. */
static gbnf_name *find_name(gbnf_parser *p, size_t at, size_t size)
{
    uint32_t slot = (uint32_t)hash_bytes(p->text + at, size) % NAME_SLOTS;
    for (; p->slots[slot] != 0; slot = (slot + 1) % NAME_SLOTS) {
        gbnf_name *name = &p->names[p->slots[slot] - 1];
        if (name->size == size && memcmp(p->text + name->at, p->text + at, size) == 0) {
            return name;
        }
    }
    int32_t rule = automaton_rule_new(p->a);
    if (rule < 0) {
        return NULL;
    }
    p->names[p->name_count] = (gbnf_name){at, size, rule, false};
    p->slots[slot] = ++p->name_count;
    return &p->names[p->name_count - 1];
}

static size_t read_name(gbnf_parser *p)
{
    size_t begin = p->at;
    while (is_name_byte(peek(p))) {
        p->at++;
    }
    return p->at - begin;
}

/* -------------------------------------------------------------------------------------------------- items */

static bool read_hex(gbnf_parser *p, int digits, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        int c = peek(p), digit = c >= '0' && c <= '9'   ? c - '0'
                                 : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                 : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                        : -1;
        if (digit < 0) {
            return fail_at(p, p->at, "a hexadecimal digit is missing");
        }
        *value = *value << 4 | (uint32_t)digit;
        p->at++;
    }
    return true;
}

/* One character of a literal or class, escapes resolved. */
static bool read_character(gbnf_parser *p, uint32_t *code)
{
    static const char plain[] = "tnr\\\"[]^-'/", meaning[] = "\t\n\r\\\"[]^-'/";
    size_t begin = p->at;
    if (peek(p) != '\\') {
        p->at += utf8_decode(p->text + p->at, p->size - p->at, code);
        return *code != UINT32_MAX || fail_at(p, begin, "the text is not valid UTF-8");
    }
    p->at++;
    int c = peek(p);
    p->at += c >= 0;
    const char *found = c > 0 ? strchr(plain, c) : NULL;
    if (found != NULL) {
        *code = (uint8_t)meaning[found - plain];
        return true;
    }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
        return fail_at(p, begin, "unknown escape");
    }
    if (!read_hex(p, digits, code)) {
        return false;
    }
    bool is_scalar = *code <= 0x10FFFF && !(*code >= 0xD800 && *code <= 0xDFFF);
    return is_scalar || fail_at(p, begin, "the escape is no Unicode character");
}

static bool read_literal(gbnf_parser *p, fragment *item)
{
    size_t begin = p->at++;
    *item = automaton_empty(p->a);
    while (peek(p) != '"') {
        uint32_t code;
        if (peek(p) < 0) {
            return fail_at(p, begin, "the literal is not closed");
        }
        if (!read_character(p, &code)) {
            return false;
        }
        char bytes[4];
        *item = automaton_then(p->a, *item, automaton_text(p->a, bytes, utf8_encode(code, bytes)));
    }
    p->at++;
    return true;
}

static bool read_class(gbnf_parser *p, fragment *item)
{
    size_t begin = p->at++, count = 0;
    bool is_negated = peek(p) == '^';
    p->at += is_negated;
    while (peek(p) != ']') {
        code_range r;
        if (peek(p) < 0) {
            return fail_at(p, begin, "the character class is not closed");
        }
        if (count == CLASS_RANGES_MAX) {
            return fail_at(p, p->at, "a character class may have at most 1024 ranges");
        }
        size_t range_at = p->at;
        if (!read_character(p, &r.low)) {
            return false;
        }
        r.high = r.low;
        if (peek(p) == '-' && p->at + 1 < p->size && p->text[p->at + 1] != ']') {
            p->at++;
            if (!read_character(p, &r.high)) {
                return false;
            }
        }
        if (r.low > r.high) {
            return fail_at(p, range_at, "the range runs backwards");
        }
        p->ranges[count++] = r;
    }
    p->at++;
    if (count == 0 && !is_negated) {
        return fail_at(p, begin, "the character class is empty");
    }
    code_range *ranges = p->ranges;
    if (is_negated) {
        count = code_ranges_sort(ranges, count);
        size_t inverted = code_ranges_invert(ranges, count, ranges + count);
        ranges += count;
        count = inverted;
    }
    *item = automaton_class(p->a, ranges, count);
    return true;
}

static bool read_number(gbnf_parser *p, int64_t *value)
{
    size_t begin = p->at;
    *value = 0;
    while (peek(p) >= '0' && peek(p) <= '9') {
        *value = *value * 10 + (peek(p) - '0');
        if (*value > REPEAT_MAX) {
            return fail_at(p, begin, "a repetition may ask for at most 1073741824");
        }
        p->at++;
    }
    skip_space(p, false);
    return p->at > begin || fail_at(p, p->at, "a number is missing");
}

/* * + ? {n} {n,} {n,m} behind an item. */
static bool read_repetition(gbnf_parser *p, gbnf_group *g)
{
    size_t begin = p->at;
    int c = peek(p);
    int64_t min = c == '+', max = c == '?' ? 1 : -1;
    if (!g->has_item) {
        return fail_at(p, begin, "there is nothing to repeat");
    }
    p->at++;
    if (c == '{') {
        skip_space(p, false);
        if (!read_number(p, &min)) {
            return false;
        }
        max = min;
        if (peek(p) == ',') {
            p->at++;
            skip_space(p, false);
            max = -1;
            if (peek(p) != '}' && !read_number(p, &max)) {
                return false;
            }
        }
        if (peek(p) != '}') {
            return fail_at(p, p->at, "expected } after the repetition");
        }
        p->at++;
        if (max >= 0 && max < min) {
            return fail_at(p, begin, "the repetition's upper bound is below its lower one");
        }
    }
    g->item = automaton_repeat(p->a, g->item, min, max);
    return true;
}

/* --------------------------------------------------------------------------------------------------- rules
 */

/* The item can no longer be repeated: it joins the sequence. */
static void close_item(gbnf_parser *p, gbnf_group *g)
{
    if (g->has_item) {
        g->sequence = g->has_sequence ? automaton_then(p->a, g->sequence, g->item) : g->item;
        g->has_sequence = true;
        g->has_item = false;
    }
}

static void close_sequence(gbnf_parser *p, gbnf_group *g)
{
    close_item(p, g);
    fragment f = g->has_sequence ? g->sequence : automaton_empty(p->a);
    g->alternatives = g->has_alternatives ? automaton_either(p->a, g->alternatives, f) : f;
    g->has_alternatives = true;
    g->has_sequence = false;
}

static bool read_item(gbnf_parser *p, fragment *item)
{
    int c = peek(p);
    if (c == '"') {
        return read_literal(p, item);
    }
    if (c == '[') {
        return read_class(p, item);
    }
    if (c == '.') {
        p->at++;
        p->ranges[0] = (code_range){0, 0x10FFFF};
        *item = automaton_class(p->a, p->ranges, 1);
        return true;
    }
    if (!is_name_byte(c)) {
        return fail_at(p, p->at, c == '<' ? "token references are not supported" : "unexpected character");
    }
    size_t begin = p->at;
    gbnf_name *name = find_name(p, begin, read_name(p));
    *item = name == NULL ? automaton_never(p->a) : automaton_call(p->a, name->rule);
    return true;
}

static bool open_group(gbnf_parser *p)
{
    if (p->depth + 1 == GROUPS_MAX) {
        return error_set_limit(p->error, SMIDGEN_ERROR_LIMIT, GROUPS_MAX, GROUPS_MAX + 1,
                               "GBNF: groups are nested more than %d deep", GROUPS_MAX);
    }
    close_item(p, &p->groups[p->depth]);
    p->groups[++p->depth] = (gbnf_group){.opened_at = p->at++};
    return true;
}

static bool close_group(gbnf_parser *p)
{
    if (p->depth == 0) {
        return fail_at(p, p->at, "this ) closes nothing");
    }
    p->at++;
    close_sequence(p, &p->groups[p->depth]);
    fragment whole = p->groups[p->depth--].alternatives;
    p->groups[p->depth].item = whole;
    p->groups[p->depth].has_item = true;
    return true;
}

/* Reads up to the end of the rule: a line end outside groups that no | follows. */
static bool read_body(gbnf_parser *p, fragment *body)
{
    p->depth = 0;
    p->groups[0] = (gbnf_group){0};
    skip_space(p, true);
    for (;;) {
        gbnf_group *g = &p->groups[p->depth];
        skip_space(p, p->depth > 0);
        int c = peek(p);
        bool ok = true;
        if (c == '\n' || c == '\r' || c < 0) {
            skip_space(p, true);
            if (c < 0 && p->depth > 0) {
                return fail_at(p, g->opened_at, "the group is not closed");
            }
            if (peek(p) != '|') {
                break;
            }
        } else if (c == '|') {
            p->at++;
            close_sequence(p, g);
            skip_space(p, true);
        } else if (c == '(') {
            ok = open_group(p);
        } else if (c == ')') {
            ok = close_group(p);
        } else if (c == '*' || c == '+' || c == '?' || c == '{') {
            ok = read_repetition(p, g);
        } else {
            close_item(p, g);
            ok = read_item(p, &g->item);
            g->has_item = true;
        }
        if (!ok || p->a->failure != SMIDGEN_ERROR_NONE) {
            return false;
        }
    }
    close_sequence(p, &p->groups[0]);
    *body = p->groups[0].alternatives;
    return true;
}

static bool read_rule(gbnf_parser *p)
{
    size_t begin = p->at, size = read_name(p);
    if (size == 0) {
        return fail_at(p, begin, "expected the name of a rule");
    }
    gbnf_name *name = find_name(p, begin, size);
    if (name == NULL) {
        return false;
    }
    if (name->is_defined) {
        return fail_name(p, &(gbnf_name){begin, size, 0, true}, "is defined twice");
    }
    name->is_defined = true;
    skip_space(p, false);
    if (p->size - p->at < 3 || memcmp(p->text + p->at, "::=", 3) != 0) {
        return fail_at(p, p->at, "expected ::=");
    }
    p->at += 3;
    p->a->owner = name->rule;
    fragment body;
    if (!read_body(p, &body)) {
        return false;
    }
    automaton_define(p->a, name->rule, body);
    return p->a->failure == SMIDGEN_ERROR_NONE;
}

static const gbnf_name *name_of_rule(const gbnf_parser *p, int32_t rule)
{
    for (int32_t i = 0; i < p->name_count; i++) {
        if (p->names[i].rule == rule) {
            return &p->names[i];
        }
    }
    return NULL;
}

/* After the last rule: everything is defined, nothing is left-recursive, the root can be completed. */
static int32_t finish(gbnf_parser *p)
{
    const gbnf_name *root = NULL;
    for (int32_t i = 0; i < p->name_count; i++) {
        const gbnf_name *name = &p->names[i];
        if (!name->is_defined) {
            fail_name(p, name, "is used but not defined");
            return -1;
        }
        if (name->size == 4 && memcmp(p->text + name->at, "root", 4) == 0) {
            root = name;
        }
    }
    if (root == NULL) {
        error_set(p->error, SMIDGEN_ERROR_GRAMMAR, "GBNF: there is no rule named root");
        return -1;
    }
    int32_t left_recursive;
    if (!automaton_finish(p->a, &left_recursive)) {
        const gbnf_name *name = left_recursive < 0 ? NULL : name_of_rule(p, left_recursive);
        if (name != NULL) {
            fail_name(p, name, "is left-recursive: it can enter itself without reading a character");
            return -1;
        }
        return grammar_source_fail(p->a, p->error);
    }
    if (!automaton_is_productive(p->a, root->rule)) {
        fail_name(p, root, "can never be completed");
        return -1;
    }
    return root->rule;
}

int32_t gbnf_compile(automaton *a, const char *text, size_t size_bytes, arena *scratch, smidgen_error *error)
{
    gbnf_parser p = {.a = a, .text = text, .size = size_bytes, .error = error};
    p.names = arena_array(scratch, AUTOMATON_RULES_MAX, sizeof *p.names);
    p.slots = arena_array(scratch, NAME_SLOTS, sizeof *p.slots);
    p.groups = arena_array(scratch, GROUPS_MAX, sizeof *p.groups);
    p.ranges = arena_array(scratch, 2 * CLASS_RANGES_MAX + 1, sizeof *p.ranges);
    if (p.names == NULL || p.slots == NULL || p.groups == NULL || p.ranges == NULL) {
        error_set_memory(error, "reading the grammar", scratch->used_bytes);
        return -1;
    }
    skip_space(&p, true);
    while (p.at < p.size) {
        if (!read_rule(&p)) {
            return a->failure != SMIDGEN_ERROR_NONE ? grammar_source_fail(a, error) : -1;
        }
        skip_space(&p, true);
    }
    return finish(&p);
}
