// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/control/vitals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/clock.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

enum { KEY_MAX = 512 };

struct pair {
    struct steer_vital vital;
    uint64_t definition; // hash of the endpoint's and the check's content
    bool used;
    uint32_t seen; // the last round of follow that met it
};

struct steer_vitals {
    struct steer_map pairs; // "endpoint\ncheck" -> index
    struct pair *items;
    size_t count, cap;
    size_t *free; // indices of items not in use
    size_t free_count, free_cap;
    struct steer_map keys; // the key in hexadecimal -> index
    uint64_t next_key;
    uint32_t round;
    struct steer_catalog *followed; // its endpoints and checks were handed to put; or NULL
    struct steer_override *overrides;
    size_t override_count, override_cap;
    struct steer_map override_index; // "kind\ntarget" -> index
    struct steer_switch_setting *switches;
    size_t switch_count, switch_cap;
};

static void join(char *out, const char *a, const char *b)
{
    snprintf(out, KEY_MAX, "%s\n%s", a, b);
}

static void key_text(char *out, uint64_t key)
{
    snprintf(out, KEY_MAX, "%llx", (unsigned long long)key);
}

static void switch_free(struct steer_switch_setting *s)
{
    free(s->name);
    free(s->position);
    free(s->reason);
    free(s->owner);
}

struct steer_vitals *steer_vitals_create(void)
{
    struct steer_vitals *v = steer_calloc(1, sizeof *v);
    v->next_key = 1;
    return v;
}

static void override_free(struct steer_override *o)
{
    free(o->kind);
    free(o->target);
    free(o->reason);
    free(o->owner);
}

void steer_vitals_destroy(struct steer_vitals *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++) {
        free(v->items[i].vital.endpoint);
        free(v->items[i].vital.check);
    }
    for (size_t i = 0; i < v->override_count; i++)
        override_free(&v->overrides[i]);
    for (size_t i = 0; i < v->switch_count; i++)
        switch_free(&v->switches[i]);
    free(v->switches);
    steer_map_fini(&v->pairs);
    steer_map_fini(&v->keys);
    steer_map_fini(&v->override_index);
    free(v->items);
    free(v->free);
    steer_catalog_unref(v->followed);
    free(v->overrides);
    free(v);
}

// ---- pairs ---------------------------------------------------------------------------------------

static struct pair *pair_add(struct steer_vitals *v, const char *endpoint, const char *check)
{
    char text[KEY_MAX];
    size_t index = v->free_count ? v->free[--v->free_count] : v->count++;
    v->items = steer_grow(v->items, &v->cap, v->count, sizeof *v->items);
    struct pair *p = &v->items[index];
    memset(p, 0, sizeof *p);
    p->used = true;
    p->vital.key = v->next_key++;
    p->vital.endpoint = steer_strdup(endpoint);
    p->vital.check = steer_strdup(check);
    join(text, endpoint, check);
    steer_map_put(&v->pairs, text, (uint32_t)index);
    key_text(text, p->vital.key);
    steer_map_put(&v->keys, text, (uint32_t)index);
    return p;
}

static void pair_drop(struct steer_vitals *v, struct pair *p)
{
    char text[KEY_MAX];
    join(text, p->vital.endpoint, p->vital.check);
    steer_map_remove(&v->pairs, text);
    key_text(text, p->vital.key);
    steer_map_remove(&v->keys, text);
    free(p->vital.endpoint);
    free(p->vital.check);
    memset(p, 0, sizeof *p);
    v->free = steer_grow(v->free, &v->free_cap, v->free_count + 1, sizeof *v->free);
    v->free[v->free_count++] = (size_t)(p - v->items);
}

static struct pair *pair_find(const struct steer_vitals *v, const char *endpoint, const char *check)
{
    char text[KEY_MAX];
    uint32_t index;
    join(text, endpoint, check);
    return steer_map_get(&v->pairs, text, &index) ? &v->items[index] : NULL;
}

struct steer_vital *steer_vitals_find(struct steer_vitals *v, const char *endpoint,
                                      const char *check)
{
    struct pair *p = pair_find(v, endpoint, check);
    return p ? &p->vital : NULL;
}

struct steer_vital *steer_vitals_by_key(struct steer_vitals *v, uint64_t key)
{
    char text[KEY_MAX];
    uint32_t index;
    key_text(text, key);
    return steer_map_get(&v->keys, text, &index) ? &v->items[index].vital : NULL;
}

// Most edits touch neither endpoints nor checks: then there is nothing to look for among thousands of pairs.
// Remembers the catalogue where somebody hears of the pairs.
static bool is_followed(struct steer_vitals *v, const struct steer_catalog *catalog, bool heard)
{
    const bool same = v->followed && steer_catalog_shares(v->followed, catalog, STEER_ENDPOINT) &&
                      steer_catalog_shares(v->followed, catalog, STEER_CHECK);
    steer_catalog_unref(v->followed);
    v->followed = heard ? steer_catalog_clone(catalog) : NULL;
    return same;
}

void steer_vitals_follow(struct steer_vitals *v, const struct steer_catalog *catalog,
                         void (*put)(void *ctx, const struct steer_vital *vital,
                                     const struct steer_object *endpoint,
                                     const struct steer_object *check),
                         void (*gone)(void *ctx, uint64_t key), void *ctx)
{
    if (is_followed(v, catalog, put != NULL))
        return;
    const struct steer_object **endpoints = steer_catalog_list(catalog, STEER_ENDPOINT);
    size_t count = steer_catalog_count(catalog, STEER_ENDPOINT);
    v->round++;
    for (size_t i = 0; i < count; i++) {
        const struct steer_endpoint *e = &endpoints[i]->endpoint;
        for (uint32_t c = 0; c < e->check_count; c++) {
            const struct steer_object *check =
                steer_catalog_get(catalog, STEER_CHECK, e->checks[c]);
            if (!check)
                continue;
            struct pair *p = pair_find(v, endpoints[i]->name, e->checks[c]);
            if (!p)
                p = pair_add(v, endpoints[i]->name, e->checks[c]);
            uint64_t definition = steer_mix64(endpoints[i]->hash) ^ check->hash;
            p->seen = v->round;
            p->vital.hysteresis = check->check.hysteresis;
            if (put && p->definition != definition) {
                put(ctx, &p->vital, endpoints[i], check);
                p->definition = definition;
            }
        }
    }
    for (size_t i = 0; i < v->count; i++) {
        if (!v->items[i].used || v->items[i].seen == v->round)
            continue;
        if (gone)
            gone(ctx, v->items[i].vital.key);
        pair_drop(v, &v->items[i]);
    }
    free(endpoints);
}

// ---- overrides -----------------------------------------------------------------------------------

void steer_vitals_override(struct steer_vitals *v, const struct steer_override *o)
{
    char text[KEY_MAX];
    struct steer_override copy = *o;
    copy.kind = steer_strdup(o->kind);
    copy.target = steer_strdup(o->target);
    copy.reason = steer_strdup(o->reason ? o->reason : "");
    copy.owner = steer_strdup(o->owner ? o->owner : "");
    join(text, o->kind, o->target);
    uint32_t index;
    if (steer_map_get(&v->override_index, text, &index)) {
        override_free(&v->overrides[index]);
        v->overrides[index] = copy;
        return;
    }
    v->overrides =
        steer_grow(v->overrides, &v->override_cap, v->override_count + 1, sizeof *v->overrides);
    steer_map_put(&v->override_index, text, (uint32_t)v->override_count);
    v->overrides[v->override_count++] = copy;
}

bool steer_vitals_clear_override(struct steer_vitals *v, const char *kind, const char *target)
{
    char text[KEY_MAX];
    uint32_t index;
    join(text, kind, target);
    if (!steer_map_get(&v->override_index, text, &index))
        return false;
    steer_map_remove(&v->override_index, text);
    override_free(&v->overrides[index]);
    v->overrides[index] = v->overrides[--v->override_count];
    if (index < v->override_count) {
        join(text, v->overrides[index].kind, v->overrides[index].target);
        steer_map_put(&v->override_index, text, index);
    }
    return true;
}

const struct steer_override *steer_vitals_get_override(const struct steer_vitals *v,
                                                       const char *kind, const char *target)
{
    char text[KEY_MAX];
    uint32_t index;
    if (!v->override_count)
        return NULL;
    join(text, kind, target);
    return steer_map_get(&v->override_index, text, &index) ? &v->overrides[index] : NULL;
}

size_t steer_vitals_override_count(const struct steer_vitals *v)
{
    return v->override_count;
}

const struct steer_override *steer_vitals_override_at(const struct steer_vitals *v, size_t i)
{
    return &v->overrides[i];
}

// ---- switches ------------------------------------------------------------------------------------

static struct steer_switch_setting *find_switch(const struct steer_vitals *v, const char *name)
{
    for (size_t i = 0; i < v->switch_count; i++)
        if (strcmp(v->switches[i].name, name) == 0)
            return &v->switches[i];
    return NULL;
}

void steer_vitals_set_switch(struct steer_vitals *v, const struct steer_switch_setting *setting)
{
    const struct steer_switch_setting copy = {
        steer_strdup(setting->name), steer_strdup(setting->position),
        steer_strdup(setting->reason ? setting->reason : ""),
        steer_strdup(setting->owner ? setting->owner : ""), setting->set_unix_s};
    struct steer_switch_setting *there = find_switch(v, setting->name);
    if (there) {
        switch_free(there);
        *there = copy;
        return;
    }
    v->switches = steer_grow(v->switches, &v->switch_cap, v->switch_count + 1, sizeof *v->switches);
    v->switches[v->switch_count++] = copy;
}

void steer_vitals_forget_switch(struct steer_vitals *v, const char *name)
{
    struct steer_switch_setting *there = find_switch(v, name);
    if (!there)
        return;
    switch_free(there);
    *there = v->switches[--v->switch_count];
}

const struct steer_switch_setting *steer_vitals_get_switch(const struct steer_vitals *v,
                                                           const char *name)
{
    return find_switch(v, name);
}

void steer_vitals_copy_switches(struct steer_vitals *to, const struct steer_vitals *from)
{
    for (size_t i = 0; i < from->switch_count; i++)
        steer_vitals_set_switch(to, &from->switches[i]);
}

size_t steer_vitals_switch_count(const struct steer_vitals *v)
{
    return v->switch_count;
}

const struct steer_switch_setting *steer_vitals_switch_at(const struct steer_vitals *v, size_t i)
{
    return &v->switches[i];
}

uint32_t steer_vitals_position(const struct steer_vitals *v, const struct steer_object *object)
{
    const struct steer_switch *control = &object->control_switch;
    const struct steer_switch_setting *setting = find_switch(v, object->name);
    const uint32_t at =
        setting ? steer_switch_position(control, setting->position) : control->position_count;
    return at < control->position_count ? at : control->initial;
}

// ---- the view ------------------------------------------------------------------------------------

// What an override says of an object, and who says so, as far as it is known.
struct forcing {
    enum steer_forced state;
    const char *on, *name, *reason, *owner;
    const struct steer_prefix *network; // of the clients for whom it holds; NULL: all of them
};

static void note_forcing(json_t *why, const struct forcing *f)
{
    char text[64];
    if (!why || !f)
        return;
    json_t *note = json_pack("{s:s,s:s,s:s,s:s,s:s}", "on", f->on, "name", f->name, "state",
                             steer_forced_text(f->state), "reason", f->reason, "owner", f->owner);
    if (f->network)
        json_object_set_new(note, "clients",
                            json_string(steer_prefix_format(f->network, text, sizeof text)));
    json_object_set_new(why, "override", note);
}

// The override for all clients; false where there is none.
static bool forced_for_all(const struct steer_vitals *v, const char *kind, const char *name,
                           struct forcing *f)
{
    const struct steer_override *o = steer_vitals_get_override(v, kind, name);
    if (o)
        *f = (struct forcing){o->state, o->kind, o->target, o->reason, o->owner, NULL};
    return o != NULL;
}

static struct forcing forced_by_effect(const struct steer_vitals_view *view,
                                       const struct steer_effect *effect, const char *name)
{
    const struct steer_rehearsed *by =
        steer_rehearsed_find(view->rehearsed, view->rehearsed_count, effect->on, name);
    if (!by)
        return (struct forcing){effect->up ? STEER_FORCED_UP : STEER_FORCED_DOWN,
                                steer_kind_text(effect->on),
                                name,
                                "",
                                "",
                                NULL};
    return (struct forcing){by->rehearsal->state,  steer_kind_text(effect->on), name,
                            by->rehearsal->reason, by->rehearsal->owner,        &by->network};
}

static const struct steer_effect *effect_on(const struct steer_effect *effects, uint32_t count,
                                            enum steer_kind on, uint32_t check)
{
    for (uint32_t i = 0; i < count; i++)
        if (effects[i].on == on && (on != STEER_CHECK || effects[i].check == check))
            return &effects[i];
    return NULL;
}

// The endpoint's own override, else its site's; of each the one for these clients before that for all.
static bool forced(const struct steer_vitals_view *view, const struct steer_object *endpoint,
                   const struct steer_effect *effects, uint32_t count, struct forcing *f)
{
    const char *site = endpoint->endpoint.site;
    const struct steer_effect *own = effect_on(effects, count, STEER_ENDPOINT, 0);
    const struct steer_effect *of_site = effect_on(effects, count, STEER_SITE, 0);
    if (own)
        *f = forced_by_effect(view, own, endpoint->name);
    else if (forced_for_all(view->vitals, "endpoint", endpoint->name, f))
        return true;
    else if (of_site)
        *f = forced_by_effect(view, of_site, site);
    return own || of_site || (site && forced_for_all(view->vitals, "site", site, f));
}

static void note_check(json_t *why, const char *check, const struct steer_vital *vital,
                       enum steer_verdict verdict, const struct forcing *f, bool read_as_up)
{
    char since[32] = "";
    json_t *list = json_object_get(why, "checks");
    if (!list) {
        list = json_array();
        json_object_set_new(why, "checks", list);
    }
    json_t *item = json_pack("{s:s,s:s}", "check", check, "verdict", steer_verdict_text(verdict));
    if (vital && vital->state.verdict != STEER_UNKNOWN) {
        json_object_set_new(
            item, "since",
            json_string(steer_time_format(vital->state.since_unix_s, since, sizeof since)));
        json_object_set_new(item, "reason", json_string(vital->state.reason));
    } else {
        json_object_set_new(item, "reason", json_string("no verdict yet"));
    }
    if (read_as_up)
        json_object_set_new(item, "read_as_up", json_true());
    note_forcing(item, f);
    json_array_append_new(list, item);
}

// effect: on the check, for the clients in question; or NULL. Where the checks that are forced for them decide, it stands
// for all; who is known is told the verdict of each.
static enum steer_verdict verdict_of(const struct steer_vitals_view *view, const char *endpoint,
                                     const char *check, const struct steer_effect *effect,
                                     bool as_up, json_t *why)
{
    if (view->rehearsed &&
        !steer_rehearsed_find(view->rehearsed, view->rehearsed_count, STEER_CHECK, check))
        effect = NULL;
    struct forcing f;
    const bool is_forced = effect || forced_for_all(view->vitals, "check", check, &f);
    const struct pair *p = pair_find(view->vitals, endpoint, check);
    const struct steer_object *object = steer_catalog_get(view->catalog, STEER_CHECK, check);
    enum steer_verdict verdict = STEER_UP;
    if (effect)
        f = forced_by_effect(view, effect, check);
    if (is_forced)
        verdict = f.state == STEER_FORCED_UP ? STEER_UP : STEER_DOWN;
    else if (p && p->vital.state.verdict != STEER_UNKNOWN)
        verdict = p->vital.state.verdict;
    else if (object) // as this catalogue has the check, whether or not vitals follow it yet
        verdict = object->check.hysteresis.initially;
    const bool read_as_up = as_up && !is_forced && verdict != STEER_UP;
    if (why)
        note_check(why, check, p ? &p->vital : NULL, verdict, is_forced ? &f : NULL, read_as_up);
    return read_as_up ? STEER_UP : verdict;
}

static enum steer_availability view_endpoint_under(void *ctx, const struct steer_object *endpoint,
                                                   const struct steer_effect *effects,
                                                   uint32_t count, bool checks_as_up, json_t *why)
{
    const struct steer_vitals_view *view = ctx;
    const struct steer_endpoint *e = &endpoint->endpoint;
    struct forcing f;
    const bool is_forced = forced(view, endpoint, effects, count, &f);
    uint32_t up = 0;
    for (uint32_t i = 0; (!is_forced || why) && i < e->check_count; i++)
        up += verdict_of(view, endpoint->name, e->checks[i],
                         effect_on(effects, count, STEER_CHECK, i), checks_as_up, why) == STEER_UP;
    if (!is_forced)
        return up >= e->checks_needed || e->check_count == 0 ? STEER_AVAILABLE : STEER_UNAVAILABLE;
    note_forcing(why, &f);
    return f.state == STEER_FORCED_UP        ? STEER_AVAILABLE
           : f.state == STEER_FORCED_DRAINED ? STEER_DRAINED
                                             : STEER_UNAVAILABLE;
}

static enum steer_availability view_endpoint(void *ctx, const struct steer_object *endpoint,
                                             bool checks_as_up, json_t *why)
{
    return view_endpoint_under(ctx, endpoint, NULL, 0, checks_as_up, why);
}

static enum steer_forced view_pool_under(void *ctx, const struct steer_object *pool,
                                         const struct steer_effect *effect, json_t *why)
{
    const struct steer_vitals_view *view = ctx;
    struct forcing f;
    if (effect)
        f = forced_by_effect(view, effect, pool->name);
    else if (!forced_for_all(view->vitals, "pool", pool->name, &f))
        return STEER_FORCED_NOT;
    note_forcing(why, &f);
    return f.state;
}

static enum steer_forced view_pool(void *ctx, const struct steer_object *pool, json_t *why)
{
    return view_pool_under(ctx, pool, NULL, why);
}

static uint32_t view_position(void *ctx, const struct steer_object *object, json_t *why)
{
    const struct steer_vitals_view *view = ctx;
    const struct steer_switch_setting *setting = find_switch(view->vitals, object->name);
    char set[32];
    if (why && setting)
        json_object_set_new(why, "set",
                            json_pack("{s:s,s:s,s:s}", "since",
                                      steer_time_format(setting->set_unix_s, set, sizeof set),
                                      "reason", setting->reason, "owner", setting->owner));
    return steer_vitals_position(view->vitals, object);
}

void steer_vitals_view_init(struct steer_vitals_view *view, const struct steer_vitals *vitals,
                            const struct steer_catalog *catalog)
{
    *view = (struct steer_vitals_view){.vitals = vitals, .catalog = catalog};
    view->view = (struct steer_view){.ctx = view,
                                     .endpoint = view_endpoint,
                                     .pool = view_pool,
                                     .position = view_position,
                                     .endpoint_under = view_endpoint_under,
                                     .pool_under = view_pool_under};
}

const char *steer_vitals_state(const struct steer_vitals_view *view,
                               const struct steer_object *endpoint)
{
    const struct steer_endpoint *e = &endpoint->endpoint;
    enum steer_availability a = view->view.endpoint(view->view.ctx, endpoint, false, NULL);
    if (a == STEER_DRAINED)
        return "drained";
    struct forcing f;
    bool known = e->check_count == 0 || forced(view, endpoint, NULL, 0, &f);
    for (uint32_t i = 0; i < e->check_count && !known; i++) {
        const struct pair *p = pair_find(view->vitals, endpoint->name, e->checks[i]);
        known = p && p->vital.state.verdict != STEER_UNKNOWN;
    }
    if (!known)
        return "unknown";
    return a == STEER_AVAILABLE ? "up" : "down";
}
