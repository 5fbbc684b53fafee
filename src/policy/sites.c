// SPDX-License-Identifier: GPL-3.0-or-later
// Where things are: sites, clients, and what a child of a ranked node may give.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"

static bool country_point(const char *country, double *lat, double *lon)
{
    const char *name;
    return country[0] && steer_country_info(country, &name, lat, lon);
}

bool steer_site_point(const struct steer_site *site, double *lat, double *lon)
{
    if (!site->has_point)
        return site->has_place && country_point(site->place.country, lat, lon);
    *lat = site->lat;
    *lon = site->lon;
    return true;
}

bool steer_location_point(const struct steer_location *location, double *lat, double *lon)
{
    if (isnan(location->lat))
        return country_point(location->place.country, lat, lon);
    *lat = (double)location->lat;
    *lon = (double)location->lon;
    return true;
}

// ---- what is below a node ------------------------------------------------------------------------

struct found {
    const struct steer_catalog *catalog;
    struct steer_ptrmap seen; // objects
    const struct steer_object **sites;
    size_t count, cap;
};

static bool first_time(struct found *f, const struct steer_object *object)
{
    static char seen;
    void **mark = object ? steer_ptrmap_at(&f->seen, (uintptr_t)object) : NULL;
    if (!mark || *mark)
        return false;
    *mark = &seen;
    return true;
}

static void add_site(struct found *f, const char *name)
{
    const struct steer_object *site = name ? steer_catalog_get(f->catalog, STEER_SITE, name) : NULL;
    if (!first_time(f, site))
        return;
    f->sites = steer_grow(f->sites, &f->cap, f->count + 1, sizeof(struct steer_object *));
    f->sites[f->count++] = site;
}

static void add_endpoint(struct found *f, const char *name)
{
    const struct steer_object *endpoint = steer_catalog_get(f->catalog, STEER_ENDPOINT, name);
    if (first_time(f, endpoint))
        add_site(f, endpoint->endpoint.site);
}

static void add_pool(struct found *f, const char *name)
{
    const struct steer_object *pool = steer_catalog_get(f->catalog, STEER_POOL, name);
    if (!first_time(f, pool))
        return;
    for (uint32_t i = 0; i < pool->pool.member_count; i++)
        add_endpoint(f, pool->pool.members[i].endpoint);
}

// A substitute is what is given where the node is not, and says nothing of where the node is.
static void add_tree(struct found *f, const struct steer_node *node)
{
    if (node->kind == STEER_NODE_ENDPOINT) {
        add_endpoint(f, node->name);
    } else if (node->kind == STEER_NODE_POOL) {
        add_pool(f, node->name);
    } else if (node->kind == STEER_NODE_USE) {
        const struct steer_object *policy = steer_catalog_get(f->catalog, STEER_POLICY, node->name);
        if (first_time(f, policy))
            add_tree(f, &policy->tree);
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (node->children[i].site)
            add_site(f, node->children[i].site);
        else
            add_tree(f, node->children[i].node);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct steer_object *const *)a)->name,
                  (*(const struct steer_object *const *)b)->name);
}

const struct steer_object **steer_child_sites(const struct steer_catalog *catalog,
                                              const struct steer_child *child, size_t *count)
{
    struct found f = {.catalog = catalog};
    steer_ptrmap_init(&f.seen);
    if (child->site)
        add_site(&f, child->site);
    else
        add_tree(&f, child->node);
    if (f.count)
        qsort(f.sites, f.count, sizeof(struct steer_object *), by_name);
    steer_ptrmap_fini(&f.seen);
    *count = f.count;
    return f.sites;
}
