// SPDX-License-Identifier: GPL-3.0-or-later
// links: base wire rr geo health policy zone world answer control
// Any text as the records of a zone, beside another zone that is always there: it is refused with a message, or it
// loads, and each of its records is asked for. What comes must be a message, and must have the record unless the
// zone itself hides it. The zone replaces the one before, so versions share nodes.
#include <libknot/libknot.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/answer/answer.h"
#include "steerd/control/linker.h"
#include "steerd/rr/zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Of the leak sanitizer, where the program has it.
void __lsan_disable(void) __attribute__((weak));

#define CHECK(condition) ((condition) ? (void)0 : abort())

enum { RECORDS_MAX = 200, QUERY_MAX = STEER_HEADER_BYTES + STEER_NAME_MAX + 4 };

static const char head_text[] = "@ 60 IN SOA ns h 1 7200 900 1209600 300\n@ 60 NS ns\n";
static const char other_text[] =
    "@ 60 IN SOA ns h 1 7200 900 1209600 300\n@ 60 NS ns\nns A 192.0.2.1\n"
    "l CNAME l.z.\nw CNAME x.w.z.\nd DNAME d.z.\n";

// The question of a record that was read.
struct asked {
    uint8_t query[QUERY_MAX];
    size_t len;
    uint16_t type;
};

// What one input's records go to.
struct load {
    struct steer_zone_edit *edit;
    struct asked asked[RECORDS_MAX];
    unsigned count;
};

static struct steer_linker *linker;

// ---- loading -------------------------------------------------------------------------------------

static size_t put_question(uint8_t *query, const uint8_t *owner, size_t owner_len, uint16_t type)
{
    memset(query, 0, STEER_HEADER_BYTES);
    query[5] = 1;
    uint8_t *p = query + STEER_HEADER_BYTES;
    memcpy(p, owner, owner_len);
    p += owner_len;
    const uint8_t rest[] = {(uint8_t)(type >> 8), (uint8_t)type, 0, STEER_CLASS_IN};
    memcpy(p, rest, sizeof rest);
    return STEER_HEADER_BYTES + owner_len + sizeof rest;
}

static int add_record(void *ctx, const struct steer_rr *rr)
{
    struct load *load = ctx;
    struct steer_diag diag = {0};
    if (load->count == RECORDS_MAX)
        return 1;
    if (rr->class != STEER_CLASS_IN ||
        steer_zone_add(load->edit, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL,
                       &diag) != STEER_OK)
        return 0; // said in diag; the others are added
    struct asked *asked = &load->asked[load->count++];
    asked->type = rr->type;
    asked->len = put_question(asked->query, rr->owner, rr->owner_len, rr->type);
    return 0;
}

// False: the zone is refused and the one before stays.
static bool put_zone(const char *origin_text, const char *text, size_t len, struct load *load)
{
    struct steer_name origin;
    struct steer_diag diag = {0};
    CHECK(steer_name_parse(origin_text, NULL, &origin, NULL) == STEER_OK);
    struct steer_link *link = steer_link_begin(linker);
    load->edit = steer_zone_build(&origin);
    load->count = 0;
    // As far as it can be read: the records before an error make a zone too.
    (void)!steer_zonefile_read(text, len, "fuzz", &origin, 300, NULL, add_record, load, &diag);
    diag.message[0] = '\0';
    const bool good = steer_link_replace_zone(link, &origin, load->edit, &diag) == STEER_OK &&
                      steer_link_prepare(link, 1, &diag) == STEER_OK;
    CHECK(good || diag.message[0]);
    if (good)
        steer_link_commit(link);
    else
        steer_link_abort(link);
    return good;
}

static void start(void)
{
    static struct load load;
    struct steer_geo *geo;
    struct steer_diag diag = {0};
    CHECK(steer_geo_open(NULL, 0, NULL, &geo, &diag) == STEER_OK);
    CHECK(steer_linker_create(geo, steer_vitals_create(), &linker, &diag) == STEER_OK);
    steer_geo_unref(geo);
    CHECK(put_zone("o.", other_text, strlen(other_text), &load));
}

// ---- asking --------------------------------------------------------------------------------------

static bool has_type(const knot_pkt_t *pkt, uint16_t type)
{
    const knot_pktsection_t *section = knot_pkt_section(pkt, KNOT_ANSWER);
    for (uint16_t i = 0; i < section->count; i++)
        if (knot_pkt_rr(section, i)->type == type)
            return true;
    return false;
}

// A record that the zone has: given, unless it lies below a delegation or a DNAME of the zone.
static void check_given(const knot_pkt_t *pkt, uint16_t type, const uint8_t *out)
{
    if (!knot_wire_get_aa(out) || knot_wire_get_tc(out) || has_type(pkt, KNOT_RRTYPE_DNAME))
        return;
    CHECK(has_type(pkt, type));
}

static void ask(const struct asked *asked, bool stream, uint64_t random)
{
    static const struct steer_answer_settings settings = {.udp_size = STEER_UDP_SIZE};
    static uint8_t out[STEER_MESSAGE_MAX];
    struct steer_facts facts;
    const struct steer_ask question = {.message = asked->query,
                                       .len = asked->len,
                                       .client = {STEER_V4, {192, 0, 2, 1}},
                                       .stream = stream,
                                       .random = random};
    const size_t len =
        steer_answer(steer_linker_world(linker), &settings, &question, out, sizeof out, &facts);
    CHECK(len >= asked->len && (stream || len <= STEER_UDP_MIN));
    knot_pkt_t *pkt = knot_pkt_new(out, (uint16_t)len, NULL);
    CHECK(pkt && knot_pkt_parse(pkt, 0) == KNOT_EOK);
    CHECK(facts.rcode == knot_pkt_ext_rcode(pkt));
    if (asked->type)
        check_given(pkt, asked->type, out);
    knot_pkt_free(pkt);
}

// The record itself, ANY at its name, and a name below it.
static void ask_about(const struct asked *record)
{
    struct asked other = {.type = 0};
    const size_t owner_len = record->len - STEER_HEADER_BYTES - 4;
    ask(record, true, 0);
    ask(record, false, UINT64_MAX);
    other.len =
        put_question(other.query, record->query + STEER_HEADER_BYTES, owner_len, STEER_TYPE_ANY);
    ask(&other, true, 1);
    if (owner_len + 2 > STEER_NAME_MAX)
        return;
    uint8_t below[STEER_NAME_MAX] = {1, 'x'};
    memcpy(below + 2, record->query + STEER_HEADER_BYTES, owner_len);
    other.len = put_question(other.query, below, owner_len + 2, STEER_TYPE_A);
    ask(&other, false, 1);
}

static void ask_other(const char *name_text)
{
    struct steer_name name;
    struct asked asked = {.type = 0};
    CHECK(steer_name_parse(name_text, NULL, &name, NULL) == STEER_OK);
    asked.len = put_question(asked.query, name.octets, name.len, STEER_TYPE_A);
    ask(&asked, true, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct load load;
    if (!linker) {
        // Tagged pointers look like leaks; what is lost from version to version shows in the size.
        if (__lsan_disable)
            __lsan_disable();
        start();
    }
    struct steer_buf text = {0};
    steer_buf_puts(&text, head_text);
    steer_buf_add(&text, data, size);
    if (put_zone("z.", text.data, text.len, &load)) {
        for (unsigned i = 0; i < load.count; i++)
            ask_about(&load.asked[i]);
        ask_other("l.o");
        ask_other("w.o");
        ask_other("x.d.o");
    }
    steer_buf_fini(&text);
    return 0;
}
