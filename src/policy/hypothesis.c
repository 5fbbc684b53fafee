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

// is: what the base says.
static enum steer_availability suppose(const struct steer_hypothesis *h,
                                       const struct steer_object *object,
                                       enum steer_availability is, bool checks_as_up, json_t *why)
{
    const bool itself = is_down(h, STEER_ENDPOINT, object->name);
    const bool site = is_down(h, STEER_SITE, object->endpoint.site);
    if ((!itself && !site) || checks_as_up || is == STEER_DRAINED)
        return is;
    note(why, itself ? "the endpoint is down" : "the site is down");
    return STEER_UNAVAILABLE;
}

static enum steer_availability endpoint(void *ctx, const struct steer_object *object,
                                        bool checks_as_up, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    return suppose(h, object,
                   h->base->endpoint(h->base->ctx, object, checks_as_up || h->checks_up, why),
                   checks_as_up, why);
}

static enum steer_availability endpoint_under(void *ctx, const struct steer_object *object,
                                              const struct steer_effect *effects, uint32_t count,
                                              bool checks_as_up, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    return suppose(h, object,
                   h->base->endpoint_under(h->base->ctx, object, effects, count,
                                           checks_as_up || h->checks_up, why),
                   checks_as_up, why);
}

static enum steer_forced pool(void *ctx, const struct steer_object *object, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    if (!is_down(h, STEER_POOL, object->name))
        return h->base->pool(h->base->ctx, object, why);
    note(why, "the pool is down");
    return STEER_FORCED_DOWN;
}

static enum steer_forced pool_under(void *ctx, const struct steer_object *object,
                                    const struct steer_effect *effect, json_t *why)
{
    const struct steer_hypothesis *h = ctx;
    if (!is_down(h, STEER_POOL, object->name))
        return h->base->pool_under(h->base->ctx, object, effect, why);
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
    *h = (struct steer_hypothesis){.base = base,
                                   .checks_up = checks_up,
                                   .down = down,
                                   .down_count = down_count,
                                   .view = {.ctx = h, .endpoint = endpoint, .pool = pool}};
    h->view.position = base->position ? position : NULL;
    h->view.endpoint_under = base->endpoint_under ? endpoint_under : NULL;
    h->view.pool_under = base->pool_under ? pool_under : NULL;
}
