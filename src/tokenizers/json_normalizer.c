/* Owns the reading of tokenizer.json's normalizer and pre_tokenizer. Components that are not known are
 * refused by name. */
#include <string.h>

#include "tokenizers/charsmap.h"
#include "tokenizers/json_parts.h"
#include "tokenizers/pattern.h"

#define GPT2_EXPRESSION "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static bool add_normalizer(tokenizer *t, normalizer_stage stage, smidgen_error *error)
{
    if (t->normalizer_count == TOKENIZER_STAGES) {
        pattern_engine_close(stage.pattern == NULL ? NULL : stage.pattern->engine);
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "tokenizer.json: more than %d normalizers", TOKENIZER_STAGES);
    }
    t->normalizers[t->normalizer_count++] = stage;
    return true;
}

static bool add_plain(tokenizer *t, normalizer_kind kind, smidgen_error *error)
{
    return add_normalizer(t, (normalizer_stage){.kind = kind}, error);
}

static bool add_bert(tokenizer *t, const json_value *part, smidgen_error *error)
{
    bool lowercase = json_bool(json_get(part, "lowercase"), true);
    bool strips = json_bool(json_get(part, "strip_accents"), lowercase);
    return (!json_bool(json_get(part, "clean_text"), true) || add_plain(t, NORMALIZER_CLEAN, error)) &&
           (!json_bool(json_get(part, "handle_chinese_chars"), true) ||
            add_plain(t, NORMALIZER_CHINESE, error)) &&
           (!strips ||
            (add_plain(t, NORMALIZER_NFD, error) && add_plain(t, NORMALIZER_STRIP_ACCENTS, error))) &&
           (!lowercase || add_plain(t, NORMALIZER_LOWERCASE, error));
}

static bool add_replace(tokenizer *t, const json_value *part, smidgen_error *error)
{
    normalizer_stage stage = {.kind = NORMALIZER_REPLACE};
    pattern *p = arena_allocate(&t->arena, sizeof *p);
    if (p == NULL) {
        return error_set_memory(error, "a normalizer", sizeof *p);
    }
    stage.pattern = p;
    /* The content first: what follows the opening of a pattern may not fail before it is in the list. */
    return json_read_text(t, part, "content", NULL, &stage.content, error) &&
           json_read_pattern(t, json_get(part, "pattern"), p, error) && add_normalizer(t, stage, error);
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == 0 ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

static bool add_charsmap(tokenizer *t, const json_value *part, smidgen_error *error)
{
    size_t size, count = 0;
    const char *text = json_string(json_get(part, "precompiled_charsmap"), &size);
    uint8_t *blob = text == NULL ? NULL : arena_allocate(&t->arena, size / 4 * 3 + 3);
    charsmap *map = arena_allocate(&t->arena, sizeof *map);
    if (text != NULL && (blob == NULL || map == NULL)) {
        return error_set_memory(error, "a normalizer", size);
    }
    uint32_t bits = 0;
    for (size_t i = 0; text != NULL && i < size && text[i] != '='; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) {
            text = NULL;
            break;
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) {
            blob[count++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    if (text == NULL || !charsmap_make(map, blob, count)) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "tokenizer.json: the precompiled_charsmap is damaged");
    }
    return add_normalizer(t, (normalizer_stage){.kind = NORMALIZER_CHARSMAP, .charsmap = map}, error);
}

static bool read_normalizer(tokenizer *t, const json_value *part, const char *type, smidgen_error *error)
{
    static const struct {
        const char *name;
        normalizer_kind kind;
    } plain[] = {{"NFC", NORMALIZER_NFC},
                 {"NFD", NORMALIZER_NFD},
                 {"NFKC", NORMALIZER_NFKC},
                 {"NFKD", NORMALIZER_NFKD},
                 {"Lowercase", NORMALIZER_LOWERCASE},
                 {"StripAccents", NORMALIZER_STRIP_ACCENTS}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(type, plain[i].name) == 0) {
            return add_plain(t, plain[i].kind, error);
        }
    }
    normalizer_stage stage = {.kind = NORMALIZER_PREPEND};
    if (strcmp(type, "Prepend") == 0) {
        return json_read_text(t, part, "prepend", NULL, &stage.content, error) &&
               add_normalizer(t, stage, error);
    }
    if (strcmp(type, "Strip") == 0) {
        stage.kind = NORMALIZER_STRIP;
        stage.left = json_bool(json_get(part, "strip_left"), true);
        stage.right = json_bool(json_get(part, "strip_right"), true);
        return add_normalizer(t, stage, error);
    }
    if (strcmp(type, "BertNormalizer") == 0) {
        return add_bert(t, part, error);
    }
    if (strcmp(type, "Replace") == 0) {
        return add_replace(t, part, error);
    }
    if (strcmp(type, "Precompiled") == 0) {
        return add_charsmap(t, part, error);
    }
    return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "the normalizer \"%.100s\" is not known",
                     type);
}

bool json_read_normalizer(tokenizer *t, const json_value *root, smidgen_error *error)
{
    return json_each_part(t, json_get(root, "normalizer"), "normalizer", "normalizers", read_normalizer,
                          error);
}

static bool add_pre(tokenizer *t, pre_tokenizer_stage stage, smidgen_error *error)
{
    if (t->pre_tokenizer_count == TOKENIZER_STAGES) {
        pattern_engine_close(stage.pattern.engine);
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "tokenizer.json: more than %d pre_tokenizers", TOKENIZER_STAGES);
    }
    t->pre_tokenizers[t->pre_tokenizer_count++] = stage;
    return true;
}

static bool add_class(tokenizer *t, pattern_kind kind, split_behaviour behaviour, smidgen_error *error)
{
    return add_pre(
        t, (pre_tokenizer_stage){.kind = PRE_SPLIT, .pattern = {.kind = kind}, .behaviour = behaviour},
        error);
}

static bool read_behaviour(const json_value *part, split_behaviour fallback, split_behaviour *behaviour,
                           smidgen_error *error)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"};
    const json_value *value = json_get(part, "behavior");
    *behaviour = fallback;
    for (int i = 0; i < 5; i++) {
        if (json_is_string(value, names[i])) {
            *behaviour = (split_behaviour)i;
            return true;
        }
    }
    return json_kind_of(value) == JSON_ABSENT ||
           error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                     "tokenizer.json: a behavior of Split is not known");
}

static bool add_expression(tokenizer *t, const char *expression, split_behaviour behaviour, bool is_inverted,
                           smidgen_error *error)
{
    pre_tokenizer_stage stage = {.kind = PRE_SPLIT, .behaviour = behaviour, .is_inverted = is_inverted};
    return pattern_from_expression(t, expression, strlen(expression), &stage.pattern, error) &&
           add_pre(t, stage, error);
}

static bool add_byte_level(tokenizer *t, const json_value *part, smidgen_error *error)
{
    if (json_bool(json_get(part, "add_prefix_space"), true) &&
        !add_pre(t, (pre_tokenizer_stage){.kind = PRE_PREFIX_SPACE}, error)) {
        return false;
    }
    if (json_bool(json_get(part, "use_regex"), true) &&
        !add_expression(t, GPT2_EXPRESSION, SPLIT_ISOLATED, false, error)) {
        return false;
    }
    return add_pre(t, (pre_tokenizer_stage){.kind = PRE_BYTE_LEVEL}, error);
}

static bool add_metaspace(tokenizer *t, const json_value *part, smidgen_error *error)
{
    pre_tokenizer_stage stage = {.kind = PRE_METASPACE};
    const json_value *scheme = json_get(part, "prepend_scheme");
    bool prepends = json_bool(json_get(part, "add_prefix_space"), true);
    stage.only_first = json_is_string(scheme, "first");
    stage.prepend = json_kind_of(scheme) == JSON_STRING ? !json_is_string(scheme, "never") : prepends;
    stage.cuts = json_bool(json_get(part, "split"), true);
    return json_read_text(t, part, "replacement", "\xE2\x96\x81", &stage.replacement, error) &&
           add_pre(t, stage, error);
}

static bool add_split(tokenizer *t, const json_value *part, smidgen_error *error)
{
    pre_tokenizer_stage stage = {.kind = PRE_SPLIT,
                                 .is_inverted = json_bool(json_get(part, "invert"), false)};
    return read_behaviour(part, SPLIT_ISOLATED, &stage.behaviour, error) &&
           json_read_pattern(t, json_get(part, "pattern"), &stage.pattern, error) && add_pre(t, stage, error);
}

static bool read_pre_tokenizer(tokenizer *t, const json_value *part, const char *type, smidgen_error *error)
{
    split_behaviour behaviour;
    if (strcmp(type, "ByteLevel") == 0) {
        return add_byte_level(t, part, error);
    }
    if (strcmp(type, "Split") == 0) {
        return add_split(t, part, error);
    }
    if (strcmp(type, "Metaspace") == 0) {
        return add_metaspace(t, part, error);
    }
    if (strcmp(type, "Digits") == 0) {
        bool single = json_bool(json_get(part, "individual_digits"), false);
        return add_class(t, PATTERN_DIGITS, single ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, error);
    }
    if (strcmp(type, "Punctuation") == 0) {
        return read_behaviour(part, SPLIT_ISOLATED, &behaviour, error) &&
               add_class(t, PATTERN_PUNCTUATION, behaviour, error);
    }
    if (strcmp(type, "WhitespaceSplit") == 0) {
        return add_class(t, PATTERN_SPACES, SPLIT_REMOVED, error);
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        return add_class(t, PATTERN_SPACES, SPLIT_REMOVED, error) &&
               add_class(t, PATTERN_PUNCTUATION, SPLIT_ISOLATED, error);
    }
    if (strcmp(type, "Whitespace") == 0) {
        return add_class(t, PATTERN_SPACES, SPLIT_REMOVED, error) &&
               add_class(t, PATTERN_WORDS, SPLIT_CONTIGUOUS, error);
    }
    return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "the pre_tokenizer \"%.100s\" is not known",
                     type);
}

bool json_read_pre_tokenizer(tokenizer *t, const json_value *root, smidgen_error *error)
{
    if (!json_each_part(t, json_get(root, "pre_tokenizer"), "pre_tokenizer", "pretokenizers",
                        read_pre_tokenizer, error)) {
        return false;
    }
    /* Stand-ins that nothing looks at need not be made: the model then works on the bytes. */
    int last = t->pre_tokenizer_count - 1;
    if (last >= 0 && t->pre_tokenizers[last].kind == PRE_BYTE_LEVEL && t->algorithm == TOKENIZER_BPE &&
        t->bpe.prefix.size_bytes == 0) {
        t->pre_tokenizer_count--;
        t->bpe.is_byte_level = true;
    }
    return true;
}
