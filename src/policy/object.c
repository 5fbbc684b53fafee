// SPDX-License-Identifier: GPL-3.0-or-later
// The life of an object, and its way back from the store.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"

const char *steer_kind_text(enum steer_kind kind)
{
    static const char *const texts[STEER_KINDS] = {"site",   "check",     "endpoint",
                                                   "pool",   "switch",    "latency table",
                                                   "policy", "assertion", "steered record"};
    return kind < STEER_KINDS ? texts[kind] : "unknown";
}

const char *steer_assertion_short_name(const struct steer_object *assertion)
{
    return strrchr(assertion->name, '/') + 1;
}

const char *steer_node_kind_text(enum steer_node_kind kind)
{
    switch (kind) {
    case STEER_NODE_ENDPOINT:
        return "endpoint";
    case STEER_NODE_POOL:
        return "pool";
    case STEER_NODE_ANSWER:
        return "answer";
    case STEER_NODE_WEIGHTED:
        return "weighted";
    case STEER_NODE_FAILOVER:
        return "failover";
    case STEER_NODE_GEO:
        return "geo";
    case STEER_NODE_NETWORK:
        return "network";
    case STEER_NODE_NEAREST:
        return "nearest";
    case STEER_NODE_LATENCY:
        return "latency";
    case STEER_NODE_SWITCH:
        return "switch";
    case STEER_NODE_USE:
        return "use";
    }
    return "unknown";
}

struct steer_object *steer_object_create(enum steer_kind kind)
{
    struct steer_object *object = steer_calloc(1, sizeof *object);
    object->kind = kind;
    atomic_init(&object->refs, 1);
    steer_arena_init(&object->arena);
    return object;
}

// The count is the one thing that changes in an object that others only read.
static struct steer_object *writable(const struct steer_object *object)
{
    union {
        const struct steer_object *in;
        struct steer_object *out;
    } u = {.in = object};
    return u.out;
}

struct steer_object *steer_object_ref(const struct steer_object *object)
{
    struct steer_object *own = writable(object);
    atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void steer_object_unref(struct steer_object *object)
{
    if (!object || atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (object->kind == STEER_LATENCY) {
        steer_latency_unref(object->latency);
        steer_latency_unref(object->uploaded);
        steer_latency_unref(object->frozen);
    }
    steer_arena_fini(&object->arena);
    free(object);
}

void steer_object_seal(struct steer_object *object, const char *name, const json_t *definition,
                       const struct steer_parse *p, struct steer_where at)
{
    // 15 digits give every decimal number back as it was written.
    char *json = json_dumps(definition, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                            JSON_REAL_PRECISION(15));
    struct steer_arena *arena = &object->arena;
    object->name = steer_arena_strdup(arena, name);
    object->document = steer_arena_strdup(arena, p->document);
    object->file = steer_arena_strdup(arena, p->file);
    object->at = at;
    object->json = steer_arena_strdup(arena, json ? json : "null");
    uint64_t hash = steer_hash_bytes(name, strlen(name), (uint64_t)object->kind);
    object->hash = steer_hash_bytes(object->json, strlen(object->json), hash);
    free(json);
}

struct steer_object *steer_object_freeze(const struct steer_object *table,
                                         struct steer_latency *frozen, uint32_t number)
{
    struct steer_object *object = steer_object_create(STEER_LATENCY);
    struct steer_arena *arena = &object->arena;
    object->name = steer_arena_strdup(arena, table->name);
    object->document = steer_arena_strdup(arena, table->document);
    object->file = steer_arena_strdup(arena, table->file);
    object->json = steer_arena_strdup(arena, table->json);
    object->at = table->at;
    object->hash = table->hash;
    object->measured = steer_arena_memdup(arena, table->measured, sizeof *table->measured);
    object->uploaded = steer_latency_ref(table->uploaded);
    object->frozen = steer_latency_ref(frozen);
    object->frozen_number = number;
    object->latency = steer_latency_overlay(table->uploaded, frozen, number);
    return object;
}

// ---- from the store ------------------------------------------------------------------------------

// The name of a steered record is "OWNER. KIND"; its JSON has all the rest but the zone.
static struct steer_object *steered_from_json(struct steer_parse *p, const char *name,
                                              const json_t *json)
{
    static const char *const keys[] = {"allow_negative", "draw", "kind", "steer", "ttl"};
    static const struct steer_shape shape = {.what = "a steered record",
                                             .example = "{steer: ...}",
                                             .keys = keys,
                                             .key_count = STEER_ARRAY_LEN(keys)};
    const struct steer_item record = {.key = name, .json = json};
    struct steer_steered_head head = {0};
    struct steer_item tree;
    const char *space = strrchr(name, ' ');
    if (!steer_doc_keys(p, &record, &shape))
        return NULL;
    head.kind = (enum steer_steered_kind)steer_doc_choice(
        p, &record, "kind", steer_steered_words, STEER_STEERED_KINDS, STEER_STEERED_KINDS, 0);
    head.ttl_s = steer_doc_seconds(p, &record, "ttl", 0, 300);
    head.allow_negative = steer_doc_bool(p, &record, "allow_negative", false);
    head.draw = steer_parse_draw(p, &record);
    if (!p->err && (!space || strcmp(space + 1, steer_steered_words[head.kind]) != 0)) {
        steer_doc_fail(p, head.at, "the name does not end with the kind");
        return NULL;
    }
    if (!steer_doc_find(p, &record, "steer", &tree)) {
        steer_doc_fail(p, head.at, "it has no tree");
        return NULL;
    }
    char *owner = steer_strndup(name, (size_t)(space - name));
    struct steer_diag why;
    if (steer_name_parse(owner, NULL, &head.owner, &why))
        steer_doc_fail(p, head.at, "%s", why.message);
    free(owner);
    steer_name_lower(&head.owner);
    return p->err ? NULL : steer_parse_steered(p, &head, &tree);
}

enum steer_err steer_object_from_json(enum steer_kind kind, const char *name, const char *document,
                                      const char *json, const struct steer_name *zone,
                                      struct steer_object **object, struct steer_diag *diag)
{
    json_error_t error;
    struct steer_diag why = {0};
    struct steer_parse p = {.file = "", .document = document, .diag = &why};
    struct steer_name origin;
    struct steer_object *made = NULL;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        steer_doc_fail(&p, (struct steer_where){0}, "%s", error.text);
    } else if (kind == STEER_ASSERTION) {
        made = steer_parse_assertion(&p, name, &(struct steer_item){.json = root}, NULL);
    } else if (kind != STEER_STEERED) {
        made = steer_parse_object(&p, kind, &(struct steer_item){.key = name, .json = root});
    } else if (!zone) {
        steer_doc_fail(&p, (struct steer_where){0}, "its zone is not known");
    } else {
        origin = *zone;
        steer_name_lower(&origin);
        p.origin = &origin;
        made = steered_from_json(&p, name, root);
    }
    json_decref(root);
    if (!p.err) {
        *object = made;
        return STEER_OK;
    }
    return steer_diag_set(diag, p.err, "stored %s '%.200s' is damaged: %.700s",
                          steer_kind_text(kind), name, why.message);
}
