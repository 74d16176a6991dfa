/* Damaged tokenizers, texts that could be slow, memory that runs out. */
#include "base/thread.h"
#include "failing_allocator.h"
#include "gguf_builder.h"
#include "unit/tokenizer_fixture.h"

static const char bpe_spec[] =
    "{\"added_tokens\":[{\"id\":6,\"content\":\"<|e|>\",\"special\":true,\"lstrip\":true,\"normalized\":true}"
    ","
    "{\"id\":7,\"content\":\"zz\",\"special\":false,\"single_word\":true}],"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Lowercase\"},"
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"}]},"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":"
    "true},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}]},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<|e|>\","
    "\"type_id\":0}},"
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"<|e|>\":{\"id\":\"<|e|>\",\"ids\":[6]"
    "}}},"
    "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"unk_token\":\"a\","
    "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"\\u0120ab\":4,\"aba\":5},"
    "\"merges\":[\"a b\",\"\\u0120 ab\",[\"ab\",\"a\"]]}}";

static const char unigram_spec[] =
    "{\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true},\"pre_tokenizer\":{\"type\":\"Metaspace\","
    "\"replacement\":\"_\",\"prepend_scheme\":\"first\",\"split\":true},"
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},{\"type\":\"Metaspace\","
    "\"replacement\":\"_\"},{\"type\":\"Strip\",\"content\":\"a\",\"start\":1,\"stop\":1}]},\"model\":{"
    "\"type\":\"Unigram\","
    "\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"<unk>\",0.0],[\"_\",-1.5],[\"a\",-2],[\"_a\",-2.5],["
    "\"ab\",-3.0]]}}";

static const char wordpiece_spec[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"b\",1],\"cls\":[\"a\",0]},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":"
    "\"?\","
    "\"max_input_chars_per_word\":10,\"vocab\":{\"a\":0,\"b\":1,\"##b\":2,\"?\":3,\"##ab\":4}}}";

static const char *const specs[] = {bpe_spec, unigram_spec, wordpiece_spec};

/* Makes the tokenizer if it can be made, and uses it; true when it was made. */
static bool try_spec(const char *text, size_t size, const smidgen_allocator *allocator, smidgen_error *error)
{
    static const char sample[] = "ab <|E|> zz \xFF\xC3 12abab\tA\xCC\x81_b\xE4\xB8\x80";
    json_document *document = json_parse(text, size, "tokenizer.json", allocator, error);
    if (document == NULL) {
        return false;
    }
    tokenizer *t =
        tokenizer_from_json(json_root(document), json_root(document), json_root(document), allocator, error);
    json_close(document);
    if (t == NULL) {
        return false;
    }
    int32_t ids[256];
    char out[1024];
    bool ok = true;
    for (int flags = 0; flags < 4; flags++) {
        int64_t count = tokenizer_encode(t, sample, sizeof sample - 1, flags, ids, 256, error);
        ok = ok && count >= 0;
        count = count > 256 ? 256 : count;
        int64_t bytes =
            count < 0 ? 0 : tokenizer_decode(t, ids, (size_t)count, flags > 1, out, sizeof out, error);
        ok = ok && bytes >= 0;
    }
    tokenizer_close(t);
    return ok;
}

TEST(tokenizer_json_small_samples_are_accepted)
{
    for (size_t i = 0; i < 3; i++) {
        smidgen_error error = {0};
        bool is_made = try_spec(specs[i], strlen(specs[i]), &memory_system, &error);
        CHECK(is_made);
        if (!is_made) {
            test_fail(__FILE__, __LINE__, "sample %zu: %s", i, error.message);
        }
    }
}

TEST(tokenizer_json_every_prefix_is_refused_without_a_leak)
{
    for (size_t i = 0; i < 3; i++) {
        for (size_t size = 0; size < strlen(specs[i]); size++) {
            failing_allocator f;
            smidgen_error error = {0};
            failing_allocator_bind(&f, UINT64_MAX);
            CHECK(!try_spec(specs[i], size, &f.base, &error));
            CHECK(error.code != 0 && f.live_blocks == 0 && !f.was_mismatched);
        }
    }
}

/* The end of the value that begins at text[at]. */
static size_t value_end(const char *text, size_t at)
{
    int depth = 0;
    bool in_text = false;
    for (; text[at] != 0; at++) {
        if (in_text) {
            at += text[at] == '\\';
            in_text = text[at] != '"';
        } else if (text[at] == '"') {
            in_text = true;
        } else if (text[at] == '[' || text[at] == '{') {
            depth++;
        } else if ((text[at] == ']' || text[at] == '}') && --depth < 0) {
            return at;
        } else if (text[at] == ',' && depth == 0) {
            return at;
        }
    }
    return at;
}

TEST(tokenizer_json_with_any_value_replaced_is_used_or_refused_without_a_leak)
{
    static const char *const others[] = {"null",
                                         "true",
                                         "-1",
                                         "7",
                                         "4294967296",
                                         "1e300",
                                         "\"\"",
                                         "\"ab\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[\"a\",\"b\",\"c\"]",
                                         "{\"type\":\"Sequence\"}"};
    char text[4096];
    int made = 0, refused = 0;
    for (size_t i = 0; i < 3; i++) {
        for (size_t at = 0; specs[i][at] != 0; at++) {
            if (at == 0 || strchr(":[,", specs[i][at - 1]) == NULL || strchr("]}:,", specs[i][at]) != NULL) {
                continue;
            }
            size_t end = value_end(specs[i], at);
            for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
                failing_allocator f;
                smidgen_error error = {0};
                failing_allocator_bind(&f, UINT64_MAX);
                int size =
                    snprintf(text, sizeof text, "%.*s%s%s", (int)at, specs[i], others[k], specs[i] + end);
                bool ok = try_spec(text, (size_t)size, &f.base, &error);
                made += ok;
                refused += !ok;
                CHECK(ok || error.code != 0);
                CHECK(f.live_blocks == 0 && !f.was_mismatched && f.peak_bytes < 4 << 20);
            }
        }
    }
    CHECK(made > 100 && refused > 500);
}

TEST(tokenizer_json_survives_the_failure_of_every_allocation)
{
    for (size_t i = 0; i < 3; i++) {
        for (uint64_t n = 0;; n++) {
            failing_allocator f;
            smidgen_error error = {0};
            failing_allocator_bind(&f, n);
            bool ok = try_spec(specs[i], strlen(specs[i]), &f.base, &error);
            bool is_whole = f.calls <= n;
            CHECK(ok || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
            CHECK(f.live_blocks == 0 && !f.was_mismatched);
            if (is_whole) {
                CHECK(ok && n > 10);
                break;
            }
        }
    }
}

static void check_error(const char *text, smidgen_error_code code, const char *named)
{
    smidgen_error error = {0};
    bool made = try_spec(text, strlen(text), &memory_system, &error);
    if (made || error.code != code || strstr(error.message, named) == NULL) {
        test_fail(__FILE__, __LINE__, "%s: code %d, \"%s\", expected code %d and \"%s\"", text,
                  (int)error.code, error.message, (int)code, named);
    }
}

TEST(tokenizer_json_unknown_parts_are_named)
{
    const smidgen_error_code unsupported = SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, bad = SMIDGEN_ERROR_BAD_FILE;
    check_error("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", unsupported, "WordLevel");
#define WITH(part)                                                                                           \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}," part "}"
    check_error(WITH("\"normalizer\":{\"type\":\"Nonsense\"}"), unsupported, "Nonsense");
    check_error(WITH("\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}"), unsupported, "UnicodeScripts");
    check_error(WITH("\"post_processor\":{\"type\":\"Other\"}"), unsupported, "Other");
    check_error(WITH("\"decoder\":{\"type\":\"Unheard\"}"), unsupported, "Unheard");
    check_error(WITH("\"decoder\":{}"), bad, "decoder");
    check_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", bad, "merge 0");
    check_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", bad,
                "two tokens");
    check_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", bad,
                "spelled the same");
    check_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}", bad,
                "out of range");
    check_error("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", bad, "no score");
    check_error("[]", bad, "no object");
}

/* ---- GGUF metadata */

typedef struct gguf_choice {
    const char *model, *pre, *tokens[4], *merges[2];
    uint32_t scores, types; /* how many of each */
    uint32_t bos;
} gguf_choice;

static tokenizer *from_choice(const gguf_choice *c, const smidgen_allocator *allocator, arena *a,
                              smidgen_error *error)
{
    gguf_builder b = {0};
    put_header(&b, 3, 0, 7);
    put_key(&b, "tokenizer.ggml.model", 8);
    put_text(&b, c->model);
    put_key(&b, "tokenizer.ggml.pre", 8);
    put_text(&b, c->pre);
    put_key(&b, "tokenizer.ggml.tokens", 9);
    put_u32(&b, 8);
    put_u64(&b, 4);
    for (int i = 0; i < 4; i++) {
        put_text(&b, c->tokens[i]);
    }
    put_key(&b, "tokenizer.ggml.merges", 9);
    put_u32(&b, 8);
    put_u64(&b, 2);
    put_text(&b, c->merges[0]);
    put_text(&b, c->merges[1]);
    put_key(&b, "tokenizer.ggml.scores", 9);
    put_u32(&b, 6);
    put_u64(&b, c->scores);
    for (uint32_t i = 0; i < c->scores; i++) {
        put_u32(&b, 0x7FC00000u + i);
    }
    put_key(&b, "tokenizer.ggml.token_type", 9);
    put_u32(&b, 5);
    put_u64(&b, c->types);
    for (uint32_t i = 0; i < c->types; i++) {
        put_u32(&b, i == 3 ? 3 : 1);
    }
    put_key(&b, "tokenizer.ggml.bos_token_id", 4);
    put_u32(&b, c->bos);
    put_padding(&b, 32);
    void *bytes = arena_copy(a, b.bytes, b.size);
    source *s = source_open_memory(a, bytes, b.size, error);
    gguf_builder_free(&b);
    gguf_file *g = s == NULL ? NULL : gguf_open(a, s, error);
    return g == NULL ? NULL : tokenizer_from_gguf(g, allocator, error);
}

static const gguf_choice good = {"gpt2", "qwen2", {"a", "b", "ab", "<s>"}, {"a b", "a b"}, 4, 4, 3};

static void check_choice(gguf_choice c, smidgen_error_code code, const char *named)
{
    smidgen_error error = {0};
    arena a;
    arena_init(&a, &memory_system);
    tokenizer *t = from_choice(&c, &memory_system, &a, &error);
    bool is_right =
        code == 0 ? t != NULL : t == NULL && error.code == code && strstr(error.message, named) != NULL;
    if (!is_right) {
        test_fail(__FILE__, __LINE__, "code %d, \"%s\", expected %d and \"%s\"", (int)error.code,
                  error.message, (int)code, named);
    }
    tokenizer_close(t);
    arena_close(&a);
}

TEST(tokenizer_gguf_damage_is_named)
{
    const smidgen_error_code bad = SMIDGEN_ERROR_BAD_FILE;
    gguf_choice c = good;
    check_choice(c, 0, "");
    c.model = "rwkv";
    check_choice(c, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "rwkv");
    c = good;
    c.pre = "from-tomorrow";
    check_choice(c, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "from-tomorrow");
    c = good;
    c.tokens[1] = "a";
    check_choice(c, bad, "spelled the same");
    c = good;
    c.merges[1] = "b a";
    check_choice(c, bad, "merge 1");
    c.merges[1] = "ba";
    check_choice(c, bad, "merge 1");
    c = good;
    c.types = 3;
    check_choice(c, bad, "token_type");
    c = good;
    c.bos = 4;
    check_choice(c, bad, "bos_token_id");
    c = good;
    c.model = "llama";
    check_choice(c, 0, "");
    c.scores = 3;
    check_choice(c, bad, "scores");
}

TEST(tokenizer_gguf_survives_the_failure_of_every_allocation)
{
    for (int model = 0; model < 2; model++) {
        gguf_choice c = good;
        c.model = model == 0 ? "gpt2" : "llama";
        for (uint64_t n = 0;; n++) {
            failing_allocator f;
            smidgen_error error = {0};
            int32_t ids[64];
            arena a;
            arena_init(&a, &memory_system);
            failing_allocator_bind(&f, n);
            tokenizer *t = from_choice(&c, &f.base, &a, &error);
            int64_t count = t == NULL ? -1 : tokenizer_encode(t, "ab<s> abab", 10, 3, ids, 64, &error);
            tokenizer_close(t);
            arena_close(&a);
            CHECK(count > 0 || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
            CHECK(f.live_blocks == 0 && !f.was_mismatched);
            if (f.calls <= n) {
                CHECK(count > 0 && n > 2);
                break;
            }
        }
    }
}

/* ---- time and bytes */

enum { LARGE = 1 << 20 };

static void fill(char *text, int kind)
{
    static const char *const patterns[] = {"a", " ", "\n", "ab", "e\xCC\x81\xCC\xA7", "<|im_", "\xE2\x96\x81",
                                           "1", "."};
    uint32_t state = 7;
    for (size_t i = 0; i < LARGE; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = kind == 9    ? (char)(state >> 24)
                  : kind == 10 ? (char)('a' + (state >> 24) % 26)
                               : patterns[kind][i % strlen(patterns[kind])];
    }
}

static tokenizer *open_json(const char *name)
{
    json_file f;
    char path[96];
    snprintf(path, sizeof path, "tokenizers/%s/tokenizer.json", name);
    if (!json_file_open(&f, path)) {
        return NULL;
    }
    tokenizer *t = tokenizer_from_json(f.root, NULL, NULL, &memory_system, NULL);
    json_file_close(&f);
    return t;
}

/* A quadratic step would take minutes to hours for these. */
TEST(tokenizers_take_a_mebibyte_of_anything_in_seconds)
{
    static const char *const names[] = {"bpe_llama3", "spbpe_llama2", "unigram_t5", "wordpiece_uncased",
                                        "bpe_clip"};
    static char text[LARGE];
    static int32_t ids[2 * LARGE];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tokenizer *t = open_json(names[i]);
        REQUIRE(t != NULL);
        for (int kind = 0; kind < 11; kind++) {
            fill(text, kind);
            double start = thread_seconds();
            CHECK(tokenizer_encode(t, text, LARGE, TOKENIZER_PARSE_SPECIAL, ids, 2 * LARGE, NULL) >= 0);
            double seconds = thread_seconds() - start;
            if (seconds > 30) {
                test_fail(__FILE__, __LINE__, "%s, text %d: %.1f s", names[i], kind, seconds);
            }
        }
        tokenizer_close(t);
    }
}

TEST(tokenizers_of_bytes_give_back_any_bytes)
{
    static char text[LARGE / 16], out[LARGE / 16];
    static int32_t ids[LARGE / 16];
    tokenizer *t = open_json("bpe_llama3");
    REQUIRE(t != NULL);
    uint32_t state = 99;
    for (size_t i = 0; i < sizeof text; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = (char)(state >> 24);
    }
    int64_t count = tokenizer_encode(t, text, sizeof text, 0, ids, sizeof ids / sizeof ids[0], NULL);
    REQUIRE(count > 0);
    CHECK_EQUAL(tokenizer_decode(t, ids, (size_t)count, true, out, sizeof out, NULL), sizeof text);
    CHECK(memcmp(out, text, sizeof text) == 0);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t size;
        const char *piece = tokenizer_token_bytes(t, ids[i], true, &size);
        CHECK(at + size <= sizeof text && memcmp(piece, text + at, size) == 0);
        at += size;
    }
    CHECK_EQUAL(at, sizeof text);
    tokenizer_close(t);
}

TEST(tokenizer_ids_out_of_range_are_nothing)
{
    tokenizer *t = open_json("bpe_llama3");
    REQUIRE(t != NULL);
    const int32_t ids[] = {-1, INT32_MIN, INT32_MAX, 700};
    size_t size = 5;
    char out[8];
    CHECK_EQUAL(tokenizer_decode(t, ids, 4, true, out, 8, NULL), 0);
    tokenizer_token_bytes(t, INT32_MAX, true, &size);
    CHECK_EQUAL(size, 0);
    CHECK(!tokenizer_is_control(t, -1) && !tokenizer_is_end(t, 700));
    CHECK_EQUAL(tokenizer_find(t, "<|eot_id|>", 10), 2);
    CHECK(tokenizer_is_control(t, 2) && tokenizer_is_end(t, 2));
    CHECK_EQUAL(tokenizer_find(t, " the", 4), tokenizer_find(t, "\xC4\xA0the", 5));
    CHECK(tokenizer_find(t, "\n", 1) >= 0);
    CHECK_EQUAL(tokenizer_encode(t, "a b", 3, 0, NULL, 0, NULL), 2);
    tokenizer_close(t);
}
