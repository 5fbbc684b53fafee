// SPDX-License-Identifier: GPL-3.0-or-later
// The bounded set. All weights halve in the same time, so that of two estimates that nobody adds to the heavier one
// stays the heavier one: log2(weight) + time/half-life orders them for good, and a heap finds the least.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/geo/estimate.h"

enum { CLIENT_MAX = 56, PAIR_MAX = CLIENT_MAX + 256 };

struct entry {
    struct steer_latency_row who; // the site is owned
    struct steer_estimate estimate;
    double rank;      // the higher the more it is worth
    uint32_t place;   // in the heap
    uint32_t changed; // its place in the list of those that changed, from 1; 0: it did not
};

struct pair {
    char *client, *site;
};

struct steer_estimates {
    uint32_t half_life_s, max;
    struct entry *entries;
    uint32_t *heap; // of entries, the lowest rank first
    size_t count, cap, heap_cap;
    struct steer_map index; // "client site" -> entry
    uint32_t *changed;      // entries
    size_t changed_count, changed_cap;
    struct pair *gone;
    size_t gone_count, gone_cap;
};

static const char *pair_text(const struct steer_latency_row *who, char out[PAIR_MAX])
{
    steer_latency_client_format(who, out, CLIENT_MAX);
    size_t len = strlen(out);
    out[len++] = ' ';
    strncpy(out + len, who->site, PAIR_MAX - len - 1);
    out[PAIR_MAX - 1] = '\0';
    return out;
}

// ---- the heap ------------------------------------------------------------------------------------

static void put_at(struct steer_estimates *set, size_t place, uint32_t entry)
{
    set->heap[place] = entry;
    set->entries[entry].place = (uint32_t)place;
}

static double rank_at(const struct steer_estimates *set, size_t place)
{
    return set->entries[set->heap[place]].rank;
}

static size_t sift_up(struct steer_estimates *set, size_t place)
{
    const uint32_t entry = set->heap[place];
    const double rank = set->entries[entry].rank;
    for (; place > 0 && rank < rank_at(set, (place - 1) / 2); place = (place - 1) / 2)
        put_at(set, place, set->heap[(place - 1) / 2]);
    put_at(set, place, entry);
    return place;
}

static void sift_down(struct steer_estimates *set, size_t place)
{
    const uint32_t entry = set->heap[place];
    const double rank = set->entries[entry].rank;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < set->count && rank_at(set, child + 1) < rank_at(set, child))
            child++;
        if (child >= set->count || rank <= rank_at(set, child))
            break;
        put_at(set, place, set->heap[child]);
        place = child;
    }
    put_at(set, place, entry);
}

static void sift(struct steer_estimates *set, size_t place)
{
    sift_down(set, sift_up(set, place));
}

static void order_heap(struct steer_estimates *set)
{
    for (size_t place = set->count / 2; place-- > 0;)
        sift_down(set, place);
}

static void rank_entry(const struct steer_estimates *set, struct entry *e)
{
    const uint64_t at = e->estimate.at_unix_s;
    const double weight = steer_estimate_weight(&e->estimate, at, set->half_life_s);
    e->rank = (weight > 0 ? log2(weight) : -1e9) + (double)at / set->half_life_s;
}

// ---- entries -------------------------------------------------------------------------------------

static void note_gone(struct steer_estimates *set, const struct steer_latency_row *who)
{
    char client[CLIENT_MAX];
    steer_latency_client_format(who, client, sizeof client);
    set->gone = steer_grow(set->gone, &set->gone_cap, set->gone_count + 1, sizeof *set->gone);
    set->gone[set->gone_count++] = (struct pair){steer_strdup(client), steer_strdup(who->site)};
}

static void free_site(const struct steer_latency_row *who)
{
    union {
        const char *in;
        char *out;
    } site = {.in = who->site};
    free(site.out);
}

static void note_changed(struct steer_estimates *set, struct entry *e)
{
    if (e->changed)
        return;
    set->changed =
        steer_grow(set->changed, &set->changed_cap, set->changed_count + 1, sizeof *set->changed);
    set->changed[set->changed_count++] = (uint32_t)(e - set->entries);
    e->changed = (uint32_t)set->changed_count;
}

static void forget_changed(struct steer_estimates *set, const struct entry *e)
{
    if (!e->changed)
        return;
    const uint32_t last = set->changed[--set->changed_count];
    set->changed[e->changed - 1] = last;
    set->entries[last].changed = e->changed;
}

// The last entry takes its number, and the last of the heap its place.
static void drop(struct steer_estimates *set, uint32_t number)
{
    struct entry *e = &set->entries[number];
    const uint32_t last = (uint32_t)set->count - 1;
    const size_t place = e->place;
    char pair[PAIR_MAX];
    note_gone(set, &e->who);
    forget_changed(set, e);
    steer_map_remove(&set->index, pair_text(&e->who, pair));
    free_site(&e->who);
    set->count--;
    if (place < set->count) {
        put_at(set, place, set->heap[set->count]);
        sift(set, place);
    }
    if (number != last) {
        *e = set->entries[last];
        set->heap[e->place] = number;
        if (e->changed)
            set->changed[e->changed - 1] = number;
        steer_map_put(&set->index, pair_text(&e->who, pair), number);
    }
}

static struct entry *find(const struct steer_estimates *set, const struct steer_latency_row *who)
{
    char pair[PAIR_MAX];
    uint32_t number;
    return steer_map_get(&set->index, pair_text(who, pair), &number) ? &set->entries[number] : NULL;
}

static struct entry *insert(struct steer_estimates *set, const struct steer_latency_row *who,
                            const struct steer_estimate *estimate)
{
    char pair[PAIR_MAX];
    while (set->count >= set->max)
        drop(set, set->heap[0]);
    const uint32_t number = (uint32_t)set->count;
    set->entries = steer_grow(set->entries, &set->cap, set->count + 1, sizeof *set->entries);
    set->heap = steer_grow(set->heap, &set->heap_cap, set->count + 1, sizeof *set->heap);
    struct entry *e = &set->entries[number];
    *e = (struct entry){.who = *who, .estimate = *estimate};
    e->who.site = steer_strdup(who->site);
    rank_entry(set, e);
    steer_map_put(&set->index, pair_text(who, pair), number);
    set->count++;
    put_at(set, number, number);
    sift(set, number);
    return &set->entries[number];
}

// ---- doors ---------------------------------------------------------------------------------------

struct steer_estimates *steer_estimates_create(uint32_t half_life_s, uint32_t max)
{
    struct steer_estimates *set = steer_calloc(1, sizeof *set);
    assert(half_life_s && max);
    set->half_life_s = half_life_s;
    set->max = max;
    return set;
}

void steer_estimates_destroy(struct steer_estimates *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        free_site(&set->entries[i].who);
    steer_estimates_saved(set);
    steer_map_fini(&set->index);
    free(set->entries);
    free(set->heap);
    free(set->changed);
    free(set->gone);
    free(set);
}

void steer_estimates_limit(struct steer_estimates *set, uint32_t half_life_s, uint32_t max)
{
    assert(half_life_s && max);
    set->max = max;
    if (set->half_life_s != half_life_s) {
        set->half_life_s = half_life_s;
        for (size_t i = 0; i < set->count; i++)
            rank_entry(set, &set->entries[i]);
        order_heap(set);
    }
    while (set->count > max)
        drop(set, set->heap[0]);
}

bool steer_estimates_add(struct steer_estimates *set, const struct steer_latency_row *who,
                         uint64_t now_unix_s, uint64_t window, uint32_t max_in_window)
{
    struct entry *e = find(set, who);
    if (e && e->estimate.window == window && e->estimate.used >= max_in_window)
        return false;
    if (!e)
        e = insert(set, who, &(struct steer_estimate){.at_unix_s = now_unix_s});
    if (e->estimate.window != window)
        e->estimate.used = 0;
    e->estimate.window = window;
    e->estimate.used++;
    steer_estimate_add(&e->estimate, who->rtt_us, now_unix_s, set->half_life_s);
    note_changed(set, e);
    rank_entry(set, e);
    sift(set, e->place);
    return true;
}

void steer_estimates_restore(struct steer_estimates *set, const struct steer_latency_row *who,
                             const struct steer_estimate *estimate)
{
    if (!find(set, who))
        insert(set, who, estimate);
}

// What is as of a time to come would neither lose weight until then nor make room.
static void bring_back(struct steer_estimates *set, uint64_t now_unix_s)
{
    bool any = false;
    for (size_t i = 0; i < set->count; i++) {
        struct entry *e = &set->entries[i];
        if (e->estimate.at_unix_s <= now_unix_s)
            continue;
        e->estimate.at_unix_s = now_unix_s;
        rank_entry(set, e);
        note_changed(set, e);
        any = true;
    }
    if (any)
        order_heap(set);
}

void steer_estimates_prune(struct steer_estimates *set, uint64_t now_unix_s, double min_weight)
{
    bring_back(set, now_unix_s);
    while (set->count && steer_estimate_weight(&set->entries[set->heap[0]].estimate, now_unix_s,
                                               set->half_life_s) < min_weight)
        drop(set, set->heap[0]);
}

void steer_estimates_drop(struct steer_estimates *set,
                          bool (*unwanted)(const void *ctx, const struct steer_latency_row *who),
                          const void *ctx)
{
    for (size_t i = set->count; i-- > 0;)
        if (unwanted(ctx, &set->entries[i].who))
            drop(set, (uint32_t)i);
}

size_t steer_estimates_count(const struct steer_estimates *set)
{
    return set->count;
}

uint32_t steer_estimates_half_life_s(const struct steer_estimates *set)
{
    return set->half_life_s;
}

const struct steer_estimate *steer_estimates_at(const struct steer_estimates *set, size_t index,
                                                const struct steer_latency_row **who)
{
    *who = &set->entries[index].who;
    return &set->entries[index].estimate;
}

enum steer_err steer_estimates_changes(const struct steer_estimates *set,
                                       const struct steer_estimates_writer *writer)
{
    enum steer_err err = STEER_OK;
    for (size_t i = 0; i < set->gone_count && !err; i++)
        err = writer->gone(writer->ctx, set->gone[i].client, set->gone[i].site);
    for (size_t i = 0; i < set->changed_count && !err; i++) {
        const struct entry *e = &set->entries[set->changed[i]];
        char client[CLIENT_MAX];
        err = writer->put(writer->ctx, steer_latency_client_format(&e->who, client, CLIENT_MAX),
                          e->who.site, &e->estimate);
    }
    return err;
}

void steer_estimates_saved(struct steer_estimates *set)
{
    for (size_t i = 0; i < set->gone_count; i++) {
        free(set->gone[i].client);
        free(set->gone[i].site);
    }
    set->gone_count = 0;
    for (size_t i = 0; i < set->changed_count; i++)
        set->entries[set->changed[i]].changed = 0;
    set->changed_count = 0;
}
