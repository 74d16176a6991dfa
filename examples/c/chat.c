/* A conversation: example_chat MODEL. Each line of standard input is a message. */
#define _POSIX_C_SOURCE 200809L
#include <smidgen.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 64, BYTES = 1 << 16, IDS = 4096 };

int main(int argument_count, char **arguments)
{
    static char prompt[BYTES], reply[BYTES], line[4096];
    static int32_t ids[IDS];
    static smidgen_message messages[TURNS]; /* contents are allocated */
    size_t count = 0;
    smidgen_error error = {0};
    smidgen_model *model = argument_count > 1 ? smidgen_model_open(arguments[1], NULL, &error) : NULL;
    smidgen_session *session = model != NULL ? smidgen_session_create(model, NULL, &error) : NULL;
    bool fine = session != NULL;

    while (fine && count + 2 <= TURNS && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        messages[count++] = (smidgen_message){"user", strdup(line)};
        int64_t bytes = smidgen_render_chat(model, NULL, messages, count, true, prompt, BYTES, &error);
        int64_t tokens = bytes >= 0 && bytes <= BYTES
                             ? smidgen_tokenize(model, prompt, (size_t)bytes, false, true, ids, IDS, &error)
                             : -1;
        /* What the session holds of an earlier turn is reused. */
        fine = tokens >= 0 && tokens <= IDS &&
               smidgen_session_set_prompt(session, ids, (size_t)tokens, &error) >= 0;
        size_t used = 0;
        while (fine) {
            int32_t produced = smidgen_session_next(session, NULL, 1, &error);
            size_t size = smidgen_session_text(session, reply + used, BYTES - 1 - used);
            fwrite(reply + used, 1, size, stdout);
            fflush(stdout);
            used += size;
            fine = produced >= 0;
            if (produced <= 0) {
                break;
            }
        }
        reply[used] = 0;
        puts("");
        messages[count++] = (smidgen_message){"assistant", strdup(reply)};
    }
    if (!fine) {
        fprintf(stderr, "%s\n%s\n", error.message[0] ? error.message : "usage: example_chat MODEL",
                error.advice);
    }
    for (size_t i = 0; i < count; i++) {
        free((void *)messages[i].content);
    }
    if (session != NULL) {
        smidgen_session_close(session);
    }
    smidgen_model_close(model);
    return fine ? 0 : 1;
}
