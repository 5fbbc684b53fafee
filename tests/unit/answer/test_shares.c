// SPDX-License-Identifier: GPL-3.0-or-later
// Draws over the answer path: shares, pairs of N of M, and what A, AAAA and HTTPS have in common. Every number comes
// from a fixed seed, so that a test either always passes or never.
#include <math.h>

#include "answer_support.h"
#include "steerd/base/hash.h"
#include "steerd/geo/geo.h"
#include "steerd/world/cells.h"
#include "unit/policy/decide_support.h"

enum {
    A = STEER_TYPE_A,
    AAAA = STEER_TYPE_AAAA,
    HTTPS = STEER_TYPE_HTTPS,
    MODES = 3,
    TYPES = 3,
    MEMBERS = 6,
    DRAWS = 40000,
    NETWORKS = 20000,
    SEED = 8484,
    TTL_S = 60,
    NOW_S = 1800000000,
    SIGMAS = 5,
};

static const uint16_t types[TYPES] = {A, AAAA, HTTPS};

// ---- the world -----------------------------------------------------------------------------------

static const struct {
    const char *name, *tree;
} steered[] = {
    {"one", "{\"pool\":\"one\"}"},
    {"some", "{\"pool\":\"some\"}"},
    {"cross", "{\"pool\":\"cross\"}"},
    {"tree",
     "{\"weighted\":[{\"weight\":3,\"to\":{\"failover\":[{\"pool\":\"one\"},{\"endpoint\":\"c\"}],"
     "\"trickle\":\"20%\"}},{\"weight\":2,\"to\":{\"pool\":\"ab\"}},{\"weight\":1,\"to\":"
     "{\"endpoint\":\"d\"}}]}"},
};
enum { ONE, SOME, CROSS, TREE, RECORDS };

// a-e have IPv4; f, and three of those, IPv6; three of those HTTPS. Member i gives 192.0.2.(1+i), 2001:db8::(1+i).
static const char *const has[MEMBERS] = {"46h", "46", "4", "4h", "46h", "6"};
static const unsigned weights[MEMBERS] = {6, 1, 2, 2, 1, 0};

struct stage {
    struct steer_geo *geo;
    struct steer_residuals *residuals;
    struct steer_catalog *catalog;
    struct steer_cells *cells;
    struct moment moment;
    struct steer_view view;
    struct steer_classes classes[RECORDS * MODES];
    struct steer_classmap *maps[RECORDS * MODES];
    struct steer_program *programs[RECORDS * MODES];
    struct steer_world *world;
};

static uint32_t number_of(void *ctx, const struct steer_object *endpoint)
{
    (void)ctx;
    return (uint32_t)(endpoint->name[0] - 'a');
}

static struct steer_catalog *catalog_of(void)
{
    struct steer_catalog *catalog = steer_catalog_create();
    for (unsigned i = 0; i < MEMBERS; i++) {
        char json[160], v4[32] = "", v6[40] = "";
        const char name[2] = {(char)('a' + i), '\0'};
        if (strchr(has[i], '4'))
            snprintf(v4, sizeof v4, "\"ipv4\":\"192.0.2.%u\"", i + 1);
        if (strchr(has[i], '6'))
            snprintf(v6, sizeof v6, "%s\"ipv6\":\"2001:db8::%u\"", *v4 ? "," : "", i + 1);
        snprintf(json, sizeof json, "{%s%s%s}", v4, v6,
                 strchr(has[i], 'h') ? ",\"https\":{\"alpn\":[\"h2\"]}" : "");
        put(catalog, STEER_ENDPOINT, name, json);
    }
    put(catalog, STEER_POOL, "one", "{\"endpoints\":{\"a\":6,\"b\":1,\"c\":2,\"d\":2,\"e\":1}}");
    put(catalog, STEER_POOL, "some",
        "{\"endpoints\":{\"a\":6,\"b\":1,\"c\":2,\"d\":2,\"e\":1},\"pick\":2}");
    put(catalog, STEER_POOL, "cross", "{\"endpoints\":{\"a\":3,\"c\":2,\"f\":5}}");
    put(catalog, STEER_POOL, "ab", "{\"endpoints\":{\"a\":1,\"b\":3}}");
    return catalog;
}

// Record i % RECORDS, drawn in mode i / RECORDS.
static const char *owner_of(unsigned i, char out[64])
{
    snprintf(out, 64, "%s-%u.example.com.", steered[i % RECORDS].name, i / RECORDS);
    return out;
}

static struct steer_program *program_of(struct stage *s, unsigned i)
{
    char name[128], json[700], owner[64];
    snprintf(name, sizeof name, "%s address", owner_of(i, owner));
    snprintf(json, sizeof json, "{\"kind\":\"address\",\"ttl\":%d,\"steer\":%s}", TTL_S,
             steered[i % RECORDS].tree);
    const struct steer_object *record = record_of(s->catalog, name, json);
    struct steer_classes *classes = &s->classes[i];
    assert_int_equal(steer_classes_compile(s->residuals, s->catalog, record, s->geo, classes, NULL),
                     STEER_OK);
    s->maps[i] = steer_classmap_build(steer_geo_partition(s->geo), classes->class_of,
                                      classes->location_count, classes->class_of[0]);
    struct steer_program *p =
        steer_calloc(1, sizeof *p + TYPES * classes->class_count * sizeof p->cells[0]);
    p->map = s->maps[i];
    p->ttl_s = TTL_S;
    p->class_count = (uint16_t)classes->class_count;
    p->type_count = TYPES;
    p->draw = (struct steer_drawing){(enum steer_draw)(i / RECORDS), 24, 56};
    for (unsigned t = 0; t < TYPES; t++) {
        p->types[t] = types[t];
        assert_int_equal(steer_cells_acquire(s->cells, classes->roots, classes->class_count,
                                             types[t], p->draw.mode, &s->view,
                                             &p->cells[t * p->class_count]),
                         STEER_OK);
    }
    return s->programs[i] = p;
}

static int open_stage(void **state)
{
    struct stage *s = steer_calloc(1, sizeof *s);
    const char *path = STEER_SOURCE_DIR "/geodata/country.mmdb";
    char owner[64];
    assert_int_equal(steer_geo_open(&path, 1, NULL, &s->geo, NULL), STEER_OK);
    s->residuals = steer_residuals_create();
    s->catalog = catalog_of();
    s->view = view_of(&s->moment);
    assert_int_equal(steer_cells_create(number_of, NULL, s->residuals, &s->cells, NULL), STEER_OK);
    struct steer_world_edit *edit =
        steer_world_edit(steer_world_create(steer_cells_tables(s->cells)));
    struct steer_zone_edit *zone = zone_of("example.com.", "ns A 192.0.2.53\n");
    for (unsigned i = 0; i < RECORDS * MODES; i++) {
        const struct steer_name name = name_of(owner_of(i, owner));
        steer_world_put_program(edit, i, program_of(s, i));
        assert_int_equal(
            steer_zone_put_steered(zone, name.octets, STEER_TYPE_ADDRESS, TTL_S, i, NULL),
            STEER_OK);
    }
    finish_zone(edit, zone);
    s->world = finish_world(edit);
    *state = s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    for (unsigned i = 0; i < RECORDS * MODES; i++)
        for (unsigned c = 0; c < s->programs[i]->type_count * s->programs[i]->class_count; c++)
            steer_cells_release(s->cells, s->programs[i]->cells[c]);
    steer_world_destroy(s->world);
    steer_cells_destroy(s->cells);
    for (unsigned i = 0; i < RECORDS * MODES; i++) {
        steer_classes_fini(s->residuals, &s->classes[i]);
        steer_classmap_destroy(s->maps[i]);
    }
    steer_catalog_unref(s->catalog);
    assert_int_equal(steer_residuals_count(s->residuals), 0);
    steer_residuals_destroy(s->residuals);
    steer_geo_unref(s->geo);
    free(s);
    return 0;
}

// ---- asking --------------------------------------------------------------------------------------

struct asker {
    struct stage *stage;
    enum steer_draw mode;
    uint8_t message[64];
    struct steer_ask ask;
    uint8_t out[STEER_UDP_SIZE];
};

static void asker_init(struct asker *a, struct stage *s, enum steer_draw mode)
{
    *a = (struct asker){.stage = s, .mode = mode};
    a->ask.message = a->message;
    a->ask.now_s = NOW_S;
    assert_true(steer_addr_parse("10.0.0.1", &a->ask.client));
}

static void come_from(struct asker *a, uint32_t address)
{
    for (unsigned i = 0; i < 4; i++)
        a->ask.client.octets[i] = (uint8_t)(address >> (24 - 8 * i));
}

// The members whose addresses are in the data, as bits.
static unsigned in_addresses(const uint8_t *data, size_t len, size_t each)
{
    unsigned members = 0;
    assert_int_equal(len % each, 0);
    for (size_t at = each - 1; at < len; at += each)
        members |= 1U << (data[at] - 1);
    return members;
}

// RFC 9460 2.2: what the hints say; those of both families where the members have both.
static unsigned in_hints(const uint8_t *data, size_t len)
{
    unsigned v4 = 0, v6 = 0;
    for (size_t at = 3; at + 4 <= len;) {
        const unsigned key = (unsigned)(data[at] << 8 | data[at + 1]);
        const size_t size = (size_t)(data[at + 2] << 8 | data[at + 3]);
        if (key == 4)
            v4 |= in_addresses(data + at + 4, size, 4);
        else if (key == 6)
            v6 |= in_addresses(data + at + 4, size, 16);
        at += 4 + size;
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        const bool hinted = (v4 | v6) >> i & 1;
        assert_int_equal(hinted && strchr(has[i], '4'), v4 >> i & 1);
        assert_int_equal(hinted && strchr(has[i], '6'), v6 >> i & 1);
    }
    return v4 | v6;
}

// The members in the answer, as bits.
static unsigned members_in(struct asker *a, unsigned record, unsigned t)
{
    struct steer_facts facts;
    char owner[64];
    struct question q = {.name = owner_of(a->mode * RECORDS + record, owner), .type = types[t]};
    a->ask.len = make_message(&q, a->message, sizeof a->message);
    const size_t len =
        steer_answer(a->stage->world, &plain_settings, &a->ask, a->out, sizeof a->out, &facts);
    size_t at = a->ask.len;
    unsigned members = 0;
    assert_int_equal(facts.kind, STEER_FACT_POSITIVE);
    for (unsigned i = 0; i < a->out[7]; i++) {
        const size_t size = (size_t)(a->out[at + 10] << 8 | a->out[at + 11]);
        const uint8_t *data = a->out + at + 12;
        members |= types[t] == HTTPS ? in_hints(data, size)
                                     : in_addresses(data, size, types[t] == A ? 4 : 16);
        at += 12 + size;
    }
    assert_int_equal(at, len);
    return members;
}

// ---- judging -------------------------------------------------------------------------------------

static bool gives(unsigned member, unsigned t)
{
    return strchr(has[member], t == 0 ? '4' : t == 1 ? '6' : 'h') != NULL;
}

static void expect_share(unsigned count, unsigned of, double share)
{
    const double sigma = sqrt(of * share * (1 - share));
    if (fabs(count - of * share) > SIGMAS * sigma + 1e-6)
        fail_msg("%u of %u, wanted a share of %.4f: %.1f sigmas", count, of, share,
                 fabs(count - of * share) / sigma);
}

// The exact share of each member, and of each pair of them, by the evaluator (which has its own judge, test_pick.c).
struct shares {
    double of[MEMBERS][MEMBERS]; // [i][i]: of the member
};

static void exact_shares(struct stage *s, unsigned i, unsigned t, bool sticky, struct shares *out)
{
    struct steer_distribution d;
    memset(out, 0, sizeof *out);
    (sticky ? steer_decide_sticky : steer_decide)(s->classes[i].roots[0], &s->view, types[t], &d,
                                                  NULL);
    for (uint32_t o = 0; o < d.count; o++)
        for (uint32_t x = 0; x < d.outcomes[o].endpoint_count; x++)
            for (uint32_t y = 0; y < d.outcomes[o].endpoint_count; y++)
                out->of[d.outcomes[o].endpoints[x]->name[0] - 'a']
                       [d.outcomes[o].endpoints[y]->name[0] - 'a'] +=
                    steer_share_value(d.outcomes[o].share);
    steer_distribution_fini(&d);
}

struct counts {
    unsigned of[MEMBERS][MEMBERS];
};

static void count_members(struct counts *c, unsigned members)
{
    for (unsigned x = 0; x < MEMBERS; x++)
        for (unsigned y = 0; y < MEMBERS; y++)
            c->of[x][y] += (members >> x & 1) && (members >> y & 1);
}

static void compare(const struct counts *c, const struct shares *shares, unsigned draws)
{
    for (unsigned x = 0; x < MEMBERS; x++)
        for (unsigned y = 0; y < MEMBERS; y++)
            expect_share(c->of[x][y], draws, shares->of[x][y]);
}

// ---- tests ---------------------------------------------------------------------------------------

static void random_draws_have_their_shares(void **state)
{
    struct asker a;
    struct steer_rng rng;
    steer_rng_init(&rng, SEED);
    asker_init(&a, *state, STEER_DRAW_RANDOM);
    for (unsigned record = 0; record < RECORDS; record++)
        for (unsigned t = 0; t < TYPES; t++) {
            struct counts counts = {0};
            struct shares shares;
            for (unsigned i = 0; i < DRAWS; i++) {
                a.ask.random = steer_rng_next(&rng);
                count_members(&counts, members_in(&a, record, t));
            }
            exact_shares(*state, record, t, false, &shares);
            compare(&counts, &shares, DRAWS);
        }
}

// By hand: of weights 6 1 2 2 1, two of five: c = 2/12 gives a 1, and b c d e 1/6 1/3 1/3 1/6, side by side: one of them
// beside a each time. So no pair without a ever comes.
static void n_of_m_has_each_member_and_each_pair_as_often_as_the_line_says(void **state)
{
    struct asker a;
    struct steer_rng rng;
    struct counts counts = {0};
    steer_rng_init(&rng, SEED + 1);
    asker_init(&a, *state, STEER_DRAW_RANDOM);
    for (unsigned i = 0; i < DRAWS; i++) {
        a.ask.random = steer_rng_next(&rng);
        const unsigned members = members_in(&a, SOME, 0);
        assert_int_equal(__builtin_popcount(members), 2);
        count_members(&counts, members);
    }
    assert_int_equal(counts.of[0][0], DRAWS);
    for (unsigned x = 1; x < MEMBERS; x++) {
        expect_share(counts.of[x][x], DRAWS, weights[x] / 6.0);
        assert_int_equal(counts.of[0][x], counts.of[x][x]);
        for (unsigned y = 1; y < x; y++)
            assert_int_equal(counts.of[x][y], 0);
    }
}

// What is met by one who asks for all three types.
struct meeting {
    unsigned asked;
    unsigned same[TYPES][TYPES]; // both give the same
    unsigned missed[TYPES]
                   [TYPES]; // the first gives what the second has, and the second gives another
};

static void meet(struct asker *a, unsigned record, struct counts counts[TYPES], struct meeting *m)
{
    unsigned given[TYPES];
    for (unsigned t = 0; t < TYPES; t++)
        count_members(&counts[t], given[t] = members_in(a, record, t));
    m->asked++;
    for (unsigned x = 0; x < TYPES; x++)
        for (unsigned y = 0; y < TYPES; y++) {
            const unsigned member = (unsigned)__builtin_ctz(given[x]);
            m->same[x][y] += given[x] == given[y];
            m->missed[x][y] += given[x] != given[y] && gives(member, y);
        }
}

static void coherent_draws_have_their_shares_and_meet_in_all_types(void **state)
{
    struct asker a;
    asker_init(&a, *state, STEER_DRAW_COHERENT);
    for (unsigned record = 0; record < RECORDS; record++) {
        struct counts counts[TYPES] = {0};
        struct meeting m = {0};
        for (unsigned i = 0; i < NETWORKS; i++) {
            come_from(&a, 0x0a000001 + i * 77);
            a.ask.random = i * UINT64_C(0x9e3779b97f4a7c15); // plays no part
            a.ask.now_s = NOW_S + i % 997;
            meet(&a, record, counts, &m);
        }
        for (unsigned t = 0; t < TYPES; t++) {
            struct shares shares;
            exact_shares(*state, record, t, false, &shares);
            compare(&counts[t], &shares, m.asked);
        }
        if (record != ONE && record != TREE)
            continue;
        for (unsigned t = 1; t < TYPES; t++)
            assert_int_equal(m.missed[0][t], 0);
    }
}

// a 3, c (IPv4) 2, f (IPv6) 5: A gives a 3/5, AAAA gives it 3/8. More than the latter cannot agree, and that much does.
static void crossing_families_meet_as_often_as_they_can(void **state)
{
    struct asker a;
    struct counts counts[TYPES] = {0};
    struct meeting m = {0};
    asker_init(&a, *state, STEER_DRAW_COHERENT);
    for (unsigned i = 0; i < NETWORKS; i++) {
        come_from(&a, 0x0a000001 + i);
        meet(&a, CROSS, counts, &m);
    }
    expect_share(m.same[0][1], m.asked, 3 / 8.0);
    assert_int_equal(m.missed[1][0], 0);
}

static void a_coherent_draw_lasts_for_one_ttl(void **state)
{
    struct asker a;
    asker_init(&a, *state, STEER_DRAW_COHERENT);
    unsigned turns = 0;
    unsigned changes = 0;
    for (unsigned i = 0; i < 200; i++) {
        come_from(&a, 0x0a000001 + i);
        unsigned last = 0, seen = 0;
        for (unsigned second = 0; second < 3 * TTL_S; second++) {
            a.ask.now_s = NOW_S + second;
            const unsigned now = members_in(&a, ONE, 0);
            if (second && now != last) {
                assert_true(second - seen >= TTL_S || seen == 0);
                seen = second;
                changes++;
            }
            last = now;
        }
        turns += seen % TTL_S;
    }
    // Three spans begin for each, and two draws differ with 1 - (36 + 1 + 4 + 4 + 1)/144; not all at one second.
    expect_share(changes, 3 * 200, 1 - 46 / 144.0);
    assert_true(turns > 200 * TTL_S / 8 && turns < 200 * TTL_S * 7 / 8);
}

static void sticky_draws_have_the_shares_of_the_slots_and_meet_in_all_types(void **state)
{
    struct asker a;
    asker_init(&a, *state, STEER_DRAW_STICKY);
    for (unsigned record = 0; record < RECORDS; record++) {
        struct counts counts[TYPES] = {0};
        struct meeting m = {0};
        for (unsigned i = 0; i < NETWORKS; i++) {
            come_from(&a, 0x0a000000 + i * 256 + i % 256);
            a.ask.random = i * UINT64_C(0x9e3779b97f4a7c15);
            a.ask.now_s = NOW_S + i;
            meet(&a, record, counts, &m);
        }
        for (unsigned t = 0; t < TYPES; t++) {
            struct shares shares;
            exact_shares(*state, 2 * RECORDS + record, t, true, &shares);
            compare(&counts[t], &shares, m.asked);
        }
        for (unsigned t = 1; t < TYPES && (record == ONE || record == TREE); t++)
            assert_int_equal(m.missed[0][t], 0);
        if (record == CROSS) // decision 0084: the part that the common member has of all three
            expect_share(m.same[0][1], m.asked, 3 / 10.0);
    }
}

static void a_network_keeps_its_endpoint_whoever_in_it_asks(void **state)
{
    struct asker a;
    asker_init(&a, *state, STEER_DRAW_STICKY);
    for (unsigned i = 0; i < 500; i++) {
        come_from(&a, 0x0a000000 + i * 256);
        const unsigned first = members_in(&a, TREE, 0);
        come_from(&a, 0x0a0000ff + i * 256);
        a.ask.now_s += 3600;
        a.ask.random += 12345;
        assert_int_equal(members_in(&a, TREE, 0), first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_draws_have_their_shares),
        cmocka_unit_test(n_of_m_has_each_member_and_each_pair_as_often_as_the_line_says),
        cmocka_unit_test(coherent_draws_have_their_shares_and_meet_in_all_types),
        cmocka_unit_test(crossing_families_meet_as_often_as_they_can),
        cmocka_unit_test(a_coherent_draw_lasts_for_one_ttl),
        cmocka_unit_test(sticky_draws_have_the_shares_of_the_slots_and_meet_in_all_types),
        cmocka_unit_test(a_network_keeps_its_endpoint_whoever_in_it_asks),
    };
    return cmocka_run_group_tests(tests, open_stage, close_stage);
}
