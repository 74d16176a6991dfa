/* Owns the public calls and the way of a text: added tokens, normaliser, pre-tokenizer, model, frame. */
#include "tokenizers/tokenizer.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizers/decoder.h"
#include "tokenizers/internal.h"
#include "tokenizers/pattern.h"

tokenizer *tokenizer_new(const smidgen_allocator *allocator, smidgen_error *error)
{
    tokenizer *t = memory_allocate_zeroed(allocator, sizeof *t);
    if (t == NULL) {
        error_set_memory(error, "a tokenizer", sizeof *t);
        return NULL;
    }
    arena_init(&t->arena, allocator);
    t->bos = t->eos = t->pad = t->unknown = -1;
    return t;
}

void tokenizer_close(tokenizer *t)
{
    if (t == NULL) {
        return;
    }
    for (int i = 0; i < t->pre_tokenizer_count; i++) {
        pattern_engine_close(t->pre_tokenizers[i].pattern.engine);
    }
    for (int i = 0; i < t->normalizer_count; i++) {
        pattern_engine_close(t->normalizers[i].pattern == NULL ? NULL : t->normalizers[i].pattern->engine);
    }
    const smidgen_allocator *allocator = t->arena.allocator;
    t->piece_text.allocator = allocator;
    scratch_close(&t->piece_text);
    arena_close(&t->arena);
    memory_release(allocator, t, sizeof *t);
}

void tokenizer_get_info(const tokenizer *t, tokenizer_info *info)
{
    static const char *const names[] = {"byte-level BPE", "SentencePiece BPE", "Unigram", "WordPiece",
                                        "characters"};
    const char *name = names[t->algorithm];
    if (t->algorithm == TOKENIZER_BPE && t->bpe.suffix.size_bytes != 0) {
        name = "CLIP BPE";
    } else if (t->algorithm == TOKENIZER_BPE && !t->bpe.is_byte_level) {
        name = "SentencePiece BPE";
    }
    *info = (tokenizer_info){
        .vocab_size = (int32_t)t->vocabulary.count,
        .bos = t->bos,
        .eos = t->eos,
        .pad = t->pad,
        .unknown = t->unknown,
        .adds_bos = t->adds_bos,
        .adds_eos = t->adds_eos,
        .algorithm = name,
        .memory_bytes = sizeof *t + t->arena.reserved_bytes + t->piece_text.capacity,
    };
}

static void encode_normalized(encoding *e, text_span text, bool is_start)
{
    special_match match;
    size_t at = 0;
    while (!e->failed &&
           special_find(&e->t->normalized, text.text, text.size_bytes, at, e->parses_special, &match)) {
        pre_tokenizer_run(e, text.text + at, match.begin - at, is_start && at == 0);
        encoding_emit(e, match.id);
        at = match.end;
    }
    pre_tokenizer_run(e, text.text + at, text.size_bytes - at, is_start && at == 0);
}

static void encode_section(encoding *e, const char *text, size_t size, bool is_start)
{
    if (size != 0 && !e->failed) {
        encode_normalized(e, normalizer_run(e, text, size), is_start);
    }
}

static void encode_text(encoding *e, const char *text, size_t size)
{
    special_match match;
    size_t at = 0;
    while (!e->failed && special_find(&e->t->raw, text, size, at, e->parses_special, &match)) {
        encode_section(e, text + at, match.begin - at, at == 0);
        encoding_emit(e, match.id);
        at = match.end;
    }
    encode_section(e, text + at, size - at, at == 0);
}

void encoding_close(encoding *e)
{
    scratch_close(&e->symbols);
    scratch_close(&e->heap);
    scratch_close(&e->work);
    for (int i = 0; i < 2; i++) {
        scratch_close(&e->text[i]);
    }
    for (int i = 0; i < TOKENIZER_STAGES; i++) {
        scratch_close(&e->stage_text[i]);
    }
}

void encoding_open(encoding *e, const tokenizer *t)
{
    *e = (encoding){.t = t};
    const smidgen_allocator *allocator = t->arena.allocator;
    e->symbols.allocator = e->heap.allocator = e->work.allocator = allocator;
    e->text[0].allocator = e->text[1].allocator = allocator;
    for (int i = 0; i < TOKENIZER_STAGES; i++) {
        e->stage_text[i].allocator = allocator;
    }
}

static void emit_all(encoding *e, const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        encoding_emit(e, ids[i]);
    }
}

int64_t tokenizer_encode(const tokenizer *t, const char *text, size_t size_bytes, int flags, int32_t *ids,
                         size_t capacity, smidgen_error *error)
{
    if (t == NULL || (text == NULL && size_bytes != 0) || (ids == NULL && capacity != 0)) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  "tokenizer_encode needs a tokenizer, a text and room for ids");
        return -SMIDGEN_ERROR_INVALID_ARGUMENT;
    }
    encoding e;
    encoding_open(&e, t);
    e.ids = ids;
    e.capacity = capacity;
    e.parses_special = (flags & TOKENIZER_PARSE_SPECIAL) != 0;
    if ((flags & TOKENIZER_ADD_SPECIAL) != 0) {
        emit_all(&e, t->before, t->before_count);
    }
    if (size_bytes != 0) {
        bpe_open_cache(&e, size_bytes);
        encode_text(&e, text, size_bytes);
        bpe_close_cache(&e);
    }
    if ((flags & TOKENIZER_ADD_SPECIAL) != 0) {
        emit_all(&e, t->after, t->after_count);
    }
    encoding_close(&e);
    if (e.too_long) {
        error_set_limit(error, SMIDGEN_ERROR_LIMIT, INT32_MAX, size_bytes,
                        "a piece of text has 2^31 bytes or more");
        return -SMIDGEN_ERROR_LIMIT;
    }
    if (e.failed) {
        error_set_memory(error, "encoding a text", size_bytes);
        return -SMIDGEN_ERROR_OUT_OF_MEMORY;
    }
    return (int64_t)e.count;
}

void model_encode(encoding *e, const char *text, size_t size)
{
    if (size >= INT32_MAX) {
        e->failed = e->too_long = true;
        return;
    }
    switch (e->t->algorithm) {
    case TOKENIZER_BPE:
    case TOKENIZER_SENTENCEPIECE:
        bpe_encode(e, text, size);
        break;
    case TOKENIZER_UNIGRAM:
        unigram_encode(e, text, size);
        break;
    case TOKENIZER_WORDPIECE:
        wordpiece_encode(e, text, size);
        break;
    case TOKENIZER_CHARACTERS:
        characters_encode(e, text, size);
        break;
    }
}

int64_t tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t count, bool render_special,
                         char *text, size_t capacity, smidgen_error *error)
{
    if (t == NULL || (ids == NULL && count != 0) || (text == NULL && capacity != 0)) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                  "tokenizer_decode needs a tokenizer, ids and room for text");
        return -SMIDGEN_ERROR_INVALID_ARGUMENT;
    }
    return decoder_run(t, ids, count, render_special, text, capacity, error);
}

static bool is_token(const tokenizer *t, int32_t id)
{
    return t != NULL && id >= 0 && (uint32_t)id < t->vocabulary.count;
}

const char *tokenizer_token_bytes(const tokenizer *t, int32_t id, bool render_special, size_t *size_bytes)
{
    *size_bytes = 0;
    if (!is_token(t, id)) {
        return "";
    }
    const vocabulary *v = &t->vocabulary;
    if ((v->flags[id] & VOCABULARY_CONTROL) != 0) {
        *size_bytes = render_special && v->texts[id].text != NULL ? (size_t)v->texts[id].size_bytes : 0;
        return *size_bytes != 0 ? v->texts[id].text : "";
    }
    *size_bytes = v->piece_at[id + 1] - v->piece_at[id];
    return v->pieces + v->piece_at[id];
}

/* Spelled as in the vocabulary, or as the bytes that a byte-level vocabulary stands for. */
int32_t tokenizer_find(const tokenizer *t, const char *text, size_t size_bytes)
{
    int32_t id = vocabulary_find(&t->vocabulary, text, size_bytes);
    char spelled[512];
    size_t size = 0;
    if (id >= 0 || size_bytes > sizeof spelled / 2 || !t->bpe.is_byte_level) {
        return id;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        size += utf8_encode(byte_level_character((uint8_t)text[i]), spelled + size);
    }
    return vocabulary_find(&t->vocabulary, spelled, size);
}

bool tokenizer_is_control(const tokenizer *t, int32_t id)
{
    return is_token(t, id) && (t->vocabulary.flags[id] & VOCABULARY_CONTROL) != 0;
}

bool tokenizer_is_end(const tokenizer *t, int32_t id)
{
    return is_token(t, id) && (t->vocabulary.flags[id] & VOCABULARY_END) != 0;
}
