// SPDX-License-Identifier: GPL-3.0-or-later
// What is kept of a query that was answered.
#include <string.h>

#include "server_internal.h"
#include "steerd/wire/message.h"

// A reply as it was rendered; `at` never passes its end.
struct reader {
    const uint8_t *reply;
    size_t len, at;
};

static unsigned read_u16(struct reader *r)
{
    if (r->len - r->at < 2) {
        r->at = r->len;
        return 0;
    }
    r->at += 2;
    return (unsigned)(r->reply[r->at - 2] << 8 | r->reply[r->at - 1]);
}

// The length of the name at the reader, whole in *name (RFC 1035 4.1.4); 0: there is none.
static size_t read_name(struct reader *r, uint8_t name[STEER_NAME_MAX])
{
    size_t size = 0;
    size_t at = r->at;
    size_t end = 0; // of the name as it stands
    for (size_t label; at < r->len; at += 1 + label) {
        label = r->reply[at];
        if (label >= 0xc0) {
            if (r->len - at < 2)
                return 0;
            const size_t to = (label & 0x3f) << 8 | r->reply[at + 1];
            end = end ? end : at + 2;
            if (to >= at) // what pointers lead to stands before them
                return 0;
            at = to - 1;
            label = 0;
            continue;
        }
        if (size + 1 + label > STEER_NAME_MAX || r->len - at < 1 + label)
            return 0;
        memcpy(name + size, r->reply + at, 1 + label);
        size += 1 + label;
        if (label == 0) {
            r->at = end ? end : at + 1;
            return size;
        }
    }
    return 0;
}

// How many octets stand before the one name that the data of such a record ends with; -1: none that is compressed.
static int before_name(unsigned type)
{
    switch (type) {
    case STEER_TYPE_NS:
    case STEER_TYPE_CNAME:
    case STEER_TYPE_PTR:
    case STEER_TYPE_DNAME:
        return 0;
    case STEER_TYPE_MX:
        return 2;
    default:
        return -1;
    }
}

static void keep_data(struct steer_replay_record *record, struct reader *r, unsigned type,
                      size_t size)
{
    uint8_t name[STEER_NAME_MAX];
    const int before = before_name(type);
    const uint8_t *data = r->reply + r->at;
    const size_t plain = before < 0 ? size : (size_t)before;
    size_t len = 0;
    if (size > r->len - r->at || plain > size || plain > sizeof record->answer ||
        type == STEER_TYPE_SOA)
        return;
    memcpy(record->answer, data, plain);
    if (before >= 0) {
        r->at += plain;
        len = read_name(r, name);
        if (!len || plain + len > sizeof record->answer)
            return;
        memcpy(record->answer + plain, name, len);
    }
    record->answer_type = (uint16_t)type;
    record->answer_len = (uint8_t)(plain + len);
}

static void keep_first_record(struct steer_replay_record *record, const struct steer_query *query,
                              const uint8_t *reply, size_t len)
{
    uint8_t owner[STEER_NAME_MAX];
    struct reader r = {reply, len, STEER_HEADER_BYTES + query->question_len};
    if (len < r.at || !(reply[6] | reply[7]) || !read_name(&r, owner))
        return;
    const unsigned type = read_u16(&r);
    r.at = len - r.at < 6 ? len : r.at + 6; // class and TTL
    const size_t size = read_u16(&r);
    if (r.at < len)
        keep_data(record, &r, type, size);
}

// The client that the answer was for: the subnet that the resolver sent, or where the packet came from.
static struct steer_prefix client_of(const struct steer_ask *ask, const struct steer_query *q)
{
    const struct steer_ecs *ecs = &q->edns.ecs;
    if (q->edns.has_ecs && ecs->source && ecs->addr.family)
        return (struct steer_prefix){ecs->addr, ecs->source};
    return (struct steer_prefix){ask->client, (uint8_t)steer_family_bits(ask->client.family)};
}

void sample_query(struct steer_replay_ring *ring, const struct steer_ask *ask,
                  const struct steer_prepared *p, const struct steer_facts *facts,
                  const uint8_t *reply, size_t len, uint32_t unix_s)
{
    if (len == 0 || !p->asks_zone || !steer_replay_is_due(ring, ask->random))
        return;
    struct steer_replay_record record = {
        .name = p->query.qname,
        .unix_s = unix_s,
        .type = p->query.qtype,
        .rcode = (uint8_t)facts->rcode,
        .steered = facts->steered,
        .client = client_of(ask, &p->query),
    };
    keep_first_record(&record, &p->query, reply, len);
    steer_replay_keep(ring, &record);
}
