/* Owns the reading of the command line. Refuses what the table does not allow, and says what was meant. */
#include "options.h"

#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(command_table[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool option_applies(const option_row *row, command_id command)
{
    return (row->commands >> command & 1u) != 0;
}

static const option_row *find_option(command_id command, const char *name, size_t size, char letter)
{
    for (size_t i = 0; i < option_count; i++) {
        const option_row *row = &option_table[i];
        bool same = letter != 0 ? row->letter == letter
                                : strlen(row->name) == size && memcmp(row->name, name, size) == 0;
        if (same && option_applies(row, command)) {
            return row;
        }
    }
    return NULL;
}

static bool usage_error(const options *o, const char *advice, const char *format, const char *a,
                        const char *b)
{
    char message[256];
    /* The formats are literals of this file with two %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(message, sizeof message, format, a, b);
#pragma GCC diagnostic pop
    fail_with(o, SMIDGEN_ERROR_INVALID_ARGUMENT, advice, "%s", message);
    return false;
}

static bool unknown_option(const options *o, const char *word)
{
    const char *command = command_table[o->command].name, *best = NULL;
    int best_distance = 3;
    for (size_t i = 0; i < option_count; i++) {
        int distance = word_distance(word + strspn(word, "-"), option_table[i].name, 2);
        if (option_applies(&option_table[i], o->command) && distance < best_distance) {
            best = option_table[i].name;
            best_distance = distance;
        }
    }
    char advice[160];
    if (best != NULL) {
        snprintf(advice, sizeof advice, "Did you mean --%s? `smidgen help %s` lists the options.", best,
                 command);
    } else {
        snprintf(advice, sizeof advice, "`smidgen help %s` lists the options.", command);
    }
    return usage_error(o, advice, "%s: unknown option %s", command, word);
}

static bool set_number(options *o, const option_row *row, const char *value)
{
    char *field = (char *)o + row->offset, *rest = NULL, range[96];
    errno = 0;
    double number = strtod(value, &rest);
    bool whole = row->kind == OPTION_NUMBER || number == floor(number);
    if (*value == 0 || *rest != 0 || isnan(number) || !whole || number < row->low || number > row->high) {
        snprintf(range, sizeof range, "It takes a %snumber from %.10g to %.10g.",
                 row->kind == OPTION_INTEGER ? "whole " : "", row->low, row->high);
        return usage_error(o, range, "--%s: \"%s\" is not allowed", row->name, value);
    }
    if (row->kind == OPTION_INTEGER) {
        int32_t integer = (int32_t)number;
        memcpy(field, &integer, sizeof integer);
    } else {
        memcpy(field, &number, sizeof number);
    }
    return true;
}

static bool set_choice(options *o, const option_row *row, const char *value)
{
    int32_t index = 0;
    size_t size = strlen(value);
    for (const char *at = row->choices; *at != 0; index++) {
        size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, value, size) == 0) {
            memcpy((char *)o + row->offset, &index, sizeof index);
            return true;
        }
        at += length;
        at += *at == ' ';
    }
    char advice[128];
    snprintf(advice, sizeof advice, "It takes one of: %s.", row->choices);
    return usage_error(o, advice, "--%s: \"%s\" is not allowed", row->name, value);
}

static bool set_value(options *o, const option_row *row, const char *value)
{
    char *field = (char *)o + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case OPTION_INTEGER:
    case OPTION_NUMBER:
        return set_number(o, row, value);
    case OPTION_TEXT:
    case OPTION_FILE:
        *(const char **)(void *)field = value;
        return true;
    case OPTION_CHOICE:
        return set_choice(o, row, value);
    case OPTION_LIST: {
        text_list *list = (text_list *)(void *)field;
        list->items = cli_resize(list->items, (list->count + 1) * sizeof *list->items);
        list->items[list->count++] = value;
        return true;
    }
    }
    return false;
}

static bool set_defaults(options *o)
{
    for (size_t i = 0; i < option_count; i++) {
        const option_row *row = &option_table[i];
        if (row->fallback != NULL && option_applies(row, o->command) && !set_value(o, row, row->fallback)) {
            return false;
        }
    }
    return true;
}

/* One word that begins with a dash; *at moves on when it takes the next word as its value. */
static bool parse_option(options *o, int word_count, char *const *words, int *at)
{
    const char *word = words[*at], *value = NULL;
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t size = is_long ? strcspn(name, "=") : 1;
    const option_row *row = find_option(o->command, name, size, is_long ? 0 : *name);
    if (row == NULL) {
        return unknown_option(o, word);
    }
    if (name[size] != 0) {
        value = name + size + (name[size] == '=');
    }
    if (row->kind == OPTION_FLAG) {
        if (value != NULL) {
            return usage_error(o, "Leave the value out; give short options one by one.",
                               "%s: --%s takes no value", word, row->name);
        }
        return set_value(o, row, NULL);
    }
    if (value == NULL) {
        if (*at + 1 >= word_count) {
            return usage_error(o, row->help, "--%s needs a value (%s)", row->name, row->value);
        }
        value = words[++*at];
    }
    return set_value(o, row, value);
}

static bool parse_argument(options *o, const char *word)
{
    const command_row *command = &command_table[o->command];
    if (o->argument_count == 4 || command->arguments[o->argument_count].name == NULL) {
        return usage_error(o, "Put a text of several words into quotes.",
                           "%s: \"%s\" is one argument too many", command->name, word);
    }
    o->arguments[o->argument_count++] = word;
    return true;
}

static bool unknown_command(options *o, const char *word)
{
    char advice[160] = "`smidgen help` lists the commands.";
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (word_distance(word, command_table[i].name, 2) <= 2) {
            snprintf(advice, sizeof advice, "Did you mean `smidgen %s`?", command_table[i].name);
            break;
        }
    }
    return usage_error(o, advice, "%sthere is no command \"%s\"", "", word);
}

static bool find_command(options *o, int word_count, char *const *words)
{
    const char *word = word_count > 0 ? words[0] : "help";
    int found = command_find(word);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        found = COMMAND_HELP;
    } else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        found = COMMAND_VERSION;
    }
    if (found < 0) {
        return unknown_command(o, word);
    }
    o->command = (command_id)found;
    return true;
}

static bool check_arguments(const options *o)
{
    const argument_row *arguments = command_table[o->command].arguments;
    for (int i = o->argument_count; i < 4 && arguments[i].name != NULL; i++) {
        if (arguments[i].required && !o->help) {
            char advice[160];
            snprintf(advice, sizeof advice, "`smidgen help %s` shows how it is used.",
                     command_table[o->command].name);
            return usage_error(o, advice, "%s: %s is missing", command_table[o->command].name,
                               arguments[i].name);
        }
    }
    return true;
}

bool options_parse(options *o, int word_count, char *const *words)
{
    memset(o, 0, sizeof *o);
    o->command = COMMAND_HELP;
    for (int i = 1; i < word_count && strcmp(words[i], "--") != 0; i++) {
        o->json = o->json || strcmp(words[i], "--json") == 0; /* so that errors of parsing are JSON too */
    }
    if (!find_command(o, word_count, words)) {
        return false;
    }
    o->json = o->json && find_option(o->command, "json", 4, 0) != NULL;
    if (!set_defaults(o)) {
        return false;
    }
    bool only_arguments = false;
    for (int i = 1; i < word_count; i++) {
        const char *word = words[i];
        bool is_option = !only_arguments && word[0] == '-' && word[1] != 0;
        if (is_option && strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (is_option ? !parse_option(o, word_count, words, &i) : !parse_argument(o, word)) {
            return false;
        }
    }
    return check_arguments(o);
}

void options_release(options *o)
{
    free(o->stop.items);
    free(o->logit_bias.items);
}
