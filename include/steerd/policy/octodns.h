// SPDX-License-Identifier: GPL-3.0-or-later
// octoDNS's YAML zone files <-> documents of ours, with the same meaning (docs/decisions/0100). Floor 3.
// Pure: text in, text out; any thread.
#ifndef STEERD_POLICY_OCTODNS_H
#define STEERD_POLICY_OCTODNS_H

#include "steerd/base/buf.h"
#include "steerd/policy/document.h"

// What there is to say beside the result, with places. The array is the caller's (free).
struct steer_octodns_notes {
    struct steer_diag *items;
    size_t count;
};

// Converts a zone file of octoDNS to a YAML document that steer_document_parse accepts. zone is the name of
// the zone, which the file does not hold; file stands in messages. Errors: STEER_EINVAL with file, line,
// column and what would be right; STEER_ELIMIT when larger than STEER_DOCUMENT_MAX_BYTES. notes: what is not
// carried over or is meant otherwise.
enum steer_err steer_octodns_import(const char *text, size_t len, const char *file,
                                    const char *zone, struct steer_buf *yaml,
                                    struct steer_octodns_notes *notes,
                                    struct steer_diag *diag) STEER_MUST_USE;

// Converts one zone of parsed documents, whose objects make one catalogue, to a zone file of octoDNS. The
// static records are those of master, a master file of the zone, or the documents' own where it is NULL.
// Errors: STEER_ENOTFOUND: no document has the zone; STEER_EINVAL: an object is missing or wrong;
// STEER_ECONFLICT: something would be lost; notes then say what, and yaml stays empty.
enum steer_err steer_octodns_export(struct steer_document *const *documents, size_t count,
                                    const char *zone, const char *master, struct steer_buf *yaml,
                                    struct steer_octodns_notes *notes,
                                    struct steer_diag *diag) STEER_MUST_USE;

#endif
