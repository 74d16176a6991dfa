/* Owns the matrices: creation, sizes, and the walk over rows and panels that feeds the kernels.
 * Refuses integer types, columns that do not fill whole blocks, and sizes that wrap. */
#include "cpu/linear_layout.h"

#include "base/error.h"

#include <string.h>

/* Powers of two that quant_split.scale may carry over the stored f16; packing divides them out again,
 * exactly. */
static float scale_unit(element_type type)
{
    switch (type) {
    case ELEMENT_IQ2_XXS:
    case ELEMENT_IQ2_XS:
    case ELEMENT_IQ2_S:
        return 0.125f;
    case ELEMENT_IQ3_XXS:
        return 0.25f;
    default:
        return 1;
    }
}

static size_t round_up_64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Fills the sizes; false when they wrap. columns * 4 bytes * 16 rows bounds every panel. */
static bool plan_sizes(linear_weights *w)
{
    if ((uint64_t)w->columns > SIZE_MAX / 128 || (uint64_t)w->rows > INT64_MAX - LINEAR_PANEL_ROWS) {
        return false;
    }
    size_t columns = (size_t)w->columns;
    w->panels = (w->rows + LINEAR_PANEL_ROWS - 1) / LINEAR_PANEL_ROWS;
    if (w->format == NULL) {
        size_t size = (size_t)element_find((uint32_t)w->stored_type)->block_bytes;
        w->panel_bytes = round_up_64(columns * LINEAR_PANEL_ROWS * size);
    } else {
        w->blocks = w->columns / LINEAR_BLOCK;
        w->meta_offset = columns / LINEAR_BLOCK * w->layout->code_bytes;
        size_t metas = columns / (w->layout->superblock ? LINEAR_SUPERBLOCK : LINEAR_BLOCK);
        w->panel_bytes = round_up_64(w->meta_offset + metas * w->layout->meta_bytes);
    }
    if ((uint64_t)w->panels > (SIZE_MAX - 64) / w->panel_bytes) {
        return false;
    }
    w->packed_bytes = (size_t)w->panels * w->panel_bytes;
    return true;
}

linear_weights *linear_create(element_type type, int64_t rows, int64_t columns, smidgen_precision precision,
                              cpu_isa isa, const smidgen_allocator *allocator, smidgen_error *error)
{
    const char *name = element_name((uint32_t)type);
    const quant_format *format = quant_find(type);
    linear_weights plan = {.allocator = *allocator,
                           .rows = rows,
                           .columns = columns,
                           .format = format,
                           .kernels = linear_kernels_for(isa),
                           .unit = scale_unit(type),
                           .type = type,
                           .stored_type = type == ELEMENT_F64 ? ELEMENT_F32 : type,
                           .precision = precision};
    if (format == NULL && !element_is_float(type)) {
        error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TYPE, "a matrix cannot have the type %s", name);
        return NULL;
    }
    if (rows <= 0 || columns <= 0 || !element_bytes(type, (uint64_t)columns, &plan.row_bytes)) {
        error_set(error, SMIDGEN_ERROR_WRONG_SHAPE,
                  "a matrix of %lld x %lld does not fill whole blocks of %s", (long long)rows,
                  (long long)columns, name);
        return NULL;
    }
    if (format != NULL) {
        plan.layout = linear_layout_find(format);
        if (plan.layout == NULL) {
            error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TYPE, "no packed layout holds the type %s", name);
            return NULL;
        }
        if (format->values != NULL) {
            memcpy(plan.values, format->values, sizeof plan.values);
        }
    }
    bool fits = plan_sizes(&plan);
    linear_weights *w = fits ? memory_allocate(allocator, sizeof *w) : NULL;
    plan.packed = w == NULL ? NULL : memory_allocate(allocator, plan.packed_bytes);
    if (plan.packed == NULL) {
        memory_release(allocator, w, sizeof *w);
        error_set_memory(error, "a matrix", fits ? plan.packed_bytes : UINT64_MAX);
        return NULL;
    }
    *w = plan;
    return w;
}

void linear_close(linear_weights *w)
{
    if (w != NULL) {
        smidgen_allocator allocator = w->allocator;
        memory_release(&allocator, w->packed, w->packed_bytes);
        memory_release(&allocator, w, sizeof *w);
    }
}

uint64_t linear_bytes(const linear_weights *w)
{
    return sizeof *w + w->packed_bytes;
}

int64_t linear_rows(const linear_weights *w)
{
    return w->rows;
}

int64_t linear_columns(const linear_weights *w)
{
    return w->columns;
}

element_type linear_type(const linear_weights *w)
{
    return w->type;
}

int64_t linear_items(const linear_weights *w)
{
    return w->panels;
}

size_t linear_scratch_bytes(const linear_weights *w)
{
    (void)w;
    return LINEAR_SCRATCH_BYTES;
}

/* A tile of y: rows [row, row + ...) of the input against panels [begin, end). */
typedef struct run {
    const linear_weights *w;
    const linear_input *in;
    const float *bias;
    float *y;
    int64_t y_stride, begin, end;
    float *sums; /* [LINEAR_MANY][16] */
    void *unpacked;
} run;

/* y[row] = sums + (extra) + bias, of the rows of the matrix that exist. */
static void store_row(const run *r, int64_t panel, int64_t row, const float *sums, const float *extra)
{
    int64_t first = panel * LINEAR_PANEL_ROWS, left = r->w->rows - first;
    int64_t count = left < LINEAR_PANEL_ROWS ? left : LINEAR_PANEL_ROWS;
    float *y = r->y + row * r->y_stride + first;
    for (int64_t i = 0; i < count; i++) {
        float sum = extra == NULL ? sums[i] : sums[i] + extra[i];
        y[i] = r->bias == NULL ? sum : sum + r->bias[first + i];
    }
}

static void run_float(const run *r)
{
    const linear_weights *w = r->w;
    size_t size = (size_t)element_find((uint32_t)w->stored_type)->block_bytes;
    for (int64_t row = 0; row < r->in->rows; row += LINEAR_MANY) {
        int count = r->in->rows - row < LINEAR_MANY ? (int)(r->in->rows - row) : LINEAR_MANY;
        for (int64_t panel = r->begin; panel < r->end; panel++) {
            const float *x[LINEAR_MANY];
            memset(r->sums, 0, LINEAR_SUMS_BYTES);
            for (int64_t k = 0; k < w->columns; k += LINEAR_FLOAT_CHUNK) {
                int64_t left = w->columns - k;
                int64_t inputs = left < LINEAR_FLOAT_CHUNK ? left : LINEAR_FLOAT_CHUNK;
                const float *weights = r->unpacked;
                if (w->format != NULL) {
                    linear_panel p = linear_panel_of(w, panel);
                    w->kernels->expand(&p, k / LINEAR_BLOCK, inputs / LINEAR_BLOCK, r->unpacked);
                } else {
                    const uint8_t *at = w->packed + (size_t)panel * w->panel_bytes + (size_t)k * 16 * size;
                    if (w->stored_type == ELEMENT_F32) {
                        weights = (const float *)(const void *)at;
                    } else {
                        w->kernels->widen(w->stored_type, at, r->unpacked, inputs * LINEAR_PANEL_ROWS);
                    }
                }
                for (int i = 0; i < count; i++) {
                    x[i] = r->in->x + (row + i) * r->in->stride + k;
                }
                w->kernels->float_tile(weights, x, inputs, count, r->sums);
            }
            for (int i = 0; i < count; i++) {
                store_row(r, panel, row + i, r->sums + (size_t)i * LINEAR_PANEL_ROWS, NULL);
            }
        }
    }
}

/* Rows at a time, so that their blocks stay in the second cache while the panels pass by. */
static int rows_at_once(int64_t blocks)
{
    int64_t bytes = blocks * (int64_t)sizeof(linear_block), rows = 384 * 1024 / bytes;
    return rows >= LINEAR_MANY ? LINEAR_MANY : rows < 8 ? 8 : (int)(rows & ~(int64_t)3);
}

static void run_quantised(const run *r)
{
    const linear_weights *w = r->w;
    int most = rows_at_once(w->blocks);
    for (int64_t row = 0, next; row < r->in->rows; row = next) {
        const linear_block *rows[LINEAR_MANY];
        int64_t owner[LINEAR_MANY];
        int count = 0;
        for (next = row; next < r->in->rows; next++) { /* an outlier row is followed by its remainder */
            const linear_block *remainder = linear_input_remainder(r->in, next);
            if (count + 1 + (remainder != NULL) > most) {
                break;
            }
            owner[count] = next;
            rows[count++] = linear_input_blocks(r->in, next);
            if (remainder != NULL) {
                owner[count] = next;
                rows[count++] = remainder;
            }
        }
        for (int64_t panel = r->begin; panel < r->end; panel++) {
            linear_panel p = linear_panel_of(w, panel);
            for (int i = 0; count > LINEAR_FEW && i < count; i++) { /* y comes while the sums are made */
                __builtin_prefetch(r->y + owner[i] * r->y_stride + panel * LINEAR_PANEL_ROWS, 1);
            }
            if (count <= LINEAR_FEW) {
                w->kernels->few(&p, rows, count, r->sums);
            } else {
                w->kernels->many(&p, rows, count, r->sums, r->unpacked);
            }
            for (int i = 0; i < count; i++) {
                bool pair = i + 1 < count && owner[i + 1] == owner[i];
                const float *sums = r->sums + (size_t)i * LINEAR_PANEL_ROWS;
                store_row(r, panel, owner[i], sums, pair ? sums + LINEAR_PANEL_ROWS : NULL);
                i += pair;
            }
        }
    }
}

void linear_run(const linear_weights *w, const linear_input *in, const float *bias, float *y,
                int64_t y_stride, int64_t item_begin, int64_t item_end, void *scratch)
{
    run r = {w, in, bias, y, y_stride, item_begin, item_end, scratch, (uint8_t *)scratch + LINEAR_SUMS_BYTES};
    if (w->format == NULL || w->precision == SMIDGEN_PRECISION_EXACT) {
        run_float(&r);
    } else {
        run_quantised(&r);
    }
}
