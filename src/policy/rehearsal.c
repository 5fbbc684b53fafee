// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/policy/rehearsal.h"

#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/base/mem.h"
#include "steerd/geo/nested.h"

// Each network with those that are for its clients.
struct steer_rehearsals {
    struct steer_arena arena; // of the texts and clients
    struct steer_rehearsal items[STEER_REHEARSALS_MAX];
    uint32_t count;
    struct steer_nested *networks; // value: where its row in `members` begins
    size_t network_count;
    uint32_t *members; // indices into items; a row ends with STEER_NESTED_NONE
    _Atomic uint32_t refs;
};

// ---- states --------------------------------------------------------------------------------------

static const char *const forced_names[] = {"none", "up", "down", "drained"};

bool steer_forced_parse(const char *text, enum steer_forced *state)
{
    for (unsigned i = 1; i < STEER_ARRAY_LEN(forced_names); i++) {
        if (strcmp(text, forced_names[i]) == 0) {
            *state = (enum steer_forced)i;
            return true;
        }
    }
    return false;
}

const char *steer_forced_text(enum steer_forced state)
{
    return forced_names[state];
}

// ---- clients -------------------------------------------------------------------------------------

static enum steer_err parse_network(const char *text, struct steer_prefix *prefix,
                                    struct steer_diag *diag)
{
    bool host_bits = false;
    char right[64];
    if (!steer_prefix_parse(text, prefix, &host_bits))
        return steer_diag_set(
            diag, STEER_EINVAL,
            host_bits ? "clients: '%.60s' has bits set beyond its length; the network is %s"
                      : "clients: '%.60s' is not a network like %s or 2001:db8::/48",
            text, host_bits ? steer_prefix_format(prefix, right, sizeof right) : "203.0.113.0/24");
    if (steer_prefix_in_embedding(prefix, right))
        return steer_diag_set(
            diag, STEER_EINVAL,
            "clients: '%.60s' holds IPv4 inside IPv6, which counts as IPv4: write %s", text, right);
    return STEER_OK;
}

static bool same_prefix(const struct steer_prefix *a, const struct steer_prefix *b)
{
    return a->len == b->len && steer_addr_equal(&a->addr, &b->addr);
}

static int by_prefix(const void *va, const void *vb)
{
    const struct steer_prefix *a = va, *b = vb;
    if (a->addr.family != b->addr.family)
        return a->addr.family < b->addr.family ? -1 : 1;
    const int order = memcmp(a->addr.octets, b->addr.octets, sizeof a->addr.octets);
    return order ? order : a->len < b->len ? -1 : a->len > b->len;
}

static void sort(struct steer_clients *clients)
{
    uint32_t kept = 0;
    qsort(clients->prefixes, clients->count, sizeof clients->prefixes[0], by_prefix);
    for (uint32_t i = 0; i < clients->count; i++)
        if (!kept || !same_prefix(&clients->prefixes[kept - 1], &clients->prefixes[i]))
            clients->prefixes[kept++] = clients->prefixes[i];
    clients->count = kept;
}

enum steer_err steer_clients_parse(const char *text, struct steer_clients *clients,
                                   struct steer_diag *diag)
{
    struct steer_clients found = {.count = 0};
    for (const char *at = text; *at || at == text;) {
        const size_t len = strcspn(at, ",");
        char *one = steer_strndup(at, len);
        if (found.count == STEER_REHEARSAL_CLIENTS_MAX) {
            free(one);
            return steer_diag_set(diag, STEER_ELIMIT,
                                  "clients: an override is for at most %d networks",
                                  STEER_REHEARSAL_CLIENTS_MAX);
        }
        enum steer_err err = parse_network(one, &found.prefixes[found.count++], diag);
        free(one);
        if (err != STEER_OK)
            return err;
        at += len;
        if (*at && !*++at) // a comma at the end
            return parse_network("", &found.prefixes[0], diag);
    }
    sort(&found);
    *clients = found;
    return STEER_OK;
}

void steer_clients_format(const struct steer_clients *clients, struct steer_buf *out)
{
    char text[64];
    for (uint32_t i = 0; i < clients->count; i++)
        steer_buf_printf(out, "%s%s", i ? "," : "",
                         steer_prefix_format(&clients->prefixes[i], text, sizeof text));
}

bool steer_clients_equal(const struct steer_clients *a, const struct steer_clients *b)
{
    bool equal = a->count == b->count;
    for (uint32_t i = 0; i < a->count && equal; i++)
        equal = same_prefix(&a->prefixes[i], &b->prefixes[i]);
    return equal;
}

// ---- sets ----------------------------------------------------------------------------------------

struct steer_rehearsals *steer_rehearsals_ref(const struct steer_rehearsals *set)
{
    struct steer_rehearsals *own = (struct steer_rehearsals *)(uintptr_t)set;
    if (own)
        own->refs++;
    return own;
}

void steer_rehearsals_unref(struct steer_rehearsals *set)
{
    if (!set || --set->refs)
        return;
    steer_arena_fini(&set->arena);
    free(set->networks);
    free(set->members);
    free(set);
}

size_t steer_rehearsals_count(const struct steer_rehearsals *set)
{
    return set ? set->count : 0;
}

const struct steer_rehearsal *steer_rehearsals_at(const struct steer_rehearsals *set, size_t i)
{
    return &set->items[i];
}

static bool same_object(const struct steer_rehearsal *a, enum steer_kind kind, const char *target)
{
    return a->kind == kind && strcmp(a->target, target) == 0;
}

const struct steer_rehearsal *steer_rehearsals_find(const struct steer_rehearsals *set,
                                                    enum steer_kind kind, const char *target,
                                                    const struct steer_clients *clients)
{
    for (size_t i = 0; i < steer_rehearsals_count(set); i++)
        if (same_object(&set->items[i], kind, target) &&
            steer_clients_equal(set->items[i].clients, clients))
            return &set->items[i];
    return NULL;
}

static bool is_for(const struct steer_rehearsal *r, const struct steer_prefix *network)
{
    return bsearch(network, r->clients->prefixes, r->clients->count, sizeof *network, by_prefix);
}

static void put_networks(struct steer_rehearsals *set)
{
    size_t named = 0;
    for (uint32_t i = 0; i < set->count; i++)
        named += set->items[i].clients->count;
    set->networks = steer_calloc(named, sizeof *set->networks);
    set->members = steer_calloc(2 * named, sizeof *set->members);
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t k = 0; k < set->items[i].clients->count; k++)
            set->networks[set->network_count++].prefix = set->items[i].clients->prefixes[k];
    set->network_count = steer_nested_sort(set->networks, set->network_count);
    uint32_t used = 0;
    for (size_t n = 0; n < set->network_count; n++) {
        set->networks[n].value = used;
        for (uint32_t i = 0; i < set->count; i++)
            if (is_for(&set->items[i], &set->networks[n].prefix))
                set->members[used++] = i;
        set->members[used++] = STEER_NESTED_NONE;
    }
}

static struct steer_rehearsals *begin(void)
{
    struct steer_rehearsals *set = steer_calloc(1, sizeof *set);
    steer_arena_init(&set->arena);
    set->refs = 1;
    return set;
}

static void copy_in(struct steer_rehearsals *set, const struct steer_rehearsal *from)
{
    struct steer_rehearsal *to = &set->items[set->count++];
    *to = *from;
    to->target = steer_arena_strdup(&set->arena, from->target);
    to->reason = steer_arena_strdup(&set->arena, from->reason);
    to->owner = steer_arena_strdup(&set->arena, from->owner);
    to->clients = steer_arena_memdup(&set->arena, from->clients, sizeof *from->clients);
}

// An empty set is none.
static struct steer_rehearsals *finish(struct steer_rehearsals *set)
{
    if (!set->count) {
        steer_rehearsals_unref(set);
        return NULL;
    }
    put_networks(set);
    return set;
}

static enum steer_err refuse_shared(const struct steer_rehearsal *there,
                                    const struct steer_prefix *network, struct steer_diag *diag)
{
    char text[64];
    struct steer_buf clients = {0};
    steer_clients_format(there->clients, &clients);
    enum steer_err err =
        steer_diag_set(diag, STEER_ECONFLICT,
                       "%s '%s' is overridden for %s already, by the override for %.600s; clear "
                       "that one first, or "
                       "give exactly its clients to replace it",
                       steer_kind_text(there->kind), there->target,
                       steer_prefix_format(network, text, sizeof text), clients.data);
    steer_buf_fini(&clients);
    return err;
}

enum steer_err steer_rehearsals_with(const struct steer_rehearsals *set,
                                     const struct steer_rehearsal *add,
                                     struct steer_rehearsals **with, struct steer_diag *diag)
{
    const struct steer_rehearsal *replaced =
        steer_rehearsals_find(set, add->kind, add->target, add->clients);
    const size_t count = steer_rehearsals_count(set);
    for (size_t i = 0; i < count; i++) {
        const struct steer_rehearsal *there = &set->items[i];
        if (there == replaced || !same_object(there, add->kind, add->target))
            continue;
        for (uint32_t k = 0; k < add->clients->count; k++)
            if (is_for(there, &add->clients->prefixes[k]))
                return refuse_shared(there, &add->clients->prefixes[k], diag);
    }
    if (!replaced && count == STEER_REHEARSALS_MAX)
        return steer_diag_set(diag, STEER_ELIMIT,
                              "there are %d overrides for some clients already, and not more are "
                              "possible; clear one first",
                              STEER_REHEARSALS_MAX);
    struct steer_rehearsals *next = begin();
    for (size_t i = 0; i < count; i++)
        if (&set->items[i] != replaced)
            copy_in(next, &set->items[i]);
    copy_in(next, add);
    *with = finish(next);
    return STEER_OK;
}

struct steer_rehearsals *steer_rehearsals_without(const struct steer_rehearsals *set,
                                                  const struct steer_rehearsal *gone)
{
    struct steer_rehearsals *next = begin();
    for (size_t i = 0; i < steer_rehearsals_count(set); i++)
        if (&set->items[i] != gone)
            copy_in(next, &set->items[i]);
    return finish(next);
}

static bool is_over(const struct steer_rehearsal *r, uint64_t now_unix_s)
{
    return r->expires_unix_s && r->expires_unix_s <= now_unix_s;
}

struct steer_rehearsals *steer_rehearsals_at_time(const struct steer_rehearsals *set,
                                                  uint64_t now_unix_s)
{
    bool some = false;
    for (size_t i = 0; i < steer_rehearsals_count(set) && !some; i++)
        some = is_over(&set->items[i], now_unix_s);
    if (!some)
        return steer_rehearsals_ref(set);
    struct steer_rehearsals *next = begin();
    for (size_t i = 0; i < steer_rehearsals_count(set); i++)
        if (!is_over(&set->items[i], now_unix_s))
            copy_in(next, &set->items[i]);
    return finish(next);
}

static void visit_unlike(const struct steer_rehearsals *a, const struct steer_rehearsals *b,
                         void (*visit)(void *ctx, enum steer_kind kind, const char *target),
                         void *ctx)
{
    for (size_t i = 0; i < steer_rehearsals_count(a); i++) {
        const struct steer_rehearsal *one = &a->items[i];
        const struct steer_rehearsal *other =
            steer_rehearsals_find(b, one->kind, one->target, one->clients);
        if (!other || other->state != one->state)
            visit(ctx, one->kind, one->target);
    }
}

void steer_rehearsals_differ(const struct steer_rehearsals *a, const struct steer_rehearsals *b,
                             void (*visit)(void *ctx, enum steer_kind kind, const char *target),
                             void *ctx)
{
    visit_unlike(a, b, visit, ctx);
    visit_unlike(b, a, visit, ctx);
}

// ---- one client ----------------------------------------------------------------------------------

const struct steer_rehearsed *steer_rehearsed_find(const struct steer_rehearsed *list, size_t count,
                                                   enum steer_kind kind, const char *target)
{
    for (size_t i = 0; i < count; i++)
        if (same_object(list[i].rehearsal, kind, target))
            return &list[i];
    return NULL;
}

size_t steer_rehearsals_for(const struct steer_rehearsals *set, const struct steer_prefix *client,
                            struct steer_rehearsed out[STEER_REHEARSALS_MAX])
{
    size_t count = 0;
    uint32_t at =
        set ? steer_nested_find(set->networks, set->network_count, client) : STEER_NESTED_NONE;
    for (; at != STEER_NESTED_NONE; at = set->networks[at].parent) {
        const uint32_t *member = &set->members[set->networks[at].value];
        for (; *member != STEER_NESTED_NONE; member++) {
            const struct steer_rehearsal *r = &set->items[*member];
            if (!steer_rehearsed_find(out, count, r->kind, r->target))
                out[count++] = (struct steer_rehearsed){r, set->networks[at].prefix};
        }
    }
    return count;
}
