/* Owns everything that the tool says to people. The only state of the program is the flag that Ctrl-C sets.
 */
#include "terminal.h"

#include "json.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void signals_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt; /* no SA_RESTART: a read of the terminal comes back */
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL); /* a file that may not grow is an error of write() */
}

bool signals_interrupted(void)
{
    return interrupted != 0;
}

void signals_clear(void)
{
    interrupted = 0;
}

static bool colored(const options *o, FILE *stream)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    if (o->color != 0) {
        return o->color == 1;
    }
    if ((off != NULL && *off != 0) || (term != NULL && strcmp(term, "dumb") == 0)) {
        return false;
    }
    return isatty(fileno(stream)) == 1;
}

const char *style_begin(const options *o, FILE *stream, style s)
{
    static const char *const codes[] = {"", "\033[1;31m", "\033[1m", "\033[2m", "\033[1;36m"};
    return colored(o, stream) ? codes[s] : "";
}

const char *style_end(const options *o, FILE *stream)
{
    return colored(o, stream) ? "\033[0m" : "";
}

int fail(const options *o, const smidgen_error *error)
{
    if (o->json) {
        text line = {NULL, 0, 0};
        json_writer w = json_write_begin(&line);
        json_write_open(&w, NULL, '{');
        json_write_open(&w, "error", '{');
        json_write_text(&w, "code", smidgen_error_name(error->code));
        json_write_integer(&w, "number", error->code);
        json_write_text(&w, "message", error->message);
        json_write_text(&w, "advice", error->advice);
        if (error->needed != 0) {
            json_write_integer(&w, "limit", (long long)error->limit);
            json_write_integer(&w, "needed", (long long)error->needed);
        }
        json_write_close(&w, '}');
        json_write_close(&w, '}');
        fprintf(stderr, "%s\n", line.bytes);
        text_free(&line);
    } else {
        fflush(stdout);
        fprintf(stderr, "%serror:%s %s\n", style_begin(o, stderr, STYLE_ERROR), style_end(o, stderr),
                error->message);
        if (error->advice[0] != 0) {
            fprintf(stderr, "%s hint:%s %s\n", style_begin(o, stderr, STYLE_STRONG), style_end(o, stderr),
                    error->advice);
        }
    }
    return error->code != SMIDGEN_ERROR_NONE ? (int)error->code : (int)SMIDGEN_ERROR_INTERNAL;
}

int fail_with(const options *o, smidgen_error_code code, const char *advice, const char *format, ...)
{
    smidgen_error error;
    va_list arguments;
    cli_error(&error, code, advice, "%s", "");
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return fail(o, &error);
}

void remark(const options *o, const char *format, ...)
{
    if (!o->quiet) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
}

bool print_bytes(const char *bytes, size_t size)
{
    return fwrite(bytes, 1, size, stdout) == size;
}

bool print_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vprintf(format, arguments);
    va_end(arguments);
    return written >= 0;
}

bool print_flush(void)
{
    return fflush(stdout) == 0;
}

/* Whether the reader of a pipe or socket is gone. */
static bool output_abandoned(void)
{
    struct pollfd output = {STDOUT_FILENO, POLLOUT, 0};
    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

int print_finish(const options *o, int status)
{
    errno = 0;
    bool fine = fflush(stdout) == 0 && !ferror(stdout);
    if (fine || status != 0 || errno == EPIPE || output_abandoned()) {
        return status;
    }
    return fail_with(o, SMIDGEN_ERROR_IO, "Check the disk.", "cannot write the output%s%s",
                     errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
}

progress progress_begin(const options *o, const char *label, uint64_t first_bytes)
{
    const char *slash = strrchr(label, '/'); /* of an address, the file's name is enough */
    label = slash != NULL ? slash + 1 : label;
    progress p = {o,           label, !o->quiet && !o->json && isatty(STDERR_FILENO) == 1, cli_seconds(), 0,
                  first_bytes, false};
    return p;
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void draw(progress *p, uint64_t done, uint64_t total, double now)
{
    char line[256], bar[41], done_text[32], total_text[32], rate_text[32], left_text[32];
    double seconds = now - p->begun, rate = seconds > 0 ? (double)(done - p->first_bytes) / seconds : 0;
    int columns = terminal_columns(), used;
    human_bytes(done, done_text);
    human_bytes((uint64_t)rate, rate_text);
    if (total != 0) {
        double share = done < total ? (double)done / (double)total : 1;
        int width = columns < 100 ? 10 : 40, full = (int)(share * width);
        for (int i = 0; i < width; i++) {
            bar[i] = i < full ? '#' : '.';
        }
        bar[width] = 0;
        human_bytes(total, total_text);
        human_duration(rate > 0 ? (double)(total - (done < total ? done : total)) / rate : 0, left_text);
        used = snprintf(line, sizeof line, "%s [%s] %3.0f %%  %s of %s  %s/s  %s left", p->label, bar,
                        100 * share, done_text, total_text, rate_text, left_text);
    } else {
        used = snprintf(line, sizeof line, "%s  %s  %s/s", p->label, done_text, rate_text);
    }
    used = used < (int)sizeof line ? used : (int)sizeof line - 1;
    used = used < columns - 1 ? used : columns - 1;
    fprintf(stderr, "\r%.*s\033[K", used, line);
    fflush(stderr);
    p->drawn = true;
}

bool progress_update(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    progress *p = context;
    double now = cli_seconds();
    if (p->visible && (now - p->shown >= 0.1 || done_bytes == total_bytes)) {
        p->shown = now;
        draw(p, done_bytes >= p->first_bytes ? done_bytes : p->first_bytes, total_bytes, now);
    }
    return !signals_interrupted();
}

void progress_end(progress *p)
{
    if (p->drawn) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        p->drawn = false;
    }
}
