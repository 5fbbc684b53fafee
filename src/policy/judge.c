// SPDX-License-Identifier: GPL-3.0-or-later
// Judging assertions. Start at steer_judge_holds. Equal residuals are one, so that what is found out about a class
// holds for all records that have it.
#include "steerd/policy/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "decide_internal.h"
#include "given.h"
#include "steerd/base/hash.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

bool steer_assertion_covers(const struct steer_object *assertion,
                            const struct steer_object *steered)
{
    const struct steer_assertion *a = &assertion->assertion;
    for (uint32_t i = 0; i < a->record_count; i++)
        if (steer_name_equal(a->records[i].octets, steered->steered.owner.octets))
            return true;
    return !a->record_count && strcmp(assertion->document, steered->document) == 0 &&
           (!a->zone || steer_name_equal(a->zone->octets, steered->steered.zone.octets));
}

// ---- targets -------------------------------------------------------------------------------------

const struct steer_object *steer_target_find(const struct steer_catalog *catalog,
                                             const struct steer_target *target)
{
    static const enum steer_kind kinds[] = {STEER_POOL, STEER_ENDPOINT, STEER_SITE};
    const struct steer_object *found = NULL;
    for (unsigned i = 0; !found && i < STEER_ARRAY_LEN(kinds); i++)
        if (target->kind == STEER_KINDS || target->kind == kinds[i])
            found = steer_catalog_get(catalog, kinds[i], target->name);
    return found;
}

bool steer_target_holds(const struct steer_object *target, const struct steer_object *endpoint)
{
    if (target->kind == STEER_ENDPOINT)
        return strcmp(target->name, endpoint->name) == 0;
    if (target->kind == STEER_SITE)
        return endpoint->endpoint.site && strcmp(target->name, endpoint->endpoint.site) == 0;
    for (uint32_t i = 0; i < target->pool.member_count; i++)
        if (strcmp(target->pool.members[i].endpoint, endpoint->name) == 0)
            return true;
    return false;
}

// ---- the judge -----------------------------------------------------------------------------------

// Whom assertions are about; many of a document are about the same.
struct clients {
    struct steer_whom whom; // an assertion's
    struct steer_population population;
    struct cut cut;
    struct clients *next;
};

// What one residual comes to by kind of loss, for each type, and for the addresses of both families together.
enum { LOSSES = 2, HOLDS = 1, BROKEN = 2, ADDRESSES = STEER_TYPES_MAX };
struct survival {
    uint8_t known[LOSSES][STEER_TYPES_MAX + 1];
    char down[LOSSES][STEER_TYPES_MAX + 1][64];
    uint16_t lost[LOSSES][STEER_TYPES_MAX + 1]; // the type that is
};

struct steer_judge {
    const struct steer_catalog *catalog;
    const struct steer_geo *geo;
    struct steer_residuals *residuals;
    struct steer_down down;
    struct steer_hypothesis as_set; // nothing is down
    struct steer_hypothesis lost;   // `down` is
    struct clients *clients;
    struct steer_ptrmap survivals; // residual, of which a reference is held -> survival
    struct steer_arena arena;      // of survivals
};

// What is forced for some clients only passes, and is no state of things to be judged.
static void leave_rehearsals_out(struct steer_hypothesis *h)
{
    h->view.endpoint_under = NULL;
    h->view.pool_under = NULL;
}

struct steer_judge *steer_judge_create(const struct steer_catalog *catalog,
                                       const struct steer_geo *geo,
                                       struct steer_residuals *residuals,
                                       const struct steer_view *base, bool now)
{
    struct steer_judge *j = steer_calloc(1, sizeof *j);
    j->catalog = catalog;
    j->geo = geo;
    j->residuals = residuals;
    steer_hypothesis_init(&j->as_set, base, !now, NULL, 0);
    steer_hypothesis_init(&j->lost, base, !now, &j->down, 1);
    leave_rehearsals_out(&j->as_set);
    leave_rehearsals_out(&j->lost);
    steer_ptrmap_init(&j->survivals);
    steer_arena_init(&j->arena);
    return j;
}

void steer_judge_destroy(struct steer_judge *j)
{
    if (!j)
        return;
    for (struct clients *c = j->clients, *next; c; c = next) {
        next = c->next;
        cut_fini(&c->cut);
        steer_population_fini(&c->population);
        free(c);
    }
    for (size_t i = 0; i < j->survivals.cap; i++)
        if (j->survivals.slots[i].value)
            steer_residual_unref(j->residuals, (struct steer_residual *)j->survivals.slots[i].key);
    steer_ptrmap_fini(&j->survivals);
    steer_arena_fini(&j->arena);
    free(j);
}

static bool same_whom(const struct steer_whom *a, const struct steer_whom *b)
{
    if (a->place_count != b->place_count || a->prefix_count != b->prefix_count ||
        a->asn_count != b->asn_count)
        return false;
    for (size_t i = 0; i < a->place_count; i++)
        if (memcmp(&a->places[i], &b->places[i], sizeof a->places[i]) != 0)
            return false;
    for (size_t i = 0; i < a->prefix_count; i++)
        if (a->prefixes[i].len != b->prefixes[i].len ||
            !steer_addr_equal(&a->prefixes[i].addr, &b->prefixes[i].addr))
            return false;
    for (size_t i = 0; i < a->asn_count; i++)
        if (a->asns[i] != b->asns[i])
            return false;
    return true;
}

static struct clients *clients_of(struct steer_judge *j, const struct steer_object *assertion)
{
    const struct steer_assertion *a = &assertion->assertion;
    const struct steer_whom whom = {a->places,       a->place_count, a->prefixes,
                                    a->prefix_count, a->asns,        a->asn_count};
    for (struct clients *c = j->clients; c; c = c->next)
        if (same_whom(&c->whom, &whom))
            return c;
    struct clients *c = steer_calloc(1, sizeof *c);
    c->whom = whom;
    steer_population_init(&c->population, j->geo, &whom);
    c->next = j->clients;
    return j->clients = c;
}

static const struct steer_population *population_of(struct steer_judge *j,
                                                    const struct steer_object *assertion,
                                                    const struct steer_classes *classes)
{
    struct clients *c = clients_of(j, assertion);
    return cut_population(&c->cut, &c->population, j->geo, &c->whom, classes->networks,
                          classes->network_count);
}

bool steer_judge_meets(struct steer_judge *j, const struct steer_object *assertion)
{
    return clients_of(j, assertion)->population.count > 0;
}

// ---- what a client would get ---------------------------------------------------------------------

static void add(char *out, size_t size, const char *fmt, ...) STEER_PRINTF(3, 4);
static void add(char *out, size_t size, const char *fmt, ...)
{
    const size_t used = strlen(out);
    va_list args;
    va_start(args, fmt);
    vsnprintf(out + used, size - used, fmt, args);
    va_end(args);
}

enum { OUTCOMES_SHOWN = 4 };

void steer_distribution_describe(const struct steer_distribution *d, uint16_t type, char *out,
                                 size_t size)
{
    char text[STEER_TYPE_TEXT_MAX];
    *out = '\0';
    if (!d->count) {
        add(out, size, "no %s record", steer_type_format(type, text));
        return;
    }
    for (uint32_t i = 0; i < d->count && i < OUTCOMES_SHOWN; i++) {
        const struct steer_outcome *o = &d->outcomes[i];
        add(out, size, "%s", i ? ", " : "");
        for (uint32_t e = 0; e < o->endpoint_count; e++)
            add(out, size, "%s%s", e ? "+" : "", o->endpoints[e]->name);
        if (o->fixed)
            add(out, size, "a fixed answer");
        if (d->count > 1)
            add(out, size, " %.4g%%", 100 * steer_share_value(o->share));
    }
    if (d->count > OUTCOMES_SHOWN)
        add(out, size, " and %u more", d->count - OUTCOMES_SHOWN);
    if (d->reads_up)
        add(out, size, ", with all checks read as up (serve_all)");
}

// The case under judgement.
struct trial {
    struct steer_judge *judge;
    const struct steer_object *assertion, *steered;
    const struct steer_classes *classes;
    const struct steer_population *population;
    struct steer_breach *breach;
    uint16_t type;
    bool together; // A and AAAA: one of them is enough
};

// What a class would get; the caller ends it. Shares of a sticky record are those of its slots.
static void decide(const struct trial *t, const struct steer_residual *root,
                   const struct steer_view *view, struct steer_distribution *d)
{
    if (t->steered->steered.draw.mode == STEER_DRAW_STICKY)
        steer_decide_sticky(root, view, t->type, d, NULL);
    else
        steer_decide(root, view, t->type, d, NULL);
}

static uint16_t class_of(const struct trial *t, const struct steer_people *people)
{
    return steer_classes_find(t->classes, people->location, &people->sample);
}

// Of a class those are named whose place is known, where there are any.
static const struct steer_people *face_of(const struct trial *t, const struct steer_people *first)
{
    const struct steer_population *p = t->population;
    const uint16_t class = class_of(t, first);
    for (size_t i = 0; i < p->count; i++)
        if (class_of(t, &p->items[i]) == class &&
            steer_geo_location(t->judge->geo, p->items[i].location)->place.continent[0])
            return &p->items[i];
    return first;
}

// Fills in the breach but for what leads to the message: "RECORD: LEAD a client at ADDRESS (PLACE) gets ...".
static void prove(const struct trial *t, const struct steer_people *people,
                  const struct steer_view *view, const char *lead)
{
    struct steer_breach *b = t->breach;
    people = face_of(t, people);
    const struct steer_residual *root = t->classes->roots[class_of(t, people)];
    const struct steer_place *place = &steer_geo_location(t->judge->geo, people->location)->place;
    struct steer_distribution d;
    char type[STEER_TYPE_TEXT_MAX], client[64];
    decide(t, root, view, &d);
    steer_distribution_describe(&d, t->type, b->gets, sizeof b->gets);
    steer_distribution_fini(&d);
    b->type = t->type;
    b->client = people->sample;
    steer_place_format(place, b->place, sizeof b->place);
    snprintf(b->message, sizeof b->message,
             "%.200s: %.120sa client at %s (%s) would get for %s: %.120s", t->steered->name, lead,
             steer_addr_format(&b->client, client, sizeof client),
             place->continent[0] ? b->place : "place unknown", steer_type_format(t->type, type),
             b->gets);
}

// ---- survive -------------------------------------------------------------------------------------

struct losses {
    struct steer_map seen; // names
    struct steer_down *items;
    size_t count, cap;
    enum steer_kind kind;
};

static void add_loss(void *ctx, const struct steer_object *object)
{
    struct losses *l = ctx;
    if (object->kind != STEER_ENDPOINT)
        return;
    const char *name = l->kind == STEER_SITE ? object->endpoint.site : object->name;
    if (!name || steer_map_get(&l->seen, name, NULL))
        return;
    steer_map_put(&l->seen, name, 1);
    l->items = steer_grow(l->items, &l->cap, l->count + 1, sizeof *l->items);
    l->items[l->count++] = (struct steer_down){l->kind, name};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct steer_down *)a)->name, ((const struct steer_down *)b)->name);
}

// With the view: neither serve_all nor, where there is data otherwise, NODATA.
static bool gives_well(const struct steer_residual *root, const struct steer_view *view,
                       uint16_t type, bool *gives)
{
    struct steer_distribution d;
    steer_decide(root, view, type, &d, NULL);
    const bool well = !d.reads_up && !d.exhausted;
    *gives = d.count > 0;
    steer_distribution_fini(&d);
    return well;
}

// Types of which one that is left is enough.
struct needed {
    const uint16_t *types;
    uint32_t count;
    uint16_t lost; // the one that is, if none is left
};

// Whether one of the types that were given `before` still is, and nothing is given badly. Bit i of a mask is types[i].
static bool enough(const struct steer_residual *root, const struct steer_view *view,
                   struct needed *needed, uint32_t before, uint32_t *given)
{
    *given = 0;
    for (uint32_t i = 0; i < needed->count; i++) {
        bool gives;
        needed->lost = needed->types[i];
        if (!gives_well(root, view, needed->types[i], &gives))
            return false;
        *given |= (uint32_t)gives << i;
    }
    for (uint32_t i = needed->count; i-- > 0;)
        if (before & 1U << i)
            needed->lost = needed->types[i];
    return !before || *given & before;
}

// Whether a class survives each loss; if not, down is the first one that it does not ("": it is lost as it is).
static bool survives(struct steer_judge *j, const struct steer_residual *root,
                     struct needed *needed, enum steer_kind kind, char down[64])
{
    struct losses losses = {.kind = kind};
    uint32_t before, then;
    *down = '\0';
    if (!enough(root, &j->as_set.view, needed, 0, &before))
        return false;
    if (!before) // nobody asked for data of these types
        return true;
    steer_residual_visit(root, add_loss, &losses);
    if (losses.count)
        qsort(losses.items, losses.count, sizeof *losses.items, by_name);
    bool well = true;
    for (size_t i = 0; i < losses.count && well; i++) {
        j->down = losses.items[i];
        well = enough(root, &j->lost.view, needed, before, &then);
        if (!well)
            snprintf(down, 64, "%s", losses.items[i].name);
    }
    steer_map_fini(&losses.seen);
    free(losses.items);
    return well;
}

// *type: the one that is lost.
static bool survives_known(const struct trial *t, struct steer_residual *root, char down[64],
                           uint16_t *type)
{
    static const uint16_t addresses[] = {STEER_TYPE_A, STEER_TYPE_AAAA};
    struct steer_judge *j = t->judge;
    const unsigned loss = t->assertion->assertion.kind == STEER_SURVIVE_SITE;
    void **slot = steer_ptrmap_at(&j->survivals, (uintptr_t)root);
    struct survival *s = *slot;
    if (!s) {
        *slot = s = steer_arena_calloc(&j->arena, sizeof *s);
        steer_residual_ref(root);
    }
    const unsigned at = t->together ? ADDRESSES : given_type_index(t->type);
    if (!s->known[loss][at]) {
        struct needed needed = {&t->type, 1, t->type};
        if (t->together)
            needed = (struct needed){addresses, STEER_ARRAY_LEN(addresses), t->type};
        const bool holds =
            survives(j, root, &needed, loss ? STEER_SITE : STEER_ENDPOINT, s->down[loss][at]);
        s->known[loss][at] = holds ? HOLDS : BROKEN;
        s->lost[loss][at] = needed.lost;
    }
    memcpy(down, s->down[loss][at], 64);
    *type = s->lost[loss][at];
    return s->known[loss][at] == HOLDS;
}

static bool judge_survival(const struct trial *t, const struct steer_people *people)
{
    struct steer_breach *b = t->breach;
    struct steer_judge *j = t->judge;
    struct trial lost = *t;
    char lead[120] = "with everything as it is set, ";
    struct steer_residual *root = t->classes->roots[class_of(t, people)];
    if (survives_known(t, root, b->down, &lost.type))
        return true;
    b->down_kind = t->assertion->assertion.kind == STEER_SURVIVE_SITE ? STEER_SITE : STEER_ENDPOINT;
    j->down = (struct steer_down){b->down_kind, b->down};
    if (b->down[0])
        snprintf(lead, sizeof lead, "with %s %s down, ", steer_kind_text(b->down_kind), b->down);
    prove(&lost, people, b->down[0] ? &j->lost.view : &j->as_set.view, lead);
    return false;
}

// ---- only, never ---------------------------------------------------------------------------------

static bool in_targets(const struct trial *t, const struct steer_object *endpoint)
{
    const struct steer_assertion *a = &t->assertion->assertion;
    for (uint32_t i = 0; i < a->target_count; i++) {
        const struct steer_object *target = steer_target_find(t->judge->catalog, &a->targets[i]);
        if (target && steer_target_holds(target, endpoint))
            return true;
    }
    return false;
}

// A fixed answer names no endpoint: it is none of the targets.
static bool allowed(const struct trial *t, const struct steer_outcome *o)
{
    const bool only = t->assertion->assertion.kind == STEER_ONLY;
    if (o->fixed)
        return !only;
    for (uint32_t i = 0; i < o->endpoint_count; i++)
        if (in_targets(t, o->endpoints[i]) != only)
            return false;
    return true;
}

static bool judge_outcomes(const struct trial *t, const struct steer_people *people)
{
    const struct steer_residual *root = t->classes->roots[class_of(t, people)];
    struct steer_distribution d;
    bool holds = true;
    decide(t, root, &t->judge->as_set.view, &d);
    for (uint32_t i = 0; i < d.count && holds; i++)
        holds = !d.outcomes[i].share.num || allowed(t, &d.outcomes[i]);
    steer_distribution_fini(&d);
    if (!holds)
        prove(t, people, &t->judge->as_set.view, "");
    return holds;
}

// ---- share ---------------------------------------------------------------------------------------

static struct steer_share share_of_class(const struct trial *t, const struct steer_residual *root)
{
    struct steer_share sum = {0, 1};
    struct steer_distribution d;
    decide(t, root, &t->judge->as_set.view, &d);
    for (uint32_t i = 0; i < d.count; i++)
        for (uint32_t e = 0; e < d.outcomes[i].endpoint_count; e++)
            if (in_targets(t, d.outcomes[i].endpoints[e])) {
                sum = steer_share_add(sum, d.outcomes[i].share);
                break;
            }
    steer_distribution_fini(&d);
    return sum;
}

// The share over a family's population; *extreme: who gets the most of it (or the least).
static struct steer_share share_of(const struct trial *t, const struct steer_share *by_class,
                                   bool v6, bool most, const struct steer_people **extreme)
{
    const struct steer_population *p = t->population;
    const uint64_t total = v6 ? p->v6 : p->v4;
    struct steer_share sum = {0, 1};
    uint64_t *people = steer_calloc(t->classes->class_count, sizeof *people);
    double best = 0;
    *extreme = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const uint64_t n = v6 ? p->items[i].v6 : p->items[i].v4;
        const uint16_t class = class_of(t, &p->items[i]);
        const double value = steer_share_value(by_class[class]) * (most ? 1 : -1);
        people[class] += n;
        if (!n || (*extreme && value <= best))
            continue;
        best = value;
        *extreme = &p->items[i];
    }
    for (uint32_t c = 0; c < t->classes->class_count; c++)
        if (people[c])
            sum = steer_share_add(
                sum, steer_share_multiply(steer_share_of(people[c], total), by_class[c]));
    free(people);
    return sum;
}

// share > ppm / 10^6, exactly.
static int compare(struct steer_share share, uint32_t ppm)
{
    __extension__ const unsigned __int128 a = (unsigned __int128)share.num * 1000000;
    __extension__ const unsigned __int128 b = (unsigned __int128)share.den * ppm;
    return a < b ? -1 : a > b;
}

// "us has 12% of the IPv4 clients, more than 10%", with as many digits as tell the two apart.
static void describe_share(char *out, size_t size, const char *of, struct steer_share share, int v6,
                           bool above, uint32_t bound_ppm)
{
    const double percent = 100 * steer_share_value(share);
    char has[20], bound[16];
    snprintf(has, sizeof has, "%.6g", percent);
    snprintf(bound, sizeof bound, "%g", (double)bound_ppm / 10000);
    if (strcmp(has, bound) == 0)
        snprintf(has, sizeof has, "%.12g", percent);
    snprintf(out, size, "%.40s has %s%% of the IPv%d clients, %s than %s%%; ", of, has, v6 ? 6 : 4,
             above ? "more" : "less", bound);
}

static bool judge_share(const struct trial *t)
{
    const struct steer_assertion *a = &t->assertion->assertion;
    struct steer_share *by_class = steer_calloc(t->classes->class_count, sizeof *by_class);
    bool holds = true;
    for (uint32_t c = 0; c < t->classes->class_count; c++)
        by_class[c] = share_of_class(t, t->classes->roots[c]);
    for (int v6 = 0; v6 < 2 && holds; v6++) {
        const struct steer_people *who;
        if (!(v6 ? t->population->v6 : t->population->v4))
            continue;
        const struct steer_share share = share_of(t, by_class, v6, true, &who);
        const bool above = a->has_max && compare(share, a->max_ppm) > 0;
        const bool below = a->has_min && compare(share, a->min_ppm) < 0;
        holds = !above && !below;
        if (holds)
            continue;
        char lead[140];
        if (below)
            (void)share_of(t, by_class, v6, false, &who);
        describe_share(lead, sizeof lead, a->targets[0].name, share, v6, above,
                       above ? a->max_ppm : a->min_ppm);
        prove(t, who, &t->judge->as_set.view, lead);
    }
    free(by_class);
    return holds;
}

// ---- all of it -----------------------------------------------------------------------------------

// Classes that were judged for the type already need no second look.
static bool judge_type(const struct trial *t)
{
    const struct steer_population *p = t->population;
    if (t->assertion->assertion.kind == STEER_SHARE)
        return judge_share(t);
    bool *judged = steer_calloc(t->classes->class_count, sizeof *judged);
    bool holds = true;
    for (size_t i = 0; i < p->count && holds; i++) {
        const uint16_t class = class_of(t, &p->items[i]);
        if (judged[class])
            continue;
        judged[class] = true;
        holds = t->assertion->assertion.kind <= STEER_SURVIVE_ENDPOINT
                    ? judge_survival(t, &p->items[i])
                    : judge_outcomes(t, &p->items[i]);
    }
    free(judged);
    return holds;
}

static bool gives_addresses(const struct given_types *types)
{
    for (unsigned i = 0; i < types->count; i++)
        if (types->types[i] == STEER_TYPE_A || types->types[i] == STEER_TYPE_AAAA)
            return true;
    return false;
}

bool steer_judge_holds(struct steer_judge *j, const struct steer_object *assertion,
                       const struct steer_object *steered, const struct steer_classes *classes,
                       struct steer_breach *breach)
{
    struct given given;
    struct given_types types;
    *breach = (struct steer_breach){.down_kind = STEER_KINDS};
    struct trial t = {.judge = j,
                      .assertion = assertion,
                      .steered = steered,
                      .classes = classes,
                      .population = population_of(j, assertion, classes),
                      .breach = breach};
    given_init(&given);
    for (uint32_t c = 0; c < classes->class_count; c++)
        given_add(&given, classes->roots[c]);
    given_types(&given, &steered->steered, &types);
    given_fini(&given);
    // Who loses one family has the other.
    t.together = assertion->assertion.kind <= STEER_SURVIVE_ENDPOINT &&
                 !assertion->assertion.each_type && gives_addresses(&types);
    if (t.together) {
        t.type = STEER_TYPE_A;
        return judge_type(&t);
    }
    bool holds = true;
    for (unsigned i = 0; i < types.count && holds; i++) {
        t.type = types.types[i];
        holds = types.like[i] != i || judge_type(&t); // what holds for one holds for those like it
    }
    return holds;
}
