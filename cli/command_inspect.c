/* `smidgen inspect`: the report of smidgen_inspect_json, as it is or as a tree for people. */
#include "catalogue.h"
#include "commands.h"
#include "json.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_SHOWN = 60 };

static bool read_report(text *report, const options *o, const char *path, smidgen_error *error)
{
    size_t capacity = 1 << 18;
    for (;;) {
        text_reserve(report, capacity);
        int64_t size = smidgen_inspect_json(path, o->all ? -1 : 0, report->bytes, capacity, error);
        if (size < 0) {
            return false;
        }
        if ((size_t)size <= capacity) {
            report->size = (size_t)size;
            report->bytes[size] = 0;
            return true;
        }
        capacity = (size_t)size;
    }
}

/* A value on one line, long texts cut unless --all. */
static void put_value(text *line, const node *value, bool all)
{
    if (value == NULL || value->kind == NODE_NULL) {
        text_put(line, "null");
    } else if (value->kind == NODE_STRING) {
        json_writer w = json_write_begin(line);
        size_t size = strlen(value->text), shown = all || size <= TEXT_SHOWN ? size : TEXT_SHOWN;
        while (shown < size && shown > 0 && ((unsigned char)value->text[shown] & 0xC0) == 0x80) {
            shown--; /* not in the middle of a character */
        }
        json_write_bytes(&w, NULL, value->text, shown);
        if (shown < size) {
            text_print(line, "... (%zu bytes)", size);
        }
    } else if (value->kind == NODE_BOOL) {
        text_put(line, value->number != 0 ? "true" : "false");
    } else {
        text_put(line, value->text != NULL ? value->text : "");
    }
}

static void put_array(text *line, const json_tree *tree, const node *entry, bool all)
{
    const node *values = node_get(tree, entry, "values"), *count = node_get(tree, entry, "count");
    const char *sep = "";
    text_print(line, "%s[%.0f]", node_text(node_get(tree, entry, "element"), ""), node_number(count, 0));
    if (values == NULL) {
        return;
    }
    text_put(line, " = ");
    for (const node *n = node_first(tree, values); n != NULL; n = node_next(tree, values, n)) {
        text_put(line, sep);
        put_value(line, n, all);
        sep = ", ";
    }
    if ((double)values->count < node_number(count, 0)) {
        text_put(line, ", ...");
    }
}

static void print_metadata(const options *o, const json_tree *tree)
{
    const node *list = node_get(tree, tree->nodes, "metadata");
    int width = 0;
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        int size = (int)strlen(node_text(node_get(tree, n, "key"), ""));
        width = size > width && size <= 44 ? size : width;
    }
    print_format("%smetadata%s (%zu)\n", style_begin(o, stdout, STYLE_STRONG), style_end(o, stdout),
                 list != NULL ? list->count : 0);
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        text line = {NULL, 0, 0};
        const char *type = node_text(node_get(tree, n, "type"), "?");
        text_put(&line, "");
        if (node_get(tree, n, "count") != NULL) {
            put_array(&line, tree, n, o->all);
        } else {
            put_value(&line, node_get(tree, n, "value"), o->all);
        }
        print_format("  %-*s  %s%-6s%s  %s\n", width, node_text(node_get(tree, n, "key"), ""),
                     style_begin(o, stdout, STYLE_FAINT), type, style_end(o, stdout), line.bytes);
        text_free(&line);
    }
}

/* Number of leading bytes that two names share, up to and with the last dot. */
static size_t shared_folder(const char *a, const char *b)
{
    size_t folder = 0;
    for (size_t i = 0; a[i] != 0 && a[i] == b[i]; i++) {
        folder = a[i] == '.' ? i + 1 : folder;
    }
    return folder;
}

/* Writes the folders of `name` that the name before it was not in; returns where its last part begins. */
static size_t print_folders(const options *o, const char *before, const char *name)
{
    size_t shared = shared_folder(before, name), begin = 0;
    int depth = 1;
    for (size_t i = 0; name[i] != 0; i++) {
        if (name[i] != '.') {
            continue;
        }
        /* The last part often is "weight": it stays with its parent. */
        if (strchr(name + i + 1, '.') == NULL) {
            break;
        }
        if (i >= shared) {
            print_format("%*s%s%.*s%s\n", 2 * depth, "", style_begin(o, stdout, STYLE_ACCENT),
                         (int)(i - begin), name + begin, style_end(o, stdout));
        }
        begin = i + 1;
        depth++;
    }
    return begin;
}

static void print_tensors(const options *o, const json_tree *tree)
{
    const node *list = node_get(tree, tree->nodes, "tensors");
    const char *before = "";
    print_format("%stensors%s (%zu)\n", style_begin(o, stdout, STYLE_STRONG), style_end(o, stdout),
                 list != NULL ? list->count : 0);
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        const char *name = node_text(node_get(tree, n, "name"), "");
        const node *shape = node_get(tree, n, "shape");
        size_t begin = print_folders(o, before, name);
        int depth = 1;
        for (size_t i = 0; i < begin; i++) {
            depth += name[i] == '.';
        }
        text sizes = {NULL, 0, 0};
        char bytes[32];
        text_put(&sizes, "");
        for (const node *s = node_first(tree, shape); s != NULL; s = node_next(tree, shape, s)) {
            text_print(&sizes, "%s%.0f", sizes.size != 0 ? " x " : "", s->number);
        }
        if (!print_format("%*s%-*s  %-7s %-18s %s\n", 2 * depth, "", 30 - 2 * depth, name + begin,
                          node_text(node_get(tree, n, "type"), "?"), sizes.bytes,
                          human_bytes((uint64_t)node_number(node_get(tree, n, "bytes"), 0), bytes))) {
            text_free(&sizes);
            return;
        }
        text_free(&sizes);
        before = name;
    }
}

static void print_types(const options *o, const json_tree *tree)
{
    const node *list = node_get(tree, tree->nodes, "types"), *total = node_get(tree, tree->nodes, "total");
    char bytes[32];
    double weights = node_number(node_get(tree, total, "weights"), 0);
    double total_bytes = node_number(node_get(tree, total, "bytes"), 0);
    print_format("%stypes%s\n", style_begin(o, stdout, STYLE_STRONG), style_end(o, stdout));
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        double type_weights = node_number(node_get(tree, n, "weights"), 0);
        double type_bytes = node_number(node_get(tree, n, "bytes"), 0);
        print_format("  %-7s %5.0f tensors %15.0f weights %11s %6.2f bits a weight\n",
                     node_text(node_get(tree, n, "type"), "?"), node_number(node_get(tree, n, "tensors"), 0),
                     type_weights, human_bytes((uint64_t)type_bytes, bytes),
                     type_weights > 0 ? 8 * type_bytes / type_weights : 0);
    }
    print_format("  %-7s %5.0f tensors %15.0f weights %11s %6.2f bits a weight\n", "total",
                 node_number(node_get(tree, total, "tensors"), 0), weights,
                 human_bytes((uint64_t)total_bytes, bytes), weights > 0 ? 8 * total_bytes / weights : 0);
}

static bool print_tree(const options *o, const text *report, smidgen_error *error)
{
    json_tree tree;
    if (!json_read(&tree, report->bytes, report->size, "the report", error)) {
        return false;
    }
    const node *version = node_get(&tree, tree.nodes, "version");
    print_format("%s%s%s  %s", style_begin(o, stdout, STYLE_STRONG),
                 node_text(node_get(&tree, tree.nodes, "path"), ""), style_end(o, stdout),
                 node_text(node_get(&tree, tree.nodes, "format"), ""));
    if (version != NULL) {
        print_format(" version %.0f", version->number);
    }
    print_format("\n");
    if (!o->tensors_only) {
        print_metadata(o, &tree);
    }
    if (!o->metadata_only) {
        print_tensors(o, &tree);
        print_types(o, &tree);
    }
    json_tree_free(&tree);
    return true;
}

int command_inspect(const options *o)
{
    smidgen_error error;
    text report = {NULL, 0, 0};
    memset(&error, 0, sizeof error);
    char *path = model_resolve(o, o->arguments[0], &error);
    bool fine = path != NULL && read_report(&report, o, path, &error);
    if (fine && o->json) {
        print_bytes(report.bytes, report.size);
        print_format("\n");
    } else if (fine) {
        fine = print_tree(o, &report, &error);
    }
    int status = fine ? 0 : fail(o, &error);
    text_free(&report);
    free(path);
    return status;
}
