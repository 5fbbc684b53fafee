// SPDX-License-Identifier: GPL-3.0-or-later
// links: wire
// Any bytes as a query, and as a name to decompress and write back.
#include <assert.h>
#include <string.h>

#include "steerd/wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > STEER_MESSAGE_MAX)
        return 0;
    struct steer_query q;
    enum steer_parse_result result = steer_query_parse(data, size, &q);
    if (result != STEER_PARSE_DROP) {
        struct steer_name name;
        assert(steer_name_from_wire(q.qname.octets, q.qname.len, &name));
        assert(name.labels == q.qname.labels);
        assert(q.hashes.hash[name.labels] == steer_name_hash(&q.qname));
        assert((result == STEER_PARSE_OK) == (q.rcode == STEER_RCODE_NOERROR));
    }
    // Every name of the message that can be read, written with compression, reads back the same.
    static uint8_t out[STEER_MESSAGE_MAX];
    struct steer_writer w;
    steer_writer_init(&w, out, sizeof out);
    memset(out, 0, STEER_HEADER_BYTES);
    w.len = STEER_HEADER_BYTES;
    for (size_t at = STEER_HEADER_BYTES; at < size && at < 600; at++) {
        struct steer_reader r = {data, size, at, false};
        struct steer_name name;
        steer_read_name(&r, &name);
        if (r.bad)
            continue;
        struct steer_reader back = {out, sizeof out, w.len, false};
        steer_write_name(&w, name.octets, true);
        struct steer_name again;
        steer_read_name(&back, &again);
        assert(w.full || (!back.bad && steer_name_equal(name.octets, again.octets)));
    }
    return 0;
}
