/* Several prompts at once: example_batch MODEL PROMPT... Every step computes one token of each session, and
 * reads the weights once for all of them. */
#include <smidgen.h>

#include <stdio.h>

enum { SESSIONS = 16, IDS = 1024, STEPS = 32 };

static smidgen_session *begin(smidgen_model *model, const char *prompt, size_t bytes, smidgen_error *error)
{
    static int32_t ids[IDS];
    int64_t count = smidgen_tokenize(model, prompt, bytes, true, false, ids, IDS, error);
    smidgen_session *session = count >= 0 && count <= IDS ? smidgen_session_create(model, NULL, error) : NULL;
    bool fine = session != NULL && smidgen_session_set_prompt(session, ids, (size_t)count, error) >= 0;
    /* The prompt is computed here; from then on all sessions go in step. */
    for (int32_t queued = 1; fine && queued > 0;) {
        queued = smidgen_session_prefill(session, error);
        fine = queued >= 0;
    }
    if (!fine && session != NULL) {
        smidgen_session_close(session);
    }
    return fine ? session : NULL;
}

int main(int argument_count, char **arguments)
{
    smidgen_session *sessions[SESSIONS];
    int32_t tokens[SESSIONS];
    char text[256];
    size_t count = 0, wanted = argument_count > 2 ? (size_t)argument_count - 2 : 0;
    smidgen_error error = {0};
    smidgen_model *model =
        wanted > 0 && wanted <= SESSIONS ? smidgen_model_open(arguments[1], NULL, &error) : NULL;
    bool fine = model != NULL;
    for (; fine && count < wanted; count += fine) {
        const char *prompt = arguments[count + 2];
        size_t bytes = 0;
        while (prompt[bytes] != 0) {
            bytes++;
        }
        sessions[count] = begin(model, prompt, bytes, &error);
        fine = sessions[count] != NULL;
    }
    for (int step = 0; fine && step < STEPS; step++) {
        fine = smidgen_sessions_step(sessions, count, tokens, &error);
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s", arguments[i + 2]);
        for (size_t size; fine && (size = smidgen_session_text(sessions[i], text, sizeof text)) > 0;) {
            fwrite(text, 1, size, stdout);
        }
        printf("\n");
        smidgen_session_close(sessions[i]);
    }
    if (!fine) {
        fprintf(stderr, "%s\n%s\n", error.message[0] ? error.message : "usage: example_batch MODEL PROMPT...",
                error.advice);
    }
    smidgen_model_close(model);
    return fine ? 0 : 1;
}
