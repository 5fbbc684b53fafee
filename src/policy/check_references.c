// SPDX-License-Identifier: GPL-3.0-or-later
// What an object refers to is there, and fits. Start at the door in check_internal.h.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_internal.h"
#include "steerd/base/hash.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum steer_err check_fail(const struct checker *c, const struct steer_object *object,
                          struct steer_where at, const char *fmt, ...)
{
    char text[900];
    char path[STEER_PATH_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!at.line)
        at = object->at;
    return steer_diag_at(c->diag, object->file, at.line, at.column, "%s: %s",
                         steer_object_path(object, path), text);
}

static const char *nearest(const struct checker *c, enum steer_kind kind, const char *name)
{
    const size_t count = steer_catalog_count(c->catalog, kind);
    const char **names = steer_calloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        names[i] = steer_catalog_at(c->catalog, kind, i)->name;
    const char *found = steer_nearest_word(name, names, count);
    free(names);
    return found;
}

enum steer_err check_unknown(const struct checker *c, const struct steer_object *object,
                             struct steer_where at, enum steer_kind kind, const char *name)
{
    static const enum steer_kind targets[] = {STEER_ENDPOINT, STEER_POOL, STEER_POLICY};
    for (size_t i = 0; i < STEER_ARRAY_LEN(targets) && kind >= STEER_ENDPOINT; i++)
        if (steer_catalog_get(c->catalog, targets[i], name))
            return check_fail(c, object, at, "%s '%s' is not defined; '%s' is the name of a%s %s",
                              steer_kind_text(kind), name, name,
                              targets[i] == STEER_ENDPOINT ? "n" : "", steer_kind_text(targets[i]));
    const char *near = nearest(c, kind, name);
    if (near)
        return check_fail(c, object, at, "%s '%s' is not defined; did you mean '%s'?",
                          steer_kind_text(kind), name, near);
    return check_fail(c, object, at, "%s '%s' is not defined", steer_kind_text(kind), name);
}

enum steer_err check_endpoint(const struct checker *c, const struct steer_object *object)
{
    const struct steer_endpoint *e = &object->endpoint;
    if (e->site && !steer_catalog_get(c->catalog, STEER_SITE, e->site))
        return check_unknown(c, object, object->at, STEER_SITE, e->site);
    for (uint32_t i = 0; i < e->check_count; i++)
        if (!steer_catalog_get(c->catalog, STEER_CHECK, e->checks[i]))
            return check_unknown(c, object, object->at, STEER_CHECK, e->checks[i]);
    if (!e->has_v4 && !e->has_v6 && !e->has_hostname)
        return check_fail(c, object, object->at, "needs ipv4, ipv6 or hostname");
    if (e->check_count && !e->has_v4 && !e->has_v6)
        return check_fail(c, object, object->at,
                          "check '%s' needs an address to probe; add ipv4 or ipv6", e->checks[0]);
    return STEER_OK;
}

// ---- pools ---------------------------------------------------------------------------------------

bool check_gives_several(const struct steer_pool *pool)
{
    return pool->pick != STEER_PICK_ONE && pool->pick_count > 1 && pool->member_count > 1;
}

static int most_first(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x < y) - (x > y);
}

// Whichever members it gives together, their RRset fits into a message.
static enum steer_err check_octets(const struct checker *c, const struct steer_object *object,
                                   uint16_t type)
{
    const struct steer_pool *pool = &object->pool;
    char text[STEER_TYPE_TEXT_MAX];
    size_t most = 0;
    size_t *octets = steer_calloc(pool->member_count, sizeof *octets);
    for (uint32_t i = 0; i < pool->member_count; i++)
        octets[i] = steer_endpoint_octets(
            steer_catalog_get(c->catalog, STEER_ENDPOINT, pool->members[i].endpoint), type);
    qsort(octets, pool->member_count, sizeof *octets, most_first);
    for (uint32_t i = 0; i < pool->member_count && i < pool->pick_count; i++)
        most += octets[i];
    free(octets);
    if (most <= STEER_RRSET_BYTES_MAX)
        return STEER_OK;
    return check_fail(
        c, object, object->at,
        "%u endpoints together may give %zu octets of %s records, and a DNS message has "
        "room for %d; give fewer of them at once",
        pool->pick_count, most, steer_type_format(type, text), STEER_RRSET_BYTES_MAX);
}

enum steer_err check_pool(const struct checker *c, const struct steer_object *object)
{
    // A name has one CNAME.
    static const uint16_t types[] = {STEER_TYPE_A,    STEER_TYPE_AAAA, STEER_TYPE_HTTPS,
                                     STEER_TYPE_SVCB, STEER_TYPE_MX,   STEER_TYPE_SRV};
    const struct steer_pool *pool = &object->pool;
    enum steer_err err = STEER_OK;
    if (!pool->member_count)
        return check_fail(c, object, object->at, "a pool needs at least one endpoint");
    for (uint32_t i = 0; i < pool->member_count; i++)
        if (!steer_catalog_get(c->catalog, STEER_ENDPOINT, pool->members[i].endpoint))
            return check_unknown(c, object, pool->members[i].at, STEER_ENDPOINT,
                                 pool->members[i].endpoint);
    for (size_t i = 0; i < STEER_ARRAY_LEN(types) && !err && check_gives_several(pool); i++)
        err = check_octets(c, object, types[i]);
    return err;
}

// ---- nodes ---------------------------------------------------------------------------------------

// Each child of a ranked node must be somewhere.
enum steer_err check_ranked(const struct checker *c, const struct steer_object *object,
                            const struct steer_node *node)
{
    double lat, lon;
    if (node->kind == STEER_NODE_LATENCY && node->name &&
        !steer_catalog_get(c->catalog, STEER_LATENCY, node->name))
        return check_unknown(c, object, node->at, STEER_LATENCY, node->name);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct steer_child *child = &node->children[i];
        if (child->site && !steer_catalog_get(c->catalog, STEER_SITE, child->site))
            return check_unknown(c, object, child->at, STEER_SITE, child->site);
        size_t count;
        const struct steer_object **sites = steer_child_sites(c->catalog, child, &count);
        bool somewhere = false;
        for (size_t k = 0; k < count && !somewhere; k++)
            somewhere = steer_site_point(&sites[k]->site, &lat, &lon);
        const char *site = count ? sites[0]->name : NULL;
        free(sites);
        if (site && !somewhere)
            return check_fail(
                c, object, child->at,
                "site '%s' of this child has no point: give it a country, or lat and lon", site);
        if (!somewhere)
            return check_fail(
                c, object, child->at,
                "nothing says where this child of '%s' is: give its endpoints a site, or "
                "write {to: ..., site: NAME}",
                steer_node_kind_text(node->kind));
    }
    return STEER_OK;
}

// A switch node has a child for each position of its switch, and for no other.
enum steer_err check_switch(const struct checker *c, const struct steer_object *object,
                            const struct steer_node *node)
{
    const struct steer_object *found = steer_catalog_get(c->catalog, STEER_SWITCH, node->name);
    if (!found)
        return check_unknown(c, object, node->at, STEER_SWITCH, node->name);
    const struct steer_switch *control = &found->control_switch;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const char *name = node->children[i].position;
        if (steer_switch_position(control, name) < control->position_count)
            continue;
        const char *near = steer_nearest_word(name, control->positions, control->position_count);
        return check_fail(c, object, node->children[i].at, "switch '%s' has no position '%s'%s%s%s",
                          found->name, name, near ? "; did you mean '" : "", near ? near : "",
                          near ? "'?" : "");
    }
    for (uint32_t i = 0; i < control->position_count; i++) {
        uint32_t k = 0;
        while (k < node->child_count &&
               strcmp(node->children[k].position, control->positions[i]) != 0)
            k++;
        if (k == node->child_count)
            return check_fail(c, object, node->at, "position '%s' of switch '%s' has no child here",
                              control->positions[i], found->name);
    }
    return STEER_OK;
}

// ---- assertions ------------------------------------------------------------------------------------

static enum steer_err check_target(const struct checker *c, const struct steer_object *object,
                                   const struct steer_target *target)
{
    static const enum steer_kind sought[] = {STEER_POOL, STEER_ENDPOINT, STEER_SITE};
    enum steer_kind first = STEER_KINDS;
    if (target->kind != STEER_KINDS)
        return steer_catalog_get(c->catalog, target->kind, target->name)
                   ? STEER_OK
                   : check_unknown(c, object, target->at, target->kind, target->name);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(sought); i++) {
        if (!steer_catalog_get(c->catalog, sought[i], target->name))
            continue;
        if (first != STEER_KINDS)
            return check_fail(c, object, target->at,
                              "'%s' is the name of a %s and of a %s; say which, like {%s: %s}",
                              target->name, steer_kind_text(first), steer_kind_text(sought[i]),
                              steer_kind_text(first), target->name);
        first = sought[i];
    }
    if (first != STEER_KINDS)
        return STEER_OK;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(sought); i++) {
        const char *near = nearest(c, sought[i], target->name);
        if (near)
            return check_fail(c, object, target->at,
                              "no pool, endpoint or site '%s' is defined; did you mean %s '%s'?",
                              target->name, steer_kind_text(sought[i]), near);
    }
    return check_fail(c, object, target->at, "no pool, endpoint or site '%s' is defined",
                      target->name);
}

static bool is_steered(const struct checker *c, const struct steer_name *owner)
{
    char name[STEER_STEERED_NAME_MAX];
    for (unsigned kind = 0; steer_steered_name(owner, kind, name); kind++)
        if (steer_catalog_get(c->catalog, STEER_STEERED, name))
            return true;
    return false;
}

enum steer_err check_assertion(const struct checker *c, const struct steer_object *object)
{
    const struct steer_assertion *a = &object->assertion;
    enum steer_err err = STEER_OK;
    char name[STEER_NAME_TEXT_MAX];
    for (uint32_t i = 0; i < a->target_count && err == STEER_OK; i++)
        err = check_target(c, object, &a->targets[i]);
    for (uint32_t i = 0; i < a->record_count && err == STEER_OK; i++)
        if (!is_steered(c, &a->records[i]))
            err = check_fail(c, object, object->at, "there is no steered record %s",
                             steer_name_format(a->records[i].octets, name));
    return err;
}
