// SPDX-License-Identifier: GPL-3.0-or-later
// What needs a person: steered records of which some clients get what is down, or nothing.
#include <stdlib.h>

#include "control_internal.h"
#include "linker_internal.h"
#include "steerd/base/log.h"
#include "steerd/base/mem.h"
#include "steerd/world/tables.h"

// A look at so many cells takes some 10 ms of control's thread.
enum { ALARMS_MAX = 100, CELLS_MAX = 4 << 20 };

// Of a record's classes, those that are in trouble for any type.
struct trouble {
    uint32_t exhausted, served_all;
};

static struct trouble trouble_of(const struct steer_world *world, const struct steer_program *p)
{
    struct trouble found = {0, 0};
    for (uint32_t class = 0; class < p->class_count; class ++) {
        uint32_t flags = 0;
        for (uint8_t type = 0; type < p->type_count; type++)
            flags |=
                steer_tables_list(world->tables, p->cells[(size_t)type * p->class_count + class])
                    ->flags;
        if (flags & STEER_LIST_EXHAUSTED)
            found.exhausted++;
        else if (flags & STEER_LIST_SERVED_ALL)
            found.served_all++;
    }
    return found;
}

json_t *control_alarms_json(const struct steer_control *c, size_t *more)
{
    const struct steer_catalog *catalog = steer_linker_catalog(c->linker);
    const struct steer_world *world = steer_linker_world(c->linker);
    const size_t count = steer_catalog_count(catalog, STEER_STEERED);
    struct steer_cells_stats cells;
    json_t *out = json_array();
    *more = 0;
    steer_cells_stats(steer_linker_cells(c->linker), &cells);
    if (!cells.served_all && !cells.exhausted)
        return out;
    const struct steer_object **list = steer_catalog_list(catalog, STEER_STEERED);
    for (size_t i = 0, looked_at = 0; i < count; i++) {
        uint32_t id;
        const struct steer_program *p = steer_map_get(&c->linker->programs, list[i]->name, &id)
                                            ? steer_world_program(world, id)
                                            : NULL;
        looked_at += p ? (size_t)p->type_count * p->class_count : 0;
        if (json_array_size(out) == ALARMS_MAX || looked_at > CELLS_MAX) {
            *more = count - i;
            break;
        }
        const struct trouble found = p ? trouble_of(world, p) : (struct trouble){0, 0};
        if (found.exhausted || found.served_all)
            json_array_append_new(out, json_pack("{s:s,s:I,s:I,s:I}", "record", list[i]->name,
                                                 "nodata", (json_int_t)found.exhausted,
                                                 "served_all", (json_int_t)found.served_all,
                                                 "classes", (json_int_t)p->class_count));
    }
    free(list);
    return out;
}

static void tell(uint64_t before, uint64_t now, const char *what, const char *over)
{
    if (now > before)
        steer_log(STEER_LOG_WARN, "control",
                  "%llu cells %s (before: %llu); 'steerctl status' names the records",
                  (unsigned long long)now, what, (unsigned long long)before);
    else if (before && !now)
        steer_log(STEER_LOG_INFO, "control", "%s", over);
}

void control_sound_alarms(struct steer_control *c)
{
    struct steer_cells_stats now;
    steer_cells_stats(steer_linker_cells(c->linker), &now);
    // What is exhausted was tried with checks read as up, and counts as such too.
    now.served_all -= now.exhausted < now.served_all ? now.exhausted : now.served_all;
    tell(c->told.exhausted, now.exhausted, "have nothing left to give (NODATA)",
         "every cell has something to give again");
    tell(c->told.served_all, now.served_all,
         "have nothing that is up, and are served as if it were",
         "every cell has something that is up again");
    c->told.exhausted = now.exhausted;
    c->told.served_all = now.served_all;
}
