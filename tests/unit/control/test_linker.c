// SPDX-License-Identifier: GPL-3.0-or-later
// The linker through its door: documents and zones in, answers out, and nothing left behind.
#include "ask.h"

#include <stdlib.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/control/linker.h"
#include "steerd/rr/zonefile.h"

#define GEO STEER_SOURCE_DIR "/geodata/country.mmdb"

enum { NOW = 1800000000 };

struct fixture {
    struct steer_vitals *vitals;
    struct steer_linker *linker;
    struct steer_link_summary summary;
    struct steer_diag diag;
    const char *as; // name of the next document
    bool take_over, prune;
};

static struct steer_linker *new_linker(struct steer_vitals *vitals)
{
    const char *files[] = {GEO};
    struct steer_geo *geo;
    struct steer_linker *linker = NULL;
    struct steer_diag diag = {0};
    if (steer_geo_open(files, 1, NULL, &geo, &diag) != STEER_OK ||
        steer_linker_create(geo, vitals, &linker, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_geo_unref(geo);
    return linker;
}

static int setup(void **state)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    f->vitals = steer_vitals_create();
    f->linker = new_linker(f->vitals);
    f->as = "test";
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    steer_linker_destroy(f->linker);
    steer_vitals_destroy(f->vitals);
    steer_link_summary_fini(&f->summary);
    free(f);
    return 0;
}

// Prepares and commits, or aborts.
static enum steer_err finish(struct fixture *f, struct steer_link *link, enum steer_err err)
{
    if (err == STEER_OK)
        err = steer_link_prepare(link, NOW, &f->diag);
    if (err != STEER_OK) {
        steer_link_abort(link);
        return err;
    }
    steer_link_commit(link);
    steer_vitals_follow(f->vitals, steer_linker_catalog(f->linker), NULL, NULL, NULL);
    return STEER_OK;
}

static enum steer_err apply(struct fixture *f, const char *text)
{
    struct steer_document *d;
    const struct steer_link_documents_options options = {f->take_over, f->prune};
    steer_link_summary_fini(&f->summary);
    if (steer_document_parse(text, strlen(text), f->as, f->as, &d, &f->diag) != STEER_OK)
        fail_msg("%s", f->diag.message);
    struct steer_link *link = steer_link_begin(f->linker);
    enum steer_err err =
        finish(f, link, steer_link_documents(link, &d, 1, &options, &f->summary, &f->diag));
    steer_document_destroy(d);
    return err;
}

static void must_apply(struct fixture *f, const char *text)
{
    if (apply(f, text) != STEER_OK)
        fail_msg("%s", f->diag.message);
}

static int take_record(void *ctx, const struct steer_rr *rr)
{
    return steer_zone_add(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL,
                          NULL) != STEER_OK;
}

static struct steer_zone_edit *build(const char *origin_text, const char *text,
                                     struct steer_name *origin)
{
    assert_int_equal(steer_name_parse(origin_text, NULL, origin, NULL), STEER_OK);
    struct steer_zone_edit *edit = steer_zone_build(origin);
    assert_int_equal(
        steer_zonefile_read(text, strlen(text), "zone", origin, 300, NULL, take_record, edit, NULL),
        STEER_OK);
    return edit;
}

static enum steer_err import(struct fixture *f, const char *origin_text, const char *text)
{
    struct steer_name origin;
    struct steer_zone_edit *edit = build(origin_text, text, &origin);
    struct steer_link *link = steer_link_begin(f->linker);
    return finish(f, link, steer_link_replace_zone(link, &origin, edit, &f->diag));
}

static enum steer_err delete (struct fixture *f, const char *origin_text) {
    struct steer_name origin;
    assert_int_equal(steer_name_parse(origin_text, NULL, &origin, NULL), STEER_OK);
    struct steer_link *link = steer_link_begin(f->linker);
    return finish(f, link, steer_link_remove_zone(link, &origin) ? STEER_OK : STEER_ENOTFOUND);
}

static void expect(struct fixture *f, const char *name, uint16_t type, const char *client,
                   const char *want)
{
    char got[512];
    const struct steer_world *world = steer_linker_world(f->linker);
    assert_string_equal(answer_of(world, name, type, client, got), want);
}

static uint32_t serial_of(struct fixture *f, const char *origin_text)
{
    struct steer_name origin;
    assert_int_equal(steer_name_parse(origin_text, NULL, &origin, NULL), STEER_OK);
    return steer_world_zone(steer_linker_world(f->linker), steer_name_hash(&origin), origin.octets)
        ->serial;
}

// All that a change that does not happen must leave as it was.
struct trace {
    const struct steer_world *world;
    const struct steer_catalog *catalog;
    uint64_t version, cells;
    size_t residuals, classmaps;
};

static struct trace trace_of(const struct steer_linker *l)
{
    struct steer_cells_stats cells;
    steer_cells_stats(steer_linker_cells(l), &cells);
    const struct steer_world *world = steer_linker_world(l);
    return (struct trace){world,
                          steer_linker_catalog(l),
                          world->version,
                          cells.cells,
                          steer_residuals_count(steer_linker_residuals(l)),
                          steer_linker_maps(l).tables};
}

static void assert_traces_equal(const struct trace *a, const struct trace *b)
{
    assert_ptr_equal(a->world, b->world);
    assert_ptr_equal(a->catalog, b->catalog);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->cells, b->cells);
    assert_int_equal(a->residuals, b->residuals);
    assert_int_equal(a->classmaps, b->classmaps);
}

static bool listed(char *const *list, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], what) == 0)
            return true;
    return false;
}

// ---- documents -----------------------------------------------------------------------------------

#define OBJECTS                                                                                    \
    "zone: example.com\n"                                                                          \
    "endpoints:\n"                                                                                 \
    "  a: {ipv4: 192.0.2.1, ipv6: '2001:db8::1'}\n"                                                \
    "  b: {ipv4: 192.0.2.2}\n"                                                                     \
    "pools:\n"                                                                                     \
    "  p: {endpoints: {a: 1}}\n"                                                                   \
    "records:\n"
#define STEERED                                                                                    \
    OBJECTS "  api: {ttl: 30, steer: {geo: {rules: [{match: EU, to: {pool: p}}], default: "        \
            "{endpoint: b}}}}\n"
#define DE "192.0.2.77"
#define US "198.51.100.77"

static void a_document_is_answered_once_it_is_committed(void **state)
{
    struct fixture *f = *state;
    must_apply(f, STEERED "  www: {A: [192.0.2.80], TXT: [hello]}\n");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "api.example.com.", STEER_TYPE_A, US, "192.0.2.2");
    expect(f, "api.example.com.", STEER_TYPE_AAAA, DE, "2001:db8::1");
    expect(f, "api.example.com.", STEER_TYPE_AAAA, US, "NODATA");
    expect(f, "www.example.com.", STEER_TYPE_A, US, "192.0.2.80");
    expect(f, "www.example.com.", STEER_TYPE_TXT, US, "hello");
    expect(f, "nothing.example.com.", STEER_TYPE_A, US, "NXDOMAIN");
    expect(f, "www.example.org.", STEER_TYPE_A, US, "REFUSED");
    assert_int_equal(serial_of(f, "example.com."), NOW);
    assert_true(listed(f->summary.created, f->summary.created_count, "zone example.com."));
    assert_true(listed(f->summary.created, f->summary.created_count, "pool p"));
    assert_true(listed(f->summary.created, f->summary.created_count, "records www.example.com. A"));
    assert_true(
        listed(f->summary.created, f->summary.created_count, "record api.example.com. address"));
}

static void applied_again_it_changes_nothing_and_raises_no_serial(void **state)
{
    struct fixture *f = *state;
    const char *text = STEERED "  www: {A: [192.0.2.80]}\n"
                               "soa: {mname: ns.example.net., minimum: 60s}\n"
                               "ns: [ns.example.net., b.example.net., NS.example.net.]\n";
    must_apply(f, text);
    struct trace before = trace_of(f->linker);
    const struct steer_world *world = before.world;
    must_apply(f, text);
    assert_int_equal(
        f->summary.created_count + f->summary.replaced_count + f->summary.removed_count, 0);
    assert_int_equal(f->summary.unchanged, 6); // a, b, p, api, www A, NS
    struct trace after = trace_of(f->linker);
    assert_ptr_equal(after.world, world);
    assert_int_equal(after.version, before.version);
    assert_int_equal(after.cells, before.cells);
    assert_int_equal(after.residuals, before.residuals);
    assert_int_equal(serial_of(f, "example.com."), NOW);
}

static void an_edit_raises_the_serial_of_its_zone_alone(void **state)
{
    struct fixture *f = *state;
    const char *const edits[] = {OBJECTS "  www: {A: [192.0.2.81]}\n",
                                 OBJECTS "  www: {ttl: 5, A: [192.0.2.81]}\n",
                                 "zone: example.com\nsoa: {minimum: 10s}\n",
                                 "zone: example.com\nns: [ns.example.net.]\n", STEERED};
    must_apply(f, OBJECTS "  www: {A: [192.0.2.80]}\n");
    must_apply(f, "zone: example.org\n");
    for (size_t i = 0; i < STEER_ARRAY_LEN(edits); i++) {
        uint64_t version = steer_linker_world(f->linker)->version;
        must_apply(f, edits[i]);
        assert_int_equal(serial_of(f, "example.com."), NOW + 1 + i); // the clock stands still
        assert_int_equal(steer_linker_world(f->linker)->version, version + 1);
        assert_int_equal(f->summary.created_count + f->summary.replaced_count, 1);
    }
    assert_int_equal(serial_of(f, "example.org."), NOW);
}

static void an_objects_change_reaches_every_record_that_holds_it(void **state)
{
    struct fixture *f = *state;
    must_apply(f, STEERED);
    must_apply(f, "endpoints:\n  a: {ipv4: 192.0.2.9}\n");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.9");
    expect(f, "api.example.com.", STEER_TYPE_AAAA, DE, "NODATA");
    must_apply(f, "pools:\n  p: {endpoints: {b: 1}}\n");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(serial_of(f, "example.com."), NOW); // its records are as they were
}

static void a_check_that_begins_down_counts_at_once_also_for_cells_that_are_there(void **state)
{
    struct fixture *f = *state;
#define CHECKED(initially)                                                                         \
    "zone: example.com\nchecks:\n  c: {type: tcp, port: 80, initially: " initially "}\n"           \
    "endpoints:\n  a: {ipv4: 192.0.2.1, check: c}\n  b: {ipv4: 192.0.2.2}\n"                       \
    "records:\n  api: {steer: {failover: [{endpoint: a}, {endpoint: b}]}}\n"
    must_apply(f, CHECKED("up"));
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    must_apply(f, CHECKED("down"));
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    must_apply(f, CHECKED("up"));
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    assert_int_equal(steer_linker_refresh(f->linker, STEER_ENDPOINT, NULL), 0);
}

// An endpoint's health changes while a document with a new check of it is being stored.
static void health_that_changes_during_a_link_is_seen_as_the_new_catalogue_sees_it(void **state)
{
    struct fixture *f = *state;
    const char *text =
        "zone: example.com\n"
        "checks:\n  c: {type: tcp, port: 80}\n  d: {type: tcp, port: 81, initially: down}\n"
        "endpoints:\n  a: {ipv4: 192.0.2.1, check: c}\n  n: {ipv4: 192.0.2.7, check: d}\n"
        "  b: {ipv4: 192.0.2.2}\n"
        "records:\n  api: {steer: {failover: [{endpoint: a}, {endpoint: n}, {endpoint: b}]}}\n";
    struct steer_document *d;
    const struct steer_link_documents_options options = {0};
    must_apply(
        f, "checks:\n  c: {type: tcp, port: 80}\nendpoints:\n  a: {ipv4: 192.0.2.1, check: c}\n");
    assert_int_equal(steer_document_parse(text, strlen(text), "test", "test", &d, NULL), STEER_OK);
    struct steer_link *link = steer_link_begin(f->linker);
    assert_int_equal(steer_link_documents(link, &d, 1, &options, &f->summary, NULL), STEER_OK);
    assert_int_equal(steer_link_prepare(link, NOW, NULL), STEER_OK);
    struct steer_vital *vital = steer_vitals_find(f->vitals, "a", "c");
    for (int i = 0; i < 3; i++)
        steer_verdict_observe(&vital->state, &vital->hysteresis, false, "refused", NOW);
    steer_linker_refresh(f->linker, STEER_ENDPOINT, "a");
    steer_link_commit(link);
    steer_vitals_follow(f->vitals, steer_linker_catalog(f->linker), NULL, NULL, NULL);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(steer_linker_refresh(f->linker, STEER_ENDPOINT, NULL), 0);
    steer_document_destroy(d);
}

static void a_pool_is_evaluated_once_for_all_that_fail_together(void **state)
{
    enum { MANY = 40 };
    struct fixture *f = *state;
    struct steer_buf text = {0};
    struct steer_cells_stats before, after;
    char names[MANY][16];
    const char *failed[MANY];
    steer_buf_puts(&text,
                   "zone: example.com\nchecks: {c: {type: tcp, port: 80, fall: 1}}\nendpoints:\n");
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "e%d", i);
        steer_buf_printf(&text, "  e%d: {ipv4: 192.0.2.%d, check: c}\n", i, i + 1);
    }
    steer_buf_puts(&text, "pools:\n  p:\n    endpoints: [");
    for (int i = 0; i < MANY; i++)
        steer_buf_printf(&text, "%se%d", i ? ", " : "", i);
    steer_buf_puts(&text, "]\nrecords: {api: {steer: {pool: p}}}\n");
    must_apply(f, text.data);
    steer_buf_fini(&text);
    steer_vitals_follow(f->vitals, steer_linker_catalog(f->linker), NULL, NULL, NULL);
    for (int i = 0; i < MANY - 1; i++) {
        struct steer_vital *vital = steer_vitals_find(f->vitals, names[i], "c");
        steer_verdict_observe(&vital->state, &vital->hysteresis, false, "refused", NOW);
        failed[i] = names[i];
    }
    steer_cells_stats(steer_linker_cells(f->linker), &before);
    assert_int_equal(steer_linker_refresh_endpoints(f->linker, failed, MANY - 1), 1);
    steer_cells_stats(steer_linker_cells(f->linker), &after);
    assert_int_equal(after.evaluations - before.evaluations, after.cells);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.40");
    assert_int_equal(steer_linker_refresh(f->linker, STEER_ENDPOINT, NULL), 0);
}

static void what_cannot_stand_beside_a_new_record_gives_way(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *record, *a, *txt;
    } steps[] = {
        {"{A: [192.0.2.80], AAAA: ['2001:db8::80'], TXT: [hello]}", "192.0.2.80", "hello"},
        {"{steer: {endpoint: a}}", "192.0.2.1", "hello"}, // TXT stays beside a steered address
        {"{TXT: [more]}", "192.0.2.1", "more"},
        {"{steer: {endpoint: h}, kind: cname}", "h.example.net.", "h.example.net."},
        {"{CNAME: www.example.org.}", "www.example.org.", "www.example.org."},
        {"{steer: {endpoint: h}, kind: cname}", "h.example.net.", "h.example.net."},
        {"{steer: {endpoint: b}}", "192.0.2.2", "NODATA"},
        {"{CNAME: www.example.org.}", "www.example.org.", "www.example.org."},
        {"{A: [192.0.2.81]}", "192.0.2.81", "NODATA"},
        {"{steer: {endpoint: h}, kind: cname}", "h.example.net.", "h.example.net."},
        {"{TXT: [last]}", "NODATA", "last"},
    };
    must_apply(f, OBJECTS "  x: {A: [192.0.2.80]}\n");
    must_apply(f, "endpoints:\n  h: {hostname: h.example.net}\n");
    for (size_t i = 0; i < STEER_ARRAY_LEN(steps); i++) {
        char text[256];
        snprintf(text, sizeof text, "zone: example.com\nrecords:\n  x: %s\n", steps[i].record);
        must_apply(f, text);
        expect(f, "x.example.com.", STEER_TYPE_A, DE, steps[i].a);
        expect(f, "x.example.com.", STEER_TYPE_TXT, DE, steps[i].txt);
    }
    assert_int_equal(steer_catalog_count(steer_linker_catalog(f->linker), STEER_STEERED), 0);
    assert_int_equal(trace_of(f->linker).cells, 0);
}

static void another_documents_things_are_taken_over_only_on_request(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = {
        "endpoints:\n  a: {ipv4: 192.0.2.99}\n",
        "zone: example.com\nrecords:\n  api: {steer: {answer: {A: [192.0.2.98]}}}\n",
        "zone: example.com\nrecords:\n  api: {A: [192.0.2.97]}\n",
    };
    must_apply(f, STEERED);
    struct trace before = trace_of(f->linker);
    f->as = "other";
    for (size_t i = 0; i < STEER_ARRAY_LEN(others); i++) {
        assert_int_equal(apply(f, others[i]), STEER_EINVAL);
        assert_non_null(strstr(f->diag.message, "is defined by document 'test'"));
        struct trace after = trace_of(f->linker);
        assert_traces_equal(&before, &after);
    }
    f->take_over = true;
    must_apply(f, others[0]);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.99");
    must_apply(f, others[2]);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.97");
}

static void one_apply_defines_a_thing_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *first, *second, *why;
    } pairs[] = {
        {"endpoints:\n  a: {ipv4: 192.0.2.1}\n", "endpoints:\n  a: {ipv4: 192.0.2.1}\n",
         "endpoint a is defined twice"},
        {"zone: example.com\nrecords:\n  x: {A: [192.0.2.1]}\n",
         "zone: example.com\nrecords:\n  x: {A: [192.0.2.2]}\n",
         "records x.example.com. A is defined twice"},
        {"zone: example.com\nrecords:\n  x: {A: [192.0.2.1]}\n",
         "zone: example.com\nrecords:\n  x: {CNAME: y}\n",
         "records x.example.com. CNAME cannot stand beside records x.example.com. A"},
        {"zone: example.com\nrecords:\n  x: {steer: {answer: {A: [192.0.2.1]}}}\n",
         "zone: example.com\nrecords:\n  x: {A: [192.0.2.2]}\n",
         "cannot stand beside record x.example.com. address"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(pairs); i++) {
        struct steer_document *d[2];
        const struct steer_link_documents_options options = {.take_over = true};
        const char *texts[] = {pairs[i].first, pairs[i].second};
        for (int k = 0; k < 2; k++)
            assert_int_equal(steer_document_parse(texts[k], strlen(texts[k]), k ? "two" : "one",
                                                  k ? "two" : "one", &d[k], NULL),
                             STEER_OK);
        struct steer_link *link = steer_link_begin(f->linker);
        assert_int_equal(steer_link_documents(link, d, 2, &options, &f->summary, &f->diag),
                         STEER_EINVAL);
        assert_non_null(strstr(f->diag.message, pairs[i].why));
        assert_string_equal(f->diag.file, "two");
        assert_int_equal(f->diag.line, i ? 3 : 2);
        steer_link_abort(link);
        steer_document_destroy(d[0]);
        steer_document_destroy(d[1]);
        steer_link_summary_fini(&f->summary);
    }
}

static void prune_removes_what_the_document_gave_and_gives_no_more(void **state)
{
    struct fixture *f = *state;
    f->as = "other";
    must_apply(f, "zone: example.com\nendpoints:\n  z: {ipv4: 192.0.2.50}\nrecords:\n  keep: "
                  "{steer: {endpoint: z}}\n");
    f->as = "test";
    must_apply(f, STEERED "  www: {A: [192.0.2.80]}\n  old: {A: [192.0.2.81], TXT: [old]}\n");
    must_apply(f, OBJECTS "  www: {A: [192.0.2.80]}\n"); // without prune nothing goes
    expect(f, "old.example.com.", STEER_TYPE_A, DE, "192.0.2.81");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    f->prune = true;
    must_apply(f, "zone: example.com\nendpoints:\n  b: {ipv4: 192.0.2.2}\nrecords:\n  www: {A: "
                  "[192.0.2.80]}\n");
    expect(f, "old.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "192.0.2.80");
    expect(f, "keep.example.com.", STEER_TYPE_A, DE, "192.0.2.50");
    struct reply r;
    ask_world(steer_linker_world(f->linker), "example.com.", STEER_TYPE_NS, DE, 0, &r);
    assert_int_equal(r.facts.kind, STEER_FACT_POSITIVE);
    assert_int_equal(f->summary.removed_count, 5); // old A, old TXT, api, a, p
    assert_true(listed(f->summary.removed, f->summary.removed_count, "pool p"));
    assert_true(
        listed(f->summary.removed, f->summary.removed_count, "record api.example.com. address"));
    assert_null(steer_catalog_get(steer_linker_catalog(f->linker), STEER_ENDPOINT, "a"));
}

static void two_documents_that_share_a_zone_do_not_prune_each_other(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"zone: example.com\nrecords:\n  x: {A: [192.0.2.1]}\n",
                                        "zone: example.com\nrecords:\n  y: {A: [192.0.2.2]}\n"};
    const struct steer_link_documents_options options = {.prune = true};
    for (int round = 0; round < 2; round++) {
        struct steer_document *d[2];
        for (int k = 0; k < 2; k++)
            assert_int_equal(steer_document_parse(texts[k], strlen(texts[k]), k ? "two" : "one", "",
                                                  &d[k], NULL),
                             STEER_OK);
        steer_link_summary_fini(&f->summary);
        struct steer_link *link = steer_link_begin(f->linker);
        assert_int_equal(
            finish(f, link, steer_link_documents(link, d, 2, &options, &f->summary, &f->diag)),
            STEER_OK);
        steer_document_destroy(d[0]);
        steer_document_destroy(d[1]);
    }
    assert_int_equal(f->summary.removed_count, 0);
    assert_int_equal(f->summary.unchanged, 2);
    expect(f, "x.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "y.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
}

static void a_refused_document_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        OBJECTS "  api: {steer: {pool: nowhere}}\n  www: {A: [192.0.2.1]}\n",
        ("zone: example.com\nendpoints:\n  a: {ipv4: 192.0.2.66, site: nowhere}\nrecords:\n  new: "
         "{steer: {endpoint: a}}\n"),
        "zone: example.net\nrecords:\n  new: {steer: {pool: gone}}\n",
    };
    must_apply(f, STEERED "  www: {A: [192.0.2.80]}\n");
    struct trace before = trace_of(f->linker);
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        assert_int_equal(apply(f, bad[i]), STEER_EINVAL);
        struct trace after = trace_of(f->linker);
        assert_traces_equal(&before, &after);
    }
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "192.0.2.80");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

// ---- zones ---------------------------------------------------------------------------------------

#define ZONE(serial)                                                                               \
    "@ SOA ns hostmaster " serial " 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n"

static void an_import_replaces_static_records_and_keeps_steered_ones(void **state)
{
    struct fixture *f = *state;
    must_apply(f, STEERED "  www: {A: [192.0.2.80]}\n");
    uint32_t before = serial_of(f, "example.com.");
    assert_int_equal(import(f, "example.com.", ZONE("7") "mail A 192.0.2.25\n"), STEER_OK);
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    expect(f, "mail.example.com.", STEER_TYPE_A, DE, "192.0.2.25");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    assert_int_equal(serial_of(f, "example.com."), before + 1);
    assert_int_equal(import(f, "example.com.", ZONE("3000000000")), STEER_OK);
    assert_int_equal(serial_of(f, "example.com."), 3000000000U);
}

static void a_new_zones_file_keeps_its_serial(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(import(f, "example.org.", ZONE("0")), STEER_OK);
    assert_int_equal(serial_of(f, "example.org."), 0);
    assert_int_equal(import(f, "example.net.", ZONE("2026010101")), STEER_OK);
    assert_int_equal(serial_of(f, "example.net."), 2026010101);
    assert_int_equal(import(f, "example.net.", ZONE("2026010101")), STEER_OK);
    assert_int_equal(serial_of(f, "example.net."), 2026010102);
}

static void a_refused_import_leaves_the_rest_of_its_link_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct steer_name origin, other, www;
    const uint8_t packed[] = {0, 4, 192, 0, 2, 99};
    must_apply(f, STEERED);
    assert_int_equal(steer_name_parse("www.example.com.", NULL, &www, NULL), STEER_OK);
    struct steer_zone_edit *bad = build("example.com.", ZONE("9") "api A 192.0.2.1\n", &origin);
    struct steer_zone_edit *good = build("example.org.", ZONE("9"), &other);
    struct steer_link *link = steer_link_begin(f->linker);
    assert_int_equal(steer_link_put_rrset(link, &origin, &www, STEER_TYPE_A, 60, packed, 6, NULL),
                     STEER_OK);
    assert_int_equal(steer_link_replace_zone(link, &origin, bad, &f->diag), STEER_EINVAL);
    assert_non_null(strstr(f->diag.message, "api.example.com. has a steered address and also A"));
    assert_int_equal(steer_link_replace_zone(link, &other, good, &f->diag), STEER_OK);
    assert_int_equal(
        steer_link_replace_zone(link, &other, build("example.org.", "@ NS ns\n", &other), &f->diag),
        STEER_EINVAL);
    size_t count;
    steer_link_journal(link, &count);
    assert_int_equal(count, 3); // the RRset, the new zone, its content
    assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "192.0.2.99");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "ns.example.org.", STEER_TYPE_A, DE, "192.0.2.53");
}

static void a_refused_import_of_a_new_zone_makes_none(void **state)
{
    struct fixture *f = *state;
    struct steer_name origin;
    struct steer_zone_edit *bad = build("example.org.", "@ NS ns\n", &origin);
    struct steer_link *link = steer_link_begin(f->linker);
    assert_int_equal(steer_link_replace_zone(link, &origin, bad, &f->diag), STEER_EINVAL);
    assert_false(steer_link_has_zone(link, &origin));
    assert_false(steer_link_remove_zone(link, &origin));
    assert_null(steer_link_zone_after(link, &origin));
    assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
    expect(f, "ns.example.org.", STEER_TYPE_A, DE, "REFUSED");
}

static void a_deleted_zone_takes_its_steered_records_along(void **state)
{
    struct fixture *f = *state;
    must_apply(f, STEERED);
    assert_int_equal(delete (f, "example.com."), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "REFUSED");
    struct trace after = trace_of(f->linker);
    assert_int_equal(after.cells, 0);
    assert_int_equal(after.residuals, 0);
    assert_int_equal(after.classmaps, 0);
    assert_int_equal(steer_catalog_count(steer_linker_catalog(f->linker), STEER_STEERED), 0);
    assert_int_equal(steer_catalog_count(steer_linker_catalog(f->linker), STEER_POOL), 1);
    assert_int_equal(delete (f, "example.com."), STEER_ENOTFOUND);
    must_apply(f, STEERED);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

static void put_zone_records(struct steer_link *link, const struct steer_name *origin, uint8_t last)
{
    struct steer_name ns;
    uint8_t soa[128] = {0};
    uint8_t rr[128] = {0};
    assert_int_equal(steer_name_parse("ns", origin, &ns, NULL), STEER_OK);
    size_t len = 2u * ns.len + 20;
    soa[1] = (uint8_t)len;
    memcpy(soa + 2, ns.octets, ns.len);
    memcpy(soa + 2 + ns.len, ns.octets, ns.len);
    assert_int_equal(
        steer_link_put_rrset(link, origin, origin, STEER_TYPE_SOA, 300, soa, len + 2, NULL),
        STEER_OK);
    rr[1] = ns.len;
    memcpy(rr + 2, ns.octets, ns.len);
    assert_int_equal(
        steer_link_put_rrset(link, origin, origin, STEER_TYPE_NS, 300, rr, ns.len + 2u, NULL),
        STEER_OK);
    const uint8_t a[] = {0, 4, 192, 0, 2, last};
    assert_int_equal(steer_link_put_rrset(link, origin, &ns, STEER_TYPE_A, 300, a, 6, NULL),
                     STEER_OK);
}

// The journal must say the serial that is answered, or a restart would go back.
static uint32_t journalled_serial(const struct steer_link *link)
{
    size_t count;
    uint32_t serial = 0;
    const struct steer_journal_entry *e = steer_link_journal(link, &count);
    for (size_t i = 0; i < count; i++) {
        if (e[i].kind == STEER_J_RRSET && e[i].type == STEER_TYPE_SOA) {
            const uint8_t *p = e[i].packed + e[i].packed_len - 20;
            serial = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        } else if (e[i].kind == STEER_J_ZONE_CONTENT && e[i].zone) {
            serial = e[i].zone->serial;
        }
    }
    return serial;
}

static void a_zone_removed_and_made_again_in_one_link_is_stored_with_its_new_serial(void **state)
{
    struct fixture *f = *state;
    struct steer_name origin;
    must_apply(f, STEERED "  www: {A: [192.0.2.80]}\n");
    assert_int_equal(steer_name_parse("example.com.", NULL, &origin, NULL), STEER_OK);
    struct steer_link *link = steer_link_begin(f->linker);
    assert_true(steer_link_remove_zone(link, &origin));
    assert_false(steer_link_has_zone(link, &origin));
    put_zone_records(link, &origin, 77);
    assert_int_equal(steer_link_prepare(link, NOW, &f->diag), STEER_OK);
    assert_int_equal(journalled_serial(link), NOW + 1);
    steer_link_commit(link);
    assert_int_equal(serial_of(f, "example.com."), NOW + 1);
    expect(f, "ns.example.com.", STEER_TYPE_A, DE, "192.0.2.77");
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    assert_int_equal(trace_of(f->linker).cells, 0);
}

static void
a_zone_opened_replaced_removed_and_made_in_one_link_ends_as_the_last_step_says(void **state)
{
    struct fixture *f = *state;
    struct steer_name origin;
    for (int before = 0; before < 2; before++) {
        for (int last = 0; last < 3; last++) {
            if (before)
                must_apply(f, STEERED);
            struct steer_zone_edit *edit =
                build("example.com.", ZONE("5") "imp A 192.0.2.5\n", &origin);
            struct steer_link *link = steer_link_begin(f->linker);
            put_zone_records(link, &origin, 10);
            assert_int_equal(steer_link_replace_zone(link, &origin, edit, &f->diag), STEER_OK);
            assert_int_equal(journalled_serial(link), 0); // not known before prepare
            assert_true(steer_link_remove_zone(link, &origin));
            if (last == 1)
                put_zone_records(link, &origin, 11);
            if (last == 2) {
                edit = build("example.com.", ZONE("6") "two A 192.0.2.6\n", &origin);
                assert_int_equal(steer_link_replace_zone(link, &origin, edit, &f->diag), STEER_OK);
            }
            assert_int_equal(steer_link_prepare(link, NOW, &f->diag), STEER_OK);
            uint32_t serial = journalled_serial(link);
            steer_link_commit(link);
            if (last)
                assert_int_equal(serial, serial_of(f, "example.com."));
            expect(f, "ns.example.com.", STEER_TYPE_A, DE,
                   last == 0   ? "REFUSED"
                   : last == 1 ? "192.0.2.11"
                               : "192.0.2.53");
            expect(f, "imp.example.com.", STEER_TYPE_A, DE, last ? "NXDOMAIN" : "REFUSED");
            expect(f, "two.example.com.", STEER_TYPE_A, DE,
                   last == 0   ? "REFUSED"
                   : last == 1 ? "NXDOMAIN"
                               : "192.0.2.6");
            assert_int_equal(trace_of(f->linker).cells, 0);
            if (last)
                assert_int_equal(delete (f, "example.com."), STEER_OK);
        }
    }
}

static void a_steered_record_put_and_removed_in_one_link_leaves_its_number_free(void **state)
{
    struct fixture *f = *state;
    struct steer_name zone;
    struct steer_object *object;
    must_apply(f, OBJECTS "  www: {A: [192.0.2.80]}\n");
    assert_int_equal(steer_name_parse("example.com.", NULL, &zone, NULL), STEER_OK);
    assert_int_equal(steer_object_from_json(STEER_STEERED, "api.example.com. address", "test",
                                            "{\"kind\":\"address\",\"steer\":{\"pool\":\"p\"}}",
                                            &zone, &object, &f->diag),
                     STEER_OK);
    for (int i = 0; i < 3; i++) {
        struct steer_link *link = steer_link_begin(f->linker);
        assert_int_equal(steer_link_put_steered(link, object, &f->diag), STEER_OK);
        steer_link_remove_steered(link, object->name);
        if (i == 1)
            assert_int_equal(steer_link_put_steered(link, object, &f->diag), STEER_OK);
        assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, i == 1 ? "192.0.2.1" : "NXDOMAIN");
    }
    steer_object_unref(object);
    must_apply(f, STEERED);
    expect(f, "api.example.com.", STEER_TYPE_A, US, "192.0.2.2");
}

static void a_name_is_steered_in_one_zone_only(void **state)
{
    struct fixture *f = *state;
    must_apply(f, "zone: example.com\nrecords:\n  api.sub: {steer: {answer: {A: [192.0.2.1]}}}\n");
    expect(f, "api.sub.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    must_apply(f, "zone: sub.example.com\nrecords:\n  api: {steer: {answer: {A: [192.0.2.2]}}}\n");
    expect(f, "api.sub.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(delete (f, "sub.example.com."), STEER_OK);
    expect(f, "api.sub.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    must_apply(f, "zone: example.com\nrecords:\n  api.sub: {steer: {answer: {A: [192.0.2.1]}}}\n");
    must_apply(f, "zone: sub.example.com\nrecords:\n  api: {steer: {answer: {A: [192.0.2.1]}}}\n");
    assert_int_equal(delete (f, "example.com."), STEER_OK);
    expect(f, "api.sub.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

// ---- geo data ------------------------------------------------------------------------------------

static void other_geo_data_compiles_every_record_again(void **state)
{
    struct fixture *f = *state;
    struct steer_geo *empty, *geo;
    const char *files[] = {GEO};
    must_apply(f, STEERED);
    assert_int_equal(steer_geo_open(NULL, 0, NULL, &empty, &f->diag), STEER_OK);
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, &f->diag), STEER_OK);
    struct trace before = trace_of(f->linker);
    for (int round = 0; round < 2; round++) {
        struct steer_link *link = steer_link_begin(f->linker);
        steer_link_set_geo(link, empty);
        assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
        link = steer_link_begin(f->linker);
        steer_link_set_geo(link, geo);
        assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    }
    struct steer_link *link = steer_link_begin(f->linker);
    steer_link_set_geo(link, empty);
    assert_int_equal(finish(f, link, STEER_EIO), STEER_EIO); // aborted
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    struct trace after = trace_of(f->linker);
    assert_int_equal(after.cells, before.cells);
    assert_int_equal(after.residuals, before.residuals);
    assert_int_equal(after.classmaps, before.classmaps);
    assert_ptr_equal(steer_linker_geo(f->linker), geo);
    steer_geo_unref(empty);
    steer_geo_unref(geo);
}

static void records_with_equal_classes_share_a_class_table(void **state)
{
    struct fixture *f = *state;
    must_apply(
        f, STEERED
        "  one: {steer: {geo: {rules: [{match: EU, to: {endpoint: b}}], default: {endpoint: a}}}}\n"
        "  two: {steer: {geo: {rules: [{match: EU-DE, to: {endpoint: b}}], default: {endpoint: "
        "a}}}}\n"
        "  all: {steer: {endpoint: a}}\n  any: {steer: {endpoint: b}}\n");
    assert_int_equal(trace_of(f->linker).classmaps, 3);
    assert_int_equal(steer_linker_maps(f->linker).classes, 2 + 2 + 1);
}

// ---- any sequence of edits -----------------------------------------------------------------------
// A model of what should be there; after each link the linker is compared with one that was built from
// the model alone.

enum { ENDPOINTS = 5, POOLS = 3, ZONES = 3, NAMES = 5, ROUNDS = 150 };
enum { S_NONE, S_A, S_TXT, S_CNAME };                // static
enum { T_NONE, T_POOL, T_GEO, T_WEIGHTED, T_ALIAS }; // steered; T_ALIAS is a cname

struct model {
    int check;                // 0: none, 1: begins up, 2: begins down
    int endpoints[ENDPOINTS]; // 0: none, else a variant
    int pools[POOLS];         // bits of endpoints
    bool zones[ZONES];
    struct {
        int kind, variant, steered;
    } names[ZONES][NAMES];
};

static const char *const origins[ZONES] = {"z0.test.", "z1.test.", "sub.z0.test."};
// The last of z0 is the first of sub.z0.
static const char *const owners[ZONES][NAMES] = {
    {"n0.z0.test.", "n1.z0.test.", "n2.n1.z0.test.", "*.z0.test.", "n0.sub.z0.test."},
    {"n0.z1.test.", "n1.z1.test.", "a.b.c.z1.test.", "*.w.z1.test.", "n4.z1.test."},
    {"n0.sub.z0.test.", "n1.sub.z0.test.", "n2.sub.z0.test.", "n3.sub.z0.test.", "n4.sub.z0.test."},
};

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(text, NULL, &name, NULL), STEER_OK);
    return name;
}

static void put_object(struct steer_link *link, enum steer_kind kind, const char *name,
                       const char *json)
{
    struct steer_object *object;
    struct steer_diag diag;
    if (steer_object_from_json(kind, name, "test", json, NULL, &object, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_link_put(link, object);
    steer_object_unref(object);
}

static void put_check(struct steer_link *link, const struct model *m)
{
    put_object(link, STEER_CHECK, "c",
               m->check == 2 ? "{\"type\":\"tcp\",\"port\":80,\"initially\":\"down\"}"
                             : "{\"type\":\"tcp\",\"port\":80}");
}

static void put_endpoint(struct steer_link *link, const struct model *m, int i)
{
    char name[8], json[160];
    int v = m->endpoints[i];
    snprintf(name, sizeof name, "e%d", i);
    snprintf(json, sizeof json, "{\"ipv4\":\"192.0.2.%d\",\"hostname\":\"h%d.example.net.\"%s%s}",
             i * 10 + v, i * 10 + v, v % 2 ? ",\"ipv6\":\"2001:db8::1\"" : "",
             v == 3 ? ",\"check\":\"c\"" : "");
    put_object(link, STEER_ENDPOINT, name, json);
}

static void put_pool(struct steer_link *link, const struct model *m, int i)
{
    char name[8], json[160] = "{\"endpoints\":{";
    for (int e = 0, n = 0; e < ENDPOINTS; e++)
        if (m->pools[i] >> e & 1)
            sprintf(json + strlen(json), "%s\"e%d\":%d", n++ ? "," : "", e, e + 1);
    strcat(json, "}}");
    snprintf(name, sizeof name, "p%d", i);
    put_object(link, STEER_POOL, name, json);
}

static void put_static(struct steer_link *link, const struct model *m, int z, int n)
{
    static const uint16_t types[] = {0, STEER_TYPE_A, STEER_TYPE_TXT, STEER_TYPE_CNAME};
    const struct steer_name origin = name_of(origins[z]), owner = name_of(owners[z][n]);
    const struct steer_name target = name_of("t.example.net.");
    const int kind = m->names[z][n].kind;
    uint8_t packed[64] = {0, 4, 198, 51, 100, (uint8_t)m->names[z][n].variant};
    size_t len = 6;
    if (kind == S_TXT) {
        memcpy(packed, "\0\2\1x", 4);
        packed[3] = (uint8_t)('a' + m->names[z][n].variant);
        len = 4;
    } else if (kind == S_CNAME) {
        packed[1] = target.len;
        memcpy(packed + 2, target.octets, target.len);
        len = target.len + 2u;
    }
    assert_int_equal(steer_link_put_rrset(link, &origin, &owner, types[kind],
                                          (uint32_t)(60 + m->names[z][n].variant), packed, len,
                                          NULL),
                     STEER_OK);
}

static void put_tree(struct steer_link *link, const struct model *m, int z, int n)
{
    static const char *const trees[] = {
        [T_POOL] = "{\"pool\":\"p0\"}",
        [T_GEO] = "{\"geo\":{\"rules\":[{\"match\":\"EU\",\"to\":{\"pool\":\"p1\"}},{\"match\":"
                  "\"NA-US\",\"to\":"
                  "{\"endpoint\":\"e0\"}}],\"default\":{\"failover\":[{\"pool\":\"p2\"},{\"pool\":"
                  "\"p0\"}]}}}",
        [T_WEIGHTED] =
            "{\"weighted\":[{\"weight\":3,\"to\":{\"endpoint\":\"e1\"}},{\"weight\":1,\"to\":"
            "{\"pool\":\"p0\"}}]}",
        [T_ALIAS] = "{\"failover\":[{\"endpoint\":\"e2\"},{\"endpoint\":\"e0\"}]}",
    };
    const struct steer_name origin = name_of(origins[z]);
    const int tree = m->names[z][n].steered;
    const char *kind = tree == T_ALIAS ? "cname" : "address";
    char name[64], json[400];
    struct steer_object *object;
    struct steer_diag diag;
    snprintf(name, sizeof name, "%s %s", owners[z][n], kind);
    snprintf(json, sizeof json, "{\"kind\":\"%s\",\"ttl\":%d,\"steer\":%s}", kind, 20 + tree,
             trees[tree]);
    if (steer_object_from_json(STEER_STEERED, name, "test", json, &origin, &object, &diag) !=
        STEER_OK)
        fail_msg("%s", diag.message);
    if (steer_link_put_steered(link, object, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_object_unref(object);
}

static void remove_tree(struct steer_link *link, const struct model *m, int z, int n)
{
    char name[64];
    snprintf(name, sizeof name, "%s %s", owners[z][n],
             m->names[z][n].steered == T_ALIAS ? "cname" : "address");
    steer_link_remove_steered(link, name);
}

static void drop_tree(struct steer_link *link, struct model *m, int z, int n)
{
    if (m->names[z][n].steered)
        remove_tree(link, m, z, n);
    m->names[z][n].steered = T_NONE;
}

static void step_objects(struct steer_link *link, struct model *m, unsigned r)
{
    int i = (int)(r >> 8 & 0xff);
    char name[8];
    if (r % 3 == 0) {
        m->check = 1 + i % 2;
        put_check(link, m);
    } else if (r % 3 == 1) {
        i %= ENDPOINTS;
        m->endpoints[i] = (int)(r >> 16 & 3);
        snprintf(name, sizeof name, "e%d", i);
        if (m->endpoints[i])
            put_endpoint(link, m, i);
        else
            steer_link_remove(link, STEER_ENDPOINT, name);
    } else {
        i %= POOLS;
        m->pools[i] = (int)(r >> 16 & 31);
        snprintf(name, sizeof name, "p%d", i);
        if (m->pools[i])
            put_pool(link, m, i);
        else
            steer_link_remove(link, STEER_POOL, name);
    }
}

static void make_zone(struct steer_link *link, struct model *m, int z)
{
    const struct steer_name origin = name_of(origins[z]);
    if (!m->zones[z])
        put_zone_records(link, &origin, (uint8_t)(53 + z));
    m->zones[z] = true;
}

static void step_static(struct steer_link *link, struct model *m, unsigned r)
{
    static const uint16_t types[] = {0, STEER_TYPE_A, STEER_TYPE_TXT, STEER_TYPE_CNAME};
    int z = (int)(r >> 8 & 0xff) % ZONES, n = (int)(r >> 16 & 0xff) % NAMES;
    const struct steer_name origin = name_of(origins[z]), owner = name_of(owners[z][n]);
    make_zone(link, m, z);
    if (m->names[z][n].kind)
        assert_true(steer_link_remove_rrset(link, &origin, &owner, types[m->names[z][n].kind]));
    m->names[z][n].kind = (int)(r >> 24 & 3);
    m->names[z][n].variant = (int)(r >> 26 & 7);
    if (m->names[z][n].kind)
        put_static(link, m, z, n);
    if (m->names[z][n].kind == S_CNAME && m->names[z][n].steered == T_ALIAS)
        m->names[z][n].steered = T_NONE;
}

static void step_steered(struct steer_link *link, struct model *m, unsigned r)
{
    int z = (int)(r >> 8 & 0xff) % ZONES, n = (int)(r >> 16 & 0xff) % NAMES;
    int tree = (int)(r >> 24 & 0xff) % 5;
    make_zone(link, m, z);
    if ((m->names[z][n].steered == T_ALIAS) != (tree == T_ALIAS) || !tree)
        drop_tree(link, m, z, n);
    m->names[z][n].steered = tree;
    if (!tree)
        return;
    put_tree(link, m, z, n);
    if (tree == T_ALIAS && m->names[z][n].kind == S_CNAME)
        m->names[z][n].kind = S_NONE;
    // The other zone that could have the name gave it up; a record of the other kind it keeps.
    int other = z == 0 && n == 4 ? 2 : z == 2 && n == 0 ? 0 : -1, at = z == 0 ? 0 : 4;
    if (other >= 0 && m->names[other][at].steered &&
        (m->names[other][at].steered == T_ALIAS) == (tree == T_ALIAS))
        m->names[other][at].steered = T_NONE;
}

// The zone as the model has it without its steered records, as an import.
static struct steer_zone_edit *build_from(const struct model *m, int z)
{
    struct steer_buf text = {0};
    struct steer_name origin;
    steer_buf_printf(&text, "@ 300 SOA ns ns 0 0 0 0 0\n@ 300 NS ns\nns 300 A 192.0.2.%d\n",
                     53 + z);
    for (int n = 0; n < NAMES; n++) {
        int v = m->names[z][n].variant, kind = m->names[z][n].kind;
        if (kind != S_NONE)
            steer_buf_printf(&text, "%s %d ", owners[z][n], 60 + v);
        if (kind == S_A)
            steer_buf_printf(&text, "A 198.51.100.%d\n", v);
        if (kind == S_TXT)
            steer_buf_printf(&text, "TXT %c\n", 'a' + v);
        if (kind == S_CNAME)
            steer_buf_puts(&text, "CNAME t.example.net.\n");
    }
    struct steer_zone_edit *edit = build(origins[z], text.data, &origin);
    steer_buf_fini(&text);
    return edit;
}

static void step_zone(struct steer_link *link, struct model *m, unsigned r)
{
    int z = (int)(r >> 8 & 0xff) % ZONES;
    const struct steer_name origin = name_of(origins[z]);
    if (r >> 16 & 1) {
        assert_int_equal(steer_link_remove_zone(link, &origin), m->zones[z]);
        m->zones[z] = false;
        memset(m->names[z], 0, sizeof m->names[z]);
        return;
    }
    struct model next = *m;
    struct steer_diag diag;
    for (int n = 0; n < NAMES; n++) {
        next.names[z][n].kind = (int)(r >> (17 + 2 * n) & 3);
        next.names[z][n].variant = (int)(r >> (18 + n) & 7);
    }
    next.zones[z] = true;
    if (steer_link_replace_zone(link, &origin, build_from(&next, z), &diag) == STEER_OK)
        *m = next;
    else
        assert_non_null(
            strstr(diag.message, "has a ")); // "CNAME and other data", "steered address and also"
}

static struct steer_linker *link_from(struct fixture *f, const struct model *m)
{
    struct steer_linker *l = new_linker(f->vitals);
    struct steer_link *link = steer_link_begin(l);
    struct model made = {0};
    if (m->check)
        put_check(link, m);
    for (int i = 0; i < ENDPOINTS; i++)
        if (m->endpoints[i])
            put_endpoint(link, m, i);
    for (int i = 0; i < POOLS; i++)
        if (m->pools[i])
            put_pool(link, m, i);
    for (int z = 0; z < ZONES; z++) {
        if (m->zones[z])
            make_zone(link, &made, z);
        for (int n = 0; n < NAMES; n++) {
            if (m->names[z][n].kind)
                put_static(link, m, z, n);
            if (m->names[z][n].steered)
                put_tree(link, m, z, n);
        }
    }
    if (steer_link_prepare(link, NOW, &f->diag) != STEER_OK)
        fail_msg("the model is refused: %s", f->diag.message);
    steer_link_commit(link);
    return l;
}

// Returns how many answers had records.
static unsigned compare(struct fixture *f, const struct model *m)
{
    unsigned positive = 0;
    static const char *const clients[] = {DE, US, "203.0.113.7", "100.64.1.1", "8.8.8.8"};
    static const uint16_t types[] = {STEER_TYPE_A, STEER_TYPE_AAAA, STEER_TYPE_TXT};
    struct steer_linker *fresh = link_from(f, m);
    struct reply *a = steer_alloc(sizeof *a), *b = steer_alloc(sizeof *b);
    for (int i = 0; i < ZONES * (NAMES + 1); i++) {
        char name[64];
        snprintf(name, sizeof name, i % (NAMES + 1) == NAMES ? "no.such.%s" : "%s",
                 i % (NAMES + 1) == NAMES ? origins[i / (NAMES + 1)]
                                          : owners[i / (NAMES + 1)][i % (NAMES + 1)]);
        if (name[0] == '*')
            name[0] = 'x';
        for (size_t c = 0; c < STEER_ARRAY_LEN(clients) * STEER_ARRAY_LEN(types); c++) {
            uint64_t random = steer_mix64(c + (uint64_t)i * 100);
            ask_world(steer_linker_world(f->linker), name, types[c % 3], clients[c / 3], random, a);
            ask_world(steer_linker_world(fresh), name, types[c % 3], clients[c / 3], random, b);
            positive += a->facts.kind == STEER_FACT_POSITIVE;
            if (!replies_equal(a, b)) {
                char got[512], want[512];
                fail_msg("%s %u from %s: %s instead of %s", name, types[c % 3], clients[c / 3],
                         reply_text(a, got, sizeof got), reply_text(b, want, sizeof want));
            }
        }
    }
    struct trace now = trace_of(f->linker), then = trace_of(fresh);
    assert_int_equal(now.cells, then.cells);
    assert_int_equal(now.residuals, then.residuals);
    assert_int_equal(now.classmaps, then.classmaps);
    assert_int_equal(steer_linker_refresh(f->linker, STEER_ENDPOINT, NULL), 0);
    free(a);
    free(b);
    steer_linker_destroy(fresh);
    return positive;
}

static void step_health(struct fixture *f, unsigned r)
{
    static char reason[] = "test", kind[] = "endpoint", pool[] = "pool";
    char target[8];
    snprintf(target, sizeof target, r & 1 ? "e%u" : "p%u", (r >> 8) % (r & 1 ? ENDPOINTS : POOLS));
    struct steer_override o = {.kind = r & 1 ? kind : pool,
                               .target = target,
                               .reason = reason,
                               .state = (enum steer_forced)(1 + (r >> 16) % 3)};
    if (!steer_vitals_clear_override(f->vitals, o.kind, target))
        steer_vitals_override(f->vitals, &o);
    steer_linker_refresh(f->linker, r & 1 ? STEER_ENDPOINT : STEER_POOL, target);
}

static void remove_everything(struct fixture *f, struct model *m)
{
    struct steer_link *link = steer_link_begin(f->linker);
    for (int z = 0; z < ZONES; z++) {
        const struct steer_name origin = name_of(origins[z]);
        steer_link_remove_zone(link, &origin);
    }
    for (int kind = 0; kind < STEER_STEERED; kind++) {
        size_t count = steer_catalog_count(steer_link_catalog(link), (enum steer_kind)kind);
        const struct steer_object **list =
            steer_catalog_list(steer_link_catalog(link), (enum steer_kind)kind);
        for (size_t i = 0; i < count; i++)
            steer_link_remove(link, (enum steer_kind)kind, list[i]->name);
        free(list);
    }
    assert_int_equal(finish(f, link, STEER_OK), STEER_OK);
    memset(m, 0, sizeof *m);
    struct trace t = trace_of(f->linker);
    assert_int_equal(t.cells, 0);
    assert_int_equal(t.residuals, 0);
    assert_int_equal(t.classmaps, 0);
    assert_int_equal(t.world->zones.count, 0);
}

static void any_sequence_of_edits_gives_the_world_that_is_built_from_scratch(void **state)
{
    struct fixture *f = *state;
    struct model m = {0};
    struct steer_rng rng;
    unsigned kept = 0, refused = 0, positive = 0;
    static void (*const steps[])(struct steer_link *, struct model *, unsigned) = {
        step_objects, step_static, step_steered, step_objects, step_steered, step_zone};
    const char *seed = getenv("STEER_TEST_SEED"); // for longer hunts
    steer_rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 20260131);
    for (int round = 0; round < ROUNDS; round++) {
        struct model next = m;
        struct trace before = trace_of(f->linker);
        struct steer_link *link = steer_link_begin(f->linker);
        for (unsigned n = (unsigned)steer_rng_next(&rng) % (round % 10 ? 4 : 20) + 1; n; n--)
            steps[steer_rng_next(&rng) % STEER_ARRAY_LEN(steps)](link, &next,
                                                                 (unsigned)steer_rng_next(&rng));
        bool abort_it = steer_rng_next(&rng) % 8 == 0;
        if (finish(f, link, abort_it ? STEER_EIO : STEER_OK) == STEER_OK) {
            m = next;
            kept++;
        } else {
            struct trace after = trace_of(f->linker);
            assert_traces_equal(&before, &after);
            refused += !abort_it;
        }
        if (round % 3 == 0)
            step_health(f, (unsigned)steer_rng_next(&rng));
        positive += compare(f, &m);
        if (round == ROUNDS / 2)
            remove_everything(f, &m);
    }
    assert_in_range(kept, ROUNDS / 5, ROUNDS);
    assert_in_range(refused, 10, ROUNDS);
    assert_in_range(positive, ROUNDS * 10, UINT32_MAX); // it is not about nothing
    remove_everything(f, &m);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_document_is_answered_once_it_is_committed),
        TEST(applied_again_it_changes_nothing_and_raises_no_serial),
        TEST(an_edit_raises_the_serial_of_its_zone_alone),
        TEST(an_objects_change_reaches_every_record_that_holds_it),
        TEST(a_check_that_begins_down_counts_at_once_also_for_cells_that_are_there),
        TEST(health_that_changes_during_a_link_is_seen_as_the_new_catalogue_sees_it),
        TEST(a_pool_is_evaluated_once_for_all_that_fail_together),
        TEST(what_cannot_stand_beside_a_new_record_gives_way),
        TEST(another_documents_things_are_taken_over_only_on_request),
        TEST(one_apply_defines_a_thing_once),
        TEST(prune_removes_what_the_document_gave_and_gives_no_more),
        TEST(two_documents_that_share_a_zone_do_not_prune_each_other),
        TEST(a_refused_document_leaves_nothing_behind),
        TEST(an_import_replaces_static_records_and_keeps_steered_ones),
        TEST(a_new_zones_file_keeps_its_serial),
        TEST(a_refused_import_leaves_the_rest_of_its_link_as_it_was),
        TEST(a_refused_import_of_a_new_zone_makes_none),
        TEST(a_deleted_zone_takes_its_steered_records_along),
        TEST(a_zone_removed_and_made_again_in_one_link_is_stored_with_its_new_serial),
        TEST(a_zone_opened_replaced_removed_and_made_in_one_link_ends_as_the_last_step_says),
        TEST(a_steered_record_put_and_removed_in_one_link_leaves_its_number_free),
        TEST(a_name_is_steered_in_one_zone_only),
        TEST(other_geo_data_compiles_every_record_again),
        TEST(records_with_equal_classes_share_a_class_table),
        TEST(any_sequence_of_edits_gives_the_world_that_is_built_from_scratch),
    };
    return cmocka_run_group_tests_name("control/linker", tests, NULL, NULL);
}
