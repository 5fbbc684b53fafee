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
#include "steerd/zone/zone.h"

enum { TYPE_RRSIG = 46 };

static const uint8_t soa_rdata[] = "\2ns\7example\3com\0\5admin\7example\3com\0"
                                   "\0\0\0\7\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\74";
enum { SOA_LEN = sizeof soa_rdata - 1 };

static struct steer_name name_of(const char *text)
{
    struct steer_name name;
    assert_int_equal(steer_name_parse(text, NULL, &name, NULL), STEER_OK);
    return name;
}

static const struct steer_zone_node *find(const struct steer_zone *zone, const char *text)
{
    const struct steer_name name = name_of(text);
    return steer_zone_find(zone, steer_name_hash(&name), name.octets);
}

static enum steer_err try_put(struct steer_zone_edit *edit, const char *owner, uint16_t type,
                              const char *rdata, struct steer_diag *diag)
{
    const struct steer_name name = name_of(owner);
    const uint8_t *data = (const uint8_t *)rdata;
    const uint16_t len = (uint16_t)strlen(rdata);
    return steer_zone_put(edit, name.octets, type, 300, &data, &len, 1, diag);
}

static void put(struct steer_zone_edit *edit, const char *owner, uint16_t type, const char *rdata)
{
    assert_int_equal(try_put(edit, owner, type, rdata, NULL), STEER_OK);
}

static void add(struct steer_zone_edit *edit, const char *owner, uint16_t type, const char *rdata)
{
    const struct steer_name name = name_of(owner);
    assert_int_equal(steer_zone_add(edit, name.octets, type, 300, (const uint8_t *)rdata,
                                    strlen(rdata), NULL, NULL),
                     STEER_OK);
}

static void put_steered(struct steer_zone_edit *edit, const char *owner, uint16_t type,
                        uint32_t program)
{
    const struct steer_name name = name_of(owner);
    assert_int_equal(steer_zone_put_steered(edit, name.octets, type, 30, program, NULL), STEER_OK);
}

static bool take(struct steer_zone_edit *edit, const char *owner, uint16_t type)
{
    const struct steer_name name = name_of(owner);
    return steer_zone_remove(edit, name.octets, type);
}

static void put_apex(struct steer_zone_edit *edit)
{
    const struct steer_name name = name_of("example.com.");
    const uint8_t *data = soa_rdata;
    const uint16_t len = SOA_LEN;
    assert_int_equal(steer_zone_put(edit, name.octets, STEER_TYPE_SOA, 3600, &data, &len, 1, NULL),
                     STEER_OK);
    put(edit, "example.com.", STEER_TYPE_NS, "\2ns\7example\3com");
}

static struct steer_zone_edit *begin(void)
{
    const struct steer_name origin = name_of("Example.COM.");
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    put_apex(edit);
    return edit;
}

static struct steer_zone *finish(struct steer_zone_edit *edit, struct steer_retired *retired)
{
    struct steer_zone *zone = NULL;
    struct steer_diag diag = {0};
    const enum steer_err err = steer_zone_finish(edit, &zone, retired, &diag);
    if (err)
        print_error("%s\n", diag.message);
    assert_int_equal(err, STEER_OK);
    return zone;
}

static struct steer_zone *finish_build(struct steer_zone_edit *edit)
{
    struct steer_retired retired = {0};
    struct steer_zone *zone = finish(edit, &retired);
    assert_int_equal(retired.count, 0);
    return zone;
}

static void let_go(struct steer_zone *zone)
{
    struct steer_retired all = {0};
    steer_zone_retire(zone, &all);
    steer_retired_free(&all);
}

// ---- what a zone looks like ----------------------------------------------------------------------

static void a_zone_has_its_apex_and_the_numbers_of_its_soa(void **state)
{
    (void)state;
    struct steer_zone *zone = finish_build(begin());
    assert_non_null(zone->apex);
    assert_ptr_equal(zone->apex, find(zone, "example.com."));
    assert_int_equal(zone->apex->flags, STEER_NODE_APEX);
    assert_int_equal(zone->serial, 7);
    assert_int_equal(zone->negative_ttl_s, 60);
    assert_int_equal(zone->rrset_count, 2);
    assert_int_equal(zone->record_count, 2);
    assert_int_equal(zone->names.count, 1);
    assert_null(find(zone, "com."));
    assert_null(find(zone, "www.example.com."));
    let_go(zone);
}

static void records_are_kept_as_an_answer_has_them(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    put(edit, "www.example.com.", STEER_TYPE_A, "\12\1\1\1");
    struct steer_zone *zone = finish_build(edit);
    const struct steer_zone_node *node = find(zone, "www.example.com.");
    const struct steer_rrset *set = steer_zone_node_rrset(node, STEER_TYPE_A);
    static const uint8_t want[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 10, 1, 1, 1};
    assert_int_equal(set->len, sizeof want);
    assert_memory_equal(steer_rrset_rrs(node, set), want, sizeof want);
    struct steer_rr_view rr;
    size_t at = 0;
    assert_true(steer_rrset_next(node, set, &at, &rr));
    assert_int_equal(rr.ttl_s, 300);
    assert_int_equal(rr.rdata_len, 4);
    assert_memory_equal(rr.rdata, want + 12, 4);
    assert_false(steer_rrset_next(node, set, &at, &rr));
    let_go(zone);
}

static void flags_and_children_follow_the_data(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    put(edit, "a.b.c.example.com.", STEER_TYPE_A, "1234");
    put(edit, "*.b.c.example.com.", STEER_TYPE_A, "1234");
    put(edit, "sub.example.com.", STEER_TYPE_NS, "\2ns\3org");
    put(edit, "ns.sub.example.com.", STEER_TYPE_A, "1234");
    put(edit, "d.example.com.", STEER_TYPE_DNAME, "\3org");
    put(edit, "x.d.example.com.", STEER_TYPE_A, "1234"); // below a DNAME: legal to store
    put(edit, "alias.example.com.", STEER_TYPE_CNAME, "\3org");
    put(edit, "alias.example.com.", TYPE_RRSIG, "signature");
    put_steered(edit, "geo.example.com.", STEER_TYPE_ADDRESS, 5);
    put_steered(edit, "cgeo.example.com.", STEER_TYPE_CNAME, 6);
    put(edit, "x.*.example.com.", STEER_TYPE_A, "1234"); // "*" as an empty non-terminal
    struct steer_zone *zone = finish_build(edit);
    static const struct {
        const char *name;
        uint8_t flags;
        uint32_t children, rrsets;
    } rows[] = {
        {"example.com.", STEER_NODE_APEX | STEER_NODE_WILDCARD, 7, 2},
        {"c.example.com.", 0, 1, 0},
        {"b.c.example.com.", STEER_NODE_WILDCARD, 2, 0},
        {"a.b.c.example.com.", 0, 0, 1},
        {"*.b.c.example.com.", 0, 0, 1},
        {"sub.example.com.", STEER_NODE_CUT, 1, 1},
        {"d.example.com.", STEER_NODE_DNAME, 1, 1},
        {"alias.example.com.", STEER_NODE_CNAME, 0, 2},
        {"geo.example.com.", STEER_NODE_STEERED, 0, 1},
        {"cgeo.example.com.", STEER_NODE_STEERED | STEER_NODE_CNAME, 0, 1},
        {"*.example.com.", 0, 1, 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct steer_zone_node *node = find(zone, rows[i].name);
        assert_non_null(node);
        assert_int_equal(node->flags, rows[i].flags);
        assert_int_equal(node->children, rows[i].children);
        assert_int_equal(node->rrset_count, rows[i].rrsets);
    }
    assert_int_equal(zone->special_count, 2);
    assert_int_equal(zone->steered_count, 2);
    const struct steer_zone_node *geo = find(zone, "geo.example.com.");
    assert_true(steer_rrset_is_steered(&geo->rrsets[0]));
    assert_int_equal(geo->rrsets[0].at, 5);
    assert_int_equal(geo->rrsets[0].ttl_s, 30);
    let_go(zone);
}

static void removing_the_last_record_takes_empty_parents_along(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    put(edit, "*.b.c.example.com.", STEER_TYPE_A, "1234");
    put(edit, "c.example.com.", STEER_TYPE_A, "1234");
    assert_false(take(edit, "*.b.c.example.com.", STEER_TYPE_AAAA));
    assert_false(take(edit, "nothing.example.com.", STEER_TYPE_A));
    assert_false(take(edit, "example.org.", STEER_TYPE_A));
    assert_true(take(edit, "c.example.com.", STEER_TYPE_A));
    const struct steer_name c = name_of("c.example.com.");
    assert_int_equal(steer_zone_edit_find(edit, c.octets)->rrset_count, 0);
    assert_true(take(edit, "*.b.c.example.com.", STEER_TYPE_A));
    assert_null(steer_zone_edit_find(edit, c.octets));
    struct steer_zone *zone = finish_build(edit);
    assert_int_equal(zone->names.count, 1);
    assert_int_equal(zone->apex->children, 0);
    let_go(zone);
}

// ---- records one by one --------------------------------------------------------------------------

static void the_lowest_ttl_wins(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    const struct steer_name www = name_of("www.example.com.");
    static const uint32_t ttls[] = {300, 300, 60, 900};
    static const bool differs[] = {false, false, true, true};
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t a[4] = {10, 0, 0, (uint8_t)i};
        struct steer_zone_added added;
        assert_int_equal(
            steer_zone_add(edit, www.octets, STEER_TYPE_A, ttls[i], a, 4, &added, NULL), STEER_OK);
        assert_int_equal(added.ttl_differs, differs[i]);
        assert_false(added.duplicate);
    }
    struct steer_zone *zone = finish_build(edit);
    const struct steer_zone_node *node = find(zone, "www.example.com.");
    const struct steer_rrset *set = steer_zone_node_rrset(node, STEER_TYPE_A);
    assert_int_equal(set->ttl_s, 60);
    struct steer_rr_view rr;
    unsigned count = 0;
    for (size_t at = 0; steer_rrset_next(node, set, &at, &rr); count++)
        assert_int_equal(rr.ttl_s, 60);
    assert_int_equal(count, 4);
    let_go(zone);
}

static void duplicates_are_dropped_from_small_and_large_sets(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    const struct steer_name big = name_of("big.example.com.");
    // Large RRsets of two owners in turn, each record twice and the second time later.
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < 2000; i++) {
            const uint8_t a[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
            assert_int_equal(steer_zone_add(edit, big.octets, STEER_TYPE_A, 300, a, 4, NULL, NULL),
                             0);
            if (i < 600)
                assert_int_equal(steer_zone_add(edit, name_of("other.example.com.").octets,
                                                STEER_TYPE_A, 300, a, 4, NULL, NULL),
                                 0);
        }
        add(edit, "small.example.com.", STEER_TYPE_TXT, "\1x");
    }
    assert_int_equal(steer_zone_edit_find(edit, big.octets)->rrsets[0].count, 2000);
    put(edit, "big.example.com.", STEER_TYPE_TXT, "\1y");
    struct steer_zone *zone = finish_build(edit);
    assert_int_equal(find(zone, "big.example.com.")->rrsets[0].count, 2000);
    assert_int_equal(find(zone, "other.example.com.")->rrsets[0].count, 600);
    assert_int_equal(find(zone, "small.example.com.")->rrsets[0].count, 1);
    assert_int_equal(zone->record_count, 2 + 2000 + 600 + 1 + 1);
    let_go(zone);
}

static void the_packed_form_gives_the_same_set(void **state)
{
    (void)state;
    static const struct {
        const char *packed;
        size_t len;
        uint16_t count; // 0: refused
    } rows[] = {
        {"\0\4abcd", 6, 1},   {"\0\4abcd\0\4efgh\0\4abcd", 18, 2},
        {"\0\0\0\1x", 5, 2},  {"", 0, 0},
        {"\0", 1, 0},         {"\0\5abcd", 6, 0},
        {"\0\4abcd\0", 7, 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_zone_edit *edit = begin();
        const struct steer_name www = name_of("www.example.com.");
        const enum steer_err err =
            steer_zone_put_packed(edit, www.octets, STEER_TYPE_TXT, 300,
                                  (const uint8_t *)rows[i].packed, rows[i].len, NULL);
        assert_int_equal(err, rows[i].count ? STEER_OK : STEER_EINVAL);
        const struct steer_zone_node *node = steer_zone_edit_find(edit, www.octets);
        assert_int_equal(node ? node->rrsets[0].count : 0, rows[i].count);
        steer_zone_abort(edit);
    }
}

static void an_rrset_ends_at_65535_octets(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    const struct steer_name www = name_of("www.example.com.");
    struct steer_diag diag = {0};
    enum steer_err err = STEER_OK;
    unsigned added = 0;
    while (!err) {
        const uint8_t a[4] = {10, 0, (uint8_t)(added >> 8), (uint8_t)added};
        err = steer_zone_add(edit, www.octets, STEER_TYPE_A, 300, a, 4, NULL, &diag);
        added += !err;
    }
    assert_int_equal(err, STEER_EINVAL);
    assert_int_equal(added, 65535 / 16);
    assert_string_equal(diag.message,
                        "www.example.com. has A records of over 65,535 octets in all");

    uint8_t *large = steer_calloc(1, 65535);
    assert_int_equal(
        steer_zone_add(edit, www.octets, STEER_TYPE_TXT, 1, large, 65535 - 11, NULL, &diag),
        STEER_EINVAL);
    assert_int_equal(
        steer_zone_add(edit, www.octets, STEER_TYPE_TXT, 1, large, 65535 - 12, NULL, &diag),
        STEER_OK);
    const uint8_t *two[2] = {large, (const uint8_t *)"x"};
    const uint16_t lens[2] = {65535 - 12, 1};
    assert_int_equal(steer_zone_put(edit, www.octets, STEER_TYPE_TXT, 1, two, lens, 2, &diag),
                     STEER_EINVAL);
    assert_int_equal(
        steer_zone_node_rrset(steer_zone_edit_find(edit, www.octets), STEER_TYPE_TXT)->len, 65535);
    free(large);
    steer_zone_abort(edit);
}

// ---- what is refused -----------------------------------------------------------------------------

static void owners_and_types_that_no_zone_holds_are_refused(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    static const struct {
        const char *owner;
        uint16_t type;
        const char *message;
    } rows[] = {
        {"www.example.org.", STEER_TYPE_A, "www.example.org. is not in the zone example.com."},
        {"com.", STEER_TYPE_A, "com. is not in the zone example.com."},
        {"notexample.com.", STEER_TYPE_A, "notexample.com. is not in the zone example.com."},
        {"a.example.com.", STEER_TYPE_ADDRESS,
         "a.example.com. was given records of type TYPE0, which no zone can hold"},
        {"a.example.com.", 65535,
         "a.example.com. was given records of type TYPE65535, which no zone can hold"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_diag diag = {0};
        assert_int_equal(try_put(edit, rows[i].owner, rows[i].type, "1234", &diag), STEER_EINVAL);
        assert_string_equal(diag.message, rows[i].message);
    }
    steer_zone_abort(edit);
}

static void the_whole_zone_is_checked_at_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *owner;
        uint16_t first, second;
        unsigned steered;    // bit 0: first, bit 1: second
        const char *message; // NULL: accepted
    } rows[] = {
        {"api.example.com.", 5, 1, 0, "api.example.com. has a CNAME and other data"},
        {"api.example.com.", 1, 5, 2, "api.example.com. has a CNAME and other data"},
        {"api.example.com.", 5, 0, 2, "api.example.com. has a CNAME and other data"},
        {"example.com.", 5, 5, 0, "example.com. has a CNAME and other data"},
        {"api.example.com.", 5, TYPE_RRSIG, 0, NULL},
        {"api.example.com.", 5, TYPE_RRSIG, 1, "api.example.com. has a CNAME and other data"},
        {"api.example.com.", 0, 1, 1,
         "api.example.com. has a steered address and also A or AAAA records"},
        {"api.example.com.", 28, 0, 2,
         "api.example.com. has a steered address and also A or AAAA records"},
        {"api.example.com.", 0, 16, 1, NULL},
        {"api.example.com.", 6, 6, 0,
         "api.example.com. has a SOA record, which only the apex of a zone may have"},
        {"sub.example.com.", 2, 39, 0, NULL},
        {"example.com.", 39, 39, 0, NULL},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_zone_edit *edit = begin();
        for (unsigned n = 0; n < 2; n++) {
            const uint16_t type = n ? rows[i].second : rows[i].first;
            if (rows[i].steered & 1u << n)
                put_steered(edit, rows[i].owner, type, 1);
            else
                put(edit, rows[i].owner, type, "\3org");
        }
        struct steer_zone *zone = NULL;
        struct steer_retired retired = {0};
        struct steer_diag diag = {0};
        const enum steer_err err = steer_zone_finish(edit, &zone, &retired, &diag);
        assert_int_equal(err, rows[i].message ? STEER_EINVAL : STEER_OK);
        if (err) {
            assert_string_equal(diag.message, rows[i].message);
            // Set right, it goes through.
            assert_true(take(edit, rows[i].owner, rows[i].first));
            assert_int_equal(take(edit, rows[i].owner, rows[i].second),
                             rows[i].first != rows[i].second);
            zone = finish(edit, &retired);
        }
        let_go(zone);
    }
}

static void singletons_may_stand_once(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *owner, *message;
    } rows[] = {
        {STEER_TYPE_CNAME, "api.example.com.", "api.example.com. has more than one CNAME record"},
        {STEER_TYPE_DNAME, "api.example.com.", "api.example.com. has more than one DNAME record"},
        {STEER_TYPE_SOA, "example.com.", "example.com. has more than one SOA record"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_zone_edit *edit = begin();
        add(edit, rows[i].owner, rows[i].type, "\3org");
        add(edit, rows[i].owner, rows[i].type, "\3net");
        struct steer_zone *zone = NULL;
        struct steer_retired retired = {0};
        struct steer_diag diag = {0};
        assert_int_equal(steer_zone_finish(edit, &zone, &retired, &diag), STEER_EINVAL);
        assert_string_equal(diag.message, rows[i].message);
        assert_null(zone);
        steer_zone_abort(edit);
    }
}

static void an_apex_needs_a_soa(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    assert_true(take(edit, "example.com.", STEER_TYPE_SOA));
    struct steer_zone *zone = NULL;
    struct steer_retired retired = {0};
    struct steer_diag diag = {0};
    assert_int_equal(steer_zone_finish(edit, &zone, &retired, &diag), STEER_EINVAL);
    assert_string_equal(diag.message, "example.com. has no SOA record");
    put_apex(edit);
    put(edit, "example.com.", STEER_TYPE_SOA, "short");
    assert_int_equal(steer_zone_finish(edit, &zone, &retired, &diag), STEER_EINVAL);
    assert_string_equal(diag.message, "example.com. has a SOA record that is too short");
    steer_zone_abort(edit);
}

static void an_apex_may_be_without_ns(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    assert_true(take(edit, "example.com.", STEER_TYPE_NS));
    assert_int_equal(steer_zone_check(edit, NULL), STEER_OK);
    steer_zone_abort(edit);
}

static void the_first_fault_in_canonical_order_is_named(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    static const char *const owners[] = {"z.example.com.", "b.example.com.", "a.z.example.com."};
    for (size_t i = 0; i < STEER_ARRAY_LEN(owners); i++) {
        put(edit, owners[i], STEER_TYPE_CNAME, "\3org");
        put(edit, owners[i], STEER_TYPE_TXT, "\1x");
    }
    struct steer_zone *zone = NULL;
    struct steer_retired retired = {0};
    struct steer_diag diag = {0};
    assert_int_equal(steer_zone_finish(edit, &zone, &retired, &diag), STEER_EINVAL);
    assert_string_equal(diag.message, "b.example.com. has a CNAME and other data");
    steer_zone_abort(edit);
}

// ---- versions ------------------------------------------------------------------------------------

static bool describe_node(void *ctx, const void *item)
{
    struct steer_buf *out = ctx;
    const struct steer_zone_node *node = item;
    char text[STEER_NAME_TEXT_MAX];
    steer_buf_printf(out, "%s flags %u children %u\n",
                     steer_name_format(steer_zone_node_owner(node), text), node->flags,
                     node->children);
    for (unsigned i = 0; i < node->rrset_count; i++) {
        const struct steer_rrset *set = &node->rrsets[i];
        const uint64_t data =
            set->count ? steer_hash_bytes(steer_rrset_rrs(node, set), set->len, 0) : set->at;
        steer_buf_printf(out, "  %u: %u of %u, ttl %u, %llx\n", set->type, set->count, set->len,
                         set->ttl_s, (unsigned long long)data);
    }
    return true;
}

static char *describe(const struct steer_zone *zone)
{
    struct steer_buf out = {0};
    steer_trie_each(&zone->names, describe_node, &out);
    steer_buf_printf(
        &out,
        "%zu names, %u special, %llu sets, %llu records, %llu steered, %zu octets, serial %u\n",
        zone->names.count, zone->special_count, (unsigned long long)zone->rrset_count,
        (unsigned long long)zone->record_count, (unsigned long long)zone->steered_count,
        zone->node_bytes, zone->serial);
    return steer_buf_take(&out);
}

enum { OWNERS = 40, TYPES = 5, VERSIONS = 10 };
static const uint16_t model_types[TYPES] = {STEER_TYPE_A, STEER_TYPE_TXT, STEER_TYPE_NS,
                                            STEER_TYPE_DNAME, STEER_TYPE_ADDRESS};
struct model {
    unsigned values[OWNERS][TYPES]; // 0: absent
};

// Names that are each other's parents, with wildcards among them.
static void model_owner(unsigned i, char *out, size_t size)
{
    static const char *const labels[] = {"*", "a", "b", "c"};
    const unsigned depth = 1 + i % 4;
    out[0] = '\0';
    for (unsigned d = depth; d > 0; d--) {
        strncat(out, labels[(i / 4 + d * (i % 3)) % 4], size - strlen(out) - 1);
        strncat(out, ".", size - strlen(out) - 1);
    }
    strncat(out, "example.com.", size - strlen(out) - 1);
}

static void model_apply(struct steer_zone_edit *edit, unsigned owner, unsigned type, unsigned value)
{
    char text[64];
    model_owner(owner, text, sizeof text);
    if (!value) {
        take(edit, text, model_types[type]);
    } else if (model_types[type] == STEER_TYPE_ADDRESS) {
        put_steered(edit, text, STEER_TYPE_ADDRESS, value);
    } else {
        // Now and then large enough for its owner to be parked.
        char rdata[6000];
        const size_t len = value % 7 ? 4 : sizeof rdata - 1;
        memset(rdata, 'a' + (int)(value % 20), len);
        rdata[len] = '\0';
        put(edit, text, model_types[type], rdata);
    }
}

// Two numbers of the model may mean the same owner: the last one written to counts for all.
static void model_set(struct model *model, unsigned owner, unsigned type, unsigned value)
{
    char text[64], other[64];
    model_owner(owner, text, sizeof text);
    for (unsigned i = 0; i < OWNERS; i++) {
        model_owner(i, other, sizeof other);
        if (strcmp(text, other) == 0)
            model->values[i][type] = value;
    }
}

static struct steer_zone *model_build(const struct model *model)
{
    struct steer_zone_edit *edit = begin();
    for (unsigned i = 0; i < OWNERS; i++)
        for (unsigned t = 0; t < TYPES; t++)
            if (model->values[i][t])
                model_apply(edit, i, t, model->values[i][t]);
    return finish_build(edit);
}

static void model_change(struct steer_rng *rng, struct model *model, struct steer_zone_edit *edit)
{
    for (uint64_t n = 1 + steer_rng_next(rng) % 10; n; n--) {
        const uint64_t r = steer_rng_next(rng);
        const unsigned owner = (unsigned)(r >> 8) % OWNERS;
        const unsigned type = (unsigned)(r >> 24) % TYPES;
        const unsigned value = (unsigned)(r >> 40) % 3 ? 0 : 1 + (unsigned)(r >> 44) % 500;
        model_set(model, owner, type, value);
        model_apply(edit, owner, type, value);
        if (value &&
            (model_types[type] == STEER_TYPE_A || model_types[type] == STEER_TYPE_ADDRESS)) {
            const unsigned other = model_types[type] == STEER_TYPE_A ? TYPES - 1 : 0;
            model_set(model, owner, other, 0);
            model_apply(edit, owner, other, 0);
        }
    }
}

static void edits_equal_a_zone_built_from_scratch(void **state)
{
    (void)state;
    struct steer_rng rng;
    steer_rng_init(&rng, 5);
    struct model model = {0};
    struct {
        struct steer_zone *zone;
        char *text;
        struct steer_retired remains;
    } kept[VERSIONS] = {0};
    kept[0].zone = model_build(&model);
    kept[0].text = describe(kept[0].zone);
    unsigned now = 0;
    for (unsigned step = 1; step < 400; step++) {
        struct steer_zone_edit *edit = steer_zone_edit(kept[now].zone);
        struct model next = model;
        model_change(&rng, &next, edit);
        if (step % 5 == 0) {
            steer_zone_abort(edit);
            continue;
        }
        model = next;
        const unsigned slot = (now + 1) % VERSIONS;
        steer_retired_free(&kept[slot].remains);
        free(kept[slot].text);
        kept[slot].zone = finish(edit, &kept[now].remains);
        kept[slot].text = describe(kept[slot].zone);
        now = slot;
        struct steer_zone *scratch = model_build(&model);
        char *want = describe(scratch);
        assert_string_equal(kept[now].text, want);
        free(want);
        let_go(scratch);
        for (unsigned i = 0; step % 8 == 0 && i < VERSIONS; i++) {
            char *text = kept[i].text ? describe(kept[i].zone) : NULL;
            if (text)
                assert_string_equal(text, kept[i].text);
            free(text);
        }
    }
    let_go(kept[now].zone);
    for (unsigned i = 0; i < VERSIONS; i++) {
        steer_retired_free(&kept[i].remains);
        free(kept[i].text);
    }
}

static void a_finished_version_can_be_undone(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    for (unsigned i = 0; i < 300; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u.example.com.", i);
        put(edit, text, STEER_TYPE_A, "1234");
    }
    struct steer_zone *zone = finish_build(edit);
    char *before = describe(zone);
    edit = steer_zone_edit(zone);
    put(edit, "n7.example.com.", STEER_TYPE_A, "9999");
    put(edit, "x.y.z.example.com.", STEER_TYPE_A, "9999");
    take(edit, "n8.example.com.", STEER_TYPE_A);
    struct steer_retired retired = {0};
    struct steer_zone *next = finish(edit, &retired);
    struct steer_fresh blocks = {0};
    steer_zone_difference(next, zone, &blocks);
    steer_fresh_free(&blocks);
    steer_retired_drop(&retired);
    char *after = describe(zone);
    assert_string_equal(before, after);
    free(before);
    free(after);
    let_go(zone);
}

static bool count_node(void *ctx, const struct steer_zone_node *node)
{
    assert_true(node->rrset_count > 0);
    (*(unsigned *)ctx)++;
    return *(unsigned *)ctx < 3;
}

static void a_walk_sees_names_with_data_and_stops_when_told(void **state)
{
    (void)state;
    struct steer_zone_edit *edit = begin();
    put(edit, "a.b.c.d.example.com.", STEER_TYPE_A, "1234");
    struct steer_zone *zone = finish_build(edit);
    unsigned count = 0;
    steer_zone_each(zone, count_node, &count);
    assert_int_equal(count, 2);
    let_go(zone);
    edit = begin();
    put(edit, "a.example.com.", STEER_TYPE_A, "1234");
    put(edit, "b.example.com.", STEER_TYPE_A, "1234");
    put(edit, "c.example.com.", STEER_TYPE_A, "1234");
    zone = finish_build(edit);
    count = 0;
    steer_zone_each(zone, count_node, &count);
    assert_int_equal(count, 3);
    let_go(zone);
}

static void an_abort_leaves_nothing_behind(void **state)
{
    (void)state;
    steer_zone_abort(NULL);
    struct steer_zone_edit *edit = begin();
    char large[5000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    put(edit, "parked.example.com.", STEER_TYPE_TXT, large);
    put(edit, "open.example.com.", STEER_TYPE_TXT, large);
    steer_zone_abort(edit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_has_its_apex_and_the_numbers_of_its_soa),
        cmocka_unit_test(records_are_kept_as_an_answer_has_them),
        cmocka_unit_test(flags_and_children_follow_the_data),
        cmocka_unit_test(removing_the_last_record_takes_empty_parents_along),
        cmocka_unit_test(the_lowest_ttl_wins),
        cmocka_unit_test(duplicates_are_dropped_from_small_and_large_sets),
        cmocka_unit_test(the_packed_form_gives_the_same_set),
        cmocka_unit_test(an_rrset_ends_at_65535_octets),
        cmocka_unit_test(owners_and_types_that_no_zone_holds_are_refused),
        cmocka_unit_test(the_whole_zone_is_checked_at_the_end),
        cmocka_unit_test(singletons_may_stand_once),
        cmocka_unit_test(an_apex_needs_a_soa),
        cmocka_unit_test(an_apex_may_be_without_ns),
        cmocka_unit_test(the_first_fault_in_canonical_order_is_named),
        cmocka_unit_test(edits_equal_a_zone_built_from_scratch),
        cmocka_unit_test(a_finished_version_can_be_undone),
        cmocka_unit_test(a_walk_sees_names_with_data_and_stops_when_told),
        cmocka_unit_test(an_abort_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
