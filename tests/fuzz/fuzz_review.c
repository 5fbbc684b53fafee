// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire rr zone
// Any bytes as a zone: it is refused with a reason, or it can be reviewed, found again by its names, and is itself.
#include <assert.h>
#include <string.h>

#include "steerd/rr/zonefile.h"
#include "steerd/zone/review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct steer_name origin = {13, 2, "\7example\3com"};

static int take(void *ctx, const struct steer_rr *rr)
{
    struct steer_diag diag = {0};
    if (!steer_name_is_below(rr->owner, origin.octets))
        return 0;
    assert(rr->line && rr->column);
    enum steer_err err =
        steer_zone_add(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL, &diag);
    assert(err == STEER_OK || diag.message[0]);
    return err != STEER_OK;
}

static void look(void *ctx, const struct steer_finding *f)
{
    struct steer_name owner;
    assert(steer_name_from_wire(f->owner, STEER_NAME_MAX, &owner));
    const struct steer_zone_node *node =
        steer_zone_find(ctx, steer_name_hash(&owner), owner.octets);
    assert(node && steer_zone_node_rrset(node, f->type) && f->what[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steer_diag diag = {0};
    struct steer_name owner;
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    enum steer_err err = steer_zonefile_read((const char *)data, size, "fuzz", &origin, 300, NULL,
                                             take, edit, &diag);
    bool faulty = steer_zone_faulty(edit, &owner);
    assert(!faulty || steer_name_is_below(owner.octets, origin.octets));
    if (err == STEER_OK) {
        err = steer_zone_check(edit, &diag);
        assert(err == STEER_OK ? !faulty : diag.message[0]);
    }
    if (err == STEER_OK) {
        const struct steer_zone *zone = steer_zone_edit_view(edit);
        steer_zone_review(zone, NULL, look, (void *)(uintptr_t)zone);
        steer_zone_review(zone, zone, look, (void *)(uintptr_t)zone);
        assert(steer_zone_same(zone, zone));
    }
    steer_zone_abort(edit);
    return 0;
}
