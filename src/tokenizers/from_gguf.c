/* Owns the reading of tokenizer.ggml.*: the models "gpt2" (byte-level BPE) and "llama" (SentencePiece BPE).
 * Other models and unknown pre-tokenizers are refused by name. Spellings stay where the reader keeps them. */
#include <string.h>

#include "base/error.h"
#include "base/bytes.h"
#include "tokenizers/json_parts.h"

enum gguf_token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE
};

/* The expressions that published byte-level tokenizers split with. */
#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define ANY_CASE     "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GPT2         CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define TAIL         "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORDS        "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define LLAMA3       ANY_CASE WORDS "|\\p{N}{1,3}" SIGNS TAIL
#define QWEN2        ANY_CASE WORDS "|\\p{N}" SIGNS TAIL
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(end)                                                                                           \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" end "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" end
#define CASED_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" TAIL
#define HAN        "[一-龥぀-ゟ゠-ヿ]+"
#define ASCII_SIGN "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"

static const struct pre_entry {
    const char *names;          /* separated by spaces, one in front and one behind */
    const char *expressions[4]; /* applied one after the other */
    bool ignores_merges, adds_bos;
} pre_entries[] = {
    {" default ", {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}, false, false},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     {LLAMA3},
     true,
     true},
    {" dbrx smaug-bpe chatglm-bpe ", {LLAMA3}, false, false},
    {" glm4 glm5 ", {LLAMA3}, true, false},
    {" qwen2 deepseek-r1-qwen megrez stablelm2 hunyuan kormo f2llmv2 solar-open ", {QWEN2}, false, false},
    {" qwen35 ",
     {ANY_CASE "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" TAIL},
     false,
     false},
    {" smollm starcoder refact command-r codeshell exaone minerva-7b ", {"\\p{N}", GPT2}, false, false},
    {" gpt-2 phi-2 mpt olmo jais trillion granite-docling exaone4 gigachat mellum modern-bert a.x-4.0 "
     "jina-es jina-de"
     " jina-v2-es jina-v2-de ",
     {GPT2},
     false,
     false},
    {" falcon ", {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}, false, false},
    {" deepseek-v3 hunyuan-dense joyai-llm ",
     {"\\p{N}{1,3}", HAN,
      ASCII_SIGN "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" TAIL},
     false,
     false},
    {" gpt-4o llama4 kanana2 ", {CASED(ANY_CASE "?") "|\\p{N}{1,3}" CASED_TAIL}, false, false},
    {" tekken ", {CASED("") "|\\p{N}" CASED_TAIL}, true, true},
    {" bailingmoe bailingmoe2 llada-moe ",
     {"'(?i:[sdmt]|ll|ve|re)" WORDS "|\\p{N}" SIGNS "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
     false,
     false},
    {" seed-coder ", {ANY_CASE WORDS "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" TAIL}, false, false},
    {" poro-chat bloom gpt3-finnish ", {" ?[^(\\s|.,!?…。，、।۔،)]+"}, false, false},
    {" viking ", {" ?[^(\\s|.,!?…。，、।۔،)]+", "\\p{N}"}, false, false},
};

static const struct pre_entry *find_pre(const char *name)
{
    char padded[64];
    size_t size = strlen(name);
    if (size == 0 || size > sizeof padded - 3 || strchr(name, ' ') != NULL) {
        return NULL;
    }
    padded[0] = ' ';
    memcpy(padded + 1, name, size);
    memcpy(padded + 1 + size, " ", 2);
    for (size_t i = 0; i < sizeof pre_entries / sizeof pre_entries[0]; i++) {
        if (strstr(pre_entries[i].names, padded) != NULL) {
            return &pre_entries[i];
        }
    }
    return NULL;
}

static bool add_split(tokenizer *t, const char *expression, smidgen_error *error)
{
    pre_tokenizer_stage stage = {.kind = PRE_SPLIT, .behaviour = SPLIT_ISOLATED};
    bool ok = pattern_from_expression(t, expression, strlen(expression), &stage.pattern, error);
    t->pre_tokenizers[t->pre_tokenizer_count++] = stage;
    return ok;
}

static const gguf_value *string_array(const gguf_file *g, const char *key, smidgen_error *error)
{
    const gguf_value *value = gguf_find(g, key);
    if (value == NULL || value->type != GGUF_ARRAY || value->element != GGUF_STRING ||
        value->count >= INT32_MAX) {
        error_set(error, SMIDGEN_ERROR_BAD_FILE, "%s is not a list of texts", key);
        return NULL;
    }
    return value;
}

/* token_type as a list of [count] 32-bit numbers; NULL and true where the file has none. */
static bool token_types(const gguf_file *g, uint32_t count, const uint8_t **types, smidgen_error *error)
{
    const gguf_value *value = gguf_find(g, "tokenizer.ggml.token_type");
    *types = NULL;
    if (value == NULL) {
        return true;
    }
    bool is_list = value->type == GGUF_ARRAY && (value->element == GGUF_I32 || value->element == GGUF_U32);
    if (!is_list || value->count != count) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "tokenizer.ggml.token_type is not a list of %u numbers", (unsigned)count);
    }
    *types = value->elements;
    return true;
}

static uint32_t type_of(const uint8_t *types, uint32_t id)
{
    return types == NULL ? TOKEN_NORMAL : bytes_load_u32(types + 4 * (size_t)id);
}

/* Unused ids may be spelled alike. */
static bool make_vocabulary(tokenizer *t, const gguf_value *tokens, const uint8_t *types,
                            smidgen_error *error)
{
    uint32_t count = (uint32_t)tokens->count;
    bool *may_repeat = arena_array(&t->arena, count, sizeof *may_repeat);
    if (may_repeat == NULL) {
        return error_set_memory(error, "the vocabulary", count);
    }
    for (uint32_t id = 0; id < count; id++) {
        may_repeat[id] = type_of(types, id) == TOKEN_UNUSED;
    }
    if (!vocabulary_make(&t->vocabulary, &t->arena, tokens->elements, count, may_repeat, error)) {
        return false;
    }
    for (uint32_t id = 0; id < count; id++) {
        uint32_t type = type_of(types, id);
        if (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN || type == TOKEN_UNUSED) {
            t->vocabulary.flags[id] = VOCABULARY_CONTROL;
        } else if (type == TOKEN_USER_DEFINED) {
            t->vocabulary.flags[id] = VOCABULARY_LITERAL;
        }
    }
    return true;
}

/* Control, unknown and user-defined tokens are looked for in the text, and ordinary ones that are spelled
 * like the end of a reply. */
static bool make_specials(tokenizer *t, const uint8_t *types, smidgen_error *error)
{
    const vocabulary *v = &t->vocabulary;
    uint32_t wanted = 0;
    special_token *specials = NULL;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t count = 0;
        for (uint32_t id = 0; id < v->count; id++) {
            uint32_t type = type_of(types, id);
            size_t size = (size_t)v->texts[id].size_bytes;
            bool is_defined = type == TOKEN_USER_DEFINED;
            bool is_control =
                type == TOKEN_CONTROL || type == TOKEN_UNKNOWN || (v->flags[id] & VOCABULARY_PARSED) != 0;
            if (!is_defined && !is_control) {
                continue;
            }
            if (pass == 1) {
                specials[count] =
                    (special_token){v->texts[id].text, size, (int32_t)id, is_control ? SPECIAL_CONTROL : 0};
            }
            count++;
        }
        wanted = count;
        if (pass == 0 && (specials = arena_array(&t->arena, count, sizeof *specials)) == NULL) {
            return error_set_memory(error, "the special tokens", count * sizeof *specials);
        }
    }
    return special_set_make(&t->raw, &t->arena, specials, wanted) ||
           error_set_memory(error, "the special tokens", wanted * sizeof *specials);
}

static bool cut_merge(const gguf_string *merge, text_span *left, text_span *right)
{
    size_t size = (size_t)merge->size_bytes;
    const char *space = size < 3 ? NULL : memchr(merge->text + 1, ' ', size - 1);
    if (space == NULL) {
        return false;
    }
    *left = (text_span){merge->text, (size_t)(space - merge->text)};
    *right = (text_span){space + 1, size - left->size_bytes - 1};
    return true;
}

static bool read_merges(tokenizer *t, const gguf_file *g, smidgen_error *error)
{
    const gguf_value *merges = string_array(g, "tokenizer.ggml.merges", error);
    if (merges == NULL) {
        return false;
    }
    enum { AHEAD = 8 };
    merge_reader reader = {.room = arena_allocate(&t->arena, t->vocabulary.longest_bytes)};
    if (reader.room == NULL || !bpe_begin_merges(t, (uint32_t)merges->count)) {
        return error_set_memory(error, "the merges", merges->count * sizeof(merge_slot));
    }
    const gguf_string *texts = merges->elements;
    for (uint32_t i = 0; i < merges->count; i++) {
        text_span left, right;
        if (i + AHEAD < merges->count && cut_merge(&texts[i + AHEAD], &left, &right)) {
            vocabulary_prefetch(&t->vocabulary, left.text, left.size_bytes);
            vocabulary_prefetch(&t->vocabulary, right.text, right.size_bytes);
        }
        if (!cut_merge(&texts[i], &left, &right)) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE, "merge %u is not two tokens with a space between",
                             (unsigned)i);
        }
        if (!bpe_read_merge(t, &reader, i, left, right, error)) {
            return false;
        }
    }
    return bpe_end_merges(t, &reader, error);
}

static bool read_byte_level(tokenizer *t, const gguf_file *g, smidgen_error *error)
{
    const char *pre = gguf_text(g, "tokenizer.ggml.pre", "default");
    const struct pre_entry *entry = find_pre(pre);
    if (entry == NULL) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "the pre-tokenizer \"%.100s\" is not known", pre);
    }
    for (int i = 0; i < 4 && entry->expressions[i] != NULL; i++) {
        if (!add_split(t, entry->expressions[i], error)) {
            return false;
        }
    }
    t->algorithm = TOKENIZER_BPE;
    t->bpe.is_byte_level = true;
    t->bpe.ignores_merges = entry->ignores_merges;
    t->adds_bos = entry->adds_bos;
    t->decoders[t->decoder_count++] = (decoder_stage){.kind = DECODER_BYTE_LEVEL};
    return read_merges(t, g, error);
}

/* Less is merged first: the order of floats turned round. */
static uint32_t priority_of_score(uint32_t bits)
{
    return (bits & 0x80000000u) != 0 ? bits : ~bits & 0x7FFFFFFFu;
}

static bool read_sentencepiece(tokenizer *t, const gguf_file *g, smidgen_error *error)
{
    static const text_span space = {" ", 1}, mark = {"\xE2\x96\x81", 3};
    static const pattern space_pattern = {.kind = PATTERN_TEXT, .text = {" ", 1}};
    const gguf_value *scores = gguf_find(g, "tokenizer.ggml.scores");
    uint32_t count = t->vocabulary.count;
    if (scores == NULL || scores->type != GGUF_ARRAY || scores->element != GGUF_F32 ||
        scores->count != count) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.ggml.scores is not a list of %u numbers",
                         (unsigned)count);
    }
    uint32_t *priorities = arena_array(&t->arena, count, sizeof *priorities);
    if (priorities == NULL) {
        return error_set_memory(error, "the scores", count * sizeof *priorities);
    }
    for (uint32_t id = 0; id < count; id++) {
        priorities[id] =
            priority_of_score(bytes_load_u32((const uint8_t *)scores->elements + 4 * (size_t)id));
    }
    t->algorithm = TOKENIZER_SENTENCEPIECE;
    t->bpe.priorities = priorities;
    t->bpe.has_byte_fallback = true;
    t->adds_bos = true;
    bool has_prefix = gguf_bool(g, "tokenizer.ggml.add_space_prefix", true);
    if (has_prefix) {
        t->normalizers[t->normalizer_count++] =
            (normalizer_stage){.kind = NORMALIZER_PREPEND, .content = space};
    }
    t->normalizers[t->normalizer_count++] =
        (normalizer_stage){.kind = NORMALIZER_REPLACE, .pattern = &space_pattern, .content = mark};
    t->decoders[t->decoder_count++] =
        (decoder_stage){.kind = DECODER_REPLACE, .text = mark, .content = space};
    t->decoders[t->decoder_count++] = (decoder_stage){.kind = DECODER_BYTE_FALLBACK};
    t->strips_first_space = has_prefix;
    vocabulary_find_byte_tokens(&t->vocabulary);
    return true;
}

/* The id under the key, -1 where there is none; an id that is out of range is an error. */
static bool read_id(const tokenizer *t, const gguf_file *g, const char *key, int32_t *id,
                    smidgen_error *error)
{
    int64_t value = gguf_integer(g, key, -1);
    *id = -1;
    if (gguf_find(g, key) == NULL || value == UINT32_MAX) {
        return true;
    }
    if (value < 0 || value >= t->vocabulary.count) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "%s is no token of the vocabulary", key);
    }
    *id = (int32_t)value;
    return true;
}

static bool read_frame(tokenizer *t, const gguf_file *g, smidgen_error *error)
{
    int32_t eot, eom;
    if (!read_id(t, g, "tokenizer.ggml.bos_token_id", &t->bos, error) ||
        !read_id(t, g, "tokenizer.ggml.eos_token_id", &t->eos, error) ||
        !read_id(t, g, "tokenizer.ggml.unknown_token_id", &t->unknown, error) ||
        !read_id(t, g, "tokenizer.ggml.padding_token_id", &t->pad, error) ||
        !read_id(t, g, "tokenizer.ggml.eot_token_id", &eot, error) ||
        !read_id(t, g, "tokenizer.ggml.eom_token_id", &eom, error)) {
        return false;
    }
    t->adds_bos = gguf_bool(g, "tokenizer.ggml.add_bos_token", t->adds_bos) && t->bos >= 0;
    t->adds_eos = gguf_bool(g, "tokenizer.ggml.add_eos_token", false) && t->eos >= 0;
    t->before = &t->bos;
    t->before_count = t->adds_bos;
    t->after = &t->eos;
    t->after_count = t->adds_eos;
    const int32_t ends[2] = {eot, eom};
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            t->vocabulary.flags[ends[i]] |= VOCABULARY_END;
        }
    }
    special_mark_ends(t);
    return true;
}

static bool read_all(tokenizer *t, const gguf_file *g, smidgen_error *error)
{
    const char *model = gguf_text(g, "tokenizer.ggml.model", "");
    bool is_byte_level = strcmp(model, "gpt2") == 0;
    if (!is_byte_level && strcmp(model, "llama") != 0) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "the tokenizer model \"%.100s\" is not known", model);
    }
    const gguf_value *tokens = string_array(g, "tokenizer.ggml.tokens", error);
    const uint8_t *types;
    if (tokens == NULL || !token_types(g, (uint32_t)tokens->count, &types, error) ||
        !make_vocabulary(t, tokens, types, error)) {
        return false;
    }
    t->joins_pieces = true;
    if (!(is_byte_level ? read_byte_level(t, g, error) : read_sentencepiece(t, g, error)) ||
        !read_frame(t, g, error) || !make_specials(t, types, error)) {
        return false;
    }
    bpe_finish(t);
    return decoder_make_pieces(t, error);
}

tokenizer *tokenizer_from_gguf(const gguf_file *g, const smidgen_allocator *allocator, smidgen_error *error)
{
    allocator = allocator == NULL ? &memory_system : allocator;
    tokenizer *t = tokenizer_new(allocator, error);
    if (t != NULL && !read_all(t, g, error)) {
        tokenizer_close(t);
        t = NULL;
    }
    return t;
}
