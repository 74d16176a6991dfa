/* A hash table from names to numbers, filled once; used for keys, tensors and files. */
#ifndef FORMATS_NAME_INDEX_H
#define FORMATS_NAME_INDEX_H

#include "base/arena.h"

typedef struct name_index {
    struct name_slot *slots; /* [capacity] */
    uint32_t capacity;       /* power of two, at least twice the number of names */
} name_index;

typedef enum name_added {
    NAME_ADDED,
    NAME_DUPLICATE,
    NAME_CROWDED, /* too many names with one hash: only a file made for that has them, and it would cost
                     quadratic time */
} name_added;

/* Room for `count` names; false when there is no memory or count is past 2^30. */
bool name_index_make(name_index *n, arena *a, uint64_t count);
/* name must stay valid as long as the index. Never more than the `count` names of name_index_make. */
name_added name_index_add(name_index *n, const char *name, size_t name_bytes, uint32_t number);
bool name_index_find(const name_index *n, const char *name, size_t name_bytes, uint32_t *number);

/* A name from a file as text that is safe to print: at most 60 bytes, anything but printable ASCII as '?'. */
typedef struct name_text {
    char text[64];
} name_text;
name_text name_printable(const char *name, size_t name_bytes);

#endif
