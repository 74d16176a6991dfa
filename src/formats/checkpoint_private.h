/* What checkpoint.c and checkpoint_folder.c share. */
#ifndef FORMATS_CHECKPOINT_PRIVATE_H
#define FORMATS_CHECKPOINT_PRIVATE_H

#include "formats/checkpoint.h"
#include "formats/name_index.h"

struct checkpoint_private {
    source **sources; /* [source_count]; checkpoint_tensor.file is an index */
    uint32_t source_count;
    arena source_arena; /* of a source that was handed in; allocator NULL where there is none */
    name_index names;   /* of a folder's tensors */
};

/* Copies cause to *error (may be NULL) with the name of the file before the message, unless that names the
 * path. */
void checkpoint_report(smidgen_error *error, const smidgen_error *cause, const char *path);
/* An empty checkpoint, or NULL with the error set. */
checkpoint *checkpoint_begin(const smidgen_allocator *allocator, smidgen_error *error);
/* Fills c from a folder in Hugging Face's layout; on failure the caller closes c. error is not NULL. */
bool checkpoint_open_folder(checkpoint *c, const char *path, smidgen_error *error);

#endif
