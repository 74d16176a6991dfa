/* Owns the help texts and the reference in docs/cli.md; both are made from the table. */
#include "options.h"
#include "terminal.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static void add_usage(text *t, const command_row *command)
{
    text_print(t, "smidgen %s", command->name);
    for (int i = 0; i < 4 && command->arguments[i].name != NULL; i++) {
        text_print(t, command->arguments[i].required ? " %s" : " [%s]", command->arguments[i].name);
    }
    text_put(t, " [options]");
}

static void add_left_column(text *t, const option_row *row)
{
    if (row->letter != 0) {
        text_print(t, "-%c, ", row->letter);
    }
    text_print(t, "--%s", row->name);
    if (row->value != NULL) {
        text_print(t, " %s", row->value);
    }
}

static bool shows_default(const option_row *row)
{
    return row->fallback != NULL;
}

static void print_rows(command_id command)
{
    for (size_t i = 0; i < option_count; i++) {
        const option_row *row = &option_table[i];
        text left = {NULL, 0, 0};
        if (!option_applies(row, command)) {
            continue;
        }
        text_put(&left, row->letter != 0 ? "" : "    ");
        add_left_column(&left, row);
        print_format("  %-28s  %s", left.bytes, row->help);
        if (shows_default(row)) {
            print_format(" (%s)", row->fallback);
        }
        print_format("\n");
        text_free(&left);
    }
}

void help_program(void)
{
    print_format(
        "smidgen %s: language models on this machine\n\nusage: smidgen COMMAND [arguments] [options]\n\n",
        smidgen_version());
    for (int i = 0; i < COMMAND_COUNT; i++) {
        print_format("  %-12s %s\n", command_table[i].name, command_table[i].summary);
    }
    print_format("\n`smidgen help COMMAND` explains one command. Begin with:\n\n"
                 "  smidgen fetch smollm2-135m\n  smidgen chat smollm2-135m\n");
}

void help_command(command_id id)
{
    const command_row *command = &command_table[id];
    text usage = {NULL, 0, 0};
    add_usage(&usage, command);
    print_format("%s\n\nusage: %s\n\n%s\n", command->summary, usage.bytes, command->description);
    text_free(&usage);
    if (command->arguments[0].name != NULL) {
        print_format("\narguments:\n");
    }
    for (int i = 0; i < 4 && command->arguments[i].name != NULL; i++) {
        print_format("  %-28s  %s\n", command->arguments[i].name, command->arguments[i].help);
    }
    print_format("\noptions (defaults in brackets):\n");
    print_rows(id);
    print_format("\nexamples:\n");
    for (const char *line = command->examples; *line != 0;) {
        size_t size = strcspn(line, "\n");
        print_format("  %.*s\n", (int)size, line);
        line += size;
        line += *line == '\n';
    }
}

static void markdown_command(const command_row *command, command_id id)
{
    text usage = {NULL, 0, 0};
    add_usage(&usage, command);
    print_format("\n### %s\n\n%s.\n\n```\n%s\n```\n\n%s\n\n", command->name, command->summary, usage.bytes,
                 command->description);
    text_free(&usage);
    print_format("| option | default | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < option_count; i++) {
        const option_row *row = &option_table[i];
        text left = {NULL, 0, 0};
        if (!option_applies(row, id) || strcmp(row->name, "help") == 0 || strcmp(row->name, "quiet") == 0 ||
            strcmp(row->name, "color") == 0) {
            continue;
        }
        add_left_column(&left, row);
        print_format("| `%s` | %s | %s |\n", left.bytes, shows_default(row) ? row->fallback : "", row->help);
        text_free(&left);
    }
    print_format("\n```sh\n%s\n```\n", command->examples);
}

void help_markdown(void)
{
    static const struct {
        int number;
        const char *name, *sentence;
    } rows[] = {
#define SMIDGEN_ERROR_ROW(name, number, sentence, advice) {number, #name, sentence},
#include "smidgen_errors.def"
#undef SMIDGEN_ERROR_ROW
    };
    print_format(
        "## Commands\n\nEvery command also takes `-h, --help`, `-q, --quiet` (no progress, no remarks) and\n"
        "`--color auto|always|never`.\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        markdown_command(&command_table[i], (command_id)i);
    }
    print_format("\n## Exit codes\n\n| code | name | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_format("| %d | %s | %s |\n", rows[i].number, rows[i].name,
                     rows[i].number == 0 ? "success" : rows[i].sentence);
    }
    print_format("| 130 | | Ctrl-C ended the command |\n");
}
