// SPDX-License-Identifier: GPL-3.0-or-later
// What stays between changes: the published world, its catalogue, cells and class tables.
#include "steerd/control/linker.h"

#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"

static uint32_t endpoint_number(void *ctx, const struct steer_object *endpoint)
{
    struct steer_linker *l = ctx;
    uint32_t number;
    if (!steer_map_get(&l->endpoint_numbers, endpoint->name, &number)) {
        number = l->next_endpoint++;
        steer_map_put(&l->endpoint_numbers, endpoint->name, number);
    }
    return number;
}

static enum steer_err create_map_store(struct steer_linker *l, struct steer_diag *diag)
{
    if (steer_classmap_store_create(STEER_CLASSMAP_BLOCKS4, STEER_CLASSMAP_BLOCKS6,
                                    &l->map_store) == STEER_OK)
        return STEER_OK;
    return steer_diag_set(diag, STEER_EIO,
                          "cannot reserve 16 GiB of address space for the tables of clients; is a "
                          "limit on address space (ulimit -v) set?");
}

enum steer_err steer_linker_create(struct steer_geo *geo, struct steer_vitals *vitals,
                                   struct steer_linker **linker, struct steer_diag *diag)
{
    struct steer_linker *l = steer_calloc(1, sizeof *l);
    l->residuals = steer_residuals_create();
    enum steer_err err = steer_cells_create(endpoint_number, l, l->residuals, &l->cells, diag);
    if (err == STEER_OK)
        err = create_map_store(l, diag);
    if (err != STEER_OK) {
        steer_cells_destroy(l->cells);
        steer_residuals_destroy(l->residuals);
        free(l);
        return err;
    }
    l->geo = steer_geo_ref(geo);
    l->vitals = vitals;
    l->catalog = steer_catalog_create();
    l->references = steer_references_create(l->catalog);
    steer_vitals_view_init(&l->view, vitals, l->catalog);
    l->publisher = steer_publisher_create(steer_world_create(steer_cells_tables(l->cells)));
    *linker = l;
    return STEER_OK;
}

void steer_linker_destroy(struct steer_linker *l)
{
    if (!l)
        return;
    const struct steer_world *world = steer_publisher_current(l->publisher);
    size_t at = 0;
    const char *name;
    uint32_t id;
    while (steer_map_next(&l->programs, &at, &name, &id))
        link_release_program(l, steer_world_program(world, id));
    steer_publisher_destroy(l->publisher);
    steer_cells_destroy(l->cells);
    steer_residuals_destroy(l->residuals);
    steer_references_destroy(l->references);
    steer_catalog_unref(l->catalog);
    steer_geo_unref(l->geo);
    steer_map_fini(&l->programs);
    steer_map_fini(&l->cut_rankings);
    steer_map_fini(&l->endpoint_numbers);
    free(l->free_programs);
    free(l->maps);
    steer_classmap_store_destroy(l->map_store);
    free(l);
}

struct steer_publisher *steer_linker_publisher(const struct steer_linker *l)
{
    return l->publisher;
}

const struct steer_world *steer_linker_world(const struct steer_linker *l)
{
    return steer_publisher_current(l->publisher);
}

const struct steer_catalog *steer_linker_catalog(const struct steer_linker *l)
{
    return l->catalog;
}

const struct steer_geo *steer_linker_geo(const struct steer_linker *l)
{
    return l->geo;
}

struct steer_cells *steer_linker_cells(const struct steer_linker *l)
{
    return l->cells;
}

struct steer_residuals *steer_linker_residuals(const struct steer_linker *l)
{
    return l->residuals;
}

struct steer_linker_maps steer_linker_maps(const struct steer_linker *l)
{
    struct steer_linker_maps sum = {.tables = l->map_count,
                                    .bytes = steer_classmap_store_stats(l->map_store).bytes};
    for (size_t i = 0; i < l->map_count; i++)
        sum.classes += l->maps[i].map->class_count;
    return sum;
}

const struct steer_map *steer_linker_cut_rankings(const struct steer_linker *l)
{
    return &l->cut_rankings;
}

const struct steer_vitals_view *steer_linker_view(const struct steer_linker *l)
{
    return &l->view;
}

void steer_linker_set_pause(struct steer_linker *l, void (*pause)(void *ctx), void *ctx)
{
    l->pause = pause;
    l->pause_ctx = ctx;
}

void linker_pause(struct steer_linker *l)
{
    if (l->pause)
        l->pause(l->pause_ctx);
}

const struct steer_zone *linker_zone(const struct steer_linker *l, const struct steer_name *origin)
{
    return steer_world_zone(steer_linker_world(l), steer_name_hash(origin), origin->octets);
}

void linker_give_program_id(struct steer_linker *l, uint32_t id)
{
    l->free_programs = steer_grow(l->free_programs, &l->free_program_cap, l->free_program_count + 1,
                                  sizeof *l->free_programs);
    l->free_programs[l->free_program_count++] = id;
}

// ---- health --------------------------------------------------------------------------------------

// Endpoints of a site or with a check.
static uint32_t refresh_those_of(struct steer_linker *l, enum steer_kind kind, const char *name)
{
    const struct steer_object **list = steer_catalog_list(l->catalog, STEER_ENDPOINT);
    size_t count = steer_catalog_count(l->catalog, STEER_ENDPOINT);
    const char **names = steer_calloc(count, sizeof(char *));
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct steer_endpoint *e = &list[i]->endpoint;
        bool holds = kind == STEER_SITE && e->site && strcmp(e->site, name) == 0;
        for (uint32_t c = 0; kind == STEER_CHECK && c < e->check_count; c++)
            holds |= strcmp(e->checks[c], name) == 0;
        if (holds)
            names[found++] = list[i]->name;
    }
    const uint32_t changed =
        steer_cells_refresh_each(l->cells, STEER_ENDPOINT, names, found, &l->view.view);
    free(names);
    free(list);
    return changed;
}

void linker_reclaim(struct steer_linker *l)
{
    if (!steer_cells_has_garbage(l->cells))
        return;
    steer_publisher_synchronize(l->publisher);
    steer_cells_reclaim(l->cells);
}

// Cells that the open link has filled speak of its catalogue: when it is published they are brought up
// to date again by that.
static void note_refreshed(struct steer_link *link, enum steer_kind kind, const char *name)
{
    link->refreshed = steer_grow(link->refreshed, &link->refreshed_cap, link->refreshed_count + 1,
                                 sizeof *link->refreshed);
    link->refreshed[link->refreshed_count++] =
        (struct refreshed){kind, name ? steer_strdup(name) : NULL};
}

uint32_t steer_linker_refresh(struct steer_linker *l, enum steer_kind kind, const char *name)
{
    uint32_t changed;
    if (l->open)
        note_refreshed(l->open, kind, name);
    if (!name)
        changed = steer_cells_refresh_all(l->cells, &l->view.view);
    else if (kind == STEER_SITE || kind == STEER_CHECK)
        changed = refresh_those_of(l, kind, name);
    else
        changed = steer_cells_refresh(l->cells, kind, name, &l->view.view);
    linker_reclaim(l);
    return changed;
}

uint32_t steer_linker_refresh_endpoints(struct steer_linker *l, const char *const *names,
                                        size_t count)
{
    for (size_t i = 0; l->open && i < count; i++)
        note_refreshed(l->open, STEER_ENDPOINT, names[i]);
    const uint32_t changed =
        steer_cells_refresh_each(l->cells, STEER_ENDPOINT, names, count, &l->view.view);
    linker_reclaim(l);
    return changed;
}
