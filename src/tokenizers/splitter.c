/* Owns the matching of split rules. Linear: a rule reads a run of equal class at most twice, and what it
 * reads becomes part of a piece (all published patterns have that property). */
#include "tokenizers/splitter.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizers/unicode.h"

static const size_t no_match = SIZE_MAX;

bool splitter_class_has(const splitter_class *set, uint32_t c)
{
    if (c < 128) {
        return (set->ascii[c >> 6] >> (c & 63) & 1) != 0;
    }
    bool has = (unicode_mask(c) & set->categories) != 0;
    for (int i = 0; i < set->range_count && !has; i++) {
        has = c >= set->ranges[i][0] && c <= set->ranges[i][1];
    }
    return has != set->is_negated;
}

/* Length of the character at `at` when it is in the set, else 0. */
static inline size_t step(const splitter_class *set, const char *text, size_t size, size_t at)
{
    if (at >= size) {
        return 0;
    }
    uint8_t byte = (uint8_t)text[at];
    if (byte < 128) {
        return set->ascii[byte >> 6] >> (byte & 63) & 1;
    }
    uint32_t c;
    size_t length = utf8_decode(text + at, size - at, &c);
    return splitter_class_has(set, c) ? length : 0;
}

/* End of at most `most` characters of the set. */
static size_t run_end(const splitter_run *run, const char *text, size_t size, size_t at, uint32_t *count)
{
    uint32_t n = 0;
    while (n < run->most) {
        size_t length = step(&run->set, text, size, at);
        if (length == 0) {
            break;
        }
        at += length;
        n += n < UINT32_MAX - 1;
    }
    *count = n;
    return at;
}

static size_t contraction_end(const char *text, size_t size, size_t at)
{
    if (size - at < 2 || text[at] != '\'') {
        return no_match;
    }
    char a = (char)(text[at + 1] | 0x20), b = size - at > 2 ? (char)(text[at + 2] | 0x20) : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') {
        return at + 2;
    }
    bool is_long = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return is_long ? at + 3 : no_match;
}

static size_t forward_end(const splitter_rule *r, const char *text, size_t size, size_t at)
{
    uint32_t count;
    at = run_end(&r->middle, text, size, at, &count);
    if (count < r->middle.least) {
        return no_match;
    }
    return r->last.most == 0 ? at : run_end(&r->last, text, size, at, &count);
}

/* middle* last+: the middle gives characters back until the last run can begin; what follows that place in
 * the middle's run is not in `last`, so the match ends right behind it. */
static size_t backward_end(const splitter_rule *r, const char *text, size_t size, size_t at)
{
    size_t behind_last = no_match;
    while (true) {
        size_t length = step(&r->middle.set, text, size, at);
        if (length == 0) {
            break;
        }
        if (step(&r->last.set, text, size, at) != 0) {
            behind_last = at + length;
        }
        at += length;
    }
    uint32_t count;
    size_t end = run_end(&r->last, text, size, at, &count);
    return count != 0 ? end : behind_last;
}

static size_t not_before_end(const splitter_rule *r, const char *text, size_t size, size_t at)
{
    size_t begin = at, before = at;
    while (true) {
        size_t length = step(&r->middle.set, text, size, at);
        if (length == 0) {
            break;
        }
        before = at;
        at += length;
    }
    at = at == size ? at : before;
    return at == begin ? no_match : at;
}

static size_t body_end(const splitter_rule *r, const char *text, size_t size, size_t at)
{
    size_t end = r->shape == SPLITTER_BACKWARD     ? backward_end(r, text, size, at)
                 : r->shape == SPLITTER_NOT_BEFORE ? not_before_end(r, text, size, at)
                                                   : forward_end(r, text, size, at);
    if (end != no_match && r->ends_with_contraction && end < size) {
        size_t longer = contraction_end(text, size, end);
        end = longer != no_match ? longer : end;
    }
    return end;
}

static size_t rule_end(const splitter_rule *r, const char *text, size_t size, size_t at)
{
    if (r->shape == SPLITTER_LITERAL) {
        bool is_here = size - at >= r->literal_bytes && memcmp(text + at, r->literal, r->literal_bytes) == 0;
        return is_here ? at + r->literal_bytes : no_match;
    }
    if (r->shape == SPLITTER_CONTRACTION) {
        return contraction_end(text, size, at);
    }
    if (r->first.most != 0) {
        size_t length = step(&r->first.set, text, size, at);
        size_t end = length != 0 && at + length < size ? body_end(r, text, size, at + length) : no_match;
        if (end != no_match || r->first.least != 0) {
            return end;
        }
    }
    return body_end(r, text, size, at);
}

static size_t match_end(const splitter *s, const char *text, size_t size, size_t at)
{
    uint8_t byte = (uint8_t)text[at];
    uint32_t candidates = byte < 128 ? s->starts[byte] : UINT32_MAX;
    for (int i = 0; i < s->rule_count; i++) {
        if ((candidates >> i & 1) == 0) {
            continue;
        }
        size_t end = rule_end(&s->rules[i], text, size, at);
        if (end != no_match && end > at) {
            return end;
        }
    }
    return no_match;
}

size_t splitter_next(const splitter *s, const char *text, size_t size, size_t at, bool *is_match)
{
    size_t end = match_end(s, text, size, at);
    *is_match = end != no_match;
    while (end == no_match) {
        uint32_t c;
        at += utf8_decode(text + at, size - at, &c);
        if (at >= size) {
            return size;
        }
        end = match_end(s, text, size, at) == no_match ? no_match : at;
    }
    return end;
}
