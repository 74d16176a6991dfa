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

size_t pattern_next(const pattern *p, const char *text, size_t size, size_t at, bool *is_match)
{
    switch (p->kind) {
    case PATTERN_SPLITTER: return splitter_next(p->splitter, text, size, at, is_match);
    case PATTERN_PCRE2: return pattern_engine_next(p->engine, text, size, at, is_match);
    case PATTERN_TEXT: break;
    default: return next_in_class(p->kind, text, size, at, is_match);
    }
    size_t found = find_text(p->text, text, size, at);
    *is_match = found == at && found < size;
    return *is_match ? at + p->text.size_bytes : found;
}
