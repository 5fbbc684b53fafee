// SPDX-License-Identifier: GPL-3.0-or-later
// A latency table: (network or place, site) -> round-trip time. Floor 2. Immutable once built, reference
// counted; any thread may read. Never asked on the query path: policies compile class tables from it.
//
// Whoever has measurements (an upload, the freezing of estimates) makes a table of rows with
// steer_latency_build. As an object of the catalogue it is the `latencies` entry of a document (model.h,
// STEER_LATENCY): {rows: {EU-DE: {fra: 9, iad: 95}, 192.0.2.0/24: {fra: 3.5}, AS64500: {iad: 12}}}.
#ifndef STEERD_GEO_LATENCY_H
#define STEERD_GEO_LATENCY_H

#include <stdbool.h>
#include <stddef.h>

#include "steerd/geo/geo.h"
#include "steerd/geo/nested.h"

enum steer_latency_of { STEER_LATENCY_CIDR, STEER_LATENCY_ASN, STEER_LATENCY_PLACE };

enum { STEER_LATENCY_MAX_US = 60 * 1000 * 1000 };

struct steer_latency_row {
    enum steer_latency_of of;
    struct steer_prefix network; // STEER_LATENCY_CIDR
    uint32_t asn;                // STEER_LATENCY_ASN
    struct steer_place place;    // STEER_LATENCY_PLACE
    const char *site;
    uint32_t rtt_us;
    uint32_t frozen; // the number of the frozen table that it comes from; 0: it was uploaded
};

// The clients of a row as text: "192.0.2.0/24", "AS64500", "EU-DE"; at most 50 bytes with the NUL. Returns out.
const char *steer_latency_client_format(const struct steer_latency_row *row, char *out,
                                        uint32_t size);
// Reads what format wrote, into of and its member; false: it is not that.
bool steer_latency_client_parse(const char *text, struct steer_latency_row *row);

struct steer_latency;

// Copies the rows, in any order. Of rows for the same clients and site the last one holds.
struct steer_latency *steer_latency_build(const struct steer_latency_row *rows, size_t count);
// The rows of both, where `over` holds for the same clients and site; its rows are marked with the number. Either
// may be NULL.
struct steer_latency *steer_latency_overlay(const struct steer_latency *under,
                                            const struct steer_latency *over, uint32_t number);
// Any thread, as unref.
struct steer_latency *steer_latency_ref(struct steer_latency *table);
void steer_latency_unref(struct steer_latency *table); // NULL is accepted

// All rows, sorted: CIDRs by address, AS numbers, places; each by the name of the site.
size_t steer_latency_count(const struct steer_latency *table);
// NULL beyond the count; lives as long as the table.
const struct steer_latency_row *steer_latency_at(const struct steer_latency *table, size_t index);
// How many rows are in only one of them, or differ in their time. Either may be NULL.
size_t steer_latency_differences(const struct steer_latency *a, const struct steer_latency *b);
// The CIDRs that it speaks of, sorted by steer_nested_sort.
const struct steer_nested *steer_latency_networks(const struct steer_latency *table, size_t *count);

// What a table has for one client, to be asked for many sites. network: NULL, or a prefix in which no CIDR of
// the table begins or ends.
struct steer_latency_sight {
    const struct steer_latency *table;
    uint32_t network;   // the longest CIDR
    uint32_t others[4]; // AS number, subdivision, country, continent
};
struct steer_latency_sight steer_latency_look(const struct steer_latency *table,
                                              const struct steer_location *location,
                                              const struct steer_prefix *network);
// The row of the longest CIDR that has the site, else of the AS number, the subdivision, the country, the
// continent; NULL where there is none.
const struct steer_latency_row *steer_latency_read(const struct steer_latency_sight *sight,
                                                   const char *site);

// Kilometres along the great circle, and the round trip that may be expected over them: 5 us/km (ITU-T G.114)
// over a route of 1.5 times the distance for the first 1,000 km and 1.25 times beyond (after ITU-T Y.1541,
// appendix III, whose flat piece would make ties). docs/decisions/0073.
double steer_distance_km(double lat_a, double lon_a, double lat_b, double lon_b);
// Round trip in microseconds; km is finite and not negative.
uint32_t steer_latency_estimate_us(double km);

#endif
