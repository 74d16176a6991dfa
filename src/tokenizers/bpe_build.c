/* Owns the construction of byte pair models: the list of merges, the symbols of bytes, where merges can be
 * cut. */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizers/internal.h"

/* GPT-2's stand-ins: printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100
 * onwards. */
static bool stands_for_itself(uint32_t byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

uint32_t byte_level_character(uint8_t byte)
{
    if (stands_for_itself(byte)) {
        return byte;
    }
    return byte <= 32 ? 256u + byte : byte <= 160 ? 256u + 33 + (byte - 127u) : 256u + 67;
}

int byte_level_byte(uint32_t c)
{
    if (c < 256) {
        return stands_for_itself(c) ? (int)c : -1;
    }
    return c < 256 + 33    ? (int)(c - 256)
           : c < 256 + 67  ? (int)(c - 256 - 33 + 127)
           : c == 256 + 67 ? 173
                           : -1;
}

enum { WAITING = sizeof((merge_reader){0}.waiting) / sizeof(merge_slot) };

static bool refuse_collisions(smidgen_error *error)
{
    return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                     "the merges are made to be slow: too many of them collide");
}

/* In published files token ids follow the merges, so the next id is tried before the table is asked. */
bool bpe_read_merge(tokenizer *t, merge_reader *r, uint32_t rank, text_span left, text_span right,
                    smidgen_error *error)
{
    const vocabulary *v = &t->vocabulary;
    int32_t l = vocabulary_find(v, left.text, left.size_bytes);
    int32_t right_id = vocabulary_find(v, right.text, right.size_bytes);
    size_t skip = t->bpe.prefix.size_bytes;
    if (skip != 0 && right.size_bytes >= skip && memcmp(right.text, t->bpe.prefix.text, skip) == 0) {
        right.text += skip;
        right.size_bytes -= skip;
    }
    int32_t id = r->guess;
    size_t size = left.size_bytes + right.size_bytes;
    bool is_guessed = id >= 0 && (uint32_t)id < v->count && v->texts[id].text != NULL &&
                      v->texts[id].size_bytes == size &&
                      memcmp(v->texts[id].text, left.text, left.size_bytes) == 0 &&
                      memcmp(v->texts[id].text + left.size_bytes, right.text, right.size_bytes) == 0;
    if (!is_guessed) {
        id = vocabulary_find_joined(v, left.text, left.size_bytes, right.text, right.size_bytes, r->room);
    }
    if (l < 0 || right_id < 0 || id < 0) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "merge %u (\"%.*s %.*s\") names a token that is not there", (unsigned)rank,
                         (int)(left.size_bytes < 40 ? left.size_bytes : 40), left.text,
                         (int)(right.size_bytes < 40 ? right.size_bytes : 40), right.text);
    }
    merge_slot *place = &r->waiting[r->waiting_at];
    if (r->waiting_count == WAITING && !bpe_add_merge(t, place)) {
        return refuse_collisions(error);
    }
    *place = (merge_slot){(uint32_t)l, (uint32_t)right_id, rank, id};
    bpe_prefetch_merge(t, place);
    r->waiting_count += r->waiting_count < WAITING;
    r->waiting_at = (r->waiting_at + 1) % WAITING;
    r->guess = id + 1;
    return true;
}

bool bpe_end_merges(tokenizer *t, merge_reader *r, smidgen_error *error)
{
    uint32_t first = r->waiting_count == WAITING ? r->waiting_at : 0;
    for (uint32_t i = 0; i < r->waiting_count; i++) {
        if (!bpe_add_merge(t, &r->waiting[(first + i) % WAITING])) {
            return refuse_collisions(error);
        }
    }
    r->waiting_count = 0;
    return true;
}

static void find_byte_symbols(tokenizer *t)
{
    char spelled[64];
    text_span suffix = t->bpe.suffix;
    for (int byte = 0; byte < 256; byte++) {
        size_t size = utf8_encode(byte_level_character((uint8_t)byte), spelled);
        int32_t id = vocabulary_find(&t->vocabulary, spelled, size);
        t->bpe.byte_ids[byte] = t->bpe.last_byte_ids[byte] = id;
        if (suffix.size_bytes != 0 && suffix.size_bytes < sizeof spelled - 4) {
            memcpy(spelled + size, suffix.text, suffix.size_bytes);
            t->bpe.last_byte_ids[byte] = vocabulary_find(&t->vocabulary, spelled, size + suffix.size_bytes);
        }
    }
}

/* No merge can make a token that is not in the vocabulary: where no token has U+2581 behind the byte b, text
 * can be cut between them, which keeps the merging of long texts in the cache. */
static void find_cuts(tokenizer *t)
{
    bpe_model *m = &t->bpe;
    m->cuts_before_space = true;
    for (uint32_t id = 0; id < t->vocabulary.count; id++) {
        const char *text = t->vocabulary.texts[id].text;
        size_t size = (size_t)t->vocabulary.texts[id].size_bytes;
        for (size_t at = 1; at + 2 < size; at++) {
            if (text[at] == '\xE2' && text[at + 1] == '\x96' && text[at + 2] == '\x81') {
                m->joins_space[(uint8_t)text[at - 1]] = true;
            }
        }
    }
}

void bpe_finish(tokenizer *t)
{
    if (t->bpe.is_byte_level) {
        find_byte_symbols(t);
    } else if (t->bpe.prefix.size_bytes == 0 && t->bpe.suffix.size_bytes == 0 && !t->bpe.ignores_merges &&
               vocabulary_find(&t->vocabulary, "\xE2\x96\x81", 3) >= 0) {
        find_cuts(t);
    }
}
