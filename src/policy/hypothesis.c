// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/policy/hypothesis.h"

#include <string.h>

static bool is_down(const struct steer_hypothesis *h, enum steer_kind kind, const char *name)
{
    for (size_t i = 0; name && i < h->down_count; i++)
        if (h->down[i].kind == kind && strcmp(h->down[i].name, name) == 0)
            return true;
    return false;
}

static void note(json_t *why, const char *what)
{
    if (why)
        json_object_set_new(why, "hypothesis", json_string(what));
}

static enum steer_availability endpoint(void *ctx, const struct steer_object *object,
                                        bool checks_as_up, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    const bool itself = is_down(h, STEER_ENDPOINT, object->name);
    const bool site = is_down(h, STEER_SITE, object->endpoint.site);
    const enum steer_availability is =
        h->base->endpoint(h->base->ctx, object, checks_as_up || h->checks_up, why);
    if ((!itself && !site) || checks_as_up || is == STEER_DRAINED)
        return is;
    note(why, itself ? "the endpoint is down" : "the site is down");
    return STEER_UNAVAILABLE;
}

static enum steer_forced pool(void *ctx, const struct steer_object *object, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    if (!is_down(h, STEER_POOL, object->name))
        return h->base->pool(h->base->ctx, object, why);
    note(why, "the pool is down");
    return STEER_FORCED_DOWN;
}

static uint32_t position(void *ctx, const struct steer_object *object, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    return h->base->position(h->base->ctx, object, why);
}

void steer_hypothesis_init(struct steer_hypothesis *h, const struct steer_view *base,
                           bool checks_up, const struct steer_down *down, size_t down_count)
{
    *h = (struct steer_hypothesis){
        base, checks_up, down, down_count, {h, endpoint, pool, base->position ? position : NULL}};
}
