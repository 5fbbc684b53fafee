// SPDX-License-Identifier: GPL-3.0-or-later
// Zones on their way in and out of control, with a real store.
#include "control_support.h"

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
        {"@ SOA ns hostmaster 7 7200 900 1209600 300\n", "has no NS", 0, 0},
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

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_zone_that_the_store_refuses_stays_as_it_was_and_the_others_load),
        TEST(when_the_store_refuses_every_zone_nothing_changes),
        TEST(an_error_has_the_place_of_the_record_that_makes_it),
        TEST(warnings_come_in_the_order_of_their_places),
        TEST(of_very_many_warnings_the_rest_is_counted),
        TEST(when_the_store_gives_up_the_transaction_no_zone_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
