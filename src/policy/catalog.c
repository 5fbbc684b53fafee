// SPDX-License-Identifier: GPL-3.0-or-later
// The catalogue: for each kind an array of objects, and a map from name to index.
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"

struct shelf {
    struct steer_object **items;
    size_t count, cap;
    struct steer_map index;
};

struct steer_catalog {
    struct shelf shelves[STEER_KINDS];
    _Atomic uint32_t refs;
};

struct steer_catalog *steer_catalog_create(void)
{
    struct steer_catalog *catalog = steer_calloc(1, sizeof *catalog);
    catalog->refs = 1;
    return catalog;
}

struct steer_catalog *steer_catalog_clone(const struct steer_catalog *catalog)
{
    struct steer_catalog *copy = steer_catalog_create();
    for (int kind = 0; kind < STEER_KINDS; kind++) {
        const struct shelf *from = &catalog->shelves[kind];
        struct shelf *to = &copy->shelves[kind];
        steer_map_clone(&to->index, &from->index);
        to->items = steer_calloc(from->count, sizeof(struct steer_object *));
        to->count = to->cap = from->count;
        for (size_t i = 0; i < from->count; i++)
            to->items[i] = steer_object_ref(from->items[i]);
    }
    return copy;
}

struct steer_catalog *steer_catalog_ref(struct steer_catalog *catalog)
{
    catalog->refs++;
    return catalog;
}

void steer_catalog_unref(struct steer_catalog *catalog)
{
    if (!catalog || --catalog->refs)
        return;
    for (int kind = 0; kind < STEER_KINDS; kind++) {
        struct shelf *shelf = &catalog->shelves[kind];
        for (size_t i = 0; i < shelf->count; i++)
            steer_object_unref(shelf->items[i]);
        free(shelf->items);
        steer_map_fini(&shelf->index);
    }
    free(catalog);
}

void steer_catalog_put(struct steer_catalog *catalog, struct steer_object *object)
{
    struct shelf *shelf = &catalog->shelves[object->kind];
    uint32_t at;
    steer_object_ref(object);
    if (steer_map_get(&shelf->index, object->name, &at)) {
        steer_object_unref(shelf->items[at]);
        shelf->items[at] = object;
        return;
    }
    steer_map_put(&shelf->index, object->name, (uint32_t)shelf->count);
    shelf->items =
        steer_grow(shelf->items, &shelf->cap, shelf->count + 1, sizeof(struct steer_object *));
    shelf->items[shelf->count++] = object;
}

bool steer_catalog_remove(struct steer_catalog *catalog, enum steer_kind kind, const char *name)
{
    struct shelf *shelf = &catalog->shelves[kind];
    uint32_t at;
    if (!steer_map_get(&shelf->index, name, &at))
        return false;
    steer_map_remove(&shelf->index, name);
    struct steer_object *removed = shelf->items[at];
    struct steer_object *last = shelf->items[--shelf->count];
    if (last != removed) {
        shelf->items[at] = last;
        steer_map_put(&shelf->index, last->name, at);
    }
    steer_object_unref(removed); // last, because name may be its own
    return true;
}

const struct steer_object *steer_catalog_get(const struct steer_catalog *catalog,
                                             enum steer_kind kind, const char *name)
{
    const struct shelf *shelf = &catalog->shelves[kind];
    uint32_t at;
    return steer_map_get(&shelf->index, name, &at) ? shelf->items[at] : NULL;
}

size_t steer_catalog_count(const struct steer_catalog *catalog, enum steer_kind kind)
{
    return catalog->shelves[kind].count;
}

struct steer_object *const *steer_catalog_items(const struct steer_catalog *catalog,
                                                enum steer_kind kind, size_t *count)
{
    *count = catalog->shelves[kind].count;
    return catalog->shelves[kind].items;
}

bool steer_catalog_index(const struct steer_catalog *catalog, enum steer_kind kind,
                         const char *name, uint32_t *index)
{
    return steer_map_get(&catalog->shelves[kind].index, name, index);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct steer_object *const *)a)->name,
                  (*(struct steer_object *const *)b)->name);
}

const struct steer_object **steer_catalog_list(const struct steer_catalog *catalog,
                                               enum steer_kind kind)
{
    const struct shelf *shelf = &catalog->shelves[kind];
    const struct steer_object **list = steer_calloc(shelf->count, sizeof(struct steer_object *));
    for (size_t i = 0; i < shelf->count; i++)
        list[i] = shelf->items[i];
    qsort(list, shelf->count, sizeof(struct steer_object *), by_name);
    return list;
}

// ---- paths ---------------------------------------------------------------------------------------

// "api" for api.example.com. in example.com., "@" for the apex.
static void relative_owner(const struct steer_steered *steered, char out[STEER_NAME_TEXT_MAX])
{
    char zone[STEER_NAME_TEXT_MAX];
    steer_name_format(steered->owner.octets, out);
    steer_name_format(steered->zone.octets, zone);
    size_t owner_len = strlen(out);
    size_t zone_len = strlen(zone);
    if (strcmp(out, zone) == 0)
        strcpy(out, "@");
    else if (zone_len == 1)
        out[owner_len - 1] = '\0';
    else if (owner_len > zone_len + 1 && strcmp(out + owner_len - zone_len, zone) == 0)
        out[owner_len - zone_len - 1] = '\0';
}

const char *steer_object_path(const struct steer_object *object, char out[STEER_PATH_MAX])
{
    static const char *const plural[STEER_KINDS] = {
        [STEER_SITE] = "sites", [STEER_CHECK] = "checks",    [STEER_ENDPOINT] = "endpoints",
        [STEER_POOL] = "pools", [STEER_POLICY] = "policies", [STEER_STEERED] = "records"};
    char owner[STEER_NAME_TEXT_MAX];
    if (object->kind == STEER_STEERED)
        relative_owner(&object->steered, owner);
    snprintf(out, STEER_PATH_MAX, "%s/%s", plural[object->kind],
             object->kind == STEER_STEERED ? owner : object->name);
    return out;
}
