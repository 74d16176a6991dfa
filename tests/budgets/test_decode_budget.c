/* Budgets: what a decode step may cost. */
#include "test.h"

#include "failing_allocator.h"
#include "smidgen.h"

TEST(a_decode_step_allocates_nothing)
{
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    smidgen_error error = {0};
    smidgen_model *m =
        smidgen_model_open(test_data("models/gemma3/text"),
                           &(smidgen_model_options){.threads = 1, .allocator = &f.base}, &error);
    smidgen_session *s = m == NULL ? NULL : smidgen_session_create(m, NULL, &error);
    if (s == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error.message);
        return;
    }
    int32_t prompt[5] = {1, 2, 3, 4, 5}, out[40];
    CHECK(smidgen_session_set_prompt(s, prompt, 5, NULL) == 0);
    CHECK_EQUAL(smidgen_session_next(s, out, 1, NULL), 1);
    uint64_t before = f.calls;
    CHECK_EQUAL(smidgen_session_next(s, out, 40, NULL), 40);
    CHECK_EQUAL(f.calls, before);
    smidgen_session_close(s);
    smidgen_model_close(m);
    CHECK_EQUAL(f.live_blocks, 0);
}

TEST(the_memory_report_agrees_with_the_allocator)
{
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    smidgen_model *m = smidgen_model_open(test_data("models/qwen2/bias"),
                                          &(smidgen_model_options){.threads = 1, .allocator = &f.base}, NULL);
    REQUIRE(m != NULL);
    int64_t model_bytes = f.live_bytes;
    smidgen_memory report;
    smidgen_memory_report(m, NULL, &report);
    uint64_t said = report.weights_bytes + report.tokenizer_bytes + report.other_bytes;
    uint64_t held = (uint64_t)model_bytes; /* the struct of the model itself is not in the report */
    if (said > held || said + 8192 < held) {
        test_fail(__FILE__, __LINE__, "the report says %llu bytes, the allocator %llu",
                  (unsigned long long)said, (unsigned long long)held);
    }
    smidgen_session *s = smidgen_session_create(m, &(smidgen_session_options){.context_tokens = 4096}, NULL);
    REQUIRE(s != NULL);
    smidgen_memory_report(m, s, &report);
    said = report.kv_cache_bytes + report.activations_bytes + report.other_bytes;
    CHECK(said < (uint64_t)(f.live_bytes - model_bytes) &&
          said + 4096 > (uint64_t)(f.live_bytes - model_bytes));
    smidgen_session_close(s);
    smidgen_model_close(m);
}
