// SPDX-License-Identifier: GPL-3.0-or-later
// A zone on its way in: read, checked and reviewed on the caller's thread.
#ifndef STEERD_CONTROL_INCOMING_H
#define STEERD_CONTROL_INCOMING_H

#include "control_internal.h"

// A warning, and what its place is looked for by.
struct remark {
    uint32_t line, column; // 0: not known (yet)
    bool sought;           // a record of owner and type, and of that data unless rdata_hash is 0
    uint16_t type;
    uint8_t *owner; // wire; while it is sought
    uint64_t rdata_hash;
    char *message;
};

struct incoming {
    const struct steer_control_zone *source;
    struct steer_name origin;
    struct steer_zone_edit *build; // NULL: refused, see diag; or handed on
    struct steer_diag diag;
    struct remark *remarks;
    size_t remark_count, remark_cap, dropped_remarks;
    size_t remark_max; // how many are kept; the rest are counted
    uint32_t file_serial, soa_line, soa_column;
    bool same; // as `before`, which was in world version same_version
    uint64_t same_version;
    bool linked;
    bool unchanged; // there was nothing to link
    uint32_t serial;
    uint64_t records, rrsets;
};

// Afterwards either build or diag is set. `before`: the zone's present version, or NULL.
void incoming_read(struct incoming *in, const struct steer_zone *before);
// Whether importing it would change nothing: the same records, and a serial that is not above the present one.
bool incoming_is_same(const struct incoming *in, const struct steer_zone *before);
// Gives the build up; diag says why.
void incoming_refuse(struct incoming *in);
void incoming_warn(struct incoming *in, uint32_t line, uint32_t column, const uint8_t *owner,
                   const char *what);
// Adds the warnings to the array in the order of their places, as {"file","line","column","message"}; at most `room`,
// and returns how many were left out.
size_t incoming_warnings(struct incoming *in, size_t room, json_t *array);
void incoming_fini(struct incoming *in);

#endif
