// SPDX-License-Identifier: GPL-3.0-or-later
// The SOA of negative answers, rendered once a version. The writer does it in a message that asks for the
// origin itself; what is kept are its octets, and which of them are pointers.
#include <string.h>

#include "steerd/wire/writer.h"
#include "zone_internal.h"

enum { MESSAGE_BYTES = 1024, NUMBERS_BYTES = 20, POINTER_MARK = 0xc0 };

// Writes a name, and notes the pointer that it may end with.
static void write_name(struct steer_negative *n, struct steer_writer *w, size_t start,
                       const uint8_t *name)
{
    size_t at = w->len;
    steer_write_name(w, name, true);
    while (w->data[at] && w->data[at] < POINTER_MARK)
        at += w->data[at] + 1u;
    if (!w->data[at])
        return;
    const unsigned target = (w->data[at] & 0x3fu) << 8 | w->data[at + 1];
    const bool is_own = target >= start;
    n->pointers[n->pointer_count++] = (struct steer_negative_pointer){
        .at = (uint16_t)(at - start),
        .delta = (uint16_t)(target - (is_own ? start : STEER_HEADER_BYTES)),
        .is_own = is_own};
}

void steer_zone_render_negative(struct steer_zone *zone, const struct steer_rr_view *soa)
{
    struct steer_negative *n = &zone->negative;
    uint8_t message[MESSAGE_BYTES];
    const uint8_t *mname = soa->rdata, *rname = mname + steer_name_length(mname);
    struct steer_writer w;
    *n = (struct steer_negative){0};
    steer_writer_init(&w, message, sizeof message);
    steer_write_room(&w, STEER_HEADER_BYTES);
    steer_write_bytes(&w, zone->origin.octets, zone->origin.len);
    steer_writer_know(&w, STEER_HEADER_BYTES);
    const size_t start = w.len;
    write_name(n, &w, start, zone->origin.octets);
    steer_write_u16(&w, STEER_TYPE_SOA);
    steer_write_u16(&w, STEER_CLASS_IN);
    steer_write_u32(&w, zone->negative_ttl_s);
    const size_t length_at = w.len;
    steer_write_u16(&w, 0);
    write_name(n, &w, start, mname);
    write_name(n, &w, start, rname);
    steer_write_bytes(&w, soa->rdata + soa->rdata_len - NUMBERS_BYTES, NUMBERS_BYTES);
    steer_write_u16_at(&w, length_at, (uint16_t)(w.len - length_at - 2));
    if (w.len - start > sizeof n->octets)
        return;
    n->len = (uint8_t)(w.len - start);
    memcpy(n->octets, message + start, n->len);
}
