/* Owns the iteration over matches of any pattern: fixed text, a split rule, or a class of characters. */
#include <string.h>

#include "base/utf8.h"
#include "tokenizers/pattern.h"
#include "tokenizers/unicode.h"

static size_t find_text(text_span what, const char *text, size_t size, size_t at)
{
    if (what.size_bytes == 0) {
        return size;
    }
    while (size - at >= what.size_bytes) {
        const char *hit = memchr(text + at, what.text[0], size - at - what.size_bytes + 1);
        if (hit == NULL) {
            break;
        }
        at = (size_t)(hit - text);
        if (memcmp(hit, what.text, what.size_bytes) == 0) {
            return at;
        }
        at++;
    }
    return size;
}

static bool is_in_class(pattern_kind kind, uint32_t c)
{
    return kind == PATTERN_SPACES   ? (unicode_mask(c) & UNICODE_SPACES) != 0
           : kind == PATTERN_DIGITS ? (unicode_mask(c) & UNICODE_NUMBERS) != 0
           : kind == PATTERN_WORDS  ? unicode_is_word(c)
                                    : unicode_is_bert_punctuation(c);
}

/* One character of the class is one match; what lies between is one stretch. */
static size_t next_in_class(pattern_kind kind, const char *text, size_t size, size_t at, bool *is_match)
{
    size_t begin = at;
    *is_match = false;
    while (at < size) {
        uint32_t c;
        size_t length = utf8_decode(text + at, size - at, &c);
        if (is_in_class(kind, c)) {
            *is_match = at == begin;
            return at == begin ? at + length : at;
        }
        at += length;
    }
    return at;
}

static size_t part_end(const pattern *p, const char *text, size_t size, size_t at, bool *is_match)
{
    if (p->kind == PATTERN_SPLITTER) {
        return splitter_next(p->splitter, text, size, at, is_match);
    }
    if (p->kind != PATTERN_TEXT) {
        return next_in_class(p->kind, text, size, at, is_match);
    }
    size_t found = find_text(p->text, text, size, at);
    *is_match = found == at && found < size;
    return *is_match ? at + p->text.size_bytes : found;
}

/* The engine wants UTF-8: it is given the stretches that are, and bytes that are not lie between matches. */
static size_t engine_part_end(pattern_walk *w)
{
    uint32_t c;
    if (w->at >= w->valid_end) {
        w->valid_begin = w->valid_end = w->at;
        while (w->valid_end < w->size) {
            size_t length = utf8_decode(w->text + w->valid_end, w->size - w->valid_end, &c);
            if (c == UINT32_MAX) {
                break;
            }
            w->valid_end += length;
        }
    }
    size_t valid_bytes = w->valid_end - w->valid_begin;
    if (valid_bytes == 0) {
        w->is_match = false;
        return w->at + 1;
    }
    size_t end = pattern_engine_next(w->pattern->engine, w->text + w->valid_begin, valid_bytes,
                                     w->at - w->valid_begin, &w->is_match);
    w->failed = end == SIZE_MAX;
    return w->failed ? w->size : w->valid_begin + end;
}

pattern_walk pattern_walk_over(const pattern *p, const char *text, size_t size)
{
    return (pattern_walk){.pattern = p, .text = text, .size = size};
}

bool pattern_walk_next(pattern_walk *w)
{
    if (w->at >= w->size || w->failed) {
        return false;
    }
    w->begin = w->at;
    w->end = w->pattern->kind == PATTERN_PCRE2 ? engine_part_end(w)
                                               : part_end(w->pattern, w->text, w->size, w->at, &w->is_match);
    w->at = w->end;
    return !w->failed;
}
