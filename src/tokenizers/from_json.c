/* Owns tokenizer_from_json: vocabulary, added tokens, model and frame of a tokenizer.json, and the plain
 * vocab.json of CTC models. All spellings are copied, so that the documents may be closed. */
#include <math.h>
#include <string.h>

#include "tokenizers/json_parts.h"

typedef struct json_build {
    tokenizer *t;
    const json_value *model, *vocab, *added;
    gguf_string *texts; /* [count] */
    bool *may_repeat;   /* [count] */
    uint32_t count;
    char *room; /* where spellings are copied to */
} json_build;

static const char *token_of(const json_iterator *it, size_t *size, int64_t *id, int64_t index)
{
    if (it->is_object) {
        *size = it->key_bytes;
        *id = json_integer(it->value, -1);
        return it->key;
    }
    json_iterator pair = json_iterate(it->value);
    *id = index;
    return json_kind_of(it->value) == JSON_ARRAY && json_next(&pair) ? json_string(pair.value, size) : NULL;
}

static const char *added_of(const json_value *token, size_t *size, int64_t *id)
{
    *id = json_integer(json_get(token, "id"), -1);
    return json_string(json_get(token, "content"), size);
}

/* The number of ids and the bytes of all spellings. Ids may have gaps, but few, so that a small file cannot
 * ask for a large table. */
static bool measure(json_build *b, size_t *total, smidgen_error *error)
{
    int64_t last = -1, id, index = 0;
    size_t size;
    *total = 0;
    for (json_iterator it = json_iterate(b->vocab); json_next(&it); index++) {
        if (token_of(&it, &size, &id, index) == NULL || id < 0) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "tokenizer.json: entry %lld of vocab is not a token", (long long)index);
        }
        last = id > last ? id : last;
        *total += size;
    }
    for (json_iterator it = json_iterate(b->added); json_next(&it);) {
        if (added_of(it.value, &size, &id) == NULL || id < 0) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "tokenizer.json: an added token has no content or id");
        }
        last = id > last ? id : last;
        *total += size;
    }
    int64_t most = 16 * (int64_t)(json_count(b->vocab) + json_count(b->added)) + 1024;
    if (last >= most || last >= INT32_MAX - 1) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: token id %lld is out of range",
                         (long long)last);
    }
    b->count = (uint32_t)(last + 1);
    return true;
}

static bool place(json_build *b, const char *text, size_t size, int64_t id, smidgen_error *error)
{
    gguf_string *at = &b->texts[id];
    if (at->text != NULL) {
        bool is_same = at->size_bytes == size && memcmp(at->text, text, size) == 0;
        return is_same || error_set(error, SMIDGEN_ERROR_BAD_FILE,
                                    "tokenizer.json: two tokens have the id %lld", (long long)id);
    }
    memcpy(b->room, text, size);
    *at = (gguf_string){b->room, size};
    b->room += size;
    return true;
}

static bool read_vocabulary(json_build *b, smidgen_error *error)
{
    size_t total, size;
    int64_t id, index = 0;
    if (!measure(b, &total, error)) {
        return false;
    }
    arena *a = &b->t->arena;
    b->texts = arena_array(a, b->count, sizeof *b->texts);
    b->may_repeat = arena_array(a, b->count, sizeof *b->may_repeat);
    b->room = arena_allocate(a, total);
    if (b->texts == NULL || b->may_repeat == NULL || b->room == NULL) {
        return error_set_memory(error, "the vocabulary", total);
    }
    for (json_iterator it = json_iterate(b->vocab); json_next(&it); index++) {
        const char *text = token_of(&it, &size, &id, index);
        if (!place(b, text, size, id, error)) {
            return false;
        }
    }
    for (json_iterator it = json_iterate(b->added); json_next(&it);) {
        const char *text = added_of(it.value, &size, &id);
        b->may_repeat[id] = b->texts[id].text == NULL;
        if (!place(b, text, size, id, error)) {
            return false;
        }
    }
    return vocabulary_make(&b->t->vocabulary, a, b->texts, b->count, b->may_repeat, error);
}

/* A member that is null or the text of a token. */
static bool read_token(const tokenizer *t, const json_value *object, const char *key, int32_t *id)
{
    size_t size;
    const json_value *value = json_get(object, key);
    value = json_kind_of(value) == JSON_OBJECT ? json_get(value, "content") : value;
    const char *text = json_string(value, &size);
    *id = text == NULL ? -1 : vocabulary_find(&t->vocabulary, text, size);
    return text == NULL || *id >= 0;
}

static bool split_merge(const json_value *merge, text_span *left, text_span *right)
{
    const char *text = json_string(merge, &left->size_bytes);
    left->text = text;
    if (text != NULL) {
        size_t size = left->size_bytes;
        const char *space = size < 3 ? NULL : memchr(text + 1, ' ', size - 1);
        left->size_bytes = space == NULL ? 0 : (size_t)(space - text);
        *right = space == NULL ? (text_span){0} : (text_span){space + 1, size - left->size_bytes - 1};
        return space != NULL;
    }
    if (json_kind_of(merge) != JSON_ARRAY || json_count(merge) != 2) {
        return false;
    }
    json_iterator it = json_iterate(merge);
    json_next(&it);
    left->text = json_string(it.value, &left->size_bytes);
    json_next(&it);
    right->text = json_string(it.value, &right->size_bytes);
    return left->text != NULL && right->text != NULL;
}

static bool read_merges(json_build *b, smidgen_error *error)
{
    tokenizer *t = b->t;
    const json_value *merges = json_get(b->model, "merges");
    size_t count = json_count(merges);
    if (json_kind_of(merges) != JSON_ARRAY || count >= INT32_MAX) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: merges is not a list");
    }
    merge_reader reader = {.room = arena_allocate(&t->arena, t->vocabulary.longest_bytes)};
    if (reader.room == NULL || !bpe_begin_merges(t, (uint32_t)count)) {
        return error_set_memory(error, "the merges", count * sizeof(merge_slot));
    }
    uint32_t rank = 0;
    for (json_iterator it = json_iterate(merges); json_next(&it); rank++) {
        text_span left, right;
        if (!split_merge(it.value, &left, &right)) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: merge %u is not two tokens",
                             (unsigned)rank);
        }
        if (!bpe_read_merge(t, &reader, rank, left, right, error)) {
            return false;
        }
    }
    return bpe_end_merges(t, &reader, error);
}

static bool read_bpe(json_build *b, smidgen_error *error)
{
    tokenizer *t = b->t;
    t->algorithm = TOKENIZER_BPE;
    t->bpe.fuses_unknown = json_bool(json_get(b->model, "fuse_unk"), false);
    t->bpe.has_byte_fallback = json_bool(json_get(b->model, "byte_fallback"), false);
    t->bpe.ignores_merges = json_bool(json_get(b->model, "ignore_merges"), false);
    if (json_number(json_get(b->model, "dropout"), 0) > 0) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "merges with dropout are not supported");
    }
    if (!read_token(t, b->model, "unk_token", &t->unknown)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: unk_token is not in the vocabulary");
    }
    return json_read_text(t, b->model, "continuing_subword_prefix", "", &t->bpe.prefix, error) &&
           json_read_text(t, b->model, "end_of_word_suffix", "", &t->bpe.suffix, error) &&
           read_merges(b, error);
}

static bool read_unigram(json_build *b, smidgen_error *error)
{
    tokenizer *t = b->t;
    double *scores = arena_array(&t->arena, b->count, sizeof *scores);
    if (scores == NULL) {
        return error_set_memory(error, "the scores", b->count * sizeof *scores);
    }
    for (uint32_t id = 0; id < b->count; id++) {
        scores[id] = NAN;
    }
    uint32_t id = 0;
    for (json_iterator it = json_iterate(b->vocab); json_next(&it); id++) {
        json_iterator pair = json_iterate(it.value);
        bool is_pair = json_count(it.value) == 2 && json_next(&pair) && json_next(&pair) &&
                       json_kind_of(pair.value) == JSON_NUMBER;
        if (!is_pair) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: token %u has no score",
                             (unsigned)id);
        }
        scores[id] = json_number(pair.value, 0);
    }
    const json_value *unknown = json_get(b->model, "unk_id");
    int64_t unknown_id = json_integer(unknown, -1);
    if (json_kind_of(unknown) == JSON_NUMBER && (unknown_id < 0 || unknown_id >= (int64_t)id)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: unk_id is out of range");
    }
    t->algorithm = TOKENIZER_UNIGRAM;
    t->unknown = (int32_t)unknown_id;
    t->unigram.scores = scores;
    t->unigram.has_byte_fallback = json_bool(json_get(b->model, "byte_fallback"), false);
    return unigram_finish(t) || error_set_memory(error, "the scores", b->count * sizeof *scores);
}

static bool read_wordpiece(json_build *b, smidgen_error *error)
{
    tokenizer *t = b->t;
    int64_t longest = json_integer(json_get(b->model, "max_input_chars_per_word"), 100);
    t->algorithm = TOKENIZER_WORDPIECE;
    t->wordpiece.longest_characters = longest < 0 ? 0 : longest > 65536 ? 65536 : (uint32_t)longest;
    if (!read_token(t, b->model, "unk_token", &t->unknown)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: unk_token is not in the vocabulary");
    }
    return json_read_text(t, b->model, "continuing_subword_prefix", "##", &t->wordpiece.prefix, error);
}

/* Old files do not name the model's type. */
static const char *model_type(const json_value *model)
{
    size_t size;
    const char *type = json_string(json_get(model, "type"), &size);
    if (type != NULL) {
        return type;
    }
    return json_get(model, "merges") != NULL                      ? "BPE"
           : json_kind_of(json_get(model, "vocab")) == JSON_ARRAY ? "Unigram"
           : json_get(model, "max_input_chars_per_word") != NULL  ? "WordPiece"
                                                                  : "";
}

static bool read_model(json_build *b, smidgen_error *error)
{
    const char *type = model_type(b->model);
    bool is_unigram = strcmp(type, "Unigram") == 0, is_bpe = strcmp(type, "BPE") == 0;
    if (!is_unigram && !is_bpe && strcmp(type, "WordPiece") != 0) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "the tokenizer model \"%.100s\" is not known", type);
    }
    json_kind added = json_kind_of(b->added);
    if (json_kind_of(b->vocab) != (is_unigram ? JSON_ARRAY : JSON_OBJECT) ||
        (added != JSON_ARRAY && added != JSON_ABSENT && added != JSON_NULL)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "tokenizer.json: vocab or added_tokens is of the wrong kind");
    }
    return read_vocabulary(b, error) && (is_unigram ? read_unigram(b, error)
                                         : is_bpe   ? read_bpe(b, error)
                                                    : read_wordpiece(b, error));
}

/* The normalised form of an added token that is looked for in normalised text. */
static bool normalize_added(tokenizer *t, special_token *token, smidgen_error *error)
{
    encoding e;
    encoding_open(&e, t);
    text_span text = normalizer_run(&e, token->text, token->size_bytes);
    const char *copy = e.failed ? NULL : arena_copy_text(&t->arena, text.text, text.size_bytes);
    token->text = copy;
    token->size_bytes = text.size_bytes;
    encoding_close(&e);
    return copy != NULL || error_set_memory(error, "an added token", token->size_bytes);
}

static bool read_added(json_build *b, smidgen_error *error)
{
    tokenizer *t = b->t;
    size_t count = json_count(b->added), size;
    special_token *raw = arena_array(&t->arena, count, sizeof *raw);
    special_token *normalized = arena_array(&t->arena, count, sizeof *normalized);
    uint32_t raw_count = 0, normalized_count = 0;
    if (raw == NULL || normalized == NULL) {
        return error_set_memory(error, "the added tokens", count * sizeof *raw);
    }
    for (json_iterator it = json_iterate(b->added); json_next(&it);) {
        int64_t file_id;
        const char *text = added_of(it.value, &size, &file_id);
        int32_t id = size == 0 ? (int32_t)file_id : vocabulary_find(&t->vocabulary, text, size);
        bool is_special = json_bool(json_get(it.value, "special"), false);
        special_token token = {t->vocabulary.texts[id].text, size, id, is_special ? SPECIAL_CONTROL : 0};
        token.flags |= json_bool(json_get(it.value, "lstrip"), false) ? SPECIAL_LEFT_SPACE : 0;
        token.flags |= json_bool(json_get(it.value, "rstrip"), false) ? SPECIAL_RIGHT_SPACE : 0;
        token.flags |= json_bool(json_get(it.value, "single_word"), false) ? SPECIAL_WHOLE_WORD : 0;
        t->vocabulary.flags[id] |= VOCABULARY_LITERAL | (is_special ? VOCABULARY_CONTROL : 0);
        if (!json_bool(json_get(it.value, "normalized"), !is_special)) {
            raw[raw_count++] = token;
        } else {
            normalized[normalized_count++] = token;
            if (!normalize_added(t, &normalized[normalized_count - 1], error)) {
                return false;
            }
        }
    }
    return (special_set_make(&t->raw, &t->arena, raw, raw_count) &&
            special_set_make(&t->normalized, &t->arena, normalized, normalized_count)) ||
           error_set_memory(error, "the added tokens", count * sizeof *raw);
}

static void mark_end(tokenizer *t, int64_t id)
{
    if (id >= 0 && id < t->vocabulary.count) {
        t->eos = t->eos < 0 ? (int32_t)id : t->eos;
        t->vocabulary.flags[id] |= VOCABULARY_END;
    }
}

/* tokenizer_config.json names tokens, config.json gives ids; the first that says something counts. */
static void read_frame(tokenizer *t, const json_value *settings, const json_value *config)
{
    read_token(t, settings, "bos_token", &t->bos);
    read_token(t, settings, "eos_token", &t->eos);
    read_token(t, settings, "pad_token", &t->pad);
    int64_t bos = json_integer(json_get(config, "bos_token_id"), -1);
    int64_t pad = json_integer(json_get(config, "pad_token_id"), -1);
    t->bos = t->bos < 0 && bos >= 0 && bos < t->vocabulary.count ? (int32_t)bos : t->bos;
    t->pad = t->pad < 0 && pad >= 0 && pad < t->vocabulary.count ? (int32_t)pad : t->pad;
    const json_value *eos = json_get(config, "eos_token_id");
    mark_end(t, json_integer(eos, -1));
    for (json_iterator it = json_iterate(eos); json_kind_of(eos) == JSON_ARRAY && json_next(&it);) {
        mark_end(t, json_integer(it.value, -1));
    }
    special_mark_ends(t);
    bool has_post = t->before_count != 0 || t->after_count != 0;
    if (!has_post && t->bos >= 0 && json_bool(json_get(settings, "add_bos_token"), false)) {
        t->before = &t->bos;
        t->before_count = 1;
    }
    if (!has_post && t->eos >= 0 && json_bool(json_get(settings, "add_eos_token"), false)) {
        t->after = &t->eos;
        t->after_count = 1;
    }
    t->adds_bos = t->before_count != 0 && t->before[0] == t->bos;
    t->adds_eos = t->after_count != 0 && t->after[t->after_count - 1] == t->eos;
}

/* vocab.json of a CTC model: a flat object from characters to ids; the space is spelled "|". */
static bool read_ctc(json_build *b, const json_value *root, const json_value *settings, smidgen_error *error)
{
    static const text_span space = {" ", 1};
    tokenizer *t = b->t;
    pattern *p = arena_allocate(&t->arena, sizeof *p);
    b->vocab = root;
    if (p == NULL) {
        return error_set_memory(error, "a tokenizer", sizeof *p);
    }
    if (!read_vocabulary(b, error)) {
        return false;
    }
    *p = (pattern){.kind = PATTERN_TEXT, .text = space};
    decoder_stage ctc = {.kind = DECODER_CTC, .cleanup = true};
    if (!json_read_text(t, settings, "pad_token", "<pad>", &ctc.text, error) ||
        !json_read_text(t, settings, "word_delimiter_token", "|", &ctc.content, error)) {
        return false;
    }
    t->algorithm = TOKENIZER_CHARACTERS;
    t->normalizers[t->normalizer_count++] =
        (normalizer_stage){.kind = NORMALIZER_REPLACE, .pattern = p, .content = ctc.content};
    t->decoders[t->decoder_count++] = ctc;
    t->trims_text = true;
    t->unknown = vocabulary_find(&t->vocabulary, "<unk>", 5);
    t->pad = vocabulary_find(&t->vocabulary, ctc.text.text, ctc.text.size_bytes);
    t->bos = vocabulary_find(&t->vocabulary, "<s>", 3);
    t->eos = vocabulary_find(&t->vocabulary, "</s>", 4);
    const int32_t controls[] = {t->unknown, t->bos, t->eos};
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (controls[i] >= 0) {
            t->vocabulary.flags[controls[i]] |= VOCABULARY_CONTROL;
        }
    }
    return decoder_make_pieces(t, error);
}

static bool read_all(tokenizer *t, const json_value *root, const json_value *settings,
                     const json_value *config, smidgen_error *error)
{
    json_build b = {.t = t, .model = json_get(root, "model"), .added = json_get(root, "added_tokens")};
    if (json_kind_of(root) != JSON_OBJECT) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json is no object");
    }
    if (json_kind_of(b.model) != JSON_OBJECT) {
        b.added = NULL;
        return read_ctc(&b, root, settings, error);
    }
    b.vocab = json_get(b.model, "vocab");
    if (!read_model(&b, error) || !json_read_normalizer(t, root, error) ||
        !json_read_pre_tokenizer(t, root, error) || !json_read_post_processor(t, root, error) ||
        !json_read_decoder(t, root, error) || !read_added(&b, error)) {
        return false;
    }
    read_frame(t, settings, config);
    vocabulary_find_byte_tokens(&t->vocabulary);
    bpe_finish(t);
    return decoder_make_pieces(t, error);
}

tokenizer *tokenizer_from_json(const json_value *root, const json_value *tokenizer_config,
                               const json_value *config, const smidgen_allocator *allocator,
                               smidgen_error *error)
{
    tokenizer *t = tokenizer_new(allocator == NULL ? &memory_system : allocator, error);
    if (t != NULL && !read_all(t, root, tokenizer_config, config, error)) {
        tokenizer_close(t);
        t = NULL;
    }
    return t;
}
