// SPDX-License-Identifier: GPL-3.0-or-later
// Reading a zone. Faults and findings are known once the zone is whole, and then by owner and type; where there are any,
// the file is read a second time for their places, which costs less than keeping the places of all records.
#include "incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/rr/zonefile.h"
#include "steerd/zone/review.h"

enum { DEFAULT_TTL_S = 3600 };

// ---- warnings --------------------------------------------------------------------------------------

// NULL when there are so many already that it is only counted.
static struct remark *add_remark(struct incoming *in, const uint8_t *owner, const char *what)
{
    char name[STEER_NAME_TEXT_MAX];
    struct steer_buf message = {0};
    if (in->remark_count >= in->remark_max) {
        in->dropped_remarks++;
        return NULL;
    }
    steer_buf_printf(&message, "%s: %s", steer_name_format(owner, name), what);
    in->remarks =
        steer_grow(in->remarks, &in->remark_cap, in->remark_count + 1, sizeof *in->remarks);
    struct remark *r = &in->remarks[in->remark_count++];
    *r = (struct remark){.message = steer_buf_take(&message)};
    return r;
}

void incoming_warn(struct incoming *in, uint32_t line, uint32_t column, const uint8_t *owner,
                   const char *what)
{
    struct remark *r = add_remark(in, owner, what);
    if (r) {
        r->line = line;
        r->column = column;
    }
}

static uint64_t rdata_hash(const uint8_t *rdata, size_t len)
{
    return rdata ? steer_hash_bytes(rdata, len, 0) | 1 : 0;
}

static void take_finding(void *ctx, const struct steer_finding *f)
{
    struct remark *r = add_remark(ctx, f->owner, f->what);
    if (!r)
        return;
    r->owner = steer_memdup(f->owner, steer_name_length(f->owner));
    r->sought = true;
    r->type = f->type;
    r->rdata_hash = rdata_hash(f->rdata, f->rdata_len);
}

static int by_place(const void *a, const void *b)
{
    const struct remark *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return strcmp(x->message, y->message);
}

static json_t *warning(const struct incoming *in, const struct remark *r)
{
    return json_pack("{s:o,s:I,s:I,s:o}", "file", control_text(in->source->file), "line",
                     (json_int_t)r->line, "column", (json_int_t)r->column, "message",
                     control_text(r->message));
}

size_t incoming_warnings(struct incoming *in, size_t room, json_t *array)
{
    size_t count = in->remark_count < room ? in->remark_count : room;
    if (in->remark_count)
        qsort(in->remarks, in->remark_count, sizeof *in->remarks, by_place);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, warning(in, &in->remarks[i]));
    return in->dropped_remarks + in->remark_count - count;
}

// ---- places ----------------------------------------------------------------------------------------

struct seek {
    struct incoming *in;
    size_t left;                 // remarks without a place
    const struct steer_name *at; // the owner at fault, or NULL
    struct steer_zone_edit *one; // a zone of its records up to here
    uint8_t types[1 << 13];      // a bit for each type that it has
};

// Whether a record may be what makes its owner faulty: the first of its type there, or one of which there may be one
// only. To look at the owner after each record would cost the square of them.
static bool may_be_fault(struct seek *seek, uint16_t type)
{
    const uint8_t bit = (uint8_t)(1u << type % 8);
    const bool is_new = !(seek->types[type / 8] & bit);
    seek->types[type / 8] |= bit;
    return is_new || type == STEER_TYPE_SOA || type == STEER_TYPE_CNAME || type == STEER_TYPE_DNAME;
}

static void place_remarks(struct seek *seek, const struct steer_rr *rr)
{
    const struct incoming *in = seek->in;
    for (size_t i = 0; i < in->remark_count && seek->left; i++) {
        struct remark *r = &in->remarks[i];
        if (!r->sought || r->type != rr->type || !steer_name_equal(r->owner, rr->owner) ||
            (r->rdata_hash && r->rdata_hash != rdata_hash(rr->rdata, rr->rdata_len)))
            continue;
        r->line = rr->line;
        r->column = rr->column;
        r->sought = false;
        seek->left--;
    }
}

// The first record after which the owner is at fault.
static bool is_fault(struct seek *seek, const struct steer_rr *rr)
{
    struct steer_name owner;
    if (!seek->at || rr->owner_len != seek->at->len ||
        memcmp(rr->owner, seek->at->octets, rr->owner_len) != 0)
        return false;
    return steer_zone_add(seek->one, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL,
                          NULL) != STEER_OK ||
           (may_be_fault(seek, rr->type) && steer_zone_faulty(seek->one, &owner));
}

static int seek_record(void *ctx, const struct steer_rr *rr)
{
    struct seek *seek = ctx;
    place_remarks(seek, rr);
    if (is_fault(seek, rr)) {
        seek->in->diag.line = rr->line;
        seek->in->diag.column = rr->column;
        seek->at = NULL;
    }
    return !seek->left && !seek->at;
}

static void find_places(struct incoming *in, const struct steer_name *fault)
{
    const struct steer_control_zone *z = in->source;
    struct seek seek = {.in = in, .at = fault};
    for (size_t i = 0; i < in->remark_count; i++)
        seek.left += in->remarks[i].sought;
    if (!seek.left && !fault)
        return;
    seek.one = steer_zone_build(&in->origin);
    // What is not found stays without a place.
    enum steer_err err = steer_zonefile_read(z->data, z->len, z->file, &in->origin, DEFAULT_TTL_S,
                                             NULL, seek_record, &seek, NULL);
    (void)err;
    steer_zone_abort(seek.one);
    for (size_t i = 0; i < in->remark_count; i++) {
        free(in->remarks[i].owner);
        in->remarks[i].owner = NULL;
        in->remarks[i].sought = false;
    }
}

// ---- reading ---------------------------------------------------------------------------------------

static int take_record(void *ctx, const struct steer_rr *rr)
{
    struct incoming *in = ctx;
    struct steer_zone_added added = {0};
    if (!steer_name_is_below(rr->owner, in->origin.octets)) {
        // As named does: data out of the zone is no reason to be without the zone.
        incoming_warn(in, rr->line, rr->column, rr->owner, "out of the zone; ignored");
        return 0;
    }
    enum steer_err err = steer_zone_add(in->build, rr->owner, rr->type, rr->ttl, rr->rdata,
                                        rr->rdata_len, &added, &in->diag);
    if (err != STEER_OK) {
        snprintf(in->diag.file, sizeof in->diag.file, "%s", rr->file);
        in->diag.line = rr->line;
        in->diag.column = rr->column;
        return 1;
    }
    if (added.duplicate)
        incoming_warn(in, rr->line, rr->column, rr->owner, "this record is in the file already");
    if (added.ttl_differs)
        incoming_warn(in, rr->line, rr->column, rr->owner,
                      "the TTLs of one RRset differ; the lowest is used (RFC 2181 5.2)");
    if (rr->type == STEER_TYPE_SOA && !in->soa_line) {
        in->soa_line = rr->line;
        in->soa_column = rr->column;
    }
    return 0;
}

void incoming_refuse(struct incoming *in)
{
    steer_zone_abort(in->build);
    in->build = NULL;
    if (!in->diag.file[0])
        snprintf(in->diag.file, sizeof in->diag.file, "%s", in->source->file);
}

static enum steer_err check(struct incoming *in, const struct steer_zone *before)
{
    struct steer_name fault;
    enum steer_err err = steer_zone_check(in->build, &in->diag);
    if (err != STEER_OK) {
        if (steer_zone_faulty(in->build, &fault))
            find_places(in, &fault);
        return err;
    }
    const struct steer_zone *zone = steer_zone_edit_view(in->build);
    in->file_serial = zone->serial;
    steer_zone_review(zone, before, take_finding, in);
    find_places(in, NULL);
    return STEER_OK;
}

bool incoming_is_same(const struct incoming *in, const struct steer_zone *before)
{
    return before && !steer_serial_is_above(in->file_serial, before->serial) &&
           steer_zone_same(steer_zone_edit_view(in->build), before);
}

void incoming_read(struct incoming *in, const struct steer_zone *before)
{
    const struct steer_control_zone *z = in->source;
    in->build = steer_zone_build(&in->origin);
    enum steer_err err = steer_zonefile_read(z->data, z->len, z->file, &in->origin, DEFAULT_TTL_S,
                                             NULL, take_record, in, &in->diag);
    if (err == STEER_OK)
        err = check(in, before);
    if (err == STEER_OK)
        in->same = incoming_is_same(in, before);
    else
        incoming_refuse(in);
}

void incoming_fini(struct incoming *in)
{
    steer_zone_abort(in->build);
    for (size_t i = 0; i < in->remark_count; i++) {
        free(in->remarks[i].message);
        free(in->remarks[i].owner);
    }
    free(in->remarks);
}
