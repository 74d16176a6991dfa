/* The commands. Each returns the program's exit status: 0, or the number of a smidgen_error_code, or
 * EXIT_INTERRUPTED. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

enum { EXIT_INTERRUPTED = 130 };

int command_run(const options *o);
int command_chat(const options *o);
int command_tokenize(const options *o);
int command_inspect(const options *o);
int command_perplexity(const options *o);
int command_bench(const options *o);
int command_fetch(const options *o);
int command_probe(const options *o);
int command_completion(const options *o);
int command_help(const options *o);
int command_version(const options *o);

#endif
