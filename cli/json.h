/* JSON for the command line tool: a writer onto `text`, and a reader for catalogues and reports. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "text.h"

/* Writes one value; the caller opens and closes. key is NULL inside arrays. */
typedef struct json_writer {
    text *out;
    bool comma;
} json_writer;

json_writer json_write_begin(text *out);
void json_write_open(json_writer *w, const char *key, char bracket);
void json_write_close(json_writer *w, char bracket);
/* Bytes that are not UTF-8 become U+FFFD. NULL gives null. */
void json_write_text(json_writer *w, const char *key, const char *terminated);
void json_write_bytes(json_writer *w, const char *key, const char *bytes, size_t size);
void json_write_integer(json_writer *w, const char *key, long long value);
void json_write_number(json_writer *w, const char *key, double value);
void json_write_bool(json_writer *w, const char *key, bool value);
/* JSON text as it is. */
void json_write_raw(json_writer *w, const char *key, const char *json, size_t size);

typedef enum node_kind { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_ARRAY, NODE_OBJECT } node_kind;

/* A parsed value. Members and elements of a container follow it: first child at index + 1, next sibling at
 * `next`. */
typedef struct node {
    node_kind kind;
    const char *key;  /* of an object's member, terminated; NULL otherwise */
    const char *text; /* strings: unescaped and terminated; numbers: as written */
    double number;    /* numbers; booleans as 0 and 1 */
    size_t count;     /* children */
    size_t next;      /* index of the next sibling */
} node;

typedef struct json_tree {
    node *nodes; /* [node_count], the root first */
    size_t node_count;
    char *memory;
} json_tree;

/* `what` names the text in errors. Not recursive; fails with BAD_FILE and the place. Free with
 * json_tree_free. */
bool json_read(json_tree *tree, const char *bytes, size_t size, const char *what, smidgen_error *error);
void json_tree_free(json_tree *tree);

/* NULL anywhere reads as absent. */
const node *node_get(const json_tree *tree, const node *object, const char *key);
const node *node_first(const json_tree *tree, const node *container);
const node *node_next(const json_tree *tree, const node *container,
                      const node *child); /* NULL after the last */
const char *node_text(const node *n, const char *fallback);
double node_number(const node *n, double fallback);

#endif
