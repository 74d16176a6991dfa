/* The test harness. A test is a claim:
 *   TEST(arena_gives_aligned_blocks) { CHECK(...); CHECK_EQUAL(a, b); CHECK_NEAR(x, y, tolerance); }
 * Tests register themselves; the runner (runner.c) has --list, --filter TEXT, and closes with "N passed, N
 * failed". A test that needs a file that is not on this machine says SKIP("why"): it is counted and named,
 * never hidden. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct test_case {
    const char *name, *file;
    void (*run)(void);
    struct test_case *next;
} test_case;

void test_register(test_case *test);
/* Record a failure with its place; the test goes on. */
__attribute__((format(printf, 3, 4))) void test_fail(const char *file, int line, const char *format, ...);
__attribute__((format(printf, 1, 2))) void test_skip(const char *format, ...);
/* Path of a file under tests/data; valid until the fourth next call. */
const char *test_data(const char *name);
/* Path of a real model ("smollm2-135m", "gemma3-270m", "qwen-0.5b", "qwen-1.5b") in $SMIDGEN_MODELS, or NULL
 * (then SKIP). */
const char *test_model(const char *name);

#define TEST(name)                                                                                           \
    static void test_##name(void);                                                                           \
    __attribute__((constructor)) static void register_##name(void)                                           \
    {                                                                                                        \
        static test_case test = {#name, __FILE__, test_##name, NULL};                                        \
        test_register(&test);                                                                                \
    }                                                                                                        \
    static void test_##name(void)

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                                 \
        }                                                                                                    \
    } while (0)
/* For preconditions: leaves the test when it does not hold. */
#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                                 \
            return;                                                                                          \
        }                                                                                                    \
    } while (0)
#define CHECK_EQUAL(actual, expected)                                                                        \
    do {                                                                                                     \
        long long test_a = (long long)(actual), test_e = (long long)(expected);                              \
        if (test_a != test_e) {                                                                              \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual, test_a, test_e);             \
        }                                                                                                    \
    } while (0)
#define CHECK_NEAR(actual, expected, tolerance)                                                              \
    do {                                                                                                     \
        double test_a = (double)(actual), test_e = (double)(expected);                                       \
        if (!(fabs(test_a - test_e) <= (double)(tolerance))) {                                               \
            test_fail(__FILE__, __LINE__, "%s is %.9g, expected %.9g +- %.3g", #actual, test_a, test_e,      \
                      (double)(tolerance));                                                                  \
        }                                                                                                    \
    } while (0)
#define CHECK_TEXT(actual, expected)                                                                         \
    do {                                                                                                     \
        const char *test_a = (actual), *test_e = (expected);                                                 \
        if (test_a == NULL || strcmp(test_a, test_e) != 0) {                                                 \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual,                          \
                      test_a ? test_a : "(null)", test_e);                                                   \
        }                                                                                                    \
    } while (0)
#define SKIP(...)                                                                                            \
    do {                                                                                                     \
        test_skip(__VA_ARGS__);                                                                              \
        return;                                                                                              \
    } while (0)

#endif
