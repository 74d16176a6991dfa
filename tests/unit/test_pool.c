/* The pool and the threads under it. Run this file in a TSan build too: the claims about data are only worth
 * something there (README of src/cpu names the command). */
#include "base/memory.h"
#include "base/thread.h"
#include "cpu/pool.h"

#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct sum_job {
    int32_t *counts; /* [items] how often each item was done; plain on purpose: TSan watches it */
    int64_t grain;
    int threads;
    _Atomic int faults;
    int64_t per_thread[16];
} sum_job;

static void count_items(void *context, int64_t begin, int64_t end, int index)
{
    sum_job *job = context;
    if (end - begin > job->grain || begin >= end || index < 0 || index >= job->threads) {
        atomic_fetch_add(&job->faults, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        job->counts[i]++;
    }
    job->per_thread[index] += end - begin; /* per-thread scratch needs no lock */
}

static void check_pool(cpu_pool *pool, int64_t items, int64_t grain)
{
    sum_job job = {.counts = calloc((size_t)items + 1, sizeof(int32_t)),
                   .grain = grain,
                   .threads = cpu_pool_threads(pool)};
    cpu_pool_run(pool, count_items, &job, items, grain);
    int64_t total = 0;
    for (int64_t i = 0; i < items; i++) {
        CHECK_EQUAL(job.counts[i], 1);
    }
    for (int i = 0; i < 16; i++) {
        total += job.per_thread[i];
    }
    CHECK_EQUAL(total, items);
    CHECK_EQUAL(job.faults, 0);
    free(job.counts);
}

TEST(pool_does_every_item_once)
{
    for (int threads = 1; threads <= 5; threads += 2) {
        cpu_pool *pool = cpu_pool_create(threads, &memory_system);
        REQUIRE(pool != NULL);
        CHECK_EQUAL(cpu_pool_threads(pool), threads);
        for (int64_t items = 0; items < 40; items++) {
            check_pool(pool, items, 1 + items % 7);
        }
        check_pool(pool, 10000, 3);
        cpu_pool_close(pool);
    }
}

TEST(pool_survives_many_short_jobs_and_pauses)
{
    cpu_pool *pool = cpu_pool_create(3, &memory_system);
    REQUIRE(pool != NULL);
    for (int i = 0; i < 3000; i++) {
        check_pool(pool, 4, 1);
        if (i % 500 == 0) { /* long enough for the workers to fall asleep */
            double end = thread_seconds() + 300e-6;
            while (thread_seconds() < end) {
                thread_relax();
            }
        }
    }
    cpu_pool_close(pool);
}

TEST(pool_that_never_worked_closes)
{
    for (int i = 0; i < 20; i++) {
        cpu_pool_close(cpu_pool_create(1 + i % 4, &memory_system));
    }
    cpu_pool_close(NULL);
}

typedef struct caller {
    cpu_pool *pool;
    int64_t *
        shared; /* every job adds to it without a lock: jobs of one pool never overlap in its thread 0 part */
    int jobs;
    thread handle;
} caller;

static void add_one(void *context, int64_t begin, int64_t end, int index)
{
    int64_t *lanes = context; /* [threads] */
    lanes[index] += end - begin;
}

static void caller_main(void *context)
{
    caller *c = context;
    for (int i = 0; i < c->jobs; i++) {
        cpu_pool_run(c->pool, add_one, c->shared, 8, 1);
    }
}

TEST(pool_callers_of_several_threads_take_turns)
{
    cpu_pool *pool = cpu_pool_create(3, &memory_system);
    REQUIRE(pool != NULL);
    int64_t shared[3] = {0};
    caller callers[4];
    int started = 0;
    for (; started < 4; started++) {
        callers[started] = (caller){.pool = pool, .shared = shared, .jobs = 300};
        if (!thread_start(&callers[started].handle, caller_main, &callers[started])) {
            break;
        }
    }
    for (int i = 0; i < started; i++) {
        thread_join(&callers[i].handle);
    }
    CHECK_EQUAL(started, 4);
    CHECK_EQUAL(shared[0] + shared[1] + shared[2], started * 300 * 8);
    cpu_pool_close(pool);
}

static void *refuse(void *context, size_t size_bytes)
{
    (void)context;
    (void)size_bytes;
    return NULL;
}

static void release_nothing(void *context, void *block, size_t size_bytes)
{
    (void)context;
    (void)block;
    (void)size_bytes;
}

TEST(pool_without_memory_is_null)
{
    smidgen_allocator none = {refuse, release_nothing, NULL};
    CHECK(cpu_pool_create(4, &none) == NULL);
}

TEST(thread_core_count_is_at_least_one)
{
    CHECK(thread_core_count() >= 1);
    CHECK(thread_core_count() < 8192);
}

TEST(thread_wait_returns_when_the_word_has_changed)
{
    _Atomic uint32_t word = 5;
    thread_wait(&word, 4); /* already different: no sleep */
    thread_wake(&word);
    CHECK_EQUAL(word, 5);
}

static void set_word(void *context)
{
    _Atomic uint32_t *word = context;
    atomic_store(word, 1);
    thread_wake(word);
}

TEST(thread_wake_ends_a_wait)
{
    _Atomic uint32_t word = 0;
    thread waker;
    REQUIRE(thread_start(&waker, set_word, &word));
    while (atomic_load(&word) == 0) {
        thread_wait(&word, 0);
    }
    thread_join(&waker);
    CHECK_EQUAL(word, 1);
}
