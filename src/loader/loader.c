/* Owns opening a model from ranges of its file that the caller brings, and the order in which pieces are
 * wanted. Refuses ranges outside the file and pieces of the wrong size. Ranges are kept until the loader is
 * closed; the header is walked again after each, which stays linear because the reader doubles what it asks
 * for. */
#include <string.h>

#include "base/error.h"
#include "models/model.h"

typedef struct range_node {
    struct range_node *next;
    uint64_t offset;
    size_t size_bytes;
    uint8_t bytes[];
} range_node;

struct smidgen_loader {
    smidgen_model_options options;
    const smidgen_allocator *allocator;
    uint64_t file_bytes;
    range_node *ranges;
    smidgen_range missed; /* by the last read that failed; size 0: none did */
};

/* Lives in the checkpoint, which may outlive the loader. */
typedef struct range_source {
    source base;
    smidgen_loader *loader; /* NULL once the model is open */
} range_source;

smidgen_loader *smidgen_loader_create(uint64_t file_bytes, const smidgen_model_options *options,
                                      smidgen_error *error)
{
    static const smidgen_model_options defaults = {0};
    options = options != NULL ? options : &defaults;
    if (options->threads < 0) {
        error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "threads is negative");
        return NULL;
    }
    const smidgen_allocator *allocator = options->allocator != NULL ? options->allocator : &memory_system;
    smidgen_loader *l = memory_allocate_zeroed(allocator, sizeof *l);
    if (l == NULL) {
        error_set_memory(error, "the loader", sizeof *l);
        return NULL;
    }
    *l = (smidgen_loader){.options = *options, .allocator = allocator, .file_bytes = file_bytes};
    return l;
}

static size_t node_bytes(size_t size_bytes)
{
    return size_bytes > SIZE_MAX - sizeof(range_node) ? SIZE_MAX : sizeof(range_node) + size_bytes;
}

void smidgen_loader_close(smidgen_loader *l)
{
    if (l == NULL) {
        return;
    }
    for (range_node *node = l->ranges, *next; node != NULL; node = next) {
        next = node->next;
        memory_release(l->allocator, node, node_bytes(node->size_bytes));
    }
    memory_release(l->allocator, l, sizeof *l);
}

bool smidgen_loader_feed(smidgen_loader *l, uint64_t offset, const void *bytes, size_t size_bytes,
                         smidgen_error *error)
{
    if (offset > l->file_bytes || size_bytes > l->file_bytes - offset) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "%zu bytes at %llu are outside a file of %llu bytes", size_bytes,
                         (unsigned long long)offset, (unsigned long long)l->file_bytes);
    }
    if (size_bytes == 0) {
        return true;
    }
    range_node *node = memory_allocate(l->allocator, node_bytes(size_bytes));
    if (node == NULL) {
        return error_set_memory(error, "the model's header", size_bytes);
    }
    *node = (range_node){.next = l->ranges, .offset = offset, .size_bytes = size_bytes};
    memcpy(node->bytes, bytes, size_bytes);
    l->ranges = node;
    return true;
}

/* The range that reaches furthest of those that hold the byte at `offset`. */
static const range_node *find_range(const smidgen_loader *l, uint64_t offset)
{
    const range_node *best = NULL;
    for (const range_node *node = l->ranges; node != NULL; node = node->next) {
        bool holds = node->offset <= offset && offset - node->offset < node->size_bytes;
        if (holds && (best == NULL || node->offset + node->size_bytes > best->offset + best->size_bytes)) {
            best = node;
        }
    }
    return best;
}

static bool read_ranges(const source *s, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error)
{
    smidgen_loader *l = ((const range_source *)s)->loader;
    uint8_t *at = into;
    if (l == NULL) {
        return error_set(error, SMIDGEN_ERROR_INTERNAL, "weights are fed, not read");
    }
    if (offset > l->file_bytes || size_bytes > l->file_bytes - offset) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "%zu bytes at %llu are past the end of the file (%llu bytes)", size_bytes,
                         (unsigned long long)offset, (unsigned long long)l->file_bytes);
    }
    while (size_bytes != 0) {
        const range_node *node = find_range(l, offset);
        if (node == NULL) {
            l->missed = (smidgen_range){offset, size_bytes};
            return error_set(error, SMIDGEN_ERROR_IO, "bytes %llu to %llu have not arrived",
                             (unsigned long long)offset, (unsigned long long)(offset + size_bytes));
        }
        size_t skip = (size_t)(offset - node->offset);
        size_t size = node->size_bytes - skip < size_bytes ? node->size_bytes - skip : size_bytes;
        memcpy(at, node->bytes + skip, size);
        at += size;
        offset += size;
        size_bytes -= size;
    }
    return true;
}

static void close_ranges(source *s)
{
    (void)s;
}

smidgen_model *smidgen_loader_open(smidgen_loader *l, smidgen_range *needed, smidgen_error *error)
{
    smidgen_error cause = {0};
    arena owner;
    *needed = (smidgen_range){0, 0};
    l->missed = *needed;
    arena_init(&owner, l->allocator);
    range_source *s = arena_allocate(&owner, sizeof *s);
    if (s == NULL) {
        error_set_memory(error, "the loader", sizeof *s);
        return NULL;
    }
    *s = (range_source){{l->file_bytes, read_ranges, close_ranges}, l};
    smidgen_model *m = model_open_source(&s->base, &owner, &l->options, &cause);
    if (m != NULL) {
        s->loader = NULL;
    } else if (l->missed.size_bytes != 0) {
        *needed = l->missed;
    } else if (error != NULL) {
        *error = cause;
    }
    return m;
}

int64_t smidgen_model_piece_count(const smidgen_model *m)
{
    return m->weights.piece_count;
}

smidgen_range smidgen_model_piece(const smidgen_model *m, int64_t index)
{
    if (index < 0 || index >= m->weights.piece_count) {
        return (smidgen_range){0, 0};
    }
    const weights_piece *p = &m->weights.pieces[index];
    return (smidgen_range){p->tensor->offset + p->offset, p->size_bytes};
}

bool smidgen_model_feed(smidgen_model *m, int64_t index, const void *bytes, size_t size_bytes,
                        smidgen_error *error)
{
    if (index < 0 || index >= m->weights.piece_count || size_bytes != m->weights.pieces[index].size_bytes) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "%zu bytes are not piece %lld of %lld",
                         size_bytes, (long long)index, (long long)m->weights.piece_count);
    }
    if (!cpu_weights_have_piece(&m->weights, index)) {
        cpu_weights_pack(&m->weights, index, bytes);
    }
    return true;
}

typedef struct piece_list {
    int64_t *pieces; /* [capacity] */
    size_t capacity, count;
} piece_list;

static void list_piece(piece_list *list, const cpu_weights *w, int64_t piece)
{
    if (cpu_weights_have_piece(w, piece)) {
        return;
    }
    if (list->count < list->capacity) {
        list->pieces[list->count] = piece;
    }
    list->count++;
}

/* Whether the piece holds the embedding of one of the ids. */
static bool is_looked_up(const weights_piece *p, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= p->row_begin && ids[i] < p->row_begin + p->row_count) {
            return true;
        }
    }
    return false;
}

int64_t smidgen_model_missing_pieces(const smidgen_model *m, const int32_t *ids, size_t count,
                                     int64_t *pieces, size_t capacity)
{
    const cpu_weights *w = &m->weights;
    graph_weight table = GRAPH_NONE;
    for (int32_t i = 0; i < m->graph.node_count && table == GRAPH_NONE; i++) {
        table = m->graph.nodes[i].op == GRAPH_EMBED ? m->graph.nodes[i].matrix : GRAPH_NONE;
    }
    int64_t first = table == GRAPH_NONE ? 0 : w->first_piece[table];
    int64_t end = table == GRAPH_NONE ? 0 : w->first_piece[table + 1];
    piece_list list = {pieces, capacity, 0};
    for (int64_t i = first; i < end; i++) {
        if (is_looked_up(&w->pieces[i], ids, count)) {
            list_piece(&list, w, i);
        }
    }
    for (int64_t i = 0; i < w->piece_count; i++) {
        if (i < first || i >= end) {
            list_piece(&list, w, i);
        }
    }
    for (int64_t i = first; i < end; i++) {
        if (!is_looked_up(&w->pieces[i], ids, count)) {
            list_piece(&list, w, i);
        }
    }
    return (int64_t)list.count;
}
