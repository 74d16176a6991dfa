/* Owns one-shot decoding. Most tokenizers decode to the pieces of their tokens, one behind the other; the others run the
 * decoder's stages over the list of tokens. */
#include "tokenizers/decoder.h"

#include <string.h>

#include "base/error.h"

static int64_t join_pieces(const tokenizer *t, const int32_t *ids, size_t count, bool render_special, char *text,
                           size_t capacity)
{
    uint64_t size = 0;
    bool strips = t->strips_first_space;
    for (size_t i = 0; i < count; i++) {
        size_t piece_bytes;
        const char *piece = tokenizer_token_bytes(t, ids[i], render_special, &piece_bytes);
        bool is_text = piece_bytes != 0;
        if (strips && is_text && piece[0] == ' ') {
            piece++;
            piece_bytes--;
        }
        strips = strips && !is_text;
        if (size < capacity) {
            size_t room = capacity - (size_t)size;
            memcpy(text + size, piece, piece_bytes < room ? piece_bytes : room);
        }
        size += piece_bytes;
    }
    return (int64_t)size;
}

int64_t decoder_run(const tokenizer *t, const int32_t *ids, size_t count, bool render_special, char *text,
                    size_t capacity, smidgen_error *error)
{
    (void)error;
    return join_pieces(t, ids, count, render_special, text, capacity);
}
