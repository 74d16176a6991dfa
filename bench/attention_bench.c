/* Speed of attention for the shapes of real models. Prints one JSON line a measurement:
 *   decode: bytes of keys and values read a second, beside the read bandwidth of this machine in the same
 * run; prefill: useful floating point operations a second (what causality hides is not counted), beside the
 * FMA peak. usage: attention_bench [--isa NAME] [--quick] [--only MODEL] [--cpu-time]
 * --cpu-time: one thread, timed by the processor time that it got; for a machine that others use too. */
#include "base/thread.h"
#include "cpu/kv_cache.h"
#include "cpu/ops.h"
#include "cpu/pool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_shape {
    const char *model;
    int32_t layers, heads, heads_kv, head_size, window;
} bench_shape;

/* Layers: as many as make a decode step read more than the caches hold at depth 8192. */
static const bench_shape shapes[] = {
    {"smollm2-135m", 30, 9, 3, 64, 0},          {"gemma3-270m", 18, 4, 1, 256, 0},
    {"gemma3-270m window", 15, 4, 1, 256, 512}, {"qwen-0.5b", 24, 14, 2, 64, 0},
    {"qwen-1.5b", 28, 12, 2, 128, 0},
};

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-23f - 1.0f;
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct bench_job {
    attention_call call;
    int threads;
    double (*seconds)(void);
    void *partials;
    void *scratch[64];
} bench_job;

static void run_items(void *context, int64_t begin, int64_t end, int index)
{
    bench_job *job = context;
    attention_run(&job->call, job->threads, job->partials, begin, end, job->scratch[index]);
}

static void merge_items(void *context, int64_t begin, int64_t end, int index)
{
    bench_job *job = context;
    (void)index;
    attention_merge(&job->call, job->threads, job->partials, begin, end);
}

/* All layers once, as a step of the model would do it; returns seconds. */
static double run_layers(bench_job *job, cpu_pool *pool, int32_t layers)
{
    double start = job->seconds();
    for (int32_t layer = 0; layer < layers; layer++) {
        job->call.layer = layer;
        cpu_pool_run(pool, run_items, job, attention_items(&job->call, job->threads), 1);
        cpu_pool_run(pool, merge_items, job, attention_merge_items(&job->call, job->threads), 4);
    }
    return job->seconds() - start;
}

static void fill(kv_cache *cache, const bench_shape *shape, int32_t tokens, int32_t layers)
{
    size_t size = (size_t)shape->heads_kv * (size_t)shape->head_size;
    float *row = malloc(2 * size * sizeof(float));
    uint32_t state = 1;
    for (size_t i = 0; i < 2 * size; i++) {
        row[i] = noise(&state);
    }
    for (int32_t layer = 0; layer < layers; layer++) {
        for (int32_t p = 0; p < tokens; p++) {
            row[p % (int32_t)size] = noise(&state);
            kv_store(cache, layer, p, row, row + size, 0, shape->heads_kv, cpu_isa_choose());
        }
    }
    free(row);
}

typedef struct bench_run {
    const bench_shape *shape;
    smidgen_kv_type type;
    int32_t tokens, depth; /* tokens of the call and how many stand before them */
    int threads;
    cpu_isa isa;
    double bandwidth, peak;
    double (*seconds)(void);
} bench_run;

/* seconds: of one layer. */
static void report(const bench_run *r, double seconds)
{
    const bench_shape *s = r->shape;
    double visible = 0, length = r->depth + r->tokens;
    for (int32_t t = 0; t < r->tokens; t++) {
        double p = r->depth + t + 1;
        visible += s->window > 0 && p > s->window ? s->window : p;
    }
    double read_length = r->tokens == 1 ? visible : length;
    double byte = r->type == SMIDGEN_KV_F16 ? 2.0 : 34.0 / 32.0;
    double bytes = 2.0 * read_length * s->heads_kv * s->head_size * byte;
    double flops = 4.0 * visible * s->heads * s->head_size;
    printf("{\"bench\": \"attention\", \"model\": \"%s\", \"isa\": \"%s\", \"kv\": \"%s\", \"threads\": %d, "
           "\"tokens\": %d, "
           "\"depth\": %d, \"us_per_layer\": %.2f, \"gb_per_second\": %.2f, \"read_bandwidth\": %.2f, "
           "\"gflops\": %.1f, "
           "\"fma_peak\": %.1f, \"peak_share\": %.3f}\n",
           s->model, cpu_isa_name(r->isa), r->type == SMIDGEN_KV_F16 ? "f16" : "q8_0", r->threads,
           (int)r->tokens, (int)r->depth, 1e6 * seconds, 1e-9 * bytes / seconds, 1e-9 * r->bandwidth,
           1e-9 * flops / seconds, 1e-9 * r->peak, flops / seconds / r->peak);
    fflush(stdout);
}

static void bench_attention(const bench_run *r, kv_cache *cache, cpu_pool *pool, int repeats)
{
    const bench_shape *s = r->shape;
    size_t row = (size_t)s->heads * (size_t)s->head_size;
    float *q = malloc((size_t)r->tokens * row * sizeof(float)),
          *out = malloc((size_t)r->tokens * row * sizeof(float));
    const kv_cache **caches = malloc((size_t)r->tokens * sizeof *caches);
    int32_t *positions = malloc((size_t)r->tokens * sizeof *positions);
    uint32_t state = 7;
    for (size_t i = 0; i < (size_t)r->tokens * row; i++) {
        q[i] = noise(&state);
    }
    for (int32_t t = 0; t < r->tokens; t++) {
        caches[t] = cache;
        positions[t] = r->depth + t;
    }
    bench_job job = {.threads = r->threads, .seconds = r->seconds};
    job.call = (attention_call){.q = q,
                                .out = out,
                                .q_stride = (int64_t)row,
                                .out_stride = (int64_t)row,
                                .caches = caches,
                                .positions = positions,
                                .tokens = r->tokens,
                                .heads = s->heads,
                                .heads_kv = s->heads_kv,
                                .head_size = s->head_size,
                                .window = s->window,
                                .scale = 0.125f,
                                .isa = r->isa};
    size_t partial_bytes = attention_partials_bytes(r->tokens, s->heads, s->head_size, r->threads);
    size_t scratch_bytes = attention_scratch_bytes(s->heads, s->heads_kv, s->head_size);
    job.partials = memory_allocate(&memory_system, partial_bytes);
    for (int i = 0; i < r->threads; i++) {
        job.scratch[i] = memory_allocate(&memory_system, scratch_bytes);
    }
    double best = 1e9;
    int32_t layers = r->tokens == 1 ? s->layers : 1; /* prefill does not depend on what the caches hold */
    for (int i = 0; i < repeats; i++) {
        double seconds = run_layers(&job, pool, layers) / layers;
        best = seconds < best ? seconds : best;
    }
    report(r, best);
    for (int i = 0; i < r->threads; i++) {
        memory_release(&memory_system, job.scratch[i], scratch_bytes);
    }
    memory_release(&memory_system, job.partials, partial_bytes);
    free(positions);
    free(caches);
    free(q);
    free(out);
}

/* ------------------------------------------------------------------------------- what the machine can do at
 * best */

enum { READ_BYTES = 256 << 20, READ_CHUNK = 1 << 20 };

typedef struct read_job {
    const uint64_t *data;
    _Atomic uint64_t sum;
} read_job;

static void read_chunk(void *context, int64_t begin, int64_t end, int index)
{
    read_job *job = context;
    (void)index;
    uint64_t sums[8] = {0};
    for (int64_t c = begin; c < end; c++) {
        const uint64_t *p = job->data + c * (READ_CHUNK / 8);
        for (int64_t i = 0; i < READ_CHUNK / 8; i += 8) {
            for (int k = 0; k < 8; k++) {
                sums[k] += p[i + k];
            }
        }
    }
    atomic_fetch_add(&job->sum,
                     sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7]);
}

static double read_bandwidth(cpu_pool *pool, double (*seconds_now)(void))
{
    void *data = memory_allocate(&memory_system, READ_BYTES);
    read_job job = {.data = data};
    double best = 1e9;
    memset(data, 1, READ_BYTES);
    for (int i = 0; i < 5; i++) {
        double start = seconds_now();
        cpu_pool_run(pool, read_chunk, &job, READ_BYTES / READ_CHUNK, 4);
        double seconds = seconds_now() - start;
        best = seconds < best ? seconds : best;
    }
    memory_release(&memory_system, data, READ_BYTES);
    return READ_BYTES / best;
}

/* Cycles a second, measured with a chain of dependent additions (one cycle each); floats: lanes of a
 * register. */
static double fma_peak(int threads, cpu_isa isa, double (*seconds_now)(void))
{
    double best = 1e9;
    const int64_t rounds = 20 * 1000 * 1000;
    for (int i = 0; i < 5; i++) {
        uint64_t x = 1;
        double start = seconds_now();
        for (int64_t k = 0; k < rounds; k++) {
            x += (uint64_t)k;
            __asm__ volatile("" : "+r"(x));
        }
        double seconds = seconds_now() - start;
        best = seconds < best ? seconds : best;
    }
    double lanes = isa == CPU_ISA_AVX512 ? 16 : isa == CPU_ISA_AVX2 ? 8 : 4;
    return (double)rounds / best * lanes * 2 * 2 * threads;
}

typedef struct bench_options {
    cpu_isa isa;
    bool is_quick, is_cpu_time;
    const char *only;
} bench_options;

static bench_options parse(int argc, char **argv)
{
    bench_options o = {.isa = cpu_isa_choose(), .only = ""};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        o.is_quick |= strcmp(argv[i], "--quick") == 0;
        o.is_cpu_time |= strcmp(argv[i], "--cpu-time") == 0;
        o.only = strcmp(argv[i], "--only") == 0 ? value : o.only;
        for (int k = CPU_ISA_SCALAR; strcmp(argv[i], "--isa") == 0 && k <= CPU_ISA_NEON; k++) {
            bool is_it = strcmp(value, cpu_isa_name((cpu_isa)k)) == 0 && cpu_isa_supported((cpu_isa)k);
            o.isa = is_it ? (cpu_isa)k : o.isa;
        }
    }
    return o;
}

static void bench_cache(const bench_options *o, const bench_shape *s, smidgen_kv_type type)
{
    int32_t capacity = o->is_quick ? 2049 : 8193;
    kv_shape shape = {s->layers, s->heads_kv, s->head_size, capacity, type, type};
    kv_cache *cache = kv_create(&shape, &memory_system, NULL);
    fill(cache, s, capacity, s->layers);
    for (int threads = 1; threads <= (o->is_cpu_time ? 1 : 2); threads++) {
        cpu_pool *pool = cpu_pool_create(threads, &memory_system);
        bench_run run = {.shape = s, .type = type, .tokens = 1, .threads = threads, .isa = o->isa};
        run.seconds = o->is_cpu_time ? processor_seconds : thread_seconds;
        run.bandwidth = read_bandwidth(pool, run.seconds);
        run.peak = fma_peak(threads, o->isa, run.seconds);
        for (run.depth = 128; run.depth < capacity; run.depth = run.depth == 128 ? 2048 : run.depth * 4) {
            bench_attention(&run, cache, pool, 15);
        }
        run.tokens = 512;
        run.depth = 0;
        bench_attention(&run, cache, pool, 20);
        cpu_pool_close(pool);
    }
    kv_close(cache);
}

int main(int argc, char **argv)
{
    bench_options options = parse(argc, argv);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int type = SMIDGEN_KV_F16; type <= SMIDGEN_KV_Q8_0; type++) {
            if (strstr(shapes[i].model, options.only) != NULL) {
                bench_cache(&options, &shapes[i], (smidgen_kv_type)type);
            }
        }
    }
    return 0;
}
