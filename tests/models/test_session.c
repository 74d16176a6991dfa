/* Sessions on a tiny model without a tokenizer: what a timeline promises does not depend on the size of the
 * model. */
#include "test.h"

#include <pthread.h>

#include "failing_allocator.h"
#include "smidgen.h"

enum { PROMPT = 20, REPLY = 12, VOCAB = 112 };

static smidgen_model *open_model(void)
{
    smidgen_error error = {0};
    smidgen_model *m =
        smidgen_model_open(test_data("models/llama/tied"), &(smidgen_model_options){.threads = 2}, &error);
    if (m == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error.message);
    }
    return m;
}

static smidgen_session *open_session(smidgen_model *m, const smidgen_session_options *options)
{
    smidgen_error error = {0};
    smidgen_session *s = m == NULL ? NULL : smidgen_session_create(m, options, &error);
    if (s == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error.message);
    }
    return s;
}

static void fill_prompt(int32_t *ids, int32_t count, int32_t seed)
{
    for (int32_t i = 0; i < count; i++) {
        ids[i] = (seed * 31 + i * 17 + i * i) % VOCAB;
    }
}

static void reply(smidgen_session *s, const int32_t *prompt, int32_t count, int32_t *out)
{
    CHECK(smidgen_session_set_prompt(s, prompt, (size_t)count, NULL) >= 0);
    for (int32_t n = 0; n < REPLY;) { /* in uneven steps */
        int32_t got = smidgen_session_next(s, out + n, 1 + n % 3 < REPLY - n ? 1 + n % 3 : REPLY - n, NULL);
        if (got <= 0) {
            test_fail(__FILE__, __LINE__, "the reply ended after %d tokens", (int)n);
            return;
        }
        n += got;
    }
}

TEST(a_reply_does_not_depend_on_chunks_or_reused_prefixes)
{
    smidgen_model *m = open_model();
    int32_t prompt[PROMPT], expected[REPLY], got[REPLY];
    fill_prompt(prompt, PROMPT, 1);
    smidgen_session *whole = open_session(m, NULL);
    smidgen_session *pieces = open_session(m, &(smidgen_session_options){.prefill_chunk_tokens = 3});
    REQUIRE(whole != NULL && pieces != NULL);
    reply(whole, prompt, PROMPT, expected);
    reply(pieces, prompt, PROMPT, got);
    CHECK(memcmp(expected, got, sizeof got) == 0);
    /* another prompt with a common beginning, then the first one again: only the difference is computed */
    int32_t other[PROMPT];
    memcpy(other, prompt, sizeof other);
    other[15] = (other[15] + 1) % VOCAB;
    CHECK_EQUAL(smidgen_session_set_prompt(whole, other, PROMPT, NULL), 15);
    CHECK_EQUAL(smidgen_session_next(whole, got, 1, NULL), 1);
    CHECK_EQUAL(smidgen_session_set_prompt(whole, prompt, PROMPT, NULL), 15);
    reply(whole, prompt, PROMPT, got);
    CHECK(memcmp(expected, got, sizeof got) == 0);
    /* the same prompt again: all but its last token is there */
    CHECK_EQUAL(smidgen_session_set_prompt(whole, prompt, PROMPT, NULL), PROMPT - 1);
    smidgen_session_close(whole);
    smidgen_session_close(pieces);
    smidgen_model_close(m);
}

TEST(truncating_and_going_on_gives_the_same_reply)
{
    smidgen_model *m = open_model();
    smidgen_session *s = open_session(m, NULL);
    REQUIRE(s != NULL);
    int32_t prompt[PROMPT], expected[REPLY], got[REPLY];
    fill_prompt(prompt, PROMPT, 2);
    reply(s, prompt, PROMPT, expected);
    CHECK(smidgen_session_truncate(s, PROMPT + 4, NULL));
    CHECK_EQUAL(smidgen_session_next(s, got, REPLY - 4, NULL), REPLY - 4);
    CHECK(memcmp(expected + 4, got, (REPLY - 4) * sizeof got[0]) == 0);
    CHECK(smidgen_session_truncate(s, PROMPT, NULL));
    CHECK_EQUAL(smidgen_session_next(s, got, REPLY, NULL), REPLY);
    CHECK(memcmp(expected, got, sizeof got) == 0);
    CHECK(!smidgen_session_truncate(s, -1, NULL));
    CHECK(!smidgen_session_truncate(s, 1000, NULL));
    smidgen_session_close(s);
    smidgen_model_close(m);
}

TEST(appending_gives_what_one_long_prompt_gives)
{
    smidgen_model *m = open_model();
    smidgen_session *one = open_session(m, NULL), *two = open_session(m, NULL);
    REQUIRE(one != NULL && two != NULL);
    int32_t prompt[PROMPT], a[REPLY], b[REPLY];
    fill_prompt(prompt, PROMPT, 3);
    reply(one, prompt, PROMPT, a);
    CHECK(smidgen_session_append(two, prompt, 7, NULL));
    CHECK_EQUAL(smidgen_session_prefill(two, NULL), 0);
    CHECK(smidgen_session_append(two, prompt + 7, PROMPT - 7, NULL));
    CHECK_EQUAL(smidgen_session_next(two, b, REPLY, NULL), REPLY);
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(smidgen_session_append(two, NULL, 0, NULL)); /* nothing new: the reply goes on */
    CHECK_EQUAL(smidgen_session_next(two, b, 1, NULL), 1);
    smidgen_session_close(one);
    smidgen_session_close(two);
    smidgen_model_close(m);
}

TEST(sessions_stepped_together_reply_as_they_do_alone)
{
    enum { SESSIONS = 5 };
    smidgen_model *m = open_model();
    smidgen_session *alone = open_session(m, NULL), *together[SESSIONS];
    REQUIRE(alone != NULL);
    int32_t expected[SESSIONS][REPLY];
    for (int32_t i = 0; i < SESSIONS; i++) {
        int32_t prompt[PROMPT + SESSIONS];
        fill_prompt(prompt, PROMPT + i, 10 + i);
        reply(alone, prompt, PROMPT + i, expected[i]);
        together[i] = open_session(m, &(smidgen_session_options){.key_type = SMIDGEN_KV_F16});
        REQUIRE(together[i] != NULL);
        CHECK(smidgen_session_set_prompt(together[i], prompt, (size_t)(PROMPT + i), NULL) == 0);
    }
    for (int32_t n = 0; n < REPLY; n++) {
        int32_t tokens[SESSIONS];
        CHECK(smidgen_sessions_step(together, SESSIONS, tokens, NULL));
        for (int32_t i = 0; i < SESSIONS; i++) {
            CHECK_EQUAL(tokens[i], expected[i][n]);
        }
    }
    for (int32_t i = 0; i < SESSIONS; i++) {
        smidgen_session_close(together[i]);
    }
    smidgen_session_close(alone);
    smidgen_model_close(m);
}

TEST(a_full_context_stops_or_slides_as_chosen)
{
    smidgen_model *m = open_model();
    smidgen_session *stops = open_session(m, &(smidgen_session_options){.context_tokens = 24});
    smidgen_session *slides =
        open_session(m, &(smidgen_session_options){.context_tokens = 24, .overflow = SMIDGEN_OVERFLOW_SLIDE});
    REQUIRE(stops != NULL && slides != NULL);
    int32_t prompt[PROMPT * 3], out[100];
    smidgen_error error = {0};
    fill_prompt(prompt, PROMPT * 3, 4);
    CHECK_EQUAL(smidgen_session_set_prompt(stops, prompt, PROMPT * 3, &error), -1);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_CONTEXT_FULL);
    CHECK_EQUAL(error.limit, 24);
    CHECK_EQUAL(error.needed, PROMPT * 3);
    CHECK_EQUAL(smidgen_session_set_prompt(stops, prompt, PROMPT, &error), 0);
    CHECK_EQUAL(smidgen_session_next(stops, out, 100, &error), 4);
    CHECK_EQUAL(smidgen_session_finish(stops), SMIDGEN_FINISH_LENGTH);
    CHECK_EQUAL(smidgen_session_next(stops, out, 1, &error), 0);

    CHECK(smidgen_session_set_prompt(slides, prompt, PROMPT, &error) == 0);
    CHECK_EQUAL(smidgen_session_next(slides, out, 100, &error), 100);
    const int32_t *timeline;
    int32_t count = smidgen_session_tokens(slides, &timeline);
    CHECK(count <= 24);
    CHECK(memcmp(timeline, prompt, 4 * sizeof prompt[0]) == 0); /* sinks stay */
    CHECK(memcmp(timeline + 4, out + 100 - (count - 4), (size_t)(count - 4) * sizeof out[0]) == 0);
    CHECK(smidgen_session_set_prompt(slides, prompt, PROMPT * 3, &error) ==
          4); /* a long prompt is shortened */
    CHECK_EQUAL(smidgen_session_next(slides, out, 5, &error), 5);
    smidgen_session_close(stops);
    smidgen_session_close(slides);
    smidgen_model_close(m);
}

TEST(bad_arguments_of_a_session_are_named)
{
    smidgen_model *m = open_model();
    smidgen_error error = {0};
    CHECK(smidgen_session_create(m, &(smidgen_session_options){.context_tokens = -1}, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    smidgen_session *s = open_session(m, NULL);
    REQUIRE(s != NULL);
    int32_t outside = VOCAB, id;
    CHECK_EQUAL(smidgen_session_set_prompt(s, &outside, 1, &error), -1);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    CHECK_EQUAL(smidgen_session_next(s, &id, 1, &error), -1); /* nothing to go on from */
    CHECK_EQUAL(smidgen_tokenize(m, "a", 1, true, true, &id, 1, &error), -1);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER);
    smidgen_session_close(s);
    CHECK(smidgen_model_open("/no/such/model.gguf", NULL, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_NOT_FOUND);
    smidgen_model_close(m);
}

TEST(every_failed_allocation_of_a_model_and_a_session_is_a_clean_error)
{
    int32_t prompt[PROMPT], out[4];
    fill_prompt(prompt, PROMPT, 5);
    for (uint64_t n = 0;; n++) {
        failing_allocator f;
        failing_allocator_bind(&f, n);
        smidgen_error error = {0};
        smidgen_model *m =
            smidgen_model_open(test_data("models/llama/tied"),
                               &(smidgen_model_options){.threads = 1, .allocator = &f.base}, &error);
        smidgen_session *s = m == NULL ? NULL : smidgen_session_create(m, NULL, &error);
        bool went_well = s != NULL && smidgen_session_set_prompt(s, prompt, PROMPT, &error) == 0 &&
                         smidgen_session_next(s, out, 4, &error) == 4;
        bool was_whole = f.calls <= n;
        if (went_well != was_whole || (!was_whole && error.code != SMIDGEN_ERROR_OUT_OF_MEMORY)) {
            test_fail(__FILE__, __LINE__, "allocation %llu: %s %s", (unsigned long long)n,
                      smidgen_error_name(error.code), error.message);
        }
        smidgen_session_close(s);
        smidgen_model_close(m);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        if (was_whole || f.live_blocks != 0) {
            break;
        }
    }
}

typedef struct user {
    smidgen_model *model;
    const int32_t *expected;
    int32_t seed;
    bool agrees;
} user;

static void *use_model(void *context)
{
    user *u = context;
    smidgen_session *s = smidgen_session_create(u->model, NULL, NULL);
    int32_t prompt[PROMPT], out[REPLY];
    fill_prompt(prompt, PROMPT, u->seed);
    u->agrees = s != NULL && smidgen_session_set_prompt(s, prompt, PROMPT, NULL) == 0 &&
                smidgen_session_next(s, out, REPLY, NULL) == REPLY &&
                memcmp(out, u->expected, sizeof out) == 0;
    smidgen_session_close(s);
    return NULL;
}

TEST(one_model_serves_sessions_of_many_threads)
{
    enum { USERS = 6 };
    smidgen_model *m = open_model();
    smidgen_session *s = open_session(m, NULL);
    REQUIRE(s != NULL);
    int32_t expected[USERS][REPLY];
    user users[USERS];
    pthread_t threads[USERS];
    for (int32_t i = 0; i < USERS; i++) {
        int32_t prompt[PROMPT];
        fill_prompt(prompt, PROMPT, i);
        reply(s, prompt, PROMPT, expected[i]);
        users[i] = (user){m, expected[i], i, false};
    }
    for (int32_t i = 0; i < USERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, use_model, &users[i]) == 0);
    }
    for (int32_t i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(users[i].agrees);
    }
    smidgen_session_close(s);
    smidgen_model_close(m);
}
