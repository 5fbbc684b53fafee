// SPDX-License-Identifier: GPL-3.0-or-later
// Control through its doors, with a real store: what returns is durable and answered, what is refused
// was never there.
#include "control_support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "steerd/base/clock.h"

#define DE "192.0.2.77"
#define US "198.51.100.77"

static int setup(void **state)
{
    *state = fixture_create(false);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

#define BASE                                                                                       \
    "zone: example.com\n"                                                                          \
    "sites:\n  fra: {at: EU-DE}\n"                                                                 \
    "checks:\n  web: {type: tcp, port: 80, rise: 1, fall: 2}\n"                                    \
    "endpoints:\n"                                                                                 \
    "  a: {ipv4: 192.0.2.1, ipv6: '2001:db8::1', check: web, site: fra}\n"                         \
    "  b: {ipv4: 192.0.2.2, check: web}\n"                                                         \
    "  h: {hostname: h.example.net}\n"                                                             \
    "pools:\n  p: {endpoints: {a: 3, b: 1}}\n  q: {endpoints: {b: 1}}\n"                           \
    "policies:\n  main: {failover: [{endpoint: a}, {endpoint: b}]}\n"                              \
    "records:\n"                                                                                   \
    "  api: {ttl: 30, steer: {geo: {rules: [{match: EU, to: {use: main}}], default: {pool: "       \
    "q}}}}\n"                                                                                      \
    "  lb: {ttl: 20, steer: {pool: p}}\n"                                                          \
    "  cdn: {kind: cname, steer: {endpoint: h}}\n"                                                 \
    "  www: {ttl: 60, A: [192.0.2.80, 192.0.2.81], TXT: [hello, 'ä \"quoted\"']}\n"               \
    "  '*.wild': {A: [192.0.2.90]}\n"                                                              \
    "  mail: {MX: ['10 mx1', '20 mx2.example.net.'], SRV: ['1 2 443 www']}\n"

// ---- applying ------------------------------------------------------------------------------------

static void what_is_applied_is_answered_when_the_call_returns(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "api.example.com.", STEER_TYPE_A, US, "192.0.2.2");
    expect(f, "cdn.example.com.", STEER_TYPE_A, US, "h.example.net.");
    expect(f, "x.wild.example.com.", STEER_TYPE_A, US, "192.0.2.90");
    assert_true(json_is_true(json_object_get(f->summary, "changed")));
    assert_int_equal(summary_number(f, "unchanged"), 0);
    assert_int_equal(json_array_size(json_object_get(f->summary, "replaced")), 0);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(f->summary, "created"), 0)), "site fra");
    assert_true(json_is_real(json_object_get(f->summary, "build_ms")));
    assert_true(json_is_real(json_object_get(f->summary, "commit_ms")));
    must_apply(f, "endpoints:\n  b: {ipv4: 192.0.2.9, check: web}\n");
    expect(f, "api.example.com.", STEER_TYPE_A, US, "192.0.2.9");
}

static void a_document_is_advised_of_its_static_records(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "zone: example.com\n"
                               "ns: [ns.example.net]\n"
                               "records:\n"
                               "  al: {CNAME: www}\n"
                               "  www: {A: [192.0.2.1]}\n"
                               "  mail: {MX: ['10 al', '20 www']}\n";
    must_apply(f, text);
    const json_t *warnings = json_object_get(f->summary, "warnings");
    assert_int_equal(json_array_size(warnings), 1);
    const json_t *first = json_array_get(warnings, 0);
    assert_string_equal(json_string_value(json_object_get(first, "message")),
                        "mail.example.com.: al.example.com. is an alias (CNAME); the host itself "
                        "is wanted here (RFC 2181 10.3)");
    assert_string_equal(json_string_value(json_object_get(first, "file")), "test.yaml");
    assert_int_equal(json_integer_value(json_object_get(first, "line")), 6);
    must_apply(f, text); // nothing changes, and nobody is told again
    assert_int_equal(json_array_size(json_object_get(f->summary, "warnings")), 0);
}

static void applied_again_it_is_unchanged_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    for (int round = 0; round < 2; round++) {
        char *before = dump_store(f);
        struct figures figures = figures_of(f);
        must_apply(f, BASE);
        assert_true(json_is_false(json_object_get(f->summary, "changed")));
        assert_int_equal(summary_number(f, "unchanged"), 16);
        assert_int_equal(version_of(f), figures.version);
        assert_int_equal(figures_of(f).cells, figures.cells);
        char *after = dump_store(f);
        // All but the time at which the document was applied.
        assert_memory_equal(before, after, (size_t)(strstr(before, "test.yaml|zone:") - before));
        free(before);
        free(after);
        stop_control(f);
        start_control(f, false);
    }
}

static void a_dry_run_changes_nothing(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    char *before = dump_store(f);
    struct figures figures = figures_of(f);
    const struct steer_control_apply dry = {.dry_run = true};
    assert_int_equal(
        apply_with(f, "new.yaml", "zone: example.org\nrecords:\n  x: {A: [192.0.2.1]}\n", dry),
        STEER_OK);
    assert_int_equal(json_array_size(json_object_get(f->summary, "created")), 3); // zone, NS, x
    assert_int_equal(apply_with(f, "test.yaml", "zone: example.com\n",
                                (struct steer_control_apply){.dry_run = true, .prune = true}),
                     STEER_OK);
    assert_int_equal(json_array_size(json_object_get(f->summary, "removed")), 16);
    assert_int_equal(apply_with(f, "new.yaml", "records: {}\n", dry), STEER_EINVAL);
    assert_figures_equal(figures_of(f), figures);
    char *after = dump_store(f);
    assert_string_equal(after, before);
    expect(f, "x.example.org.", STEER_TYPE_A, DE, "REFUSED");
    free(before);
    free(after);
}

static void a_refused_document_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *why;
        unsigned line;
    } rows[] = {
        {"zone: example.com\nrecords:\n  new: {A: [192.0.2.1]}\n  bad: {steer: {pool: P}}\n",
         "pool 'P'", 4},
        {"zone: example.com\nrecords:\n  new: {A: [192.0.2.1]}\n   bad: 7\n", "", 4},
        {"endpoints:\n  a: {ipv4: 192.0.2.66, site: nowhere}\n", "nowhere", 2},
        {"zone: example.com\nrecords:\n  www: {CNAME: x}\n  mail: {steer: {endpoint: gone}}\n",
         "gone", 4},
    };
    must_apply(f, BASE);
    char *before = dump_store(f);
    struct figures figures = figures_of(f);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        assert_int_equal(apply(f, rows[i].text), STEER_EINVAL);
        assert_non_null(strstr(f->diag.message, rows[i].why));
        assert_string_equal(f->diag.file, "test.yaml");
        assert_int_equal(f->diag.line, rows[i].line);
        assert_null(f->summary);
        assert_figures_equal(figures_of(f), figures);
    }
    char *after = dump_store(f);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void documents_are_read_back_as_they_were_applied_last(void **state)
{
    struct fixture *f = *state;
    struct steer_buf text = {0};
    json_t *list;
    const char *last = "# a comment\nendpoints:\n  z: {ipv4: 192.0.2.1}\n";
    must_apply(f, BASE);
    assert_int_equal(apply_with(f, "other.yaml", "endpoints:\n  z: {ipv4: 192.0.2.1}\n",
                                (struct steer_control_apply){0}),
                     STEER_OK);
    assert_int_equal(apply_with(f, "other.yaml", last, (struct steer_control_apply){0}), STEER_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(steer_control_document(f->control, "other.yaml", &text, NULL), STEER_OK);
        assert_string_equal(text.data, last);
        steer_buf_clear(&text);
        assert_int_equal(steer_control_documents(f->control, &list, NULL), STEER_OK);
        assert_int_equal(json_array_size(list), 2);
        assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "bytes")),
                         strlen(last));
        json_decref(list);
        stop_control(f);
        start_control(f, false);
    }
    assert_int_equal(steer_control_document(f->control, "none", &text, &f->diag), STEER_ENOTFOUND);
    steer_buf_fini(&text);
}

// ---- zones ---------------------------------------------------------------------------------------

#define ZONE "@ 3600 SOA ns hostmaster 7 7200 900 1209600 300\n@ 3600 NS ns\nns A 192.0.2.53\n"

static void an_import_that_conflicts_with_a_steered_record_is_refused(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    char *before = dump_store(f);
    struct figures figures = figures_of(f);
    assert_int_equal(import(f, "example.com", ZONE "api A 192.0.2.1\n"), STEER_EINVAL);
    assert_non_null(strstr(f->diag.message, "api.example.com. has a steered address"));
    assert_string_equal(f->diag.file, "zone.db");
    assert_int_equal(import(f, "example.com", ZONE "cdn TXT x\n"), STEER_EINVAL);
    assert_int_equal(import(f, "example.com", ZONE "cdn CNAME x\n"), STEER_EINVAL);
    assert_non_null(strstr(f->diag.message, "cdn.example.com. cname is steered"));
    assert_int_equal(import(f, "example.com", ZONE "x TXT\n"), STEER_EINVAL);
    assert_int_equal(f->diag.line, 4);
    assert_int_equal(import(f, "example.com", "@ NS ns\n"), STEER_EINVAL);
    assert_int_equal(import(f, "ex ample..com", ZONE), STEER_EINVAL);
    assert_figures_equal(figures_of(f), figures);
    char *after = dump_store(f);
    assert_string_equal(after, before);
    free(before);
    free(after);
    assert_int_equal(import(f, "EXAMPLE.com", ZONE "api TXT beside\nnew A 192.0.2.5\n"), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_TXT, DE, "beside");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "NXDOMAIN");
    assert_int_equal(summary_number(f, "records"), 5);
    assert_int_equal(summary_number(f, "rrsets"), 5);
    assert_string_equal(json_string_value(json_object_get(f->summary, "origin")), "example.com.");
}

static void of_many_zones_the_bad_ones_are_listed_and_the_others_load(void **state)
{
    struct fixture *f = *state;
    static const struct steer_control_zone zones[] = {
        {"one.test", "one.db", ZONE "www A 192.0.2.1\n", sizeof ZONE "www A 192.0.2.1\n" - 1},
        {"example.com", "conflict.db", ZONE "api A 192.0.2.1\n",
         sizeof ZONE "api A 192.0.2.1\n" - 1},
        {"two.test", "tw\xff.db", ZONE "www A 999\n", sizeof ZONE "www A 999\n" - 1},
        {"one.test.", "again.db", ZONE, sizeof ZONE - 1},
        {"three.test", "three.db", ZONE "out.side. A 192.0.2.1\nt 5 A 192.0.2.1\nt 6 A 192.0.2.2\n",
         sizeof ZONE "out.side. A 192.0.2.1\nt 5 A 192.0.2.1\nt 6 A 192.0.2.2\n" - 1},
        {"..", "bad.db", ZONE, sizeof ZONE - 1},
    };
    must_apply(f, BASE);
    json_decref(f->summary);
    assert_int_equal(steer_control_import_many(f->control, zones, STEER_ARRAY_LEN(zones), "test",
                                               &f->summary, &f->diag),
                     STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 2);
    assert_int_equal(summary_number(f, "records"), 4 + 5);
    const json_t *rejected = json_object_get(f->summary, "rejected");
    assert_int_equal(json_array_size(rejected), 4);
    static const char *const why[][2] = {{"example.com", "conflict.db: api.example.com."},
                                         {"two.test", "tw?.db:4:10: "},
                                         {"one.test.", "again.db: the zone is in the list twice"},
                                         {"..", "bad.db: '..' is not"}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(why); i++) {
        const json_t *r = json_array_get(rejected, i);
        assert_string_equal(json_string_value(json_object_get(r, "origin")), why[i][0]);
        if (strncmp(json_string_value(json_object_get(r, "error")), why[i][1], strlen(why[i][1])) !=
            0)
            fail_msg("%s", json_string_value(json_object_get(r, "error")));
    }
    assert_int_equal(json_array_size(json_object_get(f->summary, "warnings")), 4);
    expect(f, "www.one.test.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "ns.three.test.", STEER_TYPE_A, DE, "192.0.2.53");
    expect(f, "ns.two.test.", STEER_TYPE_A, DE, "REFUSED");
    expect(f, "lb.example.com.", STEER_TYPE_TXT, DE, "NODATA");
    json_decref(f->summary);
    f->summary = NULL;
    uint64_t version = version_of(f);
    assert_int_equal(
        steer_control_import_many(f->control, zones + 1, 2, "test", &f->summary, &f->diag),
        STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 0);
    assert_int_equal(version_of(f), version);
    json_decref(f->summary);
    assert_int_equal(steer_control_import_many(f->control, NULL, 0, "test", &f->summary, &f->diag),
                     STEER_OK);
}

static void what_is_exported_imports_again_to_the_same_zone(void **state)
{
    struct fixture *f = *state;
    struct steer_buf first = {0}, second = {0};
    must_apply(f, BASE);
    assert_int_equal(steer_control_export(f->control, "Example.com", &first, &f->diag), STEER_OK);
    assert_non_null(strstr(first.data, "; lb.example.com. 20 is steered (address)"));
    assert_memory_equal(first.data, "example.com.", 12);
    assert_int_equal(import(f, "copy.test", "@ SOA . . 1 1 1 1 1\n@ NS .\n"), STEER_OK);
    assert_int_equal(import(f, "example.com", first.data), STEER_OK);
    // What BASE lacks by itself: hosts for its NS and MX, and AAAA.
    assert_int_equal(json_array_size(json_object_get(f->summary, "warnings")), 3);
    assert_int_equal(steer_control_export(f->control, "example.com", &second, &f->diag), STEER_OK);
    // Equal but for the serial, which has risen.
    const char *rest_of_first = strchr(first.data, '\n'),
               *rest_of_second = strchr(second.data, '\n');
    assert_string_equal(rest_of_first, rest_of_second);
    assert_int_equal(steer_control_export(f->control, "example.org", &second, &f->diag),
                     STEER_ENOTFOUND);
    steer_buf_fini(&first);
    steer_buf_fini(&second);
}

static void zones_are_listed_and_deleted(void **state)
{
    struct fixture *f = *state;
    json_t *list;
    must_apply(f, BASE);
    assert_int_equal(import(f, "one.test", ZONE), STEER_OK);
    assert_int_equal(steer_control_zones(f->control, &list, &f->diag), STEER_OK);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    assert_int_equal(steer_control_delete_zone(f->control, "Example.COM.", "test", &f->diag),
                     STEER_OK);
    assert_int_equal(steer_control_delete_zone(f->control, "example.com", "test", &f->diag),
                     STEER_ENOTFOUND);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "REFUSED");
    assert_int_equal(figures_of(f).cells, 0);
    assert_int_equal(figures_of(f).residuals, 0);
    stop_control(f);
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "REFUSED");
    expect(f, "ns.one.test.", STEER_TYPE_A, DE, "192.0.2.53");
    must_apply(f, BASE);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

// ---- overrides -----------------------------------------------------------------------------------

static enum steer_err override(struct fixture *f, const char *kind, const char *target,
                               const char *state_, uint64_t expires_in_s)
{
    const struct steer_control_override o = {.kind = kind,
                                             .target = target,
                                             .state = state_,
                                             .reason = "maintenance",
                                             .owner = "ops",
                                             .expires_in_s = expires_in_s,
                                             .by = "ana"};
    return steer_control_override_set(f->control, &o, &f->diag);
}

static void an_override_holds_until_it_is_cleared_also_over_a_restart(void **state)
{
    struct fixture *f = *state;
    json_t *list;
    must_apply(f, BASE);
    uint64_t version = version_of(f);
    assert_int_equal(override(f, "site", "fra", "down", 0), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(version_of(f), version); // no new world
    stop_control(f);
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(steer_control_overrides(f->control, &list, NULL), STEER_OK);
    const json_t *o = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(o, "target")), "fra");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "down");
    assert_true(json_is_null(json_object_get(o, "expires")));
    json_decref(list);
    assert_int_equal(override(f, "endpoint", "a", "up", 0), STEER_OK); // over its site
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    assert_int_equal(
        steer_control_override_clear(f->control, "endpoint", "a", NULL, "test", &f->diag),
        STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(
        steer_control_override_clear(f->control, "site", "fra", NULL, "test", &f->diag), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    assert_int_equal(
        steer_control_override_clear(f->control, "site", "fra", NULL, "test", &f->diag),
        STEER_ENOTFOUND);
    stop_control(f);
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

static void the_audit_says_who_changed_what(void **state)
{
    struct fixture *f = *state;
    static const char *const expected[][4] = {{"ana", "override set", "site fra", "maintenance"},
                                              {"test", "zone import", "example.com.", ""},
                                              {"steerd", "apply", "test.yaml", ""}};
    static const char *const keys[] = {"who", "action", "subject", "detail"};
    const struct steer_control_audit all = {.limit = 10};
    json_t *list = NULL;
    must_apply(f, BASE);
    assert_int_equal(import(f, "example.com", ZONE), STEER_OK);
    assert_int_equal(import(f, "example.com", "nonsense"), STEER_EINVAL);
    assert_int_equal(override(f, "site", "fra", "down", 0), STEER_OK);
    assert_int_equal(steer_control_audit(f->control, &all, &list, &f->diag), STEER_OK);
    assert_int_equal(json_array_size(list), STEER_ARRAY_LEN(expected));
    for (size_t i = 0; i < STEER_ARRAY_LEN(expected); i++)
        for (size_t k = 0; k < STEER_ARRAY_LEN(keys); k++)
            assert_string_equal(
                json_string_value(json_object_get(json_array_get(list, i), keys[k])),
                expected[i][k]);
    json_decref(list);
}

static void an_override_says_what_is_wrong_with_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *kind, *target, *state, *reason;
        uint64_t expires_in_s;
        const char *clients;
        enum steer_err err;
        const char *why;
    } rows[] = {
        {"policy", "main", "down", "x", 0, NULL, STEER_EINVAL, "'policy' cannot be overridden"},
        {"site", "fr", "down", "x", 0, NULL, STEER_ENOTFOUND, "did you mean 'fra'?"},
        {"endpoint", "nothing-like-it", "down", "x", 0, NULL, STEER_ENOTFOUND, "is not defined"},
        {"endpoint", "a", "off", "x", 0, NULL, STEER_EINVAL, "up, down or drained"},
        {"endpoint", "a", "down", "", 0, NULL, STEER_EINVAL, "needs a reason"},
        {"endpoint", "a", "down", NULL, 0, NULL, STEER_EINVAL, "needs a reason"},
        {"endpoint", "a", "down", "x", UINT64_MAX, NULL, STEER_EINVAL, "within ten years"},
        {"endpoint", "a", "down", "x", 0, "office", STEER_EINVAL, "'office' is not a network"},
        {"endpoint", "a", "down", "x", 0, "192.0.2.1/24", STEER_EINVAL,
         "the network is 192.0.2.0/24"},
        {"endpoint", "a", "down", "x", 0, "", STEER_EINVAL, "'' is not a network"},
        {"site", "fr", "down", "x", 0, "192.0.2.0/24", STEER_ENOTFOUND, "did you mean 'fra'?"},
    };
    must_apply(f, BASE);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_control_override o = {.kind = rows[i].kind,
                                                 .target = rows[i].target,
                                                 .state = rows[i].state,
                                                 .reason = rows[i].reason,
                                                 .expires_in_s = rows[i].expires_in_s,
                                                 .clients = rows[i].clients,
                                                 .by = "ana"};
        assert_int_equal(steer_control_override_set(f->control, &o, &f->diag), rows[i].err);
        assert_non_null(strstr(f->diag.message, rows[i].why));
    }
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

static enum steer_err run_expire(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    (void)diag;
    control_expire_overrides(c, *(uint64_t *)arg);
    return STEER_OK;
}

static void an_override_ends_by_itself(void **state)
{
    struct fixture *f = *state;
    uint64_t now = (uint64_t)time(NULL), later = now + 3000;
    must_apply(f, BASE);
    assert_int_equal(override(f, "endpoint", "a", "down", 3600), STEER_OK);
    assert_int_equal(override(f, "endpoint", "b", "down", 1800), STEER_OK);
    assert_int_equal(override(f, "pool", "q", "up", 0), STEER_OK);
    assert_int_equal(control_call(f->control, run_expire, &later, NULL), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    struct steer_control_stats stats;
    steer_control_stats(f->control, &stats);
    assert_int_equal(stats.overrides, 2);
    later += 3000;
    assert_int_equal(control_call(f->control, run_expire, &later, NULL), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    steer_control_stats(f->control, &stats);
    assert_int_equal(stats.overrides, 1);
    stop_control(f);
    start_control(f, false);
    steer_control_stats(f->control, &stats);
    assert_int_equal(stats.overrides, 1);
}

static void execute(struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/steerd.db", f->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void an_override_that_ended_while_stopped_is_not_in_force_again(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    assert_int_equal(override(f, "endpoint", "a", "down", 3600), STEER_OK);
    stop_control(f);
    execute(f, "UPDATE override SET expires_unix_s = 1000");
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

// ---- verdicts ------------------------------------------------------------------------------------

static void a_verdict_changes_answers_without_a_new_world_and_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    uint64_t version = version_of(f);
    feed(f, "a", "web", false, 1);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1"); // fall is 2
    feed(f, "a", "web", false, 1);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    assert_int_equal(version_of(f), version);
    stop_control(f);
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    json_t *status;
    assert_int_equal(steer_control_status(f->control, &status, NULL), STEER_OK);
    const json_t *check = json_array_get(
        json_object_get(json_array_get(json_object_get(status, "endpoints"), 0), "checks"), 0);
    assert_string_equal(json_string_value(json_object_get(check, "verdict")), "down");
    assert_string_equal(json_string_value(json_object_get(check, "reason")), "as the test says");
    assert_true(json_is_true(json_object_get(check, "restored")));
    json_decref(status);
    feed(f, "a", "web", true, 1);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

static void a_verdict_of_a_check_that_went_is_forgotten(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    feed(f, "a", "web", false, 2);
    must_apply(f, "endpoints:\n  a: {ipv4: 192.0.2.1, site: fra}\n");
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    struct feed gone = {"a", "web", false, 2};
    assert_int_equal(control_call(f->control, run_feed, &gone, NULL), STEER_ENOTFOUND);
}

struct slow_edit {
    struct fixture *fixture;
    _Atomic bool inside, go_on;
};

static enum steer_err run_slow(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    struct slow_edit *slow = arg;
    const struct steer_link_documents_options options = {0};
    struct steer_link_summary summary = {0};
    struct steer_document *d;
    const char *text = "zone: example.org\nrecords:\n  x: {steer: {endpoint: b}}\n";
    assert_int_equal(steer_document_parse(text, strlen(text), "slow", "slow", &d, diag), STEER_OK);
    struct steer_link *link = steer_link_begin(c->linker);
    assert_int_equal(steer_link_documents(link, &d, 1, &options, &summary, diag), STEER_OK);
    atomic_store(&slow->inside, true);
    while (!atomic_load(&slow->go_on))
        usleep(1000);
    // The link is prepared and not committed; what arrived is taken between its steps.
    enum steer_err err = control_prepare(c, link, 0, diag);
    char got[512];
    assert_string_equal(
        answer_of(steer_linker_world(c->linker), "api.example.com.", STEER_TYPE_A, DE, got),
        "192.0.2.2");
    const struct control_commit commit = {.action = "test", .subject = "slow"};
    if (err == STEER_OK)
        err = control_commit(c, link, &commit, diag);
    steer_link_summary_fini(&summary);
    steer_document_destroy(d);
    return err;
}

static void *call_slow(void *arg)
{
    struct slow_edit *slow = arg;
    assert_int_equal(control_call(slow->fixture->control, run_slow, slow, NULL), STEER_OK);
    return NULL;
}

static uint64_t key_of;
static enum steer_err run_key(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    (void)arg, (void)diag;
    key_of = steer_vitals_find(c->vitals, "a", "web")->key;
    return STEER_OK;
}

static void a_verdict_overtakes_an_edit_under_way(void **state)
{
    struct fixture *f = *state;
    struct slow_edit slow = {.fixture = f};
    pthread_t thread;
    must_apply(f, BASE);
    assert_int_equal(control_call(f->control, run_key, NULL, NULL), STEER_OK);
    assert_int_equal(pthread_create(&thread, NULL, call_slow, &slow), 0);
    while (!atomic_load(&slow.inside))
        usleep(1000);
    struct steer_control *c = f->control;
    pthread_mutex_lock(&c->mutex);
    c->results.items = steer_grow(c->results.items, &c->results.cap, 2, sizeof *c->results.items);
    for (int i = 0; i < 2; i++)
        c->results.items[c->results.count++] = (struct result){.key = key_of, .reason = "refused"};
    pthread_mutex_unlock(&c->mutex);
    atomic_store(&slow.go_on, true);
    pthread_join(thread, NULL);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    expect(f, "x.example.org.", STEER_TYPE_A, DE, "192.0.2.2");
}

// ---- geo data ------------------------------------------------------------------------------------

static void broken_geo_data_is_refused_and_the_old_stays_in_use(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    struct figures figures = figures_of(f);
    assert_int_equal(truncate(f->geo, 100), 0);
    assert_int_not_equal(steer_control_reload_geo(f->control, &f->diag), STEER_OK);
    assert_true(strstr(f->diag.message, "geo.mmdb") || strstr(f->diag.file, "geo.mmdb"));
    assert_figures_equal(figures_of(f), figures);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    copy_file(STEER_SOURCE_DIR "/geodata/asn.mmdb", f->geo); // without places
    assert_int_equal(steer_control_reload_geo(f->control, &f->diag), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    copy_file(STEER_SOURCE_DIR "/geodata/country.mmdb", f->geo);
    assert_int_equal(steer_control_reload_geo(f->control, &f->diag), STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    assert_int_equal(figures_of(f).cells, figures.cells);
    assert_int_equal(figures_of(f).residuals, figures.residuals);
    assert_int_equal(figures_of(f).classmaps, figures.classmaps);
}

// ---- a disk that is full -----------------------------------------------------------------------------

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void when_the_store_fails_nothing_is_half_applied_and_later_edits_work(void **state)
{
    struct fixture *f = *state;
    steer_log_set_level(STEER_LOG_ERROR);
    must_apply(f, BASE);
    char *before = dump_store(f);
    struct figures figures = figures_of(f);
    for (int round = 0; round < 3; round++) {
        set_file_limit(4096);
        assert_int_equal(apply(f, "zone: example.com\nendpoints:\n  b: {ipv4: "
                                  "192.0.2.66}\nrecords:\n  www: {A: [192.0.2.1]}\n"
                                  "  lb: {steer: {endpoint: b}}\n"),
                         STEER_EIO);
        assert_int_equal(import(f, "example.com", ZONE), STEER_EIO);
        assert_int_equal(import(f, "one.test", ZONE), STEER_EIO);
        assert_int_equal(steer_control_delete_zone(f->control, "example.com", "test", &f->diag),
                         STEER_EIO);
        assert_int_equal(override(f, "endpoint", "a", "down", 0), STEER_EIO);
        assert_int_equal(steer_control_reload_geo(f->control, &f->diag), STEER_EIO);
        set_file_limit(RLIM_INFINITY);
        assert_figures_equal(figures_of(f), figures);
        char *after = dump_store(f);
        assert_string_equal(after, before);
        free(after);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
        expect(f, "x.wild.example.com.", STEER_TYPE_A, DE, "192.0.2.90");
        expect(f, "ns.one.test.", STEER_TYPE_A, DE, "REFUSED");
    }
    free(before);
    assert_int_equal(import(f, "one.test", ZONE), STEER_OK);
    must_apply(f, "zone: example.com\nrecords:\n  www: {A: [192.0.2.1]}\n");
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    stop_control(f);
    start_control(f, false);
    expect(f, "www.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
    expect(f, "ns.one.test.", STEER_TYPE_A, DE, "192.0.2.53");
}

static enum steer_err rehearse(struct fixture *f, const char *clients, uint64_t expires_in_s)
{
    const struct steer_control_override o = {.kind = "endpoint",
                                             .target = "a",
                                             .clients = clients,
                                             .state = "down",
                                             .reason = "rehearsal",
                                             .owner = "ops",
                                             .expires_in_s = expires_in_s,
                                             .by = "ana"};
    return steer_control_override_set(f->control, &o, &f->diag);
}

static void an_override_for_some_clients_is_neither_half_set_nor_half_cleared(void **state)
{
    struct fixture *f = *state;
    must_apply(f, BASE);
    assert_int_equal(rehearse(f, "192.0.2.77", 0), STEER_OK);
    char *before = dump_store(f);
    const struct figures figures = figures_of(f);
    set_file_limit(4096);
    assert_int_equal(rehearse(f, "192.0.2.78", 0), STEER_EIO);
    assert_int_equal(rehearse(f, "192.0.2.77", 60), STEER_EIO); // in its place
    assert_int_equal(
        steer_control_override_clear(f->control, "endpoint", "a", "192.0.2.77", "test", &f->diag),
        STEER_EIO);
    set_file_limit(RLIM_INFINITY);
    assert_figures_equal(figures_of(f), figures);
    char *after = dump_store(f);
    assert_string_equal(after, before);
    free(after);
    free(before);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    expect(f, "api.example.com.", STEER_TYPE_A, "192.0.2.78", "192.0.2.1");
    assert_int_equal(
        steer_control_override_clear(f->control, "endpoint", "a", "192.0.2.77", "test", &f->diag),
        STEER_OK);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
}

static void an_ended_override_that_stays_in_the_store_hinders_no_start(void **state)
{
    struct fixture *f = *state;
    uint64_t later = (uint64_t)time(NULL) + 1000;
    must_apply(f, BASE);
    assert_int_equal(rehearse(f, "192.0.2.77,192.0.2.78", 900), STEER_OK);
    set_file_limit(4096);
    assert_int_equal(control_call(f->control, run_expire, &later, NULL), STEER_OK);
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(rehearse(f, "192.0.2.77", 0), STEER_OK); // the other one is over
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    stop_control(f);
    execute(f, "UPDATE override SET expires_unix_s = 1000 WHERE expires_unix_s > 0");
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    expect(f, "api.example.com.", STEER_TYPE_A, "192.0.2.78", "192.0.2.1");
    char *rows = dump_store(f);
    assert_null(strstr(rows, "192.0.2.78"));
    free(rows);
}

static enum steer_err run_unstored(struct steer_control *c, void *arg, struct steer_diag *diag)
{
    (void)diag;
    *(size_t *)arg = c->unstored_count;
    return STEER_OK;
}

static void verdicts_that_cannot_be_stored_are_in_force_and_stored_later(void **state)
{
    struct fixture *f = *state;
    size_t waiting;
    must_apply(f, BASE);
    set_file_limit(4096);
    for (int i = 0; i < 5; i++) { // up and down again: one verdict waits
        feed(f, "a", "web", true, 2);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.1");
        feed(f, "a", "web", false, 2);
        expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
    }
    assert_int_equal(control_call(f->control, run_unstored, &waiting, NULL), STEER_OK);
    assert_int_equal(waiting, 1);
    set_file_limit(RLIM_INFINITY);
    settle(f);
    assert_int_equal(control_call(f->control, run_unstored, &waiting, NULL), STEER_OK);
    assert_int_equal(waiting, 0);
    stop_control(f);
    start_control(f, false);
    expect(f, "api.example.com.", STEER_TYPE_A, DE, "192.0.2.2");
}

// ---- stopping ------------------------------------------------------------------------------------

struct caller {
    struct fixture *fixture;
    _Atomic unsigned done, stopped;
    unsigned number;
};

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    for (unsigned i = 0;; i++) {
        char text[128];
        json_t *summary = NULL;
        struct steer_diag diag;
        snprintf(text, sizeof text, "zone: z%u.test\nrecords:\n  x: {A: [192.0.2.%u]}\n",
                 caller->number, i % 250);
        const struct steer_control_text t = {"t", text, strlen(text)};
        const struct steer_control_apply a = {.texts = &t, .count = 1};
        enum steer_err err = steer_control_apply(caller->fixture->control, &a, &summary, &diag);
        json_decref(summary);
        if (err == STEER_ESTOPPED)
            break;
        assert_int_equal(err, STEER_OK);
        atomic_fetch_add(&caller->done, 1);
        if (atomic_load(&caller->stopped))
            break;
    }
    return NULL;
}

// What was acknowledged before the stop is there after it.
static void callers_see_their_edits_through_a_stop(void **state)
{
    struct fixture *f = *state;
    struct caller callers[3];
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        callers[i] = (struct caller){.fixture = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++)
        while (atomic_load(&callers[i].done) < 5)
            usleep(1000);
    for (unsigned i = 0; i < 3; i++)
        atomic_store(&callers[i].stopped, 1);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    stop_control(f);
    start_control(f, false);
    for (unsigned i = 0; i < 3; i++) {
        char name[32], want[32];
        snprintf(name, sizeof name, "x.z%u.test.", i);
        snprintf(want, sizeof want, "192.0.2.%u", (callers[i].done - 1) % 250);
        expect(f, name, STEER_TYPE_A, DE, want);
    }
}

static void a_call_after_the_stop_began_is_told_so(void **state)
{
    struct fixture *f = *state;
    json_t *list = NULL;
    pthread_mutex_lock(&f->control->mutex);
    f->control->stopping = true;
    pthread_mutex_unlock(&f->control->mutex);
    assert_int_equal(steer_control_overrides(f->control, &list, &f->diag), STEER_ESTOPPED);
    assert_non_null(strstr(f->diag.message, "shutting down"));
}

static void a_second_control_on_the_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    struct steer_control *second;
    const struct steer_control_options options = {.data_folder = f->folder};
    assert_int_equal(steer_control_start(&options, &second, &f->diag), STEER_ECONFLICT);
    const char *none[] = {"/nonexistent.mmdb"};
    const struct steer_control_options bad = {
        .data_folder = f->folder, .geo_files = none, .geo_count = 1};
    assert_int_not_equal(steer_control_start(&bad, &second, &f->diag), STEER_OK);
    must_apply(f, BASE);
}

// A store that somebody has changed by hand: the start says what is wrong, and lets go of all it had.
static void a_damaged_store_is_refused_at_the_start(void **state)
{
    struct fixture *f = *state;
    static const char *const damage[][3] = {
        {"UPDATE steered SET body = '{}' WHERE name LIKE 'lb%'", "lb.example.com. address",
         "has no tree"},
        {"UPDATE pool SET body = '{\"endpoints\":{\"a\":1}}' WHERE name = 'p'", NULL,
         NULL}, // mends
        {"DELETE FROM steered WHERE name LIKE 'lb%'", NULL, NULL},
        {"UPDATE pool SET body = '{\"endpoints\":{\"gone\":1}}' WHERE name = 'p'", "gone",
         "not defined"},
        {"UPDATE pool SET body = '{\"endpoints\":{\"a\":1}}' WHERE name = 'p'", NULL, NULL},
        {"DELETE FROM rrset WHERE type = 6", "example.com.", "has no SOA record"},
    };
    char path[96];
    sqlite3 *db;
    must_apply(f, BASE);
    stop_control(f);
    snprintf(path, sizeof path, "%s/steerd.db", f->folder);
    for (size_t i = 0; i < STEER_ARRAY_LEN(damage); i++) {
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, damage[i][0], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        if (!damage[i][1])
            continue;
        const struct steer_control_options options = {.data_folder = f->folder};
        assert_int_not_equal(steer_control_start(&options, &f->control, &f->diag), STEER_OK);
        if (!strstr(f->diag.message, damage[i][1]) || !strstr(f->diag.message, damage[i][2]))
            fail_msg("%s", f->diag.message);
    }
}

// ---- over restarts ---------------------------------------------------------------------------------

// A digest of answers to fixed questions with fixed numbers, all octets of them.
static uint64_t digest(struct fixture *f)
{
    static const char *const names[] = {
        "api.example.com.", "lb.example.com.",   "cdn.example.com.", "www.example.com.",
        "example.com.",     "mail.example.com.", "x.example.com.",   "a.wild.example.com.",
        "api.example.org.", "x.example.org.",    "example.org.",     "www.imported.test.",
        "imported.test.",   "r0.example.org.",   "r1.example.org.",  "r2.example.org."};
    static const uint16_t types[] = {STEER_TYPE_A,  STEER_TYPE_AAAA, STEER_TYPE_TXT, STEER_TYPE_MX,
                                     STEER_TYPE_NS, STEER_TYPE_SOA,  STEER_TYPE_ANY};
    static const char *const clients[] = {DE, US, "100.64.1.1", "2001:db8:de::1", "8.8.8.8"};
    struct steer_world *world = steer_publisher_hold(steer_control_publisher(f->control));
    struct reply *r = steer_alloc(sizeof *r);
    uint64_t hash = 0;
    for (size_t n = 0; n < STEER_ARRAY_LEN(names); n++) {
        for (size_t i = 0; i < STEER_ARRAY_LEN(types) * STEER_ARRAY_LEN(clients); i++) {
            ask_world(world, names[n], types[i / STEER_ARRAY_LEN(clients)],
                      clients[i % STEER_ARRAY_LEN(clients)], steer_mix64(n * 1000 + i), r);
            hash = steer_hash_bytes(r->wire, r->len, hash);
        }
    }
    free(r);
    steer_publisher_release(steer_control_publisher(f->control), world);
    return hash;
}

static void restart_and_compare(struct fixture *f)
{
    struct figures before = figures_of(f);
    uint64_t answers = digest(f);
    char *rows = dump_store(f);
    stop_control(f);
    start_control(f, false);
    struct figures after = figures_of(f);
    assert_true(digest(f) == answers);
    assert_int_equal(after.cells, before.cells);
    assert_int_equal(after.residuals, before.residuals);
    assert_int_equal(after.classmaps, before.classmaps);
    char *again = dump_store(f);
    assert_string_equal(again, rows);
    free(rows);
    free(again);
}

static void answers_are_as_before_after_a_restart(void **state)
{
    struct fixture *f = *state;
    restart_and_compare(f);
    must_apply(f, BASE);
    uint64_t answers = digest(f);
    restart_and_compare(f);
    assert_int_equal(import(f, "imported.test",
                            ZONE "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n"
                                 "*.x CNAME www\nTXT TXT \"a\" \"b\"\n"
                                 "t TYPE65280 \\# 3 010203\nsub NS ns.sub\nns.sub A 192.0.2.3\n"),
                     STEER_OK);
    assert_int_equal(override(f, "pool", "p", "down", 0), STEER_OK);
    feed(f, "b", "web", false, 2);
    assert_true(digest(f) != answers);
    restart_and_compare(f);
}

static void random_document(struct steer_rng *rng, struct steer_buf *out)
{
    static const char *const records[] = {
        "{A: [192.0.2.1]}",
        "{TXT: [one]}",
        "{steer: {pool: q}}",
        "{steer: {endpoint: a}, ttl: 7}",
        "{kind: cname, steer: {endpoint: h}}",
        "{CNAME: x}",
        "{A: [192.0.2.2, 192.0.2.3], TXT: [two]}",
        "{steer: {geo: {rules: [{match: [EU], to: {pool: p}}], default: {use: main}}}}"};
    steer_buf_clear(out);
    steer_buf_printf(out, "zone: example.org\nsoa: {minimum: %us}\nrecords:\n",
                     (unsigned)(steer_rng_next(rng) % 3) + 1);
    steer_buf_puts(out, "  x: {A: [192.0.2.77]}\n");
    for (int i = 0; i < 3; i++)
        if (steer_rng_next(rng) % 4)
            steer_buf_printf(out, "  r%d: %s\n", i,
                             records[steer_rng_next(rng) % STEER_ARRAY_LEN(records)]);
    steer_buf_printf(out, "endpoints:\n  a: {ipv4: 192.0.2.%u, check: web, site: fra}\n",
                     (unsigned)(steer_rng_next(rng) % 3) + 1);
}

static void any_sequence_of_edits_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    struct steer_rng rng;
    struct steer_buf text = {0};
    const char *seed = getenv("STEER_TEST_SEED"); // for longer hunts
    steer_rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 7);
    must_apply(f, BASE);
    for (int round = 0; round < 24; round++) {
        for (uint64_t n = steer_rng_next(&rng) % 4 + 1; n; n--) {
            random_document(&rng, &text);
            const struct steer_control_apply options = {.take_over = true,
                                                        .prune = steer_rng_next(&rng) % 2};
            if (apply_with(f, "random.yaml", text.data, options) != STEER_OK)
                assert_int_equal(options.prune,
                                 true); // main and p are gone with what they were made of
        }
        if (round % 5 == 4)
            assert_int_equal(steer_control_delete_zone(f->control, "example.org", "test", &f->diag),
                             STEER_OK);
        if (round % 4 == 3)
            (void)!import(f, "example.org", ZONE "x A 192.0.2.8\nr1 TXT imported\n");
        if (round % 3 == 2)
            feed(f, "b", "web", round % 2, 2);
        restart_and_compare(f);
    }
    steer_buf_fini(&text);
}

// ---- looking ---------------------------------------------------------------------------------------

static void status_and_figures_agree(void **state)
{
    struct fixture *f = *state;
    struct steer_control_stats stats;
    json_t *status;
    must_apply(f, BASE);
    assert_int_equal(apply(f, "pools: {p: {endpoints: {none: 1}}}\n"), STEER_EINVAL);
    feed(f, "a", "web", false, 2);
    assert_int_equal(override(f, "endpoint", "b", "drained", 0), STEER_OK);
    steer_control_stats(f->control, &stats);
    assert_int_equal(steer_control_status(f->control, &status, NULL), STEER_OK);
    assert_int_equal(json_integer_value(json_object_get(status, "version")), stats.world_version);
    assert_int_equal(json_integer_value(json_object_get(status, "zones")), stats.zones);
    assert_int_equal(json_array_size(json_object_get(status, "endpoints")), stats.endpoints);
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(status, "geo"), 0), "networks")) > 0,
                     1);
    assert_int_equal(stats.edits, 1);
    assert_int_equal(stats.edits_refused, 1);
    assert_int_equal(stats.verdict_changes, 1);
    assert_int_equal(stats.endpoints_up, 1); // h, which has no check
    assert_int_equal(stats.endpoints_down, 1);
    assert_int_equal(stats.endpoints_drained, 1);
    assert_int_equal(stats.overrides, 1);
    assert_int_equal(stats.steered, 3);
    json_decref(status);
}

static void explain_says_what_the_client_gets(void **state)
{
    struct fixture *f = *state;
    struct steer_control_explain q = {.name = "API.example.com", .type = "A", .source = 20};
    json_t *a;
    must_apply(f, BASE);
    assert_true(steer_addr_parse(DE, &q.client)); // bits beyond the source length are no error
    assert_int_equal(steer_control_explain(f->control, &q, &a, &f->diag), STEER_OK);
    assert_string_equal(json_string_value(json_object_get(a, "rcode")), "NOERROR");
    assert_string_equal(json_string_value(json_object_get(a, "client")), "192.0.0.0/20");
    json_decref(a);
    q.source = 32;
    assert_int_equal(steer_control_explain(f->control, &q, &a, &f->diag), STEER_OK);
    const json_t *first = json_array_get(json_object_get(a, "answers"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "records"), 0)),
                        "192.0.2.1");
    assert_string_equal(json_string_value(json_object_get(first, "exact")), "1/1");
    assert_string_equal(json_string_value(json_object_get(a, "place")), "EU-DE");
    assert_string_equal(json_string_value(json_object_get(a, "record")),
                        "api.example.com. address");
    assert_string_equal(json_string_value(json_object_get(a, "scope_prefix")), "192.0.2.0/24");
    json_decref(a);
    q.type = "AX";
    assert_int_equal(steer_control_explain(f->control, &q, &a, &f->diag), STEER_EINVAL);
    q.name = "www.example.com";
    q.type = "A";
    assert_int_equal(steer_control_explain(f->control, &q, &a, &f->diag), STEER_OK);
    assert_int_equal(json_array_size(json_object_get(a, "static")), 2);
    json_decref(a);
}

static json_t *explained(struct fixture *f, const struct steer_control_explain *q)
{
    json_t *a = NULL;
    assert_int_equal(steer_control_explain(f->control, q, &a, &f->diag), STEER_OK);
    return a;
}

static void saved_health_leaves_switches_where_they_stand(void **state)
{
    struct fixture *f = *state;
    json_t *health = json_pack("{s:[]}", "endpoints");
    const struct steer_control_explain q = {.name = "sw.example.com",
                                            .type = "A",
                                            .source = 0,
                                            .health = health,
                                            .client = {STEER_V4, {0}}};
    must_apply(f, "zone: example.com\nendpoints: {x: {ipv4: 192.0.2.8}, y: {ipv4: 192.0.2.9}}\n"
                  "switches: {side: {positions: [left, right]}}\nrecords:\n  sw: {steer: {switch: "
                  "{name: side, positions: {left: {endpoint: x}, right: {endpoint: y}}}}}\n");
    const struct steer_control_switch right = {.name = "side", .position = "right"};
    assert_int_equal(steer_control_switch_set(f->control, &right, &f->diag), STEER_OK);
    json_t *a = explained(f, &q);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(a, "decision"), "position")), "right");
    json_decref(a);
    json_decref(health);
}

// What is not applied yet has the scope that it will have: a sticky draw raises it, and no answer has none.
static void a_candidate_has_the_scope_of_its_draw(void **state)
{
    struct fixture *f = *state;
    static const char document[] =
        "zone: example.com\nendpoints: {x: {ipv4: 192.0.2.8}, y: {ipv4: 192.0.2.9}}\n"
        "pools: {xy: {endpoints: [x, y]}, one: {endpoints: [x]}}\nrecords:\n"
        "  s: {draw: {sticky: {v4: 20, v6: 48}}, steer: {pool: xy}}\n"
        "  o: {draw: {sticky: {v4: 20, v6: 48}}, steer: {pool: one}}\n";
    const struct steer_control_text text = {"new", document, sizeof document - 1};
    const struct steer_control_apply with = {.texts = &text, .count = 1};
    static const struct {
        const char *name, *type;
        int scope;
    } cases[] = {
        {"s.example.com", "A", 20}, {"s.example.com", "AAAA", 0}, {"o.example.com", "A", 0}};
    for (unsigned applied = 0; applied < 2; applied++) {
        for (size_t i = 0; i < STEER_ARRAY_LEN(cases); i++) {
            const struct steer_control_explain q = {.name = cases[i].name,
                                                    .type = cases[i].type,
                                                    .client = {STEER_V4, {10, 1, 2, 3}},
                                                    .source = 32,
                                                    .with = applied ? NULL : &with};
            json_t *a = explained(f, &q);
            assert_int_equal(json_integer_value(json_object_get(a, "scope")), cases[i].scope);
            json_decref(a);
        }
        must_apply(f, document);
    }
}

// Assertions of another document, which came from the store, have lost their places: they are looked up in its text.
static void a_plan_finds_the_places_of_many_assertions(void **state)
{
    enum { MANY = 400, LINE_OF_FIRST = MANY + 3 };
    struct fixture *f = *state;
    struct steer_buf text = {0};
    const struct steer_control_text change = {"infra.yaml", "endpoints: {x: {ipv4: 192.0.2.7}}\n",
                                              34};
    const struct steer_control_apply plan = {.texts = &change, .count = 1};
    json_t *assertion;
    size_t i;
    assert_int_equal(apply_with(f, "infra.yaml", "endpoints: {x: {ipv4: 192.0.2.8}}\n",
                                (struct steer_control_apply){0}),
                     STEER_OK);
    steer_buf_puts(&text, "zone: example.com\nrecords:\n");
    for (i = 0; i < MANY; i++)
        steer_buf_printf(&text, "  r%zu: {steer: {endpoint: x}}\n", i);
    steer_buf_puts(&text, "assert:\n");
    for (i = 0; i < MANY; i++)
        steer_buf_printf(&text, "  - {clients: EU, only: x, records: r%zu}\n", i);
    must_apply(f, text.data);
    steer_buf_fini(&text);
    stop_control(f);
    start_control(f, false);
    const struct steer_plan_how how = {0};
    assert_int_equal(steer_control_plan(f->control, &plan, &how, &text, &f->diag), STEER_OK);
    json_t *out = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(out);
    steer_buf_fini(&text);
    json_array_foreach(json_object_get(out, "assertions"), i, assertion)
    {
        const int number = atoi(json_string_value(json_object_get(assertion, "name")));
        assert_int_equal(json_integer_value(json_object_get(assertion, "line")),
                         LINE_OF_FIRST + number);
    }
    assert_int_equal(i, MANY);
    json_decref(out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_applied_is_answered_when_the_call_returns),
        TEST(a_document_is_advised_of_its_static_records),
        TEST(applied_again_it_is_unchanged_also_after_a_restart),
        TEST(a_dry_run_changes_nothing),
        TEST(a_refused_document_changes_nothing),
        TEST(documents_are_read_back_as_they_were_applied_last),
        TEST(an_import_that_conflicts_with_a_steered_record_is_refused),
        TEST(of_many_zones_the_bad_ones_are_listed_and_the_others_load),
        TEST(what_is_exported_imports_again_to_the_same_zone),
        TEST(the_audit_says_who_changed_what),
        TEST(zones_are_listed_and_deleted),
        TEST(an_override_holds_until_it_is_cleared_also_over_a_restart),
        TEST(an_override_says_what_is_wrong_with_it),
        TEST(an_override_ends_by_itself),
        TEST(an_override_that_ended_while_stopped_is_not_in_force_again),
        TEST(an_override_for_some_clients_is_neither_half_set_nor_half_cleared),
        TEST(an_ended_override_that_stays_in_the_store_hinders_no_start),
        TEST(a_verdict_changes_answers_without_a_new_world_and_survives_a_restart),
        TEST(a_verdict_of_a_check_that_went_is_forgotten),
        TEST(a_verdict_overtakes_an_edit_under_way),
        TEST(broken_geo_data_is_refused_and_the_old_stays_in_use),
        TEST(when_the_store_fails_nothing_is_half_applied_and_later_edits_work),
        TEST(verdicts_that_cannot_be_stored_are_in_force_and_stored_later),
        TEST(callers_see_their_edits_through_a_stop),
        TEST(a_call_after_the_stop_began_is_told_so),
        TEST(a_second_control_on_the_folder_is_refused),
        TEST(a_damaged_store_is_refused_at_the_start),
        TEST(answers_are_as_before_after_a_restart),
        TEST(any_sequence_of_edits_survives_a_restart),
        TEST(status_and_figures_agree),
        TEST(explain_says_what_the_client_gets),
        TEST(a_plan_finds_the_places_of_many_assertions),
        TEST(saved_health_leaves_switches_where_they_stand),
        TEST(a_candidate_has_the_scope_of_its_draw),
    };
    return cmocka_run_group_tests_name("control/control", tests, NULL, NULL);
}
