/* Tokenizers from tokenizer.json against what the published library makes of the same texts. */
#include "base/utf8.h"
#include "unit/tokenizer_fixture.h"

enum { ROOM = 1 << 14 };

/* Every maximal broken piece of UTF-8 becomes U+FFFD, as Rust's and Python's lossy conversions have it. */
static size_t lossy(const char *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode(text + at, size - at, &c);
        if (c != UINT32_MAX) {
            memcpy(out + n, text + at, length);
            n += length;
            at += length;
            continue;
        }
        memcpy(out + n, "\xEF\xBF\xBD", 3);
        n += 3;
        /* The longest beginning of a character counts as one. */
        size_t cut = 1;
        for (size_t take = 2; take <= 3 && at + take <= size; take++) {
            cut = utf8_incomplete_tail(text + at, take) == take ? take : cut;
        }
        at += cut;
    }
    return n;
}

static const json_value *field(const json_value *test, const char *name)
{
    const json_value *value = json_get(test, name);
    for (int i = 0; i < 3 && json_kind_of(value) == JSON_OBJECT; i++) {
        value = json_get(test, json_string(json_get(value, "same_as"), NULL));
    }
    return value;
}

static void check_decoded(const tokenizer *t, const char *what, const json_value *test, const char *name,
                          bool special)
{
    static int32_t ids[ROOM];
    static char text[ROOM], valid[3 * ROOM];
    size_t count = 0, size;
    for (json_iterator it = json_iterate(field(test, "ids")); json_next(&it); count++) {
        ids[count] = (int32_t)json_integer(it.value, -1);
    }
    const char *wanted = json_string(field(test, name), &size);
    if (wanted == NULL) {
        return;
    }
    int64_t bytes = tokenizer_decode(t, ids, count, special, text, ROOM, NULL);
    REQUIRE(bytes >= 0 && bytes <= ROOM);
    check_bytes(what, valid, (int64_t)lossy(text, (size_t)bytes, valid), wanted, size);
}

static void check_case(const tokenizer *t, const char *name, const json_value *test)
{
    static int32_t ids[ROOM];
    char what[200];
    size_t size;
    const char *text = json_string(json_get(test, "text"), &size);
    snprintf(what, sizeof what, "%s \"%.60s\"", name, text);
    int64_t count =
        tokenizer_encode(t, text, size, TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL, ids, ROOM, NULL);
    check_ids(what, ids, count, field(test, "ids"));
    if (json_get(test, "ids_without_special") != NULL) {
        count = tokenizer_encode(t, text, size, TOKENIZER_PARSE_SPECIAL, ids, ROOM, NULL);
        check_ids(what, ids, count, field(test, "ids_without_special"));
    }
    check_decoded(t, what, test, "decoded", true);
    check_decoded(t, what, test, "decoded_skip_special", false);
}

static void check_folder(const char *name)
{
    char path[128];
    json_file cases, spec;
    smidgen_error error = {0};
    snprintf(path, sizeof path, "tokenizers/%s/cases.json", name);
    REQUIRE(json_file_open(&cases, path));
    snprintf(path, sizeof path, "tokenizers/%s/%s", name,
             json_string(json_get(cases.root, "tokenizer"), NULL));
    REQUIRE(json_file_open(&spec, path));
    tokenizer *t = tokenizer_from_json(spec.root, NULL, NULL, &memory_system, &error);
    json_file_close(&spec);
    if (t == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", name, error.message);
        json_file_close(&cases);
        return;
    }
    tokenizer_info info;
    tokenizer_get_info(t, &info);
    CHECK_EQUAL(info.vocab_size, json_integer(json_get(cases.root, "vocab_size"), -1));
    CHECK(json_count(json_get(cases.root, "encode")) >= 4);
    for (json_iterator it = json_iterate(json_get(cases.root, "encode")); json_next(&it);) {
        check_case(t, name, it.value);
    }
    for (json_iterator it = json_iterate(json_get(cases.root, "decode")); json_next(&it);) {
        char what[128];
        snprintf(what, sizeof what, "%s, decoding", name);
        check_decoded(t, what, it.value, "decoded", true);
        check_decoded(t, what, it.value, "decoded_skip_special", false);
    }
    tokenizer_close(t);
    json_file_close(&cases);
}

#define FOLDER(name)                                                                                         \
    TEST(tokenizer_json_##name##_gives_the_published_ids)                                                    \
    {                                                                                                        \
        check_folder(#name);                                                                                 \
    }
FOLDER(bpe_clip)
FOLDER(bpe_gpt2)
FOLDER(bpe_llama3)
FOLDER(bpe_qwen2)
FOLDER(bpe_roberta)
FOLDER(ctc_wav2vec2)
FOLDER(real_clip)
FOLDER(real_minilm)
FOLDER(real_whisper)
FOLDER(spbpe_gemma)
FOLDER(spbpe_llama2)
FOLDER(spbpe_llama2_non_legacy)
FOLDER(unigram_t5)
FOLDER(wordpiece_cased)
FOLDER(wordpiece_uncased)
