// SPDX-License-Identifier: GPL-3.0-or-later
// links: geo
// An .mmdb file of any bytes is refused with a message, or loads into ranges that can be looked up and
// made into a class table.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"
#include "steerd/geo/geo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

// libmaxminddb 1.7 loses some 4 KB when MMDB_open refuses a file for its metadata's description.
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb\n";
}

static void use(const struct steer_geo *geo)
{
    static const char *const clients[] = {"0.0.0.0", "192.0.2.1", "255.255.255.255",
                                          "2001:db8:de::1", "2002::1"};
    uint32_t count = steer_geo_location_count(geo);
    uint16_t *class_of = steer_calloc(count, sizeof *class_of);
    for (uint32_t i = 0; i < count; i++)
        class_of[i] = (uint16_t)(i % 5);
    struct steer_classmap *map = steer_classmap_build(steer_geo_partition(geo), class_of, count, 0);
    for (size_t i = 0; i < STEER_ARRAY_LEN(clients); i++) {
        struct steer_addr addr;
        if (!steer_addr_parse(clients[i], &addr))
            abort();
        uint32_t value = steer_partition_lookup(steer_geo_partition(geo), &addr);
        struct steer_class got = steer_classmap_lookup(map, &addr, 128);
        if (value >= count || (i < 4 && got.class_index != class_of[value]))
            abort();
    }
    steer_classmap_destroy(map);
    free(class_of);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const char *paths[] = {path};
    struct steer_geo *geo;
    struct steer_diag diag = {0};
    int fd = memfd_create("fuzz-mmdb", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (steer_geo_open(paths, 1, NULL, &geo, &diag) == STEER_OK) {
        use(geo);
        steer_geo_unref(geo);
    } else if (!diag.message[0]) {
        abort();
    }
    close(fd);
    return 0;
}
