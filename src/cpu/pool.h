/* Fork-join thread pool: one job at a time, chunks taken from an atomic counter. Workers spin briefly after a
 * job, then sleep. The caller works too, so a pool of n threads starts n - 1. Pools of different models are
 * independent. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include "base/memory.h"

typedef struct cpu_pool cpu_pool;

/* thread_count >= 1. Where the system refuses threads the pool gets fewer (see cpu_pool_threads). NULL: no
 * memory. */
cpu_pool *cpu_pool_create(int thread_count, const smidgen_allocator *allocator);
void cpu_pool_close(cpu_pool *pool);
int cpu_pool_threads(const cpu_pool *pool);

/* Calls work(context, begin, end, thread) for disjoint ranges that cover [0, items), each of at most `grain`
 * items, on all threads; returns when every item is done. thread is 0 .. threads - 1, for per-thread scratch.
 * Callers from several threads (sessions of one model) take turns. Allocates nothing. */
void cpu_pool_run(cpu_pool *pool, void (*work)(void *context, int64_t begin, int64_t end, int thread),
                  void *context, int64_t items, int64_t grain);

#endif
