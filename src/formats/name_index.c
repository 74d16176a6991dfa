/* Owns the hash table of names. Refuses names that crowd on one place of the table. */
#include "formats/name_index.h"

#include <string.h>

#include "base/hash.h"

/* Half-full tables of honest names stay below 100 probes even with millions of names. */
enum { NAME_PROBES = 256 };

struct name_slot {
    const char *name; /* NULL: free */
    uint32_t name_bytes, hash, number;
};

bool name_index_make(name_index *n, arena *a, uint64_t count)
{
    *n = (name_index){0};
    if (count > (1u << 30)) {
        return false;
    }
    uint32_t capacity = 16;
    while (capacity < 2 * count) {
        capacity *= 2;
    }
    n->slots = arena_array(a, capacity, sizeof *n->slots);
    n->capacity = n->slots == NULL ? 0 : capacity;
    return n->slots != NULL;
}

/* The slot that holds the name, or the free one where it belongs, or NULL after too many probes. */
static struct name_slot *find_slot(const name_index *n, const char *name, size_t name_bytes, uint32_t hash)
{
    for (uint32_t probe = 0; probe < NAME_PROBES && probe < n->capacity; probe++) {
        struct name_slot *slot = &n->slots[(hash + probe) & (n->capacity - 1)];
        if (slot->name == NULL) {
            return slot;
        }
        if (slot->hash == hash && slot->name_bytes == name_bytes &&
            memcmp(slot->name, name, name_bytes) == 0) {
            return slot;
        }
    }
    return NULL;
}

name_added name_index_add(name_index *n, const char *name, size_t name_bytes, uint32_t number)
{
    uint32_t hash = (uint32_t)hash_bytes(name, name_bytes);
    struct name_slot *slot = find_slot(n, name, name_bytes, hash);
    if (slot == NULL) {
        return NAME_CROWDED;
    }
    if (slot->name != NULL) {
        return NAME_DUPLICATE;
    }
    *slot = (struct name_slot){name, (uint32_t)name_bytes, hash, number};
    return NAME_ADDED;
}

bool name_index_find(const name_index *n, const char *name, size_t name_bytes, uint32_t *number)
{
    const struct name_slot *slot = find_slot(n, name, name_bytes, (uint32_t)hash_bytes(name, name_bytes));
    if (slot == NULL || slot->name == NULL) {
        return false;
    }
    *number = slot->number;
    return true;
}

name_text name_printable(const char *name, size_t name_bytes)
{
    name_text t = {{0}};
    size_t kept = name_bytes <= 60 ? name_bytes : 57;
    for (size_t i = 0; i < kept; i++) {
        t.text[i] = name[i] >= 0x20 && name[i] < 0x7F ? name[i] : '?';
    }
    if (kept < name_bytes) {
        memcpy(t.text + kept, "...", 4);
    }
    return t;
}
