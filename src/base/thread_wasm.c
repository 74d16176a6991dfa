/* Owns threads, waiting and time in WebAssembly. The host starts threads: `thread_start` asks it to call
 * smidgen_thread_run in one of its workers, which share this memory. A build without atomics has one thread
 * and refuses every other. Time comes from the host as well, so that the module needs no system interface. */
#include "base/thread.h"

#include <stdatomic.h>

/* Monotonic seconds. */
__attribute__((import_module("env"), import_name("seconds"))) double thread_host_seconds(void);

double thread_seconds(void)
{
    return thread_host_seconds();
}

void thread_relax(void)
{
    __asm__ volatile("" ::: "memory");
}

#if defined(__wasm_atomics__)

/* Number of workers that the host has ready, and the start of one: false when none is free. The worker calls
 * smidgen_thread_run(entry, context, done). */
__attribute__((import_module("env"), import_name("thread_count"))) int thread_host_count(void);
__attribute__((import_module("env"), import_name("thread_start"))) int
thread_host_start(void (*entry)(void *context), void *context, _Atomic uint32_t *done);

int thread_core_count(void)
{
    int count = thread_host_count();
    return count < 1 ? 1 : count;
}

/* `done` lies in the handle: a thread that was started must not be moved before it is joined. */
bool thread_start(thread *t, void (*entry)(void *context), void *context)
{
    _Atomic uint32_t *done = (_Atomic uint32_t *)(void *)&t->handle[0];
    atomic_store(done, 0);
    return thread_host_start(entry, context, done) != 0;
}

void thread_join(thread *t)
{
    _Atomic uint32_t *done = (_Atomic uint32_t *)(void *)&t->handle[0];
    while (atomic_load(done) == 0) {
        thread_wait(done, 0);
    }
}

void thread_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    __builtin_wasm_memory_atomic_wait32((int *)(uintptr_t)word, (int)expected, -1LL);
}

void thread_wake(_Atomic uint32_t *word)
{
    __builtin_wasm_memory_atomic_notify((int *)(uintptr_t)word, 0xFFFFFFFFu);
}

__attribute__((export_name("smidgen_thread_run"))) void
smidgen_thread_run(void (*entry)(void *context), void *context, _Atomic uint32_t *done)
{
    entry(context);
    atomic_store(done, 1);
    thread_wake(done);
}

#else

int thread_core_count(void)
{
    return 1;
}

bool thread_start(thread *t, void (*entry)(void *context), void *context)
{
    (void)t, (void)entry, (void)context;
    return false;
}

void thread_join(thread *t)
{
    (void)t;
}

void thread_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    (void)word, (void)expected; /* nobody else could change it; the contract allows to return at once */
}

void thread_wake(_Atomic uint32_t *word)
{
    (void)word;
}

#endif
