// SPDX-License-Identifier: GPL-3.0-or-later
// links: policy
// A zone file of octoDNS -> a document, which must parse -> back where nothing is lost, which must be read again.
#include <stdlib.h>

#include "steerd/policy/octodns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum steer_err import(const char *text, size_t len, struct steer_buf *yaml)
{
    struct steer_octodns_notes notes = {0};
    struct steer_diag diag;
    enum steer_err err =
        steer_octodns_import(text, len, "fuzz", "example.com", yaml, &notes, &diag);
    free(notes.items);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steer_buf yaml = {0}, back = {0}, again = {0};
    struct steer_document *document = NULL;
    struct steer_octodns_notes lost = {0};
    struct steer_diag diag;
    if (import((const char *)data, size, &yaml) == STEER_OK) {
        if (steer_document_parse(yaml.data, yaml.len, "d", "d", &document, &diag))
            abort();
        enum steer_err err =
            steer_octodns_export(&document, 1, "example.com", NULL, &back, &lost, &diag);
        if (err == STEER_OK && import(back.data, back.len, &again))
            abort();
        if (err == STEER_EINVAL)
            abort();
    }
    steer_document_destroy(document);
    free(lost.items);
    steer_buf_fini(&yaml);
    steer_buf_fini(&back);
    steer_buf_fini(&again);
    return 0;
}
