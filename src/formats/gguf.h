/* Reader for GGUF versions 2 and 3 (ggml's docs/gguf.md). Header, metadata and tensor table are read into the
 * arena; tensor data stay in the source. Everything is checked before it is used: counts against the bytes
 * that are left, names unique, types known, dims and offsets without wrap-around, tensors aligned, inside the
 * file, not overlapping. */
#ifndef FORMATS_GGUF_H
#define FORMATS_GGUF_H

#include "formats/source.h"
#include "tensor/element.h"

/* clang-format off */
typedef enum gguf_type {
    GGUF_U8 = 0, GGUF_I8 = 1, GGUF_U16 = 2, GGUF_I16 = 3, GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6,
    GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9, GGUF_U64 = 10, GGUF_I64 = 11, GGUF_F64 = 12,
} gguf_type;
/* clang-format on */

typedef struct gguf_string {
    const char *text; /* not terminated inside arrays; terminated in scalars */
    uint64_t size_bytes;
} gguf_string;

typedef struct gguf_value {
    const char *key; /* terminated */
    gguf_type type;
    gguf_type element; /* of an array; nested arrays are kept only as their count (element GGUF_ARRAY) */
    uint64_t count;    /* of an array */
    const void
        *elements; /* fixed-size ones: packed little-endian, any alignment; strings: gguf_string[count] */
    union {
        uint64_t u64;
        int64_t i64;
        double f64;
        bool boolean;
        gguf_string string;
    } scalar; /* widened: U* and BOOL in u64 too, I* in i64, F* in f64 */
} gguf_value;

typedef struct gguf_tensor {
    const char *name; /* terminated */
    element_type type;
    int32_t rank;
    uint64_t shape[4]; /* outermost first (the file's order reversed): [rows, columns]; unused entries 1 */
    uint64_t offset;   /* from the start of the source */
    uint64_t size_bytes;
} gguf_tensor;

typedef struct gguf_file gguf_file;

/* Reads the header through the source. The source must outlive the file; both live in the arena.
 * Fails with BAD_FILE (naming key or tensor), UNSUPPORTED_FORMAT (version), UNSUPPORTED_TYPE or
 * OUT_OF_MEMORY. Memory taken is bounded by a small multiple of the header's size. */
gguf_file *gguf_open(arena *a, const source *s, smidgen_error *error);

uint32_t gguf_version(const gguf_file *g);
uint64_t gguf_value_count(const gguf_file *g);
const gguf_value *gguf_value_at(const gguf_file *g, uint64_t index);
const gguf_value *gguf_find(const gguf_file *g, const char *key); /* NULL when absent */
uint64_t gguf_tensor_count(const gguf_file *g);
const gguf_tensor *gguf_tensor_at(const gguf_file *g, uint64_t index);
const gguf_tensor *gguf_find_tensor(const gguf_file *g, const char *name);

/* Numbers of any width (booleans too); fallback where absent or not a number. */
int64_t gguf_integer(const gguf_file *g, const char *key, int64_t fallback);
double gguf_number(const gguf_file *g, const char *key, double fallback);
bool gguf_bool(const gguf_file *g, const char *key, bool fallback);
const char *gguf_text(const gguf_file *g, const char *key, const char *fallback);

#endif
