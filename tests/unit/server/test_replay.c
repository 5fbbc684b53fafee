// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit/server/server_support.h"

enum { RECORDS = 8 };

static struct steer_replay_record record_of(uint32_t number)
{
    struct steer_replay_record r = {.unix_s = number, .type = STEER_TYPE_A, .rcode = 3};
    char name[80], client[32];
    snprintf(name, sizeof name, "n%u.%.*s.example.test.", number, (int)(number % 40),
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    if (number % 40 == 0)
        snprintf(name, sizeof name, "n%u.example.test.", number);
    snprintf(client, sizeof client, "192.0.2.%u", number & 255);
    assert_int_equal(steer_name_parse(name, NULL, &r.name, NULL), STEER_OK);
    assert_true(steer_addr_parse(client, &r.client.addr));
    r.client.len = 32;
    r.answer_type = STEER_TYPE_TXT;
    r.answer_len = (uint8_t)(number * 7 % 200);
    memset(r.answer, (int)(number | 1), r.answer_len);
    return r;
}

struct seen {
    uint32_t first, last, count;
    bool broken;
};

// Records must come in order, and each must be whole.
static bool look(void *ctx, const struct steer_replay_record *r)
{
    struct seen *seen = ctx;
    struct steer_replay_record right = record_of(r->unix_s);
    steer_addr_mask(&right.client.addr, STEER_REPLAY_V4_LEN);
    seen->broken |= !steer_name_equal(r->name.octets, right.name.octets) || r->rcode != 3 ||
                    !steer_addr_equal(&r->client.addr, &right.client.addr) ||
                    r->answer_type != right.answer_type || r->answer_len != right.answer_len ||
                    memcmp(r->answer, right.answer, r->answer_len) != 0 ||
                    (seen->count && r->unix_s <= seen->last);
    if (!seen->count++)
        seen->first = r->unix_s;
    seen->last = r->unix_s;
    return true;
}

static void the_newest_records_stay(void **state)
{
    (void)state;
    struct steer_replay_ring *ring = steer_replay_create(RECORDS, 1);
    struct seen seen = {0};
    assert_int_equal(steer_replay_read(ring, look, &seen), 0);
    assert_int_equal(seen.count, 0);
    for (uint32_t i = 0; i < 20; i++) {
        struct steer_replay_record r = record_of(i);
        steer_replay_keep(ring, &r);
    }
    assert_int_equal(steer_replay_read(ring, look, &seen), 20);
    assert_false(seen.broken);
    assert_int_equal(seen.count, RECORDS);
    assert_int_equal(seen.first, 12);
    assert_int_equal(seen.last, 19);
    steer_replay_destroy(ring);
}

static bool take(void *ctx, const struct steer_replay_record *r)
{
    *(struct steer_replay_record *)ctx = *r;
    return true;
}

static void clients_are_kept_as_networks_only(void **state)
{
    (void)state;
    static const struct {
        const char *given, *kept;
    } rows[] = {{"198.51.100.77/32", "198.51.100.0/24"},
                {"198.51.96.0/20", "198.51.96.0/20"},
                {"2001:db8:1:2ff:3::4/128", "2001:db8:1:200::/56"},
                {"2001:db8::/32", "2001:db8::/32"}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_replay_ring *ring = steer_replay_create(1, 1);
        struct steer_replay_record r = record_of(1), kept;
        char text[64];
        assert_true(steer_prefix_parse(rows[i].given, &r.client, NULL));
        steer_replay_keep(ring, &r);
        steer_replay_read(ring, take, &kept);
        assert_string_equal(steer_prefix_format(&kept.client, text, sizeof text), rows[i].kept);
        steer_replay_destroy(ring);
    }
}

static void an_answer_is_kept_where_its_name_leaves_room(void **state)
{
    (void)state;
    for (unsigned len = 0; len <= STEER_REPLAY_ANSWER_MAX; len++) {
        struct steer_replay_ring *ring = steer_replay_create(1, 1);
        struct steer_replay_record r = record_of(39), kept;
        r.answer_len = (uint8_t)len;
        memset(r.answer, 0xa5, len);
        steer_replay_keep(ring, &r);
        steer_replay_read(ring, take, &kept);
        const bool fits = r.name.len + len <= STEER_REPLAY_DATA;
        assert_int_equal(kept.answer_type, fits ? STEER_TYPE_TXT : 0);
        assert_int_equal(kept.answer_len, fits ? len : 0);
        assert_memory_equal(kept.answer, r.answer, kept.answer_len);
        assert_true(steer_name_equal(kept.name.octets, r.name.octets));
        steer_replay_destroy(ring);
    }
}

static void one_in_n_is_of_the_sample_whatever_the_draw(void **state)
{
    (void)state;
    enum { QUERIES = 200000, ONE_IN = 20 };
    struct steer_replay_ring *ring = steer_replay_create(1, ONE_IN);
    struct steer_rng rng;
    unsigned due = 0, low_draw = 0;
    steer_rng_init(&rng, 5);
    for (unsigned i = 0; i < QUERIES; i++) {
        uint64_t random = steer_rng_next(&rng);
        if (!steer_replay_is_due(ring, random))
            continue;
        due++;
        low_draw += random >> 63 == 0;
    }
    assert_in_range(due, QUERIES / ONE_IN * 95 / 100, QUERIES / ONE_IN * 105 / 100);
    assert_in_range(low_draw, due * 47 / 100, due * 53 / 100);
    steer_replay_destroy(ring);
}

struct torn {
    struct steer_replay_ring *ring;
    _Atomic bool stop;
};

static void *write_on(void *arg)
{
    struct torn *t = arg;
    for (uint32_t i = 0; !atomic_load(&t->stop); i++) {
        struct steer_replay_record r = record_of(i);
        steer_replay_keep(t->ring, &r);
    }
    return NULL;
}

static void a_reader_beside_the_writer_sees_whole_records(void **state)
{
    (void)state;
    struct torn t = {.ring = steer_replay_create(4, 1)};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_on, &t), 0);
    uint64_t end = steer_clock_mono_ns() + 300 * STEER_NS_PER_MS;
    uint32_t total = 0;
    while (steer_clock_mono_ns() < end) {
        struct seen seen = {0};
        steer_replay_read(t.ring, look, &seen);
        assert_false(seen.broken);
        total += seen.count;
    }
    atomic_store(&t.stop, true);
    pthread_join(writer, NULL);
    assert_true(total > 0);
    steer_replay_destroy(t.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_records_stay),
        cmocka_unit_test(clients_are_kept_as_networks_only),
        cmocka_unit_test(an_answer_is_kept_where_its_name_leaves_room),
        cmocka_unit_test(one_in_n_is_of_the_sample_whatever_the_draw),
        cmocka_unit_test(a_reader_beside_the_writer_sees_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
