// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/latency.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/hash.h"
#include "steerd/base/mem.h"

#define NONE UINT32_MAX

// The rows first .. first + count - 1 speak of the same clients.
struct group {
    uint32_t first, count;
};

struct steer_latency {
    struct steer_latency_row *rows;
    size_t count;
    struct group *groups;
    size_t group_count, group_cap;
    struct steer_nested *networks; // value: the group
    size_t network_count, network_cap;
    struct steer_map others; // "AS64500", "EU-DE" -> group
    struct steer_map sites;  // the names that rows point to
    char **names;
    size_t name_count, name_cap;
    _Atomic uint32_t refs;
};

enum { KEY_MAX = 16 };

static const char *asn_key(uint32_t asn, char out[KEY_MAX])
{
    char digits[12];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + asn % 10);
    while (asn /= 10);
    memcpy(out, "AS", 2);
    for (size_t i = 0; i < n; i++)
        out[2 + i] = digits[n - 1 - i];
    out[2 + n] = '\0';
    return out;
}

static int compare_clients(const struct steer_latency_row *a, const struct steer_latency_row *b)
{
    if (a->of != b->of)
        return a->of < b->of ? -1 : 1;
    switch (a->of) {
    case STEER_LATENCY_CIDR:
        if (a->network.addr.family != b->network.addr.family)
            return a->network.addr.family < b->network.addr.family ? -1 : 1;
        if (memcmp(a->network.addr.octets, b->network.addr.octets, 16) != 0)
            return memcmp(a->network.addr.octets, b->network.addr.octets, 16);
        return a->network.len < b->network.len ? -1 : a->network.len > b->network.len;
    case STEER_LATENCY_ASN:
        return a->asn < b->asn ? -1 : a->asn > b->asn;
    case STEER_LATENCY_PLACE:
        break;
    }
    char x[KEY_MAX], y[KEY_MAX];
    return strcmp(steer_place_format(&a->place, x, sizeof x),
                  steer_place_format(&b->place, y, sizeof y));
}

static int compare_keys(const struct steer_latency_row *a, const struct steer_latency_row *b)
{
    const int order = compare_clients(a, b);
    return order ? order : strcmp(a->site, b->site);
}

// Sorting goes over pointers, so that equal rows keep their order.
static int by_key(const void *va, const void *vb)
{
    const struct steer_latency_row *a = *(const struct steer_latency_row *const *)va;
    const struct steer_latency_row *b = *(const struct steer_latency_row *const *)vb;
    const int order = compare_keys(a, b);
    return order ? order : a < b ? -1 : a > b;
}

static const char *site_name(struct steer_latency *t, const char *site)
{
    uint32_t at;
    if (!steer_map_get(&t->sites, site, &at)) {
        at = (uint32_t)t->name_count;
        t->names = steer_grow(t->names, &t->name_cap, t->name_count + 1, sizeof(char *));
        t->names[t->name_count++] = steer_strdup(site);
        steer_map_put(&t->sites, site, at);
    }
    return t->names[at];
}

static void copy_rows(struct steer_latency *t, const struct steer_latency_row *rows, size_t count)
{
    const struct steer_latency_row **sorted =
        steer_calloc(count, sizeof(struct steer_latency_row *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &rows[i];
    if (count)
        qsort(sorted, count, sizeof(struct steer_latency_row *), by_key);
    t->rows = steer_calloc(count, sizeof *t->rows);
    for (size_t i = 0; i < count; i++) {
        struct steer_latency_row *last = t->count ? &t->rows[t->count - 1] : NULL;
        bool again = last && compare_keys(last, sorted[i]) == 0;
        struct steer_latency_row *row = again ? last : &t->rows[t->count++];
        *row = *sorted[i];
        row->site = site_name(t, row->site);
    }
    free(sorted);
}

static void name_group(struct steer_latency *t, const struct steer_latency_row *row)
{
    char key[KEY_MAX];
    const uint32_t group = (uint32_t)t->group_count - 1;
    switch (row->of) {
    case STEER_LATENCY_CIDR:
        t->networks =
            steer_grow(t->networks, &t->network_cap, t->network_count + 1, sizeof *t->networks);
        t->networks[t->network_count++] = (struct steer_nested){row->network, group, 0};
        break;
    case STEER_LATENCY_ASN:
        steer_map_put(&t->others, asn_key(row->asn, key), group);
        break;
    case STEER_LATENCY_PLACE:
        steer_map_put(&t->others, steer_place_format(&row->place, key, sizeof key), group);
        break;
    }
}

const char *steer_latency_client_format(const struct steer_latency_row *row, char *out,
                                        uint32_t size)
{
    switch (row->of) {
    case STEER_LATENCY_CIDR:
        return steer_prefix_format(&row->network, out, size);
    case STEER_LATENCY_ASN:
        if (size >= KEY_MAX)
            return asn_key(row->asn, out);
        break;
    case STEER_LATENCY_PLACE:
        return steer_place_format(&row->place, out, size);
    }
    *out = '\0';
    return out;
}

bool steer_latency_client_parse(const char *text, struct steer_latency_row *row)
{
    char *end;
    if (strchr(text, '/')) {
        row->of = STEER_LATENCY_CIDR;
        return steer_prefix_parse(text, &row->network, NULL);
    }
    if (strncmp(text, "AS", 2) == 0 && text[2] >= '0' && text[2] <= '9') {
        const unsigned long long asn = strtoull(text + 2, &end, 10);
        row->of = STEER_LATENCY_ASN;
        row->asn = (uint32_t)asn;
        return !*end && asn && asn <= UINT32_MAX;
    }
    row->of = STEER_LATENCY_PLACE;
    return steer_place_parse(text, &row->place, NULL) == STEER_OK;
}

struct steer_latency *steer_latency_build(const struct steer_latency_row *rows, size_t count)
{
    struct steer_latency *t = steer_calloc(1, sizeof *t);
    atomic_init(&t->refs, 1);
    copy_rows(t, rows, count);
    for (size_t i = 0; i < t->count; i++) {
        if (i == 0 || compare_clients(&t->rows[i - 1], &t->rows[i]) != 0) {
            t->groups = steer_grow(t->groups, &t->group_cap, t->group_count + 1, sizeof *t->groups);
            t->groups[t->group_count++] = (struct group){(uint32_t)i, 0};
            name_group(t, &t->rows[i]);
        }
        t->groups[t->group_count - 1].count++;
    }
    t->network_count = steer_nested_sort(t->networks, t->network_count);
    return t;
}

struct steer_latency *steer_latency_overlay(const struct steer_latency *under,
                                            const struct steer_latency *over, uint32_t number)
{
    const size_t below = under ? under->count : 0;
    const size_t above = over ? over->count : 0;
    struct steer_latency_row *rows = steer_calloc(below + above, sizeof *rows);
    if (below)
        memcpy(rows, under->rows, below * sizeof *rows);
    for (size_t i = 0; i < above; i++) {
        rows[below + i] = over->rows[i];
        rows[below + i].frozen = number;
    }
    struct steer_latency *both = steer_latency_build(rows, below + above);
    free(rows);
    return both;
}

struct steer_latency *steer_latency_ref(struct steer_latency *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void steer_latency_unref(struct steer_latency *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < table->name_count; i++)
        free(table->names[i]);
    free(table->names);
    free(table->rows);
    free(table->groups);
    free(table->networks);
    steer_map_fini(&table->others);
    steer_map_fini(&table->sites);
    free(table);
}

size_t steer_latency_count(const struct steer_latency *table)
{
    return table->count;
}

const struct steer_latency_row *steer_latency_at(const struct steer_latency *table, size_t index)
{
    return index < table->count ? &table->rows[index] : NULL;
}

size_t steer_latency_differences(const struct steer_latency *a, const struct steer_latency *b)
{
    const size_t in_a = a ? a->count : 0;
    const size_t in_b = b ? b->count : 0;
    size_t differences = 0;
    for (size_t i = 0, k = 0; i < in_a || k < in_b;) {
        const int order = i == in_a ? 1 : k == in_b ? -1 : compare_keys(&a->rows[i], &b->rows[k]);
        differences += order != 0 || a->rows[i].rtt_us != b->rows[k].rtt_us;
        i += order <= 0;
        k += order >= 0;
    }
    return differences;
}

const struct steer_nested *steer_latency_networks(const struct steer_latency *table, size_t *count)
{
    *count = table->network_count;
    return table->networks;
}

// ---- looking up ----------------------------------------------------------------------------------

static uint32_t group_of(const struct steer_latency *table, const char *key)
{
    uint32_t group;
    return steer_map_get(&table->others, key, &group) ? group : NONE;
}

struct steer_latency_sight steer_latency_look(const struct steer_latency *table,
                                              const struct steer_location *location,
                                              const struct steer_prefix *network)
{
    char key[KEY_MAX];
    struct steer_place place = location->place;
    struct steer_latency_sight sight = {table, STEER_NESTED_NONE, {NONE, NONE, NONE, NONE}};
    if (network)
        sight.network = steer_nested_find(table->networks, table->network_count, network);
    if (location->asn)
        sight.others[0] = group_of(table, asn_key(location->asn, key));
    if (place.subdivision[0])
        sight.others[1] = group_of(table, steer_place_format(&place, key, sizeof key));
    memset(place.subdivision, 0, sizeof place.subdivision);
    if (place.country[0])
        sight.others[2] = group_of(table, steer_place_format(&place, key, sizeof key));
    memset(place.country, 0, sizeof place.country);
    if (place.continent[0])
        sight.others[3] = group_of(table, steer_place_format(&place, key, sizeof key));
    return sight;
}

static const struct steer_latency_row *row_of(const struct steer_latency *t, uint32_t group,
                                              const char *site)
{
    if (group == NONE)
        return NULL;
    size_t low = t->groups[group].first;
    size_t high = low + t->groups[group].count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(t->rows[mid].site, site);
        if (order == 0)
            return &t->rows[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct steer_latency_row *steer_latency_read(const struct steer_latency_sight *sight,
                                                   const char *site)
{
    const struct steer_latency *t = sight->table;
    for (uint32_t at = sight->network; at != STEER_NESTED_NONE; at = t->networks[at].parent) {
        const struct steer_latency_row *row = row_of(t, t->networks[at].value, site);
        if (row)
            return row;
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(sight->others); i++) {
        const struct steer_latency_row *row = row_of(t, sight->others[i], site);
        if (row)
            return row;
    }
    return NULL;
}

// ---- distance ------------------------------------------------------------------------------------

// The haversine formula, which keeps its digits for near points; the mean radius of the Earth (IUGG).
double steer_distance_km(double lat_a, double lon_a, double lat_b, double lon_b)
{
    const double radius_km = 6371.0088;
    const double degree = 0.017453292519943295;
    const double a = sin((lat_b - lat_a) * degree / 2);
    const double b = sin((lon_b - lon_a) * degree / 2);
    const double h = a * a + cos(lat_a * degree) * cos(lat_b * degree) * b * b;
    return 2 * radius_km * asin(sqrt(h < 1 ? h : 1));
}

uint32_t steer_latency_estimate_us(double km)
{
    const double near_km = 1000;
    const double route_km = km < near_km ? 1.5 * km : 1.5 * near_km + 1.25 * (km - near_km);
    const double us_per_km = 5;
    return (uint32_t)(2 * route_km * us_per_km + 0.5);
}
