// SPDX-License-Identifier: GPL-3.0-or-later
// Worlds: finding the zone of a name, and making the next one.
#include "steerd/world/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/mem.h"

static bool origin_match(const void *item, const void *key)
{
    const struct steer_zone *zone = item;
    const uint8_t *name = key;
    size_t len = 0;
    while (name[len])
        len += name[len] + 1u;
    return len + 1 == zone->origin.len && memcmp(zone->origin.octets, name, len) == 0;
}

const struct steer_zone *steer_world_zone(const struct steer_world *w, uint64_t hash,
                                          const uint8_t *origin)
{
    return steer_trie_find(&w->zones, hash, origin_match, origin);
}

const struct steer_zone *steer_world_zone_of(const struct steer_world *w,
                                             const struct steer_name *name,
                                             const struct steer_name_hashes *hashes,
                                             unsigned max_labels, unsigned *labels)
{
    for (int n = steer_world_origin_labels(w, (int)max_labels); n >= 0;
         n = steer_world_origin_labels(w, n - 1)) {
        const struct steer_zone *zone =
            steer_world_zone(w, hashes->hash[n], name->octets + hashes->at[n]);
        if (zone) {
            *labels = (unsigned)n;
            return zone;
        }
    }
    return NULL;
}

struct steer_world *steer_world_create(const struct steer_tables *tables)
{
    struct steer_world *w = steer_calloc(1, sizeof *w);
    w->tables = tables;
    return w;
}

static bool retire_zone(void *ctx, const void *item)
{
    struct steer_zone *zone = (struct steer_zone *)(uintptr_t)item;
    steer_zone_retire(zone, ctx);
    return true;
}

void steer_world_destroy(struct steer_world *w)
{
    if (!w)
        return;
    struct steer_retired zones = {0};
    struct steer_fresh pages = {0};
    steer_trie_difference(&w->zones, NULL, true, &pages);
    steer_trie_each(&w->zones, retire_zone, &zones);
    steer_retired_free(&zones);
    steer_fresh_free(&pages);
    for (uint32_t c = 0; c < w->program_chunks; c++) {
        for (unsigned i = 0; w->programs[c] && i < STEER_PROGRAM_CHUNK; i++)
            free(w->programs[c][i]);
        free(w->programs[c]);
    }
    free(w->programs);
    free(w);
}

// ---- making the next world -----------------------------------------------------------------------

struct steer_world_edit {
    const struct steer_world *from;
    struct steer_world *next;
    struct steer_trie_change change;
    struct steer_retired retired;
    struct steer_fresh fresh; // pages, chunks and programs; zones are in given
    struct steer_zone **given;
    size_t given_count, given_cap;
};

struct steer_world_edit *steer_world_edit(const struct steer_world *from)
{
    struct steer_world_edit *edit = steer_calloc(1, sizeof *edit);
    edit->from = from;
    edit->next = steer_memdup(from, sizeof *from);
    edit->next->version++;
    edit->change = (struct steer_trie_change){
        .items_borrowed = true, .retired = &edit->retired, .fresh = &edit->fresh};
    return edit;
}

struct steer_retired *steer_world_edit_retired(struct steer_world_edit *edit)
{
    return &edit->retired;
}

const struct steer_zone *steer_world_edit_zone(const struct steer_world_edit *edit, uint64_t hash,
                                               const uint8_t *origin)
{
    return steer_world_zone(edit->next, hash, origin);
}

// How many zones have so many labels in their origin, and the bit that says whether any has.
static void count_origin(struct steer_world *w, unsigned labels, bool more)
{
    w->origins[labels] += more ? 1 : UINT32_MAX;
    const uint64_t bit = UINT64_C(1) << labels % 64;
    if (w->origins[labels])
        w->origin_labels[labels / 64] |= bit;
    else
        w->origin_labels[labels / 64] &= ~bit;
}

void steer_world_put_zone(struct steer_world_edit *edit, struct steer_zone *zone)
{
    edit->given =
        steer_grow(edit->given, &edit->given_cap, edit->given_count + 1, sizeof *edit->given);
    edit->given[edit->given_count++] = zone;
    if (!steer_world_edit_zone(edit, zone->hash, zone->origin.octets))
        count_origin(edit->next, zone->origin.labels, true);
    steer_trie_put(&edit->next->zones, &edit->change, zone, origin_match, zone->origin.octets);
}

void steer_world_replace_zone(struct steer_world_edit *edit, struct steer_zone *zone)
{
    const struct steer_zone *old = steer_world_edit_zone(edit, zone->hash, zone->origin.octets);
    if (old)
        retire_zone(&edit->retired, old);
    steer_world_put_zone(edit, zone);
}

bool steer_world_remove_zone(struct steer_world_edit *edit, uint64_t hash, const uint8_t *origin)
{
    const struct steer_zone *old = steer_world_edit_zone(edit, hash, origin);
    if (!old)
        return false;
    count_origin(edit->next, old->origin.labels, false);
    steer_trie_remove(&edit->next->zones, &edit->change, hash, origin_match, origin);
    retire_zone(&edit->retired, old);
    return true;
}

// Lets go of a block that the edit replaces.
static void let_go(struct steer_world_edit *edit, void *block)
{
    if (!block)
        return;
    if (steer_fresh_remove(&edit->fresh, block))
        free(block);
    else
        steer_retired_add(&edit->retired, block);
}

// The directory of chunks with room for chunk, as the edit's own.
static struct steer_program ***own_chunks(struct steer_world_edit *edit, uint32_t chunk)
{
    struct steer_world *next = edit->next;
    const uint32_t count = next->program_chunks > chunk ? next->program_chunks : chunk + 1;
    if (count == next->program_chunks && steer_fresh_has(&edit->fresh, next->programs))
        return next->programs;
    struct steer_program ***copy = steer_calloc(count, sizeof *copy);
    if (next->program_chunks)
        memcpy(copy, next->programs, next->program_chunks * sizeof *copy);
    let_go(edit, next->programs);
    steer_fresh_add(&edit->fresh, copy);
    next->programs = copy;
    next->program_chunks = count;
    return copy;
}

static struct steer_program **own_chunk(struct steer_world_edit *edit, uint32_t chunk)
{
    struct steer_program ***at = &own_chunks(edit, chunk)[chunk];
    if (*at && steer_fresh_has(&edit->fresh, *at))
        return *at;
    struct steer_program **copy = steer_calloc(STEER_PROGRAM_CHUNK, sizeof(struct steer_program *));
    if (*at)
        memcpy(copy, *at, STEER_PROGRAM_CHUNK * sizeof *copy);
    let_go(edit, *at);
    steer_fresh_add(&edit->fresh, copy);
    *at = copy;
    return copy;
}

void steer_world_put_program(struct steer_world_edit *edit, uint32_t id,
                             struct steer_program *program)
{
    assert(id < STEER_PROGRAMS_MAX);
    struct steer_program **at =
        &own_chunk(edit, id / STEER_PROGRAM_CHUNK)[id % STEER_PROGRAM_CHUNK];
    if (*at == program)
        return;
    let_go(edit, *at);
    if (program)
        steer_fresh_add(&edit->fresh, program);
    *at = program;
}

static void destroy(struct steer_world_edit *edit)
{
    steer_retired_drop(&edit->retired);
    steer_fresh_drop(&edit->fresh);
    free(edit->given);
    free(edit);
}

struct steer_world *steer_world_finish(struct steer_world_edit *edit, struct steer_retired *retired)
{
    struct steer_world *next = edit->next;
    steer_retired_add(&edit->retired, (void *)(uintptr_t)edit->from);
    steer_retired_move(retired, &edit->retired);
    destroy(edit);
    return next;
}

void steer_world_abort(struct steer_world_edit *edit)
{
    if (!edit)
        return;
    // Versions given one upon the other share blocks: a set counts each once.
    for (size_t i = 0; i < edit->given_count; i++) {
        struct steer_zone *zone = edit->given[i];
        steer_zone_difference(zone, steer_world_zone(edit->from, zone->hash, zone->origin.octets),
                              &edit->fresh);
    }
    steer_fresh_free(&edit->fresh);
    free(edit->next);
    destroy(edit);
}
