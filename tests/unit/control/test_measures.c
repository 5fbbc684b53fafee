// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/control/measures.h"
#include "steerd/policy/document.h"

enum { NOW = 1800000000, HOUR = 3600 };

struct fixture {
    struct steer_catalog *catalog;
    struct steer_geo *geo;
    struct steer_measures *measures;
    char gone[128];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *files[] = {STEER_SOURCE_DIR "/geodata/city.mmdb",
                           STEER_SOURCE_DIR "/geodata/asn.mmdb"};
    assert_int_equal(steer_geo_open(files, 2, NULL, &f->geo, NULL), STEER_OK);
    f->catalog = steer_catalog_create();
    f->measures = steer_measures_create();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    steer_measures_destroy(f->measures);
    steer_catalog_unref(f->catalog);
    steer_geo_unref(f->geo);
    free(f);
    return 0;
}

static void put(struct fixture *f, enum steer_kind kind, const char *name, const char *json)
{
    struct steer_object *object;
    struct steer_diag diag = {0};
    if (steer_object_from_json(kind, name, "d", json, NULL, &object, &diag))
        fail_msg("%s", diag.message);
    steer_catalog_put(f->catalog, object);
    steer_object_unref(object);
}

static void note_gone(void *ctx, const char *name)
{
    struct fixture *f = ctx;
    strncat(f->gone, name, sizeof f->gone - strlen(f->gone) - 2);
    strcat(f->gone, " ");
}

static void follow(struct fixture *f, uint64_t now)
{
    f->gone[0] = '\0';
    steer_measures_follow(f->measures, f->catalog, now, note_gone, f);
}

static size_t take(struct fixture *f, struct steer_measure *m, const char *client, uint64_t now)
{
    struct steer_latency_batch batch;
    struct steer_diag diag = {0};
    size_t limited;
    const char *text = "{\"samples\":[{\"site\":\"fra\",\"ms\":20}]}";
    if (steer_latency_batch_parse(text, strlen(text), client, &batch, &diag))
        fail_msg("%s", diag.message);
    const size_t accepted = steer_measure_take(m, f->catalog, f->geo, &batch, now, &limited);
    steer_latency_batch_fini(&batch);
    return accepted;
}

static void a_batch_of_unknown_sites_is_not_searched_for_each(void **state)
{
    struct fixture *f = *state;
    enum { SITES = 300, ROWS = 1000, GUESSED = 10 };
    struct steer_latency_batch batch;
    struct steer_buf text = {0};
    struct steer_diag diag = {0};
    size_t limited, guessed = 0;
    char name[64];
    for (unsigned i = 0; i < SITES; i++) {
        snprintf(name, sizeof name, "a-site-with-a-long-name-in-a-large-network-%04u", i);
        put(f, STEER_SITE, name, "{\"at\":\"EU-DE\"}");
    }
    put(f, STEER_LATENCY, "world", "{\"measured\":{}}");
    follow(f, NOW);
    for (unsigned i = 0; i < ROWS; i++)
        steer_buf_printf(&text,
                         "%s{\"site\":\"a-site-with-a-long-name-in-a-large-network-x%u\",\"ms\":1}",
                         i ? "," : "{\"samples\":[", i);
    steer_buf_puts(&text, "]}");
    assert_int_equal(steer_latency_batch_parse(text.data, text.len, "192.0.2.1", &batch, &diag),
                     STEER_OK);
    assert_int_equal(steer_measure_take(steer_measures_find(f->measures, "world"), f->catalog,
                                        f->geo, &batch, NOW, &limited),
                     0);
    assert_int_equal(batch.refusal_count, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        guessed += strstr(batch.refusals[i].reason, "did you mean") != NULL;
    assert_int_equal(guessed, GUESSED);
    assert_non_null(strstr(batch.refusals[0].reason, "did you mean"));
    steer_latency_batch_fini(&batch);
    steer_buf_fini(&text);
}

// peers.mmdb has AP and A1, which are no countries, EU as one, and what else some files say.
static void places_that_no_row_can_be_written_with_are_not_measured(void **state)
{
    struct fixture *f = *state;
    const char *file = STEER_SOURCE_DIR "/geodata/peers.mmdb";
    steer_geo_unref(f->geo);
    assert_int_equal(steer_geo_open(&file, 1, NULL, &f->geo, NULL), STEER_OK);
    put(f, STEER_SITE, "fra", "{\"at\":\"EU-DE\"}");
    put(f, STEER_LATENCY, "world", "{\"measured\":{\"min_samples\":1}}");
    follow(f, NOW);
    struct steer_measure *m = steer_measures_find(f->measures, "world");
    for (unsigned i = 1; i <= 7; i++) {
        char client[32];
        snprintf(client, sizeof client, "100.64.%u.1", i);
        assert_int_equal(take(f, m, client, NOW), 1);
    }
    bool kosovo = false;
    for (size_t i = 0; i < steer_estimates_count(m->estimates); i++) {
        const struct steer_latency_row *who;
        struct steer_latency_row read;
        char client[64];
        (void)steer_estimates_at(m->estimates, i, &who);
        steer_latency_client_format(who, client, sizeof client);
        if (!steer_latency_client_parse(client, &read))
            fail_msg("%s is measured", client);
        kosovo |= strcmp(client, "EU-XK") == 0;
    }
    assert_true(kosovo);
    assert_int_equal(steer_estimates_count(m->estimates), 8);
}

static void measures_follow_the_tables_that_are_measured(void **state)
{
    struct fixture *f = *state;
    put(f, STEER_SITE, "fra", "{\"at\":\"EU-DE\"}");
    put(f, STEER_LATENCY, "world", "{\"measured\":{}}");
    put(f, STEER_LATENCY, "asia", "{\"measured\":{\"freeze\":\"10m\"},\"rows\":{}}");
    put(f, STEER_LATENCY, "still", "{\"rows\":{}}");
    follow(f, NOW);
    assert_int_equal(steer_measures_count(f->measures), 2);
    assert_string_equal(steer_measures_at(f->measures, 0)->name, "asia");
    assert_string_equal(steer_measures_at(f->measures, 1)->name, "world");
    assert_null(steer_measures_find(f->measures, "still"));
    struct steer_measure *m = steer_measures_find(f->measures, "world");
    assert_int_equal(take(f, m, "192.0.2.7", NOW), 1);
    // Other rules keep what is known, but for networks of another length.
    put(f, STEER_LATENCY, "world", "{\"measured\":{\"freeze\":\"2h\",\"half_life\":\"2d\"}}");
    follow(f, NOW + 5);
    assert_ptr_equal(steer_measures_find(f->measures, "world"), m);
    assert_int_equal(steer_estimates_count(m->estimates), 4);
    assert_int_equal(m->rules.freeze_s, 2 * HOUR);
    put(f, STEER_LATENCY, "world", "{\"measured\":{\"networks\":{\"v4\":16}}}");
    follow(f, NOW + 6);
    assert_int_equal(steer_estimates_count(m->estimates), 3);
    assert_string_equal(f->gone, "");
    // Gone with the word, and with the table.
    put(f, STEER_LATENCY, "world", "{\"rows\":{}}");
    steer_catalog_remove(f->catalog, STEER_LATENCY, "asia");
    follow(f, NOW + 7);
    assert_int_equal(steer_measures_count(f->measures), 0);
    assert_string_equal(f->gone, "world asia ");
}

static void a_sample_counts_for_its_network_and_where_that_is(void **state)
{
    struct fixture *f = *state;
    put(f, STEER_SITE, "fra", "{\"at\":\"EU-DE\"}");
    put(f, STEER_LATENCY, "world", "{\"measured\":{}}");
    follow(f, NOW);
    struct steer_measure *m = steer_measures_find(f->measures, "world");
    take(f, m, "192.0.2.77", NOW);
    take(f, m, "192.0.2.201", NOW);
    static const char *const wanted[] = {"192.0.2.0/24", "AS64500", "EU-DE-BE", "EU-DE"};
    assert_int_equal(steer_estimates_count(m->estimates), STEER_ARRAY_LEN(wanted));
    for (size_t i = 0; i < STEER_ARRAY_LEN(wanted); i++) {
        const struct steer_latency_row *who;
        const struct steer_estimate *e = steer_estimates_at(m->estimates, i, &who);
        char client[64];
        assert_string_equal(steer_latency_client_format(who, client, sizeof client), wanted[i]);
        assert_true(steer_estimate_weight(e, NOW, HOUR) > 1.99);
    }
    // Nobody knows where it is.
    take(f, m, "10.9.8.7", NOW);
    assert_int_equal(steer_estimates_count(m->estimates), STEER_ARRAY_LEN(wanted) + 1);
}

static void estimates_for_a_site_that_went_go_with_the_next_freezing(void **state)
{
    struct fixture *f = *state;
    uint32_t changes;
    put(f, STEER_SITE, "fra", "{\"at\":\"EU-DE\"}");
    put(f, STEER_LATENCY, "world", "{\"measured\":{\"min_samples\":1}}");
    follow(f, NOW);
    struct steer_measure *m = steer_measures_find(f->measures, "world");
    take(f, m, "192.0.2.77", NOW);
    const struct steer_object *table = steer_catalog_get(f->catalog, STEER_LATENCY, "world");
    const struct steer_measure_moment moment = {f->catalog, f->geo, NOW, NULL, NULL};
    steer_latency_unref(steer_measure_freeze(m, table, &moment, &changes));
    assert_int_equal(changes, 2); // of the country, and the AS number that goes before it
    assert_int_equal(steer_estimates_count(m->estimates), 4);
    steer_catalog_remove(f->catalog, STEER_SITE, "fra");
    steer_latency_unref(steer_measure_freeze(m, table, &moment, &changes));
    assert_int_equal(changes, 0);
    assert_int_equal(steer_estimates_count(m->estimates), 0);
}

static void a_table_is_due_an_interval_after_the_last(void **state)
{
    (void)state;
    char refusal[] = "", why[] = "why";
    struct steer_measure m = {
        .rules = {.freeze_s = HOUR}, .judged_unix_s = NOW, .refusal = refusal};
    assert_int_equal(steer_measure_due_unix_s(&m), NOW + HOUR);
    assert_false(steer_measure_is_due(&m, NOW));
    assert_false(steer_measure_is_due(&m, NOW + HOUR - 1));
    assert_true(steer_measure_is_due(&m, NOW + HOUR));
    assert_true(steer_measure_is_due(&m, NOW + 9 * HOUR)); // after a stop
    assert_true(steer_measure_is_due(&m, NOW - 1));        // a clock that was wrong
    // Nothing was measured since; but what was refused is tried again.
    m.newest_unix_s = NOW - 1;
    assert_true(steer_measure_is_silent(&m));
    m.newest_unix_s = NOW;
    assert_false(steer_measure_is_silent(&m));
    m.newest_unix_s = NOW - 1;
    m.refusal = why;
    assert_false(steer_measure_is_silent(&m));
    m.held = true;
    assert_false(steer_measure_is_due(&m, NOW + 9 * HOUR));
}

static void octets_come_back_as_the_estimate(void **state)
{
    (void)state;
    struct steer_estimate e = {0}, back = {0};
    struct steer_buf octets = {0};
    for (uint32_t us = 300; us < 9000000; us = us * 3 / 2)
        steer_estimate_add(&e, us, NOW + us % 977, HOUR);
    steer_estimate_pack(&e, &octets);
    assert_true(steer_estimate_unpack((const uint8_t *)octets.data, octets.len, &back));
    assert_int_equal(back.count, e.count);
    assert_memory_equal(back.bins, e.bins, e.count);
    assert_memory_equal(back.weights, e.weights, e.count * sizeof e.weights[0]);
    steer_buf_fini(&octets);
}

static void damaged_octets_are_no_estimate(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
    } bad[] = {
        {"\1\x3f\x80\0", 4},                  // cut off
        {"\1\x3f\x80\0\0\1\x3f\x80\0\0", 10}, // a bin twice
        {"\2\x3f\x80\0\0\1\x3f\x80\0\0", 10}, // not in order
        {"\1\xbf\x80\0\0", 5},                // -1
        {"\1\0\0\0\0", 5},                    // 0
        {"\1\x7f\x80\0\0", 5},                // infinite
        {"\1\x7f\xc0\0\0", 5},                // not a number
    };
    struct steer_estimate e;
    uint8_t many[5 * (STEER_ESTIMATE_BINS + 1)];
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++)
        assert_false(steer_estimate_unpack((const uint8_t *)bad[i].octets, bad[i].len, &e));
    for (size_t i = 0; i <= STEER_ESTIMATE_BINS; i++)
        memcpy(&many[5 * i], (const uint8_t[]){(uint8_t)i, 0x3f, 0x80, 0, 0}, 5);
    assert_false(steer_estimate_unpack(many, sizeof many, &e));
    assert_true(steer_estimate_unpack(many, sizeof many - 5, &e));
    assert_true(steer_estimate_unpack(many, 0, &e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(measures_follow_the_tables_that_are_measured),
        TEST(places_that_no_row_can_be_written_with_are_not_measured),
        TEST(a_batch_of_unknown_sites_is_not_searched_for_each),
        TEST(a_sample_counts_for_its_network_and_where_that_is),
        TEST(estimates_for_a_site_that_went_go_with_the_next_freezing),
        cmocka_unit_test(a_table_is_due_an_interval_after_the_last),
        cmocka_unit_test(octets_come_back_as_the_estimate),
        cmocka_unit_test(damaged_octets_are_no_estimate),
    };
    return cmocka_run_group_tests_name("control/measures", tests, NULL, NULL);
}
