// SPDX-License-Identifier: GPL-3.0-or-later
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/store/latency.h"

struct fixture {
    char base[64], folder[128];
    struct steer_store *store;
    struct steer_diag diag;
    struct steer_buf seen;
};

#define assert_ok(f, call)                                                                         \
    do {                                                                                           \
        if ((call) != STEER_OK)                                                                    \
            fail_msg("%s: %s", #call, (f)->diag.message);                                          \
    } while (0)

static int remove_entry(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

static void put_table(struct fixture *f, const char *name)
{
    const struct steer_store_object table = {
        .kind = "latency table", .name = name, .document = "d", .json = "{}"};
    assert_ok(f, steer_store_put_object(f->store, &table, &f->diag));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->base, sizeof f->base, "%.40s/steerd-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->base));
    snprintf(f->folder, sizeof f->folder, "%s/data", f->base);
    assert_ok(f, steer_store_open(f->folder, &f->store, &f->diag));
    assert_ok(f, steer_store_begin(f->store, &f->diag));
    put_table(f, "world");
    put_table(f, "asia");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    steer_store_close(f->store);
    steer_buf_fini(&f->seen);
    nftw(f->base, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

// Everything is read by a store that was opened anew.
static void commit(struct fixture *f)
{
    assert_ok(f, steer_store_commit(f->store, &f->diag));
    steer_store_close(f->store);
    assert_ok(f, steer_store_open(f->folder, &f->store, &f->diag));
    assert_ok(f, steer_store_begin(f->store, &f->diag));
}

static void assert_seen(struct fixture *f, const char *wanted)
{
    steer_buf_puts(&f->seen, "");
    assert_string_equal(f->seen.data, wanted);
    steer_buf_clear(&f->seen);
}

// ---- estimates -----------------------------------------------------------------------------------

static void put_estimate(struct fixture *f, const char *table, const char *client, const char *bins)
{
    const struct steer_store_estimate e = {
        table, client, "fra", 1800000000, UINT64_C(500000), 7, (const uint8_t *)bins, 5};
    assert_ok(f, steer_store_put_estimate(f->store, &e, &f->diag));
}

static enum steer_err see_estimate(void *ctx, const struct steer_store_estimate *e)
{
    struct fixture *f = ctx;
    steer_buf_printf(&f->seen, "%s %s %s %llu %llu %u %.*s\n", e->table, e->client, e->site,
                     (unsigned long long)e->at_unix_s, (unsigned long long)e->window, e->used,
                     (int)e->bins_len, (const char *)e->bins);
    return STEER_OK;
}

static void see_estimates(struct fixture *f)
{
    assert_ok(f, steer_store_load_estimates(f->store, see_estimate, f, &f->diag));
}

static void estimates_come_back(void **state)
{
    struct fixture *f = *state;
    put_estimate(f, "world", "192.0.2.0/24", "aaaaa");
    put_estimate(f, "world", "AS64500", "bbbbb");
    put_estimate(f, "asia", "AS-JP", "ccccc");
    put_estimate(f, "world", "192.0.2.0/24", "ddddd");
    commit(f);
    see_estimates(f);
    assert_seen(f, "asia AS-JP fra 1800000000 500000 7 ccccc\n"
                   "world 192.0.2.0/24 fra 1800000000 500000 7 ddddd\n"
                   "world AS64500 fra 1800000000 500000 7 bbbbb\n");
    assert_ok(f, steer_store_delete_estimate(f->store, "world", "AS64500", "fra", &f->diag));
    assert_ok(f, steer_store_delete_estimate(f->store, "world", "AS64500", "iad", &f->diag));
    commit(f);
    see_estimates(f);
    assert_seen(f, "asia AS-JP fra 1800000000 500000 7 ccccc\n"
                   "world 192.0.2.0/24 fra 1800000000 500000 7 ddddd\n");
}

// ---- frozen tables -------------------------------------------------------------------------------

static void put_frozen(struct fixture *f, const char *table, uint32_t number)
{
    char body[64];
    snprintf(body, sizeof body, "{\"rows\":{\"EU\":{\"fra\":%u}}}", number);
    const struct steer_store_frozen frozen = {table, number, 1800000000 + number, 1, 2, body};
    assert_ok(f, steer_store_put_frozen(f->store, &frozen, &f->diag));
}

static enum steer_err see_frozen(void *ctx, const struct steer_store_frozen *row)
{
    struct fixture *f = ctx;
    steer_buf_printf(&f->seen, "%s %u %llu %u %u %s\n", row->table, row->number,
                     (unsigned long long)row->frozen_unix_s, row->rows, row->changes,
                     row->body ? row->body : "-");
    return STEER_OK;
}

static void the_newest_frozen_table_is_in_force_and_the_others_are_kept(void **state)
{
    struct fixture *f = *state;
    for (uint32_t number = 1; number <= 3; number++)
        put_frozen(f, "world", number);
    put_frozen(f, "asia", 1);
    commit(f);
    assert_ok(f, steer_store_load_newest_frozen(f->store, see_frozen, f, &f->diag));
    assert_seen(f, "asia 1 1800000001 1 2 {\"rows\":{\"EU\":{\"fra\":1}}}\n"
                   "world 3 1800000003 1 2 {\"rows\":{\"EU\":{\"fra\":3}}}\n");
    assert_ok(f, steer_store_load_frozen(f->store, "world", 2, see_frozen, f, &f->diag));
    assert_seen(f, "world 2 1800000002 1 2 {\"rows\":{\"EU\":{\"fra\":2}}}\n");
    assert_ok(f, steer_store_list_frozen(f->store, "world", see_frozen, f, &f->diag));
    assert_seen(f,
                "world 3 1800000003 1 2 -\nworld 2 1800000002 1 2 -\nworld 1 1800000001 1 2 -\n");
    assert_int_equal(steer_store_load_frozen(f->store, "world", 4, see_frozen, f, &f->diag),
                     STEER_ENOTFOUND);
    assert_string_equal(f->diag.message, "table 4 of 'world' is not kept; the newest 24 are");
}

static void of_frozen_tables_the_newest_24_are_kept(void **state)
{
    struct fixture *f = *state;
    put_frozen(f, "asia", 1);
    for (uint32_t number = 1; number <= 30; number++)
        put_frozen(f, "world", number);
    assert_int_equal(steer_store_load_frozen(f->store, "world", 6, see_frozen, f, &f->diag),
                     STEER_ENOTFOUND);
    assert_ok(f, steer_store_load_frozen(f->store, "world", 7, see_frozen, f, &f->diag));
    assert_ok(f, steer_store_load_frozen(f->store, "asia", 1, see_frozen, f, &f->diag));
}

// ---- freezing ------------------------------------------------------------------------------------

static enum steer_err see_freezing(void *ctx, const struct steer_store_freezing *row)
{
    struct fixture *f = ctx;
    steer_buf_printf(&f->seen, "%s %llu %d %llu '%s'\n", row->table,
                     (unsigned long long)row->judged_unix_s, row->held,
                     (unsigned long long)row->refused_unix_s, row->refusal);
    return STEER_OK;
}

static void how_freezing_goes_comes_back(void **state)
{
    struct fixture *f = *state;
    const struct steer_store_freezing first = {"world", 1800000000, false, 1800000000, "why"};
    const struct steer_store_freezing then = {"world", 1800003600, true, 0, ""};
    assert_ok(f, steer_store_put_freezing(f->store, &first, &f->diag));
    commit(f);
    assert_ok(f, steer_store_load_freezing(f->store, see_freezing, f, &f->diag));
    assert_seen(f, "world 1800000000 0 1800000000 'why'\n");
    assert_ok(f, steer_store_put_freezing(f->store, &then, &f->diag));
    commit(f);
    assert_ok(f, steer_store_load_freezing(f->store, see_freezing, f, &f->diag));
    assert_seen(f, "world 1800003600 1 0 ''\n");
}

// ---- with the table ------------------------------------------------------------------------------

static void fill(struct fixture *f, const char *table)
{
    const struct steer_store_freezing freezing = {table, 1, false, 0, ""};
    put_estimate(f, table, "AS64500", "aaaaa");
    put_frozen(f, table, 1);
    assert_ok(f, steer_store_put_freezing(f->store, &freezing, &f->diag));
}

static void see_all(struct fixture *f)
{
    see_estimates(f);
    assert_ok(f, steer_store_load_newest_frozen(f->store, see_frozen, f, &f->diag));
    assert_ok(f, steer_store_load_freezing(f->store, see_freezing, f, &f->diag));
}

static void all_of_it_goes_with_its_table(void **state)
{
    struct fixture *f = *state;
    fill(f, "world");
    commit(f);
    put_table(f, "world"); // replacing a table takes nothing away
    commit(f);
    see_all(f);
    assert_true(f->seen.len > 60);
    steer_buf_clear(&f->seen);
    assert_ok(f, steer_store_delete_object(f->store, "latency table", "world", &f->diag));
    commit(f);
    see_all(f);
    assert_seen(f, "");
}

static void what_is_measured_no_more_is_forgotten(void **state)
{
    struct fixture *f = *state;
    fill(f, "world");
    fill(f, "asia");
    assert_ok(f, steer_store_forget_measured(f->store, "world", &f->diag));
    commit(f);
    see_all(f);
    assert_seen(f, "asia AS64500 fra 1800000000 500000 7 aaaaa\n"
                   "asia 1 1800000001 1 2 {\"rows\":{\"EU\":{\"fra\":1}}}\nasia 1 0 0 ''\n");
    assert_ok(f, steer_store_forget_measured(f->store, "nowhere", &f->diag));
}

static void nothing_is_kept_for_a_table_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct steer_store_estimate e = {"wrld", "AS1", "fra", 1, 1, 1, (const uint8_t *)"", 0};
    const struct steer_store_frozen frozen = {"wrld", 1, 1, 1, 1, "{}"};
    const struct steer_store_freezing freezing = {"wrld", 1, false, 0, ""};
    assert_int_equal(steer_store_put_estimate(f->store, &e, &f->diag), STEER_ENOTFOUND);
    assert_int_equal(steer_store_put_frozen(f->store, &frozen, &f->diag), STEER_ENOTFOUND);
    assert_int_equal(steer_store_put_freezing(f->store, &freezing, &f->diag), STEER_ENOTFOUND);
}

static void a_body_that_is_not_json_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct steer_store_frozen frozen = {"world", 1, 1, 1, 1, "{"};
    assert_int_equal(steer_store_put_frozen(f->store, &frozen, &f->diag), STEER_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(estimates_come_back),
        TEST(the_newest_frozen_table_is_in_force_and_the_others_are_kept),
        TEST(of_frozen_tables_the_newest_24_are_kept),
        TEST(how_freezing_goes_comes_back),
        TEST(all_of_it_goes_with_its_table),
        TEST(what_is_measured_no_more_is_forgotten),
        TEST(nothing_is_kept_for_a_table_that_is_not_there),
        TEST(a_body_that_is_not_json_is_refused),
    };
    return cmocka_run_group_tests_name("store/latency", tests, NULL, NULL);
}
