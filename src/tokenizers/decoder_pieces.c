/* Owns what each token adds to a text in the middle of a reply, worked out once for all tokens from the
 * decoder's stages. */
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizers/decoder.h"

/* As long as the token is, or shorter: one character is one byte. */
static bool append_bytes_of_characters(scratch *out, text_span token)
{
    if (token.size_bytes > SIZE_MAX / 2 - out->size || !scratch_reserve(out, out->size + token.size_bytes)) {
        return false;
    }
    char *to = out->data + out->size;
    for (size_t at = 0; at < token.size_bytes;) {
        uint32_t c = (uint8_t)token.text[at];
        at += c > 32 && c < 127 ? 1 : utf8_decode(token.text + at, token.size_bytes - at, &c);
        int byte = byte_level_byte(c);
        if (byte < 0) { /* not spelled in stand-ins: it means itself */
            return scratch_append(out, token.text, token.size_bytes);
        }
        *to++ = (char)byte;
    }
    out->size = (size_t)(to - out->data);
    return true;
}

/* `token` with every `from` replaced by `to`. */
static bool append_replaced(scratch *out, text_span token, text_span from, text_span to)
{
    size_t at = 0;
    while (at < token.size_bytes) {
        bool is_here = from.size_bytes != 0 && token.size_bytes - at >= from.size_bytes &&
                       memcmp(token.text + at, from.text, from.size_bytes) == 0;
        bool ok =
            is_here ? scratch_append(out, to.text, to.size_bytes) : scratch_append(out, token.text + at, 1);
        if (!ok) {
            return false;
        }
        at += is_here ? from.size_bytes : 1;
    }
    return true;
}

static const decoder_stage *find_stage(const tokenizer *t, decoder_kind kind)
{
    for (int i = 0; i < t->decoder_count; i++) {
        if (t->decoders[i].kind == kind) {
            return &t->decoders[i];
        }
    }
    return NULL;
}

typedef struct piece_rules {
    bool byte_level, byte_fallback;
    text_span from, to; /* what is replaced: U+2581 by a space, </w> by a space, | by a space */
    const decoder_stage *wordpiece, *ctc;
} piece_rules;

static piece_rules rules_of(const tokenizer *t)
{
    static const text_span space = {" ", 1};
    piece_rules r = {.byte_level = find_stage(t, DECODER_BYTE_LEVEL) != NULL,
                     .byte_fallback = find_stage(t, DECODER_BYTE_FALLBACK) != NULL,
                     .wordpiece = find_stage(t, DECODER_WORDPIECE),
                     .ctc = find_stage(t, DECODER_CTC)};
    const decoder_stage *replaced = find_stage(t, DECODER_REPLACE),
                        *metaspace = find_stage(t, DECODER_METASPACE);
    const decoder_stage *bpe = find_stage(t, DECODER_BPE);
    if (replaced != NULL) {
        r.from = replaced->text;
        r.to = replaced->content;
    } else if (metaspace != NULL || bpe != NULL) {
        r.from = metaspace != NULL ? metaspace->text : bpe->text;
        r.to = space;
    } else if (r.ctc != NULL) {
        r.from = r.ctc->content;
        r.to = space;
    } else if (t->turns_suffix_to_space) {
        r.from = t->bpe.suffix;
        r.to = space;
    }
    return r;
}

static bool append_piece(const tokenizer *t, const piece_rules *r, uint32_t id, scratch *out)
{
    text_span token = {t->vocabulary.texts[id].text, (size_t)t->vocabulary.texts[id].size_bytes};
    uint8_t flags = t->vocabulary.flags[id];
    if (token.text == NULL || (flags & VOCABULARY_CONTROL) != 0) {
        return true;
    }
    if ((flags & VOCABULARY_LITERAL) != 0) {
        return scratch_append(out, token.text, token.size_bytes);
    }
    if (r->byte_fallback && (flags & VOCABULARY_BYTE) != 0) {
        char byte = (char)vocabulary_byte_of(token.text, token.size_bytes);
        return scratch_append(out, &byte, 1);
    }
    if (r->byte_level) {
        size_t suffix = t->turns_suffix_to_space ? t->bpe.suffix.size_bytes : 0;
        bool has_suffix = suffix != 0 && token.size_bytes > suffix &&
                          memcmp(token.text + token.size_bytes - suffix, t->bpe.suffix.text, suffix) == 0;
        token.size_bytes -= has_suffix ? suffix : 0;
        return append_bytes_of_characters(out, token) && (!has_suffix || scratch_append(out, " ", 1));
    }
    if (r->wordpiece != NULL) {
        text_span prefix = r->wordpiece->text;
        bool continues =
            token.size_bytes >= prefix.size_bytes && memcmp(token.text, prefix.text, prefix.size_bytes) == 0;
        size_t skip = continues ? prefix.size_bytes : 0;
        return (continues || scratch_append(out, " ", 1)) &&
               scratch_append(out, token.text + skip, token.size_bytes - skip);
    }
    bool is_pad = r->ctc != NULL && r->ctc->text.size_bytes == token.size_bytes &&
                  memcmp(r->ctc->text.text, token.text, token.size_bytes) == 0;
    if (is_pad) {
        return true;
    }
    if (t->joins_with_space && !scratch_append(out, " ", 1)) {
        return false;
    }
    return append_replaced(out, token, r->from, r->to);
}

bool decoder_make_pieces(tokenizer *t, smidgen_error *error)
{
    vocabulary *v = &t->vocabulary;
    uint64_t total = 0;
    for (uint32_t id = 0; id < v->count; id++) {
        total += v->texts[id].size_bytes;
    }
    uint32_t *piece_at = arena_array(&t->arena, (size_t)v->count + 1, sizeof *piece_at);
    scratch *out = &t->piece_text;
    out->allocator = t->arena.allocator;
    if (piece_at == NULL || total > UINT32_MAX / 2 || !scratch_reserve(out, (size_t)total)) {
        return error_set_memory(error, "the tokens' texts", total);
    }
    piece_rules rules = rules_of(t);
    for (uint32_t id = 0; id < v->count; id++) {
        piece_at[id] = (uint32_t)out->size;
        if (!append_piece(t, &rules, id, out) || out->size > UINT32_MAX / 2) {
            return error_set_memory(error, "the tokens' texts", total);
        }
    }
    piece_at[v->count] = (uint32_t)out->size;
    v->piece_at = piece_at;
    v->pieces = out->data != NULL ? out->data : "";
    return true;
}
