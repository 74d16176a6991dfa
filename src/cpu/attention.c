/* Owns the order of fused attention: which query rows meet which panels, masks, the split of long sequences,
 * the merge. The arithmetic is in ops/attention_*.inc. Scores are kept in base 2 (q carries scale * log2(e)),
 * so that the softmax needs one multiplication less for each. Refuses nothing: the shapes of a call are the
 * engine's promise. */
#include "cpu/ops_internal.h"

#include <math.h>
#include <string.h>

enum {
    ROWS_SMALL_HEAD = 96, /* query rows of a tile: enough to pay for unpacking a block of keys and values */
    ROWS_LARGE_HEAD = 48, /* the same for heads above 128, where a row is long */
    ROWS_TILE_MIN = 24,   /* threads are fed by smaller tiles down to this */
    ROWS_SPLIT = 16,      /* tiles up to here may be split over the length ... */
    SPLIT_MIN = 128,      /* ... in pieces of at least so many positions */
    ROWS_DIRECT = 12,     /* up to here packed panels are read directly, above they are unpacked first */
    PARTIAL_EXTRA = 16,   /* floats behind the partial output: largest score, sum, padding */
};

static const float log2_e = 1.44269504f;

typedef struct attention_plan {
    int32_t group;       /* query heads that share a key head */
    int32_t tile_tokens; /* consecutive tokens of one sequence that go together, at most */
    int32_t splits;
    int64_t tiles;
} attention_plan;

/* Buffers of one thread; pointers into scratch. */
typedef struct attention_buffers {
    float *q;         /* [rows, head_size] */
    float *o;         /* [rows, padded] */
    float *s;         /* [rows, ATTENTION_BLOCK] */
    float *max, *sum; /* [rows] */
    float *panels;    /* ATTENTION_BLOCK positions in f32 panels */
} attention_buffers;

/* One item: rows = tokens * group query rows against positions [begin, end). */
typedef struct attention_tile {
    const attention_call *call;
    const attention_kernels *kernels;
    int32_t token_begin, token_end, head_kv, group, split;
    int32_t begin, end;
} attention_tile;

static int32_t tile_tokens_max(int32_t group, int32_t head_size)
{
    int32_t rows = head_size > 128 ? ROWS_LARGE_HEAD : ROWS_SMALL_HEAD;
    return group < rows ? rows / group : 1;
}

static int32_t visible_begin(const attention_call *call, int32_t token)
{
    int32_t position = call->positions[token];
    return call->window > 0 && position >= call->window ? position - call->window + 1 : 0;
}

/* End of the tile that begins at token `begin`. */
static int32_t tile_end(const attention_call *call, int32_t tile_tokens, int32_t begin)
{
    int32_t end = begin + 1;
    while (end < call->tokens && end - begin < tile_tokens && call->caches[end] == call->caches[begin] &&
           call->positions[end] == call->positions[end - 1] + 1) {
        end++;
    }
    return end;
}

/* The fewest pieces for which no thread has more than a tenth more to do than the average. */
static int32_t choose_splits(int64_t items, int threads, int32_t longest)
{
    int32_t splits = 1;
    while (splits < threads && splits < longest / SPLIT_MIN) {
        int64_t pieces = items * splits, rounds = (pieces + threads - 1) / threads;
        if (rounds * threads * 10 <= pieces * 11) {
            break;
        }
        splits++;
    }
    return splits;
}

static attention_plan make_plan(const attention_call *call, int threads)
{
    attention_plan plan = {.group = call->heads / call->heads_kv, .splits = 1};
    int32_t most = tile_tokens_max(plan.group, call->head_size);
    int32_t least = (ROWS_TILE_MIN + plan.group - 1) / plan.group;
    int64_t wanted = ((int64_t)call->tokens * call->heads_kv + 4 * threads - 1) / (4 * threads);
    wanted = wanted < least ? least : wanted;
    plan.tile_tokens = wanted > most ? most : (int32_t)wanted;
    int32_t longest = 0, highest = 0;
    for (int32_t begin = 0, end; begin < call->tokens; begin = end) {
        end = tile_end(call, plan.tile_tokens, begin);
        int32_t length = call->positions[end - 1] + 1 - visible_begin(call, begin);
        longest = length > longest ? length : longest;
        highest = end - begin > highest ? end - begin : highest;
        plan.tiles++;
    }
    if (threads > 1 && (highest == 1 || highest * plan.group <= ROWS_SPLIT)) {
        plan.splits = choose_splits(plan.tiles * call->heads_kv, threads, longest);
    }
    return plan;
}

int64_t attention_items(const attention_call *call, int threads)
{
    attention_plan plan = make_plan(call, threads);
    return plan.tiles * call->heads_kv * plan.splits;
}

int64_t attention_merge_items(const attention_call *call, int threads)
{
    return make_plan(call, threads).splits > 1 ? (int64_t)call->tokens * call->heads : 0;
}

static size_t partial_floats(int32_t head_size)
{
    return (size_t)kv_padded(head_size) + PARTIAL_EXTRA;
}

size_t attention_partials_bytes(int32_t max_tokens, int32_t heads, int32_t head_size, int threads)
{
    if (threads <= 1) {
        return 0;
    }
    /* choose_splits stops below 10 threads pieces plus one more round of items; each has few rows. */
    size_t rows = (size_t)(heads > ROWS_SPLIT ? heads : ROWS_SPLIT), by_pieces = 20 * (size_t)threads * rows;
    size_t by_tokens = memory_array_bytes((size_t)max_tokens * (size_t)heads, (size_t)threads);
    return (by_tokens < by_pieces ? by_tokens : by_pieces) * partial_floats(head_size) * sizeof(float);
}

static size_t round_floats(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static size_t lay_out(attention_buffers *b, float *scratch, int32_t group, int32_t head_size)
{
    size_t rows = (size_t)tile_tokens_max(group, head_size) * (size_t)group,
           padded = (size_t)kv_padded(head_size);
    size_t q = 0, o = q + round_floats(rows * (size_t)head_size), s = o + rows * padded;
    size_t max = s + rows * ATTENTION_BLOCK, sum = max + round_floats(rows),
           panels = sum + round_floats(rows);
    if (b != NULL) {
        *b = (attention_buffers){scratch + q,   scratch + o,   scratch + s,
                                 scratch + max, scratch + sum, scratch + panels};
    }
    return panels + ATTENTION_BLOCK * padded;
}

size_t attention_scratch_bytes(int32_t heads, int32_t heads_kv, int32_t head_size)
{
    return lay_out(NULL, NULL, heads / heads_kv, head_size) * sizeof(float);
}

static void load_queries(const attention_tile *t, const attention_buffers *b)
{
    const attention_call *call = t->call;
    float factor = call->soft_cap > 0 ? call->scale : call->scale * log2_e;
    int32_t size = call->head_size, row = 0;
    for (int32_t token = t->token_begin; token < t->token_end; token++) {
        const float *q = call->q + token * call->q_stride + (int64_t)t->head_kv * t->group * size;
        for (int32_t i = 0; i < t->group * size; i++) { /* the heads of a group are neighbours */
            b->q[(int64_t)row * size + i] = q[i] * factor;
        }
        row += t->group;
    }
    memset(b->o, 0, (size_t)row * (size_t)kv_padded(size) * sizeof(float));
    for (int32_t r = 0; r < row; r++) {
        b->max[r] = -1e30f; /* finite, so that a row that sees nothing in a block stays a number */
        b->sum[r] = 0;
    }
}

/* Scores of columns [0, panels * 16), that is positions from `position` on, that a row must not see become
 * -infinity. */
static void mask_scores(const attention_tile *t, float *s, int32_t position, int columns)
{
    const attention_call *call = t->call;
    if (position >= t->begin && position + columns <= t->end &&
        position >= visible_begin(call, t->token_end - 1) &&
        position + columns <= call->positions[t->token_begin] + 1) {
        return;
    }
    for (int32_t token = t->token_begin; token < t->token_end; token++) {
        int32_t begin = visible_begin(call, token), end = call->positions[token] + 1;
        begin = (begin > t->begin ? begin : t->begin) - position;
        end = (end < t->end ? end : t->end) - position;
        for (int32_t g = 0; g < t->group; g++, s += ATTENTION_BLOCK) {
            for (int32_t j = 0; j < begin && j < columns; j++) {
                s[j] = -INFINITY;
            }
            for (int32_t j = end > 0 ? end : 0; j < columns; j++) {
                s[j] = -INFINITY;
            }
        }
    }
}

static void cap_scores(const attention_tile *t, const attention_buffers *b, int rows, int columns)
{
    const cpu_ops *ops = cpu_ops_for(t->call->isa);
    for (int r = 0; r < rows; r++) {
        ops->soft_cap(b->s + r * ATTENTION_BLOCK, t->call->soft_cap, columns);
        ops->scale(b->s + r * ATTENTION_BLOCK, log2_e, columns);
    }
}

/* Where the kernels find `panels` panels of keys or values: in the cache, or unpacked. */
typedef struct attention_source {
    const attention_format *format;
    const void *panels;
    size_t panel_bytes;
    size_t ahead; /* to the panels of the next block */
} attention_source;

static attention_source find_panels(const attention_tile *t, const attention_buffers *b, bool is_key,
                                    int32_t position, int rows, int panels)
{
    const attention_call *call = t->call;
    const kv_cache *cache = call->caches[t->token_begin];
    const kv_shape *shape = kv_get_shape(cache);
    smidgen_kv_type type = is_key ? shape->key_type : shape->value_type;
    const attention_format *format = &t->kernels->formats[type];
    const uint8_t *head = is_key ? kv_key_panels(cache, call->layer, t->head_kv)
                                 : kv_value_panels(cache, call->layer, t->head_kv);
    size_t panel_bytes = kv_panel_bytes(type, call->head_size);
    const uint8_t *from = head + (size_t)(position / KV_PANEL) * panel_bytes;
    if (rows <= ROWS_DIRECT || format->unpack_key == NULL) {
        bool is_last = position + ATTENTION_BLOCK >= t->end;
        return (attention_source){format, from, panel_bytes,
                                  is_last ? 0 : ATTENTION_BLOCK / KV_PANEL * panel_bytes};
    }
    (is_key ? format->unpack_key : format->unpack_value)(from, panel_bytes, panels, b->panels,
                                                         call->head_size);
    return (attention_source){&t->kernels->formats[SMIDGEN_KV_F32], b->panels,
                              kv_panel_bytes(SMIDGEN_KV_F32, call->head_size), 0};
}

/* A block of positions as one tile of rows meets it. */
typedef struct attention_block {
    int32_t position; /* of its first panel */
    int begin, end;   /* visible positions, counted from there */
    int panels,
        whole; /* panels, and those that every row sees from their first position on; then the triangle */
    int rows;
} attention_block;

static attention_block find_block(const attention_tile *t, int32_t position)
{
    attention_block k = {.position = position, .rows = (t->token_end - t->token_begin) * t->group};
    k.begin = t->begin > position ? t->begin - position : 0;
    k.end = t->end - position < ATTENTION_BLOCK ? t->end - position : ATTENTION_BLOCK;
    k.panels = k.whole = (k.end + KV_PANEL - 1) / KV_PANEL;
    int32_t last_seen = t->call->positions[t->token_begin] - position; /* by the first row */
    if (k.rows > ROWS_DIRECT && last_seen < (k.panels - 1) * KV_PANEL) {
        k.whole = last_seen < 0 ? 0 : last_seen / KV_PANEL + 1;
    }
    return k;
}

/* The first row that sees a position of panel `panel`: rows stand in the order of their positions. */
static int first_row(const attention_tile *t, const attention_block *k, int panel)
{
    int32_t tokens = k->position + panel * KV_PANEL - t->call->positions[t->token_begin];
    return panel < k->whole || tokens < 0 ? 0 : tokens * t->group;
}

static void score_block(const attention_tile *t, const attention_buffers *b, const attention_block *k)
{
    const int32_t size = t->call->head_size;
    const attention_source keys = find_panels(t, b, true, k->position, k->rows, k->panels);
    for (int panel = 0, count; panel < k->panels; panel += count) {
        const uint8_t *panels = (const uint8_t *)keys.panels + (size_t)panel * keys.panel_bytes;
        const int row = first_row(t, k, panel);
        count = panel < k->whole ? k->whole : 1;
        keys.format->scores(b->q + (int64_t)row * size, size, k->rows - row, panels, keys.panel_bytes, count,
                            keys.ahead, b->s + row * ATTENTION_BLOCK + panel * KV_PANEL, ATTENTION_BLOCK,
                            size);
    }
}

static void add_values(const attention_tile *t, const attention_buffers *b, const attention_block *k)
{
    const int32_t size = t->call->head_size, padded = kv_padded(size);
    const attention_source values = find_panels(t, b, false, k->position, k->rows, k->panels);
    for (int panel = 0, count; panel < k->panels; panel += count) {
        const int row = first_row(t, k, panel);
        count = panel < k->whole ? k->whole : 1;
        int begin = panel * KV_PANEL, end = begin + count * KV_PANEL;
        begin = begin > k->begin ? begin : k->begin; /* slots outside [begin, end) may hold anything */
        end = end < k->end ? end : k->end;
        values.format->values(b->s + row * ATTENTION_BLOCK, ATTENTION_BLOCK, k->rows - row, values.panels,
                              values.panel_bytes, begin, end, values.ahead, b->o + (int64_t)row * padded,
                              padded, size);
    }
}

static void run_block(const attention_tile *t, const attention_buffers *b, int32_t position)
{
    const int32_t padded = kv_padded(t->call->head_size);
    const attention_block k = find_block(t, position);
    const int columns = k.panels * KV_PANEL;
    score_block(t, b, &k);
    if (t->call->soft_cap > 0) {
        cap_scores(t, b, k.rows, columns);
    }
    mask_scores(t, b->s, position, columns);
    t->kernels->softmax(b->s, ATTENTION_BLOCK, k.rows, columns, b->max, b->sum, b->o, padded, padded);
    add_values(t, b, &k);
}

static void run_tile(const attention_tile *t, const attention_buffers *b)
{
    load_queries(t, b);
    for (int32_t p = t->begin / KV_PANEL * KV_PANEL; p < t->end; p += ATTENTION_BLOCK) {
        run_block(t, b, p);
    }
}

static float *partial_at(void *partials, const attention_call *call, int32_t splits, int64_t token,
                         int32_t head, int32_t split)
{
    int64_t slot = (token * call->heads + head) * splits + split;
    return (float *)partials + (size_t)slot * partial_floats(call->head_size);
}

static void store_tile(const attention_tile *t, const attention_buffers *b, int32_t splits, void *partials)
{
    const attention_call *call = t->call;
    const int32_t size = call->head_size, padded = kv_padded(size);
    int row = 0;
    for (int32_t token = t->token_begin; token < t->token_end; token++) {
        for (int32_t g = 0; g < t->group; g++, row++) {
            int32_t head = t->head_kv * t->group + g;
            const float *o = b->o + (int64_t)row * padded;
            if (splits > 1) {
                float *partial = partial_at(partials, call, splits, token, head, t->split);
                memcpy(partial, o, (size_t)padded * sizeof(float));
                partial[padded] = b->max[row];
                partial[padded + 1] = b->sum[row];
                continue;
            }
            float *out = call->out + token * call->out_stride + (int64_t)head * size;
            float factor = 1.0f / b->sum[row];
            for (int32_t i = 0; i < size; i++) {
                out[i] = o[i] * factor;
            }
        }
    }
}

/* Piece `split` of `splits` of the positions that tokens [token_begin, token_end) see, cut at panels. */
static void choose_range(attention_tile *t, int32_t splits)
{
    int32_t begin = visible_begin(t->call, t->token_begin), end = t->call->positions[t->token_end - 1] + 1;
    int64_t first = begin / KV_PANEL, panels = (end + KV_PANEL - 1) / KV_PANEL - first;
    int64_t from = (first + panels * t->split / splits) * KV_PANEL;
    int64_t to = (first + panels * (t->split + 1) / splits) * KV_PANEL;
    t->begin = from > begin ? (int32_t)from : begin;
    t->end = to < end ? (int32_t)to : end;
}

void attention_run(const attention_call *call, int threads, void *partials, int64_t item_begin,
                   int64_t item_end, void *scratch)
{
    attention_plan plan = make_plan(call, threads);
    attention_buffers buffers;
    lay_out(&buffers, scratch, plan.group, call->head_size);
    int64_t items_of_tile = (int64_t)call->heads_kv * plan.splits, item = 0;
    for (int32_t begin = 0, end; begin < call->tokens && item < item_end;
         begin = end, item += items_of_tile) {
        end = tile_end(call, plan.tile_tokens, begin);
        for (int64_t i = 0; i < items_of_tile; i++) {
            if (item + i < item_begin || item + i >= item_end) {
                continue;
            }
            attention_tile tile = {
                call,       attention_kernels_for(call->isa), begin, end, (int32_t)(i / plan.splits),
                plan.group, (int32_t)(i % plan.splits),       0,     0};
            choose_range(&tile, plan.splits);
            run_tile(&tile, &buffers);
            store_tile(&tile, &buffers, plan.splits, partials);
        }
    }
}

void attention_merge(const attention_call *call, int threads, const void *partials, int64_t item_begin,
                     int64_t item_end)
{
    const int32_t splits = make_plan(call, threads).splits, size = call->head_size, padded = kv_padded(size);
    for (int64_t item = item_begin; item < item_end; item++) {
        int64_t token = item / call->heads;
        int32_t head = (int32_t)(item % call->heads);
        float *out = call->out + token * call->out_stride + (int64_t)head * size;
        const float *first = partial_at((void *)partials, call, splits, token, head, 0);
        float max = first[padded], sum = 0;
        for (int32_t k = 1; k < splits; k++) {
            float other = first[(size_t)k * partial_floats(size) + (size_t)padded];
            max = other > max ? other : max;
        }
        memset(out, 0, (size_t)size * sizeof(float));
        for (int32_t k = 0; k < splits; k++) {
            const float *partial = first + (size_t)k * partial_floats(size);
            float weight = exp2f(partial[padded] - max);
            sum += partial[padded + 1] * weight;
            for (int32_t i = 0; i < size; i++) {
                out[i] += partial[i] * weight;
            }
        }
        for (int32_t i = 0; i < size; i++) {
            out[i] /= sum;
        }
    }
}
