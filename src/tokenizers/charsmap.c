/* Owns the walk through SentencePiece's double array (units as in Darts: label, leaf bit, offset). Refuses
 * maps whose sizes disagree; offsets that lead outside the array end the walk. */
#include "tokenizers/charsmap.h"

#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "tokenizers/unicode.h"

enum { LONGEST_CLUSTER = 6 };

bool charsmap_make(charsmap *m, const uint8_t *blob, size_t size_bytes)
{
    uint32_t trie_bytes = size_bytes >= 4 ? bytes_load_u32(blob) : 0;
    if (size_bytes < 4 || trie_bytes > size_bytes - 4 || trie_bytes % 4 != 0 || trie_bytes == 0) {
        return false;
    }
    m->units = blob + 4;
    m->unit_count = trie_bytes / 4;
    m->texts = (const char *)blob + 4 + trie_bytes;
    m->texts_bytes = size_bytes - 4 - trie_bytes;
    return true;
}

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

static bool unit_at(const charsmap *m, uint32_t index, uint32_t *unit)
{
    if (index >= m->unit_count) {
        return false;
    }
    *unit = bytes_load_u32(m->units + 4 * (size_t)index);
    return true;
}

/* The replacement of the shortest key that begins text; false when none does. */
static bool find(const charsmap *m, const char *text, size_t size, text_span *found)
{
    uint32_t unit, node;
    if (!unit_at(m, 0, &unit)) {
        return false;
    }
    node = offset_of(unit);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        node ^= byte;
        if (byte == 0 || !unit_at(m, node, &unit) || (unit & (1u << 31 | 0xFF)) != byte) {
            return false;
        }
        node ^= offset_of(unit);
        if ((unit >> 8 & 1) != 0) {
            if (!unit_at(m, node, &unit)) {
                return false;
            }
            uint32_t at = unit & 0x7FFFFFFF;
            const char *end = at < m->texts_bytes ? memchr(m->texts + at, 0, m->texts_bytes - at) : NULL;
            if (end == NULL) {
                return false;
            }
            *found = (text_span){m->texts + at, (size_t)(end - m->texts) - at};
            return true;
        }
    }
    return false;
}

/* Characters that stay with the one before them (a short form of the grapheme clusters of UAX #29: only
 * clusters of less than six bytes are looked up as a whole, and those have no other members). */
static bool extends(uint32_t c)
{
    return c == 0x200C || c == 0x200D || (unicode_mask(c) & UNICODE_MARKS) != 0;
}

static bool is_border(uint32_t c)
{
    return (unicode_mask(c) &
            (UNICODE_BIT(UNICODE_CC) | UNICODE_BIT(UNICODE_ZL) | UNICODE_BIT(UNICODE_ZP))) != 0;
}

static size_t cluster_end(const char *text, size_t size, size_t at)
{
    uint32_t c;
    if (text[at] == '\r' && at + 1 < size && text[at + 1] == '\n') {
        return at + 2;
    }
    at += utf8_decode(text + at, size - at, &c);
    while (at < size && !is_border(c)) {
        uint32_t next;
        size_t length = utf8_decode(text + at, size - at, &next);
        if (!extends(next)) {
            break;
        }
        at += length;
    }
    return at;
}

bool charsmap_append(const charsmap *m, scratch *out, const char *text, size_t size)
{
    text_span found;
    for (size_t at = 0; at < size;) {
        size_t end = cluster_end(text, size, at);
        if (end - at < LONGEST_CLUSTER && find(m, text + at, end - at, &found)) {
            if (!scratch_append(out, found.text, found.size_bytes)) {
                return false;
            }
            at = end;
        }
        while (at < end) {
            uint32_t c;
            size_t length = utf8_decode(text + at, end - at, &c);
            bool is_mapped = find(m, text + at, length, &found);
            bool ok = is_mapped ? scratch_append(out, found.text, found.size_bytes)
                                : scratch_append(out, text + at, length);
            if (!ok) {
                return false;
            }
            at += length;
        }
    }
    return true;
}
