// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "store/store_internal.h"

// ---- a folder for each test ------------------------------------------------------------------------

struct fixture {
    char base[64];    // removed at the end
    char folder[128]; // the data folder in it
    struct steer_store *store;
    struct steer_diag diag;
};

static int remove_entry(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->base, sizeof f->base, "%.40s/steerd-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->base));
    snprintf(f->folder, sizeof f->folder, "%s/data", f->base);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    steer_store_close(f->store);
    nftw(f->base, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

#define assert_ok(f, call)                                                                         \
    do {                                                                                           \
        if ((call) != STEER_OK)                                                                    \
            fail_msg("%s: %s", #call, (f)->diag.message);                                          \
    } while (0)

static void assert_says(const struct fixture *f, const char *text)
{
    if (!strstr(f->diag.message, text))
        fail_msg("'%s' does not say '%s'", f->diag.message, text);
}

static void open_store(struct fixture *f)
{
    assert_ok(f, steer_store_open(f->folder, &f->store, &f->diag));
}

static void close_store(struct fixture *f)
{
    steer_store_close(f->store);
    f->store = NULL;
}

static int set_up_open(void **state)
{
    set_up(state);
    open_store(*state);
    return 0;
}

static void begin(struct fixture *f)
{
    assert_ok(f, steer_store_begin(f->store, &f->diag));
}

static void commit(struct fixture *f)
{
    assert_ok(f, steer_store_commit(f->store, &f->diag));
}

static const char *path_of(struct fixture *f, const char *file)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    return path;
}

static void execute(struct fixture *f, const char *sql)
{
    if (sqlite3_exec(f->store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->store->db));
}

static int64_t number(struct fixture *f, const char *sql)
{
    int64_t n = -1;
    assert_ok(f, steer_store_number(f->store->db, sql, &n, &f->diag));
    return n;
}

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(text, NULL, &name, NULL), STEER_OK);
    return name;
}

// ---- what is stored, as text -----------------------------------------------------------------------

static enum steer_err write_object(void *ctx, const struct steer_store_object *o)
{
    steer_buf_printf(ctx, "%s %s %s %s %s\n", o->kind, o->name, o->document, o->json,
                     o->site ? o->site : "-");
    assert_int_equal(o->relation_count, 0);
    return STEER_OK;
}

static enum steer_err write_zone(void *ctx, int64_t id, const struct steer_name *origin,
                                 const char *document)
{
    char text[STEER_NAME_TEXT_MAX];
    assert_true(id > 0);
    steer_buf_printf(ctx, "zone %s %s\n", steer_name_format(origin->octets, text), document);
    return STEER_OK;
}

static enum steer_err write_rrset(void *ctx, const struct steer_store_rrset *rrset)
{
    char text[STEER_NAME_TEXT_MAX];
    steer_buf_printf(ctx, "%s %u %u ", steer_name_format(rrset->owner, text), rrset->type,
                     rrset->ttl_s);
    for (size_t i = 0; i < rrset->packed_len; i++)
        steer_buf_printf(ctx, "%02x", rrset->packed[i]);
    steer_buf_puts(ctx, "\n");
    return STEER_OK;
}

static enum steer_err write_steered(void *ctx, const struct steer_store_steered *s)
{
    char text[STEER_NAME_TEXT_MAX];
    steer_buf_printf(ctx, "steered %s (%s) %s %s %s\n", s->name, steer_name_format(s->owner, text),
                     s->kind, s->document, s->json);
    return STEER_OK;
}

static enum steer_err write_override(void *ctx, const struct steer_store_override *o)
{
    steer_buf_printf(ctx, "override %s %s%s%s %s '%s' %s %llu %llu\n", o->kind, o->target,
                     *o->clients ? " for " : "", o->clients, o->state, o->reason, o->owner,
                     (unsigned long long)o->set_unix_s, (unsigned long long)o->expires_unix_s);
    return STEER_OK;
}

static enum steer_err write_verdict(void *ctx, const struct steer_store_verdict *v)
{
    steer_buf_printf(ctx, "verdict %s %s %s %llu '%s'\n", v->endpoint, v->check, v->verdict,
                     (unsigned long long)v->since_unix_s, v->reason);
    return STEER_OK;
}

static enum steer_err write_audit(void *ctx, const struct steer_store_audit_entry *e)
{
    assert_true(e->at_unix_s > 1700000000);
    steer_buf_printf(ctx, "audit %lld %s %s %s %s\n", (long long)e->id, e->who, e->action,
                     e->subject, e->detail);
    return STEER_OK;
}

static struct steer_store_zone_reader zone_writer(struct steer_buf *buf)
{
    return (struct steer_store_zone_reader){buf, write_zone, write_rrset, write_steered};
}

static void assert_objects(struct fixture *f, const char *expected)
{
    struct steer_buf buf = {0};
    assert_ok(f, steer_store_load_objects(f->store, write_object, &buf, &f->diag));
    assert_string_equal(buf.data ? buf.data : "", expected);
    steer_buf_fini(&buf);
}

static void assert_zones(struct fixture *f, const char *expected)
{
    struct steer_buf buf = {0};
    const struct steer_store_zone_reader writer = zone_writer(&buf);
    assert_ok(f, steer_store_load_zones(f->store, &writer, &f->diag));
    assert_string_equal(buf.data ? buf.data : "", expected);
    steer_buf_fini(&buf);
}

static void assert_verdicts(struct fixture *f, const char *expected)
{
    struct steer_buf buf = {0};
    assert_ok(f, steer_store_load_verdicts(f->store, write_verdict, &buf, &f->diag));
    assert_string_equal(buf.data ? buf.data : "", expected);
    steer_buf_fini(&buf);
}

static enum steer_err write_position(void *ctx, const struct steer_store_position *p)
{
    steer_buf_printf(ctx, "%s at %s '%s' %s %llu\n", p->name, p->position, p->reason, p->owner,
                     (unsigned long long)p->set_unix_s);
    return STEER_OK;
}

static void assert_positions(struct fixture *f, const char *expected)
{
    struct steer_buf buf = {0};
    assert_ok(f, steer_store_load_positions(f->store, write_position, &buf, &f->diag));
    assert_string_equal(buf.data ? buf.data : "", expected);
    steer_buf_fini(&buf);
}

static void assert_overrides(struct fixture *f, const char *expected)
{
    struct steer_buf buf = {0};
    assert_ok(f, steer_store_load_overrides(f->store, write_override, &buf, &f->diag));
    assert_string_equal(buf.data ? buf.data : "", expected);
    steer_buf_fini(&buf);
}

// ---- short ways to put -----------------------------------------------------------------------------

static struct steer_store_object object(const char *kind, const char *name)
{
    return (struct steer_store_object){kind, name, "doc", "{}", NULL, 0, NULL};
}

static void put(struct fixture *f, const char *kind, const char *name)
{
    const struct steer_store_object o = object(kind, name);
    assert_ok(f, steer_store_put_object(f->store, &o, &f->diag));
}

// An endpoint with its site (or NULL) and one check (or NULL), or a pool with one member.
static void put_related(struct fixture *f, const char *kind, const char *name, const char *site,
                        const char *related)
{
    const struct steer_store_relation relation = {related, 10};
    struct steer_store_object o = object(kind, name);
    o.site = site;
    o.relations = &relation;
    o.relation_count = related != NULL;
    assert_ok(f, steer_store_put_object(f->store, &o, &f->diag));
}

static int64_t put_zone(struct fixture *f, const char *origin, const char *document)
{
    const struct steer_name name = name_of(origin);
    int64_t id = 0;
    assert_ok(f, steer_store_put_zone(f->store, &name, document, &id, &f->diag));
    return id;
}

static void put_rrset(struct fixture *f, int64_t zone, const char *owner, uint16_t type,
                      uint8_t last)
{
    const struct steer_name name = name_of(owner);
    const uint8_t packed[] = {0, 4, 192, 0, 2, last};
    const struct steer_store_rrset rrset = {name.octets, type, 300, packed, sizeof packed};
    assert_ok(f, steer_store_put_rrset(f->store, zone, &rrset, &f->diag));
}

static void put_steered(struct fixture *f, int64_t zone, const char *owner, const char *kind)
{
    char text[300];
    snprintf(text, sizeof text, "%s %s", owner, kind);
    const struct steer_name name = name_of(owner);
    const struct steer_store_steered s = {name.octets, text, kind, "doc", "{\"ttl\":30}"};
    assert_ok(f, steer_store_put_steered(f->store, zone, &s, &f->diag));
}

static enum steer_err put_verdict(struct fixture *f, const char *endpoint, const char *check,
                                  const char *verdict)
{
    const struct steer_store_verdict v = {endpoint, check, verdict, 1700000000, "HTTP 503"};
    return steer_store_put_verdict(f->store, &v, &f->diag);
}

// ---- objects ---------------------------------------------------------------------------------------

static void objects_come_back_as_they_were_put(void **state)
{
    struct fixture *f = *state;
    static const struct steer_store_relation checks[] = {{"https", 0}, {"tcp", 0}};
    static const struct steer_store_relation members[] = {{"web-1", 1}, {"web-2", 4294967295}};
    static const struct steer_store_object objects[] = {
        {"policy", "main", "b.yaml", "{\"pool\":\"web\"}", NULL, 0, NULL},
        {"pool", "web", "b.yaml", "{\"members\":2}", NULL, 2, members},
        {"endpoint", "web-2", "a.yaml", "{\"v4\":\"192.0.2.2\"}", NULL, 0, NULL},
        {"endpoint", "web-1", "a.yaml", "{\"note\":\"Z\xc3\xbcrich\"}", "zrh", 2, checks},
        {"check", "tcp", "a.yaml", "{\"port\":443}", NULL, 0, NULL},
        {"check", "https", "a.yaml", "{\"path\":\"/\"}", NULL, 0, NULL},
        {"site", "zrh", "a.yaml", "{\"country\":\"CH\"}", NULL, 0, NULL},
    };
    begin(f);
    for (size_t i = 0; i < STEER_ARRAY_LEN(objects); i++)
        assert_ok(f, steer_store_put_object(f->store, &objects[i], &f->diag));
    commit(f);
    assert_true(steer_store_commit_ns(f->store) > 0);
    assert_objects(f, "site zrh a.yaml {\"country\":\"CH\"} -\n"
                      "check https a.yaml {\"path\":\"/\"} -\n"
                      "check tcp a.yaml {\"port\":443} -\n"
                      "endpoint web-1 a.yaml {\"note\":\"Z\xc3\xbcrich\"} zrh\n"
                      "endpoint web-2 a.yaml {\"v4\":\"192.0.2.2\"} -\n"
                      "pool web b.yaml {\"members\":2} -\n"
                      "policy main b.yaml {\"pool\":\"web\"} -\n");
    assert_int_equal(number(f, "SELECT weight FROM pool_member WHERE endpoint = 'web-2'"),
                     4294967295);
}

static void an_object_put_again_is_replaced_with_its_relations(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "fra");
    put(f, "check", "http");
    put_related(f, "endpoint", "web", "fra", "http");
    put_related(f, "pool", "all", NULL, "web");
    commit(f);
    begin(f);
    put_related(f, "endpoint", "web", NULL, NULL);
    put_related(f, "pool", "all", NULL, NULL);
    commit(f);
    // Nothing refers to them any more, so they can go.
    begin(f);
    assert_ok(f, steer_store_delete_object(f->store, "site", "fra", &f->diag));
    assert_ok(f, steer_store_delete_object(f->store, "check", "http", &f->diag));
    commit(f);
    assert_objects(f, "endpoint web doc {} -\npool all doc {} -\n");
}

static void a_broken_reference_fails_the_commit_and_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *kind, *name, *site, *related; // put
        const char *target_kind, *target;         // what it needs
        const char *message;
    } rows[] = {
        {"endpoint", "web", "fra", NULL, "site", "fra",
         "endpoint 'web' refers to site 'fra', which does not exist"},
        {"endpoint", "web", NULL, "http", "check", "http",
         "endpoint 'web' refers to check 'http', which does not exist"},
        {"pool", "all", NULL, "web-9", "endpoint", "web-9",
         "pool 'all' refers to endpoint 'web-9', which does not exist"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        // It never existed.
        begin(f);
        put_related(f, rows[i].kind, rows[i].name, rows[i].site, rows[i].related);
        assert_int_equal(steer_store_commit(f->store, &f->diag), STEER_ECONFLICT);
        assert_string_equal(f->diag.message, rows[i].message);
        // The caller may also mend it: the transaction is still open.
        put(f, rows[i].target_kind, rows[i].target);
        commit(f);
        // It is deleted.
        begin(f);
        assert_ok(
            f, steer_store_delete_object(f->store, rows[i].target_kind, rows[i].target, &f->diag));
        assert_int_equal(steer_store_commit(f->store, NULL), STEER_ECONFLICT);
        assert_int_equal(steer_store_commit(f->store, &f->diag), STEER_ECONFLICT);
        assert_string_equal(f->diag.message, rows[i].message);
        steer_store_rollback(f->store);
        // Both go together, in the order that breaks it in between.
        begin(f);
        assert_ok(
            f, steer_store_delete_object(f->store, rows[i].target_kind, rows[i].target, &f->diag));
        assert_ok(f, steer_store_delete_object(f->store, rows[i].kind, rows[i].name, &f->diag));
        commit(f);
        assert_objects(f, "");
    }
}

static void what_the_schema_forbids_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct steer_store_relation twice[] = {{"a", 1}, {"a", 2}};
    static const struct steer_store_object objects[] = {
        {"site", "x", "d", "{\"open\":", NULL, 0, NULL},
        {"policy", "x", "d", "", NULL, 0, NULL},
        {"planet", "x", "d", "{}", NULL, 0, NULL},
        {"pool", "x", "d", "{}", NULL, 2, twice},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(objects); i++) {
        begin(f);
        assert_int_equal(steer_store_put_object(f->store, &objects[i], &f->diag), STEER_EINVAL);
        assert_true(f->diag.message[0] != '\0');
        steer_store_rollback(f->store);
    }
    begin(f);
    const struct steer_store_override planet = {"planet", "x", "", "up", "", "", 0, 0};
    const struct steer_store_override asleep = {"site", "x", "", "asleep", "", "", 0, 0};
    assert_int_equal(steer_store_put_override(f->store, &planet, &f->diag), STEER_EINVAL);
    assert_int_equal(steer_store_put_override(f->store, &asleep, &f->diag), STEER_EINVAL);
    int64_t zone = put_zone(f, "example.", "");
    const struct steer_store_rrset empty = {(const uint8_t *)"", 1, 1, (const uint8_t *)"", 0};
    assert_int_equal(steer_store_put_rrset(f->store, zone, &empty, &f->diag), STEER_EINVAL);
    steer_store_rollback(f->store);
}

static void deleting_what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[] = {"site", "check", "endpoint", "pool", "policy"};
    const struct steer_name name = name_of("none.example.");
    begin(f);
    for (size_t i = 0; i < STEER_ARRAY_LEN(kinds); i++) {
        assert_int_equal(steer_store_delete_object(f->store, kinds[i], "ghost", &f->diag),
                         STEER_ENOTFOUND);
        assert_says(f, "ghost");
    }
    assert_int_equal(steer_store_delete_object(f->store, "planet", "x", &f->diag), STEER_EINVAL);
    assert_int_equal(steer_store_delete_zone(f->store, &name, &f->diag), STEER_ENOTFOUND);
    assert_says(f, "none.example.");
    assert_int_equal(steer_store_delete_rrset(f->store, 1, name.octets, 1, &f->diag),
                     STEER_ENOTFOUND);
    assert_int_equal(steer_store_delete_steered(f->store, "x. cname", &f->diag), STEER_ENOTFOUND);
    assert_int_equal(steer_store_delete_override(f->store, "site", "x", "", &f->diag),
                     STEER_ENOTFOUND);
    char *value = NULL;
    assert_int_equal(steer_store_get_setting(f->store, "x", &value, &f->diag), STEER_ENOTFOUND);
    assert_null(value);
    commit(f);
}

// ---- zones -----------------------------------------------------------------------------------------

static void zones_come_back_with_their_records_in_order(void **state)
{
    struct fixture *f = *state;
    begin(f);
    int64_t one = put_zone(f, "One.Example.", "one.yaml");
    put_zone(f, "empty.example.", "");
    int64_t three = put_zone(f, "three.example.", "");
    int64_t four = put_zone(f, "four.example.", "");
    put_rrset(f, three, "b.three.example.", 1, 3);
    put_rrset(f, one, "www.one.example.", 16, 2);
    put_rrset(f, one, "www.one.example.", 1, 1);
    put_rrset(f, one, "a.one.example.", 28, 9);
    put_steered(f, one, "api.one.example.", "address");
    put_steered(f, four, "only.four.example.", "cname");
    commit(f);
    assert_zones(f,
                 "zone one.example. one.yaml\n"
                 "a.one.example. 28 300 0004c0000209\n"
                 "www.one.example. 1 300 0004c0000201\n"
                 "www.one.example. 16 300 0004c0000202\n"
                 "steered api.one.example. address (api.one.example.) address doc {\"ttl\":30}\n"
                 "zone empty.example. \n"
                 "zone three.example. \n"
                 "b.three.example. 1 300 0004c0000203\n"
                 "zone four.example. \n"
                 "steered only.four.example. cname (only.four.example.) cname doc {\"ttl\":30}\n");
}

static void a_zone_is_created_once_and_keeps_its_number(void **state)
{
    struct fixture *f = *state;
    begin(f);
    int64_t id = put_zone(f, "example.", "first.yaml");
    assert_int_equal(put_zone(f, "EXAMPLE.", ""), id);
    put_rrset(f, id, "example.", 1, 1);
    put_rrset(f, id, "example.", 1, 2); // replaced
    assert_zones(f, "zone example. first.yaml\nexample. 1 300 0004c0000202\n");
    const struct steer_name name = name_of("Example.");
    assert_ok(f, steer_store_delete_rrset(f->store, id, name_of("example.").octets, 1, &f->diag));
    assert_zones(f, "zone example. first.yaml\n");
    put_rrset(f, id, "example.", 1, 2);
    put_steered(f, id, "example.", "address");
    assert_ok(f, steer_store_delete_zone(f->store, &name, &f->diag));
    assert_zones(f, "");
    assert_int_equal(
        number(f, "SELECT (SELECT count(*) FROM rrset) + (SELECT count(*) FROM steered)"), 0);
    // A writer that still holds the old number does not hit the next zone.
    assert_true(put_zone(f, "other.", "") != id);
    const uint8_t packed[] = {0, 0};
    const struct steer_store_rrset late = {name.octets, 1, 1, packed, 2};
    assert_int_equal(steer_store_put_rrset(f->store, id, &late, &f->diag), STEER_ENOTFOUND);
    commit(f);
}

static void clearing_a_zone_leaves_steered_records_and_other_zones(void **state)
{
    struct fixture *f = *state;
    begin(f);
    int64_t one = put_zone(f, "one.", "");
    int64_t two = put_zone(f, "two.", "");
    put_rrset(f, one, "one.", 1, 1);
    put_rrset(f, one, "a.one.", 1, 1);
    put_rrset(f, two, "two.", 1, 1);
    put_steered(f, one, "api.one.", "address");
    put_steered(f, one, "api.one.", "cname");
    assert_ok(f, steer_store_clear_zone(f->store, one, &f->diag));
    assert_ok(f, steer_store_delete_steered(f->store, "api.one. cname", &f->diag));
    commit(f);
    assert_zones(f, "zone one. \nsteered api.one. address (api.one.) address doc {\"ttl\":30}\n"
                    "zone two. \ntwo. 1 300 0004c0000201\n");
}

static void the_longest_name_and_the_largest_values_fit(void **state)
{
    struct fixture *f = *state;
    uint8_t owner[STEER_NAME_MAX] = {0};
    for (size_t at = 0; at + 1 < sizeof owner; at += 2) { // 127 labels of one octet
        owner[at] = 1;
        owner[at + 1] = (uint8_t)at;
    }
    static uint8_t packed[2 + 65535] = {0xff, 0xff, 7};
    const struct steer_store_rrset rrset = {owner, 65535, UINT32_MAX, packed, sizeof packed};
    begin(f);
    int64_t zone = put_zone(f, ".", "");
    assert_ok(f, steer_store_put_rrset(f->store, zone, &rrset, &f->diag));
    commit(f);
    struct steer_buf buf = {0};
    const struct steer_store_zone_reader writer = zone_writer(&buf);
    assert_ok(f, steer_store_load_zones(f->store, &writer, &f->diag));
    assert_non_null(strstr(buf.data, " 65535 4294967295 ffff0700"));
    assert_true(buf.len > sizeof packed * 2);
    steer_buf_fini(&buf);
}

struct stopper {
    int calls, stop_at;
};

static enum steer_err stop_sometimes(struct stopper *s)
{
    return s->calls++ == s->stop_at ? STEER_ELIMIT : STEER_OK;
}

static enum steer_err stop_object(void *ctx, const struct steer_store_object *o)
{
    (void)o;
    return stop_sometimes(ctx);
}
static enum steer_err stop_zone(void *ctx, int64_t id, const struct steer_name *n, const char *d)
{
    (void)id, (void)n, (void)d;
    return stop_sometimes(ctx);
}
static enum steer_err stop_rrset(void *ctx, const struct steer_store_rrset *r)
{
    (void)r;
    return stop_sometimes(ctx);
}
static enum steer_err stop_steered(void *ctx, const struct steer_store_steered *s)
{
    (void)s;
    return stop_sometimes(ctx);
}

static void a_reader_can_stop_at_any_row_and_start_again(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "a");
    put(f, "site", "b");
    put(f, "policy", "c");
    for (int i = 0; i < 2; i++) {
        int64_t zone = put_zone(f, i ? "b." : "a.", "");
        put_rrset(f, zone, i ? "b." : "a.", 1, 1);
        put_steered(f, zone, i ? "x.b." : "x.a.", "cname");
    }
    commit(f);
    for (int stop_at = 0; stop_at <= 3; stop_at++) {
        struct stopper s = {.stop_at = stop_at};
        assert_int_equal(steer_store_load_objects(f->store, stop_object, &s, &f->diag),
                         stop_at < 3 ? STEER_ELIMIT : STEER_OK);
        assert_int_equal(s.calls, stop_at < 3 ? stop_at + 1 : 3);
    }
    for (int stop_at = 0; stop_at <= 6; stop_at++) {
        struct stopper s = {.stop_at = stop_at};
        const struct steer_store_zone_reader reader = {&s, stop_zone, stop_rrset, stop_steered};
        assert_int_equal(steer_store_load_zones(f->store, &reader, &f->diag),
                         stop_at < 6 ? STEER_ELIMIT : STEER_OK);
        assert_int_equal(s.calls, stop_at < 6 ? stop_at + 1 : 6);
    }
}

static void records_that_would_mislead_a_reader_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const damages[] = {
        "UPDATE rrset SET packed = x'0005aabb'", // RDATA ends too soon
        "UPDATE rrset SET packed = x'0001aa00'", // half a length
        "UPDATE rrset SET owner = x'0361'",      // a label ends too soon
        "UPDATE rrset SET owner = x'01610062'",  // something after the root
        "UPDATE rrset SET owner = x''",
        "UPDATE steered SET owner = x'c00c'", // a compression pointer
        "UPDATE zone SET origin = x'40'",
        "UPDATE rrset SET zone_id = 99", // no such zone
        "UPDATE steered SET zone_id = -5",
    };
    begin(f);
    int64_t zone = put_zone(f, "example.", "");
    put_rrset(f, zone, "example.", 1, 1);
    put_steered(f, zone, "x.example.", "cname");
    commit(f);
    execute(f, "PRAGMA foreign_keys=OFF");
    for (size_t i = 0; i < STEER_ARRAY_LEN(damages); i++) {
        begin(f);
        execute(f, damages[i]);
        struct steer_buf buf = {0};
        const struct steer_store_zone_reader writer = zone_writer(&buf);
        if (steer_store_load_zones(f->store, &writer, &f->diag) != STEER_EIO)
            fail_msg("not seen: %s", damages[i]);
        assert_says(f, "damaged");
        steer_buf_fini(&buf);
        steer_store_rollback(f->store);
    }
}

// ---- overrides, verdicts, settings, audit ----------------------------------------------------------

static void positions_come_back_and_go_with_their_switch(void **state)
{
    struct fixture *f = *state;
    struct steer_store_position p = {"colour", "green", "release 7", "ann", 1700000000};
    begin(f);
    put(f, "switch", "colour");
    put(f, "switch", "mode");
    assert_ok(f, steer_store_put_position(f->store, &p, &f->diag));
    p.position = "blue";
    p.reason = "";
    assert_ok(f, steer_store_put_position(f->store, &p, &f->diag));
    p.name = "mode";
    assert_ok(f, steer_store_put_position(f->store, &p, &f->diag));
    put(f, "latency table", "world");
    put(f, "switch", "mode"); // replaced: its position stays
    commit(f);
    assert_positions(f, "colour at blue '' ann 1700000000\nmode at blue '' ann 1700000000\n");
    begin(f);
    assert_ok(f, steer_store_delete_object(f->store, "switch", "colour", &f->diag));
    commit(f);
    assert_positions(f, "mode at blue '' ann 1700000000\n");
}

static void overrides_name_anything_and_come_back(void **state)
{
    struct fixture *f = *state;
    struct steer_store_override o = {"endpoint",  "ghost", NULL,       "drained",
                                     "swap disk", "ann",   1700000000, 0};
    begin(f);
    assert_ok(f, steer_store_put_override(f->store, &o, &f->diag));
    o.kind = "check";
    o.reason = NULL;
    assert_ok(f, steer_store_put_override(f->store, &o, &f->diag));
    o.state = "up";
    o.expires_unix_s = 1700003600;
    assert_ok(f, steer_store_put_override(f->store, &o, &f->diag));
    commit(f);
    assert_overrides(f, "override check ghost up '' ann 1700000000 1700003600\n"
                        "override endpoint ghost drained 'swap disk' ann 1700000000 0\n");
    begin(f);
    assert_ok(f, steer_store_delete_override(f->store, "endpoint", "ghost", NULL, &f->diag));
    commit(f);
    assert_overrides(f, "override check ghost up '' ann 1700000000 1700003600\n");
}

static void overrides_of_one_object_for_different_clients_stand_side_by_side(void **state)
{
    struct fixture *f = *state;
    static const char *const clients[] = {"", "203.0.113.0/24", "203.0.113.0/24,2001:db8::/48"};
    struct steer_store_override o = {"site", "fra", "", "down", "why", "ann", 1700000000, 0};
    begin(f);
    for (size_t i = 0; i < STEER_ARRAY_LEN(clients); i++) {
        o.clients = clients[i];
        assert_ok(f, steer_store_put_override(f->store, &o, &f->diag));
    }
    o.state = "up";
    assert_ok(f, steer_store_put_override(f->store, &o, &f->diag));
    assert_ok(f, steer_store_delete_override(f->store, "site", "fra", "", &f->diag));
    assert_int_equal(
        steer_store_delete_override(f->store, "site", "fra", "203.0.113.0/25", &f->diag),
        STEER_ENOTFOUND);
    commit(f);
    assert_overrides(f, "override site fra for 203.0.113.0/24 down 'why' ann 1700000000 0\n"
                        "override site fra for 203.0.113.0/24,2001:db8::/48 up 'why' ann "
                        "1700000000 0\n");
}

static void replacing_an_endpoint_or_a_check_keeps_the_verdicts(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "check", "http");
    put_related(f, "endpoint", "web", NULL, "http");
    assert_ok(f, put_verdict(f, "web", "http", "up"));
    assert_ok(f, put_verdict(f, "web", "http", "down"));
    put(f, "check", "http");
    put_related(f, "endpoint", "web", NULL, "http");
    commit(f);
    assert_verdicts(f, "verdict web http down 1700000000 'HTTP 503'\n");
}

static void a_verdict_goes_with_its_endpoint_or_its_check(void **state)
{
    struct fixture *f = *state;
    static const char *const gone[][2] = {{"endpoint", "web"}, {"check", "http"}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(gone); i++) {
        begin(f);
        put(f, "check", "http");
        put(f, "endpoint", "web");
        assert_ok(f, put_verdict(f, "web", "http", "down"));
        commit(f);
        begin(f);
        assert_ok(f, steer_store_delete_object(f->store, gone[i][0], gone[i][1], &f->diag));
        commit(f);
        assert_verdicts(f, "");
        // One that comes too late is told so, and the rest of its batch can go on.
        begin(f);
        assert_int_equal(put_verdict(f, "web", "http", "up"), STEER_ENOTFOUND);
        commit(f);
    }
}

static void a_verdict_goes_when_its_endpoint_drops_the_check(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "check", "http");
    put_related(f, "endpoint", "web", NULL, "http");
    assert_ok(f, put_verdict(f, "web", "http", "down"));
    commit(f);
    begin(f);
    put_related(f, "endpoint", "web", NULL, NULL);
    put_related(f, "endpoint", "web", NULL, "http");
    commit(f);
    assert_verdicts(f, "");
}

static void settings_and_audit_come_back(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_ok(f, steer_store_put_setting(f->store, "secret", "one", &f->diag));
    assert_ok(f, steer_store_put_setting(f->store, "secret", "two", &f->diag));
    for (int i = 0; i < 3; i++)
        assert_ok(f, steer_store_audit(f->store, "ana", i ? "put" : "delete", "pool web", "{}",
                                       &f->diag));
    commit(f);
    char *value = NULL;
    assert_ok(f, steer_store_get_setting(f->store, "secret", &value, &f->diag));
    assert_string_equal(value, "two");
    free(value);
    struct steer_buf buf = {0};
    assert_ok(f, steer_store_load_audit(f->store, 0, 0, 2, write_audit, &buf, &f->diag));
    assert_string_equal(buf.data, "audit 3 ana put pool web {}\naudit 2 ana put pool web {}\n");
    steer_buf_clear(&buf);
    assert_ok(f, steer_store_load_audit(f->store, 2, 0, 10, write_audit, &buf, &f->diag));
    assert_string_equal(buf.data, "audit 1 ana delete pool web {}\n");
    steer_buf_fini(&buf);
}

static void the_audit_is_read_back_to_a_moment(void **state)
{
    struct fixture *f = *state;
    struct steer_buf buf = {0};
    begin(f);
    for (int i = 0; i < 3; i++)
        assert_ok(f, steer_store_audit(f->store, "", "put", "x", "", &f->diag));
    commit(f);
    execute(f, "UPDATE audit SET at_unix_s = 1800000000 + id");
    assert_ok(f, steer_store_load_audit(f->store, 0, 1800000002, 10, write_audit, &buf, &f->diag));
    assert_string_equal(buf.data, "audit 3  put x \naudit 2  put x \n");
    steer_buf_fini(&buf);
}

static void of_the_audit_only_the_newest_are_kept(void **state)
{
    struct fixture *f = *state;
    begin(f);
    for (int i = 0; i < STEER_AUDIT_MAX + 3; i++)
        assert_ok(f, steer_store_audit(f->store, "", "put", "x", "", &f->diag));
    commit(f);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), STEER_AUDIT_MAX);
    assert_int_equal(number(f, "SELECT min(id) FROM audit"), 4);
}

// ---- transactions ----------------------------------------------------------------------------------

static void a_rollback_undoes_everything(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "fra");
    put_rrset(f, put_zone(f, "example.", ""), "example.", 1, 1);
    assert_ok(f, steer_store_audit(f->store, "", "put", "x", "y", &f->diag));
    steer_store_rollback(f->store);
    steer_store_rollback(f->store); // once more does no harm
    assert_objects(f, "");
    assert_zones(f, "");
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 0);
}

static void a_savepoint_undoes_its_part_only(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put_zone(f, "good.", "");
    assert_ok(f, steer_store_savepoint(f->store, &f->diag));
    put_zone(f, "bad.", "");
    put_related(f, "pool", "p", NULL, "ghost"); // its broken reference goes with it
    assert_ok(f, steer_store_savepoint(f->store, &f->diag));
    put_zone(f, "inner.", "");
    assert_ok(f, steer_store_release(f->store, &f->diag));
    steer_store_rollback_savepoint(f->store);
    assert_ok(f, steer_store_savepoint(f->store, &f->diag));
    put_zone(f, "also-good.", "");
    assert_ok(f, steer_store_release(f->store, &f->diag));
    commit(f);
    assert_zones(f, "zone good. \nzone also-good. \n");
    assert_objects(f, "");
}

static void writing_needs_an_open_transaction(void **state)
{
    struct fixture *f = *state;
    const struct steer_store_object site = object("site", "fra");
    assert_int_equal(steer_store_put_object(f->store, &site, &f->diag), STEER_EIO);
    assert_says(f, "no transaction is open");
    assert_int_equal(steer_store_savepoint(f->store, &f->diag), STEER_EIO);
    assert_int_equal(steer_store_commit(f->store, &f->diag), STEER_EIO);
    assert_int_equal(steer_store_put_setting(f->store, "a", "b", &f->diag), STEER_EIO);
    steer_store_rollback_savepoint(f->store);
    assert_objects(f, "");
    begin(f);
    assert_int_equal(steer_store_begin(f->store, &f->diag), STEER_EIO);
    commit(f);
}

// Begins a transaction and puts 60 kB RRsets.
static enum steer_err put_big(struct fixture *f, unsigned count)
{
    static uint8_t packed[2 + 60000] = {60000 >> 8, 60000 & 0xff};
    const struct steer_name origin = name_of("big.");
    int64_t zone;
    enum steer_err err = steer_store_begin(f->store, &f->diag);
    if (!err)
        err = steer_store_put_zone(f->store, &origin, "", &zone, &f->diag);
    for (unsigned i = 0; !err && i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u.big.", i);
        const struct steer_name owner = name_of(text);
        const struct steer_store_rrset rrset = {owner.octets, 10, 60, packed, sizeof packed};
        err = steer_store_put_rrset(f->store, zone, &rrset, &f->diag);
    }
    return err;
}

static void a_full_disk_is_an_error_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "fra");
    commit(f);
    execute(f, "PRAGMA max_page_count=200");
    assert_int_equal(put_big(f, 100), STEER_EIO);
    assert_says(f, "storing an RRset failed: database or disk is full");
    steer_store_rollback(f->store);
    execute(f, "PRAGMA max_page_count=1000000");
    assert_zones(f, "");
    assert_objects(f, "site fra doc {} -\n");
    assert_ok(f, put_big(f, 100));
    commit(f);
}

static void a_failing_write_is_an_error_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "fra");
    commit(f);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit small = {1 << 20, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    enum steer_err err = put_big(f, 100);
    if (!err)
        err = steer_store_commit(f->store, &f->diag);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(err, STEER_EIO);
    assert_says(f, "disk I/O error (SQLite's extended code 778)"); // SQLITE_IOERR_WRITE
    steer_store_rollback(f->store);
    assert_zones(f, "");
    assert_objects(f, "site fra doc {} -\n");
    begin(f);
    put(f, "site", "zrh");
    commit(f);
}

static void the_log_is_cut_after_a_big_import(void **state)
{
    struct fixture *f = *state;
    struct stat sb;
    assert_ok(f, put_big(f, 500)); // 30 MB
    commit(f);
    begin(f);
    put(f, "site", "fra");
    commit(f);
    assert_int_equal(stat(path_of(f, "steerd.db-wal"), &sb), 0);
    assert_true(sb.st_size <= 16777216);
    assert_int_equal(number(f, "SELECT count(*) FROM rrset"), 500);
}

// ---- durability ------------------------------------------------------------------------------------

static void what_was_committed_is_there_after_close_and_open(void **state)
{
    struct fixture *f = *state;
    begin(f);
    put(f, "site", "fra");
    commit(f);
    begin(f);
    put(f, "site", "never");
    close_store(f);
    assert_int_equal(access(path_of(f, "steerd.db-wal"), F_OK), -1); // folded in
    open_store(f);
    assert_objects(f, "site fra doc {} -\n");
    assert_int_equal(number(f, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(f, "PRAGMA synchronous"), 2);
    assert_int_equal(number(f, "PRAGMA application_id"), STEER_STORE_APPLICATION_ID);
    assert_int_equal(number(f, "PRAGMA user_version"), steer_store_migration_count);
}

// Runs in a child that ends by SIGKILL only; each byte written to `tell` is one acknowledged commit.
typedef void child_fn(struct fixture *f, int tell);

// Starts child, waits for `bytes` bytes, kills it, and returns how many it had written by then.
static int run_and_kill(struct fixture *f, child_fn *child, int bytes)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        if (steer_store_open(f->folder, &f->store, &f->diag) == STEER_OK)
            child(f, fds[1]);
        fprintf(stderr, "child: %s\n", f->diag.message);
        _exit(1);
    }
    close(fds[1]);
    char buf[256];
    int got = 0;
    ssize_t n = 1;
    while (got < bytes && (n = read(fds[0], buf, 1)) > 0)
        got++;
    kill(pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while ((n = read(fds[0], buf, sizeof buf)) > 0)
        got += (int)n;
    close(fds[0]);
    return got;
}

static void tell_and_wait(int fd)
{
    if (write(fd, "x", 1) == 1)
        for (;;)
            pause();
}

static void child_in_small_transaction(struct fixture *f, int tell)
{
    const struct steer_store_object site = object("site", "never");
    if (!steer_store_begin(f->store, &f->diag) &&
        !steer_store_put_object(f->store, &site, &f->diag))
        tell_and_wait(tell);
}

// Far beyond what the cache holds, so that unfinished pages are in the log already.
static void child_in_spilled_transaction(struct fixture *f, int tell)
{
    sqlite3_exec(f->store->db, "PRAGMA cache_size=10", NULL, NULL, NULL);
    if (!put_big(f, 100))
        tell_and_wait(tell);
}

static void child_after_commit(struct fixture *f, int tell)
{
    if (!put_big(f, 100) && !steer_store_commit(f->store, &f->diag))
        tell_and_wait(tell);
}

static void killed_in_mid_transaction_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    child_fn *const children[] = {child_in_small_transaction, child_in_spilled_transaction};
    for (size_t i = 0; i < STEER_ARRAY_LEN(children); i++) {
        assert_int_equal(run_and_kill(f, children[i], 1), 1);
        open_store(f);
        assert_objects(f, "");
        assert_zones(f, "");
        assert_int_equal(
            number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
            0);
        close_store(f);
    }
}

static void killed_after_commit_loses_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_and_kill(f, child_after_commit, 1), 1);
    open_store(f);
    assert_int_equal(number(f, "SELECT count(*) FROM rrset"), 100);
    assert_int_equal(
        number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

// Commits one site and one audit entry after the other, as fast as it can.
static void child_committing(struct fixture *f, int tell)
{
    for (unsigned i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", i);
        const struct steer_store_object site = object("site", name);
        if (steer_store_begin(f->store, &f->diag) ||
            steer_store_put_object(f->store, &site, &f->diag) ||
            steer_store_audit(f->store, "", "put", name, "", &f->diag) ||
            steer_store_commit(f->store, &f->diag) || write(tell, "x", 1) != 1)
            return;
    }
}

static void killed_at_any_moment_keeps_what_was_acknowledged_and_whole_changes_only(void **state)
{
    struct fixture *f = *state;
    for (int round = 1; round <= 5; round++) {
        int acknowledged = run_and_kill(f, child_committing, round * 7);
        open_store(f);
        int64_t sites = number(f, "SELECT count(*) FROM site");
        // At most the one commit that was not told yet is there beside them.
        assert_in_range(sites, acknowledged, acknowledged + 1);
        assert_int_equal(number(f, "SELECT count(*) FROM audit"), sites);
        begin(f);
        execute(f, "DELETE FROM site; DELETE FROM audit");
        commit(f);
        close_store(f);
    }
}

// ---- opening ---------------------------------------------------------------------------------------

static void the_folder_and_its_files_are_private(void **state)
{
    struct fixture *f = *state;
    mode_t old = umask(0);
    open_store(f);
    begin(f);
    put(f, "site", "fra");
    commit(f);
    umask(old);
    static const char *const files[] = {"steerd.db", "steerd.db-wal", "steerd.lock"};
    struct stat sb;
    assert_int_equal(stat(f->folder, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0700);
    for (size_t i = 0; i < STEER_ARRAY_LEN(files); i++) {
        assert_int_equal(stat(path_of(f, files[i]), &sb), 0);
        assert_int_equal(sb.st_mode & 0777, 0600);
    }
}

// The result of opening the folder in another process, as user nobody when `as_nobody` and we are root.
static int open_elsewhere(struct fixture *f, bool as_nobody)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (as_nobody && geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        struct steer_store *store;
        _exit((int)steer_store_open(f->folder, &store, NULL));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_second_steerd_is_refused(void **state)
{
    struct fixture *f = *state;
    struct steer_store *second = NULL;
    char pid[32];
    assert_int_equal(steer_store_open(f->folder, &second, &f->diag), STEER_ECONFLICT);
    assert_null(second);
    assert_says(f, "another steerd uses this data folder");
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_says(f, pid);
    assert_int_equal(open_elsewhere(f, false), STEER_ECONFLICT);
    // The refused one has not taken the lock away from the first.
    assert_int_equal(steer_store_open(f->folder, &second, &f->diag), STEER_ECONFLICT);
    close_store(f);
    assert_int_equal(open_elsewhere(f, false), STEER_OK);
}

static void another_program_that_holds_the_database_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    close_store(f);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path_of(f, "steerd.db"), &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(other, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_ECONFLICT);
    assert_says(f, "database is locked");
    sqlite3_close(other);
    open_store(f);
}

static void a_folder_that_cannot_be_used_is_an_error(void **state)
{
    struct fixture *f = *state;
    // Its parent isn't there.
    snprintf(f->folder, sizeof f->folder, "%s/a/b", f->base);
    assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_EIO);
    assert_says(f, f->folder);
    assert_says(f, strerror(ENOENT));
    // It is a file.
    snprintf(f->folder, sizeof f->folder, "%s/file", f->base);
    close(open(f->folder, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_EIO);
    assert_says(f, strerror(ENOTDIR));
    // It may not be written.
    chmod(f->base, 0755);
    snprintf(f->folder, sizeof f->folder, "%s/readonly", f->base);
    assert_int_equal(mkdir(f->folder, 0555), 0);
    assert_int_equal(open_elsewhere(f, true), STEER_EIO);
    assert_null(f->store);
}

static void run_sql_on_file(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    mkdir(f->folder, 0700);
    assert_int_equal(sqlite3_open(path_of(f, "steerd.db"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void a_newer_or_foreign_database_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql, *message;
    } rows[] = {
        {"PRAGMA application_id=1398035044; PRAGMA user_version=99; CREATE TABLE novel(x)",
         "schema version 99"},
        {"PRAGMA application_id=1398035044; PRAGMA user_version=-1; CREATE TABLE novel(x)",
         "schema version -1"},
        {"PRAGMA application_id=7", "another program"},
        {"CREATE TABLE theirs(x)", "another program"},
    };
    assert_int_equal(STEER_STORE_APPLICATION_ID, 1398035044);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        run_sql_on_file(f, rows[i].sql);
        assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_EINVAL);
        assert_says(f, rows[i].message);
        assert_null(f->store);
        run_sql_on_file(f, "CREATE TABLE site(ours_was_not_made)");
        unlink(path_of(f, "steerd.db"));
    }
}

static void overwrite(struct fixture *f, off_t at, size_t len)
{
    char junk[4096];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 7 + 3);
    int fd = open(path_of(f, "steerd.db"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, len, at), (ssize_t)len);
    close(fd);
}

static void a_damaged_database_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        off_t at;
        size_t len;
    } rows[] = {{0, 100}, {100, 500}, {4096, 4096}, {9 * 4096, 200}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        open_store(f);
        assert_ok(f, put_big(f, 100));
        commit(f);
        close_store(f);
        overwrite(f, rows[i].at, rows[i].len);
        if (steer_store_open(f->folder, &f->store, &f->diag) != STEER_EIO)
            fail_msg("damage at %ld was not seen", (long)rows[i].at);
        assert_says(f, "restore the data folder from a copy");
        assert_null(f->store);
        unlink(path_of(f, "steerd.db"));
    }
    // Cut short.
    open_store(f);
    assert_ok(f, put_big(f, 100));
    commit(f);
    close_store(f);
    assert_int_equal(truncate(path_of(f, "steerd.db"), 20 * 4096), 0);
    assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_EIO);
}

static void a_file_of_garbage_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    mkdir(f->folder, 0700);
    FILE *file = fopen(path_of(f, "steerd.db"), "w");
    for (int i = 0; i < 1000; i++)
        fprintf(file, "this is no database %d\n", i);
    long size = ftell(file);
    fclose(file);
    assert_int_equal(steer_store_open(f->folder, &f->store, &f->diag), STEER_EIO);
    assert_says(f, "file is not a database");
    struct stat sb;
    stat(path_of(f, "steerd.db"), &sb);
    assert_int_equal(sb.st_size, size);
}

// ---- migrations ------------------------------------------------------------------------------------

static void a_database_of_each_older_version_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    for (int version = 0; version <= steer_store_migration_count; version++) {
        sqlite3 *db;
        mkdir(f->folder, 0700);
        assert_int_equal(sqlite3_open(path_of(f, "steerd.db"), &db), SQLITE_OK);
        assert_ok(f, steer_store_migrate(db, steer_store_migrations, version, &f->diag));
        if (version > 0)
            assert_int_equal(
                sqlite3_exec(
                    db,
                    "INSERT INTO site VALUES('old', 'doc', '{}');"
                    "INSERT INTO zone(id, origin, document) VALUES(7, x'00', 'doc');"
                    "INSERT INTO steered VALUES('a. cname', 7, x'00', 'cname', 'doc', '{}')",
                    NULL, NULL, NULL),
                SQLITE_OK);
        const bool with_override = version > 1 && version < steer_store_migration_count;
        if (with_override)
            assert_int_equal(
                sqlite3_exec(db,
                             "INSERT INTO override(kind, target, state, reason, owner, set_unix_s,"
                             " expires_unix_s) VALUES('site', 'old', 'down', 'r', 'o', 1, 2)",
                             NULL, NULL, NULL),
                SQLITE_OK);
        sqlite3_close(db);
        open_store(f);
        assert_overrides(f, with_override ? "override site old down 'r' o 1 2\n" : "");
        assert_objects(f, version > 0 ? "site old doc {} -\n" : "");
        assert_int_equal(number(f, "SELECT count(*) FROM steered WHERE kind='cname' AND zone_id=7"),
                         version > 0);
        begin(f);
        put(f, "check", "http");
        put(f, "endpoint", "web");
        assert_ok(f, put_verdict(f, "web", "http", "up"));
        commit(f);
        assert_int_equal(number(f, "PRAGMA user_version"), steer_store_migration_count);
        close_store(f);
        unlink(path_of(f, "steerd.db"));
    }
}

static void a_failing_migration_leaves_the_version_before_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bad, *message;
    } rows[] = {
        {"CREATE TABLE half(x); CREATE TABLE first(y);",
         "to version 2 failed: table first already exists"},
        {"INSERT INTO child VALUES(1, 7);", "to version 2 left 1 broken references"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const char *const migrations[] = {
            "CREATE TABLE first(x INTEGER PRIMARY KEY); CREATE TABLE child(x, y REFERENCES "
            "first(x));",
            rows[i].bad,
        };
        sqlite3 *db;
        int64_t n;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        assert_int_equal(steer_store_migrate(db, migrations, 2, &f->diag), STEER_EIO);
        assert_says(f, rows[i].message);
        assert_ok(f, steer_store_number(db, "PRAGMA user_version", &n, &f->diag));
        assert_int_equal(n, 1);
        assert_ok(f, steer_store_number(db, "SELECT count(*) FROM sqlite_schema", &n, &f->diag));
        assert_int_equal(n, 2);
        sqlite3_close(db);
    }
}

#define TEST_OPEN(t)   cmocka_unit_test_setup_teardown(t, set_up_open, tear_down)
#define TEST_FOLDER(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OPEN(objects_come_back_as_they_were_put),
        TEST_OPEN(an_object_put_again_is_replaced_with_its_relations),
        TEST_OPEN(a_broken_reference_fails_the_commit_and_is_named),
        TEST_OPEN(what_the_schema_forbids_is_refused),
        TEST_OPEN(deleting_what_is_not_there_is_not_found),
        TEST_OPEN(zones_come_back_with_their_records_in_order),
        TEST_OPEN(a_zone_is_created_once_and_keeps_its_number),
        TEST_OPEN(clearing_a_zone_leaves_steered_records_and_other_zones),
        TEST_OPEN(the_longest_name_and_the_largest_values_fit),
        TEST_OPEN(a_reader_can_stop_at_any_row_and_start_again),
        TEST_OPEN(records_that_would_mislead_a_reader_are_refused),
        TEST_OPEN(overrides_name_anything_and_come_back),
        TEST_OPEN(overrides_of_one_object_for_different_clients_stand_side_by_side),
        TEST_OPEN(positions_come_back_and_go_with_their_switch),
        TEST_OPEN(replacing_an_endpoint_or_a_check_keeps_the_verdicts),
        TEST_OPEN(a_verdict_goes_with_its_endpoint_or_its_check),
        TEST_OPEN(a_verdict_goes_when_its_endpoint_drops_the_check),
        TEST_OPEN(settings_and_audit_come_back),
        TEST_OPEN(the_audit_is_read_back_to_a_moment),
        TEST_OPEN(of_the_audit_only_the_newest_are_kept),
        TEST_OPEN(a_rollback_undoes_everything),
        TEST_OPEN(a_savepoint_undoes_its_part_only),
        TEST_OPEN(writing_needs_an_open_transaction),
        TEST_OPEN(a_full_disk_is_an_error_and_changes_nothing),
        TEST_OPEN(a_failing_write_is_an_error_and_changes_nothing),
        TEST_OPEN(the_log_is_cut_after_a_big_import),
        TEST_OPEN(what_was_committed_is_there_after_close_and_open),
        TEST_FOLDER(killed_in_mid_transaction_leaves_nothing),
        TEST_FOLDER(killed_after_commit_loses_nothing),
        TEST_FOLDER(killed_at_any_moment_keeps_what_was_acknowledged_and_whole_changes_only),
        TEST_FOLDER(the_folder_and_its_files_are_private),
        TEST_OPEN(a_second_steerd_is_refused),
        TEST_OPEN(another_program_that_holds_the_database_is_a_conflict),
        TEST_FOLDER(a_folder_that_cannot_be_used_is_an_error),
        TEST_FOLDER(a_newer_or_foreign_database_is_refused_untouched),
        TEST_FOLDER(a_damaged_database_is_refused),
        TEST_FOLDER(a_file_of_garbage_is_refused_untouched),
        TEST_FOLDER(a_database_of_each_older_version_is_brought_up_to_date),
        TEST_FOLDER(a_failing_migration_leaves_the_version_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
