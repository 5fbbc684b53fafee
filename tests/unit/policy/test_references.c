// SPDX-License-Identifier: GPL-3.0-or-later
// Random sequences of edits: what looks at the edit alone says the same as what looks at everything.
#include "unit/policy/decide_support.h"

#include "steerd/base/hash.h"

enum { NAMES = 9, STEPS = 6000, CHANGES_MAX = 4 };
static const char letters[STEER_KINDS + 1] = "scepwlqar"; // of names, by kind

struct author {
    struct steer_rng rng;
    struct steer_buf json;
};

static unsigned below(struct author *a, unsigned n)
{
    return (unsigned)(steer_rng_next(&a->rng) % n);
}

static const char *name_of(enum steer_kind kind, unsigned number, char out[48])
{
    if (kind == STEER_STEERED)
        snprintf(out, 48, "r%u.example.com. %s", number, number < 6 ? "address" : "cname");
    else if (kind == STEER_ASSERTION)
        snprintf(out, 48, "a%u/1", number);
    else
        snprintf(out, 48, "%c%u", letters[kind], number);
    return out;
}

// ---- random objects ------------------------------------------------------------------------------

static void write_endpoint(struct author *a)
{
    steer_buf_printf(&a->json, "{\"labels\":{\"n\":\"%u\"}", below(a, 100));
    const unsigned has = below(a, 12);
    if (has != 0)
        steer_buf_printf(&a->json, ",\"ipv4\":\"192.0.2.%u\"", below(a, 200) + 1);
    if (has == 0 || has % 2)
        steer_buf_puts(&a->json, ",\"hostname\":\"h.example.net.\"");
    if (below(a, 3) == 0)
        steer_buf_printf(&a->json, ",\"site\":\"s%u\"", below(a, 3));
    if (below(a, 3) == 0)
        steer_buf_printf(&a->json, ",\"check\":\"c%u\"", below(a, 3));
    steer_buf_puts(&a->json, "}");
}

static void write_pool(struct author *a)
{
    const unsigned first = below(a, NAMES);
    const unsigned count = 1 + below(a, 3);
    steer_buf_puts(&a->json, "{\"endpoints\":{");
    for (unsigned i = 0; i < count; i++)
        steer_buf_printf(&a->json, "%s\"e%u\":%u", i ? "," : "", (first + i) % NAMES, below(a, 9));
    steer_buf_printf(&a->json, "}%s}", below(a, 6) ? "" : ",\"pick\":\"all\"");
}

static void write_tree(struct author *a, unsigned depth);

static void write_nearest(struct author *a, unsigned depth)
{
    const bool latency = below(a, 2);
    if (latency)
        steer_buf_printf(&a->json,
                         "\"latency\":{\"table\":\"l%u\",\"among\":[{\"to\":", below(a, NAMES));
    else
        steer_buf_puts(&a->json, "\"nearest\":[{\"to\":");
    write_tree(a, depth - 1);
    if (below(a, 8))
        steer_buf_printf(&a->json, ",\"site\":\"s%u\"", below(a, 3));
    steer_buf_puts(&a->json, latency ? "}]}" : "}]");
}

static void write_inner(struct author *a, unsigned depth)
{
    const unsigned other = below(a, 16);
    if (other == 0) {
        steer_buf_printf(&a->json,
                         "\"switch\":{\"name\":\"w%u\",\"positions\":{\"x\":", below(a, NAMES));
        write_tree(a, depth - 1);
        steer_buf_puts(&a->json, "}}");
        return;
    }
    if (other < 3) {
        write_nearest(a, depth);
        return;
    }
    const bool geo = below(a, 4) == 0;
    const unsigned count = geo ? 1 : 1 + below(a, 2);
    steer_buf_puts(&a->json, geo ? "\"geo\":{\"rules\":[" : "\"failover\":[");
    for (unsigned i = 0; i < count; i++) {
        steer_buf_puts(&a->json, i ? "," : "");
        steer_buf_puts(&a->json, geo ? "{\"match\":\"EU\",\"to\":" : "");
        write_tree(a, depth - 1);
        steer_buf_puts(&a->json, geo ? "}" : "");
    }
    steer_buf_puts(&a->json, "]");
    if (geo && below(a, 6)) {
        steer_buf_puts(&a->json, ",\"default\":");
        write_tree(a, depth - 1);
    }
    steer_buf_puts(&a->json, geo ? "}" : "");
}

static void write_tree(struct author *a, unsigned depth)
{
    steer_buf_puts(&a->json, "{");
    const unsigned kind = below(a, depth ? 8 : 5);
    if (kind == 0)
        steer_buf_printf(&a->json, "\"endpoint\":\"e%u\"", below(a, NAMES));
    else if (kind < 3)
        steer_buf_printf(&a->json, "\"pool\":\"p%u\"", below(a, NAMES));
    else if (kind < 5)
        steer_buf_printf(&a->json, "\"use\":\"q%u\"", below(a, NAMES));
    else
        write_inner(a, depth);
    const unsigned when = below(a, 20);
    if (when == 0)
        steer_buf_puts(&a->json, ",\"when_unavailable\":\"serve_none\"");
    else if (when == 1)
        steer_buf_printf(&a->json, ",\"when_unavailable\":{\"pool\":\"p%u\"}", below(a, NAMES));
    steer_buf_puts(&a->json, "}");
}

static void write_assertion(struct author *a)
{
    const unsigned target = below(a, 4);
    steer_buf_puts(&a->json, "{\"clients\":\"EU\",\"only\":[");
    if (target < 2)
        steer_buf_printf(&a->json, target ? "{\"pool\":\"p%u\"}" : "\"p%u\"", below(a, NAMES));
    else
        steer_buf_printf(&a->json, target == 2 ? "\"e%u\"" : "\"s%u\"",
                         below(a, target == 2 ? NAMES : 3));
    steer_buf_puts(&a->json, "]");
    if (below(a, 2))
        steer_buf_printf(&a->json, ",\"records\":[\"r%u.example.com.\"]", below(a, NAMES));
    steer_buf_puts(&a->json, "}");
}

static struct steer_object *write_object(struct author *a, enum steer_kind kind, const char *name)
{
    struct steer_object *object;
    struct steer_diag diag = {0};
    struct steer_name zone;
    assert_int_equal(steer_name_parse("example.com.", NULL, &zone, NULL), STEER_OK);
    steer_buf_clear(&a->json);
    if (kind == STEER_SITE)
        steer_buf_puts(&a->json, "{\"at\":\"EU-DE\"}");
    else if (kind == STEER_CHECK)
        steer_buf_puts(&a->json, "{\"type\":\"http\"}");
    else if (kind == STEER_ENDPOINT)
        write_endpoint(a);
    else if (kind == STEER_POOL)
        write_pool(a);
    else if (kind == STEER_SWITCH)
        steer_buf_printf(&a->json, "{\"positions\":[\"x\"%s]}", below(a, 3) ? "" : ",\"y\"");
    else if (kind == STEER_LATENCY)
        steer_buf_printf(&a->json, "{\"rows\":{\"EU\":{\"s1\":%u}}}", below(a, 100));
    else if (kind == STEER_POLICY)
        write_tree(a, below(a, 6));
    else if (kind == STEER_ASSERTION)
        write_assertion(a);
    if (kind == STEER_STEERED) {
        steer_buf_printf(&a->json, "{\"kind\":\"%s\",\"ttl\":30,\"allow_negative\":%s,\"steer\":",
                         strchr(name, ' ') + 1, below(a, 2) ? "true" : "false");
        write_tree(a, below(a, 5));
        steer_buf_puts(&a->json, "}");
    }
    if (steer_object_from_json(kind, name, "test", a->json.data,
                               kind == STEER_STEERED ? &zone : NULL, &object, &diag))
        fail_msg("%s %s: %s", name, a->json.data, diag.message);
    return object;
}

// ---- the plain judge of reach --------------------------------------------------------------------

struct marks {
    bool hit[STEER_KINDS][NAMES];
};

static bool *mark_of(struct marks *m, enum steer_kind kind, const char *name)
{
    return &m->hit[kind][name[1] - '0'];
}

static bool tree_names(struct marks *m, const struct steer_node *node)
{
    if ((node->kind == STEER_NODE_ENDPOINT && *mark_of(m, STEER_ENDPOINT, node->name)) ||
        (node->kind == STEER_NODE_POOL && *mark_of(m, STEER_POOL, node->name)) ||
        (node->kind == STEER_NODE_LATENCY && *mark_of(m, STEER_LATENCY, node->name)) ||
        (node->kind == STEER_NODE_SWITCH && *mark_of(m, STEER_SWITCH, node->name)) ||
        (node->kind == STEER_NODE_USE && *mark_of(m, STEER_POLICY, node->name)))
        return true;
    bool names = node->substitute && tree_names(m, node->substitute);
    for (uint32_t i = 0; i < node->child_count; i++) {
        const char *site = node->children[i].site;
        names |= tree_names(m, node->children[i].node);
        names |= site && *mark_of(m, STEER_SITE, site);
    }
    return names;
}

static bool assertion_names(struct marks *m, const struct steer_assertion *a)
{
    const char letter = a->targets[0].name[0];
    const enum steer_kind kind = letter == 'p'   ? STEER_POOL
                                 : letter == 'e' ? STEER_ENDPOINT
                                                 : STEER_SITE;
    bool names = *mark_of(m, kind, a->targets[0].name);
    if (a->record_count) // a wire name: the first octet is a length
        names |= *mark_of(m, STEER_STEERED, (const char *)a->records[0].octets + 1);
    return names;
}

static bool object_names(struct marks *m, const struct steer_object *object)
{
    bool names = false;
    if (object->kind == STEER_ENDPOINT) {
        names = object->endpoint.site && *mark_of(m, STEER_SITE, object->endpoint.site);
        for (uint32_t i = 0; i < object->endpoint.check_count; i++)
            names |= *mark_of(m, STEER_CHECK, object->endpoint.checks[i]);
    }
    for (uint32_t i = 0; object->kind == STEER_POOL && i < object->pool.member_count; i++)
        names |= *mark_of(m, STEER_ENDPOINT, object->pool.members[i].endpoint);
    if (object->kind == STEER_POLICY)
        names = tree_names(m, &object->tree);
    if (object->kind == STEER_STEERED)
        names = tree_names(m, object->steered.tree);
    if (object->kind == STEER_ASSERTION)
        names = assertion_names(m, &object->assertion);
    return names;
}

// Marks what names something marked, until there is nothing more.
static void spread(struct marks *m, const struct steer_catalog *catalog)
{
    for (bool more = true; more;) {
        more = false;
        for (enum steer_kind kind = STEER_ENDPOINT; kind < STEER_KINDS; kind++) {
            const size_t count = steer_catalog_count(catalog, kind);
            const struct steer_object **list = steer_catalog_list(catalog, kind);
            for (size_t i = 0; i < count; i++) {
                bool *mark = mark_of(m, kind, list[i]->name);
                if (!*mark && object_names(m, list[i]))
                    *mark = more = true;
            }
            free(list);
        }
    }
}

static void note(void *ctx, enum steer_kind kind, const char *name)
{
    *mark_of(ctx, kind, name) = true;
}

// ---- edits ---------------------------------------------------------------------------------------

struct edit {
    struct steer_catalog *after;
    struct steer_change changes[CHANGES_MAX];
    char names[CHANGES_MAX][48];
    size_t count;
};

static void make_edit(struct author *a, const struct steer_catalog *before, struct edit *edit)
{
    edit->after = steer_catalog_clone(before);
    edit->count = 1 + below(a, CHANGES_MAX);
    for (size_t i = 0; i < edit->count; i++) {
        const enum steer_kind kind = (enum steer_kind)below(a, STEER_KINDS);
        const unsigned names = kind < STEER_ENDPOINT ? 3 : NAMES;
        const char *name = name_of(kind, below(a, names), edit->names[i]);
        edit->changes[i] = (struct steer_change){kind, name};
        if (below(a, 4) == 0) {
            steer_catalog_remove(edit->after, kind, name);
            continue;
        }
        struct steer_object *object = write_object(a, kind, name);
        steer_catalog_put(edit->after, object);
        steer_object_unref(object);
    }
}

static enum steer_err check_both(const struct edit *edit, struct steer_references *references)
{
    struct steer_diag whole = {0};
    struct steer_diag part = {0};
    const enum steer_err err = steer_catalog_check(edit->after, &whole);
    assert_int_equal(
        steer_catalog_check_changes(edit->after, references, edit->changes, edit->count, &part),
        err);
    assert_string_equal(part.message, whole.message);
    assert_int_equal(part.line, whole.line);
    assert_int_equal(part.column, whole.column);
    return err;
}

// Of a good edit: the marks of what is there after it.
static void check_reach(const struct edit *edit, struct steer_references *references)
{
    struct marks reached = {0};
    struct marks wanted = {0};
    steer_references_reach(references, edit->changes, edit->count, note, &reached);
    for (size_t i = 0; i < edit->count; i++)
        *mark_of(&wanted, edit->changes[i].kind, edit->changes[i].name) = true;
    spread(&wanted, edit->after);
    for (enum steer_kind kind = STEER_SITE; kind < STEER_KINDS; kind++) {
        for (unsigned i = 0; i < NAMES; i++) {
            char name[48];
            if (steer_catalog_get(edit->after, kind, name_of(kind, i, name)))
                assert_int_equal(reached.hit[kind][i], wanted.hit[kind][i]);
        }
    }
}

static void follow(const struct edit *edit, struct steer_references *references)
{
    for (size_t i = 0; i < edit->count; i++) {
        const struct steer_change *change = &edit->changes[i];
        const struct steer_object *object =
            steer_catalog_get(edit->after, change->kind, change->name);
        if (object)
            steer_references_put(references, object);
        else
            steer_references_remove(references, change->kind, change->name);
    }
}

static void an_edit_is_judged_as_the_whole_is(void **state)
{
    (void)state;
    struct author a = {.json = {0}};
    struct steer_catalog *catalog = steer_catalog_create();
    struct steer_references *references = steer_references_create(catalog);
    unsigned good = 0;
    unsigned most = 0;
    steer_rng_init(&a.rng, 20261121);
    for (unsigned step = 0; step < STEPS; step++) {
        struct edit edit;
        make_edit(&a, catalog, &edit);
        if (check_both(&edit, references) != STEER_OK) {
            steer_catalog_unref(edit.after);
            continue;
        }
        check_reach(&edit, references);
        follow(&edit, references);
        steer_catalog_unref(catalog);
        catalog = edit.after;
        good++;
        const unsigned records = (unsigned)steer_catalog_count(catalog, STEER_STEERED);
        most = records > most ? records : most;
    }
    print_message("%u of %u edits were good, at most %u records\n", good, STEPS, most);
    assert_true(good > STEPS / 10 && good < STEPS - STEPS / 10 && most == NAMES);
    steer_references_destroy(references);
    steer_catalog_unref(catalog);
    steer_buf_fini(&a.json);
}

// A policy that was deep enough already is used by one that comes anew: nothing that changed is too deep by itself.
static void depth_and_loops_are_seen_through_what_did_not_change(void **state)
{
    (void)state;
    struct steer_catalog *catalog = steer_catalog_create();
    put(catalog, STEER_ENDPOINT, "e", "{\"ipv4\":\"192.0.2.1\"}");
    put(catalog, STEER_POLICY, "p15", "{\"endpoint\":\"e\"}");
    for (int i = 14; i >= 0; i--) {
        char name[16], json[48];
        snprintf(name, sizeof name, "p%d", i);
        snprintf(json, sizeof json, "{\"use\":\"p%d\"}", i + 1);
        put(catalog, STEER_POLICY, name, json);
    }
    assert_int_equal(steer_catalog_check(catalog, NULL), STEER_OK);
    struct steer_references *references = steer_references_create(catalog);
    static const struct {
        const char *name, *json, *says;
    } rows[] = {
        {"top", "{\"use\":\"p0\"}", "nodes nest deeper than 16"},
        {"top", "{\"use\":\"p1\"}", NULL},
        {"p15", "{\"failover\":[{\"endpoint\":\"e\"},{\"endpoint\":\"e\"}]}", "nest deeper"},
        {"p15", "{\"use\":\"p3\"}", "policy loop: p15 -> p3 -> p4 -> "},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct edit edit = {steer_catalog_clone(catalog), {{STEER_POLICY, rows[i].name}}, {{0}}, 1};
        struct steer_diag diag = {0};
        put(edit.after, STEER_POLICY, rows[i].name, rows[i].json);
        assert_int_equal(check_both(&edit, references), rows[i].says ? STEER_EINVAL : STEER_OK);
        const enum steer_err err =
            steer_catalog_check_changes(edit.after, references, edit.changes, 1, &diag);
        assert_true(err == STEER_OK || strstr(diag.message, rows[i].says));
        steer_catalog_unref(edit.after);
    }
    steer_references_destroy(references);
    steer_catalog_unref(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_is_judged_as_the_whole_is),
        cmocka_unit_test(depth_and_loops_are_seen_through_what_did_not_change),
    };
    return cmocka_run_group_tests_name("references", tests, NULL, NULL);
}
