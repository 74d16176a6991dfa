/* Owns downloads over HTTP(S), on libcurl. Keeps the bytes of a partial file only together with the validator
 * (ETag or Last-Modified) that proves what they belong to; without one it begins again. Follows redirects,
 * but never from https to http. */
#include "download.h"

#include "terminal.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef struct validator {
    char url[2048], etag[256], modified[64];
    uint64_t total_bytes; /* 0: unknown */
} validator;

typedef enum outcome { OUTCOME_DONE, OUTCOME_RETRY, OUTCOME_RESTART, OUTCOME_FAILED } outcome;

typedef struct transfer {
    download *d;
    smidgen_error *error;
    CURL *curl;
    int descriptor;
    validator have, got; /* of the partial file; of the response */
    uint64_t begin_bytes, at_bytes;
    uint64_t range_begin;
    long status, retry_after;
    bool started, changed;
    int write_errno;
    bool too_long;
    progress bar;
} transfer;

bool disk_error(smidgen_error *error, const char *what, const char *path, int number)
{
    bool full = number == ENOSPC || number == EFBIG || number == EDQUOT;
    return cli_error(error, SMIDGEN_ERROR_IO,
                     full ? "Free some space and run it again: it goes on where it stopped."
                          : "Check the permissions.",
                     "cannot %s %s: %s", what, path, full ? "the disk is full" : strerror(number));
}

bool make_folder_of(const char *path, smidgen_error *error)
{
    char *copy = cli_copy(path, strlen(path));
    bool fine = true;
    for (char *slash = strchr(copy + 1, '/'); fine && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            fine = disk_error(error, "create", copy, errno);
        }
        *slash = '/';
    }
    free(copy);
    return fine;
}

/* ------------------------------------------------------------------------------------------------- state */

static void state_load(transfer *t)
{
    char *path = cli_format("%s.state", t->d->path);
    FILE *f = fopen(path, "r");
    char line[2200];
    memset(&t->have, 0, sizeof t->have);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "url ", 4) == 0) {
            snprintf(t->have.url, sizeof t->have.url, "%.2047s", line + 4);
        } else if (strncmp(line, "etag ", 5) == 0) {
            snprintf(t->have.etag, sizeof t->have.etag, "%.255s", line + 5);
        } else if (strncmp(line, "modified ", 9) == 0) {
            snprintf(t->have.modified, sizeof t->have.modified, "%.63s", line + 9);
        } else if (strncmp(line, "total ", 6) == 0) {
            t->have.total_bytes = strtoull(line + 6, NULL, 10);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    if (strcmp(t->have.url, t->d->url) != 0) {
        memset(&t->have, 0, sizeof t->have);
    }
    free(path);
}

static void state_save(const transfer *t)
{
    char *path = cli_format("%s.state", t->d->path);
    FILE *f = fopen(path, "w");
    if (f != NULL) {
        fprintf(f, "url %s\netag %s\nmodified %s\ntotal %llu\n", t->have.url, t->have.etag, t->have.modified,
                (unsigned long long)t->have.total_bytes);
        fclose(f);
    }
    free(path);
}

/* ----------------------------------------------------------------------------------------------- response */

static bool header_is(const char *line, size_t size, const char *name, const char **value, size_t *value_size)
{
    size_t length = strlen(name);
    if (size <= length || line[length] != ':' || strncasecmp(line, name, length) != 0) {
        return false;
    }
    const char *at = line + length + 1, *end = line + size;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) {
        end--;
    }
    *value = at;
    *value_size = (size_t)(end - at);
    return true;
}

static void copy_value(char *out, size_t capacity, const char *value, size_t size)
{
    snprintf(out, capacity, "%.*s", size < capacity ? (int)size : 0, value);
}

/* A hub that keeps its files elsewhere announces the hash beside the redirect. */
static void read_linked_hash(download *d, const char *value, size_t size)
{
    char hash[80];
    copy_value(hash, sizeof hash, value, size);
    char *begin = hash + strspn(hash, "\"");
    begin[strcspn(begin, "\"")] = 0;
    if (is_sha256(begin)) {
        memcpy(d->linked_sha256, begin, 65);
    }
}

static size_t on_header(char *line, size_t unit, size_t count, void *context)
{
    transfer *t = context;
    size_t size = unit * count, length = 0;
    const char *value = NULL;
    char number[64];
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0) { /* a new response: redirects come first */
        memset(&t->got, 0, sizeof t->got);
        t->range_begin = UINT64_MAX;
        t->retry_after = 0;
    } else if (header_is(line, size, "etag", &value, &length)) {
        if (length > 2 && value[0] == '"') { /* a weak validator (W/"...") says nothing about bytes */
            copy_value(t->got.etag, sizeof t->got.etag, value, length);
        }
    } else if (header_is(line, size, "last-modified", &value, &length)) {
        copy_value(t->got.modified, sizeof t->got.modified, value, length);
    } else if (header_is(line, size, "content-length", &value, &length)) {
        copy_value(number, sizeof number, value, length);
        t->got.total_bytes = strtoull(number, NULL, 10);
    } else if (header_is(line, size, "content-range", &value, &length)) {
        unsigned long long begin = 0, end = 0, total = 0;
        copy_value(number, sizeof number, value, length);
        if (sscanf(number, "bytes %llu-%llu/%llu", &begin, &end, &total) >= 2) {
            t->range_begin = begin;
            t->got.total_bytes = total;
        }
    } else if (header_is(line, size, "retry-after", &value, &length)) {
        copy_value(number, sizeof number, value, length);
        t->retry_after = strtol(number, NULL, 10);
    } else if (header_is(line, size, "x-linked-etag", &value, &length)) {
        read_linked_hash(t->d, value, length);
    }
    return size;
}

static bool enough_space(transfer *t)
{
    struct statvfs fs;
    uint64_t total = t->got.total_bytes;
    if (total <= t->begin_bytes || fstatvfs(t->descriptor, &fs) != 0) {
        return true;
    }
    uint64_t needed = total - t->begin_bytes, available = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (available >= needed) {
        return true;
    }
    char needed_text[32], free_text[32];
    cli_error(t->error, SMIDGEN_ERROR_IO,
              "Free some space, or choose another place with --output or XDG_CACHE_HOME.",
              "the disk is too full for %s: it needs %s more, %s are free", t->d->label,
              human_bytes(needed, needed_text), human_bytes(available, free_text));
    t->error->limit = available;
    t->error->needed = needed;
    return false;
}

/* Called before the first byte of a body that counts. False ends the transfer. */
static bool start_body(transfer *t)
{
    t->started = true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    if (t->status == 206) {
        bool other = t->have.etag[0] != 0 && t->got.etag[0] != 0 && strcmp(t->have.etag, t->got.etag) != 0;
        t->changed = other || t->range_begin != t->begin_bytes;
        return !t->changed && enough_space(t);
    }
    if (t->status != 200) {
        return true; /* the body of an error page is dropped */
    }
    if (t->begin_bytes != 0) {
        remark(t->d->o, "%s changed on the server, or it cannot resume: beginning again", t->d->label);
    }
    t->begin_bytes = t->at_bytes = t->bar.first_bytes = 0;
    if (ftruncate(t->descriptor, 0) != 0) {
        t->write_errno = errno;
        return false;
    }
    t->have = t->got;
    snprintf(t->have.url, sizeof t->have.url, "%s", t->d->url);
    state_save(t);
    return enough_space(t);
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context)
{
    transfer *t = context;
    size_t size = unit * count, done = 0;
    if (!t->started && !start_body(t)) {
        return 0;
    }
    if (t->status != 200 && t->status != 206) {
        return size;
    }
    if (t->d->expected_bytes != 0 && t->at_bytes + size > t->d->expected_bytes) {
        t->too_long = true;
        return 0;
    }
    while (done < size) {
        ssize_t written = pwrite(t->descriptor, bytes + done, size - done, (off_t)(t->at_bytes + done));
        if (written < 0 && errno != EINTR) {
            t->write_errno = errno;
            t->at_bytes += done;
            return 0;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    t->at_bytes += size;
    return size;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    transfer *t = context;
    (void)total, (void)now, (void)up_total, (void)up_now;
    uint64_t all = t->d->expected_bytes != 0 ? t->d->expected_bytes : t->have.total_bytes;
    return progress_update(&t->bar, t->at_bytes, all) ? 0 : 1;
}

/* ------------------------------------------------------------------------------------------------ attempts
 */

#if LIBCURL_VERSION_NUM >= 0x075500
static void restrict_protocols(CURL *curl, bool secure)
{
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
}
#else
static void restrict_protocols(CURL *curl, bool secure)
{
    long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, both);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, secure ? (long)CURLPROTO_HTTPS : both);
}
#endif

static void configure(transfer *t, struct curl_slist **headers)
{
    CURL *curl = t->curl;
    char *agent = cli_format("smidgen/%s", smidgen_version());
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, t->d->url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)t->d->o->timeout);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)t->d->o->timeout);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    restrict_protocols(curl, strncmp(t->d->url, "https:", 6) == 0);
    if (t->d->token != NULL && t->d->token[0] != 0) { /* libcurl keeps it from other hosts after a redirect */
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, t->d->token);
    }
    if (t->begin_bytes != 0) {
        /* As plain headers: with its own option libcurl fails on the 200 that says "the file changed". */
        char *range = cli_format("Range: bytes=%llu-", (unsigned long long)t->begin_bytes);
        char *condition = cli_format("If-Range: %s", t->have.etag[0] != 0 ? t->have.etag : t->have.modified);
        *headers = curl_slist_append(*headers, range);
        *headers = curl_slist_append(*headers, condition);
        free(range);
        free(condition);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    free(agent);
}

static outcome judge_status(transfer *t)
{
    const char *host = t->d->url;
    if (t->status == 416) {
        return t->begin_bytes != 0 ? OUTCOME_RESTART : OUTCOME_FAILED;
    }
    if (t->status == 404 || t->status == 410) {
        cli_error(t->error, SMIDGEN_ERROR_NOT_FOUND, "Check the address.",
                  "the server has no such file: %.200s (%ld)", host, t->status);
        return OUTCOME_FAILED;
    }
    bool refused = t->status == 401 || t->status == 403;
    cli_error(t->error, SMIDGEN_ERROR_NETWORK,
              refused ? "The file needs permission: set HF_TOKEN, and accept the model's terms on its page."
                      : "Run it again to resume.",
              "the server answered %ld for %.200s", t->status, host);
    bool passing = t->status == 408 || t->status == 425 || t->status == 429 || t->status >= 500;
    return passing ? OUTCOME_RETRY : OUTCOME_FAILED;
}

static outcome judge(transfer *t, CURLcode code)
{
    uint64_t total = t->have.total_bytes;
    if (t->write_errno != 0) {
        disk_error(t->error, "write", t->d->path, t->write_errno);
        return OUTCOME_FAILED;
    }
    if (t->too_long) {
        cli_error(t->error, SMIDGEN_ERROR_HASH_MISMATCH,
                  "It is not the file that the catalogue names: do not use it.",
                  "%s is longer than the expected %llu bytes", t->d->label,
                  (unsigned long long)t->d->expected_bytes);
        return OUTCOME_FAILED;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        cli_error(t->error, SMIDGEN_ERROR_CANCELLED, "What was received is kept: run it again to resume.",
                  "the download of %s was stopped", t->d->label);
        return OUTCOME_FAILED;
    }
    if (t->changed) {
        return OUTCOME_RESTART;
    }
    if (t->error->code != SMIDGEN_ERROR_NONE) { /* the disk is too full */
        return OUTCOME_FAILED;
    }
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->status);
    if (code == CURLE_OK && t->status != 200 && t->status != 206) {
        return judge_status(t);
    }
    if (code == CURLE_OK && (total == 0 || t->at_bytes == total)) {
        return OUTCOME_DONE;
    }
    bool hopeless = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                    code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_TOO_MANY_REDIRECTS;
    cli_error(t->error, SMIDGEN_ERROR_NETWORK,
              "Check the address and the connection; run it again to resume.",
              "the download of %s failed: %s", t->d->label,
              code == CURLE_OK || code == CURLE_PARTIAL_FILE ? "the connection ended early"
                                                             : curl_easy_strerror(code));
    return hopeless ? OUTCOME_FAILED : OUTCOME_RETRY;
}

static outcome attempt(transfer *t)
{
    struct curl_slist *headers = NULL;
    struct stat s;
    bool known = t->have.etag[0] != 0 || t->have.modified[0] != 0;
    t->begin_bytes = fstat(t->descriptor, &s) == 0 && known ? (uint64_t)s.st_size : 0;
    if (t->have.total_bytes != 0 && t->begin_bytes == t->have.total_bytes) {
        return OUTCOME_DONE;
    }
    if (t->have.total_bytes != 0 && t->begin_bytes > t->have.total_bytes) {
        t->begin_bytes = 0;
    }
    t->at_bytes = t->begin_bytes;
    t->started = t->changed = t->too_long = false;
    t->write_errno = 0;
    t->status = 0;
    memset(t->error, 0, sizeof *t->error);
    configure(t, &headers);
    t->bar = progress_begin(t->d->o, t->d->label, t->begin_bytes);
    CURLcode code = curl_easy_perform(t->curl);
    if (code == CURLE_OK && !t->started && !start_body(t)) { /* an empty body */
        code = CURLE_WRITE_ERROR;
    }
    progress_end(&t->bar);
    curl_slist_free_all(headers);
    return judge(t, code);
}

/* Sleeps; false after Ctrl-C. */
static bool wait_ms(long milliseconds)
{
    for (; milliseconds > 0 && !signals_interrupted(); milliseconds -= 50) {
        usleep((useconds_t)(milliseconds < 50 ? milliseconds : 50) * 1000);
    }
    return !signals_interrupted();
}

static bool run_attempts(transfer *t)
{
    const options *o = t->d->o;
    uint64_t furthest = 0;
    long wait = o->retry_wait;
    bool restarted = false;
    for (int failures = 0;;) {
        outcome result = attempt(t);
        if (result == OUTCOME_DONE) {
            return true;
        }
        if (result == OUTCOME_RESTART && !restarted) {
            restarted = true;
            memset(&t->have, 0, sizeof t->have);
            continue;
        }
        if (result != OUTCOME_RETRY) {
            return t->error->code == SMIDGEN_ERROR_NONE
                       ? cli_error(t->error, SMIDGEN_ERROR_NETWORK, "",
                                   "the server sends other bytes than were asked for")
                       : false;
        }
        if (t->at_bytes > furthest) { /* progress: a long file over a bad line may take many attempts */
            furthest = t->at_bytes;
            failures = 0;
            wait = o->retry_wait;
        }
        if (failures++ >= o->retries) {
            return false;
        }
        long server = t->retry_after > 0 && t->retry_after <= 60 ? t->retry_after * 1000 : 0;
        remark(o, "%s; trying again (%d of %d)", t->error->message, failures, o->retries);
        if (!wait_ms(server > wait ? server : wait)) {
            return cli_error(t->error, SMIDGEN_ERROR_CANCELLED,
                             "What was received is kept: run it again to resume.",
                             "the download of %s was stopped", t->d->label);
        }
        wait = wait < 30000 ? 2 * wait : wait;
    }
}

bool download_file(download *d, smidgen_error *error)
{
    transfer t;
    memset(&t, 0, sizeof t);
    t.d = d;
    t.error = error;
    d->linked_sha256[0] = 0;
    if (strlen(d->url) >= sizeof t.have.url) {
        return cli_error(error, SMIDGEN_ERROR_LIMIT, "", "the address is longer than %zu bytes",
                         sizeof t.have.url - 1);
    }
    t.descriptor = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t.descriptor < 0) {
        return disk_error(error, "write", d->path, errno);
    }
    state_load(&t);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    t.curl = curl_easy_init();
    bool fine = t.curl != NULL ? run_attempts(&t)
                               : cli_error(error, SMIDGEN_ERROR_OUT_OF_MEMORY, "", "no memory for curl");
    if (fine && fsync(t.descriptor) != 0) {
        fine = disk_error(error, "write", d->path, errno);
    }
    if (close(t.descriptor) != 0 && fine) {
        fine = disk_error(error, "write", d->path, errno);
    }
    curl_easy_cleanup(t.curl);
    curl_global_cleanup();
    return fine;
}
