/* A model that is fed piece by piece answers as one that was opened from the file, whatever the order of its
 * pieces, and computes as far as the pieces allow. */
#include "test.h"

#include <stdlib.h>

#include "smidgen.h"

enum { REPLY = 8 };
static const int32_t prompt[] = {504, 3575, 282, 4649, 314}; /* "The capital of France is" in SmolLM2 */
enum { PROMPT = sizeof prompt / sizeof prompt[0] };

static bool read_range(FILE *file, smidgen_range range, void *into)
{
    return fseek(file, (long)range.offset, SEEK_SET) == 0 &&
           fread(into, 1, (size_t)range.size_bytes, file) == range.size_bytes;
}

static uint64_t size_of(FILE *file)
{
    fseek(file, 0, SEEK_END);
    return (uint64_t)ftell(file);
}

/* Feeds what is asked for, at most `step` bytes at a time; *asked counts the bytes. */
static smidgen_model *open_fed(FILE *file, const smidgen_model_options *options, size_t step, uint64_t *asked,
                               smidgen_error *error)
{
    smidgen_range needed;
    smidgen_model *m = NULL;
    smidgen_loader *l = smidgen_loader_create(size_of(file), options, error);
    while (l != NULL && (m = smidgen_loader_open(l, &needed, error)) == NULL && needed.size_bytes != 0) {
        smidgen_range part = {needed.offset, needed.size_bytes < step ? needed.size_bytes : step};
        void *bytes = malloc((size_t)part.size_bytes);
        bool ok = read_range(file, part, bytes) &&
                  smidgen_loader_feed(l, part.offset, bytes, (size_t)part.size_bytes, error);
        free(bytes);
        *asked += part.size_bytes;
        if (!ok) {
            break;
        }
    }
    smidgen_loader_close(l);
    return m;
}

static bool feed_piece(smidgen_model *m, FILE *file, int64_t index)
{
    smidgen_range range = smidgen_model_piece(m, index);
    void *bytes = malloc((size_t)range.size_bytes);
    smidgen_error error = {0};
    bool ok = read_range(file, range, bytes) &&
              smidgen_model_feed(m, index, bytes, (size_t)range.size_bytes, &error);
    free(bytes);
    return ok;
}

static void expected_reply(const char *path, int32_t *ids)
{
    smidgen_model *m = smidgen_model_open(path, NULL, NULL);
    smidgen_session *s = smidgen_session_create(m, NULL, NULL);
    CHECK_EQUAL(smidgen_session_set_prompt(s, prompt, PROMPT, NULL), 0);
    CHECK_EQUAL(smidgen_session_next(s, ids, REPLY, NULL), REPLY);
    smidgen_session_close(s);
    smidgen_model_close(m);
}

static void shuffle(int64_t *pieces, int64_t count)
{
    uint32_t state = 12345;
    for (int64_t i = count - 1; i > 0; i--) {
        state = state * 1664525 + 1013904223;
        int64_t j = state % (uint32_t)(i + 1), swapped = pieces[i];
        pieces[i] = pieces[j];
        pieces[j] = swapped;
    }
}

/* Feeds pieces[0..count); until the last one is there, nothing can be sampled. */
static void feed_all(smidgen_model *m, smidgen_session *s, FILE *file, const int64_t *pieces, int64_t count)
{
    int32_t id;
    for (int64_t i = 0; i < count; i++) {
        CHECK_EQUAL(smidgen_session_next(s, &id, 1, NULL), SMIDGEN_PENDING);
        REQUIRE(feed_piece(m, file, pieces[i]));
    }
}

TEST(a_model_fed_in_any_order_answers_like_an_opened_one)
{
    const char *path = test_model("smollm2-135m");
    if (path == NULL) {
        SKIP("no smollm2-135m.gguf");
    }
    int32_t expected[REPLY], got[REPLY];
    expected_reply(path, expected);
    FILE *file = fopen(path, "rb");
    for (int round = 0; round < 2; round++) {
        uint64_t asked = 0;
        smidgen_error error = {0};
        smidgen_model *m = open_fed(file, NULL, round == 0 ? SIZE_MAX : 100000, &asked, &error);
        REQUIRE(m != NULL);
        CHECK(asked <= 8u << 20);
        int64_t count = smidgen_model_missing_pieces(m, prompt, PROMPT, NULL, 0);
        CHECK_EQUAL(count, smidgen_model_piece_count(m));
        int64_t *pieces = malloc((size_t)count * sizeof pieces[0]);
        CHECK_EQUAL(smidgen_model_missing_pieces(m, prompt, PROMPT, pieces, (size_t)count), count);
        if (round == 1) {
            shuffle(pieces, count);
        }
        smidgen_session *s = smidgen_session_create(m, NULL, &error);
        REQUIRE(s != NULL);
        CHECK_EQUAL(smidgen_session_set_prompt(s, prompt, PROMPT, &error), 0);
        feed_all(m, s, file, pieces, count);
        CHECK_EQUAL(smidgen_model_missing_pieces(m, NULL, 0, NULL, 0), 0);
        CHECK(feed_piece(m, file, 0)); /* again: left alone */
        CHECK_EQUAL(smidgen_session_next(s, got, REPLY, &error), REPLY);
        CHECK(memcmp(got, expected, sizeof got) == 0);
        free(pieces);
        smidgen_session_close(s);
        smidgen_model_close(m);
    }
    fclose(file);
}

TEST(a_changed_prompt_and_refused_calls_while_pieces_are_missing)
{
    const char *path = test_model("smollm2-135m");
    if (path == NULL) {
        SKIP("no smollm2-135m.gguf");
    }
    FILE *file = fopen(path, "rb");
    int32_t expected[REPLY], got[REPLY];
    expected_reply(path, expected);
    uint64_t asked = 0;
    smidgen_error error = {0};
    smidgen_model *m = open_fed(file, NULL, SIZE_MAX, &asked, &error);
    REQUIRE(m != NULL);
    int64_t count = smidgen_model_piece_count(m);
    int64_t *pieces = malloc((size_t)count * sizeof pieces[0]);
    smidgen_model_missing_pieces(m, NULL, 0, pieces, (size_t)count);
    smidgen_session *s = smidgen_session_create(m, NULL, &error);
    int32_t other[] = {prompt[0], prompt[1], 5, 6, 7, 8};
    CHECK_EQUAL(smidgen_session_set_prompt(s, other, 6, &error), 0);
    for (int64_t i = 0; i < count; i++) {
        CHECK(feed_piece(m, file, pieces[i]));
        if (i + 1 < count) {
            CHECK_EQUAL(smidgen_session_prefill(s, &error), SMIDGEN_PENDING);
        }
        if (i == count / 2) {
            CHECK(!smidgen_session_logits(s, 0, NULL, NULL, &error));
            CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
            CHECK(!smidgen_sessions_step(&s, 1, got, &error));
            CHECK(!smidgen_model_feed(m, count, path, 1, &error));
            CHECK(!smidgen_model_feed(m, 0, path, 1, &error));
            CHECK_EQUAL(smidgen_session_set_prompt(s, prompt, PROMPT, &error), 0);
        }
    }
    CHECK_EQUAL(smidgen_session_next(s, got, REPLY, &error), REPLY);
    CHECK(memcmp(got, expected, sizeof got) == 0);
    free(pieces);
    smidgen_session_close(s);
    smidgen_model_close(m);
    fclose(file);
}

TEST(a_damaged_header_fails_like_a_damaged_file)
{
    static const char header[64] = "not a model";
    smidgen_error error = {0};
    smidgen_range needed;
    smidgen_loader *l = smidgen_loader_create(sizeof header, NULL, &error);
    REQUIRE(l != NULL);
    CHECK(!smidgen_loader_feed(l, 60, header, 5, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    error = (smidgen_error){0};
    CHECK(smidgen_loader_open(l, &needed, &error) == NULL);
    CHECK_EQUAL(needed.offset, 0);
    CHECK_EQUAL(needed.size_bytes, sizeof header);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NONE);
    CHECK(smidgen_loader_feed(l, 0, header, sizeof header, &error));
    CHECK(smidgen_loader_open(l, &needed, &error) == NULL);
    CHECK_EQUAL(needed.size_bytes, 0);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_BAD_FILE);
    smidgen_loader_close(l);
}
