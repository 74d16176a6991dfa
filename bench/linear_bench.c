/* Times matrix products alone: JSON lines {type, rows, columns, batch, threads, isa, gb_per_s, gmac_per_s,
 * share}. share: of the read bandwidth (batch 1 to 4) or of the integer multiply-add rate, both measured in
 * this run just before. usage: linear_bench [--type Q4_K] [--shape ROWSxCOLUMNS] [--batch N] [--threads N]
 * [--seconds S]
 * [--warm yes]: one small matrix that stays in the caches, instead of more weights than they hold; default:
 * all of a list. */
#include "cpu/linear.h"
#include "cpu/linear_layout.h"
#include "cpu/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { COLD_BYTES = 192 << 20, THREADS_MAX = 256 };

static double now_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static uint64_t read_all(const uint8_t *at, size_t bytes)
{
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (size_t i = 0; i + 128 <= bytes; i += 128) {
        for (size_t j = 0; j < 4; j++) {
            const void *p = at + i + 32 * j;
            sum[j] = _mm256_add_epi8(sum[j], _mm256_loadu_si256((const __m256i *)p));
        }
    }
    sum[0] = _mm256_add_epi8(_mm256_add_epi8(sum[0], sum[1]), _mm256_add_epi8(sum[2], sum[3]));
    return (uint64_t)_mm256_extract_epi64(sum[0], 0);
}

/* vpmaddubsw + vpaddw, 8 independent chains: returns multiply-adds done. */
__attribute__((target("avx2"))) static double multiply_add(int64_t rounds)
{
    __m256i sum[8], w = _mm256_set1_epi8(7), x = _mm256_set1_epi8(3);
    for (int j = 0; j < 8; j++) {
        sum[j] = _mm256_set1_epi8((char)j);
    }
    for (int64_t i = 0; i < rounds; i++) {
        for (int j = 0; j < 8; j++) {
            __m256i product;
            __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(product) : "x"(w), "x"(x));
            sum[j] = _mm256_add_epi16(sum[j], product);
        }
    }
    for (int j = 1; j < 8; j++) {
        sum[0] = _mm256_add_epi16(sum[0], sum[j]);
    }
    volatile int sink = _mm256_extract_epi32(sum[0], 0);
    (void)sink;
    return (double)rounds * 8 * 32;
}

#else

static uint64_t read_all(const uint8_t *at, size_t bytes)
{
    uint64_t sum = 0, word;
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        memcpy(&word, at + i, 8);
        sum += word;
    }
    return sum;
}

static double multiply_add(int64_t rounds)
{
    (void)rounds;
    return 0;
}

#endif

typedef struct job {
    linear_weights **copies;
    int copy_count;
    linear_input in;
    float *y;
    cpu_isa isa;
    uint8_t *scratch;
    size_t scratch_bytes;
    uint64_t sinks[THREADS_MAX];
    double work[THREADS_MAX];
    const uint8_t *memory;
} job;

static void work_run(void *context, int64_t begin, int64_t end, int thread)
{
    job *j = context;
    for (int64_t i = begin; i < end;) {
        const linear_weights *w = j->copies[0];
        int64_t items = linear_items(w), copy = i / items, first = i % items;
        int64_t last = first + (end - i) < items ? first + (end - i) : items;
        linear_run(j->copies[copy], &j->in, NULL, j->y, linear_rows(w), first, last,
                   j->scratch + (size_t)thread * j->scratch_bytes);
        i += last - first;
    }
}

static void work_prepare(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    job *j = context;
    linear_prepare(&j->in, j->isa, begin, end);
}

static void work_read(void *context, int64_t begin, int64_t end, int thread)
{
    job *j = context;
    j->sinks[thread] += read_all(j->memory + begin * 65536, (size_t)(end - begin) * 65536);
}

static void work_multiply(void *context, int64_t begin, int64_t end, int thread)
{
    job *j = context;
    j->work[thread] += multiply_add((end - begin) * 100000);
}

static double best_of(cpu_pool *pool, void (*work)(void *, int64_t, int64_t, int), job *j, int64_t items,
                      int64_t grain, double seconds)
{
    /* One thread is timed by its own clock, so that a busy machine disturbs less. */
    clockid_t clock = cpu_pool_threads(pool) == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    double best = 1e9, stop = now_seconds(CLOCK_MONOTONIC) + seconds;
    do {
        double begin = now_seconds(clock);
        cpu_pool_run(pool, work, j, items, grain);
        double took = now_seconds(clock) - begin;
        best = took < best ? took : best;
    } while (now_seconds(CLOCK_MONOTONIC) < stop);
    return best;
}

/* Random blocks with scales that stay finite. */
static uint8_t *random_rows(element_type type, int64_t rows, int64_t columns, uint64_t *row_bytes)
{
    const quant_format *format = quant_find(type);
    element_bytes(type, (uint64_t)columns, row_bytes);
    uint8_t *stored = malloc((size_t)rows * *row_bytes);
    for (size_t i = 0; i < (size_t)rows * *row_bytes; i++) {
        stored[i] = (uint8_t)((i * 2654435761u >> 13) & (format == NULL ? 0x3B : 0xFF));
        stored[i] &= i % 2 == 1 && format == NULL ? 0x3B : 0xFF;
    }
    return stored;
}

static void free_job(job *j)
{
    memory_release(&memory_system, j->in.prepared, 0);
    memory_release(&memory_system, j->scratch, 0);
    memory_release(&memory_system, (void *)j->memory, COLD_BYTES);
    free((void *)j->copies);
    free((void *)j->in.x);
    free(j->y);
}

static void bench(element_type type, int64_t rows, int64_t columns, int64_t batch, int threads,
                  double seconds, bool warm)
{
    smidgen_error error = {0};
    cpu_isa isa = cpu_isa_choose();
    cpu_pool *pool = cpu_pool_create(threads, &memory_system);
    uint64_t row_bytes;
    uint8_t *stored = random_rows(type, rows, columns, &row_bytes);
    linear_weights *first =
        linear_create(type, rows, columns, SMIDGEN_PRECISION_FAST, isa, &memory_system, &error);
    if (first == NULL) {
        fprintf(stderr, "linear_bench: %s\n", error.message);
        exit(1);
    }
    double pack = 1e9;
    for (int i = 0; i < 4; i++) { /* one thread */
        double begin = now_seconds(CLOCK_THREAD_CPUTIME_ID);
        linear_pack(first, stored, 0, rows);
        double took = now_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
        pack = took < pack ? took : pack;
    }
    int copies = batch <= 4 && !warm ? (int)(COLD_BYTES / linear_bytes(first)) + 1 : 1;
    job j = {.copies = malloc((size_t)copies * sizeof(void *)), .copy_count = copies, .isa = isa};
    for (int i = 0; i < copies; i++) {
        j.copies[i] =
            i == 0 ? first
                   : linear_create(type, rows, columns, SMIDGEN_PRECISION_FAST, isa, &memory_system, &error);
        linear_pack(j.copies[i], stored, 0, rows);
    }
    float *x = malloc((size_t)(batch * columns) * sizeof(float));
    for (int64_t i = 0; i < batch * columns; i++) {
        x[i] = (float)(i * 7919 % 2003 - 1001) / 1000;
    }
    j.in = (linear_input){x, batch, columns, columns,
                          memory_allocate(&memory_system, linear_input_bytes(batch, columns))};
    j.y = malloc((size_t)(batch * rows) * sizeof(float));
    j.scratch_bytes = linear_scratch_bytes(first);
    j.scratch = memory_allocate(&memory_system, j.scratch_bytes * (size_t)threads);
    uint8_t *memory = memory_allocate_zeroed(&memory_system, COLD_BYTES);
    j.memory = memory;

    double peak_gb = COLD_BYTES / best_of(pool, work_read, &j, COLD_BYTES / 65536, 64, seconds / 2) * 1e-9;
    double peak_time = best_of(pool, work_multiply, &j, threads * 20, 1, seconds / 4);
    double peak_gmac = multiply_add(1) * 100000 * threads * 20 / peak_time * 1e-9;
    double prepare = best_of(pool, work_prepare, &j, batch, 8, 0.01);
    int64_t items = linear_items(first) * copies;
    int64_t grain = batch <= 4 ? 16 : 8;
    double took = best_of(pool, work_run, &j, items, grain, seconds);
    double gb = (double)linear_bytes(first) * copies / took * 1e-9;
    double gmac = (double)rows * (double)columns * (double)batch * copies / took * 1e-9;
    printf("{\"type\":\"%s\",\"rows\":%lld,\"columns\":%lld,\"batch\":%lld,\"threads\":%d,\"isa\":\"%s\","
           "\"gb_per_s\":%.1f,"
           "\"gmac_per_s\":%.1f,\"peak_gb_per_s\":%.1f,\"peak_gmac_per_s\":%.1f,\"share\":%.3f,\"prepare_gb_"
           "per_s\":%.1f,"
           "\"pack_gb_per_s\":%.2f,\"bits_per_weight\":%.3f}\n",
           element_name((uint32_t)type), (long long)rows, (long long)columns, (long long)batch, threads,
           cpu_isa_name(isa), gb, gmac, peak_gb, peak_gmac, batch <= 4 ? gb / peak_gb : gmac / peak_gmac,
           (double)(batch * columns) * 4 / prepare * 1e-9, (double)row_bytes * (double)rows / pack * 1e-9,
           (double)linear_bytes(first) * 8 / ((double)rows * (double)columns));
    fflush(stdout);
    for (int i = 0; i < copies; i++) {
        linear_close(j.copies[i]);
    }
    free_job(&j);
    free(stored);
    cpu_pool_close(pool);
}

static element_type type_named(const char *name)
{
    for (uint32_t i = 0; i < 64; i++) {
        if (element_find(i) != NULL && strcmp(element_name(i), name) == 0) {
            return (element_type)i;
        }
    }
    fprintf(stderr, "linear_bench: unknown type %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"Q4_K", "Q6_K", "Q4_1", "Q5_0", "Q8_0"};
    static const int64_t shapes[][2] = {{1536, 1536}, {8960, 1536}, {1536, 8960},
                                        {896, 896},   {4864, 896},  {896, 4864}};
    const char *type = NULL;
    long long rows = 0, columns = 0, batch = 0;
    int threads = 1;
    double seconds = 0.4;
    bool warm = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--type") == 0) {
            type = argv[i + 1];
        } else if (strcmp(argv[i], "--shape") == 0) {
            char *end;
            rows = strtoll(argv[i + 1], &end, 10);
            columns = *end == 'x' ? strtoll(end + 1, NULL, 10) : 0;
        } else if (strcmp(argv[i], "--batch") == 0) {
            batch = strtoll(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--threads") == 0) {
            threads = (int)strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--warm") == 0) {
            warm = strcmp(argv[i + 1], "yes") == 0;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = strtod(argv[i + 1], NULL);
        } else {
            fprintf(stderr, "usage: linear_bench [--type NAME] [--shape RxC] [--batch N] [--threads N] "
                            "[--seconds S] [--warm yes]\n");
            return 2;
        }
    }
    for (size_t t = 0; t < sizeof names / sizeof names[0]; t++) {
        const char *name = type != NULL ? type : names[t];
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            int64_t m = rows > 0 ? rows : shapes[s][0], k = columns > 0 ? columns : shapes[s][1];
            const element_info *info = element_find((uint32_t)type_named(name));
            for (int pass = 0; pass < 2 && k % info->block_weights == 0; pass++) {
                if (batch == 0 || pass == 0) {
                    bench(type_named(name), m, k,
                          batch != 0  ? batch
                          : pass == 0 ? 1
                                      : 512,
                          threads, seconds, warm);
                }
            }
            if (rows > 0) {
                break;
            }
        }
        if (type != NULL) {
            break;
        }
    }
    return 0;
}
