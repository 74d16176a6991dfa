/* Owns the tool's JSON. The reader keeps the depth in an array of its own, so that no nesting can harm it. */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_writer json_write_begin(text *out)
{
    json_writer w = {out, false};
    return w;
}

static size_t sequence_bytes(const unsigned char *p, size_t left)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : 0;
    length = p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : length;
    if (length == 0 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

static void put_quoted(text *out, const char *bytes, size_t size)
{
    text_put(out, "\"");
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t length = sequence_bytes((const unsigned char *)bytes + i, size - i);
        if (length == 0) {
            text_put(out, "\xEF\xBF\xBD");
            length = 1;
        } else if (c == '"' || c == '\\') {
            text_print(out, "\\%c", c);
        } else if (c == '\n' || c == '\t') {
            text_put(out, c == '\n' ? "\\n" : "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            text_print(out, "\\u%04x", c);
        } else {
            text_add(out, bytes + i, length);
        }
        i += length;
    }
    text_put(out, "\"");
}

static void begin_value(json_writer *w, const char *key)
{
    if (w->comma) {
        text_put(w->out, ",");
    }
    w->comma = true;
    if (key != NULL) {
        put_quoted(w->out, key, strlen(key));
        text_put(w->out, ":");
    }
}

void json_write_open(json_writer *w, const char *key, char bracket)
{
    begin_value(w, key);
    text_add(w->out, &bracket, 1);
    w->comma = false;
}

void json_write_close(json_writer *w, char bracket)
{
    text_add(w->out, &bracket, 1);
    w->comma = true;
}

void json_write_text(json_writer *w, const char *key, const char *terminated)
{
    if (terminated == NULL) {
        json_write_raw(w, key, "null", 4);
    } else {
        json_write_bytes(w, key, terminated, strlen(terminated));
    }
}

void json_write_bytes(json_writer *w, const char *key, const char *bytes, size_t size)
{
    begin_value(w, key);
    put_quoted(w->out, bytes, size);
}

void json_write_integer(json_writer *w, const char *key, long long value)
{
    begin_value(w, key);
    text_print(w->out, "%lld", value);
}

void json_write_number(json_writer *w, const char *key, double value)
{
    begin_value(w, key);
    if (isfinite(value)) {
        text_print(w->out, "%.9g", value);
    } else {
        text_put(w->out, "null");
    }
}

void json_write_bool(json_writer *w, const char *key, bool value)
{
    begin_value(w, key);
    text_put(w->out, value ? "true" : "false");
}

void json_write_raw(json_writer *w, const char *key, const char *json, size_t size)
{
    begin_value(w, key);
    text_add(w->out, json, size);
}

/* ------------------------------------------------------------------------------------------------- reading
 */

typedef struct json_parser {
    const char *start, *at, *end;
    char *memory; /* unescaped texts; never more bytes than the source has */
    json_tree *tree;
    size_t capacity;
    size_t *open; /* indexes of the containers that are open */
    size_t depth, depth_capacity;
} json_parser;

static void skip_blanks(json_parser *p)
{
    while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL && *p->at != 0) {
        p->at++;
    }
}

static bool read_hex(json_parser *p, unsigned *code)
{
    *code = 0;
    if (p->end - p->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *p->at++;
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0) {
            return false;
        }
        *code = *code * 16 + (unsigned)digit;
    }
    return true;
}

static void put_code(json_parser *p, unsigned c)
{
    if (c < 0x80) {
        *p->memory++ = (char)c;
    } else if (c < 0x800) {
        *p->memory++ = (char)(0xC0 | c >> 6);
        *p->memory++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *p->memory++ = (char)(0xE0 | c >> 12);
        *p->memory++ = (char)(0x80 | (c >> 6 & 63));
        *p->memory++ = (char)(0x80 | (c & 63));
    } else {
        *p->memory++ = (char)(0xF0 | c >> 18);
        *p->memory++ = (char)(0x80 | (c >> 12 & 63));
        *p->memory++ = (char)(0x80 | (c >> 6 & 63));
        *p->memory++ = (char)(0x80 | (c & 63));
    }
}

static bool read_escape(json_parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p->at >= p->end) {
        return false;
    }
    char c = *p->at++;
    const char *found = c != 0 ? strchr(from, c) : NULL;
    if (found != NULL) {
        *p->memory++ = to[found - from];
        return true;
    }
    unsigned code = 0, low = 0;
    if (c != 'u' || !read_hex(p, &code)) {
        return false;
    }
    if (code >= 0xD800 && code < 0xDC00 && p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u') {
        p->at += 2;
        if (!read_hex(p, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    put_code(p, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
}

/* at stands behind the opening quote. */
static const char *read_string(json_parser *p)
{
    const char *begin = p->memory;
    while (p->at < p->end && *p->at != '"') {
        char c = *p->at++;
        if ((unsigned char)c < 0x20) {
            return NULL;
        }
        if (c != '\\') {
            *p->memory++ = c;
        } else if (!read_escape(p)) {
            return NULL;
        }
    }
    if (p->at >= p->end) {
        return NULL;
    }
    p->at++;
    *p->memory++ = 0;
    return begin;
}

static node *add_node(json_parser *p, const char *key)
{
    json_tree *tree = p->tree;
    if (tree->node_count == p->capacity) {
        p->capacity = p->capacity != 0 ? 2 * p->capacity : 256;
        tree->nodes = cli_resize(tree->nodes, p->capacity * sizeof *tree->nodes);
    }
    node *n = &tree->nodes[tree->node_count++];
    memset(n, 0, sizeof *n);
    n->key = key;
    n->next = tree->node_count;
    if (p->depth != 0) {
        tree->nodes[p->open[p->depth - 1]].count++;
    }
    return n;
}

static bool read_scalar(json_parser *p, node *n)
{
    static const char *const words[] = {"null", "false", "true"};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(p->end - p->at) >= size && memcmp(p->at, words[i], size) == 0) {
            p->at += size;
            n->kind = i == 0 ? NODE_NULL : NODE_BOOL;
            n->number = i == 2;
            return true;
        }
    }
    char digits[64];
    size_t size = 0;
    while (p->at < p->end && size + 1 < sizeof digits && *p->at != 0 &&
           strchr("+-.eE0123456789", *p->at) != NULL) {
        digits[size++] = *p->at++;
    }
    digits[size] = 0;
    char *rest = digits;
    n->kind = NODE_NUMBER;
    n->number = strtod(digits, &rest);
    n->text = p->memory;
    memcpy(p->memory, digits, size + 1);
    p->memory += size + 1;
    return size != 0 && *rest == 0;
}

static bool open_container(json_parser *p, node *n, char bracket)
{
    n->kind = bracket == '{' ? NODE_OBJECT : NODE_ARRAY;
    if (p->depth == p->depth_capacity) {
        p->depth_capacity = p->depth_capacity != 0 ? 2 * p->depth_capacity : 32;
        p->open = cli_resize(p->open, p->depth_capacity * sizeof *p->open);
    }
    p->open[p->depth++] = (size_t)(n - p->tree->nodes);
    p->at++;
    return true;
}

/* One value, or the beginning of a container. */
static bool read_value(json_parser *p)
{
    const char *key = NULL;
    bool in_object = p->depth != 0 && p->tree->nodes[p->open[p->depth - 1]].kind == NODE_OBJECT;
    skip_blanks(p);
    if (in_object) {
        if (p->at >= p->end || *p->at++ != '"' || (key = read_string(p)) == NULL) {
            return false;
        }
        skip_blanks(p);
        if (p->at >= p->end || *p->at++ != ':') {
            return false;
        }
        skip_blanks(p);
    }
    if (p->at >= p->end) {
        return false;
    }
    node *n = add_node(p, key);
    if (*p->at == '{' || *p->at == '[') {
        return open_container(p, n, *p->at);
    }
    if (*p->at == '"') {
        p->at++;
        n->kind = NODE_STRING;
        n->text = read_string(p);
        return n->text != NULL;
    }
    return read_scalar(p, n);
}

/* After a value: closes what ends here; *more says whether another value follows. */
static bool read_separator(json_parser *p, bool *more)
{
    *more = false;
    for (;;) {
        skip_blanks(p);
        if (p->depth == 0) {
            return p->at == p->end;
        }
        node *container = &p->tree->nodes[p->open[p->depth - 1]];
        if (p->at >= p->end) {
            return false;
        }
        char c = *p->at;
        if (c == (container->kind == NODE_OBJECT ? '}' : ']')) {
            p->at++;
            container->next = p->tree->node_count;
            p->depth--;
            continue;
        }
        *more = true;
        if (container->count == 0) {
            return true;
        }
        p->at++;
        return c == ',';
    }
}

bool json_read(json_tree *tree, const char *bytes, size_t size, const char *what, smidgen_error *error)
{
    memset(tree, 0, sizeof *tree);
    /* Numbers gain a terminator and take no quotes: twice the source bounds every case. */
    tree->memory = cli_allocate(2 * size + 8);
    json_parser p = {bytes, bytes, bytes + size, tree->memory, tree, 0, NULL, 0, 0};
    bool more = true, fine = true;
    while (fine && more) {
        fine = read_value(&p) && read_separator(&p, &more);
    }
    free(p.open);
    if (!fine) {
        cli_error(error, SMIDGEN_ERROR_BAD_FILE, "Check it with a JSON tool.",
                  "%s is not valid JSON at byte %zu", what, (size_t)(p.at - p.start));
        json_tree_free(tree);
    }
    return fine;
}

void json_tree_free(json_tree *tree)
{
    free(tree->nodes);
    free(tree->memory);
    memset(tree, 0, sizeof *tree);
}

const node *node_first(const json_tree *tree, const node *container)
{
    bool has = container != NULL && container->kind >= NODE_ARRAY && container->count != 0;
    (void)tree;
    return has ? container + 1 : NULL;
}

const node *node_next(const json_tree *tree, const node *container, const node *child)
{
    return child->next < container->next ? &tree->nodes[child->next] : NULL;
}

const node *node_get(const json_tree *tree, const node *object, const char *key)
{
    if (object == NULL || object->kind != NODE_OBJECT) {
        return NULL;
    }
    for (const node *n = node_first(tree, object); n != NULL; n = node_next(tree, object, n)) {
        if (strcmp(n->key, key) == 0) {
            return n;
        }
    }
    return NULL;
}

const char *node_text(const node *n, const char *fallback)
{
    return n != NULL && n->kind == NODE_STRING ? n->text : fallback;
}

double node_number(const node *n, double fallback)
{
    return n != NULL && n->kind == NODE_NUMBER ? n->number : fallback;
}
