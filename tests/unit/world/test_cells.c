// SPDX-License-Identifier: GPL-3.0-or-later
// The keeper of the cells: what they hold is what the evaluator says, and nothing is kept too long or too
// short.
#include "steerd/base/hash.h"
#include "steerd/world/cells.h"
#include "unit/policy/decide_support.h"

enum { A = STEER_TYPE_A, AAAA = STEER_TYPE_AAAA, LIVE_MAX = 64 };

struct bed {
    struct steer_catalog *catalog;
    struct steer_residuals *residuals;
    struct steer_cells *cells;
    const struct steer_tables *tables;
    struct moment moment;
    struct steer_view view;
};

// "a" -> 'a', "e17" -> 1017
static uint32_t number_of(void *ctx, const struct steer_object *endpoint)
{
    (void)ctx;
    const char *name = endpoint->name;
    return name[0] == 'e' && name[1] ? 1000 + (uint32_t)atoi(name + 1) : (uint32_t)name[0];
}

static int open_bed(void **state)
{
    struct bed *bed = steer_calloc(1, sizeof *bed);
    bed->catalog = small_catalog();
    bed->residuals = steer_residuals_create();
    bed->view = view_of(&bed->moment);
    assert_int_equal(steer_cells_create(number_of, NULL, bed->residuals, &bed->cells, NULL),
                     STEER_OK);
    bed->tables = steer_cells_tables(bed->cells);
    *state = bed;
    return 0;
}

// Residuals count their users: whatever the keeper did not let go of shows here.
static int close_bed(void **state)
{
    struct bed *bed = *state;
    steer_cells_destroy(bed->cells);
    assert_int_equal(steer_residuals_count(bed->residuals), 0);
    steer_residuals_destroy(bed->residuals);
    steer_catalog_unref(bed->catalog);
    free(bed);
    return 0;
}

static struct steer_residual *residual(struct bed *bed, const char *tree)
{
    const struct steer_location nowhere = at_place(NULL);
    return steer_residual_resolve(bed->residuals, bed->catalog, record(bed->catalog, tree),
                                  &(struct steer_client){.location = &nowhere}, NULL);
}

static uint32_t acquire(struct bed *bed, const char *tree, uint16_t type)
{
    struct steer_residual *r = residual(bed, tree);
    uint32_t cell = UINT32_MAX;
    assert_int_equal(
        steer_cells_acquire(bed->cells, &r, 1, type, STEER_DRAW_RANDOM, &bed->view, &cell),
        STEER_OK);
    steer_residual_unref(bed->residuals, r); // the cell holds its own
    return cell;
}

static const struct steer_list *list_of(const struct bed *bed, uint32_t cell)
{
    return steer_tables_list(bed->tables, cell);
}

static struct steer_cells_stats stats_of(const struct bed *bed)
{
    struct steer_cells_stats stats;
    steer_cells_stats(bed->cells, &stats);
    return stats;
}

// Every list covers [0, 2^32) without a gap, and draws at each border give what stands there.
static void check_list(const struct bed *bed, const struct steer_list *list)
{
    uint64_t before = 0; // the first u of the entry
    for (uint32_t i = 0; i < list->count; i++) {
        const struct steer_list_entry *e = &list->entries[i];
        assert_true(e->upto >= before);
        assert_int_equal(steer_list_draw(list, (uint32_t)before), e->answer);
        assert_int_equal(steer_list_draw(list, e->upto), e->answer);
        assert_int_equal(steer_list_draw(list, (uint32_t)(before + (e->upto - before) / 2)),
                         e->answer);
        assert_true(steer_tables_answer(bed->tables, e->answer)->count > 0);
        before = (uint64_t)e->upto + 1;
    }
    assert_true(list->count == 0 || before == UINT64_C(1) << 32);
}

// The slot must hold what the evaluator's outcome is when rendered: RRs, stride, TTL cap, endpoints.
static void check_slot(const struct bed *bed, uint32_t line, const struct steer_outcome *outcome,
                       uint16_t type)
{
    const struct steer_answer_slot *slot = steer_tables_answer(bed->tables, line);
    struct steer_buf rrs = {0};
    assert_int_equal(slot->count, steer_outcome_render(outcome, type, &rrs));
    assert_int_equal(slot->len, rrs.len);
    assert_memory_equal(slot->rrs, rrs.data, rrs.len);
    assert_int_equal(slot->ttl_cap_s, outcome->ttl_cap_s ? outcome->ttl_cap_s : UINT32_MAX);
    if (type != STEER_TYPE_CNAME)
        assert_int_equal(slot->stride, type == A ? 16 : 28);
    assert_int_equal(slot->endpoint_count, outcome->endpoint_count);
    const uint32_t *numbers =
        (const uint32_t *)((const uint8_t *)slot + steer_answer_slot_endpoints(slot->len));
    for (uint32_t i = 0; i < slot->endpoint_count; i++)
        assert_int_equal(numbers[i], number_of(NULL, outcome->endpoints[i]));
    steer_buf_fini(&rrs);
}

// The judge: the evaluator asked afresh. Each entry's width is its exact share, rounded at its borders.
static void check_drawn(struct bed *bed, uint32_t cell, struct steer_residual *r, uint16_t type,
                        enum steer_draw draw)
{
    const bool sticky = draw == STEER_DRAW_STICKY;
    const struct steer_list *list = list_of(bed, cell);
    struct steer_distribution d;
    struct moment then = bed->moment;
    const struct steer_view view = view_of(&then);
    (sticky ? steer_decide_sticky : steer_decide)(r, &view, type, &d, NULL);
    assert_int_equal(list->flags,
                     (d.served_all ? STEER_LIST_SERVED_ALL : 0) |
                         (d.exhausted ? STEER_LIST_EXHAUSTED : 0) |
                         (sticky && steer_residual_draws(r, type) ? STEER_LIST_STICKY : 0) |
                         (d.slots ? STEER_LIST_SLOTS : 0));
    for (unsigned slot = 0; sticky && d.count && slot < STEER_SLOTS; slot++)
        assert_int_equal(steer_list_owner(bed->tables, list, (uint16_t)slot),
                         list->entries[d.slots ? d.slots[slot] : 0].answer);
    check_list(bed, list);
    if (draw == STEER_DRAW_COHERENT) { // the order is another one: test_coherent.c
        steer_distribution_fini(&d);
        return;
    }
    struct steer_share sum = {0, 1};
    uint32_t at = 0;
    uint64_t before = 0;
    for (uint32_t i = 0; i < d.count; i++) {
        sum = steer_share_add(sum, d.outcomes[i].share);
        const double exact = (double)sum.num / (double)sum.den * 4294967296.0;
        if (i + 1 < d.count && exact - (double)before < 0.5)
            continue; // it has no u of its own
        assert_true(at < list->count);
        assert_true(list->entries[at].upto + 1.0 - exact <= 0.5 + 1e-5);
        assert_true(exact - (list->entries[at].upto + 1.0) <= 0.5 + 1e-5);
        check_slot(bed, list->entries[at].answer, &d.outcomes[i], type);
        before = (uint64_t)list->entries[at].upto + 1;
        at++;
    }
    assert_int_equal(at, list->count);
    steer_distribution_fini(&d);
}

static void check_cell(struct bed *bed, uint32_t cell, struct steer_residual *r, uint16_t type)
{
    check_drawn(bed, cell, r, type, STEER_DRAW_RANDOM);
}

// ---- sharing -------------------------------------------------------------------------------------

static void equal_expressions_share_one_cell(void **state)
{
    struct bed *bed = *state;
    const char *tree = "{\"failover\":[{\"pool\":\"ab91\"},{\"pool\":\"c\"}]}";
    const uint32_t first = acquire(bed, tree, A);
    assert_int_equal(acquire(bed, tree, A), first);
    assert_int_not_equal(acquire(bed, tree, AAAA), first);
    assert_int_equal(stats_of(bed).cells, 2);
    assert_int_equal(stats_of(bed).evaluations, 2);
    steer_cells_release(bed->cells, first);
    assert_int_equal(stats_of(bed).cells, 2); // one use is left
    assert_false(steer_cells_has_garbage(bed->cells));
    steer_cells_release(bed->cells, first);
    assert_int_equal(stats_of(bed).cells, 1);
    assert_true(steer_cells_has_garbage(bed->cells));
    steer_cells_reclaim(bed->cells);
    assert_false(steer_cells_has_garbage(bed->cells));
    assert_int_equal(acquire(bed, "{\"pool\":\"b\"}", A), first); // its place is used again
}

static void equal_outcomes_share_one_answer(void **state)
{
    struct bed *bed = *state;
    const uint32_t pool = acquire(bed, "{\"pool\":\"a\"}", A);
    const uint32_t endpoint = acquire(bed, "{\"endpoint\":\"a\"}", A);
    const uint32_t mixed = acquire(bed, "{\"pool\":\"ab91\"}", A);
    assert_int_not_equal(pool, endpoint);
    assert_int_equal(stats_of(bed).answers, 2); // a, b
    const uint32_t answer = list_of(bed, pool)->entries[0].answer;
    assert_int_equal(list_of(bed, endpoint)->entries[0].answer, answer);
    assert_int_equal(list_of(bed, mixed)->entries[0].answer, answer);
    steer_cells_release(bed->cells, pool);
    steer_cells_release(bed->cells, mixed);
    steer_cells_reclaim(bed->cells);
    assert_int_equal(stats_of(bed).answers, 1);
    assert_int_equal(list_of(bed, endpoint)->entries[0].answer, answer);
    assert_memory_equal(steer_tables_answer(bed->tables, answer)->rrs + 12, "\xc0\0\2\1", 4);
}

// A table of slots has 16 KiB: records that are drawn alike share it, whatever their trees and types.
static void equal_slots_are_there_once(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *tree;
        uint16_t type;
        bool same;
    } rows[] = {{"{\"pool\":\"ab91\"}", A, true},
                {"{\"pool\":\"ab91\"}", AAAA, true},
                {"{\"failover\":[{\"pool\":\"ab91\"},{\"endpoint\":\"f\"}]}", A, true},
                {"{\"pool\":\"mixed\"}", A, false}};
    uint32_t cells[STEER_ARRAY_LEN(rows)], lines[STEER_ARRAY_LEN(rows)];
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_residual *r = residual(bed, rows[i].tree);
        assert_int_equal(steer_cells_acquire(bed->cells, &r, 1, rows[i].type, STEER_DRAW_STICKY,
                                             &bed->view, &cells[i]),
                         STEER_OK);
        steer_residual_unref(bed->residuals, r);
        assert_true(list_of(bed, cells[i])->flags & STEER_LIST_SLOTS);
        lines[i] = steer_list_slots(list_of(bed, cells[i]));
        assert_int_equal(lines[i] == lines[0], rows[i].same);
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        steer_cells_release(bed->cells, cells[i]);
    assert_int_equal(stats_of(bed).answers, 0);
    // What was given back serves the next one.
    steer_cells_reclaim(bed->cells);
    const uint32_t lines_before = bed->tables->answer_lines.next;
    struct steer_residual *r = residual(bed, rows[3].tree);
    assert_int_equal(
        steer_cells_acquire(bed->cells, &r, 1, A, STEER_DRAW_STICKY, &bed->view, &cells[0]),
        STEER_OK);
    assert_int_equal(bed->tables->answer_lines.next, lines_before);
    steer_cells_release(bed->cells, cells[0]);
    steer_residual_unref(bed->residuals, r);
}

static void nothing_to_give_is_the_empty_list(void **state)
{
    struct bed *bed = *state;
    const uint32_t cell = acquire(bed, "{\"endpoint\":\"v4\"}", AAAA);
    assert_int_equal(list_of(bed, cell)->count, 0);
    assert_int_equal(list_of(bed, cell)->flags, 0);
    assert_int_equal(stats_of(bed).answers, 0);
}

// ---- shares --------------------------------------------------------------------------------------

static void borders_are_the_nearest_to_the_exact_shares(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *weights; // of a, b, c ...
        uint32_t count;
        uint64_t widths[4];
    } rows[] = {
        {"{\"a\":1}", 1, {UINT64_C(4294967296)}},
        {"{\"a\":1,\"b\":1}", 2, {2147483648, 2147483648}},
        {"{\"a\":1,\"b\":1,\"c\":1}", 3, {1431655765, 1431655766, 1431655765}},
        {"{\"a\":1,\"b\":2}", 2, {1431655765, 2863311531}},
        {"{\"a\":1,\"b\":2,\"c\":4}", 3, {613566757, 1227133513, 2454267026}},
        {"{\"a\":65535,\"b\":1}", 2, {4294901760, 65536}},
        {"{\"a\":1,\"b\":65535}", 2, {65536, 4294901760}},
        {"{\"a\":1,\"b\":65535,\"c\":65535,\"d\":65535}",
         4,
         {21846, 1431648483, 1431648484, 1431648483}},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"endpoints\":%s}", rows[i].weights);
        put(bed->catalog, STEER_POOL, "w", json);
        const uint32_t cell = acquire(bed, "{\"pool\":\"w\"}", A);
        const struct steer_list *list = list_of(bed, cell);
        assert_int_equal(list->count, rows[i].count);
        check_list(bed, list);
        uint64_t before = 0;
        for (uint32_t k = 0; k < list->count; k++) {
            const uint64_t width = list->entries[k].upto + UINT64_C(1) - before;
            assert_int_equal(width, rows[i].widths[k]);
            before += width;
        }
        steer_cells_release(bed->cells, cell);
    }
}

static void put_many(struct bed *bed, unsigned count, bool all)
{
    struct steer_buf json = {0};
    steer_buf_puts(&json, "{\"endpoints\":{");
    for (unsigned i = 0; i < count; i++) {
        char name[16], address[64];
        snprintf(name, sizeof name, "e%u", i);
        snprintf(address, sizeof address, "{\"ipv4\":\"198.18.%u.%u\"}", i / 256, i % 256);
        put(bed->catalog, STEER_ENDPOINT, name, address);
        steer_buf_printf(&json, "%s\"e%u\":%u", i ? "," : "", i, i % 7 + 1);
    }
    steer_buf_printf(&json, "}%s}", all ? ",\"pick\":\"all\",\"max\":255" : "");
    put(bed->catalog, STEER_POOL, "many", json.data);
    steer_buf_fini(&json);
}

static void long_lists_run_over_several_lines(void **state)
{
    struct bed *bed = *state;
    static const unsigned counts[] = {6, 7, 8, 9, 15, 16, 31, 100, 255, 1000};
    for (size_t i = 0; i < STEER_ARRAY_LEN(counts); i++) {
        put_many(bed, counts[i], false);
        struct steer_residual *r = residual(bed, "{\"pool\":\"many\"}");
        const uint32_t cell = acquire(bed, "{\"pool\":\"many\"}", A);
        assert_int_equal(list_of(bed, cell)->count, counts[i]);
        check_cell(bed, cell, r, A);
        // A cache line is what a short list takes, and longer ones do not share theirs.
        const uint32_t other = acquire(bed, "{\"pool\":\"ab91\"}", A);
        check_cell(bed, cell, r, A);
        steer_cells_release(bed->cells, other);
        steer_cells_release(bed->cells, cell);
        steer_residual_unref(bed->residuals, r);
    }
}

static void large_answers_have_slots_of_their_own_size(void **state)
{
    struct bed *bed = *state;
    put_many(bed, 255, true);
    struct steer_residual *r = residual(bed, "{\"pool\":\"many\"}");
    const uint32_t small = acquire(bed, "{\"pool\":\"a\"}", A);
    const uint32_t cell = acquire(bed, "{\"pool\":\"many\"}", A);
    const uint32_t after = acquire(bed, "{\"pool\":\"b\"}", A);
    check_cell(bed, cell, r, A);
    assert_int_equal(steer_tables_answer(bed->tables, list_of(bed, cell)->entries[0].answer)->count,
                     255);
    assert_int_equal(list_of(bed, small)->count + list_of(bed, after)->count, 2);
    steer_residual_unref(bed->residuals, r);
}

static void a_share_below_two_to_the_minus_32_has_no_part(void **state)
{
    struct bed *bed = *state;
    const char *tree =
        "{\"weighted\":[{\"weight\":65535,\"to\":{\"endpoint\":\"a\"}},{\"weight\":1,\"to\":"
        "{\"weighted\":[{\"weight\":65535,\"to\":{\"endpoint\":\"b\"}},{\"weight\":1,\"to\":"
        "{\"weighted\":[{\"weight\":65535,\"to\":{\"endpoint\":\"c\"}},{\"weight\":1,\"to\":"
        "{\"endpoint\":\"d\"}}]}}]}}]}";
    const uint32_t cell = acquire(bed, tree, A);
    check_list(bed, list_of(bed, cell));
    assert_in_range(list_of(bed, cell)->count, 2, 3);
    assert_int_equal(stats_of(bed).answers, list_of(bed, cell)->count);
}

// ---- health --------------------------------------------------------------------------------------

static void a_change_touches_the_cells_that_hold_the_object(void **state)
{
    struct bed *bed = *state;
    const uint32_t ab = acquire(bed, "{\"pool\":\"ab91\"}", A);
    const uint32_t c = acquire(bed, "{\"pool\":\"c\"}", A);
    const uint32_t spare = acquire(bed, "{\"failover\":[{\"pool\":\"c\"},{\"pool\":\"a\"}]}", A);
    // Named twice in one tree: evaluated once a change.
    acquire(bed, "{\"failover\":[{\"pool\":\"c\"},{\"endpoint\":\"d\"},{\"endpoint\":\"d\"}]}", A);
    uint64_t before = stats_of(bed).evaluations;
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "d", &bed->view), 0);
    assert_int_equal(stats_of(bed).evaluations - before, 1);
    before = stats_of(bed).evaluations;
    bed->moment.down = "a";
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "a", &bed->view), 1);
    assert_int_equal(stats_of(bed).evaluations - before, 2); // ab and spare, of which spare stays
    assert_int_equal(list_of(bed, ab)->count, 1);
    assert_int_equal(list_of(bed, c)->count, 1);
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "a", &bed->view),
                     0); // no news
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "nobody", &bed->view), 0);
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_POOL, "a", &bed->view),
                     0); // a pool of that name
    bed->moment.pool_down = "ab91";
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "ab91", &bed->view), 0);
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_POOL, "ab91", &bed->view), 1);
    assert_int_equal(list_of(bed, ab)->count, 0);
    assert_int_equal(steer_cells_refresh_all(bed->cells, &bed->view), 0);
    steer_cells_release(bed->cells, ab);
    steer_cells_release(bed->cells, spare);
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, "a", &bed->view), 0);
    assert_int_equal(steer_cells_refresh(bed->cells, STEER_POOL, "ab91", &bed->view), 0);
}

// What is exhausted was tried with all served.
static void objects_that_change_together_evaluate_each_cell_once(void **state)
{
    struct bed *bed = *state;
    const uint32_t both = acquire(bed, "{\"pool\":\"ab91\"}", A);
    const uint32_t one = acquire(bed, "{\"failover\":[{\"pool\":\"b\"},{\"pool\":\"c\"}]}", A);
    const uint32_t none = acquire(bed, "{\"pool\":\"c\"}", A);
    const uint64_t before = stats_of(bed).evaluations;
    static const char *const names[] = {"a", "b", "unknown", "a"};
    for (unsigned i = 0; i < 2; i++) {
        bed->moment.down = i ? NULL : "a b";
        assert_int_equal(steer_cells_refresh_each(bed->cells, STEER_ENDPOINT, names, 4, &bed->view),
                         2);
        assert_int_equal(stats_of(bed).evaluations, before + 2 * (i + 1));
    }
    bed->moment.down = "a b";
    steer_cells_refresh_each(bed->cells, STEER_ENDPOINT, names, 4, &bed->view);
    assert_int_equal(list_of(bed, both)->flags, STEER_LIST_SERVED_ALL);
    assert_int_equal(list_of(bed, one)->entries[0].answer, list_of(bed, none)->entries[0].answer);
}

static void last_resorts_are_counted(void **state)
{
    struct bed *bed = *state;
    const uint32_t a = acquire(bed, "{\"pool\":\"a\"}", A);
    const uint32_t ab = acquire(bed, "{\"pool\":\"ab91\"}", A);
    static const struct {
        const char *down, *off;
        unsigned served_all, exhausted;
    } rows[] = {{NULL, NULL, 0, 0}, {"a", NULL, 1, 0},   {"a b", NULL, 2, 0},
                {"b", "a", 2, 1},   {NULL, "a b", 2, 2}, {NULL, NULL, 0, 0}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        bed->moment.down = rows[i].down;
        bed->moment.off = rows[i].off;
        steer_cells_refresh_all(bed->cells, &bed->view);
        assert_int_equal(stats_of(bed).served_all, rows[i].served_all);
        assert_int_equal(stats_of(bed).exhausted, rows[i].exhausted);
    }
    bed->moment.off = "a b";
    steer_cells_refresh_all(bed->cells, &bed->view);
    steer_cells_release(bed->cells, a);
    assert_int_equal(stats_of(bed).exhausted, 1);
    steer_cells_release(bed->cells, ab);
    assert_int_equal(stats_of(bed).exhausted + stats_of(bed).served_all, 0);
}

// What a reader may still be reading: lists and answers stay as they were until reclaim.
static void nothing_is_used_again_before_reclaim(void **state)
{
    struct bed *bed = *state;
    const uint32_t cell = acquire(bed, "{\"pool\":\"ab91\"}", A);
    const struct steer_list *old = list_of(bed, cell);
    const struct steer_answer_slot *slot = steer_tables_answer(bed->tables, old->entries[0].answer);
    uint8_t list_before[STEER_LINE_BYTES], slot_before[STEER_LINE_BYTES];
    memcpy(list_before, old, sizeof list_before);
    memcpy(slot_before, slot, sizeof slot_before);
    static const char *const downs[] = {"a", "b", "a b", ""};
    for (unsigned i = 0; i < 100; i++) {
        bed->moment.down = downs[i % 4];
        steer_cells_refresh_all(bed->cells, &bed->view);
        const uint32_t one = acquire(bed, "{\"pool\":\"c\"}", AAAA);
        const uint32_t two = acquire(bed, "{\"pool\":\"two\"}", A);
        steer_cells_release(bed->cells, one);
        steer_cells_release(bed->cells, two);
        assert_memory_equal(old, list_before, sizeof list_before);
        assert_memory_equal(slot, slot_before, sizeof slot_before);
    }
    steer_cells_release(bed->cells, cell);
    assert_memory_equal(old, list_before, sizeof list_before);
    steer_cells_reclaim(bed->cells);
}

static void reclaimed_memory_is_used_again(void **state)
{
    struct bed *bed = *state;
    uint64_t lists = 0, answers = 0, cells = 0;
    for (unsigned i = 0; i < 3000; i++) {
        char name[32], tree[128];
        snprintf(name, sizeof name, "e%u", 5000 + i); // names come and go for good
        put(bed->catalog, STEER_ENDPOINT, name, "{\"ipv4\":\"198.18.9.9\"}");
        snprintf(tree, sizeof tree, "{\"failover\":[{\"endpoint\":\"%s\"},{\"pool\":\"two\"}]}",
                 name);
        const uint32_t cell = acquire(bed, tree, A);
        bed->moment.down = name;
        assert_int_equal(steer_cells_refresh(bed->cells, STEER_ENDPOINT, name, &bed->view), 1);
        bed->moment.down = NULL;
        steer_cells_release(bed->cells, cell);
        steer_cells_reclaim(bed->cells);
        steer_catalog_remove(bed->catalog, STEER_ENDPOINT, name);
        if (i == 10) {
            lists = bed->tables->list_lines.next;
            answers = bed->tables->answer_lines.next;
            cells = bed->tables->cells.next;
        }
    }
    assert_int_equal(bed->tables->list_lines.next, lists);
    assert_int_equal(bed->tables->answer_lines.next, answers);
    assert_int_equal(bed->tables->cells.next, cells);
    assert_int_equal(stats_of(bed).cells + stats_of(bed).answers, 0);
}

// ---- everything at random ------------------------------------------------------------------------

static unsigned below(struct steer_rng *rng, unsigned n)
{
    return (unsigned)(steer_rng_next(rng) % n);
}

static void random_tree(struct steer_rng *rng, unsigned depth, struct steer_buf *text)
{
    static const char *const pools[] = {"a",   "ab91",    "spare", "mixed", "all3",
                                        "two", "twoskew", "half",  "caps"};
    const unsigned kind = below(rng, depth ? 4 : 2);
    if (kind == 0) {
        steer_buf_printf(text, "{\"endpoint\":\"%c\"}", (char)('a' + below(rng, 6)));
    } else if (kind == 1) {
        steer_buf_printf(text, "{\"pool\":\"%s\"}", pools[below(rng, STEER_ARRAY_LEN(pools))]);
    } else {
        const unsigned count = 1 + below(rng, 4);
        steer_buf_puts(text, kind == 2 ? "{\"failover\":[" : "{\"weighted\":[");
        for (unsigned i = 0; i < count; i++) {
            steer_buf_puts(text, i ? "," : "");
            if (kind == 3)
                steer_buf_printf(text, "{\"weight\":%u,\"to\":", below(rng, 9));
            random_tree(rng, depth - 1, text);
            steer_buf_puts(text, kind == 3 ? "}" : "");
        }
        steer_buf_puts(text, "]}");
    }
}

struct live {
    struct steer_residual *residual;
    uint32_t cell;
    uint16_t type;
    enum steer_draw draw;
};

static void any_order_of_events_leaves_what_the_evaluator_says(void **state)
{
    struct bed *bed = *state;
    static const uint16_t types[] = {A, AAAA, STEER_TYPE_CNAME};
    static const char *const words[] = {NULL, "a", "b", "a b", "c d e f", "a b c d e f v4 v6"};
    struct live live[LIVE_MAX];
    unsigned count = 0;
    struct steer_rng rng;
    struct steer_buf tree = {0};
    steer_rng_init(&rng, 42);
    for (unsigned step = 0; step < 4000; step++) {
        const unsigned event = below(&rng, 10);
        if (event < 4 && count < LIVE_MAX) {
            steer_buf_clear(&tree);
            random_tree(&rng, 3, &tree);
            struct live *l = &live[count++];
            l->residual = residual(bed, tree.data);
            l->type = types[below(&rng, 3)];
            l->draw = below(&rng, 4) ? below(&rng, 2) : STEER_DRAW_STICKY;
            assert_int_equal(steer_cells_acquire(bed->cells, &l->residual, 1, l->type, l->draw,
                                                 &bed->view, &l->cell),
                             STEER_OK);
        } else if (event < 7 && count) {
            const unsigned i = below(&rng, count);
            steer_cells_release(bed->cells, live[i].cell);
            steer_residual_unref(bed->residuals, live[i].residual);
            live[i] = live[--count];
        } else if (event == 7) {
            steer_cells_reclaim(bed->cells);
        } else {
            // One object changes at a time, and is told.
            const struct moment before = bed->moment;
            bed->moment.down = words[below(&rng, STEER_ARRAY_LEN(words))];
            if (event == 8)
                bed->moment.drained = words[below(&rng, 4)];
            static const char *const names[] = {"a", "b",  "c",  "d",      "e",
                                                "f", "v4", "v6", "capped", "capped5"};
            for (size_t n = 0; n < STEER_ARRAY_LEN(names); n++)
                if (listed(before.down, names[n]) != listed(bed->moment.down, names[n]) ||
                    listed(before.drained, names[n]) != listed(bed->moment.drained, names[n]))
                    steer_cells_refresh(bed->cells, STEER_ENDPOINT, names[n], &bed->view);
        }
        if (step % 8 == 0)
            for (unsigned i = 0; i < count; i++)
                check_drawn(bed, live[i].cell, live[i].residual, live[i].type, live[i].draw);
    }
    while (count) {
        const unsigned i = below(&rng, count);
        steer_cells_release(bed->cells, live[i].cell);
        steer_residual_unref(bed->residuals, live[i].residual);
        live[i] = live[--count];
        for (unsigned k = 0; k < count; k++)
            check_drawn(bed, live[k].cell, live[k].residual, live[k].type, live[k].draw);
    }
    assert_int_equal(stats_of(bed).cells + stats_of(bed).answers, 0);
    assert_int_equal(stats_of(bed).served_all + stats_of(bed).exhausted, 0);
    steer_buf_fini(&tree);
}

static void a_keeper_with_cells_in_use_can_go(void **state)
{
    struct bed *bed = *state;
    acquire(bed, "{\"pool\":\"two\"}", A);
    acquire(bed, "{\"pool\":\"all3\"}", AAAA);
    acquire(bed, "{\"pool\":\"all3\"}", AAAA);
    bed->moment.down = "a";
    steer_cells_refresh_all(bed->cells, &bed->view);
}

#define CELLS_TEST(function) cmocka_unit_test_setup_teardown(function, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CELLS_TEST(equal_expressions_share_one_cell),
        CELLS_TEST(equal_outcomes_share_one_answer),
        CELLS_TEST(equal_slots_are_there_once),
        CELLS_TEST(nothing_to_give_is_the_empty_list),
        CELLS_TEST(borders_are_the_nearest_to_the_exact_shares),
        CELLS_TEST(long_lists_run_over_several_lines),
        CELLS_TEST(large_answers_have_slots_of_their_own_size),
        CELLS_TEST(a_share_below_two_to_the_minus_32_has_no_part),
        CELLS_TEST(a_change_touches_the_cells_that_hold_the_object),
        CELLS_TEST(objects_that_change_together_evaluate_each_cell_once),
        CELLS_TEST(last_resorts_are_counted),
        CELLS_TEST(nothing_is_used_again_before_reclaim),
        CELLS_TEST(reclaimed_memory_is_used_again),
        CELLS_TEST(any_order_of_events_leaves_what_the_evaluator_says),
        CELLS_TEST(a_keeper_with_cells_in_use_can_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
