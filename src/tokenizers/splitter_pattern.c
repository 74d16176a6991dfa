/* Reads the regular expressions that published tokenizers split with. Known: alternatives of literals,
 * contractions and up to three character classes with quantifiers, and \s+(?!\S). Refuses everything else,
 * without guessing. */
#include <string.h>

#include "tokenizers/splitter.h"
#include "tokenizers/unicode.h"
#include "base/utf8.h"

typedef struct pattern_reader {
    const char *at, *end;
} pattern_reader;

static bool take(pattern_reader *p, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, text, size) != 0) {
        return false;
    }
    p->at += size;
    return true;
}

static const struct {
    const char *name;
    uint32_t categories;
} category_names[] = {
    {"L", UNICODE_LETTERS},          {"N", UNICODE_NUMBERS},          {"M", UNICODE_MARKS},
    {"P", UNICODE_PUNCTUATION},      {"S", UNICODE_SYMBOLS},          {"Z", UNICODE_SEPARATORS},
    {"Lu", UNICODE_BIT(UNICODE_LU)}, {"Ll", UNICODE_BIT(UNICODE_LL)}, {"Lt", UNICODE_BIT(UNICODE_LT)},
    {"Lm", UNICODE_BIT(UNICODE_LM)}, {"Lo", UNICODE_BIT(UNICODE_LO)}, {"Mn", UNICODE_BIT(UNICODE_MN)},
    {"Nd", UNICODE_BIT(UNICODE_ND)},
};

/* \p{..}, \pL, \s, \d as categories; 0 when it is none of them. */
static uint32_t take_category(pattern_reader *p)
{
    if (take(p, "\\s")) {
        return UNICODE_SPACES;
    }
    if (take(p, "\\d")) {
        return UNICODE_BIT(UNICODE_ND);
    }
    for (size_t i = 0; i < sizeof category_names / sizeof category_names[0]; i++) {
        pattern_reader start = *p;
        if (take(p, "\\p{") && take(p, category_names[i].name) && take(p, "}")) {
            return category_names[i].categories;
        }
        *p = start;
        if (category_names[i].name[1] == 0 && take(p, "\\p") && take(p, category_names[i].name)) {
            return category_names[i].categories;
        }
        *p = start;
    }
    return 0;
}

/* One character, escaped or not; false at the end or at something that stands for more. */
static bool take_character(pattern_reader *p, uint32_t *c, const char *meaningful)
{
    if (p->at == p->end) {
        return false;
    }
    if (*p->at != '\\') {
        if (strchr(meaningful, *p->at) != NULL && *p->at != 0) {
            return false;
        }
        p->at += utf8_decode(p->at, (size_t)(p->end - p->at), c);
        return *c != UINT32_MAX;
    }
    if (p->end - p->at < 2) {
        return false;
    }
    char escaped = p->at[1];
    const char *named = strchr("r\rn\nt\tv\vf\f", escaped);
    if (named != NULL && escaped >= 'a') {
        *c = (uint8_t)named[1];
    } else if (escaped > 32 && escaped < 127 &&
               strchr("^$\\.|?*+()[]{}<>-/'\"!#%&,:;=@_`~ ", escaped) != NULL) {
        *c = (uint8_t)escaped;
    } else {
        return false;
    }
    p->at += 2;
    return true;
}

static bool add_range(splitter_class *set, uint32_t from, uint32_t to)
{
    for (uint32_t c = from; c <= to && c < 128; c++) {
        set->ascii[c >> 6] |= 1ull << (c & 63);
    }
    if (to < 128) {
        return from <= to;
    }
    if (from > to || set->range_count == SPLITTER_RANGES) {
        return false;
    }
    set->ranges[set->range_count][0] = from;
    set->ranges[set->range_count++][1] = to;
    return true;
}

static void add_categories(splitter_class *set, uint32_t categories)
{
    set->categories |= categories;
    for (uint32_t c = 0; c < 128; c++) {
        if ((unicode_mask(c) & categories) != 0) {
            set->ascii[c >> 6] |= 1ull << (c & 63);
        }
    }
}

static bool take_bracket(pattern_reader *p, splitter_class *set)
{
    bool is_negated = take(p, "^");
    bool is_first = true;
    while (!take(p, "]")) {
        uint32_t categories = take_category(p), from, to;
        if (categories != 0) {
            add_categories(set, categories);
        } else if (!take(p, "&&") && take_character(p, &from, is_first ? "[" : "[]")) {
            pattern_reader start = *p;
            bool is_range = take(p, "-") && take_character(p, &to, "[]");
            if (!is_range) {
                *p = start;
                to = from;
            }
            if (!add_range(set, from, to)) {
                return false;
            }
        } else {
            return false;
        }
        is_first = false;
    }
    if (is_negated) {
        set->ascii[0] = ~set->ascii[0];
        set->ascii[1] = ~set->ascii[1];
        set->is_negated = true;
    }
    return true;
}

static bool take_number(pattern_reader *p, uint32_t *value)
{
    const char *start = p->at;
    *value = 0;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9' && p->at - start < 6) {
        *value = *value * 10 + (uint32_t)(*p->at++ - '0');
    }
    return p->at != start;
}

static bool take_quantifier(pattern_reader *p, splitter_run *run)
{
    run->least = run->most = 1;
    if (take(p, "?")) {
        run->least = 0;
    } else if (take(p, "*")) {
        run->least = 0;
        run->most = UINT32_MAX;
    } else if (take(p, "+")) {
        run->most = UINT32_MAX;
    } else if (take(p, "{")) {
        if (!take_number(p, &run->least)) {
            return false;
        }
        run->most = run->least;
        if (take(p, ",") && !take_number(p, &run->most)) {
            run->most = UINT32_MAX;
        }
        if (!take(p, "}") || run->most == 0 || run->most < run->least) {
            return false;
        }
    } else {
        return true;
    }
    /* Possessive and greedy give the same for the shapes below; lazy does not. */
    take(p, "+");
    return p->at == p->end || *p->at != '?';
}

static bool take_run(pattern_reader *p, splitter_run *run)
{
    *run = (splitter_run){0};
    uint32_t categories = take_category(p), c;
    if (categories != 0) {
        add_categories(&run->set, categories);
    } else if (take(p, "[")) {
        if (!take_bracket(p, &run->set)) {
            return false;
        }
    } else if (!take_character(p, &c, "^$.|?*+()[]{}") || !add_range(&run->set, c, c)) {
        return false;
    }
    return take_quantifier(p, run);
}

/* The ways in which the seven English contractions are written; without regard to case, or with. */
static bool take_contraction(pattern_reader *p)
{
    static const char *const known[] = {
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)",
        "(?i:[sdmt]|ll|ve|re)",         "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
        "(?i:'s|'t|'re|'ve|'d|'m|'ll)",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (i != 2 && take(p, known[i])) {
            return true;
        }
    }
    return false;
}

static bool take_literal(pattern_reader *p, arena *a, splitter_rule *rule, bool *out_of_memory)
{
    pattern_reader start = *p;
    char bytes[64];
    size_t size = 0;
    uint32_t c;
    while (p->at < p->end && *p->at != '|' && size < sizeof bytes - 4 &&
           take_character(p, &c, "^$.|?*+()[]{}")) {
        size += utf8_encode(c, bytes + size);
    }
    if (size == 0 || (p->at < p->end && *p->at != '|')) {
        *p = start;
        return false;
    }
    rule->shape = SPLITTER_LITERAL;
    rule->literal = arena_copy_text(a, bytes, size);
    rule->literal_bytes = size;
    *out_of_memory = rule->literal == NULL;
    return true;
}

static bool is_any_number(const splitter_run *run, uint32_t least)
{
    return run->least == least && run->most == UINT32_MAX;
}

/* Chooses the shape for runs[0..count). */
static bool shape_of(splitter_rule *rule, const splitter_run runs[3], int count, bool not_before)
{
    int first = count > 1 && runs[0].most == 1 ? 1 : 0; /* an optional or fixed character in front */
    int left = count - first;
    if (first != 0) {
        rule->first = runs[0];
    }
    rule->middle = runs[first];
    if (left == 2) {
        rule->last = runs[first + 1];
    }
    if (not_before) {
        rule->shape = SPLITTER_NOT_BEFORE;
        return first == 0 && left == 1 && is_any_number(&rule->middle, 1);
    }
    if (left == 2 && is_any_number(&rule->middle, 0) && rule->last.least == 1) {
        rule->shape = SPLITTER_BACKWARD;
        return true;
    }
    rule->shape = SPLITTER_FORWARD;
    return left >= 1 && left <= 2 && rule->middle.least >= 1 && (left == 1 || is_any_number(&rule->last, 0));
}

static bool take_alternative(pattern_reader *p, arena *a, splitter_rule *rule, bool *out_of_memory)
{
    if (take_contraction(p)) {
        rule->shape = SPLITTER_CONTRACTION;
        return true;
    }
    if (take_literal(p, a, rule, out_of_memory)) {
        return !*out_of_memory;
    }
    splitter_run runs[3];
    int count = 0;
    bool not_before = false;
    while (p->at < p->end && *p->at != '|' && !not_before && !rule->ends_with_contraction) {
        if (count > 0 && take(p, "(?!\\S)")) {
            not_before = true;
        } else if (count > 0 && *p->at == '(' && take_contraction(p)) {
            rule->ends_with_contraction = true;
            if (!take(p, "?")) {
                return false;
            }
        } else if (count == 3 || !take_run(p, &runs[count])) {
            return false;
        } else {
            count++;
        }
    }
    /* Three equal single classes, as in [0-9][0-9][0-9]. */
    if (count == 3 && runs[0].most == 1 && memcmp(&runs[0], &runs[1], sizeof runs[0]) == 0 &&
        memcmp(&runs[1], &runs[2], sizeof runs[0]) == 0) {
        runs[0].least = runs[0].most = 3;
        count = 1;
    }
    return count > 0 && (p->at == p->end || *p->at == '|') && shape_of(rule, runs, count, not_before);
}

static bool may_start(const splitter_rule *rule, uint32_t c)
{
    if (rule->shape == SPLITTER_LITERAL) {
        return (uint8_t)rule->literal[0] == c;
    }
    if (rule->shape == SPLITTER_CONTRACTION) {
        return c == '\'';
    }
    bool in_first = rule->first.most != 0 && splitter_class_has(&rule->first.set, c);
    bool in_middle =
        (rule->first.most == 0 || rule->first.least == 0) && splitter_class_has(&rule->middle.set, c);
    bool in_last = rule->shape == SPLITTER_BACKWARD && splitter_class_has(&rule->last.set, c);
    return in_first || in_middle || in_last;
}

bool splitter_parse(splitter *s, arena *a, const char *pattern, size_t size_bytes, bool *out_of_memory)
{
    pattern_reader p = {pattern, pattern + size_bytes};
    memset(s, 0, sizeof *s);
    *out_of_memory = false;
    do {
        if (s->rule_count == SPLITTER_RULES ||
            !take_alternative(&p, a, &s->rules[s->rule_count], out_of_memory)) {
            return false;
        }
        s->rule_count++;
    } while (take(&p, "|"));
    for (uint32_t c = 0; c < 128; c++) {
        for (int i = 0; i < s->rule_count; i++) {
            s->starts[c] |= (uint32_t)may_start(&s->rules[i], c) << i;
        }
    }
    return p.at == p.end;
}
