// SPDX-License-Identifier: GPL-3.0-or-later
// Coherent cells: one u meets the same endpoint in A, AAAA, HTTPS and SVCB as often as the shares of the types
// allow, and the shares are those of a random draw.
#include "steerd/base/hash.h"
#include "steerd/world/cells.h"
#include "unit/policy/decide_support.h"

enum { TYPES = 4, ENDPOINTS = 9, ANSWERS = 3, ROUNDS = 400, SEED = 84, KINDS_OF_SETS = 3 };

static const uint16_t types[TYPES] = {STEER_TYPE_A, STEER_TYPE_AAAA, STEER_TYPE_HTTPS,
                                      STEER_TYPE_SVCB};

// Which types the endpoints have: each one those of a chain (a type only with all before it), or, beside A, any, or any.
enum sets { CHAIN, WITH_A, ANY };

struct bed {
    struct steer_catalog *catalog;
    struct steer_residuals *residuals;
    struct steer_cells *cells;
    struct moment moment;
    struct steer_view view;
    struct steer_rng rng;
    enum sets sets;
    bool has[ENDPOINTS][TYPES];
    char down[64];
};

static uint32_t number_of(void *ctx, const struct steer_object *endpoint)
{
    (void)ctx;
    return (uint32_t)(endpoint->name[0] - 'a') + 1;
}

static unsigned below(struct steer_rng *rng, unsigned n)
{
    return (unsigned)(steer_rng_next(rng) % n);
}

static void open_bed(struct bed *bed)
{
    bed->catalog = steer_catalog_create();
    bed->residuals = steer_residuals_create();
    bed->moment = (struct moment){0};
    bed->view = view_of(&bed->moment);
    assert_int_equal(steer_cells_create(number_of, NULL, bed->residuals, &bed->cells, NULL),
                     STEER_OK);
}

static void close_bed(struct bed *bed)
{
    steer_cells_destroy(bed->cells);
    assert_int_equal(steer_residuals_count(bed->residuals), 0);
    steer_residuals_destroy(bed->residuals);
    steer_catalog_unref(bed->catalog);
}

static struct steer_residual *resolve(struct bed *bed, const char *tree)
{
    const struct steer_location nowhere = at_place(NULL);
    return steer_residual_resolve(bed->residuals, bed->catalog, record(bed->catalog, tree),
                                  &(struct steer_client){.location = &nowhere}, NULL);
}

static const struct steer_list *acquire(struct bed *bed, struct steer_residual *r, uint16_t type,
                                        enum steer_draw draw, uint32_t *cell)
{
    assert_int_equal(steer_cells_acquire(bed->cells, &r, 1, type, draw, &bed->view, cell),
                     STEER_OK);
    return steer_tables_list(steer_cells_tables(bed->cells), *cell);
}

// ---- what is given -------------------------------------------------------------------------------

// The same for what gives several types: the set of endpoints, or the answer's number.
static uint32_t origin_of(const struct bed *bed, uint32_t line)
{
    const struct steer_answer_slot *slot =
        steer_tables_answer(steer_cells_tables(bed->cells), line);
    const uint32_t *endpoints =
        (const uint32_t *)((const uint8_t *)slot + steer_answer_slot_endpoints(slot->len));
    uint32_t set = 0;
    for (uint32_t i = 0; i < slot->endpoint_count; i++)
        set |= 1U << endpoints[i];
    return set ? set : 1U << 31 | slot->rrs[slot->len - 1]; // the data ends with the number
}

enum { ORIGINS_MAX = 256 };
struct widths {
    uint32_t origins[ORIGINS_MAX];
    uint64_t units[ORIGINS_MAX];
    unsigned count;
};

static uint64_t *width_at(struct widths *w, uint32_t origin)
{
    unsigned i = 0;
    while (i < w->count && w->origins[i] != origin)
        i++;
    if (i == w->count) {
        assert_true(i < ORIGINS_MAX);
        w->origins[w->count++] = origin;
        w->units[i] = 0;
    }
    return &w->units[i];
}

static void measure(const struct bed *bed, const struct steer_list *list, struct widths *w)
{
    uint64_t before = 0;
    w->count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        *width_at(w, origin_of(bed, list->entries[i].answer)) +=
            list->entries[i].upto + 1ULL - before;
        before = list->entries[i].upto + 1ULL;
    }
    assert_true(!list->count || before == 1ULL << 32);
}

// For how many u both lists give the same; *missed: for how many the first gives what the second may give too, and
// the second gives something else.
static uint64_t agreement(const struct bed *bed, const struct steer_list *a,
                          const struct steer_list *b, struct widths *of_b, uint64_t *missed)
{
    uint64_t same = 0;
    uint64_t at = 0;
    *missed = 0;
    for (uint32_t i = 0, k = 0; i < a->count && k < b->count;) {
        const uint32_t end =
            a->entries[i].upto < b->entries[k].upto ? a->entries[i].upto : b->entries[k].upto;
        const uint32_t x = origin_of(bed, a->entries[i].answer);
        const uint32_t y = origin_of(bed, b->entries[k].answer);
        assert_int_equal(a->entries[i].answer, steer_list_draw(a, end));
        assert_int_equal(b->entries[k].answer, steer_list_draw(b, end));
        if (x == y)
            same += end + 1ULL - at;
        else if (*width_at(of_b, x))
            *missed += end + 1ULL - at;
        at = end + 1ULL;
        i += a->entries[i].upto == end;
        k += b->entries[k].upto == end;
    }
    return same;
}

static uint64_t most_agreement(struct widths *a, struct widths *b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < a->count; i++) {
        const uint64_t other = *width_at(b, a->origins[i]);
        sum += a->units[i] < other ? a->units[i] : other;
    }
    return sum;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

// ---- trees ---------------------------------------------------------------------------------------

static void deal_endpoints(struct bed *bed)
{
    struct steer_rng *rng = &bed->rng;
    bed->sets = (enum sets)below(rng, KINDS_OF_SETS);
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        struct steer_buf json = {0};
        const char name[2] = {(char)('a' + i), '\0'};
        const unsigned first = below(rng, TYPES + 1);
        for (unsigned t = 0; t < TYPES; t++)
            bed->has[i][t] = bed->sets == CHAIN ? t < first || !t : below(rng, 3) > 0;
        bed->has[i][0] |= bed->sets == WITH_A || (!bed->has[i][0] && !bed->has[i][1]);
        steer_buf_printf(&json, "{\"site\":\"s\"");
        if (bed->has[i][0])
            steer_buf_printf(&json, ",\"ipv4\":\"192.0.2.%u\"", i);
        if (bed->has[i][1])
            steer_buf_printf(&json, ",\"ipv6\":\"2001:db8::%u\"", i);
        if (bed->has[i][2])
            steer_buf_puts(&json, ",\"https\":{}");
        if (bed->has[i][3])
            steer_buf_puts(&json, ",\"svcb\":{}");
        steer_buf_puts(&json, "}");
        put(bed->catalog, STEER_ENDPOINT, name, json.data);
        steer_buf_fini(&json);
    }
}

static void deal_pools(struct bed *bed, bool pick_many)
{
    for (unsigned p = 0; p < 4; p++) {
        struct steer_buf json = {0};
        const char name[3] = {'p', (char)('0' + p), '\0'};
        const char *between = "{\"endpoints\":{";
        for (unsigned i = 0; i < ENDPOINTS; i++) {
            if (i % 4 != p && below(&bed->rng, 2))
                continue;
            steer_buf_printf(&json, "%s\"%c\":%u", between, (char)('a' + i),
                             below(&bed->rng, 5) ? 1 + below(&bed->rng, 9) : 0);
            between = ",";
        }
        steer_buf_printf(&json, "}%s}", pick_many && below(&bed->rng, 2) ? ",\"pick\":2" : "");
        put(bed->catalog, STEER_POOL, name, json.data);
        steer_buf_fini(&json);
    }
}

static void deal_tree(struct bed *bed, unsigned depth, bool answers, struct steer_buf *text)
{
    const unsigned kind = below(&bed->rng, depth ? 6 : 3);
    if (kind == 0)
        steer_buf_printf(text, "{\"endpoint\":\"%c\"}", (char)('a' + below(&bed->rng, ENDPOINTS)));
    else if (kind == 1 && answers) // equal in A, different in AAAA: two answers all the same
        steer_buf_printf(text,
                         "{\"answer\":{\"A\":[\"192.0.2.%u\"],\"AAAA\":[\"2001:db8:1::%u\"]}}",
                         100 + below(&bed->rng, ANSWERS), 100 + below(&bed->rng, ANSWERS));
    else if (kind < 3)
        steer_buf_printf(text, "{\"pool\":\"p%u\"}", below(&bed->rng, 4));
    else {
        const unsigned count = 2 + below(&bed->rng, 3);
        steer_buf_puts(text, kind == 3 ? "{\"failover\":[" : "{\"weighted\":[");
        for (unsigned i = 0; i < count; i++) {
            steer_buf_puts(text, i ? "," : "");
            if (kind > 3)
                steer_buf_printf(text, "{\"weight\":%u,\"to\":", below(&bed->rng, 9));
            deal_tree(bed, depth - 1, answers, text);
            steer_buf_puts(text, kind > 3 ? "}" : "");
        }
        steer_buf_puts(text, kind > 3              ? "]}"
                             : below(&bed->rng, 2) ? "],\"trickle\":\"7%\"}"
                                                   : "]}");
    }
}

static void deal_health(struct bed *bed)
{
    bed->down[0] = '\0';
    for (unsigned i = 0; i < ENDPOINTS; i++)
        if (!below(&bed->rng, 4)) {
            const char word[3] = {(char)('a' + i), ' ', '\0'};
            strcat(bed->down, word);
        }
    bed->moment.down = bed->down;
}

// ---- the properties ------------------------------------------------------------------------------

struct line {
    const struct steer_list *list;
    uint32_t cell, random_cell;
    uint32_t outcomes; // of a random draw
    struct widths widths;
};

static void look(struct bed *bed, struct steer_residual *root, bool answers,
                 struct line lines[TYPES])
{
    for (unsigned t = 0; t < TYPES; t++) {
        struct line *l = &lines[t];
        struct widths random;
        const struct steer_list *list =
            acquire(bed, root, types[t], STEER_DRAW_RANDOM, &l->random_cell);
        measure(bed, list, &random);
        l->outcomes = list->count;
        l->list = acquire(bed, root, types[t], STEER_DRAW_COHERENT, &l->cell);
        measure(bed, l->list, &l->widths);
        assert_int_equal(l->widths.count, random.count);
        assert_int_equal(l->list->flags, list->flags);
        // To the unit; but equal answers of several nodes are rounded each for itself.
        for (unsigned i = 0; i < random.count; i++)
            assert_true(apart(random.units[i], *width_at(&l->widths, random.origins[i])) <=
                        (answers ? 8 : 0));
    }
}

static void judge(struct bed *bed, struct line lines[TYPES], bool single)
{
    unsigned first = 0;
    for (unsigned t = 1; t < TYPES; t++)
        if (lines[t].outcomes > lines[first].outcomes)
            first = t;
    for (unsigned a = 0; a < TYPES; a++)
        for (unsigned b = 0; b < TYPES; b++) {
            uint64_t missed;
            if (a == b || !lines[a].list->count || !lines[b].list->count)
                continue;
            const uint64_t same =
                agreement(bed, lines[a].list, lines[b].list, &lines[b].widths, &missed);
            const uint64_t most = most_agreement(&lines[a].widths, &lines[b].widths);
            assert_true(same <= most);
            if (a == first || b == first)
                assert_true(same == most);
            // In a chain, and where there are no sets: all pairs, and what A gives is met in each type it has.
            if (bed->sets == CHAIN && single) {
                assert_true(most - same < 64);
                assert_true(a > b || missed < 64);
            }
        }
}

// Sticky draws meet too: in a chain, a network whose A is an endpoint has it in each type that the endpoint has.
static void judge_sticky(struct bed *bed, struct steer_residual *root)
{
    const struct steer_tables *tables = steer_cells_tables(bed->cells);
    const struct steer_list *lists[TYPES];
    uint32_t cells[TYPES];
    for (unsigned t = 0; t < TYPES; t++)
        lists[t] = acquire(bed, root, types[t], STEER_DRAW_STICKY, &cells[t]);
    for (unsigned t = 1; t < TYPES && lists[0]->count; t++) {
        struct widths given;
        measure(bed, lists[t], &given);
        for (unsigned slot = 0; slot < STEER_SLOTS && lists[t]->count; slot++) {
            const uint32_t a = origin_of(bed, steer_list_owner(tables, lists[0], (uint16_t)slot));
            const uint32_t b = origin_of(bed, steer_list_owner(tables, lists[t], (uint16_t)slot));
            assert_true(a == b || !*width_at(&given, a));
        }
    }
    for (unsigned t = 0; t < TYPES; t++)
        steer_cells_release(bed->cells, cells[t]);
}

static void play(struct bed *bed, bool answers, bool pick_many)
{
    struct steer_buf tree = {0};
    deal_endpoints(bed);
    deal_pools(bed, pick_many);
    deal_tree(bed, 3, answers, &tree);
    struct steer_residual *root = resolve(bed, tree.data);
    struct line lines[TYPES];
    look(bed, root, answers, lines);
    for (unsigned moment = 0; moment < 3; moment++) {
        // Told of the change, the cells there are hold what new ones would.
        deal_health(bed);
        struct line fresh[TYPES];
        steer_cells_refresh_all(bed->cells, &bed->view);
        look(bed, root, answers, fresh);
        if (!answers)
            judge(bed, fresh, !pick_many);
        if (!answers && !pick_many && bed->sets == CHAIN && !moment)
            judge_sticky(bed, root);
        for (unsigned t = 0; t < TYPES; t++) {
            assert_int_equal(fresh[t].cell, lines[t].cell);
            steer_cells_release(bed->cells, fresh[t].cell);
            steer_cells_release(bed->cells, fresh[t].random_cell);
        }
    }
    for (unsigned t = 0; t < TYPES; t++) {
        steer_cells_release(bed->cells, lines[t].cell);
        steer_cells_release(bed->cells, lines[t].random_cell);
    }
    steer_residual_unref(bed->residuals, root);
    steer_buf_fini(&tree);
}

static void shares_are_kept_and_types_agree_as_often_as_they_can(void **state)
{
    (void)state;
    struct bed bed;
    steer_rng_init(&bed.rng, SEED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        open_bed(&bed);
        put(bed.catalog, STEER_SITE, "s", "{\"at\":\"EU-DE\"}");
        play(&bed, round % 4 == 3, round % 4 == 2);
        close_bed(&bed);
    }
}

// ---- by hand -------------------------------------------------------------------------------------

// "a 25% b 75%": the list as it lies, widths in percent.
static void expect(struct bed *bed, const char *tree, uint16_t type, const char *text)
{
    struct steer_residual *root = resolve(bed, tree);
    struct steer_buf out = {0};
    uint32_t cell;
    const struct steer_list *list = acquire(bed, root, type, STEER_DRAW_COHERENT, &cell);
    uint64_t before = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const uint64_t upto = list->entries[i].upto + 1ULL;
        const uint32_t origin = origin_of(bed, list->entries[i].answer);
        steer_buf_puts(&out, i ? " " : "");
        if (origin >> 31)
            steer_buf_printf(&out, "%u", origin & 255);
        for (unsigned n = 1; n <= ENDPOINTS && !(origin >> 31); n++)
            if (origin >> n & 1)
                steer_buf_printf(&out, "%c", (char)('a' + n - 1));
        steer_buf_printf(&out, " %.4g%%", (double)(upto - before) / 4294967296.0 * 100);
        before = upto;
    }
    assert_string_equal(list->count ? out.data : "", text);
    steer_buf_fini(&out);
    steer_cells_release(bed->cells, cell);
    steer_residual_unref(bed->residuals, root);
}

static void put_endpoint(struct bed *bed, char name, bool v4, bool v6, const char *more)
{
    struct steer_buf json = {0};
    const char text[2] = {name, '\0'};
    steer_buf_printf(&json, "{%s%s%s%s}", v4 ? "\"ipv4\":\"192.0.2.1\"" : "", v4 && v6 ? "," : "",
                     v6 ? "\"ipv6\":\"2001:db8::1\"" : "", more);
    put(bed->catalog, STEER_ENDPOINT, text, json.data);
    steer_buf_fini(&json);
}

static void a_member_without_the_type_leaves_its_part_to_the_others(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    put_endpoint(&bed, 'a', true, true, "");
    put_endpoint(&bed, 'b', true, false, "");
    put_endpoint(&bed, 'c', true, true, ",\"https\":{}");
    put_endpoint(&bed, 'd', true, true, "");
    put(bed.catalog, STEER_POOL, "p", "{\"endpoints\":{\"a\":1,\"b\":2,\"c\":1}}");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_A, "a 25% b 50% c 25%");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_AAAA, "a 50% c 50%");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_HTTPS, "c 100%");
    put(bed.catalog, STEER_POOL, "p", "{\"endpoints\":{\"a\":1,\"b\":2,\"c\":2,\"d\":3}}");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_A, "a 12.5% b 25% c 25% d 37.5%");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_AAAA, "a 16.67% c 8.333% d 12.5% c 25% d 37.5%");
    put_endpoint(&bed, 'b', true, true, "");
    put_endpoint(&bed, 'c', true, false, "");
    put(bed.catalog, STEER_POOL, "p", "{\"endpoints\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1}}");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_AAAA, "a 25% b 25% a 8.333% b 8.333% d 33.33%");
    close_bed(&bed);
}

// One family each, beside one with both: A and AAAA can meet in it only as often as the rarer one gives it.
static void families_that_cross_agree_as_often_as_the_rarer_share(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    put_endpoint(&bed, 'a', true, true, "");
    put_endpoint(&bed, 'b', true, false, "");
    put_endpoint(&bed, 'c', false, true, "");
    put(bed.catalog, STEER_POOL, "p", "{\"endpoints\":{\"a\":1,\"b\":1,\"c\":3}}");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_A, "a 50% b 50%");
    expect(&bed, "{\"pool\":\"p\"}", STEER_TYPE_AAAA, "a 25% c 75%");
    close_bed(&bed);
}

static void answers_that_are_equal_in_one_type_are_told_apart_in_the_other(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    const char *tree =
        "{\"weighted\":["
        "{\"weight\":1,\"to\":{\"answer\":{\"A\":[\"192.0.2.1\"],\"AAAA\":[\"2001:db8::1\"]}}},"
        "{\"weight\":1,\"to\":{\"answer\":{\"A\":[\"192.0.2.2\"],\"AAAA\":[\"2001:db8::2\"]}}},"
        "{\"weight\":2,\"to\":{\"answer\":{\"A\":[\"192.0.2.1\"],\"AAAA\":[\"2001:db8::3\"]}}}]}";
    expect(&bed, tree, STEER_TYPE_A, "1 25% 2 25% 1 50%");
    expect(&bed, tree, STEER_TYPE_AAAA, "1 25% 2 25% 3 50%");
    close_bed(&bed);
}

// Where no leaf has one type without another there is nothing to settle.
static void cells_whose_types_are_alike_are_those_of_random_draws(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    struct steer_cells_stats stats;
    uint32_t random, coherent;
    put_endpoint(&bed, 'a', true, true, "");
    put_endpoint(&bed, 'b', true, true, "");
    put_endpoint(&bed, 'c', true, false, "");
    put(bed.catalog, STEER_POOL, "p", "{\"endpoints\":{\"a\":1,\"b\":2}}");
    put(bed.catalog, STEER_POOL, "q", "{\"endpoints\":{\"a\":1,\"c\":2}}");
    struct steer_residual *p = resolve(&bed, "{\"pool\":\"p\"}");
    struct steer_residual *q = resolve(&bed, "{\"pool\":\"q\"}");
    acquire(&bed, p, STEER_TYPE_A, STEER_DRAW_RANDOM, &random);
    acquire(&bed, p, STEER_TYPE_A, STEER_DRAW_COHERENT, &coherent);
    assert_int_equal(random, coherent);
    steer_cells_release(bed.cells, random);
    steer_cells_release(bed.cells, coherent);
    acquire(&bed, q, STEER_TYPE_A, STEER_DRAW_RANDOM, &random);
    acquire(&bed, q, STEER_TYPE_A, STEER_DRAW_COHERENT, &coherent);
    assert_int_not_equal(random, coherent);
    steer_cells_stats(bed.cells, &stats);
    assert_int_equal(stats.cells, 2);
    steer_cells_release(bed.cells, random);
    steer_cells_release(bed.cells, coherent);
    steer_residual_unref(bed.residuals, p);
    steer_residual_unref(bed.residuals, q);
    close_bed(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_kept_and_types_agree_as_often_as_they_can),
        cmocka_unit_test(a_member_without_the_type_leaves_its_part_to_the_others),
        cmocka_unit_test(families_that_cross_agree_as_often_as_the_rarer_share),
        cmocka_unit_test(answers_that_are_equal_in_one_type_are_told_apart_in_the_other),
        cmocka_unit_test(cells_whose_types_are_alike_are_those_of_random_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
