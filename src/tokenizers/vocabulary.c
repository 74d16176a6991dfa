/* Owns the table from spelling to id: open addressing, sized once, spellings referenced where they lie. */
#include "tokenizers/vocabulary.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

/* Spellings are short: two overlapping loads hash up to 16 bytes without a loop. */
static uint32_t spelling_hash(const char *text, size_t size)
{
    const uint64_t k = 0x9E3779B97F4A7C15u;
    uint64_t h = size * k, a = 0, b = 0;
    while (size > 16) {
        h = (h ^ bytes_load_u64(text)) * k;
        h ^= h >> 29;
        text += 8;
        size -= 8;
    }
    if (size >= 8) {
        a = bytes_load_u64(text);
        b = bytes_load_u64(text + size - 8);
    } else if (size >= 4) {
        a = bytes_load_u32(text);
        b = bytes_load_u32(text + size - 4);
    } else if (size > 0) {
        a = (uint64_t)(uint8_t)text[0] << 16 | (uint64_t)(uint8_t)text[size >> 1] << 8 |
            (uint8_t)text[size - 1];
    }
    h = (h ^ a) * k;
    h = (h ^ h >> 32 ^ b) * k;
    return (uint32_t)(h >> 32);
}

bool vocabulary_is(const vocabulary *v, int32_t id, const char *text, size_t size_bytes)
{
    return id >= 0 && (uint32_t)id < v->count && v->texts[id].size_bytes == size_bytes &&
           v->texts[id].text != NULL && memcmp(v->texts[id].text, text, size_bytes) == 0;
}

/* The slot of the spelling, or the free one where it belongs. */
static uint32_t slot_of(const vocabulary *v, const char *text, size_t size_bytes, uint32_t hash)
{
    uint32_t at = hash & v->mask;
    while (v->slots[at].id >= 0 &&
           (v->slots[at].hash != hash || !vocabulary_is(v, v->slots[at].id, text, size_bytes))) {
        at = (at + 1) & v->mask;
    }
    return at;
}

void vocabulary_prefetch(const vocabulary *v, const char *text, size_t size_bytes)
{
    __builtin_prefetch(&v->slots[spelling_hash(text, size_bytes) & v->mask]);
}

/* Enters the spellings; their places lie far apart, so each is asked for a few spellings ahead. */
static bool enter_all(vocabulary *v, const bool *may_repeat, smidgen_error *error)
{
    enum { AHEAD = 8, FARTHEST = 4096 }; /* honest vocabularies stay below 200 */
    uint32_t hashes[AHEAD] = {0};
    const gguf_string *texts = v->texts;
    for (uint64_t next = 0; next < (uint64_t)v->count + AHEAD; next++) {
        uint32_t hash = hashes[next % AHEAD];
        if (next < v->count && texts[next].text != NULL) {
            hashes[next % AHEAD] = spelling_hash(texts[next].text, (size_t)texts[next].size_bytes);
            __builtin_prefetch(&v->slots[hashes[next % AHEAD] & v->mask], 1);
        }
        uint32_t id = (uint32_t)(next - AHEAD);
        size_t size = next < AHEAD || texts[id].text == NULL ? 0 : (size_t)texts[id].size_bytes;
        if (size == 0) {
            continue;
        }
        v->longest_bytes = size > v->longest_bytes ? (uint32_t)size : v->longest_bytes;
        vocabulary_slot *slot = &v->slots[slot_of(v, texts[id].text, size, hash)];
        if ((((uint32_t)(slot - v->slots) - hash) & v->mask) > FARTHEST) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "the vocabulary is made to be slow: too many tokens collide");
        }
        if (slot->id < 0) {
            *slot = (vocabulary_slot){hash, (int32_t)id};
        } else if (may_repeat == NULL || !may_repeat[id]) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "tokens %d and %u of the vocabulary are spelled the same", (int)slot->id,
                             (unsigned)id);
        }
    }
    return true;
}

bool vocabulary_make(vocabulary *v, arena *a, const gguf_string *texts, uint32_t count,
                     const bool *may_repeat, smidgen_error *error)
{
    uint32_t slots = 16;
    while (slots / 3 * 2 < count && slots < 1u << 31) {
        slots *= 2;
    }
    v->texts = texts;
    v->count = count;
    v->mask = slots - 1;
    v->flags = arena_array(a, count, sizeof *v->flags);
    v->slots = arena_array(a, slots, sizeof *v->slots);
    if (v->flags == NULL || v->slots == NULL) {
        return error_set_memory(error, "the vocabulary", (uint64_t)slots * sizeof *v->slots);
    }
    memset(v->slots, 0xFF, (size_t)slots * sizeof *v->slots);
    for (int i = 0; i < 256; i++) {
        v->bytes[i] = -1;
    }
    return enter_all(v, may_repeat, error);
}

int32_t vocabulary_find(const vocabulary *v, const char *text, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > v->longest_bytes) {
        return -1;
    }
    return v->slots[slot_of(v, text, size_bytes, spelling_hash(text, size_bytes))].id;
}

int32_t vocabulary_find_joined(const vocabulary *v, const char *a, size_t a_bytes, const char *b,
                               size_t b_bytes, char *room)
{
    if (a_bytes > v->longest_bytes || b_bytes > v->longest_bytes - a_bytes) {
        return -1;
    }
    memcpy(room, a, a_bytes);
    memcpy(room + a_bytes, b, b_bytes);
    return vocabulary_find(v, room, a_bytes + b_bytes);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

int vocabulary_byte_of(const char *text, size_t size_bytes)
{
    if (size_bytes != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') {
        return -1;
    }
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void vocabulary_find_byte_tokens(vocabulary *v)
{
    v->has_all_bytes = true;
    for (int byte = 0; byte < 256; byte++) {
        char text[7] = "<0x00>";
        text[3] = "0123456789ABCDEF"[byte >> 4];
        text[4] = "0123456789ABCDEF"[byte & 15];
        int32_t id = vocabulary_find(v, text, 6);
        v->bytes[byte] = id;
        if (id >= 0 && (v->flags[id] & VOCABULARY_CONTROL) == 0) {
            v->flags[id] |= VOCABULARY_BYTE;
        }
        v->has_all_bytes = v->has_all_bytes && id >= 0;
    }
}
