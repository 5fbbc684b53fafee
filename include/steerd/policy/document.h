// SPDX-License-Identifier: GPL-3.0-or-later
// Policy documents: YAML 1.2 or JSON text -> validated objects and records, or one precise error.
// Floor 3. Pure: reads text, no file, no clock; any thread.
#ifndef STEERD_POLICY_DOCUMENT_H
#define STEERD_POLICY_DOCUMENT_H

#include "steerd/policy/model.h"

enum { STEER_DOCUMENT_MAX_BYTES = 64 << 20 };

// A static RRset that the document gives.
struct steer_document_rrset {
    struct steer_name owner; // absolute, lower case
    uint32_t ttl_s;
    struct steer_fixed data;
    struct steer_where at;
};

struct steer_document_zone {
    struct steer_name origin;
    struct steer_where at;
    bool has_soa; // soa: {...} was given; its fields are in soa
    struct {
        struct steer_name mname, rname;
        uint32_t refresh_s, retry_s, expire_s, minimum_s, ttl_s;
    } soa; // filled with defaults where not given: ns.ORIGIN, hostmaster.ORIGIN, 7200 900 1209600 300, 3600
    uint32_t ns_count; // ns: [...]; names of name servers, TTL 3600
    struct steer_name *ns;
    uint32_t rrset_count;
    struct steer_document_rrset *rrsets;
    uint32_t steered_count;
    struct steer_object **steered;
};

struct steer_document {
    const char *name;
    uint32_t object_count; // sites, checks, endpoints, pools, policies, then assertions
    struct steer_object **objects;
    uint32_t assertion_count;
    uint32_t zone_count;
    struct steer_document_zone *zones;
    uint32_t warning_count; // advice (missing family below geo, ...), with places
    struct steer_diag *warnings;
    struct steer_arena arena;
};

// Parses text (JSON when its first non-blank octet is '{' or '[', else YAML). name names the document
// (steer_object.document); file is used in messages. Errors: STEER_EINVAL with file, line, column, and
// what would be right; STEER_ELIMIT when larger than STEER_DOCUMENT_MAX_BYTES.
enum steer_err steer_document_parse(const char *text, size_t len, const char *name,
                                    const char *file, struct steer_document **document,
                                    struct steer_diag *diag) STEER_MUST_USE;
void steer_document_destroy(struct steer_document *document);

#endif
