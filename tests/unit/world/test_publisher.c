// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "steerd/base/mem.h"
#include "steerd/world/world.h"

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(text, NULL, &name, NULL), STEER_OK);
    return name;
}

static void put_apex(struct steer_zone_edit *edit, const struct steer_name *origin, uint32_t serial)
{
    const uint8_t soa[] = {0,
                           0,
                           (uint8_t)(serial >> 24),
                           (uint8_t)(serial >> 16),
                           (uint8_t)(serial >> 8),
                           (uint8_t)serial,
                           0,
                           0,
                           0,
                           1,
                           0,
                           0,
                           0,
                           1,
                           0,
                           0,
                           0,
                           1,
                           0,
                           0,
                           0,
                           1};
    const uint8_t *data = soa;
    uint16_t len = sizeof soa;
    assert_int_equal(steer_zone_put(edit, origin->octets, STEER_TYPE_SOA, 60, &data, &len, 1, NULL),
                     STEER_OK);
    data = (const uint8_t *)"\2ns";
    len = 4;
    assert_int_equal(steer_zone_put(edit, origin->octets, STEER_TYPE_NS, 60, &data, &len, 1, NULL),
                     STEER_OK);
}

static const char *const origins[] = {"a.example.", "b.example."};

// A world edit that gives both zones (made at need) and a program the same number.
static struct steer_world *numbered(const struct steer_world *from, uint32_t number,
                                    struct steer_retired *retired)
{
    struct steer_world_edit *edit = steer_world_edit(from);
    for (size_t i = 0; i < STEER_ARRAY_LEN(origins); i++) {
        const struct steer_name origin = name_of(origins[i]);
        const struct steer_zone *old =
            steer_world_zone(from, steer_name_hash(&origin), origin.octets);
        struct steer_zone_edit *zone_edit = old ? steer_zone_edit(old) : steer_zone_build(&origin);
        put_apex(zone_edit, &origin, number);
        struct steer_zone *zone = NULL;
        assert_int_equal(steer_zone_finish(zone_edit, &zone, steer_world_edit_retired(edit), NULL),
                         STEER_OK);
        steer_world_put_zone(edit, zone);
    }
    struct steer_program *program = steer_calloc(1, sizeof *program);
    program->ttl_s = number;
    steer_world_put_program(edit, 0, program);
    return steer_world_finish(edit, retired);
}

// The number that zones and program agree on; UINT32_MAX when they do not. Asserts nothing: it runs in
// threads that cmocka does not know.
static uint32_t number_of(const struct steer_world *world, const struct steer_name names[2])
{
    const uint32_t number = steer_world_program(world, 0)->ttl_s;
    for (size_t i = 0; i < 2; i++) {
        const uint64_t hash = steer_name_hash(&names[i]);
        const struct steer_zone *zone = steer_world_zone(world, hash, names[i].octets);
        if (!zone || zone->serial != number ||
            steer_zone_find(zone, hash, names[i].octets) != zone->apex)
            return UINT32_MAX;
        const struct steer_rrset *soa = steer_zone_node_rrset(zone->apex, STEER_TYPE_SOA);
        struct steer_rr_view rr;
        size_t at = 0;
        if (!soa || !steer_rrset_next(zone->apex, soa, &at, &rr) ||
            (uint32_t)(rr.rdata[4] << 8 | rr.rdata[5]) != (number & 0xffff))
            return UINT32_MAX;
    }
    return number;
}

static struct steer_publisher *begin(void)
{
    struct steer_world *empty = steer_world_create(NULL);
    struct steer_retired retired = {0};
    struct steer_world *first = numbered(empty, 0, &retired);
    steer_retired_free(&retired);
    return steer_publisher_create(first);
}

static void publish(struct steer_publisher *p, uint32_t number)
{
    struct steer_retired retired = {0};
    struct steer_world *next = numbered(steer_publisher_current(p), number, &retired);
    steer_publish(p, next, &retired);
    assert_int_equal(retired.count, 0);
    assert_ptr_equal(steer_publisher_current(p), next);
}

static unsigned destroyed;
static void count_and_free(void *block)
{
    destroyed++;
    free(block);
}

static void a_hold_keeps_its_world_whole(void **state)
{
    (void)state;
    const struct steer_name names[2] = {name_of(origins[0]), name_of(origins[1])};
    struct steer_publisher *p = begin();
    publish(p, 1);
    struct steer_world *one = steer_publisher_hold(p);
    publish(p, 2);
    struct steer_world *two = steer_publisher_hold(p);
    struct steer_world *two_again = steer_publisher_hold(p);
    publish(p, 3);
    assert_int_equal(number_of(one, names), 1);
    assert_int_equal(number_of(two, names), 2);
    steer_publisher_release(p, two); // out of turn
    assert_int_equal(number_of(two_again, names), 2);
    steer_publisher_release(p, two_again);
    assert_int_equal(number_of(one, names), 1);
    steer_publisher_release(p, one);
    assert_int_equal(number_of(steer_publisher_current(p), names), 3);
    steer_publisher_destroy(p);
}

static void a_retired_block_waits_for_the_holds_of_its_time(void **state)
{
    (void)state;
    destroyed = 0;
    struct steer_publisher *p = begin();
    steer_publisher_retire(p, steer_alloc(1), count_and_free);
    assert_int_equal(destroyed, 1);

    struct steer_world *early = steer_publisher_hold(p);
    steer_publisher_retire(p, steer_alloc(1), count_and_free);
    struct steer_world *late = steer_publisher_hold(p); // the same world, after the block
    steer_publisher_retire(p, steer_alloc(1), count_and_free);
    assert_int_equal(destroyed, 1);
    steer_publisher_release(p, early);
    assert_int_equal(destroyed, 1); // which of the two was given back nobody can tell
    steer_publisher_release(p, late);
    assert_int_equal(destroyed, 3);

    early = steer_publisher_hold(p);
    steer_publisher_retire(p, steer_alloc(1), count_and_free);
    publish(p, 1);
    assert_int_equal(destroyed, 3);
    steer_publisher_release(p, early);
    assert_int_equal(destroyed, 4);
    steer_publisher_destroy(p);
}

// ---- threads -------------------------------------------------------------------------------------

struct shared {
    struct steer_publisher *p;
    struct steer_name names[2];
    _Atomic bool stop;
    _Atomic unsigned running;
    _Atomic uint64_t seen;   // worlds looked at
    _Atomic uint64_t broken; // worlds that were not whole, or older than the one before
};

static void look(struct shared *shared, const struct steer_world *world, uint32_t *last)
{
    const uint32_t number = number_of(world, shared->names);
    if (number == UINT32_MAX || number < *last)
        atomic_fetch_add(&shared->broken, 1);
    *last = number;
    atomic_fetch_add(&shared->seen, 1);
}

static void *worker(void *arg)
{
    struct shared *shared = arg;
    uint32_t last = 0;
    steer_reader_register();
    atomic_fetch_add(&shared->running, 1);
    for (unsigned batch = 0; !atomic_load(&shared->stop); batch++) {
        const struct steer_world *world = steer_reader_world(shared->p);
        for (unsigned query = 0; query < 8; query++)
            look(shared, world, &last);
        if (batch % 4) {
            steer_reader_quiescent();
        } else {
            steer_reader_offline();
            sched_yield(); // as a worker without queries does, so that more threads than cores get on
            steer_reader_online();
        }
    }
    steer_reader_unregister();
    return NULL;
}

static void *slow_reader(void *arg)
{
    struct shared *shared = arg;
    uint32_t last = 0;
    atomic_fetch_add(&shared->running, 1);
    while (!atomic_load(&shared->stop)) {
        struct steer_world *one = steer_publisher_hold(shared->p);
        look(shared, one, &last);
        struct steer_world *two = steer_publisher_hold(shared->p);
        steer_publisher_release(shared->p, one);
        look(shared, two, &last);
        steer_publisher_release(shared->p, two);
        sched_yield();
    }
    return NULL;
}

static void every_reader_sees_whole_worlds_while_one_writes(void **state)
{
    (void)state;
    enum { WORKERS = 2, PUBLISHES = 2000 };
    struct shared shared = {.p = begin(), .names = {name_of(origins[0]), name_of(origins[1])}};
    destroyed = 0;
    pthread_t threads[WORKERS + 1];
    for (unsigned i = 0; i <= WORKERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WORKERS ? worker : slow_reader, &shared), 0);
    while (atomic_load(&shared.running) <= WORKERS)
        sched_yield();
    for (uint32_t number = 1; number <= PUBLISHES; number++) {
        publish(shared.p, number);
        if (number % 64 == 0)
            steer_publisher_retire(shared.p, steer_alloc(1), count_and_free);
    }
    atomic_store(&shared.stop, true);
    for (unsigned i = 0; i <= WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.broken), 0);
    assert_true(atomic_load(&shared.seen) > 0);
    assert_int_equal(destroyed, PUBLISHES / 64);
    assert_int_equal(number_of(steer_publisher_current(shared.p), shared.names), PUBLISHES);
    steer_publisher_destroy(shared.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_keeps_its_world_whole),
        cmocka_unit_test(a_retired_block_waits_for_the_holds_of_its_time),
        cmocka_unit_test(every_reader_sees_whole_worlds_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
