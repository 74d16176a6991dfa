/* What this machine can do at most, for shares in benchmarks: smidgen_peak [THREADS] [MIB] prints one JSON
 * object. read_bytes_per_second: streaming read of MIB MiB (1024), split over the threads; best of 5
 *   int8_ops_per_second: multiply-adds of 8-bit integers counted twice, in registers only; best of 5
 * Uses every instruction set that the compiler was allowed to use (-march=native). */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { ROUNDS = 5, THREADS_MAX = 256 };

typedef struct job {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const uint64_t *words; /* [count] */
    size_t count;
    uint64_t result;
    double seconds[2][ROUNDS]; /* reading, multiplying */
} job;

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Sixteen sums, so that the adds do not wait for each other; the compiler makes vectors of them. */
static uint64_t read_all(const uint64_t *words, size_t count)
{
    uint64_t sums[16] = {0}, total = 0;
    for (size_t i = 0; i + 16 <= count; i += 16) {
        for (size_t j = 0; j < 16; j++) {
            sums[j] += words[i + j];
        }
    }
    for (size_t j = 0; j < 16; j++) {
        total += sums[j];
    }
    return total;
}

enum { STEPS = 2000000, CHAINS = 8 };

/* STEPS * CHAINS vector products; returns something that depends on all of them. */
#if defined(__AVX512VNNI__)
#define INT8_KIND            "avx512-vnni"
#define INT8_OPS_PER_PRODUCT 128
static uint64_t multiply_all(void)
{
    __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5), sums[CHAINS];
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < STEPS; i++) {
        for (int j = 0; j < CHAINS; j++) {
            sums[j] = _mm512_dpbusd_epi32(sums[j], a, b);
            __asm__ volatile("" : "+v"(sums[j]), "+v"(a));
        }
    }
    __m512i all = sums[0];
    for (int j = 1; j < CHAINS; j++) {
        all = _mm512_add_epi32(all, sums[j]);
    }
    return (uint64_t)_mm512_reduce_add_epi32(all);
}
#elif defined(__AVX2__)
#define INT8_KIND            "avx2-maddubs"
#define INT8_OPS_PER_PRODUCT 64
static uint64_t multiply_all(void)
{
    __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1), sums[CHAINS];
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < STEPS; i++) {
        for (int j = 0; j < CHAINS; j++) {
            __m256i pairs = _mm256_maddubs_epi16(a, b);
            sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(pairs, ones));
            __asm__ volatile("" : "+x"(sums[j]), "+x"(a));
        }
    }
    __m256i all = sums[0];
    for (int j = 1; j < CHAINS; j++) {
        all = _mm256_add_epi32(all, sums[j]);
    }
    return (uint64_t)_mm256_extract_epi64(all, 0) + (uint64_t)_mm256_extract_epi64(all, 2);
}
#else
#define INT8_KIND            "plain C"
#define INT8_OPS_PER_PRODUCT 2
static uint64_t multiply_all(void)
{
    uint64_t sums[CHAINS] = {0}, total = 0;
    for (int i = 0; i < STEPS; i++) {
        for (int j = 0; j < CHAINS; j++) {
            sums[j] += (uint64_t)((int8_t)i * (int8_t)(i + j));
        }
    }
    for (int j = 0; j < CHAINS; j++) {
        total += sums[j];
    }
    return total;
}
#endif

static void *work(void *context)
{
    job *j = context;
    for (int kind = 0; kind < 2; kind++) {
        for (int round = 0; round < ROUNDS; round++) {
            pthread_barrier_wait(j->barrier);
            double begun = now_seconds();
            j->result += kind == 0 ? read_all(j->words, j->count) : multiply_all();
            pthread_barrier_wait(j->barrier);
            j->seconds[kind][round] = now_seconds() - begun;
        }
    }
    return NULL;
}

static double best(const double *seconds)
{
    double smallest = seconds[0];
    for (int i = 1; i < ROUNDS; i++) {
        smallest = seconds[i] < smallest ? seconds[i] : smallest;
    }
    return smallest;
}

int main(int argument_count, char **arguments)
{
    static job jobs[THREADS_MAX];
    int threads = argument_count > 1 ? (int)strtol(arguments[1], NULL, 10) : 1;
    size_t mebibytes = argument_count > 2 ? strtoul(arguments[2], NULL, 10) : 1024;
    if (threads < 1 || threads > THREADS_MAX || mebibytes < 1 || mebibytes > 65536) {
        fprintf(stderr, "usage: smidgen_peak [THREADS] [MIB]\n");
        return 1;
    }
    pthread_barrier_t barrier;
    size_t count = mebibytes * (1048576 / sizeof(uint64_t)), share = count / (size_t)threads / 16 * 16;
    uint64_t *words = aligned_alloc(4096, count * sizeof *words), result = 0;
    if (words == NULL) {
        fprintf(stderr, "not enough memory for %zu MiB\n", mebibytes);
        return 1;
    }
    memset(words, 1, count * sizeof *words); /* every page is really there */
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        jobs[i].barrier = &barrier;
        jobs[i].words = words + (size_t)i * share;
        jobs[i].count = share;
        if (pthread_create(&jobs[i].thread, NULL, work, &jobs[i]) != 0) {
            fprintf(stderr, "cannot start a thread\n");
            return 1;
        }
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(jobs[i].thread, NULL);
        result += jobs[i].result;
    }
    double bytes = (double)share * sizeof *words * threads;
    double operations = (double)STEPS * CHAINS * INT8_OPS_PER_PRODUCT * threads;
    printf("{\"threads\":%d,\"read_bytes_per_second\":%.6g,\"int8_ops_per_second\":%.6g,\"int8_kind\":\"%s\","
           "\"check\":%llu}\n",
           threads, bytes / best(jobs[0].seconds[0]), operations / best(jobs[0].seconds[1]), INT8_KIND,
           (unsigned long long)(result & 0xFFFF));
    free(words);
    return 0;
}
