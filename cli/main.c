/* The command line tool `smidgen`. Exit status: 0, the number of a smidgen_error_code, or 130 after Ctrl-C.
 */
#include "commands.h"
#include "terminal.h"

#include <string.h>

int main(int argument_count, char **arguments)
{
    options o;
    int status;
    signals_install();
    if (!options_parse(&o, argument_count - 1, arguments + 1)) {
        options_release(&o);
        return SMIDGEN_ERROR_INVALID_ARGUMENT;
    }
    if (o.help) {
        help_command(o.command);
        status = 0;
    } else {
        status = command_table[o.command].run(&o);
    }
    status = print_finish(&o, status);
    options_release(&o);
    return status;
}
