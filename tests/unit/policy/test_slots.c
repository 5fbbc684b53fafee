// SPDX-License-Identifier: GPL-3.0-or-later
// Sticky draws: who owns the slots, and which of them move when weights or health change.
#include "unit/policy/decide_support.h"

#include <math.h>

#include "steerd/base/hash.h"

enum { SEED = 20262, ROUNDS = 40, SIGMAS = 5 };

struct bed {
    struct steer_residuals *store;
    struct steer_catalog *catalog;
};

static int open_bed(void **state)
{
    struct bed *bed = steer_calloc(1, sizeof *bed);
    bed->store = steer_residuals_create();
    bed->catalog = small_catalog();
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(steer_residuals_count(bed->store), 0);
    steer_residuals_destroy(bed->store);
    steer_catalog_unref(bed->catalog);
    free(bed);
    return 0;
}

// The owner of each slot: the first letter of the endpoint's name, '=' for a fixed answer, 0: nothing to give.
struct slots {
    char owner[STEER_SLOTS];
    double share[128]; // by the slots, as the outcomes have it
};

static struct steer_residual *resolve(struct bed *bed, const char *tree)
{
    struct steer_location nowhere = at_place(NULL);
    return steer_residual_resolve(bed->store, bed->catalog, record(bed->catalog, tree),
                                  &(struct steer_client){.location = &nowhere}, NULL);
}

static void look(struct bed *bed, const char *tree, const char *down, uint16_t type,
                 struct slots *slots)
{
    struct moment moment = {.down = down};
    struct steer_view view = view_of(&moment);
    struct steer_residual *root = resolve(bed, tree);
    struct steer_distribution d;
    memset(slots, 0, sizeof *slots);
    steer_decide_sticky(root, &view, type, &d, NULL);
    assert_int_equal(d.slots != NULL, d.count > 1);
    for (unsigned i = 0; d.count && i < STEER_SLOTS; i++) {
        const struct steer_outcome *o = &d.outcomes[d.slots ? d.slots[i] : 0];
        slots->owner[i] = o->fixed ? '=' : o->endpoints[0]->name[0];
    }
    for (uint32_t i = 0; i < d.count; i++) {
        const struct steer_outcome *o = &d.outcomes[i];
        slots->share[o->fixed ? '=' : (int)o->endpoints[0]->name[0]] += steer_share_value(o->share);
    }
    steer_distribution_fini(&d);
    steer_residual_unref(bed->store, root);
}

static unsigned owned(const struct slots *slots, char owner)
{
    unsigned count = 0;
    for (unsigned i = 0; i < STEER_SLOTS; i++)
        count += slots->owner[i] == owner;
    return count;
}

// How many slots went from any of `from` to any of `to` ("": any).
static unsigned moved(const struct slots *before, const struct slots *after, const char *from,
                      const char *to)
{
    unsigned count = 0;
    for (unsigned i = 0; i < STEER_SLOTS; i++)
        count += before->owner[i] != after->owner[i] &&
                 (!*from || strchr(from, before->owner[i])) &&
                 (!*to || strchr(to, after->owner[i]));
    return count;
}

static unsigned all_moved(const struct slots *before, const struct slots *after)
{
    return moved(before, after, "", "");
}

static unsigned below(struct steer_rng *rng, unsigned limit)
{
    return (unsigned)(steer_rng_next(rng) >> 33) % limit;
}

static void put_pool(struct bed *bed, const unsigned weights[6])
{
    struct steer_buf json = {0};
    for (unsigned i = 0; i < 6; i++)
        steer_buf_printf(&json, "%s\"%c\":%u", i ? "," : "{\"endpoints\":{", (char)('a' + i),
                         weights[i]);
    steer_buf_puts(&json, "}}");
    put(bed->catalog, STEER_POOL, "p", json.data);
    steer_buf_fini(&json);
}

// Half and half has the largest error. It stands in the documentation (decision 0085): a third of a point as a rule,
// seldom more than one.
static void the_error_of_shares_is_as_documented(void **state)
{
    struct bed *bed = *state;
    struct slots slots;
    const unsigned rounds = 300;
    double squares = 0;
    unsigned large = 0;
    for (unsigned round = 0; round < rounds; round++) {
        char tree[160], first[32], second[32];
        snprintf(first, sizeof first, "a%u", round);
        snprintf(second, sizeof second, "b%u", round);
        put(bed->catalog, STEER_ENDPOINT, first, "{\"ipv4\":\"192.0.2.101\"}");
        put(bed->catalog, STEER_ENDPOINT, second, "{\"ipv4\":\"192.0.2.102\"}");
        snprintf(tree, sizeof tree,
                 "{\"weighted\":[{\"weight\":7,\"to\":{\"endpoint\":\"%s\"}},{\"weight\":7,\"to\":"
                 "{\"endpoint\":\"%s\"}}]}",
                 first, second);
        look(bed, tree, NULL, STEER_TYPE_A, &slots);
        const double error = fabs(slots.share['a'] - 0.5) * 100;
        squares += error * error;
        large += error > 1;
    }
    assert_true(sqrt(squares / rounds) < 0.35);
    assert_true(large * 100 <= rounds);
}

static void slots_follow_the_weights(void **state)
{
    struct bed *bed = *state;
    struct steer_rng rng;
    struct slots slots;
    steer_rng_init(&rng, SEED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned weights[6];
        unsigned sum = 0;
        for (unsigned i = 0; i < 6; i++)
            sum += weights[i] = 1 + below(&rng, round % 2 ? 65535 : 5);
        put_pool(bed, weights);
        look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &slots);
        for (unsigned i = 0; i < 6; i++) {
            const double p = (double)weights[i] / sum;
            const double mean = p * STEER_SLOTS;
            const unsigned count = owned(&slots, (char)('a' + i));
            assert_true(fabs(count - mean) <= SIGMAS * sqrt(mean * (1 - p)) + 1);
            assert_true(fabs(slots.share['a' + i] * STEER_SLOTS - count) < 1e-6);
        }
    }
}

static void a_changed_weight_moves_no_more_than_its_share(void **state)
{
    struct bed *bed = *state;
    struct steer_rng rng;
    struct slots before, after;
    steer_rng_init(&rng, SEED + 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned weights[6];
        for (unsigned i = 0; i < 6; i++)
            weights[i] = 1 + below(&rng, 100);
        put_pool(bed, weights);
        look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &before);
        const unsigned which = below(&rng, 6);
        const char name[2] = {(char)('a' + which), '\0'};
        weights[which] = below(&rng, 8) ? 1 + below(&rng, 200) : 0;
        put_pool(bed, weights);
        look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &after);
        // What moves, moves to it or from it, never both, and never between the others.
        const unsigned to = moved(&before, &after, "", name);
        const unsigned from = moved(&before, &after, name, "");
        assert_int_equal(all_moved(&before, &after), to + from);
        assert_true(to == 0 || from == 0);
        assert_int_equal((int)owned(&after, name[0]) - (int)owned(&before, name[0]),
                         (int)to - (int)from);
    }
}

static void who_leaves_takes_nothing_else_along(void **state)
{
    struct bed *bed = *state;
    struct slots before, after, back;
    static const unsigned weights[6] = {5, 1, 9, 3, 3, 2};
    put_pool(bed, weights);
    look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &before);
    look(bed, "{\"pool\":\"p\"}", "a d", STEER_TYPE_A, &after);
    assert_int_equal(all_moved(&before, &after), owned(&before, 'a') + owned(&before, 'd'));
    look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &back);
    assert_int_equal(all_moved(&before, &back), 0);
}

#define NESTED                                                                                     \
    "{\"weighted\":[{\"weight\":2,\"to\":{\"weighted\":[{\"weight\":%u,\"to\":{\"endpoint\":"      \
    "\"a\"}},"                                                                                     \
    "{\"weight\":1,\"to\":{\"endpoint\":\"b\"}}]}},{\"weight\":1,\"to\":{\"endpoint\":\"a\"}},"    \
    "{\"weight\":%u,\"to\":{\"failover\":[{\"endpoint\":\"c\"},{\"pool\":\"p\"}],\"trickle\":"     \
    "\"10%%\"}},"                                                                                  \
    "{\"weight\":1,\"to\":{\"answer\":{\"A\":[\"192.0.2.99\"]}}}]}"

static void a_change_inside_a_branch_stays_in_it(void **state)
{
    struct bed *bed = *state;
    struct slots before, after;
    char tree[700];
    static const unsigned weights[6] = {0, 0, 0, 1, 1, 1};
    put_pool(bed, weights);
    snprintf(tree, sizeof tree, NESTED, 1U, 2U);
    look(bed, tree, NULL, STEER_TYPE_A, &before);
    assert_true(fabs(before.share['a'] - 1.0 / 3) < 0.02);
    assert_true(fabs(before.share['b'] - 1.0 / 6) < 0.02);
    assert_true(fabs(before.share['c'] - 0.3) < 0.02);
    assert_true(fabs(before.share['='] - 1.0 / 6) < 0.02);
    // b is down: its slots go to a in its own branch, and nothing else moves.
    look(bed, tree, "b", STEER_TYPE_A, &after);
    assert_int_equal(moved(&before, &after, "b", "a"), owned(&before, 'b'));
    assert_int_equal(all_moved(&before, &after), owned(&before, 'b'));
    // c is down: the pool takes its slots, and keeps those it had.
    look(bed, tree, "c", STEER_TYPE_A, &after);
    assert_int_equal(moved(&before, &after, "c", "def"), owned(&before, 'c'));
    assert_int_equal(all_moved(&before, &after), owned(&before, 'c'));
    // Another weight inside the first branch.
    snprintf(tree, sizeof tree, NESTED, 3U, 2U);
    look(bed, tree, NULL, STEER_TYPE_A, &after);
    assert_int_equal(all_moved(&before, &after), moved(&before, &after, "b", "a"));
    assert_true(all_moved(&before, &after) > STEER_SLOTS / 20);
    // Another weight of the third: whatever moves, moves to or from it.
    snprintf(tree, sizeof tree, NESTED, 1U, 3U);
    look(bed, tree, NULL, STEER_TYPE_A, &after);
    assert_int_equal(all_moved(&before, &after), moved(&before, &after, "ab=", "cdef"));
}

static void branches_that_begin_alike_are_told_apart(void **state)
{
    struct bed *bed = *state;
    struct slots slots;
    look(bed,
         "{\"weighted\":[{\"weight\":1,\"to\":{\"failover\":[{\"endpoint\":\"a\"},{\"endpoint\":"
         "\"b\"}]}},{\"weight\":1,\"to\":{\"failover\":[{\"endpoint\":\"a\"},{\"endpoint\":\"c\"}]}"
         "}]}",
         "a", STEER_TYPE_A, &slots);
    assert_true(fabs(slots.share['b'] - 0.5) < 0.01);
    assert_true(fabs(slots.share['c'] - 0.5) < 0.01);
}

// b stands beside a branch that holds b too: who lost against it above must not lose again below.
static void choices_on_one_way_are_independent(void **state)
{
    struct bed *bed = *state;
    struct slots slots;
    look(bed,
         "{\"weighted\":[{\"weight\":1,\"to\":{\"weighted\":[{\"weight\":1,\"to\":{\"endpoint\":"
         "\"a\"}},"
         "{\"weight\":1,\"to\":{\"endpoint\":\"b\"}}]}},{\"weight\":1,\"to\":{\"endpoint\":\"b\"}}]"
         "}",
         NULL, STEER_TYPE_A, &slots);
    assert_true(fabs(slots.share['a'] - 0.25) < 0.015);
}

static void both_families_have_the_same_owners_where_they_can(void **state)
{
    struct bed *bed = *state;
    struct slots a, aaaa;
    static const unsigned weights[6] = {5, 1, 9, 3, 3, 2};
    put_pool(bed, weights);
    look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_A, &a);
    look(bed, "{\"pool\":\"p\"}", NULL, STEER_TYPE_AAAA, &aaaa);
    assert_int_equal(all_moved(&a, &aaaa), 0);
    put(bed->catalog, STEER_ENDPOINT, "v", "{\"ipv4\":\"192.0.2.50\"}");
    put(bed->catalog, STEER_POOL, "part", "{\"endpoints\":{\"a\":1,\"v\":2,\"c\":1}}");
    look(bed, "{\"pool\":\"part\"}", NULL, STEER_TYPE_A, &a);
    look(bed, "{\"pool\":\"part\"}", NULL, STEER_TYPE_AAAA, &aaaa);
    assert_int_equal(all_moved(&a, &aaaa), owned(&a, 'v'));
}

static void n_of_m_owns_slots_together(void **state)
{
    struct bed *bed = *state;
    struct moment moment = {0};
    struct steer_view view = view_of(&moment);
    struct steer_residual *root = resolve(bed, "{\"pool\":\"two\"}");
    struct steer_distribution d;
    steer_decide_sticky(root, &view, STEER_TYPE_A, &d, NULL);
    assert_int_equal(d.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(d.outcomes[i].endpoint_count, 2);
        assert_true(fabs(steer_share_value(d.outcomes[i].share) - 0.5) < 0.04);
    }
    steer_distribution_fini(&d);
    steer_residual_unref(bed->store, root);
}

// Where it says that there is nothing to draw, no state of health leaves a choice; where it says there
// is, one does.
static void it_is_known_beforehand_whether_there_is_a_choice(void **state)
{
    static const struct {
        const char *tree;
        bool a, aaaa;
    } rows[] = {
        {"{\"endpoint\":\"a\"}", false, false},
        {"{\"pool\":\"a\"}", false, false},
        {"{\"pool\":\"ab91\"}", true, true},
        {"{\"pool\":\"spare\"}", true, true},      // b or c, once a is down
        {"{\"pool\":\"spare-v4\"}", false, false}, // v4, or else a
        {"{\"pool\":\"all3\"}", false, false},
        {"{\"pool\":\"all2\"}", true, true},
        {"{\"pool\":\"two\"}", true, true},
        {"{\"failover\":[{\"pool\":\"a\"},{\"pool\":\"b\"}]}", false, false},
        {"{\"failover\":[{\"pool\":\"a\"},{\"pool\":\"b\"}],\"trickle\":\"5%\"}", true, true},
        {"{\"failover\":[{\"pool\":\"a\"},{\"endpoint\":\"v4\"}],\"trickle\":\"5%\"}", true, false},
        {"{\"weighted\":[{\"weight\":1,\"to\":{\"endpoint\":\"v4\"}},{\"weight\":1,\"to\":{"
         "\"endpoint\":\"v6\"}}]}",
         false, false},
        {"{\"weighted\":[{\"weight\":1,\"to\":{\"endpoint\":\"a\"}},{\"weight\":0,\"to\":{"
         "\"endpoint\":\"b\"}}]}",
         false, false},
        {"{\"endpoint\":\"d\",\"when_unavailable\":{\"pool\":\"ab91\"}}", true, true},
        {"{\"weighted\":[{\"weight\":1,\"to\":{\"answer\":{\"A\":[\"192.0.2.9\"]}}},{\"weight\":1,"
         "\"to\":{\"endpoint\":\"b\"}}]}",
         true, false},
    };
    static const char *const down[] = {NULL, "a", "b", "c", "v4", "d", "a b", "a c", "b c", "a v4"};
    struct bed *bed = *state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_residual *root = resolve(bed, rows[i].tree);
        for (unsigned v6 = 0; v6 < 2; v6++) {
            const uint16_t type = v6 ? STEER_TYPE_AAAA : STEER_TYPE_A;
            bool met = false;
            for (size_t k = 0; k < STEER_ARRAY_LEN(down); k++) {
                struct moment moment = {.down = down[k]};
                struct steer_view view = view_of(&moment);
                struct steer_distribution d;
                steer_decide(root, &view, type, &d, NULL);
                met |= d.count > 1;
                steer_distribution_fini(&d);
            }
            assert_int_equal(met, v6 ? rows[i].aaaa : rows[i].a);
            assert_int_equal(steer_residual_draws(root, type), met);
        }
        steer_residual_unref(bed->store, root);
    }
}

// Ten ways to the same policy on each of fourteen levels.
static void shared_parts_are_looked_at_once(void **state)
{
    struct bed *bed = *state;
    put(bed->catalog, STEER_POLICY, "p0",
        "{\"failover\":[{\"endpoint\":\"a\"},{\"endpoint\":\"b\"}]}");
    for (unsigned i = 1; i < 14; i++) {
        char name[8];
        struct steer_buf json = {0};
        snprintf(name, sizeof name, "p%u", i);
        for (unsigned k = 0; k < 10; k++)
            steer_buf_printf(&json, "%s{\"use\":\"p%u\"}", k ? "," : "{\"failover\":[", i - 1);
        steer_buf_puts(&json, "]}");
        put(bed->catalog, STEER_POLICY, name, json.data);
        steer_buf_fini(&json);
    }
    struct steer_residual *root = resolve(bed, "{\"use\":\"p13\"}");
    assert_false(steer_residual_draws(root, STEER_TYPE_A));
    assert_false(steer_residual_gives(root, STEER_TYPE_TXT));
    assert_true(steer_residual_gives(root, STEER_TYPE_MX));
    steer_residual_unref(bed->store, root);
}

// What is given in the place of a child draws for itself, whatever that child was chosen by.
static void a_substitute_draws_independently(void **state)
{
    struct bed *bed = *state;
    struct slots slots;
    // The root knows its first child as `a`; its substitute, as high as the root, has a child of that name.
    look(bed,
         "{\"weighted\":[{\"weight\":1,\"to\":{\"weighted\":[{\"weight\":1,\"to\":{\"endpoint\":"
         "\"a\"}},"
         "{\"weight\":1,\"to\":{\"endpoint\":\"b\"}}],\"when_unavailable\":"
         "{\"weighted\":[{\"weight\":1,\"to\":{\"weighted\":[{\"weight\":1,\"to\":{\"endpoint\":"
         "\"a\"}},"
         "{\"weight\":1,\"to\":{\"endpoint\":\"c\"}}]}},{\"weight\":1,\"to\":{\"endpoint\":\"d\"}}]"
         "}}},"
         "{\"weight\":1,\"to\":{\"endpoint\":\"e\"}}]}",
         "a b", STEER_TYPE_A, &slots);
    assert_int_equal(owned(&slots, 'a') + owned(&slots, 'b'), 0);
    assert_float_equal(slots.share['e'], 0.5, 0.05);
    assert_float_equal(slots.share['c'], 0.25, 0.04);
    assert_float_equal(slots.share['d'], 0.25, 0.04);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_follow_the_weights),
        cmocka_unit_test(the_error_of_shares_is_as_documented),
        cmocka_unit_test(a_changed_weight_moves_no_more_than_its_share),
        cmocka_unit_test(who_leaves_takes_nothing_else_along),
        cmocka_unit_test(a_change_inside_a_branch_stays_in_it),
        cmocka_unit_test(branches_that_begin_alike_are_told_apart),
        cmocka_unit_test(choices_on_one_way_are_independent),
        cmocka_unit_test(a_substitute_draws_independently),
        cmocka_unit_test(both_families_have_the_same_owners_where_they_can),
        cmocka_unit_test(n_of_m_owns_slots_together),
        cmocka_unit_test(it_is_known_beforehand_whether_there_is_a_choice),
        cmocka_unit_test(shared_parts_are_looked_at_once),
    };
    return cmocka_run_group_tests(tests, open_bed, close_bed);
}
