// SPDX-License-Identifier: GPL-3.0-or-later
// links: geo
// A table of networks as text, of any bytes, is refused with a message, or becomes ranges whose values are locations.
#include <stdlib.h>

#include "geo/geo_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steer_locations locations;
    struct steer_partition part;
    struct steer_diag diag = {0};
    uint64_t networks;
    steer_locations_init(&locations);
    if (steer_geofeed_read((const char *)data, size, "fuzz.csv", &locations, &part, &networks,
                           &diag) == STEER_OK) {
        if (!networks || !part.count4 || !part.count6 || part.start4[0] != 0)
            abort();
        for (size_t i = 0; i < part.count4; i++)
            if (part.value4[i] >= locations.count || (i && part.start4[i] <= part.start4[i - 1]))
                abort();
        for (size_t i = 0; i < part.count6; i++)
            if (part.value6[i] >= locations.count)
                abort();
        steer_partition_fini(&part);
    } else if (!diag.message[0]) {
        abort();
    }
    steer_locations_fini(&locations);
    return 0;
}
