/* Owns the way from stored blocks to panels and back: packing, single codes, the decoding of one row. Loses
 * no bit. */
#include "cpu/linear_layout.h"

#include "tensor/half.h"

#include <string.h>

static const linear_layout layouts[] = {
#define LINEAR_LAYOUT_INFO(name, code, superblock, halves, zero, minimum)                                    \
    {LINEAR_LAYOUT_##name,                                                                                   \
     code,                                                                                                   \
     superblock,                                                                                             \
     halves,                                                                                                 \
     zero,                                                                                                   \
     minimum,                                                                                                \
     LINEAR_CODE_BYTES(code),                                                                                \
     LINEAR_META_BYTES(superblock, halves, minimum)},
    LINEAR_LAYOUT_TABLE(LINEAR_LAYOUT_INFO)
#undef LINEAR_LAYOUT_INFO
};

static linear_code code_of(const quant_format *format)
{
    static const linear_code codes[9] = {[2] = LINEAR_CODE_2, [3] = LINEAR_CODE_3, [4] = LINEAR_CODE_4,
                                         [5] = LINEAR_CODE_5, [6] = LINEAR_CODE_6, [8] = LINEAR_CODE_8};
    return format->values != NULL ? LINEAR_CODE_TABLE : codes[format->code_bits];
}

const linear_layout *linear_layout_find(const quant_format *format)
{
    int superblock = element_find((uint32_t)format->type)->block_weights == LINEAR_SUPERBLOCK;
    int halves = format->subblock_weights == 16 ? 2 : 1;
    linear_code code = code_of(format);
    for (size_t i = 0; i < LINEAR_LAYOUT_COUNT; i++) {
        const linear_layout *l = &layouts[i];
        int zero = code == LINEAR_CODE_8 ? 0 : format->zero; /* bytes are stored with the zero subtracted */
        if (l->code == code && l->superblock == superblock && l->halves == halves && l->zero == zero &&
            l->minimum == (int)format->has_minimum) {
            return l;
        }
    }
    return NULL;
}

linear_panel linear_panel_of(const linear_weights *w, int64_t panel)
{
    const uint8_t *at = w->packed + (size_t)panel * w->panel_bytes;
    return (linear_panel){w->layout, at,      at + w->meta_offset,     w->blocks,
                          w->values, w->unit, w->type == ELEMENT_MXFP4};
}

/* The nibble, bit pair or bit of group g = k / 4 in its plane; see README.md. */
static int nibble_at(const uint8_t *plane, int row, int k)
{
    int g = k / 4;
    return plane[(g & 3) * 64 + row * 4 + (k & 3)] >> (g & 4) & 15;
}

static int pair_at(const uint8_t *plane, int row, int k)
{
    int g = k / 4;
    return plane[(g & 1) * 64 + row * 4 + (k & 3)] >> (g & 6) & 3;
}

static int bit_at(const uint8_t *plane, int row, int k)
{
    return plane[row * 4 + (k & 3)] >> (k / 4) & 1;
}

int linear_code_at(const linear_layout *layout, const uint8_t *block, int row, int k)
{
    switch (layout->code) {
    case LINEAR_CODE_2:
        return pair_at(block, row, k);
    case LINEAR_CODE_3:
        return pair_at(block, row, k) | bit_at(block + 128, row, k) << 2;
    case LINEAR_CODE_5:
        return nibble_at(block, row, k) | bit_at(block + 256, row, k) << 4;
    case LINEAR_CODE_6:
        return nibble_at(block, row, k) | pair_at(block + 256, row, k) << 4;
    case LINEAR_CODE_8:
        return (int8_t)block[k / 4 * 64 + row * 4 + (k & 3)];
    default:
        return nibble_at(block, row, k);
    }
}

int linear_value_at(const linear_panel *panel, const uint8_t *block, int row, int k)
{
    int code = linear_code_at(panel->layout, block, row, k);
    return panel->layout->code == LINEAR_CODE_TABLE ? panel->values[code] : code - panel->layout->zero;
}

/* Superblock by superblock over the rows, so that the lines of the panel are filled while they are in the
 * cache. */
static void pack_quantised(linear_weights *w, uint8_t *panel, const uint8_t *stored, int rows)
{
    const element_info *info = element_find((uint32_t)w->type);
    int64_t count = w->columns / info->block_weights;
    if (rows < LINEAR_PANEL_ROWS) {
        memset(panel, 0, w->panel_bytes);
    }
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *at = stored + (size_t)i * (size_t)info->block_bytes;
        for (int row = 0; row < rows; row++) {
            linear_place_block(w, panel, row, i, at + (size_t)row * w->row_bytes);
        }
    }
}

/* out[columns][16] = in[16][columns], elements of 2 or 4 bytes; rows that do not exist become zeros. */
static void pack_float(linear_weights *w, uint8_t *panel, const uint8_t *stored, int rows)
{
    size_t size = (size_t)element_find((uint32_t)w->stored_type)->block_bytes;
    memset(panel, 0, rows < LINEAR_PANEL_ROWS ? w->panel_bytes : 0);
    for (int64_t k = 0; k < w->columns; k += 32) { /* tiles that fit the first cache */
        int64_t end = k + 32 < w->columns ? k + 32 : w->columns;
        for (int row = 0; row < rows; row++) {
            const uint8_t *in = stored + (size_t)row * w->row_bytes;
            uint8_t *out = panel + (size_t)row * size;
            for (int64_t i = k; i < end; i++) {
                if (w->type == ELEMENT_F64) {
                    float value;
                    quant_decode(w->type, in + i * 8, &value, 1);
                    memcpy(out + i * 64, &value, sizeof value);
                } else if (size == 2) {
                    memcpy(out + i * 32, in + i * 2, 2);
                } else {
                    memcpy(out + i * 64, in + i * 4, 4);
                }
            }
        }
    }
}

void linear_pack(linear_weights *w, const void *stored, int64_t row_begin, int64_t row_count)
{
    const uint8_t *in = stored;
    for (int64_t done = 0; done < row_count; done += LINEAR_PANEL_ROWS) {
        int64_t left = row_count - done;
        int rows = left < LINEAR_PANEL_ROWS ? (int)left : LINEAR_PANEL_ROWS;
        uint8_t *panel = w->packed + (size_t)((row_begin + done) / LINEAR_PANEL_ROWS) * w->panel_bytes;
        if (w->format == NULL) {
            pack_float(w, panel, in, rows);
        } else {
            pack_quantised(w, panel, in, rows);
        }
        in += (size_t)rows * w->row_bytes;
    }
}

static float float_at(const linear_panel *panel, uint16_t stored)
{
    return panel->scale_bf16 ? half_from_bf16(stored) : half_to_float(stored) * panel->unit;
}

/* Row `row` of one block: the arithmetic of quant.h. */
void linear_decode_block(const linear_panel *panel, int64_t b, int row, float *out)
{
    const linear_layout *layout = panel->layout;
    int64_t index = layout->superblock ? b / 8 : b;
    linear_meta meta = linear_meta_at(layout, panel->meta + (size_t)index * layout->meta_bytes);
    const uint8_t *block = panel->codes + (size_t)b * layout->code_bytes;
    float scale = float_at(panel, meta.scale[row]);
    float minimum = meta.minimum == NULL ? 0 : half_to_float(meta.minimum[row]);
    for (int k = 0; k < LINEAR_BLOCK; k++) {
        int sub = (int)(b & 7) * layout->halves + k * layout->halves / LINEAR_BLOCK;
        float d = scale, m = minimum;
        if (layout->superblock) {
            d *= (float)meta.subscale[sub * LINEAR_PANEL_ROWS + row];
            m *= meta.subminimum == NULL ? 0.0f : (float)meta.subminimum[sub * LINEAR_PANEL_ROWS + row];
        }
        float product = d * (float)linear_value_at(panel, block, row, k);
        out[k] = layout->minimum ? product - m : product;
    }
}

void linear_decode_row(const linear_weights *w, int64_t row, float *out)
{
    int lane = (int)(row % LINEAR_PANEL_ROWS);
    if (w->format == NULL) {
        size_t size = (size_t)element_find((uint32_t)w->stored_type)->block_bytes;
        const uint8_t *at =
            w->packed + (size_t)(row / LINEAR_PANEL_ROWS) * w->panel_bytes + (size_t)lane * size;
        for (int64_t k = 0; k < w->columns; k++) {
            w->kernels->widen(w->stored_type, at + (size_t)k * LINEAR_PANEL_ROWS * size, out + k, 1);
        }
        return;
    }
    linear_panel panel = linear_panel_of(w, row / LINEAR_PANEL_ROWS);
    for (int64_t b = 0; b < w->blocks; b++) {
        linear_decode_block(&panel, b, lane, out + b * LINEAR_BLOCK);
    }
}
