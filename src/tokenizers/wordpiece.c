/* Owns WordPiece (the longest token first, from left to right) and vocabularies of single characters. */
#include <string.h>

#include "base/utf8.h"
#include "tokenizers/internal.h"

/* The id of the longest token that begins text, marked as a continuation when is_inner; its length in
 * *length. */
static int32_t longest_token(encoding *e, const char *text, size_t size, bool is_inner, size_t *length)
{
    const tokenizer *t = e->t;
    text_span prefix = t->wordpiece.prefix;
    size_t skip = is_inner ? prefix.size_bytes : 0;
    size_t most = t->vocabulary.longest_bytes > skip ? t->vocabulary.longest_bytes - skip : 0;
    size_t end = size < most ? size : most;
    e->work.size = 0;
    if (!scratch_append(&e->work, prefix.text, skip) || !scratch_append(&e->work, text, end)) {
        e->failed = true;
        return -1;
    }
    for (; end > 0; end--) {
        bool is_border = end == size || ((uint8_t)text[end] & 0xC0) != 0x80;
        int32_t id = is_border ? vocabulary_find(&t->vocabulary, e->work.data, skip + end) : -1;
        if (id >= 0) {
            *length = end;
            return id;
        }
    }
    return -1;
}

static bool is_too_long(const char *text, size_t size, uint32_t most)
{
    size_t characters = 0;
    for (size_t i = 0; i < size && characters <= most; i++) {
        characters += ((uint8_t)text[i] & 0xC0) != 0x80;
    }
    return characters > most;
}

void wordpiece_encode(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    uint64_t count = e->count;
    bool is_known = !is_too_long(text, size, t->wordpiece.longest_characters);
    for (size_t at = 0; at < size && is_known && !e->failed;) {
        size_t length = 0;
        int32_t id = longest_token(e, text + at, size - at, at != 0, &length);
        is_known = id >= 0;
        if (is_known) {
            encoding_emit(e, id);
        }
        at += length;
    }
    if (!is_known) { /* one unknown token for the whole word */
        e->count = count;
        if (t->unknown >= 0) {
            encoding_emit(e, t->unknown);
        }
    }
}

void characters_encode(encoding *e, const char *text, size_t size)
{
    const tokenizer *t = e->t;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode(text + at, size - at, &c);
        int32_t id = vocabulary_find(&t->vocabulary, text + at, length);
        id = id < 0 ? t->unknown : id;
        if (id >= 0) {
            encoding_emit(e, id);
        }
        at += length;
    }
}
