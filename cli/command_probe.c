/* `smidgen probe`, `version`, `help` and `completion`: what needs no model. */
#include "build_info.h"
#include "commands.h"
#include "json.h"
#include "terminal.h"

#include <string.h>

static void print_list(const json_tree *tree, const node *list)
{
    const char *sep = "";
    for (const node *n = node_first(tree, list); n != NULL; n = node_next(tree, list, n)) {
        print_format("%s%s", sep, node_text(n, ""));
        sep = " ";
    }
    print_format("\n");
}

static void print_machine(const json_tree *tree)
{
    const node *cpu = node_get(tree, tree->nodes, "cpu"), *memory = node_get(tree, tree->nodes, "memory");
    char total[32], available[32];
    print_format("processor    %s (%s)\n", node_text(node_get(tree, cpu, "model"), "unknown"),
                 node_text(node_get(tree, cpu, "architecture"), "unknown"));
    print_format("cores        %.0f physical, %.0f usable of %.0f logical\n",
                 node_number(node_get(tree, cpu, "cores"), 0),
                 node_number(node_get(tree, cpu, "cpus_usable"), 0),
                 node_number(node_get(tree, cpu, "cpus_online"), 0));
    print_format("has          ");
    print_list(tree, node_get(tree, cpu, "flags"));
    print_format("kernels      %s of ", node_text(node_get(tree, cpu, "kernel_set"), "?"));
    print_list(tree, node_get(tree, cpu, "kernel_sets"));
    print_format("memory       %s, %s free\n",
                 human_bytes((uint64_t)node_number(node_get(tree, memory, "total_bytes"), 0), total),
                 human_bytes((uint64_t)node_number(node_get(tree, memory, "available_bytes"), 0), available));
    print_format("system       %s\n", node_text(node_get(tree, tree->nodes, "os"), "unknown"));
    print_format("smidgen      %s, commit %s, %s build, %s\n", smidgen_version(), BUILD_COMMIT, BUILD_TYPE,
                 BUILD_COMPILER);
}

int command_probe(const options *o)
{
    text report = {NULL, 0, 0};
    smidgen_error error;
    json_tree tree;
    text_reserve(&report, 65536);
    report.size = smidgen_probe_json(report.bytes, 65536);
    if (o->json) {
        print_bytes(report.bytes, report.size);
        print_format("\n");
    } else if (json_read(&tree, report.bytes, report.size, "the report", &error)) {
        print_machine(&tree);
        json_tree_free(&tree);
    } else {
        text_free(&report);
        return fail(o, &error);
    }
    text_free(&report);
    return 0;
}

int command_version(const options *o)
{
    if (o->json) {
        print_format("{\"version\":\"%s\",\"commit\":\"%s\",\"build\":\"%s\",\"compiler\":\"%s\"}\n",
                     smidgen_version(), BUILD_COMMIT, BUILD_TYPE, BUILD_COMPILER);
    } else {
        print_format("smidgen %s (%s, %s, %s)\n", smidgen_version(), BUILD_COMMIT, BUILD_TYPE,
                     BUILD_COMPILER);
    }
    return 0;
}

int command_help(const options *o)
{
    int found = o->argument_count > 0 ? command_find(o->arguments[0]) : -1;
    if (o->markdown) {
        help_markdown();
    } else if (o->argument_count == 0) {
        help_program();
    } else if (found >= 0) {
        help_command((command_id)found);
    } else {
        return fail_with(o, SMIDGEN_ERROR_INVALID_ARGUMENT, "`smidgen help` lists the commands.",
                         "there is no command \"%s\"", o->arguments[0]);
    }
    return 0;
}

int command_completion(const options *o)
{
    if (!completion_write(o->arguments[0])) {
        return fail_with(o, SMIDGEN_ERROR_INVALID_ARGUMENT, "It is one of: bash zsh fish.",
                         "there is no completion for \"%s\"", o->arguments[0]);
    }
    return 0;
}
