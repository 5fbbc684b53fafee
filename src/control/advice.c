// SPDX-License-Identifier: GPL-3.0-or-later
// Advice about steered records that are right but may surprise.
#include <stdio.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"

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
    static const struct steer_view view = {NULL, all_available, not_forced};
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
    if (i < classes->location_count && i > 0)
        steer_place_format(&steer_geo_location(link->geo, i)->place, out, size);
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
    char place[16];
    char text[32];
    place_of(link, classes, first, place, sizeof place);
    link->advice =
        steer_grow(link->advice, &link->advice_cap, link->advice_count + 1, sizeof *link->advice);
    (void)steer_diag_at(&link->advice[link->advice_count++], steered->file, steered->at.line,
                        steered->at.column,
                        "%s: some clients get %s records and others (%s) get none, which resolvers "
                        "remember for all their clients; give each place one",
                        steered->name, steer_type_format(type, text), place);
}

void link_advise(struct steer_link *link, const struct steer_object *steered,
                 const struct steer_classes *classes)
{
    if (link->loading || classes->class_count < 2 ||
        steered->steered.kind != STEER_STEERED_ADDRESS || steered->steered.allow_negative)
        return;
    advise_type(link, steered, classes, STEER_TYPE_A);
    advise_type(link, steered, classes, STEER_TYPE_AAAA);
}

const struct steer_diag *steer_link_advice(const struct steer_link *link, size_t *count)
{
    *count = link->advice_count;
    return link->advice;
}
