// SPDX-License-Identifier: GPL-3.0-or-later
// Steered names: class, draw, TTL, scope, and what stands beside them.
#include "answer_support.h"
#include "steerd/base/hash.h"
#include "steerd/geo/geo.h"
#include "steerd/world/cells.h"
#include "unit/policy/decide_support.h"

enum { A = STEER_TYPE_A, AAAA = STEER_TYPE_AAAA, TXT = STEER_TYPE_TXT, RECORDS_MAX = 32 };

// ---- the world -----------------------------------------------------------------------------------

static const char records[] = "ns A 192.0.2.53\n"
                              "mail MX 10 api\nmail MX 20 host\nhost A 192.0.2.54\n"
                              "svc HTTPS 1 . alpn=h2\nsvc2 HTTPS 0 api\n"
                              "toapi CNAME api\n"
                              "tocname CNAME go\n"
                              "tofamily CNAME only4\n"
                              "beside TXT \"static\"\nbeside MX 1 host\n"
                              "a.example.net TXT \"not the target\"\n";

#define GEO                                                                                        \
    "{\"geo\":{\"rules\":[{\"match\":[\"EU\"],\"to\":{\"endpoint\":\"a\"}},"                       \
    "{\"match\":[\"NA\"],\"to\":{\"endpoint\":\"b\"}}],\"default\":{\"endpoint\":\"c\"}}}"

static const struct {
    const char *owner, *kind, *tree;
    unsigned ttl_s;
} steered[] = {
    {"example.com.", "address", "{\"endpoint\":\"d\"}", 30},
    {"api.example.com.", "address", GEO, 30},
    {"svc.example.com.", "address", "{\"endpoint\":\"e\"}", 30},
    {"beside.example.com.", "address", "{\"endpoint\":\"a\"}", 30},
    {"only4.example.com.", "address", "{\"endpoint\":\"v4\"}", 30},
    {"only6.example.com.", "address", "{\"endpoint\":\"v6\"}", 30},
    {"part.example.com.", "address",
     "{\"geo\":{\"rules\":[{\"match\":[\"EU\"],\"to\":{\"endpoint\":\"v4\"}}],\"default\":{"
     "\"endpoint\":\"a\"}}}",
     30},
    {"share.example.com.", "address", "{\"pool\":\"ab91\"}", 30},
    {"three.example.com.", "address", "{\"pool\":\"all3\"}", 30},
    {"caps.example.com.", "address", "{\"pool\":\"caps\"}", 30},
    {"long.example.com.", "address", "{\"endpoint\":\"capped\"}", 10},
    {"fail.example.com.", "address", "{\"failover\":[{\"endpoint\":\"a\"},{\"endpoint\":\"b\"}]}",
     30},
    {"none.example.com.", "address", "{\"endpoint\":\"a\",\"when_unavailable\":\"serve_none\"}",
     30},
    {"fixed.example.com.", "address", "{\"answer\":{\"A\":[\"192.0.2.7\",\"192.0.2.8\"]}}", 30},
    {"*.wild.example.com.", "address", GEO, 30},
    {"go.example.com.", "cname", "{\"pool\":\"ab91\"}", 20},
    {"*.go.example.com.", "cname", GEO, 20},
    {"inside.example.com.", "cname", "{\"answer\":{\"CNAME\":\"api.example.com.\"}}", 20},
};

struct stage {
    struct steer_geo *geo;
    struct steer_residuals *residuals;
    struct steer_catalog *catalog;
    struct steer_cells *cells;
    struct moment moment;
    struct steer_view view;
    struct steer_classes classes[RECORDS_MAX];
    struct steer_classmap *maps[RECORDS_MAX];
    struct steer_program *programs[RECORDS_MAX];
    struct steer_world *world;
};

static uint32_t number_of(void *ctx, const struct steer_object *endpoint)
{
    (void)ctx;
    return (uint32_t)endpoint->name[0];
}

static struct steer_program *program_of(struct stage *s, unsigned i)
{
    char name[128], json[512];
    const bool cname = strcmp(steered[i].kind, "cname") == 0;
    snprintf(name, sizeof name, "%s %s", steered[i].owner, steered[i].kind);
    snprintf(json, sizeof json, "{\"kind\":\"%s\",\"ttl\":%u,\"allow_negative\":true,\"steer\":%s}",
             steered[i].kind, steered[i].ttl_s, steered[i].tree);
    const struct steer_object *record = record_of(s->catalog, name, json);
    struct steer_classes *classes = &s->classes[i];
    assert_int_equal(steer_classes_compile(s->residuals, s->catalog, record, s->geo, classes, NULL),
                     STEER_OK);
    s->maps[i] = steer_classmap_build(steer_geo_partition(s->geo), classes->class_of,
                                      classes->location_count, classes->class_of[0]);
    struct steer_program *p =
        steer_calloc(1, sizeof *p + 2 * classes->class_count * sizeof p->cells[0]);
    p->map = s->maps[i];
    p->ttl_s = steered[i].ttl_s;
    p->class_count = (uint16_t)classes->class_count;
    p->type_count = cname ? 1 : 2;
    p->types[0] = cname ? STEER_TYPE_CNAME : A;
    p->types[1] = AAAA;
    for (unsigned t = 0; t < p->type_count; t++)
        for (unsigned c = 0; c < p->class_count; c++)
            assert_int_equal(steer_cells_acquire(s->cells, &classes->roots[c], 1, p->types[t],
                                                 STEER_DRAW_RANDOM, &s->view,
                                                 &p->cells[t * p->class_count + c]),
                             STEER_OK);
    return s->programs[i] = p;
}

static int open_stage(void **state)
{
    struct stage *s = steer_calloc(1, sizeof *s);
    const char *path = STEER_SOURCE_DIR "/geodata/country.mmdb";
    struct steer_diag diag = {0};
    if (steer_geo_open(&path, 1, NULL, &s->geo, &diag))
        fail_msg("%s", diag.message);
    s->residuals = steer_residuals_create();
    s->catalog = small_catalog();
    s->view = view_of(&s->moment);
    assert_int_equal(steer_cells_create(number_of, NULL, s->residuals, &s->cells, NULL), STEER_OK);
    struct steer_world_edit *edit =
        steer_world_edit(steer_world_create(steer_cells_tables(s->cells)));
    struct steer_zone_edit *zone = zone_of("example.com.", records);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(steered); i++) {
        const struct steer_name owner = name_of(steered[i].owner);
        const bool cname = strcmp(steered[i].kind, "cname") == 0;
        steer_world_put_program(edit, i, program_of(s, i));
        assert_int_equal(steer_zone_put_steered(zone, owner.octets,
                                                cname ? STEER_TYPE_CNAME : STEER_TYPE_ADDRESS,
                                                steered[i].ttl_s, i, NULL),
                         STEER_OK);
    }
    finish_zone(edit, zone);
    finish_zone(edit,
                zone_of("example.net.", "a A 203.0.113.1\n")); // where endpoints' hostnames lie
    s->world = finish_world(edit);
    *state = s;
    return 0;
}

// Every cell goes with its last use: nothing is left of any.
static int close_stage(void **state)
{
    struct stage *s = *state;
    struct steer_cells_stats stats;
    for (unsigned i = 0; i < STEER_ARRAY_LEN(steered); i++)
        for (unsigned c = 0; c < s->programs[i]->type_count * s->programs[i]->class_count; c++)
            steer_cells_release(s->cells, s->programs[i]->cells[c]);
    steer_cells_stats(s->cells, &stats);
    assert_int_equal(stats.cells + stats.answers + stats.served_all + stats.exhausted, 0);
    steer_world_destroy(s->world);
    steer_cells_destroy(s->cells);
    for (unsigned i = 0; i < STEER_ARRAY_LEN(steered); i++) {
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

static void ask_from(const struct stage *s, const struct question *q, const char *client,
                     uint64_t random, struct reply *reply)
{
    uint8_t message[512];
    struct steer_ask ask = {.message = message, .random = random};
    ask.len = make_message(q, message, sizeof message);
    assert_true(steer_addr_parse(client ? client : "10.0.0.1", &ask.client));
    put_question(s->world, &plain_settings, &ask, reply);
}

static void expect(const struct stage *s, const char *what, const struct question *q,
                   const char *client, uint64_t random, const char *want)
{
    static struct reply reply;
    struct steer_buf got = {0};
    ask_from(s, q, client, random, &reply);
    response_text(reply.wire, reply.len, &got);
    if (strcmp(got.data, want) != 0)
        fail_msg("%s\n--- expected\n%s--- came\n%s", what, want, got.data);
    steer_buf_fini(&got);
}

#define SOA                                                                                        \
    "ns example.com. 300 SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 300\n"
#define API     "an api.example.com. 30 "
#define NOTHING "15:00006e6f20656e64706f696e7420746f2067697665" // "no endpoint to give"

struct row {
    const char *what;
    struct question q;
    const char *client; // NULL: of no known place
    const char *response;
};

static void check(void **state, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(*state, rows[i].what, &rows[i].q, rows[i].client, 0, rows[i].response);
}

// The scope is the least length at which all addresses have one class (RFC 7871 7.2.1); the expected ones
// follow from geodata/country.txt by hand.
static void the_client_decides_and_the_scope_says_how_far(void **state)
{
    static const struct row rows[] = {
        {"the packet's source", Q("api.example.com.", A), "192.0.2.9",
         "NOERROR aa\n" API "A 192.0.2.1\n"},
        {"of another place", Q("api.example.com.", A), "198.51.100.9",
         "NOERROR aa\n" API "A 192.0.2.2\n"},
        {"of none", Q("api.example.com.", A), NULL, "NOERROR aa\n" API "A 192.0.2.3\n"},
        {"in IPv6", Q("api.example.com.", AAAA), "2001:db8:a::1",
         "NOERROR aa\n" API "AAAA 2001:db8::2\n"},
        {"IPv4 inside IPv6", Q("api.example.com.", A), "::ffff:192.0.2.9",
         "NOERROR aa\n" API "A 192.0.2.1\n"},
        {"EDNS without a subnet", Q("api.example.com.", A, .udp_size = 1232), "192.0.2.9",
         "NOERROR aa\n" API "A 192.0.2.1\nopt 1232\n"},
        {"the subnet, not the source",
         Q("api.example.com.", A, .options = "0008 0007 0001 18 00 c63364"), "192.0.2.9",
         "NOERROR aa\n" API "A 192.0.2.2\nopt 1232 8:00011818c63364\n"},
        {"a longer subnet", Q("api.example.com.", A, .options = "0008 0008 0001 20 00 c6336401"),
         NULL, "NOERROR aa\n" API "A 192.0.2.2\nopt 1232 8:00012018c6336401\n"},
        {"a shorter one: the scope is the longer",
         Q("api.example.com.", A, .options = "0008 0006 0001 10 00 c000"), NULL,
         "NOERROR aa\n" API "A 192.0.2.3\nopt 1232 8:00011017c000\n"},
        {"a place that nobody knows",
         Q("api.example.com.", A, .options = "0008 0007 0001 18 00 0a0102"), NULL,
         "NOERROR aa\n" API "A 192.0.2.3\nopt 1232 8:000118020a0102\n"},
        {"a subnet of length 0 is none",
         Q("api.example.com.", A, .options = "0008 0004 0001 00 00"), "192.0.2.9",
         "NOERROR aa\n" API "A 192.0.2.1\nopt 1232 8:00010000\n"},
        {"an IPv6 subnet", Q("api.example.com.", A, .options = "0008 000a 0002 30 00 20010db800de"),
         NULL, "NOERROR aa\n" API "A 192.0.2.1\nopt 1232 8:0002303020010db800de\n"},
        {"one place for all: scope 0",
         Q("example.com.", A, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan example.com. 30 A 192.0.2.4\nopt 1232 8:00011800c63364\n"},
        {"static, in the same zone",
         Q("host.example.com.", A, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan host.example.com. 3600 A 192.0.2.54\nopt 1232 8:00011800c63364\n"},
    };
    check(state, rows, STEER_ARRAY_LEN(rows));
}

static void steered_and_static_records_live_side_by_side(void **state)
{
    static const struct row rows[] = {
        {"other types", Q("beside.example.com.", TXT), NULL,
         "NOERROR aa\nan beside.example.com. 3600 TXT \"static\"\n"},
        {"the steered one", Q("beside.example.com.", A), NULL,
         "NOERROR aa\nan beside.example.com. 30 A 192.0.2.1\n"},
        {"ANY takes the static one", Q("beside.example.com.", ANY), NULL,
         "NOERROR aa\nan beside.example.com. 3600 MX 1 host.example.com.\nar host.example.com. "
         "3600 A 192.0.2.54\n"},
        {"ANY where there is none", Q("api.example.com.", ANY), NULL,
         "NOERROR aa\n" API "A 192.0.2.3\n"},
        {"ANY of IPv6 alone", Q("only6.example.com.", ANY, .udp_size = 1232), NULL,
         "NOERROR aa\nan only6.example.com. 30 AAAA 2001:db8::60\nopt 1232\n"},
        {"a type that is neither", Q("api.example.com.", STEER_TYPE_HTTPS, .udp_size = 1232), NULL,
         "NOERROR aa\n" SOA "opt 1232\n"},
        {"type 0", Q("api.example.com.", 0), NULL, "NOERROR aa\n" SOA},
        {"the apex", Q("example.com.", AAAA), NULL,
         "NOERROR aa\nan example.com. 30 AAAA 2001:db8::4\n"},
        {"the apex's static records", Q("example.com.", STEER_TYPE_NS), NULL,
         "NOERROR aa\nan example.com. 3600 NS ns.example.com.\nar ns.example.com. 3600 A "
         "192.0.2.53\n"},
        {"a wildcard", Q("x.y.wild.example.com.", A, .options = "0008 0007 0001 18 00 c63364"),
         NULL, "NOERROR aa\nan x.y.wild.example.com. 30 A 192.0.2.2\nopt 1232 8:00011818c63364\n"},
        // RFC 7871 7.3.1: they are no additional data
        {"not beside MX", Q("mail.example.com.", STEER_TYPE_MX), NULL,
         "NOERROR aa\nan mail.example.com. 3600 MX 10 api.example.com.\nan mail.example.com. 3600 "
         "MX 20 host.example.com.\n"
         "ar host.example.com. 3600 A 192.0.2.54\n"},
        {"not beside HTTPS of the owner", Q("svc.example.com.", STEER_TYPE_HTTPS), NULL,
         "NOERROR aa\nan svc.example.com. 3600 HTTPS 1 . alpn=h2\n"},
        {"not beside HTTPS as an alias", Q("svc2.example.com.", STEER_TYPE_HTTPS), NULL,
         "NOERROR aa\nan svc2.example.com. 3600 HTTPS 0 api.example.com.\n"},
        {"fixed data", Q("fixed.example.com.", A), NULL,
         "NOERROR aa\nan fixed.example.com. 30 A 192.0.2.7\nan fixed.example.com. 30 A "
         "192.0.2.8\n"},
        {"several at once", Q("three.example.com.", A), NULL,
         "NOERROR aa\nan three.example.com. 30 A 192.0.2.1\nan three.example.com. 30 A 192.0.2.2\n"
         "an three.example.com. 30 A 192.0.2.3\n"},
        {"the least TTL of what is given", Q("caps.example.com.", A), NULL,
         "NOERROR aa\nan caps.example.com. 5 A 192.0.2.1\nan caps.example.com. 5 A 192.0.2.41\n"
         "an caps.example.com. 5 A 192.0.2.42\n"},
        {"a cap raises nothing", Q("long.example.com.", A), NULL,
         "NOERROR aa\nan long.example.com. 10 A 192.0.2.41\n"},
    };
    check(state, rows, STEER_ARRAY_LEN(rows));
}

static void nothing_to_give_is_nodata(void **state)
{
    static const struct row rows[] = {
        {"no address of the family", Q("only4.example.com.", AAAA), NULL, "NOERROR aa\n" SOA},
        {"with a word about it", Q("only4.example.com.", AAAA, .udp_size = 1232), NULL,
         "NOERROR aa\n" SOA "opt 1232 " NOTHING "\n"},
        {"for some clients: scope 0",
         Q("part.example.com.", AAAA, .options = "0008 0007 0001 18 00 c00002"), NULL,
         "NOERROR aa\n" SOA "opt 1232 8:00011800c00002 " NOTHING "\n"},
        {"for others an answer",
         Q("part.example.com.", AAAA, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan part.example.com. 30 AAAA 2001:db8::1\nopt 1232 8:00011806c63364\n"},
        {"fixed data of another family", Q("fixed.example.com.", AAAA), NULL, "NOERROR aa\n" SOA},
        {"at the end of a chain", Q("tofamily.example.com.", AAAA), NULL,
         "NOERROR aa\nan tofamily.example.com. 3600 CNAME only4.example.com.\n" SOA},
    };
    check(state, rows, STEER_ARRAY_LEN(rows));
}

static void a_steered_cname_answers_every_type_and_is_not_followed(void **state)
{
    static const struct row rows[] = {
        {"A", Q("go.example.com.", A), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"TXT", Q("go.example.com.", TXT), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"CNAME", Q("go.example.com.", STEER_TYPE_CNAME), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"ANY", Q("go.example.com.", ANY), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"DS", Q("go.example.com.", STEER_TYPE_DS), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"RRSIG", Q("go.example.com.", STEER_TYPE_RRSIG), NULL,
         "NOERROR aa\nan go.example.com. 20 CNAME a.example.net.\n"},
        {"a wildcard", Q("x.go.example.com.", A, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan x.go.example.com. 20 CNAME b.example.net.\nopt 1232 8:00011818c63364\n"},
        {"into a zone served here", Q("inside.example.com.", A), NULL,
         "NOERROR aa\nan inside.example.com. 20 CNAME api.example.com.\n"},
        {"a static CNAME into a steered name is followed",
         Q("toapi.example.com.", A, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan toapi.example.com. 3600 CNAME api.example.com.\n" API "A 192.0.2.2\n"
         "opt 1232 8:00011818c63364\n"},
        {"and into a steered CNAME", Q("tocname.example.com.", A), NULL,
         "NOERROR aa\nan tocname.example.com. 3600 CNAME go.example.com.\n"
         "an go.example.com. 20 CNAME a.example.net.\n"},
        {"a static CNAME asked for itself is not steered",
         Q("toapi.example.com.", STEER_TYPE_CNAME, .options = "0008 0007 0001 18 00 c63364"), NULL,
         "NOERROR aa\nan toapi.example.com. 3600 CNAME api.example.com.\nopt 1232 "
         "8:00011800c63364\n"},
    };
    check(state, rows, STEER_ARRAY_LEN(rows));
}

// ---- the draw ------------------------------------------------------------------------------------

static void the_low_half_of_the_random_bits_draws(void **state)
{
    // 9/10 of 2^32 is 3865470566.4
    static const struct {
        uint32_t u;
        const char *address;
    } rows[] = {{0, "192.0.2.1"},
                {3865470565, "192.0.2.1"},
                {3865470566, "192.0.2.2"},
                {UINT32_MAX, "192.0.2.2"}};
    const struct question q = Q("share.example.com.", A);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char want[128];
        snprintf(want, sizeof want, "NOERROR aa\nan share.example.com. 30 A %s\n", rows[i].address);
        expect(*state, "low", &q, NULL, rows[i].u, want);
        expect(*state, "the high half changes nothing", &q, NULL,
               rows[i].u | UINT64_C(0xfedcba98) << 32, want);
    }
}

static void the_high_half_turns_the_order(void **state)
{
    static struct reply reply;
    const struct question q = Q("three.example.com.", A);
    const size_t answers = 12u + name_of(q.name).len + 4u;
    for (unsigned turn = 0; turn < 6; turn++) {
        ask_from(*state, &q, NULL, (uint64_t)turn << 32 | 77, &reply);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(reply.wire[answers + 16 * i + 15], 1 + (turn + i) % 3);
    }
}

// ---- health --------------------------------------------------------------------------------------

static void health_changes_the_answer_in_place(void **state)
{
    struct stage *s = *state;
    const struct question fail = Q("fail.example.com.", A),
                          none = Q("none.example.com.", A, .udp_size = 1232);
    const char *first = "NOERROR aa\nan fail.example.com. 30 A 192.0.2.1\n";
    const char *second = "NOERROR aa\nan fail.example.com. 30 A 192.0.2.2\n";
    expect(s, "up", &fail, NULL, 0, first);
    s->moment.down = "a";
    expect(s, "not yet told", &fail, NULL, 0, first);
    assert_true(steer_cells_refresh(s->cells, STEER_ENDPOINT, "a", &s->view) > 0);
    expect(s, "down", &fail, NULL, 0, second);
    expect(s, "serve_none", &none, NULL, 0, "NOERROR aa\n" SOA "opt 1232 " NOTHING "\n");
    s->moment.down = "a b";
    steer_cells_refresh(s->cells, STEER_ENDPOINT, "b", &s->view);
    expect(s, "both down: all are served", &fail, NULL, 0, first);
    s->moment.down = NULL;
    s->moment.drained = "a b";
    steer_cells_refresh_all(s->cells, &s->view);
    expect(s, "both drained: nothing", &fail, NULL, 0, "NOERROR aa\n" SOA);
    s->moment.drained = NULL;
    steer_cells_refresh_all(s->cells, &s->view);
    steer_cells_reclaim(s->cells);
    expect(s, "up again", &fail, NULL, 0, first);
}

static void facts_name_the_outcome(void **state)
{
    struct stage *s = *state;
    static struct reply reply;
    const struct question api =
        Q("toapi.example.com.", A, .options = "0008 0007 0001 18 00 c63364");
    ask_from(s, &api, NULL, 0, &reply);
    assert_true(reply.facts.steered && reply.facts.ecs);
    assert_int_equal(reply.facts.scope, 24);
    assert_int_equal(reply.facts.ttl_s, 30);
    const struct steer_answer_slot *slot =
        steer_tables_answer(s->world->tables, reply.facts.answer_line);
    assert_int_equal(slot->count, 1);
    assert_int_equal(slot->endpoint_count, 1);
    uint32_t number;
    memcpy(&number, (const uint8_t *)slot + steer_answer_slot_endpoints(slot->len), sizeof number);
    assert_int_equal(number, 'b');

    const struct question capped = Q("caps.example.com.", A),
                          family = Q("only4.example.com.", AAAA);
    ask_from(s, &capped, NULL, 0, &reply);
    assert_int_equal(reply.facts.ttl_s, 5);
    assert_false(reply.facts.ecs);
    ask_from(s, &family, NULL, 0, &reply);
    assert_true(reply.facts.steered);
    assert_int_equal(reply.facts.kind, STEER_FACT_NODATA);
    assert_int_equal(reply.facts.answer_line, 0);
}

// The linear evaluator as the judge: class by look-up of each address of the block.
static void every_scope_is_true_and_minimal(void **state)
{
    struct stage *s = *state;
    static struct reply reply;
    struct steer_rng rng;
    steer_rng_init(&rng, 7);
    for (unsigned n = 0; n < 3000; n++) {
        const uint32_t base = n % 2   ? UINT32_C(0x64400000)
                              : n % 4 ? UINT32_C(0xc0000200)
                                      : UINT32_C(0xc6336400);
        const uint32_t address =
            (base ^ ((uint32_t)steer_rng_next(&rng) & (n % 2 ? 0x1fffff : 0x3ff))) &
            ~UINT32_C(0xff);
        char options[64];
        snprintf(options, sizeof options, "0008 0007 0001 18 00 %06x", address >> 8);
        const struct question q = Q("part.example.com.", A, .options = options);
        ask_from(s, &q, NULL, 0, &reply);
        const uint8_t scope = reply.facts.scope;
        assert_in_range(scope, 1, 32);
        const struct steer_classes *c = &s->classes[6];
        bool same = true, parent_same = true;
        const uint32_t own = scope < 32 ? UINT32_MAX >> scope : 0,
                       parent = UINT32_MAX >> (scope - 1);
        struct steer_addr a = {
            STEER_V4,
            {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8)}};
        const uint16_t class = c->class_of[steer_partition_lookup(steer_geo_partition(s->geo), &a)];
        const struct steer_partition *p = steer_geo_partition(s->geo);
        for (size_t i = 0; i < p->count4; i++) {
            const uint32_t first = p->start4[i],
                           last = i + 1 < p->count4 ? p->start4[i + 1] - 1 : UINT32_MAX;
            const bool differs = c->class_of[p->value4[i]] != class;
            same &= !(differs && first <= (address | own) && last >= (address & ~own));
            parent_same &= !(differs && first <= (address | parent) && last >= (address & ~parent));
        }
        assert_true(same);
        assert_true(!parent_same || scope == 1);
    }
}

static void two_steps_are_one(void **state)
{
    struct stage *s = *state;
    static struct reply whole;
    static uint8_t out[OUT_BYTES];
    for (unsigned i = 0; i < STEER_ARRAY_LEN(steered); i++) {
        uint8_t message[512];
        struct steer_prepared prepared;
        struct steer_facts facts;
        const struct question q = Q(steered[i].owner, A, .udp_size = 600);
        struct steer_ask ask = {
            .message = message, .client = {STEER_V4, {10, 0, 0, 1}}, .random = i};
        ask.len = make_message(&q, message, sizeof message);
        ask_from(s, &q, NULL, i, &whole);
        steer_answer_prepare(&ask, &prepared);
        steer_answer_locate(s->world, &ask, &prepared, 1);
        const size_t len = steer_answer_render(s->world, &plain_settings, &ask, &prepared, out,
                                               sizeof out, &facts);
        assert_int_equal(len, whole.len);
        assert_memory_equal(out, whole.wire, len);
        assert_memory_equal(&facts, &whole.facts, sizeof facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_decides_and_the_scope_says_how_far),
        cmocka_unit_test(steered_and_static_records_live_side_by_side),
        cmocka_unit_test(nothing_to_give_is_nodata),
        cmocka_unit_test(a_steered_cname_answers_every_type_and_is_not_followed),
        cmocka_unit_test(the_low_half_of_the_random_bits_draws),
        cmocka_unit_test(the_high_half_turns_the_order),
        cmocka_unit_test(health_changes_the_answer_in_place),
        cmocka_unit_test(facts_name_the_outcome),
        cmocka_unit_test(every_scope_is_true_and_minimal),
        cmocka_unit_test(two_steps_are_one),
    };
    return cmocka_run_group_tests(tests, open_stage, close_stage);
}
