/* Owns the completion scripts. They are made from the table, so that they cannot lag behind it. */
#include "options.h"
#include "terminal.h"

#include <string.h>

static void bash_options(command_id id)
{
    for (size_t i = 0; i < option_count; i++) {
        if (option_applies(&option_table[i], id)) {
            print_format("--%s ", option_table[i].name);
        }
    }
}

/* The values of an option or argument: choices, or files. */
static void bash_values(command_id id)
{
    print_format("        case \"$previous\" in\n");
    for (size_t i = 0; i < option_count; i++) {
        const option_row *row = &option_table[i];
        if (!option_applies(row, id) || row->kind == OPTION_FLAG) {
            continue;
        }
        print_format("        --%s", row->name);
        if (row->letter != 0) {
            print_format("|-%c", row->letter);
        }
        if (row->kind == OPTION_CHOICE) {
            print_format(") words=\"%s\" ;;\n", row->choices);
        } else {
            print_format(") words=; %s ;;\n", row->kind == OPTION_FILE ? "files=1" : "return");
        }
    }
    print_format("        esac\n");
}

static void bash_script(void)
{
    print_format("# bash completion for smidgen; made by `smidgen completion bash`.\n_smidgen()\n{\n"
                 "    local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                 "    local words= files=\n    COMPREPLY=()\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        print_format("%s ", command_table[i].name);
    }
    print_format("--help --version\"\n    else\n    case \"${COMP_WORDS[1]}\" in\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        argument_kind kind = command_table[i].arguments[0].kind;
        bool named = command_table[i].arguments[0].name != NULL;
        print_format("    %s)\n        words=\"", command_table[i].name);
        bash_options((command_id)i);
        print_format("\"\n        case \"$current\" in\n        -*) ;;\n        *) words=");
        if (named && kind == ARGUMENT_SHELL) {
            print_format("\"bash zsh fish\"");
        } else if (named && kind == ARGUMENT_COMMAND) {
            print_format("\"");
            for (int j = 0; j < COMMAND_COUNT; j++) {
                print_format("%s ", command_table[j].name);
            }
            print_format("\"");
        } else if (named && kind == ARGUMENT_MODEL) {
            print_format("\"$(smidgen fetch --list --json 2>/dev/null |"
                         " grep -o '\"name\":\"[^\"]*\"' | cut -d'\"' -f4)\"; files=1");
        }
        print_format(" ;;\n        esac\n");
        bash_values((command_id)i);
        print_format("        ;;\n");
    }
    print_format("    esac\n    fi\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                 "    if [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$current\")); fi\n}\n"
                 "complete -o filenames -F _smidgen smidgen\n");
}

/* Writes text with every character of `special` behind a backslash. */
static void escaped(const char *text, const char *special)
{
    for (; *text != 0; text++) {
        if (strchr(special, *text) != NULL) {
            print_bytes("\\", 1);
        }
        print_bytes(text, 1);
    }
}

/* Inside '...' of zsh and fish a quote is written otherwise. */
static void quoted(const char *text, bool brackets)
{
    for (; *text != 0; text++) {
        if (*text == '\'') {
            print_format("'\\''");
        } else {
            char one[2] = {*text, 0};
            escaped(one, brackets ? "[]:\\" : "\\");
        }
    }
}

static void zsh_option(const option_row *row)
{
    bool repeats = row->kind == OPTION_LIST;
    const char *action = row->kind == OPTION_FILE ? "_files" : "";
    for (int form = row->letter != 0 ? 0 : 1; form < 2; form++) {
        print_format("            '%s", repeats ? "*" : "");
        if (form == 0) {
            print_format("-%c", row->letter);
        } else {
            print_format("--%s%s", row->name, row->value != NULL ? "=" : "");
        }
        print_format("[");
        quoted(row->help, true);
        print_format("]");
        if (row->kind == OPTION_CHOICE) {
            print_format(":%s:(%s)", row->value, row->choices);
        } else if (row->value != NULL) {
            print_format(":%s:%s", row->value, action);
        }
        print_format("' \\\n");
    }
}

static void zsh_script(void)
{
    print_format(
        "#compdef smidgen\n# zsh completion for smidgen; made by `smidgen completion zsh`.\n_smidgen()\n{\n"
        "    local -a commands\n    commands=(\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        print_format("        '%s:", command_table[i].name);
        quoted(command_table[i].summary, true);
        print_format("'\n");
    }
    print_format(
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
        "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        print_format("    %s)\n        _arguments \\\n", command_table[i].name);
        for (size_t j = 0; j < option_count; j++) {
            if (option_applies(&option_table[j], (command_id)i)) {
                zsh_option(&option_table[j]);
            }
        }
        for (int j = 0; j < 4 && command_table[i].arguments[j].name != NULL; j++) {
            const argument_row *a = &command_table[i].arguments[j];
            const char *action = a->kind == ARGUMENT_SHELL     ? "(bash zsh fish)"
                                 : a->kind == ARGUMENT_COMMAND ? "($commands)"
                                 : a->kind == ARGUMENT_TEXT    ? ""
                                                               : "_files";
            print_format("            '%d:%s:%s' \\\n", j + 1, a->name, action);
        }
        print_format("            && return\n        ;;\n");
    }
    print_format("    esac\n}\ncompdef _smidgen smidgen\n");
}

static void fish_script(void)
{
    print_format(
        "# fish completion for smidgen; made by `smidgen completion fish`.\ncomplete -c smidgen -f\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const command_row *command = &command_table[i];
        print_format("complete -c smidgen -n __fish_use_subcommand -a %s -d '", command->name);
        quoted(command->summary, false);
        print_format("'\n");
        for (size_t j = 0; j < option_count; j++) {
            const option_row *row = &option_table[j];
            if (!option_applies(row, (command_id)i)) {
                continue;
            }
            print_format("complete -c smidgen -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                         row->name);
            if (row->letter != 0) {
                print_format(" -s %c", row->letter);
            }
            if (row->kind == OPTION_CHOICE) {
                print_format(" -x -a '%s'", row->choices);
            } else if (row->kind != OPTION_FLAG) {
                print_format(row->kind == OPTION_FILE ? " -r -F" : " -x");
            }
            print_format(" -d '");
            quoted(row->help, false);
            print_format("'\n");
        }
        argument_kind kind = command->arguments[0].kind;
        if (command->arguments[0].name != NULL) {
            const char *action = kind == ARGUMENT_SHELL   ? "-a 'bash zsh fish'"
                                 : kind == ARGUMENT_MODEL ? "-F"
                                                          : "";
            print_format("complete -c smidgen -n '__fish_seen_subcommand_from %s' %s\n", command->name,
                         action);
        }
    }
}

bool completion_write(const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        bash_script();
    } else if (strcmp(shell, "zsh") == 0) {
        zsh_script();
    } else if (strcmp(shell, "fish") == 0) {
        fish_script();
    } else {
        return false;
    }
    return true;
}
