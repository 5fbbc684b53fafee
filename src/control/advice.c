// SPDX-License-Identifier: GPL-3.0-or-later
// Advice about records of documents that are right but may surprise.
#include <stdio.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"
#include "steerd/zone/review.h"

enum { REVIEW_MAX = 100 };

static enum steer_availability all_available(void *ctx, const struct steer_object *endpoint,
                                             bool checks_as_up, json_t *why)
{
    (void)ctx;
    (void)endpoint;
    (void)checks_as_up;
    (void)why;
    return STEER_AVAILABLE;
}

static enum steer_forced not_forced(void *ctx, const struct steer_object *pool, json_t *why)
{
    (void)ctx;
    (void)pool;
    (void)why;
    return STEER_FORCED_NOT;
}

// With everything up: does the class get this type?
static bool gives(const struct steer_residual *root, uint16_t type)
{
    static const struct steer_view view = {.endpoint = all_available, .pool = not_forced};
    struct steer_distribution d;
    steer_decide(root, &view, type, &d, NULL);
    bool some = d.count > 0;
    steer_distribution_fini(&d);
    return some;
}

static void place_of(const struct steer_link *link, const struct steer_classes *classes,
                     uint32_t class_index, char *out, uint32_t size)
{
    uint32_t i = 0;
    while (i < classes->location_count && classes->class_of[i] != class_index)
        i++;
    snprintf(out, size, "elsewhere");
    for (uint32_t k = 0; i == classes->location_count && k < classes->pair_count; k++) {
        if (classes->pairs[k].class_index != class_index)
            continue;
        steer_prefix_format(&classes->networks[classes->pairs[k].network].prefix, out, size);
        return;
    }
    if (i < classes->location_count && i > 0)
        steer_place_format(&steer_geo_location(link->geo, i)->place, out, size);
}

static struct steer_diag *add_advice(struct steer_link *link)
{
    link->advice =
        steer_grow(link->advice, &link->advice_cap, link->advice_count + 1, sizeof *link->advice);
    return &link->advice[link->advice_count++];
}

// docs/decisions/0001: a type that some clients get and others do not.
static void advise_type(struct steer_link *link, const struct steer_object *steered,
                        const struct steer_classes *classes, uint16_t type)
{
    uint32_t missing = 0;
    uint32_t first = 0;
    for (uint32_t c = 0; c < classes->class_count; c++) {
        if (gives(classes->roots[c], type))
            continue;
        first = missing++ ? first : c;
    }
    if (!missing || missing == classes->class_count)
        return;
    char place[64];
    char text[32];
    place_of(link, classes, first, place, sizeof place);
    (void)steer_diag_at(add_advice(link), steered->file, steered->at.line, steered->at.column,
                        "%s: some clients get %s records and others (%s) get none, which resolvers "
                        "remember for all their clients; give each place one",
                        steered->name, steer_type_format(type, text), place);
}

void link_advise(struct steer_link *link, const struct steer_object *steered,
                 const struct steer_classes *classes)
{
    if (link->loading || link->rehearsing || classes->class_count < 2 ||
        steered->steered.kind == STEER_STEERED_CNAME || steered->steered.allow_negative)
        return;
    if (steered->steered.kind != STEER_STEERED_ADDRESS) {
        advise_type(link, steered, classes, steer_steered_type(steered->steered.kind));
        return;
    }
    advise_type(link, steered, classes, STEER_TYPE_A);
    advise_type(link, steered, classes, STEER_TYPE_AAAA);
    advise_type(link, steered, classes, STEER_TYPE_HTTPS);
    advise_type(link, steered, classes, STEER_TYPE_SVCB);
}

// ---- static records --------------------------------------------------------------------------------

struct reviewed {
    struct steer_link *link;
    const struct steer_document *document;
    const struct steer_document_rrset *rrset;
    size_t found;
};

static void take_finding(void *ctx, const struct steer_finding *finding)
{
    struct reviewed *r = ctx;
    char name[STEER_NAME_TEXT_MAX];
    if (r->found++ >= REVIEW_MAX)
        return;
    (void)steer_diag_at(add_advice(r->link), r->document->name, r->rrset->at.line,
                        r->rrset->at.column, "%s: %s", steer_name_format(finding->owner, name),
                        finding->what);
}

static void review_zone(struct reviewed *r, const struct steer_document_zone *z)
{
    const struct steer_zone *after = steer_link_zone_after(r->link, &z->origin);
    if (!after || after == linker_zone(r->link->linker, &z->origin))
        return;
    for (uint32_t i = 0; i < z->rrset_count; i++) {
        r->rrset = &z->rrsets[i];
        linker_pause(r->link->linker);
        steer_zone_review_rrset(after, r->rrset->owner.octets, r->rrset->data.type, take_finding,
                                r);
    }
}

void steer_link_review(struct steer_link *link, struct steer_document *const *documents,
                       size_t count)
{
    struct reviewed r = {.link = link};
    for (size_t i = 0; i < count; i++) {
        r.document = documents[i];
        for (uint32_t z = 0; z < documents[i]->zone_count; z++)
            review_zone(&r, &documents[i]->zones[z]);
    }
}

const struct steer_diag *steer_link_advice(const struct steer_link *link, size_t *count)
{
    *count = link->advice_count;
    return link->advice;
}
