// SPDX-License-Identifier: GPL-3.0-or-later
// The book of what was given until when: by the function, and by a server over loopback.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "steerd/base/clock.h"
#include "steerd/base/mem.h"
#include "steerd/geo/geo.h"
#include "steerd/server/server.h"

enum { ENDPOINTS = 8, TTL_S = 300, WAIT_MS = 10000 };

// ---- tables and a world by hand ------------------------------------------------------------------

static struct steer_tables make_tables(void)
{
    struct steer_tables t;
    uint32_t first;
    assert_int_equal(steer_slab_init(&t.cells, sizeof(uint32_t), 16), STEER_OK);
    assert_int_equal(steer_slab_init(&t.list_lines, STEER_LINE_BYTES, 16), STEER_OK);
    assert_int_equal(steer_slab_init(&t.answer_lines, STEER_LINE_BYTES, 16), STEER_OK);
    assert_int_equal(steer_slab_init(&t.expiries, sizeof(uint32_t), 16), STEER_OK);
    assert_int_equal(steer_slab_take_run(&t.cells, 2, &first), STEER_OK);
    assert_int_equal(steer_slab_take_run(&t.list_lines, 2, &first), STEER_OK);
    assert_int_equal(steer_slab_take_run(&t.answer_lines, 4, &first), STEER_OK);
    assert_int_equal(steer_slab_take_run(&t.expiries, ENDPOINTS, &first), STEER_OK);
    return t;
}

static void free_tables(struct steer_tables *t)
{
    steer_slab_fini(&t->cells);
    steer_slab_fini(&t->list_lines);
    steer_slab_fini(&t->answer_lines);
    steer_slab_fini(&t->expiries);
}

static void put_answer(struct steer_tables *t, uint32_t line, const void *rrs, size_t len,
                       uint16_t count, const uint32_t *endpoints, uint32_t endpoint_count)
{
    uint8_t *at = steer_slab_at(&t->answer_lines, line);
    const struct steer_answer_slot slot = {.len = (uint16_t)len,
                                           .count = count,
                                           .ttl_cap_s = UINT32_MAX,
                                           .endpoint_count = endpoint_count};
    memcpy(at, &slot, sizeof slot);
    memcpy(at + offsetof(struct steer_answer_slot, rrs), rrs, len);
    memcpy(at + steer_answer_slot_endpoints(len), endpoints, endpoint_count * sizeof *endpoints);
}

static void expect_book(const struct steer_tables *t, const uint32_t wanted[ENDPOINTS])
{
    for (uint32_t i = 0; i < ENDPOINTS; i++)
        assert_int_equal(*steer_tables_expiry(t, i), wanted[i]);
}

// ---- the book ------------------------------------------------------------------------------------

static void each_endpoint_of_an_answer_is_noted_and_no_other(void **state)
{
    (void)state;
    static const uint8_t rrs[9] = {0};
    for (size_t len = 0; len <= sizeof rrs; len++) { // whatever stands before the numbers
        struct steer_tables t = make_tables();
        put_answer(&t, 1, rrs, len, 1, (const uint32_t[]){2, 5}, 2);
        put_answer(&t, 2, rrs, len, 1, (const uint32_t[]){7}, 0);
        steer_tables_note_given(&t, 1, 1000);
        steer_tables_note_given(&t, 2, 2000);
        expect_book(&t, (const uint32_t[ENDPOINTS]){[2] = 1000, [5] = 1000});
        free_tables(&t);
    }
}

static void the_latest_moment_stays(void **state)
{
    (void)state;
    static const struct {
        uint32_t line, until, book[2];
    } rows[] = {{1, 500, {500, 0}},   {1, 400, {500, 0}},   {2, 300, {500, 300}},
                {3, 450, {500, 450}}, {3, 600, {600, 600}}, {1, 0, {600, 600}}};
    struct steer_tables t = make_tables();
    put_answer(&t, 1, "", 0, 0, (const uint32_t[]){0}, 1);
    put_answer(&t, 2, "", 0, 0, (const uint32_t[]){1}, 1);
    put_answer(&t, 3, "", 0, 0, (const uint32_t[]){0, 1}, 2);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        steer_tables_note_given(&t, rows[i].line, rows[i].until);
        expect_book(&t, (const uint32_t[ENDPOINTS]){rows[i].book[0], rows[i].book[1]});
    }
    free_tables(&t);
}

// ---- through a server ----------------------------------------------------------------------------

struct stage {
    struct steer_tables tables;
    struct steer_geo *geo;
    struct steer_classmap *map;
    struct steer_publisher *publisher;
    struct steer_server *server;
    struct sockaddr_storage sa;
    socklen_t sa_len;
};

// w.example.test gives 192.0.2.1, which stands for endpoint 3.
static struct steer_program *make_program(struct stage *s)
{
    static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1};
    const uint32_t endpoint = 3;
    const struct steer_list list = {.count = 1};
    const struct steer_list_entry entry = {.upto = UINT32_MAX, .answer = 1};
    uint8_t *line = steer_slab_at(&s->tables.list_lines, 1);
    put_answer(&s->tables, 1, rr, sizeof rr, 1, &endpoint, 1);
    memcpy(line, &list, sizeof list);
    memcpy(line + sizeof list, &entry, sizeof entry);
    *(uint32_t *)steer_slab_at(&s->tables.cells, 1) = 1;
    struct steer_program *p = steer_calloc(1, sizeof *p + sizeof p->cells[0]);
    p->map = s->map;
    p->ttl_s = TTL_S;
    p->class_count = p->type_count = 1;
    p->types[0] = STEER_TYPE_A;
    p->cells[0] = 1;
    return p;
}

static struct steer_zone *make_zone(void)
{
    static const uint8_t ns[] = {2, 'n', 's', 0};
    static const uint8_t soa[] = "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    struct steer_name origin, owner;
    struct steer_zone *zone = NULL;
    struct steer_retired retired = {0};
    assert_int_equal(steer_name_parse("example.test.", NULL, &origin, NULL), STEER_OK);
    assert_int_equal(steer_name_parse("w.example.test.", NULL, &owner, NULL), STEER_OK);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    assert_int_equal(
        steer_zone_add(edit, origin.octets, STEER_TYPE_SOA, 60, soa, sizeof soa - 1, NULL, NULL),
        STEER_OK);
    assert_int_equal(
        steer_zone_add(edit, origin.octets, STEER_TYPE_NS, 60, ns, sizeof ns, NULL, NULL),
        STEER_OK);
    assert_int_equal(steer_zone_put_steered(edit, owner.octets, STEER_TYPE_ADDRESS, TTL_S, 0, NULL),
                     STEER_OK);
    assert_int_equal(steer_zone_finish(edit, &zone, &retired, NULL), STEER_OK);
    steer_retired_free(&retired);
    return zone;
}

static int set_up(void **state)
{
    struct stage *s = steer_calloc(1, sizeof *s);
    struct steer_retired retired = {0};
    struct steer_diag diag = {0};
    static const uint16_t class_of[1] = {0};
    s->tables = make_tables();
    assert_int_equal(steer_geo_open(NULL, 0, NULL, &s->geo, &diag), STEER_OK);
    s->map = steer_classmap_build(steer_geo_partition(s->geo), class_of, 1, 0);
    struct steer_world_edit *edit = steer_world_edit(steer_world_create(&s->tables));
    steer_world_put_program(edit, 0, make_program(s));
    steer_world_put_zone(edit, make_zone());
    s->publisher = steer_publisher_create(steer_world_finish(edit, &retired));
    steer_retired_free(&retired);
    assert_true(steer_sockaddr_parse("127.0.0.1:0", &s->sa, &s->sa_len));
    const struct steer_server_options options = {.listen = &s->sa,
                                                 .listen_len = &s->sa_len,
                                                 .listen_count = 1,
                                                 .workers = 1,
                                                 .publisher = s->publisher,
                                                 .rrl = {.rate = 1}};
    if (steer_server_start(&options, &s->server, &diag) != STEER_OK)
        fail_msg("%s", diag.message);
    steer_server_address(s->server, 0, &s->sa);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *s = *state;
    steer_server_stop(s->server, 0);
    steer_publisher_destroy(s->publisher);
    steer_classmap_destroy(s->map);
    steer_geo_unref(s->geo);
    free_tables(&s->tables);
    free(s);
    return 0;
}

// The length of the answer to an A question for w.example.test (0: none), with its octets at out.
static size_t exchange(const struct stage *s, int type, uint8_t out[512])
{
    static const uint8_t query[] = "\0\40\0\1\0\0\0\1\0\0\0\0\0\0\1w\7example\4test\0\0\1\0\1";
    const size_t skip = type == SOCK_STREAM ? 0 : 2; // the length before it
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->sa, s->sa_len), 0);
    assert_int_equal(send(fd, query + skip, sizeof query - 1 - skip, 0), sizeof query - 1 - skip);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&p, 1, WAIT_MS) == 1 ? recv(fd, out, 512, 0) : 0;
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void expect_until(const struct stage *s, uint64_t from_s, uint64_t to_s)
{
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        uint32_t until = *steer_tables_expiry(&s->tables, i);
        if (i == 3)
            assert_in_range(until, from_s, to_s);
        else
            assert_int_equal(until, 0);
    }
}

static void an_answer_counts_until_its_ttl_has_passed(void **state)
{
    struct stage *s = *state;
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t answer[512];
        *steer_tables_expiry(&s->tables, 3) = 0;
        uint64_t before_s = steer_clock_unix_s();
        size_t len = exchange(s, types[i], answer);
        assert_true(len > 4);
        assert_memory_equal(answer + len - 4, "\300\0\2\1", 4);
        expect_until(s, before_s + TTL_S, steer_clock_unix_s() + TTL_S + 1);
    }
}

// One a second and no slip: of several within a moment all but one are dropped.
static void what_the_limit_drops_was_not_given(void **state)
{
    struct stage *s = *state;
    static const uint8_t query[] = "\0\1\0\0\0\1\0\0\0\0\0\0\1w\7example\4test\0\0\1\0\1";
    struct steer_server_stats stats;
    uint8_t answer[512];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->sa, s->sa_len), 0);
    for (bool dropped = false; !dropped;) {
        *steer_tables_expiry(&s->tables, 3) = 0;
        assert_int_equal(send(fd, query, sizeof query - 1, 0), sizeof query - 1);
        do
            steer_server_stats(s->server, &stats);
        while (!stats.rrl_dropped && poll(&p, 1, 1) == 0);
        dropped = stats.rrl_dropped != 0;
        if (!dropped)
            assert_true(recv(fd, answer, sizeof answer, 0) > 0);
    }
    close(fd);
    assert_int_equal(stats.rrl_slipped, 0);
    expect_until(s, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_endpoint_of_an_answer_is_noted_and_no_other),
        cmocka_unit_test(the_latest_moment_stays),
        cmocka_unit_test_setup_teardown(an_answer_counts_until_its_ttl_has_passed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_limit_drops_was_not_given, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
