// SPDX-License-Identifier: GPL-3.0-or-later
// Class tables of records that differ by networks: they share what is equal, and leave nothing behind.
#include "ask.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "control/linker_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

#define GEO STEER_SOURCE_DIR "/geodata/country.mmdb"

enum { NOW = 1800000000, RECORDS = 24 };

struct fixture {
    struct steer_vitals *vitals;
    struct steer_linker *linker;
    struct steer_diag diag;
    unsigned network[RECORDS]; // 10.x.7.0/24 goes to b; 0: there is no such record
};

static int setup(void **state)
{
    struct fixture *f = steer_calloc(1, sizeof *f);
    const char *files[] = {GEO};
    struct steer_geo *geo;
    f->vitals = steer_vitals_create();
    assert_int_equal(steer_geo_open(files, 1, NULL, &geo, &f->diag), STEER_OK);
    assert_int_equal(steer_linker_create(geo, f->vitals, &f->linker, &f->diag), STEER_OK);
    steer_geo_unref(geo);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    steer_linker_destroy(f->linker);
    steer_vitals_destroy(f->vitals);
    free(f);
    return 0;
}

// A document with all records of the fixture; even ones tell Germany apart, the others do not.
static enum steer_err apply(struct fixture *f)
{
    struct steer_buf text = {0};
    struct steer_document *document;
    struct steer_link_summary summary = {0};
    const struct steer_link_documents_options options = {.prune = true};
    steer_buf_puts(&text, "zone: example.com\nendpoints:\n  a: {ipv4: 192.0.2.1}\n"
                          "  b: {ipv4: 192.0.2.2}\nrecords:\n  none: {txt: none}\n");
    for (unsigned i = 0; i < RECORDS; i++)
        if (f->network[i])
            steer_buf_printf(&text,
                             "  r%u: {steer: {network: {rules: [{match: 10.%u.7.0/24, to: "
                             "{endpoint: b}}], default: {geo: {rules: [{match: %s, to: "
                             "{endpoint: b}}], default: {endpoint: a}}}}}}\n",
                             i, f->network[i], i % 2 ? "EU-FR" : "EU-DE");
    if (steer_document_parse(text.data, text.len, "test", "test", &document, &f->diag) != STEER_OK)
        fail_msg("%s", f->diag.message);
    struct steer_link *link = steer_link_begin(f->linker);
    enum steer_err err = steer_link_documents(link, &document, 1, &options, &summary, &f->diag);
    if (err == STEER_OK)
        err = steer_link_prepare(link, NOW, &f->diag);
    if (err == STEER_OK)
        steer_link_commit(link);
    else
        steer_link_abort(link);
    steer_link_summary_fini(&summary);
    steer_document_destroy(document);
    steer_buf_fini(&text);
    return err;
}

static void must_apply(struct fixture *f)
{
    if (apply(f) != STEER_OK)
        fail_msg("%s", f->diag.message);
}

static void expect(struct fixture *f, unsigned record, unsigned network, const char *want)
{
    char name[32], client[32], got[512];
    snprintf(name, sizeof name, "r%u.example.com.", record);
    snprintf(client, sizeof client, "10.%u.7.1", network);
    assert_string_equal(answer_of(steer_linker_world(f->linker), name, STEER_TYPE_A, client, got),
                        want);
}

static void check_answers(struct fixture *f)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        if (!f->network[i])
            continue;
        expect(f, i, f->network[i], "192.0.2.2");
        expect(f, i, f->network[i] + 1, "192.0.2.1");
    }
}

static void tables_that_differ_by_networks_are_counted_once(void **state)
{
    struct fixture *f = *state;
    f->network[0] = 1;
    must_apply(f);
    const struct steer_linker_maps one = steer_linker_maps(f->linker);
    for (unsigned i = 0; i < RECORDS; i++)
        f->network[i] = i + 1;
    must_apply(f);
    const struct steer_linker_maps all = steer_linker_maps(f->linker);
    assert_int_equal(one.tables, 1);
    assert_int_equal(all.tables, RECORDS);
    assert_true(one.bytes > 512 << 10);
    // Of its own each has one top, the blocks of its network, and of the two bases one is new.
    assert_in_range(all.bytes, one.bytes + (RECORDS - 1) * (256 << 10),
                    2 * one.bytes + RECORDS * (300 << 10));
    check_answers(f);
    memset(f->network, 0, sizeof f->network);
    must_apply(f);
    assert_int_equal(steer_linker_maps(f->linker).bytes, 0);
}

static void edits_in_any_order_leave_the_tables_of_others_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct steer_rng rng;
    steer_rng_init(&rng, 21);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned n = 0; n < 4; n++)
            f->network[steer_rng_next(&rng) % RECORDS] = (unsigned)(steer_rng_next(&rng) % 12);
        must_apply(f);
        check_answers(f);
    }
    memset(f->network, 0, sizeof f->network);
    must_apply(f);
    assert_int_equal(steer_linker_maps(f->linker).tables, 0);
    assert_int_equal(steer_linker_maps(f->linker).bytes, 0);
}

struct reader {
    const struct steer_publisher *publisher;
    atomic_bool stop;
    atomic_uint asked, wrong;
};

// A worker: of each program some clients' classes.
static void *read_tables(void *arg)
{
    struct reader *r = arg;
    struct steer_addr client = {STEER_V4, {10, 0, 7, 1}};
    steer_reader_register();
    while (!atomic_load(&r->stop)) {
        const struct steer_world *world = steer_reader_world(r->publisher);
        for (uint32_t id = 0; id < RECORDS; id++) {
            const struct steer_program *p = id / STEER_PROGRAM_CHUNK < world->program_chunks
                                                ? steer_world_program(world, id)
                                                : NULL;
            for (client.octets[1] = 0; p && client.octets[1] < 12; client.octets[1]++) {
                const struct steer_class c = steer_classmap_lookup(p->map, &client, 32);
                if (c.class_index >= p->class_count || c.scope < 1 || c.scope > 32)
                    atomic_fetch_add(&r->wrong, 1);
                atomic_fetch_add(&r->asked, 1);
            }
        }
        steer_reader_quiescent();
    }
    steer_reader_unregister();
    return NULL;
}

static void tables_change_while_they_are_read(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.publisher = steer_linker_publisher(f->linker)};
    struct steer_rng rng;
    pthread_t thread;
    steer_rng_init(&rng, 22);
    assert_int_equal(pthread_create(&thread, NULL, read_tables, &r), 0);
    for (unsigned round = 0; round < 40 || atomic_load(&r.asked) < 1000; round++) {
        for (unsigned n = 0; n < 4; n++)
            f->network[steer_rng_next(&rng) % RECORDS] = (unsigned)(steer_rng_next(&rng) % 12);
        must_apply(f);
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(r.wrong, 0);
    check_answers(f);
}

static void a_record_for_whose_table_there_is_no_room_is_refused(void **state)
{
    struct fixture *f = *state;
    struct steer_cells_stats before, after;
    f->network[0] = 1;
    must_apply(f);
    const struct steer_classmap_store_stats need = steer_classmap_store_stats(f->linker->map_store);
    f->network[0] = 0;
    must_apply(f);
    // Room for just this one.
    steer_classmap_store_destroy(f->linker->map_store);
    assert_int_equal(steer_classmap_store_create((uint32_t)need.blocks4, (uint32_t)need.blocks6,
                                                 &f->linker->map_store),
                     STEER_OK);
    f->network[0] = 1;
    must_apply(f);
    steer_cells_stats(steer_linker_cells(f->linker), &before);
    const struct steer_linker_maps maps = steer_linker_maps(f->linker);
    f->network[1] = 2;
    assert_int_equal(apply(f), STEER_ELIMIT);
    assert_string_equal(f->diag.message,
                        "r1.example.com. address: the steering tables are full; use fewer "
                        "networks, or fewer records that tell clients apart in ways of their own");
    f->network[1] = 0;
    steer_cells_stats(steer_linker_cells(f->linker), &after);
    assert_int_equal(before.cells, after.cells);
    assert_int_equal(steer_linker_maps(f->linker).tables, maps.tables);
    assert_int_equal(steer_linker_maps(f->linker).bytes, maps.bytes);
    check_answers(f);
    f->network[0] = 2; // of equal blocks
    must_apply(f);
    check_answers(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_that_differ_by_networks_are_counted_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(edits_in_any_order_leave_the_tables_of_others_as_they_are,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(tables_change_while_they_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_for_whose_table_there_is_no_room_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
