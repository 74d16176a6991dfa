/* Threads, locks and waiting. thread_posix.c natively; thread_wasm.c for shared-memory wasm. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct thread {
    uint64_t handle[2];
} thread;

/* Starts entry(context); false when the system refuses. */
bool thread_start(thread *t, void (*entry)(void *context), void *context);
void thread_join(thread *t);

/* Physical cores that this process may use (affinity and cgroup quota respected), at least 1. */
int thread_core_count(void);

/* Sleeps until *word != expected or somebody wakes it (spurious returns allowed); wakes every sleeper. Like
 * futex. */
void thread_wait(const _Atomic uint32_t *word, uint32_t expected);
void thread_wake(_Atomic uint32_t *word);
/* One turn of a spin loop. */
void thread_relax(void);

/* Seconds of a monotonic clock. */
double thread_seconds(void);

#endif
