// SPDX-License-Identifier: GPL-3.0-or-later
// Compiling steered records: classes -> class table, residuals -> cells, both -> a program.
#include <stdlib.h>
#include <string.h>

#include "linker_internal.h"
#include "steerd/base/mem.h"

// ---- class tables --------------------------------------------------------------------------------

static struct shared_map *map_find(struct steer_linker *l, const struct steer_geo *geo,
                                   const struct steer_classes *classes)
{
    for (size_t i = 0; i < l->map_count; i++)
        if (l->maps[i].geo == geo && steer_classes_equal(&l->maps[i].classes, classes))
            return &l->maps[i];
    return NULL;
}

// Of the tables that differ by networks only, the one with the fewest; NULL: none.
static const struct shared_map *map_like(const struct steer_linker *l, const struct steer_geo *geo,
                                         const struct steer_classes *classes)
{
    const struct shared_map *best = NULL;
    for (size_t i = 0; i < l->map_count; i++) {
        const struct shared_map *m = &l->maps[i];
        if (m->geo == geo && steer_classes_alike(&m->classes, classes) &&
            (!best || m->classes.network_count < best->classes.network_count))
            best = m;
    }
    return best;
}

static struct steer_classmap *map_build(struct steer_linker *l, const struct steer_geo *geo,
                                        const struct steer_classes *classes)
{
    const struct shared_map *m = map_like(l, geo, classes);
    const struct steer_classes_like like = {m ? m->map : NULL, m ? &m->classes : NULL};
    return steer_classes_map(classes, geo, l->map_store, m ? &like : NULL);
}

// Takes over what the table is made of. NULL: there is no room for it.
static const struct steer_classmap *map_acquire(struct steer_linker *l, const struct steer_geo *geo,
                                                struct steer_classes *classes)
{
    struct shared_map *m = map_find(l, geo, classes);
    if (!m) {
        struct steer_classmap *map = map_build(l, geo, classes);
        if (!map)
            return NULL;
        l->maps = steer_grow(l->maps, &l->map_cap, l->map_count + 1, sizeof *l->maps);
        m = &l->maps[l->map_count++];
        *m = (struct shared_map){
            .map = map,
            .geo = geo,
            .classes = steer_classes_take_map(classes),
        };
    }
    m->uses++;
    return m->map;
}

static void map_release(struct steer_linker *l, const struct steer_classmap *map)
{
    for (size_t i = 0; i < l->map_count; i++) {
        struct shared_map *m = &l->maps[i];
        if (m->map != map || --m->uses)
            continue;
        steer_classmap_destroy(m->map);
        steer_classes_fini(l->residuals, &m->classes);
        *m = l->maps[--l->map_count];
        return;
    }
}

// ---- programs ------------------------------------------------------------------------------------

static void release_cells(struct steer_linker *l, const struct steer_program *program)
{
    size_t cells = (size_t)program->type_count * program->class_count;
    for (size_t i = 0; i < cells; i++)
        steer_cells_release(l->cells, program->cells[i]);
}

void link_release_program(struct steer_linker *l, const struct steer_program *program)
{
    release_cells(l, program);
    map_release(l, program->map);
}

static bool any_gives(const struct steer_classes *classes, uint16_t type)
{
    for (uint32_t i = 0; i < classes->class_count; i++)
        if (steer_residual_gives(classes->roots[i], type))
            return true;
    return false;
}

// Of the types that few addresses have, cells are made only where there is something to give.
static uint8_t types_of(const struct steer_steered *steered, const struct steer_classes *classes,
                        uint16_t types[STEER_PROGRAM_TYPES])
{
    uint8_t count = 0;
    if (steered->kind != STEER_STEERED_ADDRESS) {
        types[count++] = steer_steered_type(steered->kind);
        return count;
    }
    types[count++] = STEER_TYPE_A;
    types[count++] = STEER_TYPE_AAAA;
    if (any_gives(classes, STEER_TYPE_HTTPS))
        types[count++] = STEER_TYPE_HTTPS;
    if (any_gives(classes, STEER_TYPE_SVCB))
        types[count++] = STEER_TYPE_SVCB;
    return count;
}

static struct steer_program *program_create(const struct steer_object *steered,
                                            const struct steer_classes *classes)
{
    uint16_t types[STEER_PROGRAM_TYPES] = {0};
    const uint8_t count = types_of(&steered->steered, classes, types);
    struct steer_program *p =
        steer_calloc(1, sizeof *p + (size_t)count * classes->class_count * sizeof p->cells[0]);
    p->ttl_s = steered->steered.ttl_s;
    p->class_count = (uint16_t)classes->class_count;
    p->type_count = count;
    memcpy(p->types, types, sizeof p->types);
    p->draw = steered->steered.draw;
    return p;
}

// Acquires the cells of each type and class; none when it fails.
static enum steer_err acquire_cells(struct steer_link *link, const struct steer_classes *classes,
                                    struct steer_program *p)
{
    struct steer_cells *cells = link->linker->cells;
    const uint32_t count = classes->class_count;
    enum steer_err err = STEER_OK;
    uint8_t type = 0;
    for (; type < p->type_count && err == STEER_OK; type++)
        err = steer_cells_acquire(cells, classes->roots, count, p->types[type], p->draw.mode,
                                  &link->view.view, &p->cells[(size_t)type * count]);
    if (err == STEER_OK)
        return STEER_OK;
    for (size_t n = (size_t)(type - 1) * count; n > 0; n--)
        steer_cells_release(cells, p->cells[n - 1]);
    return err;
}

// When it fails the program's cells are released.
static enum steer_err acquire_map(struct steer_link *link, struct steer_classes *classes,
                                  struct steer_program *p)
{
    struct steer_linker *l = link->linker;
    p->map = map_acquire(l, link->geo, classes);
    if (p->map)
        return STEER_OK;
    release_cells(l, p);
    return STEER_ELIMIT;
}

static const struct shared_map *map_of(const struct steer_linker *l,
                                       const struct steer_classmap *map)
{
    size_t i = 0;
    while (l->maps[i].map != map)
        i++;
    return &l->maps[i];
}

// Where nothing but rehearsals differs: from the program in force. To others than their clients nothing may change, so
// that where the classes come to be too many, rankings are not cut for it.
static enum steer_err classes_again(struct steer_link *link, const struct steer_object *steered,
                                    uint32_t id, struct steer_classes *classes,
                                    struct steer_diag *diag)
{
    struct steer_linker *l = link->linker;
    const struct steer_program *p = steer_world_program(steer_linker_world(l), id);
    struct steer_classes before = map_of(l, p->map)->classes;
    before.ranked_first = 0;
    (void)steer_map_get(&l->cut_rankings, steered->name, &before.ranked_first);
    before.class_count = p->class_count;
    before.roots = steer_calloc(p->class_count, sizeof(struct steer_residual *));
    for (uint32_t i = 0; i < before.class_count; i++)
        before.roots[i] = steer_cells_residual(l->cells, p->cells[i]);
    enum steer_err err = steer_classes_compile_again(l->residuals, link->catalog, steered,
                                                     link->geo, &before, classes, diag);
    free(before.roots);
    if (err != STEER_OK || !classes->ranked_first ||
        (before.ranked_first && classes->ranked_first >= before.ranked_first))
        return err;
    steer_classes_fini(l->residuals, classes);
    return steer_diag_set(diag, STEER_ELIMIT,
                          "%s: too many classes of clients, unless rankings are cut for "
                          "everybody; name fewer networks",
                          steered->name);
}

static enum steer_err compile(struct steer_link *link, const struct steer_object *steered,
                              struct made_program *out, struct steer_diag *diag)
{
    struct steer_linker *l = link->linker;
    struct steer_classes classes;
    enum steer_err err = link->rehearsing
                             ? classes_again(link, steered, out->id, &classes, diag)
                             : steer_classes_compile(l->residuals, link->catalog, steered,
                                                     link->geo, &classes, diag);
    if (err != STEER_OK)
        return err;
    struct steer_program *p = program_create(steered, &classes);
    err = acquire_cells(link, &classes, p);
    if (err == STEER_OK) {
        link_advise(link, steered, &classes);
        link_judge_record(link, steered, &classes);
        err = acquire_map(link, &classes, p);
    }
    if (err == STEER_OK) {
        out->program = p;
        out->ranked_first = classes.ranked_first;
    } else {
        free(p);
        steer_diag_set(diag, err,
                       "%s: the steering tables are full; use fewer networks, or fewer records "
                       "that tell clients apart in ways of their own",
                       steered->name);
    }
    steer_classes_fini(l->residuals, &classes);
    return err;
}

enum steer_err link_compile(struct steer_link *link, struct steer_diag *diag)
{
    size_t at = 0;
    const char *name;
    while (steer_map_next(&link->touched, &at, &name, NULL)) {
        const struct steer_object *steered = steer_catalog_get(link->catalog, STEER_STEERED, name);
        struct made_program made = {.name = steered->name};
        if (!steer_map_get(&link->new_programs, name, &made.id))
            steer_map_get(&link->linker->programs, name, &made.id);
        enum steer_err err = compile(link, steered, &made, diag);
        if (err != STEER_OK)
            return err;
        link->made =
            steer_grow(link->made, &link->made_cap, link->made_count + 1, sizeof *link->made);
        link->made[link->made_count++] = made;
        linker_pause(link->linker);
    }
    return STEER_OK;
}

size_t steer_link_compiled(const struct steer_link *link)
{
    return link->made_count;
}
