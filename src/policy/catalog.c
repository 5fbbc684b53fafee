// SPDX-License-Identifier: GPL-3.0-or-later
// The catalogue: for each kind an array of objects, and an index by name.
#include <stdlib.h>
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"
#include "steerd/policy/rehearsal.h"

// The objects of one kind. Catalogues share a shelf until one of them changes it, so that a clone costs
// nothing and an edit copies only the kinds that it touches.
struct shelf {
    struct steer_object **items;
    size_t count, cap;
    struct slot {
        uint32_t hash; // of the name; the name itself is the object's
        uint32_t at;   // index + 1 in items; 0: free
    } * slots;         // open addressing, a power of two, at most three quarters full
    size_t slot_cap;
    _Atomic uint32_t refs;
};

struct steer_catalog {
    struct shelf *shelves[STEER_KINDS];
    struct steer_rehearsals *rehearsals;
    _Atomic uint32_t refs;
};

// ---- shelves -------------------------------------------------------------------------------------

enum { SLOTS_MIN = 16 };

static struct shelf *shelf_create(void)
{
    struct shelf *shelf = steer_calloc(1, sizeof *shelf);
    shelf->slot_cap = SLOTS_MIN;
    shelf->slots = steer_calloc(shelf->slot_cap, sizeof *shelf->slots);
    shelf->refs = 1;
    return shelf;
}

static void shelf_unref(struct shelf *shelf)
{
    if (--shelf->refs)
        return;
    for (size_t i = 0; i < shelf->count; i++)
        steer_object_unref(shelf->items[i]);
    free(shelf->items);
    free(shelf->slots);
    free(shelf);
}

// The catalogue's own shelf of a kind, to be changed.
static struct shelf *shelf_own(struct steer_catalog *catalog, enum steer_kind kind)
{
    struct shelf *from = catalog->shelves[kind];
    if (from->refs == 1)
        return from;
    struct shelf *own = steer_calloc(1, sizeof *own);
    own->refs = 1;
    own->count = own->cap = from->count;
    own->items = steer_memdup(from->items, from->count * sizeof(struct steer_object *));
    for (size_t i = 0; i < own->count; i++)
        steer_object_ref(own->items[i]);
    own->slot_cap = from->slot_cap;
    own->slots = steer_memdup(from->slots, from->slot_cap * sizeof *from->slots);
    catalog->shelves[kind] = own;
    shelf_unref(from);
    return own;
}

static uint32_t name_hash(const char *name)
{
    return (uint32_t)steer_hash_string(name);
}

// The slot of the name, or the free one where it would go.
static struct slot *slot_of(const struct shelf *shelf, const char *name, uint32_t hash)
{
    const size_t mask = shelf->slot_cap - 1;
    size_t i = hash & mask;
    while (shelf->slots[i].at && (shelf->slots[i].hash != hash ||
                                  strcmp(shelf->items[shelf->slots[i].at - 1]->name, name) != 0))
        i = (i + 1) & mask;
    return &shelf->slots[i];
}

static void slots_grow(struct shelf *shelf)
{
    struct slot *old = shelf->slots;
    const size_t old_cap = shelf->slot_cap;
    shelf->slot_cap *= 2;
    shelf->slots = steer_calloc(shelf->slot_cap, sizeof *shelf->slots);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].at)
            *slot_of(shelf, shelf->items[old[i].at - 1]->name, old[i].hash) = old[i];
    free(old);
}

// Frees a slot and moves up what had to make way for it.
static void slot_free(struct shelf *shelf, struct slot *slot)
{
    const size_t mask = shelf->slot_cap - 1;
    size_t hole = (size_t)(slot - shelf->slots);
    for (size_t i = (hole + 1) & mask; shelf->slots[i].at; i = (i + 1) & mask) {
        const size_t home = shelf->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        shelf->slots[hole] = shelf->slots[i];
        hole = i;
    }
    shelf->slots[hole].at = 0;
}

// ---- catalogues ----------------------------------------------------------------------------------

struct steer_catalog *steer_catalog_create(void)
{
    struct steer_catalog *catalog = steer_calloc(1, sizeof *catalog);
    for (int kind = 0; kind < STEER_KINDS; kind++)
        catalog->shelves[kind] = shelf_create();
    catalog->refs = 1;
    return catalog;
}

struct steer_catalog *steer_catalog_clone(const struct steer_catalog *catalog)
{
    struct steer_catalog *copy = steer_calloc(1, sizeof *copy);
    for (int kind = 0; kind < STEER_KINDS; kind++) {
        copy->shelves[kind] = catalog->shelves[kind];
        copy->shelves[kind]->refs++;
    }
    copy->rehearsals = steer_rehearsals_ref(catalog->rehearsals);
    copy->refs = 1;
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
    for (int kind = 0; kind < STEER_KINDS; kind++)
        shelf_unref(catalog->shelves[kind]);
    steer_rehearsals_unref(catalog->rehearsals);
    free(catalog);
}

const struct steer_rehearsals *steer_catalog_rehearsals(const struct steer_catalog *catalog)
{
    return catalog->rehearsals;
}

void steer_catalog_set_rehearsals(struct steer_catalog *catalog, const struct steer_rehearsals *set)
{
    struct steer_rehearsals *before = catalog->rehearsals;
    catalog->rehearsals = steer_rehearsals_ref(set);
    steer_rehearsals_unref(before);
}

void steer_catalog_put(struct steer_catalog *catalog, struct steer_object *object)
{
    struct shelf *shelf = shelf_own(catalog, object->kind);
    const uint32_t hash = name_hash(object->name);
    steer_object_ref(object);
    struct slot *slot = slot_of(shelf, object->name, hash);
    if (slot->at) {
        steer_object_unref(shelf->items[slot->at - 1]);
        shelf->items[slot->at - 1] = object;
        return;
    }
    shelf->items =
        steer_grow(shelf->items, &shelf->cap, shelf->count + 1, sizeof(struct steer_object *));
    shelf->items[shelf->count++] = object;
    *slot = (struct slot){hash, (uint32_t)shelf->count};
    if (shelf->count * 4 > shelf->slot_cap * 3)
        slots_grow(shelf);
}

bool steer_catalog_remove(struct steer_catalog *catalog, enum steer_kind kind, const char *name)
{
    const uint32_t hash = name_hash(name);
    if (!slot_of(catalog->shelves[kind], name, hash)->at)
        return false;
    struct shelf *shelf = shelf_own(catalog, kind);
    struct slot *slot = slot_of(shelf, name, hash);
    const uint32_t at = slot->at;
    struct steer_object *removed = shelf->items[at - 1];
    struct steer_object *last = shelf->items[shelf->count - 1];
    slot_free(shelf, slot);
    if (last != removed) {
        slot_of(shelf, last->name, name_hash(last->name))->at = at;
        shelf->items[at - 1] = last;
    }
    shelf->count--;
    steer_object_unref(removed); // last, because name may be its own
    return true;
}

const struct steer_object *steer_catalog_get(const struct steer_catalog *catalog,
                                             enum steer_kind kind, const char *name)
{
    const struct shelf *shelf = catalog->shelves[kind];
    const struct slot *slot = slot_of(shelf, name, name_hash(name));
    return slot->at ? shelf->items[slot->at - 1] : NULL;
}

size_t steer_catalog_count(const struct steer_catalog *catalog, enum steer_kind kind)
{
    return catalog->shelves[kind]->count;
}

bool steer_catalog_shares(const struct steer_catalog *a, const struct steer_catalog *b,
                          enum steer_kind kind)
{
    return a->shelves[kind] == b->shelves[kind];
}

struct steer_object *steer_catalog_at(const struct steer_catalog *catalog, enum steer_kind kind,
                                      size_t index)
{
    return catalog->shelves[kind]->items[index];
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct steer_object *const *)a)->name,
                  (*(struct steer_object *const *)b)->name);
}

const struct steer_object **steer_catalog_list(const struct steer_catalog *catalog,
                                               enum steer_kind kind)
{
    const struct shelf *shelf = catalog->shelves[kind];
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
        [STEER_SITE] = "sites",      [STEER_CHECK] = "checks",    [STEER_ENDPOINT] = "endpoints",
        [STEER_POOL] = "pools",      [STEER_POLICY] = "policies", [STEER_STEERED] = "records",
        [STEER_ASSERTION] = "assert"};
    char owner[STEER_NAME_TEXT_MAX];
    if (object->kind == STEER_STEERED)
        relative_owner(&object->steered, owner);
    snprintf(out, STEER_PATH_MAX, "%s/%s", plural[object->kind],
             object->kind == STEER_STEERED     ? owner
             : object->kind == STEER_ASSERTION ? steer_assertion_short_name(object)
                                               : object->name);
    return out;
}
