// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire rr
// Any bytes as a master file; each record that is read must be written so that it reads back the same.
#include <assert.h>
#include <string.h>

#include "steerd/base/buf.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/rr/zonefile.h"
#include "steerd/rr/zonewriter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int compare(void *ctx, const struct steer_rr *rr)
{
    const struct steer_rr *first = ctx;
    assert(rr->owner_len == first->owner_len &&
           memcmp(rr->owner, first->owner, rr->owner_len) == 0);
    assert(rr->type == first->type && rr->class == first->class && rr->ttl == first->ttl);
    assert(rr->rdata_len == first->rdata_len);
    assert(memcmp(rr->rdata, first->rdata, rr->rdata_len) == 0);
    return 0;
}

static int rewrite(void *ctx, const struct steer_rr *rr)
{
    unsigned *left = ctx;
    struct steer_rr first = *rr;
    struct steer_buf line = {0};
    struct steer_rdata_name names[STEER_RDATA_NAMES_MAX];
    unsigned count;
    if (steer_rdata_names(rr->type, rr->rdata, rr->rdata_len, names, &count))
        for (unsigned i = 0; i < count; i++)
            assert(names[i].at + names[i].len <= rr->rdata_len);
    steer_rr_format(rr->owner, rr->ttl, rr->class, rr->type, rr->rdata, rr->rdata_len, &line);
    struct steer_diag diag;
    enum steer_err err =
        steer_zonefile_read(line.data, line.len, "again", NULL, 0, NULL, compare, &first, &diag);
    assert(err == STEER_OK);
    steer_buf_fini(&line);
    return --*left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct steer_name origin = {9, 1, "\7example"};
    struct steer_diag diag = {0};
    unsigned left = 100;
    enum steer_err err = steer_zonefile_read((const char *)data, size, "fuzz", &origin, 300, NULL,
                                             rewrite, &left, &diag);
    assert(err == STEER_OK || err == STEER_ESTOPPED || diag.message[0]);
    return 0;
}
