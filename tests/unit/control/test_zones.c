// SPDX-License-Identifier: GPL-3.0-or-later
// Zones on their way in and out of control, with a real store.
#include "control_support.h"

#include "steerd/rr/zonefile.h"

#define DE   "192.0.2.77"
#define HEAD "$TTL 300\n@ SOA ns hostmaster 7 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n"

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

// ---- lists of zones --------------------------------------------------------------------------------

static void execute(const struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/steerd.db", f->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static enum steer_err import_list(struct fixture *f, const char *const (*zones)[2], size_t count)
{
    struct steer_control_zone *list = steer_calloc(count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] =
            (struct steer_control_zone){zones[i][0], "list.db", zones[i][1], strlen(zones[i][1])};
    json_decref(f->summary);
    f->summary = NULL;
    enum steer_err err =
        steer_control_import_many(f->control, list, count, "test", &f->summary, &f->diag);
    free(list);
    return err;
}

static const char *rejected_at(const struct fixture *f, size_t i, const char *member)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(f->summary, "rejected"), i), member));
}

// The store refuses records of type TYPE65280, half-way through a zone.
#define REFUSE(how)                                                                                \
    "CREATE TRIGGER refuse BEFORE INSERT ON rrset WHEN new.type = 65280 BEGIN SELECT RAISE(" how   \
    ", 'as the test wants it'); END"
#define REFUSED HEAD "w TYPE65280 \\# 1 00\nz TXT new\n"

static const char *const four[][2] = {{"one.test", HEAD "www A 192.0.2.1\n"},
                                      {"two.test", REFUSED},
                                      {"new.test", REFUSED},
                                      {"four.test", HEAD "www A 192.0.2.4\n"}};

static void a_zone_that_the_store_refuses_stays_as_it_was_and_the_others_load(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(import(f, "two.test", HEAD "z TXT old\n"), STEER_OK);
    execute(f, REFUSE("ABORT"));
    assert_int_equal(import_list(f, four, 4), STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 2);
    assert_int_equal(summary_number(f, "records"), 2 * 4);
    assert_int_equal(json_array_size(json_object_get(f->summary, "rejected")), 2);
    assert_string_equal(rejected_at(f, 0, "origin"), "two.test");
    assert_string_equal(rejected_at(f, 1, "origin"), "new.test");
    assert_non_null(strstr(rejected_at(f, 1, "error"), "as the test wants it"));
    for (int run = 0; run < 2; run++) {
        expect(f, "www.one.test.", STEER_TYPE_A, DE, "192.0.2.1");
        expect(f, "www.four.test.", STEER_TYPE_A, DE, "192.0.2.4");
        expect(f, "z.two.test.", STEER_TYPE_TXT, DE, "old");
        expect(f, "z.new.test.", STEER_TYPE_TXT, DE, "REFUSED");
        stop_control(f); // after a restart the store says the same
        start_control(f, false);
    }
    execute(f, "DROP TRIGGER refuse");
    assert_int_equal(import_list(f, four, 4), STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 4);
    expect(f, "z.two.test.", STEER_TYPE_TXT, DE, "new");
}

static void when_the_store_refuses_every_zone_nothing_changes(void **state)
{
    struct fixture *f = *state;
    execute(f, REFUSE("ABORT"));
    char *before = dump_store(f);
    uint64_t version = version_of(f);
    assert_int_equal(import_list(f, four + 1, 2), STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 0);
    assert_int_equal(json_array_size(json_object_get(f->summary, "rejected")), 2);
    char *after = dump_store(f);
    assert_string_equal(after, before);
    assert_int_equal(version_of(f), version);
    free(before);
    free(after);
}

static void when_the_store_gives_up_the_transaction_no_zone_loads(void **state)
{
    struct fixture *f = *state;
    execute(f, REFUSE("ROLLBACK"));
    assert_int_equal(import_list(f, four, 4), STEER_EIO);
    expect(f, "www.one.test.", STEER_TYPE_A, DE, "REFUSED");
    execute(f, "DROP TRIGGER refuse");
    assert_int_equal(import_list(f, four, 4), STEER_OK);
    expect(f, "www.one.test.", STEER_TYPE_A, DE, "192.0.2.1");
}

// ---- places ----------------------------------------------------------------------------------------

static void an_error_has_the_place_of_the_record_that_makes_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *word;
        uint32_t line, column;
    } rows[] = {
        {HEAD "w A 192.0.2.1\n\nx TXT x\n  TXT y\nw CNAME ns\n", "w.example.com. has a CNAME", 9,
         1},
        {HEAD "w CNAME ns\nx TXT x\nw TXT y\n", "w.example.com. has a CNAME", 7, 1},
        {HEAD "w CNAME ns\n\n\n   CNAME b\n", "more than one CNAME", 8, 4},
        {HEAD "d DNAME a.test.\nD DNAME ( b.test.\n)\n", "more than one DNAME", 6, 1},
        {HEAD "@ SOA ns hostmaster 8 7200 900 1209600 300\n", "more than one SOA", 5, 1},
        {HEAD "sub SOA ns hostmaster 8 7200 900 1209600 300\n", "only the apex", 5, 1},
        {"@ NS ns\n", "has no SOA", 0, 0},
        {"", "has no SOA", 0, 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        f->diag = (struct steer_diag){0};
        assert_int_equal(import(f, "example.com", rows[i].text), STEER_EINVAL);
        if (!strstr(f->diag.message, rows[i].word) || f->diag.line != rows[i].line ||
            f->diag.column != rows[i].column)
            fail_msg("%s\ngave %u:%u: %s", rows[i].text, f->diag.line, f->diag.column,
                     f->diag.message);
        assert_string_equal(f->diag.file, "zone.db");
    }
}

static void warnings_come_in_the_order_of_their_places(void **state)
{
    struct fixture *f = *state;
    static const char text[] = HEAD "; a comment\n"
                                    "a AAAA 2001:db8::1\n"    // 6
                                    "a AAAA 2001:db8::1\n"    // 7: twice
                                    "out.test. A 192.0.2.1\n" // 8
                                    "b 60 AAAA 2001:db8::1\n" // 9
                                    "\t30 AAAA 2001:db8::2\n" // 10: another TTL
                                    "@ MX 10 (\n a )\n"       // 11
                                    "\n  MX 20 gone\n"        // 14
                                    "_s._tcp SRV 1 1 1 www\n" // 15
                                    "www CNAME a\n";
    static const struct {
        int line, column;
        const char *word;
    } expected[] = {{4, 1, "ns.example.com.: has A and no AAAA"},
                    {7, 1, "a.example.com.: this record is in the file already"},
                    {8, 1, "out.test.: out of the zone"},
                    {10, 2, "b.example.com.: the TTLs of one RRset differ"},
                    {14, 3, "example.com.: gone.example.com. does not exist here"},
                    {15, 1, "_s._tcp.example.com.: www.example.com. is an alias"}};
    assert_int_equal(import(f, "example.com", text), STEER_OK);
    const json_t *warnings = json_object_get(f->summary, "warnings");
    for (size_t i = 0; i < STEER_ARRAY_LEN(expected); i++) {
        const json_t *w = json_array_get(warnings, i);
        const char *message = json_string_value(json_object_get(w, "message"));
        if (!message || strncmp(message, expected[i].word, strlen(expected[i].word)) != 0 ||
            json_integer_value(json_object_get(w, "line")) != expected[i].line ||
            json_integer_value(json_object_get(w, "column")) != expected[i].column)
            fail_msg("%zu: %lld:%lld: %s", i, json_integer_value(json_object_get(w, "line")),
                     json_integer_value(json_object_get(w, "column")), message);
    }
    assert_int_equal(json_array_size(warnings), STEER_ARRAY_LEN(expected));
}

static void of_very_many_warnings_the_rest_is_counted(void **state)
{
    struct fixture *f = *state;
    struct steer_buf text = {0};
    steer_buf_puts(&text, HEAD);
    for (int i = 0; i < 250; i++)
        steer_buf_printf(&text, "o%d.out. TXT x\n", i);
    assert_int_equal(import(f, "example.com", text.data), STEER_OK);
    const json_t *warnings = json_object_get(f->summary, "warnings");
    assert_int_equal(json_array_size(warnings), 101);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(warnings, 100), "message")),
        "151 more warnings");
    steer_buf_fini(&text);
}

// ---- serials ---------------------------------------------------------------------------------------

static void import_serial(struct fixture *f, unsigned serial, const char *rest, bool changed,
                          json_int_t expected)
{
    struct steer_buf text = {0};
    steer_buf_printf(&text, "@ 300 SOA ns h %u 7200 900 1209600 300\n%s", serial, rest);
    uint64_t version = version_of(f);
    assert_int_equal(import(f, "example.com", text.data), STEER_OK);
    assert_int_equal(json_is_true(json_object_get(f->summary, "changed")), changed);
    assert_int_equal(version_of(f) != version, changed);
    assert_int_equal(summary_number(f, "serial"), expected);
    // Whoever is given another serial than the file's is told so.
    const json_t *first = json_array_get(json_object_get(f->summary, "warnings"), 0);
    assert_int_equal(json_is_object(first), changed && expected != serial);
    if (first) {
        assert_non_null(strstr(json_string_value(json_object_get(first, "message")), "serial"));
        assert_int_equal(json_integer_value(json_object_get(first, "line")), 1);
    }
    steer_buf_fini(&text);
}

static void a_serial_rises_with_each_change_and_only_then(void **state)
{
    struct fixture *f = *state;
    static const char ab[] = "@ 300 NS a.test.\n@ 300 NS b.test.\n",
                      ba[] = "@ 300 NS b.test.\n@ 300 NS a.test.\n", b[] = "@ 300 NS b.test.\n",
                      ttl[] = "@ 60 NS b.test.\n", name[] = "x 60 TXT x\n@ 60 NS b.test.\n";
    import_serial(f, 7, ab, true, 7);
    import_serial(f, 7, ab, false, 7);
    import_serial(f, 7, ba, false, 7);
    import_serial(f, 3, ba, false, 7);
    import_serial(f, 7, b, true, 8);
    import_serial(f, 7, b, false, 8);
    import_serial(f, 7, ttl, true, 9);
    import_serial(f, 2, name, true, 10);
    import_serial(f, 11, name, true, 11);
    import_serial(f, 4294967295, name, false, 11); // below 11, by RFC 1982
    import_serial(f, 2147483658, name, true, 2147483658);
    import_serial(f, 4294967295, name, true, 4294967295);
    import_serial(f, 4294967295, b, true, 0); // the one after
    import_serial(f, 1, b, true, 1);
    const char *const list[][2] = {{"example.com", "@ 300 SOA ns h 1 7200 900 1209600 300\n"
                                                   "@ 300 NS b.test.\n"},
                                   {"new.test", HEAD}};
    assert_int_equal(import_list(f, list, 2), STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 2);
    assert_int_equal(summary_number(f, "unchanged"), 1);
    assert_int_equal(import_list(f, list, 2), STEER_OK);
    assert_int_equal(summary_number(f, "loaded"), 2);
    assert_int_equal(summary_number(f, "unchanged"), 2);
}

// ---- out and in again ------------------------------------------------------------------------------

// Below example.com, of any octets.
static void add_owner(struct steer_rng *rng, struct steer_buf *text)
{
    static const uint8_t origin[] = "\7example\3com";
    uint8_t wire[STEER_NAME_MAX];
    char name[STEER_NAME_TEXT_MAX];
    size_t len = 0;
    unsigned labels = (unsigned)(steer_rng_next(rng) % 4);
    while (labels--) {
        size_t n = 1 + steer_rng_next(rng) % (labels == 2 ? STEER_LABEL_MAX : 4);
        if (len + 1 + n + sizeof origin > sizeof wire)
            break;
        wire[len++] = (uint8_t)n;
        while (n--)
            wire[len++] = (uint8_t)steer_rng_next(rng);
    }
    memcpy(wire + len, origin, sizeof origin);
    steer_buf_printf(text, "%s %u ", steer_name_format(wire, name),
                     (unsigned)(steer_rng_next(rng) % 100000));
}

static void add_generic(struct steer_rng *rng, struct steer_buf *text)
{
    size_t len = steer_rng_next(rng) % 40 ? steer_rng_next(rng) % 300 : 60000;
    steer_buf_printf(text, "TYPE%u \\# %zu ", 65280 + (unsigned)(steer_rng_next(rng) % 5), len);
    while (len--)
        steer_buf_printf(text, "%02x", (unsigned)(steer_rng_next(rng) & 255));
}

static void add_text(struct steer_rng *rng, struct steer_buf *text)
{
    steer_buf_puts(text, steer_rng_next(rng) % 2 ? "TXT" : "SPF");
    for (unsigned strings = 1 + (unsigned)(steer_rng_next(rng) % 3); strings; strings--) {
        steer_buf_puts(text, " \"");
        for (size_t n = steer_rng_next(rng) % 256; n; n--)
            steer_buf_printf(text, "\\%03u", (unsigned)(steer_rng_next(rng) & 255));
        steer_buf_puts(text, "\"");
    }
}

static void add_known(struct steer_rng *rng, struct steer_buf *text)
{
    static const char *const data[] = {
        "A 192.0.2.%u",
        "AAAA 2001:db8::%x",
        "PTR p%u.Example.NET.",
        "HINFO \"a \\\"cpu\\\" %u\" \"\"",
        "MX %u mx.example.net.",
        "SRV 1 %u 65535 .",
        "NAPTR %u 10 \"S\" \"SIP+D2U\" \"!^.*$!sip:x\\@y!\" .",
        "DS %u 5 1 2bb183af5f22588179a53b0a98631fad1a292118",
        "SSHFP 2 %u 123456789abcdef67890123456789abcdef67890",
        "TLSA 3 1 %u 0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6",
        "SMIMEA 3 1 %u 00",
        "OPENPGPKEY AQI%u",
        "CAA %u issue \"letsencrypt.org; x=\\\"y\\\"\"",
        "URI 10 %u \"https://example.com/?q=1;2\"",
        "LOC 52 22 %u.125 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
        "SVCB 0 x%u.example.net.",
        "SVCB %u . mandatory=alpn alpn=\"h2,h3\" port=443 key65000=\"a\\010b\"",
        "HTTPS %u . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 ech=AQID no-default-alpn "
        "alpn=h2",
        "CDS %u 5 1 2bb183af5f22588179a53b0a98631fad1a292118",
        "CDNSKEY 257 3 %u AQID",
        "CSYNC %u 3 A NS AAAA TYPE65280",
        "ZONEMD %u 1 1 "
        "0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d60c72ac70b745a"
        "c19998811b131d662c9",
    };
    char line[512];
    const char *form = data[steer_rng_next(rng) % STEER_ARRAY_LEN(data)];
    const char *percent = strchr(form, '%');
    snprintf(line, sizeof line, "%.*s%u%s", (int)(percent - form), form,
             1 + (unsigned)(steer_rng_next(rng) % 9), percent + 2);
    steer_buf_puts(text, line);
}

static void generate_zone(struct steer_rng *rng, unsigned round, struct steer_buf *text)
{
    steer_buf_clear(text);
    steer_buf_printf(text,
                     "@ 300 SOA ns h\\.m %u 7200 900 1209600 300\n@ 300 NS ns.example.net.\n"
                     "al%u CNAME \\000.Target.test.\ndn%u DNAME d.test.\n",
                     round + 1, round, round);
    for (int i = 0; i < 200; i++) {
        add_owner(rng, text);
        switch (steer_rng_next(rng) % 4) {
        case 0:
            add_generic(rng, text);
            break;
        case 1:
            add_text(rng, text);
            break;
        default:
            add_known(rng, text);
        }
        steer_buf_puts(text, "\n");
    }
}

static int check_order(void *ctx, const struct steer_rr *rr)
{
    struct steer_name *last = ctx;
    if (last->len)
        assert_true(steer_name_compare(last->octets, rr->owner) <= 0);
    assert_true(steer_name_from_wire(rr->owner, rr->owner_len, last));
    return 0;
}

static void any_zone_that_is_exported_imports_again_as_the_same(void **state)
{
    struct fixture *f = *state;
    struct steer_rng rng;
    struct steer_buf text = {0}, exported = {0};
    struct steer_name origin;
    struct steer_diag diag = {0};
    struct steer_publisher *publisher = steer_control_publisher(f->control);
    steer_rng_init(&rng, 20261121);
    assert_int_equal(steer_name_parse("example.com", NULL, &origin, NULL), STEER_OK);
    const uint64_t hash = steer_name_hash(&origin);
    for (unsigned round = 0; round < 25; round++) {
        struct steer_name last = {0};
        generate_zone(&rng, round, &text);
        if (import(f, "example.com", text.data) != STEER_OK)
            fail_msg("%u:%u: %s", f->diag.line, f->diag.column, f->diag.message);
        struct steer_world *world = steer_publisher_hold(publisher);
        const struct steer_zone *first = steer_world_zone(world, hash, origin.octets);
        steer_buf_clear(&exported);
        assert_int_equal(steer_control_export(f->control, "example.com", &exported, NULL),
                         STEER_OK);
        assert_int_equal(steer_zonefile_read(exported.data, exported.len, "out", &origin, 0, NULL,
                                             check_order, &last, &diag),
                         STEER_OK);
        assert_int_equal(steer_control_delete_zone(f->control, "example.com", "test", NULL),
                         STEER_OK);
        if (import(f, "example.com", exported.data) != STEER_OK)
            fail_msg("%u:%u: %s", f->diag.line, f->diag.column, f->diag.message);
        struct steer_world *again = steer_publisher_hold(publisher);
        const struct steer_zone *second = steer_world_zone(again, hash, origin.octets);
        assert_true(first->record_count > 100);
        assert_true(steer_zone_same(first, second));
        assert_int_equal(first->serial, second->serial);
        steer_publisher_release(publisher, world);
        steer_publisher_release(publisher, again);
    }
    steer_buf_fini(&text);
    steer_buf_fini(&exported);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_zone_that_the_store_refuses_stays_as_it_was_and_the_others_load),
        TEST(when_the_store_refuses_every_zone_nothing_changes),
        TEST(an_error_has_the_place_of_the_record_that_makes_it),
        TEST(warnings_come_in_the_order_of_their_places),
        TEST(a_serial_rises_with_each_change_and_only_then),
        TEST(any_zone_that_is_exported_imports_again_as_the_same),
        TEST(of_very_many_warnings_the_rest_is_counted),
        TEST(when_the_store_gives_up_the_transaction_no_zone_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
