/* The tokenizers of four real models against what llama.cpp makes of the same texts. */
#include "base/thread.h"
#include "unit/tokenizer_fixture.h"

typedef struct real_model {
    arena arena;
    source *source;
    gguf_file *gguf;
    tokenizer *tokenizer;
} real_model;

static bool real_open(real_model *m, const char *name)
{
    smidgen_error error = {0};
    *m = (real_model){0};
    arena_init(&m->arena, &memory_system);
    m->source = source_open_file(&m->arena, test_model(name), &error);
    m->gguf = m->source == NULL ? NULL : gguf_open(&m->arena, m->source, &error);
    m->tokenizer = m->gguf == NULL ? NULL : tokenizer_from_gguf(m->gguf, &memory_system, &error);
    if (m->tokenizer == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", name, error.message);
    }
    return m->tokenizer != NULL;
}

static void real_close(real_model *m)
{
    tokenizer_close(m->tokenizer);
    if (m->source != NULL) {
        m->source->close(m->source);
    }
    arena_close(&m->arena);
}

static const char *const models[] = {"smollm2-135m", "gemma3-270m", "qwen-0.5b", "qwen-1.5b"};

enum { ROOM = 1 << 16 };

static void check_text(const tokenizer *t, const char *what, const json_value *test, bool special)
{
    static int32_t ids[ROOM];
    static char text[ROOM], streamed[ROOM];
    size_t size, wanted_size;
    const char *input = json_string(json_get(test, "text"), &size);
    int64_t count = tokenizer_encode(t, input, size, special ? TOKENIZER_PARSE_SPECIAL : 0, ids, ROOM, NULL);
    check_ids(what, ids, count, json_get(test, special ? "special" : "plain"));
    const json_value *other = json_get(test, special ? "special_text" : "plain_text");
    const char *wanted = json_string(other != NULL ? other : json_get(test, "text"), &wanted_size);
    int64_t bytes = tokenizer_decode(t, ids, (size_t)count, true, text, ROOM, NULL);
    check_bytes(what, text, bytes, wanted, wanted_size);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t piece_bytes;
        const char *piece = tokenizer_token_bytes(t, ids[i], true, &piece_bytes);
        memcpy(streamed + at, piece, piece_bytes);
        at += piece_bytes;
    }
    check_bytes(what, streamed, (int64_t)at, wanted, wanted_size);
}

static void check_model(const char *name)
{
    real_model m;
    json_file cases, prompts;
    char what[128];
    if (!real_open(&m, name)) {
        return;
    }
    /* The two Qwen files have one tokenizer and one list of cases. */
    snprintf(what, sizeof what, "real_llm/%s/tokens.json",
             strcmp(name, "qwen-1.5b") == 0 ? "qwen-0.5b" : name);
    REQUIRE(json_file_open(&cases, what));
    for (json_iterator it = json_iterate(cases.root); json_next(&it);) {
        for (int special = 0; special < 2; special++) {
            snprintf(what, sizeof what, "%s, %s, special %d", name,
                     json_string(json_get(it.value, "name"), NULL), special);
            check_text(m.tokenizer, what, it.value, special != 0);
        }
    }
    json_file_close(&cases);
    snprintf(what, sizeof what, "real_llm/%s/prompts.json", name);
    REQUIRE(json_file_open(&prompts, what));
    for (json_iterator it = json_iterate(prompts.root); json_next(&it);) {
        static int32_t ids[ROOM];
        size_t size;
        const char *text = json_string(json_get(it.value, "text"), &size);
        int64_t count = tokenizer_encode(m.tokenizer, text, size,
                                         TOKENIZER_PARSE_SPECIAL | TOKENIZER_ADD_SPECIAL, ids, ROOM, NULL);
        snprintf(what, sizeof what, "%s, prompt %s", name, json_string(json_get(it.value, "name"), NULL));
        check_ids(what, ids, count, json_get(it.value, "ids"));
    }
    json_file_close(&prompts);
    real_close(&m);
}

TEST(real_tokenizers_are_ready_in_milliseconds)
{
    real_model m;
    if (test_model("qwen-0.5b") == NULL) {
        SKIP("no qwen-0.5b");
    }
    double best = 1e9;
    REQUIRE(real_open(&m, "qwen-0.5b"));
    for (int i = 0; i < 5; i++) {
        double start = thread_seconds();
        tokenizer *t = tokenizer_from_gguf(m.gguf, &memory_system, NULL);
        double seconds = thread_seconds() - start;
        best = seconds < best ? seconds : best;
        tokenizer_close(t);
    }
    printf("qwen's tokenizer from its metadata: %.1f ms\n", best * 1e3);
    CHECK(best < 1.0); /* 25 to 40 ms in a release build on a quiet machine; the margin is for sanitizers */
    real_close(&m);
}

TEST(real_tokenizers_give_the_ids_of_llama_cpp)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (test_model(models[i]) == NULL) {
            SKIP("no %s", models[i]);
        }
        check_model(models[i]);
    }
}

/* bos and eos of model.json, which llama.cpp printed; its eot ends a reply too. */
static void check_frame(const char *name)
{
    real_model m;
    json_file facts;
    tokenizer_info info;
    char path[128];
    snprintf(path, sizeof path, "real_llm/%s/model.json", name);
    if (!json_file_open(&facts, path)) {
        return;
    }
    if (real_open(&m, name)) {
        tokenizer_get_info(m.tokenizer, &info);
        CHECK_EQUAL(info.vocab_size, json_integer(json_get(facts.root, "vocab"), -2));
        CHECK_EQUAL(info.bos, json_integer(json_get(facts.root, "bos"), -2));
        CHECK_EQUAL(info.eos, json_integer(json_get(facts.root, "eos"), -2));
        CHECK_EQUAL(info.adds_bos, json_bool(json_get(facts.root, "add_bos"), false));
        CHECK_EQUAL(info.adds_eos, json_bool(json_get(facts.root, "add_eos"), true));
        CHECK(tokenizer_is_end(m.tokenizer, info.eos));
        CHECK(tokenizer_is_end(m.tokenizer, (int32_t)json_integer(json_get(facts.root, "eot"), -2)));
    }
    real_close(&m);
    json_file_close(&facts);
}

TEST(real_tokenizers_know_where_a_text_begins_and_ends)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (test_model(models[i]) == NULL) {
            SKIP("no %s", models[i]);
        }
        check_frame(models[i]);
    }
}

/* Qwen's files list it as an ordinary token: parsed in a prompt as llama.cpp does, but a reply may contain
 * it. */
TEST(real_tokenizers_do_not_end_a_reply_at_markup)
{
    real_model m;
    if (test_model("qwen-0.5b") == NULL) {
        SKIP("no qwen-0.5b");
    }
    REQUIRE(real_open(&m, "qwen-0.5b"));
    int32_t id = tokenizer_find(m.tokenizer, "</s>", 4);
    CHECK_EQUAL(id, 128247);
    CHECK(!tokenizer_is_end(m.tokenizer, id) && !tokenizer_is_control(m.tokenizer, id));
    CHECK(tokenizer_is_end(m.tokenizer, tokenizer_find(m.tokenizer, "<|endoftext|>", 13)));
    real_close(&m);
}
