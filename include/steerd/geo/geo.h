// SPDX-License-Identifier: GPL-3.0-or-later
// Geo data: .mmdb files, and tables of networks as text (.csv, RFC 8805), read at load into flat ranges. Floor 2.
// Immutable once open; any thread may read. Never asked on the query path: policies compile class tables from it
// (classmap.h).
#ifndef STEERD_GEO_GEO_H
#define STEERD_GEO_GEO_H

#include <stddef.h>
#include <stdint.h>

#include "steerd/base/addr.h"
#include "steerd/geo/partition.h"
#include "steerd/geo/place.h"

// What the files say of some networks. Unknown parts are empty, 0 or NaN.
struct steer_location {
    struct steer_place place;
    uint32_t asn;
    float lat, lon; // degrees, NaN when the files have none
};

struct steer_geo; // reference counted

// Where a file keeps what (paths of keys, dot-separated). A zeroed member means "try the known ones":
// GeoIP2 (country.iso_code, continent.code, subdivisions.0.iso_code, location.latitude ...,
// autonomous_system_number) and flat (country_code, continent_code, subdivision_code, latitude, ..., asn).
struct steer_geo_keys {
    const char *continent, *country, *subdivision, *latitude, *longitude, *asn;
};

// Reads the files in order; a later file fills in what earlier ones leave unknown for a network. No
// files: everything is unknown. Truncated, malformed, looping or empty files are refused: STEER_EINVAL
// or STEER_EIO with the file's name, its metadata and what is wrong; nothing is half read.
enum steer_err steer_geo_open(const char *const *paths, size_t count,
                              const struct steer_geo_keys *keys, struct steer_geo **geo,
                              struct steer_diag *diag) STEER_MUST_USE;
// Any thread.
struct steer_geo *steer_geo_ref(struct steer_geo *geo);
// NULL is accepted. Any thread.
void steer_geo_unref(struct steer_geo *geo);

// The client space cut by location: each range's value is an index for steer_geo_location; index 0 is
// "unknown".
const struct steer_partition *steer_geo_partition(const struct steer_geo *geo);
// Indices are below it; at least 1.
uint32_t steer_geo_location_count(const struct steer_geo *geo);
// Lives as long as the geo data; that of index 0 for an index beyond the count.
const struct steer_location *steer_geo_location(const struct steer_geo *geo, uint32_t index);
// Whether the files name an autonomous system anywhere.
bool steer_geo_knows_asns(const struct steer_geo *geo);
// Off the hot path (explain, tests). IPv4 inside IPv6 is the caller's matter (classmap.h).
const struct steer_location *steer_geo_lookup(const struct steer_geo *geo,
                                              const struct steer_addr *addr);

// For status: file names, database types, build times, ranges.
struct steer_geo_file {
    const char *path;
    const char *type;
    uint64_t built_unix_s;
    uint64_t networks;
};
size_t steer_geo_file_count(const struct steer_geo *geo);
// Strings live as long as the geo data; NULL beyond the count.
const struct steer_geo_file *steer_geo_file_at(const struct steer_geo *geo, size_t index);

#endif
