// SPDX-License-Identifier: GPL-3.0-or-later
// Questions over two worlds: the present one, and the one that a prepared link would publish. Both are read
// through programs, class tables and cells, as the answer room does.
#include "steerd/control/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"
#include "linker_internal.h"
#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"

enum { PAUSE_EVERY = 256, ALIASES_MAX = 16 };

// ---- one question in one world -------------------------------------------------------------------

struct side {
    const struct steer_link *link; // NULL: the present world
    const struct steer_world *world;
};

static const struct steer_zone *zone_in(const struct side *side, const struct steer_name *name,
                                        const struct steer_name_hashes *hashes, unsigned *labels)
{
    if (!side->link)
        return steer_world_zone_of(side->world, name, hashes, name->labels, labels);
    for (unsigned n = name->labels + 1u; n-- > 0;) {
        struct steer_name origin;
        const uint8_t *at = name->octets + hashes->at[n];
        if (!steer_name_from_wire(at, steer_name_length(at), &origin))
            continue;
        const struct steer_zone *zone = steer_link_zone_after(side->link, &origin);
        *labels = n;
        if (zone)
            return zone;
    }
    return NULL;
}

static const struct steer_program *program_in(const struct side *side, uint32_t id)
{
    if (side->link)
        for (size_t i = 0; i < side->link->made_count; i++)
            if (side->link->made[i].id == id)
                return side->link->made[i].program;
    return id / STEER_PROGRAM_CHUNK < side->world->program_chunks
               ? steer_world_program(side->world, id)
               : NULL;
}

static void put_rrs(struct steer_buf *out, uint16_t type, const struct steer_answer_slot *slot)
{
    for (size_t at = 0; at + 12 <= slot->len;) {
        const uint8_t *rr = slot->rrs + at;
        size_t len = (size_t)(rr[10] << 8 | rr[11]);
        steer_buf_puts(out, at ? ", " : "");
        steer_rdata_format(type, rr + 12, len, out);
        at += 12 + len;
    }
}

struct part {
    uint32_t answer;
    uint64_t units;
};

static int by_answer(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return (x->answer > y->answer) - (x->answer < y->answer);
}

static int largest_first(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return x->units != y->units ? (x->units < y->units ? 1 : -1) : by_answer(a, b);
}

// What each answer has of the list: one answer may stand in several places, and the places do not matter. Returns
// how many there are; *parts is the caller's.
static size_t parts_of(const struct steer_list *list, struct part **parts)
{
    struct part *all = steer_calloc(list->count, sizeof *all);
    uint64_t before = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        all[i] = (struct part){list->entries[i].answer, list->entries[i].upto + 1ULL - before};
        before = list->entries[i].upto + 1ULL;
    }
    if (list->count)
        qsort(all, list->count, sizeof *all, by_answer);
    for (uint32_t i = 0; i < list->count; i++) {
        if (count && all[count - 1].answer == all[i].answer)
            all[count - 1].units += all[i].units;
        else
            all[count++] = all[i];
    }
    if (count)
        qsort(all, count, sizeof *all, largest_first);
    *parts = all;
    return count;
}

// "75% 192.0.2.1 ttl 30; 25% 192.0.2.2 ttl 30", the largest first.
static void put_list(struct steer_buf *out, const struct side *side,
                     const struct steer_program *program, uint16_t type,
                     const struct steer_list *list)
{
    struct part *parts;
    const size_t count = parts_of(list, &parts);
    for (size_t i = 0; i < count; i++) {
        const struct steer_answer_slot *slot =
            steer_tables_answer(side->world->tables, parts[i].answer);
        uint32_t ttl = slot->ttl_cap_s < program->ttl_s ? slot->ttl_cap_s : program->ttl_s;
        steer_buf_puts(out, i ? "; " : "");
        if (count > 1)
            steer_buf_printf(out, "%.4g%% ", (double)parts[i].units / (double)(1ULL << 32) * 100);
        put_rrs(out, type, slot);
        steer_buf_printf(out, " ttl %u", ttl);
    }
    if (!count)
        steer_buf_puts(out, "NODATA");
    free(parts);
}

static void put_steered(struct steer_buf *out, const struct side *side,
                        const struct steer_rrset *set, const struct steer_replay_question *q)
{
    const struct steer_program *program = program_in(side, set->at);
    if (!program) {
        steer_buf_puts(out, "NODATA");
        return;
    }
    struct steer_class class = steer_classmap_lookup(program->map, &q->client.addr, q->client.len);
    for (uint8_t i = 0; i < program->type_count; i++) {
        if (program->types[i] != q->type && program->types[i] != STEER_TYPE_CNAME)
            continue;
        uint32_t cell = program->cells[(size_t)i * program->class_count + class.class_index];
        put_list(out, side, program, program->types[i],
                 steer_tables_list(side->world->tables, cell));
        return;
    }
    steer_buf_puts(out, "NODATA");
}

static void put_static(struct steer_buf *out, const struct steer_zone_node *node,
                       const struct steer_rrset *set)
{
    struct steer_rr_view rr;
    char type[STEER_TYPE_TEXT_MAX];
    size_t at = 0;
    const char *between = "";
    steer_buf_printf(out, "%s ", steer_type_format(set->type, type));
    while (steer_rrset_next(node, set, &at, &rr)) {
        steer_buf_puts(out, between);
        steer_rdata_format(set->type, rr.rdata, rr.rdata_len, out);
        between = ", ";
    }
    steer_buf_printf(out, " ttl %u", set->ttl_s);
}

// The RRset of the node that answers the type: its own, the steered one of that kind, or the alias.
static const struct steer_rrset *set_for(const struct steer_zone_node *node, uint16_t type)
{
    bool address = type == STEER_TYPE_A || type == STEER_TYPE_AAAA || type == STEER_TYPE_HTTPS ||
                   type == STEER_TYPE_SVCB;
    const struct steer_rrset *set = steer_zone_node_rrset(node, type);
    if (!set && address)
        set = steer_zone_node_rrset(node, STEER_TYPE_ADDRESS);
    return set ? set : steer_zone_node_rrset(node, STEER_TYPE_CNAME);
}

// The delegation at or above the name that answers for the type, or the DNAME above it; NULL: neither.
static const struct steer_zone_node *special_above(const struct steer_zone *zone,
                                                   const struct steer_name *name,
                                                   const struct steer_name_hashes *hashes,
                                                   unsigned zone_labels, uint16_t type)
{
    for (unsigned i = zone_labels; zone->special_count && i <= name->labels; i++) {
        const struct steer_zone_node *node =
            steer_zone_find(zone, hashes->hash[i], name->octets + hashes->at[i]);
        if (!node)
            return NULL;
        // The parent's side of a cut answers for DS (RFC 4035 3.1.4.1).
        if (node->flags & STEER_NODE_CUT && !(i == name->labels && type == STEER_TYPE_DS))
            return node;
        if (node->flags & STEER_NODE_DNAME && i < name->labels)
            return node;
    }
    return NULL;
}

// A referral, or the DNAME; true when *name is now what it makes of the name.
static bool put_special(struct steer_buf *out, const struct steer_zone_node *node,
                        struct steer_name *name)
{
    const bool cut = node->flags & STEER_NODE_CUT;
    const struct steer_rrset *set =
        steer_zone_node_rrset(node, cut ? STEER_TYPE_NS : STEER_TYPE_DNAME);
    const struct steer_name from = *name;
    struct steer_rr_view rr;
    size_t at = 0;
    if (!set)
        return false;
    steer_buf_puts(out, cut ? "referral " : "");
    put_static(out, node, set);
    return !cut && steer_rrset_next(node, set, &at, &rr) &&
           steer_name_join(from.octets, (size_t)(from.len - node->owner_len), rr.rdata, name);
}

// The answer at the node; true when it is an alias to follow, to *name.
static bool put_node(struct steer_buf *out, const struct side *side,
                     const struct steer_zone_node *node, const struct steer_replay_question *q,
                     struct steer_name *name)
{
    const struct steer_rrset *set = set_for(node, q->type);
    struct steer_rr_view rr;
    size_t at = 0;
    if (!set) {
        steer_buf_puts(out, "NODATA");
        return false;
    }
    if (steer_rrset_is_steered(set)) {
        put_steered(out, side, set, q);
        return false;
    }
    put_static(out, node, set);
    return set->type == STEER_TYPE_CNAME && q->type != STEER_TYPE_CNAME &&
           steer_rrset_next(node, set, &at, &rr) &&
           steer_name_from_wire(rr.rdata, rr.rdata_len, name);
}

// One name of the way; true when the answer goes on at *name.
static bool put_name(struct steer_buf *out, const struct side *side,
                     const struct steer_replay_question *q, struct steer_name *name)
{
    struct steer_name_hashes hashes;
    const struct steer_zone_node *node = NULL;
    unsigned labels = 0;
    const bool first = out->len == 0;
    steer_name_hash_suffixes(name, &hashes);
    const struct steer_zone *zone = zone_in(side, name, &hashes, &labels);
    if (!zone) { // an alias out of all zones is for the resolver to follow
        steer_buf_puts(out, first ? "REFUSED" : "");
        return false;
    }
    steer_buf_puts(out, first ? "" : " -> ");
    const struct steer_zone_node *special = special_above(zone, name, &hashes, labels, q->type);
    if (special)
        return put_special(out, special, name);
    linker_find_node(zone, name, &hashes, labels, &node);
    if (node)
        return put_node(out, side, node, q, name);
    steer_buf_puts(out, "NXDOMAIN");
    return false;
}

// What the client gets, in words; equal words, equal answers.
static void describe(const struct side *side, const struct steer_replay_question *q,
                     struct steer_buf *out)
{
    struct steer_name name = q->name;
    steer_buf_clear(out);
    steer_buf_puts(out, "");
    for (unsigned i = 0; i <= ALIASES_MAX && put_name(out, side, q, &name); i++)
        steer_name_lower(&name);
}

// ---- sums ----------------------------------------------------------------------------------------

struct changed_name {
    json_t *shown; // {"name","type","queries","changed"}
    uint64_t queries, changed;
};

struct sums {
    struct steer_map name_index, change_index;
    struct changed_name *names;
    size_t name_count, name_cap;
    json_t *changes;
    uint64_t queries, changed;
};

static struct changed_name *name_of(struct sums *s, const char *name, const char *type)
{
    struct steer_buf key = {0};
    uint32_t index;
    steer_buf_printf(&key, "%s %s", name, type);
    if (!steer_map_get(&s->name_index, key.data, &index)) {
        s->names = steer_grow(s->names, &s->name_cap, s->name_count + 1, sizeof *s->names);
        index = (uint32_t)s->name_count++;
        s->names[index] =
            (struct changed_name){.shown = json_pack("{s:s, s:s}", "name", name, "type", type)};
        steer_map_put(&s->name_index, key.data, index);
    }
    steer_buf_fini(&key);
    return &s->names[index];
}

static void add(json_t *object, const char *key, uint64_t count)
{
    json_t *value = json_object_get(object, key);
    json_object_set_new(object, key, json_integer(json_integer_value(value) + (json_int_t)count));
}

static void put_change(struct sums *s, const struct steer_replay_question *q, const char *name,
                       const char *type, const char *from, const char *to)
{
    struct steer_buf key = {0};
    uint32_t index;
    char client[64];
    steer_buf_printf(&key, "%s %s %s -> %s", name, type, from, to);
    if (!steer_map_get(&s->change_index, key.data, &index)) {
        index = (uint32_t)json_array_size(s->changes);
        json_array_append_new(s->changes,
                              json_pack("{s:s, s:s, s:s, s:s, s:i, s:[]}", "name", name, "type",
                                        type, "from", from, "to", to, "queries", 0, "examples"));
        steer_map_put(&s->change_index, key.data, index);
    }
    json_t *change = json_array_get(s->changes, index);
    json_t *examples = json_object_get(change, "examples");
    add(change, "queries", q->count);
    if (json_array_size(examples) < STEER_REPLAY_EXAMPLES)
        json_array_append_new(examples,
                              json_string(steer_prefix_format(&q->client, client, sizeof client)));
    steer_buf_fini(&key);
}

static int most_changed(const void *a, const void *b)
{
    const struct changed_name *x = a, *y = b;
    if (x->changed != y->changed)
        return x->changed < y->changed ? 1 : -1;
    return strcmp(json_string_value(json_object_get(x->shown, "name")),
                  json_string_value(json_object_get(y->shown, "name")));
}

static int most_queries(const void *a, const void *b)
{
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "queries"));
    json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "queries"));
    return (x < y) - (x > y);
}

static json_t *names_json(struct sums *s)
{
    json_t *list = json_array();
    if (s->name_count)
        qsort(s->names, s->name_count, sizeof *s->names, most_changed);
    for (size_t i = 0; i < s->name_count; i++) {
        struct changed_name *n = &s->names[i];
        if (n->changed && i < STEER_REPLAY_NAMES) {
            json_object_set_new(n->shown, "queries", json_integer((json_int_t)n->queries));
            json_object_set_new(n->shown, "changed", json_integer((json_int_t)n->changed));
            json_array_append(list, n->shown);
        }
        json_decref(n->shown);
    }
    free(s->names);
    return list;
}

static json_t *changes_json(struct sums *s)
{
    size_t count = json_array_size(s->changes);
    json_t **sorted = steer_calloc(count, sizeof(json_t *)), *list = json_array();
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(s->changes, i);
    qsort(sorted, count, sizeof(json_t *), most_queries);
    for (size_t i = 0; i < count && i < STEER_REPLAY_NAMES; i++)
        json_array_append(list, sorted[i]);
    free(sorted);
    json_decref(s->changes);
    return list;
}

json_t *steer_link_replay(const struct steer_link *link,
                          const struct steer_replay_question *questions, size_t count)
{
    const struct steer_world *world = steer_linker_world(link->linker);
    const struct side now = {NULL, world}, then = {link, world};
    struct sums s = {.changes = json_array()};
    struct steer_buf from = {0}, to = {0};
    char name[STEER_NAME_TEXT_MAX], type[STEER_TYPE_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct steer_replay_question *q = &questions[i];
        describe(&now, q, &from);
        describe(&then, q, &to);
        steer_name_format(q->name.octets, name);
        steer_type_format(q->type, type);
        bool differs = strcmp(from.data, to.data) != 0;
        struct changed_name *n = name_of(&s, name, type);
        n->queries += q->count;
        n->changed += differs ? q->count : 0;
        s.queries += q->count;
        s.changed += differs ? q->count : 0;
        if (differs)
            put_change(&s, q, name, type, from.data, to.data);
        if (i % PAUSE_EVERY == 0)
            linker_pause(link->linker);
    }
    steer_buf_fini(&from);
    steer_buf_fini(&to);
    steer_map_fini(&s.name_index);
    steer_map_fini(&s.change_index);
    json_t *names = names_json(&s);
    return json_pack("{s:I, s:I, s:I, s:o, s:o}", "queries", (json_int_t)s.queries, "questions",
                     (json_int_t)count, "changed", (json_int_t)s.changed, "names", names, "changes",
                     changes_json(&s));
}

// ---- the door ------------------------------------------------------------------------------------

struct replay_job {
    const struct steer_control_replay *replay;
    struct steer_document **documents;
    json_t *result;
};

static enum steer_err run_replay(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct replay_job *job = arg;
    const struct steer_link_documents_options options = {job->replay->take_over,
                                                         job->replay->prune};
    struct steer_link_summary summary = {0};
    struct steer_link *link = steer_link_begin(c->linker);
    steer_link_set_planning(link);
    enum steer_err err =
        steer_link_documents(link, job->documents, job->replay->count, &options, &summary, diag);
    if (err == STEER_OK)
        err = steer_link_prepare(link, steer_clock_unix_s(), diag);
    if (err == STEER_OK) {
        job->result = steer_link_replay(link, job->replay->questions, job->replay->question_count);
        json_object_set_new(job->result, "assertions", link_broken_assertions(link));
    }
    steer_link_abort(link);
    steer_link_summary_fini(&summary);
    return err;
}

enum steer_err steer_control_replay(struct steer_control *c,
                                    const struct steer_control_replay *replay, json_t **result,
                                    struct steer_diag *diag)
{
    struct replay_job job = {.replay = replay};
    enum steer_err err = STEER_OK;
    size_t parsed = 0;
    job.documents = steer_calloc(replay->count, sizeof *job.documents);
    for (; parsed < replay->count && err == STEER_OK; parsed++) {
        const struct steer_control_text *t = &replay->texts[parsed];
        err = steer_document_parse(t->data, t->len, t->name, t->name, &job.documents[parsed], diag);
    }
    if (err == STEER_OK)
        err = control_call(c, run_replay, &job, diag);
    if (err == STEER_OK)
        *result = job.result;
    for (size_t i = 0; i < parsed; i++)
        steer_document_destroy(job.documents[i]);
    free(job.documents);
    return err;
}
