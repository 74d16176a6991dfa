/* Owns the fork-join pool. One job is open at a time; a worker enters an open job, takes chunks until none is
 * left and leaves. The caller does the same, closes the job and waits only for workers that had entered, so a
 * worker that the system has put aside delays nobody. Refuses jobs inside jobs (they would wait for
 * themselves). */
#include "cpu/pool.h"

#include "base/thread.h"

#include <stdatomic.h>

/* state: whether the job is open, whether the caller sleeps on it, and how many workers are inside. */
#define POOL_OPEN          0x80000000u
#define POOL_CALLER_SLEEPS 0x40000000u

enum { POOL_SPIN_CHECK_TURNS = 16 };
static const double pool_spin_seconds = 40e-6;

typedef struct pool_worker {
    struct cpu_pool *pool;
    thread handle;
    int index; /* 1 .. threads - 1 */
} pool_worker;

typedef struct pool_job {
    void (*work)(void *context, int64_t begin, int64_t end, int thread);
    void *context;
    int64_t items, grain;
} pool_job;

struct cpu_pool {
    const smidgen_allocator *allocator;
    size_t size_bytes;
    int threads;
    pool_job job; /* written while the job is closed and nobody is inside */
    _Alignas(64) _Atomic int64_t next_item;
    _Alignas(64) _Atomic uint32_t state;
    _Alignas(64) _Atomic uint32_t generation; /* + 1 for every job and for the end; idle workers watch it */
    _Atomic uint32_t sleepers;
    _Atomic bool is_ending;
    _Alignas(64) _Atomic uint32_t tickets; /* callers take turns in the order in which they came */
    _Atomic uint32_t serving;
    pool_worker workers[];
};

/* Spins for a while, then sleeps, until *word is no longer `seen`. */
static void wait_for_change(const _Atomic uint32_t *word, uint32_t seen, _Atomic uint32_t *sleepers)
{
    double end = 0;
    for (int turn = 1; atomic_load_explicit(word, memory_order_acquire) == seen; turn++) {
        thread_relax();
        if (turn % POOL_SPIN_CHECK_TURNS != 0) {
            continue;
        }
        double now = thread_seconds();
        if (end == 0) {
            end = now + pool_spin_seconds;
        } else if (now > end) {
            break;
        }
    }
    while (atomic_load(word) == seen) {
        if (sleepers != NULL) {
            atomic_fetch_add(sleepers, 1);
        }
        thread_wait(word, seen);
        if (sleepers != NULL) {
            atomic_fetch_sub(sleepers, 1);
        }
    }
}

static void take_chunks(cpu_pool *pool, int index)
{
    const pool_job job = pool->job;
    for (;;) {
        int64_t begin = atomic_fetch_add_explicit(&pool->next_item, job.grain, memory_order_relaxed);
        if (begin >= job.items) {
            return;
        }
        int64_t end = job.items - begin > job.grain ? begin + job.grain : job.items;
        job.work(job.context, begin, end, index);
    }
}

static bool enter_job(cpu_pool *pool)
{
    uint32_t state = atomic_load_explicit(&pool->state, memory_order_relaxed);
    while ((state & POOL_OPEN) != 0) {
        if (atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static void leave_job(cpu_pool *pool)
{
    uint32_t before = atomic_fetch_sub_explicit(&pool->state, 1, memory_order_acq_rel);
    if (before == (POOL_CALLER_SLEEPS | 1)) {
        thread_wake(&pool->state);
    }
}

static void worker_main(void *context)
{
    pool_worker *worker = context;
    cpu_pool *pool = worker->pool;
    uint32_t seen = 0;
    while (!atomic_load(&pool->is_ending)) {
        wait_for_change(&pool->generation, seen, &pool->sleepers);
        seen = atomic_load(&pool->generation);
        if (enter_job(pool)) {
            take_chunks(pool, worker->index);
            leave_job(pool);
        }
    }
}

/* No new worker enters; returns when the last one inside has left. */
static void close_job(cpu_pool *pool)
{
    uint32_t state = atomic_fetch_and_explicit(&pool->state, ~POOL_OPEN, memory_order_acq_rel) & ~POOL_OPEN;
    for (int turn = 0; state != 0 && turn < 2000; turn++) {
        thread_relax();
        state = atomic_load_explicit(&pool->state, memory_order_acquire);
    }
    if (state == 0) {
        return;
    }
    state = atomic_fetch_or(&pool->state, POOL_CALLER_SLEEPS) | POOL_CALLER_SLEEPS;
    while (state != POOL_CALLER_SLEEPS) {
        thread_wait(&pool->state, state);
        state = atomic_load(&pool->state);
    }
    atomic_store(&pool->state, 0);
}

static void begin_turn(cpu_pool *pool)
{
    uint32_t ticket = atomic_fetch_add(&pool->tickets, 1);
    for (;;) {
        uint32_t serving = atomic_load_explicit(&pool->serving, memory_order_acquire);
        if (serving == ticket) {
            return;
        }
        wait_for_change(&pool->serving, serving, NULL);
    }
}

static void end_turn(cpu_pool *pool)
{
    uint32_t serving = atomic_fetch_add(&pool->serving, 1) + 1;
    if (atomic_load(&pool->tickets) != serving) {
        thread_wake(&pool->serving);
    }
}

static void announce(cpu_pool *pool)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) != 0) {
        thread_wake(&pool->generation);
    }
}

void cpu_pool_run(cpu_pool *pool, void (*work)(void *context, int64_t begin, int64_t end, int thread),
                  void *context, int64_t items, int64_t grain)
{
    if (items <= 0) {
        return;
    }
    begin_turn(pool);
    pool->job = (pool_job){work, context, items, grain > 0 ? grain : 1};
    atomic_store_explicit(&pool->next_item, 0, memory_order_relaxed);
    bool is_shared = pool->threads > 1 && items > pool->job.grain;
    if (is_shared) {
        atomic_store_explicit(&pool->state, POOL_OPEN, memory_order_release);
        announce(pool);
    }
    take_chunks(pool, 0);
    if (is_shared) {
        close_job(pool);
    }
    end_turn(pool);
}

cpu_pool *cpu_pool_create(int thread_count, const smidgen_allocator *allocator)
{
    size_t workers = thread_count > 1 ? (size_t)thread_count - 1 : 0;
    size_t worker_bytes = memory_array_bytes(workers, sizeof(pool_worker));
    if (worker_bytes > SIZE_MAX - sizeof(cpu_pool)) {
        return NULL;
    }
    cpu_pool *pool = memory_allocate_zeroed(allocator, sizeof(cpu_pool) + worker_bytes);
    if (pool == NULL) {
        return NULL;
    }
    pool->allocator = allocator;
    pool->size_bytes = sizeof(cpu_pool) + worker_bytes;
    pool->threads = 1;
    for (size_t i = 0; i < workers; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = (int)i + 1;
        if (!thread_start(&pool->workers[i].handle, worker_main, &pool->workers[i])) {
            break;
        }
        pool->threads++;
    }
    return pool;
}

void cpu_pool_close(cpu_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    atomic_store(&pool->is_ending, true);
    announce(pool);
    for (int i = 0; i < pool->threads - 1; i++) {
        thread_join(&pool->workers[i].handle);
    }
    memory_release(pool->allocator, pool, pool->size_bytes);
}

int cpu_pool_threads(const cpu_pool *pool)
{
    return pool->threads;
}
