/* Owns threads, waiting and the count of usable cores on POSIX systems. Waiting is a futex on Linux;
 * elsewhere it is a short sleep, which the contract of thread_wait allows. Refuses nothing: where a fact
 * cannot be read (no /sys, no cgroup), the count falls back to the processors that are online. */
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#endif

/* Lives on the starter's stack until the new thread has copied it. */
typedef struct thread_start_note {
    void (*entry)(void *context);
    void *context;
    _Atomic uint32_t is_taken;
} thread_start_note;

_Static_assert(sizeof(pthread_t) <= sizeof(((thread *)0)->handle), "pthread_t must fit into the handle");

static void *thread_main(void *argument)
{
    thread_start_note *note = argument;
    void (*entry)(void *) = note->entry;
    void *context = note->context;
    atomic_store_explicit(&note->is_taken, 1, memory_order_release); /* the note is gone from here on */
    entry(context);
    return NULL;
}

bool thread_start(thread *t, void (*entry)(void *context), void *context)
{
    thread_start_note note = {.entry = entry, .context = context};
    pthread_t handle;
    atomic_init(&note.is_taken, 0);
    if (pthread_create(&handle, NULL, thread_main, &note) != 0) {
        return false;
    }
    while (atomic_load_explicit(&note.is_taken, memory_order_acquire) == 0) {
        sched_yield();
    }
    memset(t, 0, sizeof *t);
    memcpy(t->handle, &handle, sizeof handle);
    return true;
}

void thread_join(thread *t)
{
    pthread_t handle;
    memcpy(&handle, t->handle, sizeof handle);
    pthread_join(handle, NULL);
}

double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if defined(__x86_64__) || defined(__i386__)
void thread_relax(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
void thread_relax(void)
{
    __asm__ volatile("isb" ::: "memory"); /* yield is a no-op on most cores; isb waits some tens of cycles */
}
#else
void thread_relax(void)
{
    sched_yield();
}
#endif

#if defined(__linux__)

void thread_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void thread_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

enum { THREAD_CPU_MAX = 8192, THREAD_WORD_BITS = 8 * (int)sizeof(unsigned long) };

typedef struct thread_cpu_set {
    unsigned long words[THREAD_CPU_MAX / (8 * sizeof(unsigned long))];
} thread_cpu_set;

static bool cpu_set_has(const thread_cpu_set *set, long cpu)
{
    return cpu >= 0 && cpu < THREAD_CPU_MAX &&
           (set->words[cpu / THREAD_WORD_BITS] >> cpu % THREAD_WORD_BITS & 1) != 0;
}

/* The first bytes of a small text file, terminated. */
static bool read_text(const char *path, char *text, size_t capacity)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t count = fread(text, 1, capacity - 1, f);
    text[count] = 0;
    fclose(f);
    return count != 0;
}

/* Whether an allowed processor with a lower number is a hardware thread of the same core ("0,4" or
 * "0-1,8-9"). */
static bool has_earlier_sibling(const thread_cpu_set *allowed, long cpu)
{
    char path[128], text[512];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list", cpu);
    if (!read_text(path, text, sizeof text)) {
        return false;
    }
    for (char *at = text, *end; *at >= '0' && *at <= '9'; at = *end == ',' ? end + 1 : end) {
        long first = strtol(at, &end, 10), last = first;
        if (*end == '-') {
            last = strtol(end + 1, &end, 10);
        }
        for (long sibling = first; sibling <= last && sibling < cpu; sibling++) {
            if (cpu_set_has(allowed, sibling)) {
                return true;
            }
        }
    }
    return false;
}

/* Lowers *cores to quota / period, rounded up. */
static void apply_quota(long long quota, long long period, int *cores)
{
    if (quota > 0 && period > 0) {
        long long allowed = (quota + period - 1) / period;
        *cores = allowed < *cores ? (int)allowed : *cores;
    }
}

static void apply_quota_v2(const char *folder, int *cores)
{
    char path[1100], text[128];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_text(path, text, sizeof text) && text[0] != 'm') { /* "max 100000": no limit */
        char *end;
        long long quota = strtoll(text, &end, 10), period = strtoll(end, NULL, 10);
        apply_quota(quota, period, cores);
    }
}

static void apply_quota_v1(const char *folder, int *cores)
{
    char path[1100], quota[64], period[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_text(path, quota, sizeof quota)) {
        return;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (read_text(path, period, sizeof period)) {
        apply_quota(strtoll(quota, NULL, 10), strtoll(period, NULL, 10), cores);
    }
}

/* A limit may stand at any level: walks from the process's group up to the mount. */
static void apply_quota_up(const char *mount, const char *group, void (*apply)(const char *, int *),
                           int *cores)
{
    char folder[1024];
    size_t mount_length = strlen(mount);
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder) {
        folder[mount_length] = 0;
    }
    for (;;) {
        apply(folder, cores);
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < mount_length) {
            return;
        }
        *slash = 0;
    }
}

static void apply_cgroups(int *cores)
{
    char line[1200];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) { /* "0::/path", "4:cpu,cpuacct:/path" */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'),
             *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL || group[1] != '/') {
            continue;
        }
        *group++ = 0;
        controllers++;
        if (controllers[0] == 0) {
            apply_quota_up("/sys/fs/cgroup", group, apply_quota_v2, cores);
        } else if (strncmp(controllers, "cpu", 3) == 0 && (controllers[3] == 0 || controllers[3] == ',')) {
            apply_quota_up("/sys/fs/cgroup/cpu", group, apply_quota_v1, cores);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

int thread_core_count(void)
{
    thread_cpu_set allowed = {{0}};
    int cores = 0;
    if (syscall(SYS_sched_getaffinity, 0, sizeof allowed.words, allowed.words) <= 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cores = online > 0 ? (int)online : 1;
    }
    for (long cpu = 0; cpu < THREAD_CPU_MAX; cpu++) {
        cores += cpu_set_has(&allowed, cpu) && !has_earlier_sibling(&allowed, cpu);
    }
    apply_cgroups(&cores);
    return cores > 0 ? cores : 1;
}

#else

void thread_wait(const _Atomic uint32_t *word, uint32_t expected)
{
    if (atomic_load_explicit(word, memory_order_acquire) == expected) {
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000}, NULL);
    }
}

void thread_wake(_Atomic uint32_t *word)
{
    (void)word; /* sleepers look again by themselves */
}

int thread_core_count(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

#endif
