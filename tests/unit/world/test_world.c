// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/world/world.h"

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(text, NULL, &name, NULL), STEER_OK);
    return name;
}

static void put_apex(struct steer_zone_edit *edit, const struct steer_name *origin, uint8_t serial)
{
    const uint8_t soa[] = {0, 0, 0, 0, 0, serial, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    const uint8_t *data = soa;
    uint16_t len = sizeof soa;
    assert_int_equal(steer_zone_put(edit, origin->octets, STEER_TYPE_SOA, 60, &data, &len, 1, NULL),
                     STEER_OK);
    data = (const uint8_t *)"\2ns";
    len = 4;
    assert_int_equal(steer_zone_put(edit, origin->octets, STEER_TYPE_NS, 60, &data, &len, 1, NULL),
                     STEER_OK);
}

static struct steer_zone *build(const char *origin_text, uint8_t serial)
{
    const struct steer_name origin = name_of(origin_text);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    put_apex(edit, &origin, serial);
    struct steer_zone *zone = NULL;
    struct steer_retired none = {0};
    assert_int_equal(steer_zone_finish(edit, &zone, &none, NULL), STEER_OK);
    return zone;
}

static const struct steer_zone *zone_at(const struct steer_world *world, const char *text)
{
    const struct steer_name name = name_of(text);
    return steer_world_zone(world, steer_name_hash(&name), name.octets);
}

static bool remove_zone(struct steer_world_edit *edit, const char *text)
{
    const struct steer_name name = name_of(text);
    return steer_world_remove_zone(edit, steer_name_hash(&name), name.octets);
}

// The zone as the edit has it, with another serial.
static void bump(struct steer_world_edit *edit, const char *text, uint8_t serial)
{
    const struct steer_name name = name_of(text);
    const struct steer_zone *old = steer_world_edit_zone(edit, steer_name_hash(&name), name.octets);
    assert_non_null(old);
    struct steer_zone_edit *zone_edit = steer_zone_edit(old);
    put_apex(zone_edit, &name, serial);
    struct steer_zone *zone = NULL;
    assert_int_equal(steer_zone_finish(zone_edit, &zone, steer_world_edit_retired(edit), NULL),
                     STEER_OK);
    steer_world_put_zone(edit, zone);
}

static struct steer_program *program(uint32_t ttl_s)
{
    struct steer_program *p = steer_calloc(1, sizeof *p);
    p->ttl_s = ttl_s;
    return p;
}

// Ends an edit with no reader anywhere.
static struct steer_world *commit(struct steer_world_edit *edit)
{
    struct steer_retired retired = {0};
    struct steer_world *next = steer_world_finish(edit, &retired);
    steer_retired_free(&retired);
    return next;
}

static struct steer_world *with_zones(const char *const *origins, size_t count)
{
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(NULL));
    for (size_t i = 0; i < count; i++)
        steer_world_put_zone(edit, build(origins[i], 1));
    return commit(edit);
}

static void the_longest_origin_that_holds_a_name_is_found(void **state)
{
    (void)state;
    char deep[300] = "";
    for (unsigned i = 0; i < 70; i++)
        strcat(deep, "a.");
    const char *const origins[] = {"example.com.", "eu.example.com.", "org.", deep};
    struct steer_world *world = with_zones(origins, STEER_ARRAY_LEN(origins));
    char below_deep[310];
    snprintf(below_deep, sizeof below_deep, "x.%s", deep);
    const struct {
        const char *name;
        unsigned less;      // labels left out of sight
        const char *origin; // NULL: none
    } rows[] = {
        {"www.example.com.", 0, "example.com."},
        {"example.com.", 0, "example.com."},
        {"example.com.", 1, NULL},
        {"www.eu.example.com.", 0, "eu.example.com."},
        {"eu.example.com.", 0, "eu.example.com."},
        {"eu.example.com.", 1, "example.com."},
        {"a.b.c.d.org.", 0, "org."},
        {"com.", 0, NULL},
        {".", 0, NULL},
        {"notexample.com.", 0, NULL},
        {below_deep, 0, deep},
        {deep, 0, deep},
        {deep, 1, NULL},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_name name = name_of(rows[i].name);
        struct steer_name_hashes hashes;
        steer_name_hash_suffixes(&name, &hashes);
        unsigned labels = 999;
        const struct steer_zone *zone =
            steer_world_zone_of(world, &name, &hashes, name.labels - rows[i].less, &labels);
        if (!rows[i].origin) {
            assert_null(zone);
            assert_int_equal(labels, 999);
            continue;
        }
        assert_non_null(zone);
        const struct steer_name want = name_of(rows[i].origin);
        assert_true(steer_name_equal(zone->origin.octets, want.octets));
        assert_int_equal(labels, want.labels);
    }
    steer_world_destroy(world);
}

static void the_root_may_be_a_zone(void **state)
{
    (void)state;
    const char *const origins[] = {"."};
    struct steer_world *world = with_zones(origins, 1);
    const struct steer_name name = name_of("a.b.");
    struct steer_name_hashes hashes;
    steer_name_hash_suffixes(&name, &hashes);
    unsigned labels = 999;
    assert_non_null(steer_world_zone_of(world, &name, &hashes, 2, &labels));
    assert_int_equal(labels, 0);
    steer_world_destroy(world);
}

static void an_edit_is_seen_whole_or_not_at_all(void **state)
{
    (void)state;
    const char *const origins[] = {"a.", "b.", "c.d."};
    struct steer_world *world = with_zones(origins, STEER_ARRAY_LEN(origins));
    struct steer_world_edit *edit = steer_world_edit(world);
    bump(edit, "a.", 2);
    steer_world_replace_zone(edit, build("b.", 2));
    assert_true(remove_zone(edit, "c.d."));
    assert_false(remove_zone(edit, "c.d."));
    steer_world_put_zone(edit, build("e.", 2));
    struct steer_retired retired = {0};
    struct steer_world *next = steer_world_finish(edit, &retired);

    assert_int_equal(world->version, 1);
    assert_int_equal(zone_at(world, "a.")->serial, 1);
    assert_int_equal(zone_at(world, "b.")->serial, 1);
    assert_non_null(zone_at(world, "c.d."));
    assert_null(zone_at(world, "e."));
    assert_int_equal(world->origin_labels[0], 6);

    assert_int_equal(next->version, 2);
    assert_int_equal(zone_at(next, "a.")->serial, 2);
    assert_int_equal(zone_at(next, "b.")->serial, 2);
    assert_null(zone_at(next, "c.d."));
    assert_non_null(zone_at(next, "e."));
    assert_int_equal(next->origin_labels[0], 2);
    steer_retired_free(&retired);
    steer_world_destroy(next);
}

static void an_abort_undoes_zones_and_programs(void **state)
{
    (void)state;
    const char *const origins[] = {"a.", "b."};
    struct steer_world *world = with_zones(origins, STEER_ARRAY_LEN(origins));
    struct steer_world_edit *edit = steer_world_edit(world);
    steer_world_put_program(edit, 3, program(30));
    world = commit(edit);

    edit = steer_world_edit(world);
    bump(edit, "a.", 2);
    bump(edit, "a.", 3); // one version upon another
    steer_world_replace_zone(edit, build("b.", 2));
    bump(edit, "b.", 3);
    steer_world_put_zone(edit, build("new.", 2));
    bump(edit, "new.", 3);
    assert_true(remove_zone(edit, "new."));
    assert_true(remove_zone(edit, "b."));
    steer_world_put_program(edit, 3, program(31));
    steer_world_put_program(edit, 3, program(32));
    steer_world_put_program(edit, 4, program(40));
    steer_world_put_program(edit, 100000, program(50));
    steer_world_abort(edit);

    assert_int_equal(zone_at(world, "a.")->serial, 1);
    assert_int_equal(zone_at(world, "b.")->serial, 1);
    assert_int_equal(steer_world_program(world, 3)->ttl_s, 30);
    steer_world_abort(NULL);
    steer_world_destroy(world);
}

static void the_same_edit_committed_keeps_the_last_of_each(void **state)
{
    (void)state;
    const char *const origins[] = {"a.", "b."};
    struct steer_world *world = with_zones(origins, STEER_ARRAY_LEN(origins));
    struct steer_world_edit *edit = steer_world_edit(world);
    bump(edit, "a.", 2);
    bump(edit, "a.", 3);
    steer_world_replace_zone(edit, build("b.", 2));
    bump(edit, "b.", 3);
    steer_world_replace_zone(edit, build("b.", 4));
    steer_world_put_zone(edit, build("new.", 2));
    assert_true(remove_zone(edit, "new."));
    steer_world_put_zone(edit, build("new.", 5));
    world = commit(edit);
    assert_int_equal(zone_at(world, "a.")->serial, 3);
    assert_int_equal(zone_at(world, "b.")->serial, 4);
    assert_int_equal(zone_at(world, "new.")->serial, 5);
    steer_world_destroy(world);
}

static void programs_keep_their_place_across_versions(void **state)
{
    (void)state;
    struct steer_world *world = steer_world_create(NULL);
    struct steer_world_edit *edit = steer_world_edit(world);
    static const uint32_t ids[] = {0, 255, 256, 5000};
    for (size_t i = 0; i < STEER_ARRAY_LEN(ids); i++)
        steer_world_put_program(edit, ids[i], program(100 + ids[i]));
    world = commit(edit);
    edit = steer_world_edit(world);
    steer_world_put_program(edit, 255, program(7));
    steer_world_put_program(edit, 256, NULL);
    struct steer_retired retired = {0};
    struct steer_world *next = steer_world_finish(edit, &retired);
    for (size_t i = 0; i < STEER_ARRAY_LEN(ids); i++)
        assert_int_equal(steer_world_program(world, ids[i])->ttl_s, 100 + ids[i]);
    assert_int_equal(steer_world_program(next, 255)->ttl_s, 7);
    assert_null(steer_world_program(next, 256));
    assert_ptr_equal(steer_world_program(next, 0), steer_world_program(world, 0));
    assert_ptr_equal(next->programs[5000 / STEER_PROGRAM_CHUNK],
                     world->programs[5000 / STEER_PROGRAM_CHUNK]);
    steer_retired_free(&retired);
    steer_world_destroy(next);
}

static void random_edits_agree_with_a_map(void **state)
{
    (void)state;
    enum { ZONES = 40 };
    uint8_t model[ZONES] = {0}; // serial, 0: absent
    struct steer_world *world = steer_world_create(NULL);
    struct steer_rng rng;
    steer_rng_init(&rng, 9);
    for (unsigned step = 0; step < 300; step++) {
        uint8_t next[ZONES];
        memcpy(next, model, sizeof next);
        struct steer_world_edit *edit = steer_world_edit(world);
        for (unsigned n = 0; n < 5; n++) {
            const uint64_t r = steer_rng_next(&rng);
            const unsigned i = (unsigned)(r >> 8) % ZONES;
            const uint8_t serial = (uint8_t)(1 + (r >> 20) % 200);
            char text[64];
            snprintf(text, sizeof text, "z%u.%s", i, i % 2 ? "example.com." : "net.");
            switch (r % 3) {
            case 0:
                assert_int_equal(remove_zone(edit, text), next[i] != 0);
                next[i] = 0;
                break;
            case 1:
                steer_world_replace_zone(edit, build(text, serial));
                next[i] = serial;
                break;
            default:
                if (next[i])
                    bump(edit, text, next[i] = serial);
                break;
            }
        }
        if (step % 4 == 0) {
            steer_world_abort(edit);
        } else {
            world = commit(edit);
            memcpy(model, next, sizeof model);
        }
        size_t count = 0;
        uint64_t bits = 0;
        for (unsigned i = 0; i < ZONES; i++) {
            char text[64];
            snprintf(text, sizeof text, "z%u.%s", i, i % 2 ? "example.com." : "net.");
            const struct steer_zone *zone = zone_at(world, text);
            assert_int_equal(zone ? zone->serial : 0, model[i]);
            count += model[i] != 0;
            bits |= model[i] ? (i % 2 ? 8 : 4) : 0;
        }
        assert_int_equal(world->zones.count, count);
        assert_int_equal(world->origin_labels[0], bits);
    }
    steer_world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_origin_that_holds_a_name_is_found),
        cmocka_unit_test(the_root_may_be_a_zone),
        cmocka_unit_test(an_edit_is_seen_whole_or_not_at_all),
        cmocka_unit_test(an_abort_undoes_zones_and_programs),
        cmocka_unit_test(the_same_edit_committed_keeps_the_last_of_each),
        cmocka_unit_test(programs_keep_their_place_across_versions),
        cmocka_unit_test(random_edits_agree_with_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
