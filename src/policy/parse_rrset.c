// SPDX-License-Identifier: GPL-3.0-or-later
// Static record data: values in presentation form -> sorted wire form (struct steer_fixed).
#include <stdlib.h>
#include <string.h>

#include "policy_internal.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { RR_HEAD_BYTES = 12 };

bool steer_parse_type(struct steer_parse *p, const struct steer_item *item, uint16_t *type)
{
    if (p->err)
        return true;
    if (!steer_type_parse(item->key, type))
        return false;
    if (steer_type_is_meta(*type))
        steer_doc_fail(p, item->key_at, "'%s' is a type for queries only; no record has it",
                       item->key);
    return true;
}

void steer_parse_name(struct steer_parse *p, const struct steer_item *item, struct steer_name *name)
{
    struct steer_diag why;
    struct steer_name absolute;
    *name = (struct steer_name){.len = 1};
    if (p->err)
        return;
    if (!json_is_string(item->json)) {
        steer_doc_mismatch(p, item, "a domain name");
        return;
    }
    const char *text = json_string_value(item->json);
    struct steer_addr addr;
    if (steer_addr_parse(text, &addr))
        steer_doc_fail(p, item->at, "'%s' is an address, not a domain name", text);
    else if (!*text)
        steer_doc_fail(p, item->at, "an empty domain name");
    else if (strcmp(text, "@") == 0 && p->origin)
        *name = *p->origin;
    else if (steer_name_parse(text, p->origin, name, &why))
        steer_doc_fail(p, item->at, "%s", why.message);
    else if (!p->origin && text[strlen(text) - 1] != '.')
        steer_doc_fail(p, item->at,
                       "'%.80s' must be absolute, because a policy belongs to no zone: "
                       "end it with a dot",
                       text);
    else if (p->origin && text[strlen(text) - 1] != '.' &&
             steer_name_parse(text, NULL, &absolute, &why) == STEER_OK &&
             steer_name_is_below(absolute.octets, p->origin->octets))
        steer_doc_warn(p, item->at,
                       "'%.80s' is below the zone, so that the zone's name stands in it "
                       "twice; end it with a dot if it is the whole name",
                       text);
}

// RFC 1035 3.3.14: character-strings of at most 255 octets each.
static void text_rdata(struct steer_buf *rdata, const char *text, size_t len)
{
    do {
        size_t piece = len > 255 ? 255 : len;
        steer_buf_u8(rdata, (uint8_t)piece);
        steer_buf_add(rdata, text, piece);
        text += piece;
        len -= piece;
    } while (len);
}

static void address_rdata(struct steer_parse *p, const struct steer_item *item, uint8_t family,
                          struct steer_buf *rdata)
{
    struct steer_addr addr;
    const char *text = json_string_value(item->json);
    bool v4 = family == STEER_V4;
    if (!steer_addr_parse(text, &addr))
        steer_doc_fail(p, item->at, "'%.80s' is not an IPv%d address like %s", text, v4 ? 4 : 6,
                       v4 ? "192.0.2.10" : "2001:db8::10");
    else if (addr.family != family)
        steer_doc_fail(p, item->at, "'%s' is an IPv%d address; write it at %s", text, v4 ? 6 : 4,
                       v4 ? "AAAA" : "A");
    else
        steer_buf_add(rdata, addr.octets, steer_family_bits(family) / 8);
}

static void presentation_rdata(struct steer_parse *p, const struct steer_item *item, uint16_t type,
                               struct steer_buf *rdata)
{
    // Outside a zone a relative name has no meaning: it shows as a difference between two origins.
    static const struct steer_name other = {.len = 3, .labels = 1, .octets = {1, 'x', 0}};
    struct steer_diag why;
    const char *text = json_string_value(item->json);
    if (steer_rdata_parse(type, text, p->origin, rdata, &why)) {
        steer_doc_fail(p, item->at, "%s", why.message);
        return;
    }
    if (p->origin)
        return;
    struct steer_buf twin = {0};
    if (steer_rdata_parse(type, text, &other, &twin, &why) || twin.len != rdata->len ||
        (twin.len && memcmp(twin.data, rdata->data, twin.len) != 0))
        steer_doc_fail(p, item->at,
                       "names in '%.80s' must be absolute, because a policy belongs to no "
                       "zone: end them with a dot",
                       text);
    steer_buf_fini(&twin);
}

static void one_rdata(struct steer_parse *p, const struct steer_item *item, uint16_t type,
                      struct steer_buf *rdata)
{
    struct steer_name name;
    if (!json_is_string(item->json)) {
        steer_doc_mismatch(p, item, "a string");
        return;
    }
    const char *text = json_string_value(item->json);
    switch (type) {
    case STEER_TYPE_A:
        address_rdata(p, item, STEER_V4, rdata);
        break;
    case STEER_TYPE_AAAA:
        address_rdata(p, item, STEER_V6, rdata);
        break;
    case STEER_TYPE_NS:
    case STEER_TYPE_CNAME:
    case STEER_TYPE_PTR:
    case STEER_TYPE_DNAME:
        steer_parse_name(p, item, &name);
        steer_buf_add(rdata, name.octets, name.len);
        break;
    case STEER_TYPE_TXT:
        if (*text != '"') {
            text_rdata(rdata, text, strlen(text));
            break;
        }
        presentation_rdata(p, item, type, rdata);
        break;
    default:
        presentation_rdata(p, item, type, rdata);
        break;
    }
}

struct piece {
    uint8_t *data;
    size_t len;
};

// RFC 4034 6.3: as octet strings, where a missing octet comes first.
static int by_octets(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void fix(struct steer_parse *p, struct piece *pieces, size_t count,
                struct steer_fixed *fixed)
{
    qsort(pieces, count, sizeof *pieces, by_octets);
    fixed->len = steer_arena_calloc(p->arena, count * sizeof *fixed->len);
    fixed->rdata = steer_arena_calloc(p->arena, count * sizeof *fixed->rdata);
    for (size_t i = 0; i < count; i++) {
        if (i && by_octets(&pieces[i - 1], &pieces[i]) == 0)
            continue;
        fixed->len[fixed->count] = (uint16_t)pieces[i].len;
        fixed->rdata[fixed->count++] = steer_arena_memdup(p->arena, pieces[i].data, pieces[i].len);
    }
}

void steer_parse_rrset(struct steer_parse *p, const struct steer_item *item, uint16_t type,
                       struct steer_fixed *fixed)
{
    struct steer_entries entries = {0};
    struct steer_item entry;
    *fixed = (struct steer_fixed){.type = type};
    bool list = json_is_array(item->json);
    if (p->err || (list && !steer_doc_list(p, item, "[one, two]")))
        return;
    if (list)
        steer_entries_of(p, item, &entries);
    size_t count = list ? json_array_size(item->json) : 1;
    if (count > 1 && steer_type_is_singleton(type)) {
        steer_doc_fail(p, item->at, "a name has one %s at most, not %zu", item->key, count);
        return;
    }
    struct piece *pieces = steer_calloc(count, sizeof *pieces);
    size_t total = 0;
    for (size_t i = 0; i < count && !p->err; i++) {
        struct steer_buf rdata = {0};
        if (list)
            (void)steer_entries_next(&entries, &entry);
        else
            entry = *item;
        one_rdata(p, &entry, type, &rdata);
        total += rdata.len + RR_HEAD_BYTES;
        if (total > STEER_RRSET_BYTES_MAX)
            steer_doc_fail(p, entry.at, "%s does not fit into one DNS message", item->key);
        pieces[i].len = rdata.len;
        pieces[i].data = (uint8_t *)steer_buf_take(&rdata);
    }
    if (!p->err)
        fix(p, pieces, count, fixed);
    for (size_t i = 0; i < count; i++)
        free(pieces[i].data);
    free(pieces);
}
