// SPDX-License-Identifier: GPL-3.0-or-later
// What each kind of node comes to. Availability never looks at the asked type; only the draw of
// weighted nodes and pools does. Start at steer_eval_node, then steer_eval_kind.
#include <string.h>

#include "decide_internal.h"
#include "steerd/base/hash.h"
#include "steerd/wire/message.h"

static const struct steer_share WHOLE = {1, 1};
static const struct steer_share NO_SHARE = {0, 1};

uint32_t steer_minimum_need(struct steer_minimum minimum, uint32_t count)
{
    uint64_t need = minimum.value;
    if (minimum.percent)
        need = ((uint64_t)minimum.value * count + 99) / 100;
    return need > UINT32_MAX ? UINT32_MAX : need ? (uint32_t)need : 1;
}

bool steer_endpoint_gives(const struct steer_endpoint *endpoint, uint16_t type)
{
    return (type == STEER_TYPE_A && endpoint->has_v4) ||
           (type == STEER_TYPE_AAAA && endpoint->has_v6) ||
           ((type == STEER_TYPE_CNAME || type == STEER_TYPE_MX) && endpoint->has_hostname) ||
           (type == STEER_TYPE_SRV && endpoint->srv_port) ||
           (type == STEER_TYPE_HTTPS && endpoint->https.priority) ||
           (type == STEER_TYPE_SVCB && endpoint->svcb.priority);
}

// ---- choices and lists of them -------------------------------------------------------------------

static bool choice_equal(const struct steer_eval *e, const struct steer_choice *a,
                         const struct steer_object *const *endpoints, uint32_t count,
                         const struct steer_fixed *fixed)
{
    if (fixed)
        return a->fixed == fixed || (a->fixed && !e->apart && steer_fixed_equal(a->fixed, fixed));
    return !a->fixed && a->endpoint_count == count &&
           (!count || memcmp(a->endpoints, endpoints, count * sizeof endpoints[0]) == 0);
}

struct steer_choice *steer_eval_choice(struct steer_eval *e,
                                       const struct steer_object *const *endpoints, uint32_t count,
                                       const struct steer_fixed *fixed)
{
    uint64_t hash = fixed ? steer_fixed_hash(fixed) : 0;
    for (uint32_t i = 0; i < count; i++)
        hash = steer_mix64(hash ^ (uintptr_t)endpoints[i]);
    void **chain = steer_ptrmap_at(&e->choices, (uintptr_t)(hash | 1));
    for (struct steer_choice *c = *chain; c; c = c->next)
        if (choice_equal(e, c, endpoints, count, fixed))
            return c;
    struct steer_choice *made = steer_arena_calloc(e->lasting, sizeof *made);
    made->fixed = fixed;
    made->origin = hash;
    made->endpoint_count = count;
    if (count)
        made->endpoints = steer_arena_memdup(e->lasting, endpoints, count * sizeof endpoints[0]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cap = endpoints[i]->endpoint.ttl_cap_s;
        if (cap && (!made->ttl_cap_s || cap < made->ttl_cap_s))
            made->ttl_cap_s = cap;
    }
    made->next = *chain;
    return *chain = made;
}

void steer_list_init(struct steer_eval *e, struct steer_list *list)
{
    *list = (struct steer_list){.stamp = ++e->stamp};
}

void steer_list_add(struct steer_eval *e, struct steer_list *list, struct steer_choice *choice,
                    struct steer_share share)
{
    if (choice->stamp == list->stamp) {
        struct steer_item *item = &list->items[choice->at];
        item->share = steer_share_add(item->share, share);
        return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 4;
        struct steer_item *items = steer_arena_alloc(e->arena, list->cap * sizeof *items);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
    }
    choice->stamp = list->stamp;
    choice->at = list->count;
    list->items[list->count++] = (struct steer_item){choice, share};
}

static void add_scaled(struct steer_eval *e, struct steer_list *list,
                       const struct steer_result *result, struct steer_share share)
{
    for (uint32_t i = 0; i < result->count; i++)
        steer_list_add(e, list, result->items[i].choice,
                       steer_share_multiply(result->items[i].share, share));
}

static void take_list(struct steer_result *r, const struct steer_list *list)
{
    r->items = list->items;
    r->count = list->count;
    r->slots = NULL;
}

static void take_only(struct steer_eval *e, struct steer_result *r, struct steer_choice *choice)
{
    struct steer_list list;
    steer_list_init(e, &list);
    steer_list_add(e, &list, choice, WHOLE);
    take_list(r, &list);
}

// What another node came to, in the place of r.
static void take_result(struct steer_result *r, const struct steer_result *from)
{
    r->available = from->available;
    r->served_all = from->served_all;
    r->reads_up = from->reads_up;
    r->exhausted = from->exhausted;
    r->items = from->items;
    r->count = from->count;
    r->slots = from->slots;
}

// ---- the view ------------------------------------------------------------------------------------

void steer_eval_begin(struct steer_eval *e, const struct steer_residual *root,
                      const struct steer_view *view)
{
    const bool rehearsal = root->kind == STEER_R_REHEARSAL;
    const bool told = rehearsal && view->endpoint_under && view->pool_under;
    e->view = view;
    e->effects = told ? root->effects : NULL;
    e->effect_count = told ? root->effect_count : 0;
    e->root = rehearsal ? root->children[0] : root;
}

static enum steer_availability
ask_endpoint(const struct steer_eval *e, const struct steer_object *object, bool as_up, json_t *why)
{
    uint32_t count;
    const struct steer_effect *effects =
        steer_effects_of(e->effects, e->effect_count, object, &count);
    return effects ? e->view->endpoint_under(e->view->ctx, object, effects, count, as_up, why)
                   : e->view->endpoint(e->view->ctx, object, as_up, why);
}

static enum steer_forced ask_pool(const struct steer_eval *e, const struct steer_object *object,
                                  json_t *why)
{
    uint32_t count;
    const struct steer_effect *effect =
        steer_effects_of(e->effects, e->effect_count, object, &count);
    if (effect)
        return e->view->pool_under(e->view->ctx, object, effect, why);
    return e->view->pool ? e->view->pool(e->view->ctx, object, why) : STEER_FORCED_NOT;
}

// ---- leaves --------------------------------------------------------------------------------------

static const char *lacks(struct steer_eval *e, const struct steer_residual *n)
{
    if (!e->tracing)
        return NULL;
    static const struct {
        uint16_t type;
        const char *text;
    } words[] = {
        {STEER_TYPE_A, "lacks an A address"},   {STEER_TYPE_AAAA, "lacks an AAAA address"},
        {STEER_TYPE_CNAME, "lacks a hostname"}, {STEER_TYPE_MX, "lacks a hostname"},
        {STEER_TYPE_SRV, "has no 'srv'"},       {STEER_TYPE_HTTPS, "has no 'https'"},
        {STEER_TYPE_SVCB, "has no 'svcb'"},
    };
    for (size_t i = 0; n->kind == STEER_R_ENDPOINT && i < STEER_ARRAY_LEN(words); i++)
        if (words[i].type == e->type)
            return words[i].text;
    return "gives nothing of this type";
}

// How many of several checks are needed, where it is not all of them.
static void trace_needed(json_t *node, const struct steer_endpoint *endpoint)
{
    char text[48];
    if (!node || endpoint->checks_needed >= endpoint->check_count)
        return;
    snprintf(text, sizeof text, "%u of %u checks", endpoint->checks_needed, endpoint->check_count);
    steer_trace_text(node, "needs", text);
}

static void eval_endpoint(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                          struct steer_result *r)
{
    json_t *why = e->tracing ? json_object() : NULL;
    enum steer_availability state = ask_endpoint(e, n->object, as_up, why);
    r->available = state == STEER_AVAILABLE;
    steer_trace_why(r->trace,
                    state == STEER_DRAINED ? "drained"
                    : r->available         ? NULL
                                           : "down",
                    why);
    trace_needed(r->trace, &n->object->endpoint);
    if (!r->available)
        return;
    if (steer_endpoint_gives(&n->object->endpoint, e->type))
        take_only(e, r, steer_eval_choice(e, &n->object, 1, NULL));
    else
        steer_trace_reason(r->trace, "%s", lacks(e, n));
}

static void eval_answer(struct steer_eval *e, const struct steer_residual *n,
                        struct steer_result *r)
{
    r->available = true;
    for (uint32_t i = 0; i < n->node->fixed_count; i++) {
        if (n->node->fixed[i].type != e->type)
            continue;
        struct steer_choice *choice = steer_eval_choice(e, NULL, 0, &n->node->fixed[i]);
        choice->origin = steer_mix64((uintptr_t)n->node);
        take_only(e, r, choice);
    }
    if (!r->count)
        steer_trace_reason(r->trace, "%s", lacks(e, n));
}

// ---- weighted and pool ---------------------------------------------------------------------------

struct draw {
    struct steer_drawn *all;    // each child
    struct steer_drawn **taken; // those that take part
    uint32_t taken_count;
    uint32_t available;
};

// Evaluates the children and says which take part: the available ones with a positive weight, or,
// where there is none, the others with equal shares; then only those that have the asked type.
static void draw_prepare(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                         struct draw *d, struct steer_result *r)
{
    d->all = steer_arena_calloc(e->arena, n->child_count * sizeof *d->all);
    d->taken = steer_arena_calloc(e->arena, n->child_count * sizeof(struct steer_drawn *));
    bool positive = false;
    for (uint32_t i = 0; i < n->child_count; i++) {
        const struct steer_result *child = steer_eval_node(e, n->children[i], as_up);
        d->all[i] = (struct steer_drawn){
            .child = n->children[i], .result = child, .place = i, .share = NO_SHARE};
        d->available += child->available;
        positive |= child->available && n->weights[i];
    }
    bool exhausted = d->available > 0;
    for (uint32_t i = 0; i < n->child_count; i++) {
        struct steer_drawn *member = &d->all[i];
        if (!member->result->available)
            continue;
        if (positive && !n->weights[i]) {
            member->reason = "weight 0, others are available";
            continue;
        }
        exhausted &= member->result->exhausted;
        member->weight = positive ? n->weights[i] : 1;
        if (member->result->count) {
            r->served_all |= member->result->served_all;
            r->reads_up |= member->result->reads_up;
            d->taken[d->taken_count++] = member;
        } else {
            member->reason = lacks(e, member->child);
        }
    }
    r->exhausted = exhausted;
}

static void draw_trace(struct steer_eval *e, const struct steer_residual *n, const struct draw *d,
                       struct steer_result *r, bool as_up)
{
    for (uint32_t i = 0; e->tracing && i < n->child_count; i++)
        steer_trace_candidate(r->trace, n->children[i], steer_eval_node(e, n->children[i], as_up),
                              n->weights[i], d->all[i].share, d->all[i].reason);
}

static void judge_minimum(const struct steer_residual *n, uint32_t available,
                          struct steer_result *r)
{
    uint32_t need = steer_minimum_need(n->min_available, n->child_count);
    r->available = available >= need;
    if (r->available)
        return;
    r->served_all = r->reads_up = r->exhausted = false;
    if (need == 1)
        steer_trace_reason(r->trace, "nothing in it is available");
    else
        steer_trace_reason(r->trace, "below min_available %u of %u: %u available", need,
                           n->child_count, available);
}

static void eval_weighted(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                          struct steer_result *r)
{
    struct draw d = {0};
    draw_prepare(e, n, as_up, &d, r);
    judge_minimum(n, d.available, r);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < d.taken_count; i++)
        sum += d.taken[i]->weight;
    struct steer_list list;
    steer_list_init(e, &list);
    for (uint32_t i = 0; r->available && i < d.taken_count; i++) {
        d.taken[i]->share = steer_share_of(d.taken[i]->weight, sum);
        add_scaled(e, &list, d.taken[i]->result, d.taken[i]->share);
    }
    take_list(r, &list);
    if (e->sticky)
        steer_slots_weighted(e, n, d.taken, d.taken_count, r);
    draw_trace(e, n, &d, r, as_up);
}

static void eval_pool(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                      struct steer_result *r)
{
    json_t *why = e->tracing ? json_object() : NULL;
    enum steer_forced forced = ask_pool(e, n->object, why);
    bool off = forced == STEER_FORCED_DOWN || forced == STEER_FORCED_DRAINED;
    steer_trace_why(r->trace, !off ? NULL : forced == STEER_FORCED_DOWN ? "down" : "drained", why);
    if (off)
        return;
    struct draw d = {0};
    as_up |= forced == STEER_FORCED_UP;
    draw_prepare(e, n, as_up, &d, r);
    judge_minimum(n, d.available, r);
    // Drains and overrides of its members hold: with nothing to give it is not up.
    if (forced == STEER_FORCED_UP && d.available && !r->available) {
        r->available = true;
        steer_trace_reason(r->trace, "an override holds it up");
    }
    struct steer_list list;
    steer_list_init(e, &list);
    if (r->available)
        steer_draw_pool(e, &n->object->pool, d.taken, d.taken_count, &list);
    take_list(r, &list);
    if (e->sticky)
        steer_slots_pool(e, n, r);
    draw_trace(e, n, &d, r, as_up);
}

// ---- failover, geo, network and fence ---------------------------------------------------------------------

// The first available child, of which trickle_ppm leak to the next available one. A child that is
// empty for this type is chosen all the same; a leak to one that is empty stays with the first.
static void give_first(struct steer_eval *e, const struct steer_residual *n,
                       struct steer_result *first, struct steer_result *next,
                       struct steer_share *first_share, struct steer_share *next_share,
                       struct steer_result *r)
{
    take_result(r, first);
    *first_share = WHOLE;
    *next_share = NO_SHARE;
    if (!next || !first->count || !next->count)
        return;
    struct steer_list list;
    uint32_t leak = n->trickle_ppm < 1000000 ? n->trickle_ppm : 1000000;
    *first_share = steer_share_of(1000000 - leak, 1000000);
    *next_share = steer_share_of(leak, 1000000);
    steer_list_init(e, &list);
    if (first_share->num)
        add_scaled(e, &list, first, *first_share);
    add_scaled(e, &list, next, *next_share);
    take_list(r, &list);
    r->served_all |= next->served_all;
    r->reads_up |= next->reads_up;
}

static void eval_ordered(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                         struct steer_result *r)
{
    uint32_t need = steer_minimum_need(n->min_available, n->child_count);
    uint32_t wanted = n->trickle_ppm ? 2 : 1; // how many available ones are given
    struct steer_result *given[2] = {0};
    uint32_t place[2] = {UINT32_MAX, UINT32_MAX};
    uint32_t available = 0;
    uint32_t reached = 0;
    for (; reached < n->child_count && (available < need || available < wanted); reached++) {
        struct steer_result *child = steer_eval_node(e, n->children[reached], as_up);
        if (!child->available)
            continue;
        if (available < wanted) {
            given[available] = child;
            place[available] = reached;
        }
        available++;
    }
    judge_minimum(n, available, r);
    struct steer_share share[2] = {NO_SHARE, NO_SHARE};
    if (r->available)
        give_first(e, n, given[0], given[1], &share[0], &share[1], r);
    if (e->sticky && share[0].num && share[1].num)
        steer_slots_trickle(e, n, given, place, share, r);
    for (uint32_t i = 0; e->tracing && i < n->child_count; i++) {
        const char *reason = i == place[1] && share[1].num ? "trickle" : NULL;
        bool visited = i < reached;
        struct steer_result *child = visited ? steer_eval_node(e, n->children[i], as_up) : NULL;
        if (!visited || (r->available && child->available && i != place[0] && i != place[1]))
            reason = "not reached: an earlier one is available";
        steer_trace_candidate(r->trace, n->children[i], child, -1,
                              i == place[0]   ? share[0]
                              : i == place[1] ? share[1]
                                              : NO_SHARE,
                              reason);
    }
}

// The child at the position of the switch.
static void eval_switch(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                        struct steer_result *r)
{
    const struct steer_switch *control = &n->object->control_switch;
    json_t *why = e->tracing ? json_object() : NULL;
    uint32_t at = control->initial;
    if (e->view->position)
        at = e->view->position(e->view->ctx, n->object, why);
    steer_trace_why(r->trace, NULL, why);
    steer_trace_text(r->trace, "position", control->positions[at]);
    struct steer_result *child = steer_eval_node(e, n->children[at], as_up);
    take_result(r, child);
    r->available = child->available;
    for (uint32_t i = 0; e->tracing && i < n->child_count; i++)
        steer_trace_candidate(r->trace, n->children[i], i == at ? child : NULL, -1,
                              i == at && child->available ? WHOLE : NO_SHARE,
                              i == at ? NULL : "the switch is at another position");
}

// Terminal for the whole tree: always available to its parent. Where the child is not, the root's
// when_unavailable speaks for the child alone; a substitute is a way around the fence and is not
// taken.
static void eval_fence(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                       struct steer_result *r)
{
    struct steer_residual *fenced = n->children[0];
    struct steer_result *child = steer_eval_node(e, fenced, as_up);
    steer_trace_attach(r->trace, "child", fenced, child);
    take_result(r, child);
    r->available = true;
    if (child->available)
        return;
    r->count = 0;
    if (e->root->when == STEER_WHEN_SERVE_NONE) {
        steer_trace_text(r->trace, "when_unavailable", "serve_none");
        return;
    }
    if (!as_up) {
        child = steer_eval_node(e, fenced, true);
        steer_trace_text(r->trace, "when_unavailable", "serve_all");
        steer_trace_attach(r->trace, "with_checks_up", fenced, child);
        take_result(r, child);
    }
    r->served_all = r->reads_up = true;
    r->exhausted = !child->available || child->exhausted;
    r->count = child->available ? child->count : 0;
    r->available = true;
}

// ---- one node ------------------------------------------------------------------------------------

void steer_eval_kind(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                     struct steer_result *r)
{
    switch (n->kind) {
    case STEER_R_ENDPOINT:
        eval_endpoint(e, n, as_up, r);
        break;
    case STEER_R_POOL:
        eval_pool(e, n, as_up, r);
        break;
    case STEER_R_ANSWER:
        eval_answer(e, n, r);
        break;
    case STEER_R_WEIGHTED:
        eval_weighted(e, n, as_up, r);
        break;
    case STEER_R_FAILOVER:
    case STEER_R_GEO:
    case STEER_R_NETWORK:
    case STEER_R_NEAREST:
    case STEER_R_LATENCY:
        eval_ordered(e, n, as_up, r);
        break;
    case STEER_R_SWITCH:
        eval_switch(e, n, as_up, r);
        break;
    case STEER_R_FENCE:
        eval_fence(e, n, as_up, r);
        break;
    case STEER_R_NONE:
    case STEER_R_REHEARSAL: // steer_eval_begin took it off
        steer_trace_reason(r->trace, "no rule holds this client");
        break;
    }
}

struct steer_result *steer_eval_result(struct steer_eval *e, const struct steer_residual *n,
                                       bool as_up)
{
    struct steer_result *r = steer_arena_calloc(e->arena, sizeof *r);
    if (e->tracing)
        r->trace = steer_trace_node(n, as_up);
    return r;
}

// The substitute in the place of n; r stays unavailable where it is unavailable too.
void steer_eval_substitute(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                           struct steer_result *r)
{
    if (!n->substitute)
        return;
    struct steer_result *other = steer_eval_node(e, n->substitute, as_up);
    steer_trace_text(r->trace, "when_unavailable", "substitute");
    steer_trace_attach(r->trace, "substitute", n->substitute, other);
    if (other->available)
        take_result(r, other);
}

void steer_eval_serve_all(struct steer_eval *e, const struct steer_residual *n,
                          struct steer_result *r)
{
    struct steer_result *again = steer_eval_node(e, n, true);
    steer_trace_text(r->trace, "when_unavailable", "serve_all");
    steer_trace_attach(r->trace, "with_checks_up", n, again);
    if (!again->available)
        return;
    take_result(r, again);
    r->reads_up = true;
}

// What when_unavailable makes of an unavailable node below the root.
static void apply_when(struct steer_eval *e, const struct steer_residual *n, bool as_up,
                       struct steer_result *r)
{
    switch (n->when) {
    case STEER_WHEN_DEFAULT:
        break;
    case STEER_WHEN_SERVE_ALL:
        if (!as_up)
            steer_eval_serve_all(e, n, r);
        break;
    case STEER_WHEN_SERVE_NONE:
        r->available = true;
        steer_trace_text(r->trace, "when_unavailable", "serve_none");
        break;
    case STEER_WHEN_SUBSTITUTE:
        steer_eval_substitute(e, n, as_up, r);
        break;
    }
}

static void finish_trace(struct steer_result *r)
{
    if (r->trace)
        json_object_set_new(r->trace, "available", json_boolean(r->available));
}

// Whether something is forced on it, or on a member, for the clients of this root alone.
static bool is_forced(const struct steer_eval *e, const struct steer_residual *n)
{
    uint32_t count;
    bool some = e->effects && steer_effects_of(e->effects, e->effect_count, n->object, &count);
    for (uint32_t i = 0; e->effects && i < n->child_count && !some; i++)
        some = steer_effects_of(e->effects, e->effect_count, n->children[i]->object, &count);
    return some;
}

// Endpoints, pools and answers come to the same below any root, but where it forces something. Anything above them may
// hold a fence, which asks the root what to do.
static bool outlasts_root(const struct steer_eval *e, const struct steer_residual *n)
{
    return (n->kind == STEER_R_ENDPOINT || n->kind == STEER_R_POOL || n->kind == STEER_R_ANSWER) &&
           !n->substitute && !is_forced(e, n);
}

static struct steer_result *eval_new(struct steer_eval *e, const struct steer_residual *n,
                                     bool as_up)
{
    struct steer_result *r = steer_eval_result(e, n, as_up);
    steer_eval_kind(e, n, as_up, r);
    if (!r->available)
        apply_when(e, n, as_up, r);
    finish_trace(r);
    return r;
}

static struct steer_result *eval_lasting(struct steer_eval *e, const struct steer_residual *n,
                                         bool as_up)
{
    const uintptr_t key = (uintptr_t)n | as_up; // residuals are aligned
    struct steer_result *r = *steer_ptrmap_at(&e->leaf_memo, key);
    if (r)
        return r;
    struct steer_arena *before = e->arena;
    e->arena = e->lasting;
    r = eval_new(e, n, as_up);
    e->arena = before;
    return *steer_ptrmap_at(&e->leaf_memo, key) = r;
}

// Each sub-expression is evaluated once, or twice where checks are also read as up. What has one
// parent only is not asked for again, but by a trace or where a parent reads checks as up too.
struct steer_result *steer_eval_node(struct steer_eval *e, const struct steer_residual *n,
                                     bool as_up)
{
    if (outlasts_root(e, n))
        return eval_lasting(e, n, as_up);
    if (n->refs == 1 && !e->tracing)
        return eval_new(e, n, as_up);
    const uintptr_t key = (uintptr_t)n | as_up;
    struct steer_result *r = *steer_ptrmap_at(&e->memo, key);
    if (r)
        return r;
    r = eval_new(e, n, as_up);
    return *steer_ptrmap_at(&e->memo, key) = r;
}
