// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/geo.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "geo_internal.h"
#include "steerd/base/buf.h"
#include "steerd/base/mem.h"

struct steer_geo {
    atomic_uint refs;
    struct steer_partition partition;
    struct steer_locations locations;
    struct steer_geo_file *files;
    size_t file_count;
};

static const size_t file_bytes_max = (size_t)2 << 30, feed_bytes_max = (size_t)64 << 20;

// One file while its tree is walked.
struct walk {
    const char *path;
    MMDB_s mmdb;
    unsigned bits; // 32, or 128
    const struct steer_record_keys *keys;
    struct steer_locations *locations;
    struct steer_partition part;
    size_t cap4, cap6;
    struct steer_nummap by_offset; // record -> location
    uint64_t visits_left;
    uint64_t networks;
    bool known; // some record says something
    struct steer_diag *diag;
};

static enum steer_err refuse(const struct walk *walk, const char *what)
{
    const MMDB_metadata_s *meta = &walk->mmdb.metadata;
    char built[32] = "?";
    struct tm tm;
    time_t at = (time_t)meta->build_epoch;
    if (gmtime_r(&at, &tm))
        strftime(built, sizeof built, "%Y-%m-%d", &tm);
    return steer_diag_at(walk->diag, walk->path, 0, 0,
                         "%s (type %.64s, built %s, IPv%u, %u nodes of %u-bit records)", what,
                         meta->database_type ? meta->database_type : "?", built, meta->ip_version,
                         meta->node_count, meta->record_size);
}

static enum steer_err refuse_at(const struct walk *walk, const char *what, unsigned depth,
                                steer_uint128 first)
{
    struct steer_prefix prefix = {.len = (uint8_t)depth};
    char text[64];
    char message[256];
    prefix.addr.family = walk->bits == 32 ? STEER_V4 : STEER_V6;
    for (unsigned i = 0; i < walk->bits / 8; i++)
        prefix.addr.octets[i] = (uint8_t)(first >> (walk->bits - 8 - 8 * i));
    snprintf(message, sizeof message, "%s, at %s", what,
             steer_prefix_format(&prefix, text, sizeof text));
    return refuse(walk, message);
}

// A range of the file's tree -> one of ours. The IPv4 part of an IPv6 tree is ::/96; what lies there is
// no IPv6 network.
static void add(struct walk *walk, unsigned depth, steer_uint128 first, uint32_t value)
{
    bool in_v4 = walk->bits == 32 || (depth >= 96 && first >> 32 == 0);
    if (in_v4 || first == 0)
        steer_partition_append4(&walk->part, &walk->cap4, (uint32_t)first, value);
    if (!in_v4)
        steer_partition_append6(&walk->part, &walk->cap6, u128_split(first), value);
}

static enum steer_err add_data(struct walk *walk, unsigned depth, steer_uint128 first,
                               uint32_t offset)
{
    uint32_t value;
    walk->networks++;
    if (!steer_nummap_get(&walk->by_offset, offset, &value)) {
        struct steer_location location;
        const char *wrong = steer_record_read(walk->keys, &walk->mmdb, offset, &location);
        if (wrong)
            return refuse_at(walk, wrong, depth, first);
        value = steer_locations_intern(walk->locations, &location);
        steer_nummap_add(&walk->by_offset, offset, value);
        walk->known = walk->known || value != 0;
    }
    add(walk, depth, first, value);
    return STEER_OK;
}

// MaxMind's files point ::ffff:0:0/96, 2002::/16 and 2001::/32 at the IPv4 tree; class tables look those
// up as IPv4 themselves (classmap.h).
static bool is_ipv4_alias(const struct walk *walk, uint64_t node, unsigned depth,
                          steer_uint128 first)
{
    const MMDB_ipv4_start_node_s *v4 = &walk->mmdb.ipv4_start_node;
    return walk->bits == 128 && v4->netmask == 96 && node == v4->node_value &&
           !(depth == 96 && first == 0);
}

static enum steer_err walk_node(struct walk *walk, uint32_t node, unsigned depth,
                                steer_uint128 first);

static enum steer_err walk_record(struct walk *walk, uint64_t record, uint8_t type, uint32_t offset,
                                  unsigned depth, steer_uint128 first)
{
    switch (type) {
    case MMDB_RECORD_TYPE_EMPTY:
        add(walk, depth, first, 0);
        return STEER_OK;
    case MMDB_RECORD_TYPE_DATA:
        return add_data(walk, depth, first, offset);
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        if (depth == walk->bits)
            return refuse_at(walk, "the search tree is deeper than an address has bits: it loops",
                             depth, first);
        if (is_ipv4_alias(walk, record, depth, first)) {
            add(walk, depth, first, 0);
            return STEER_OK;
        }
        return walk_node(walk, (uint32_t)record, depth, first);
    default:
        return refuse_at(walk, "the search tree points outside the file", depth, first);
    }
}

static enum steer_err walk_node(struct walk *walk, uint32_t node, unsigned depth,
                                steer_uint128 first)
{
    MMDB_search_node_s records;
    // A sound tree visits each node once; one whose branches lead to the same node could take 2^128 steps.
    if (walk->visits_left-- == 0)
        return refuse(walk, "the search tree loops or shares branches");
    if (walk->bits == 128 && depth == 96 && first == 0)
        steer_partition_append6(&walk->part, &walk->cap6, u128_split(0), 0);
    int status = MMDB_read_node(&walk->mmdb, node, &records);
    if (status != MMDB_SUCCESS)
        return refuse_at(walk, MMDB_strerror(status), depth, first);
    enum steer_err err = walk_record(walk, records.left_record, records.left_record_type,
                                     records.left_record_entry.offset, depth + 1, first);
    if (err)
        return err;
    return walk_record(walk, records.right_record, records.right_record_type,
                       records.right_record_entry.offset, depth + 1,
                       first | (steer_uint128)1 << (walk->bits - 1 - depth));
}

static enum steer_err walk_tree(struct walk *walk)
{
    const MMDB_metadata_s *meta = &walk->mmdb.metadata;
    if (meta->ip_version != 4 && meta->ip_version != 6)
        return refuse(walk, "the file is neither for IPv4 nor for IPv6");
    walk->bits = meta->ip_version == 4 ? 32 : 128;
    walk->visits_left = (uint64_t)meta->node_count * 8 + 4096;
    if (walk->bits == 32)
        steer_partition_append6(&walk->part, &walk->cap6, u128_split(0), 0);
    if (meta->node_count == 0)
        return refuse(walk, "the search tree is empty");
    enum steer_err err = walk_node(walk, 0, 0, 0);
    if (err)
        return err;
    if (walk->networks == 0)
        return refuse(walk, "the file holds no networks");
    if (!walk->known)
        return refuse(walk,
                      "no record has a country, continent, coordinates or AS number under the "
                      "known keys; name the file's keys in the configuration");
    return STEER_OK;
}

// A private copy, in memory: a file that is overwritten or cut while it is mapped would end the process
// (SIGBUS).
static enum steer_err snapshot(const char *path, int *copy, struct steer_diag *diag)
{
    struct stat st;
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int to = from < 0 || fstat(from, &st) ? -1 : memfd_create("steerd-geo", MFD_CLOEXEC);
    int problem = to < 0 ? errno : 0;
    if (to >= 0 && (!S_ISREG(st.st_mode) || (size_t)st.st_size > file_bytes_max))
        problem = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
    while (!problem) {
        ssize_t n = sendfile(to, from, NULL, (size_t)1 << 24);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            problem = errno;
    }
    if (from >= 0)
        close(from);
    if (!problem) {
        *copy = to;
        return STEER_OK;
    }
    if (to >= 0)
        close(to);
    steer_diag_at(diag, path, 0, 0, "cannot be read: %s",
                  problem == EINVAL ? "not a regular file" : strerror(problem));
    return STEER_EIO;
}

static enum steer_err open_mmdb(struct walk *walk)
{
    int copy;
    char name[64];
    enum steer_err err = snapshot(walk->path, &copy, walk->diag);
    if (err)
        return err;
    snprintf(name, sizeof name, "/proc/self/fd/%d", copy);
    int status = MMDB_open(name, MMDB_MODE_MMAP, &walk->mmdb);
    int saved = errno;
    close(copy);
    if (status == MMDB_SUCCESS)
        return STEER_OK;
    err = steer_diag_at(walk->diag, walk->path, 0, 0, "not a sound .mmdb file, or cut short: %s",
                        status == MMDB_IO_ERROR ? strerror(saved) : MMDB_strerror(status));
    return status == MMDB_FILE_OPEN_ERROR || status == MMDB_OUT_OF_MEMORY_ERROR ? STEER_EIO : err;
}

struct merge {
    struct steer_locations *locations;
    struct steer_nummap pairs;
};

static bool contradicts(const char *a, const char *b)
{
    return *a && *b && strcmp(a, b) != 0;
}

// What b says goes where a says nothing, unless it contradicts what a says of the larger place: then b's point is
// elsewhere too.
static void fill_in(struct steer_location *a, const struct steer_location *b)
{
    struct steer_place *place = &a->place;
    const bool elsewhere = contradicts(place->continent, b->place.continent) ||
                           contradicts(place->country, b->place.country) ||
                           contradicts(place->subdivision, b->place.subdivision);
    if (!place->continent[0] && !place->country[0])
        memcpy(place->continent, b->place.continent, sizeof place->continent);
    if (!place->country[0] && strcmp(place->continent, b->place.continent) == 0)
        memcpy(place->country, b->place.country, sizeof place->country);
    if (!place->subdivision[0] && strcmp(place->country, b->place.country) == 0)
        memcpy(place->subdivision, b->place.subdivision, sizeof place->subdivision);
    if (!a->asn)
        a->asn = b->asn;
    if (isnan(a->lat) && !elsewhere) {
        a->lat = b->lat;
        a->lon = b->lon;
    }
}

static uint32_t merge_pair(void *ctx, uint32_t a, uint32_t b)
{
    struct merge *merge = ctx;
    uint64_t key = (uint64_t)a << 32 | b;
    uint32_t result;
    if (a == 0 || b == 0)
        return a | b;
    if (steer_nummap_get(&merge->pairs, key, &result))
        return result;
    struct steer_location location;
    memcpy(&location, &merge->locations->items[a], sizeof location);
    fill_in(&location, &merge->locations->items[b]);
    result = steer_locations_intern(merge->locations, &location);
    steer_nummap_add(&merge->pairs, key, result);
    return result;
}

static void take_part(struct steer_geo *geo, struct steer_partition *part)
{
    struct merge merge = {.locations = &geo->locations};
    struct steer_partition merged;
    steer_partition_overlay(&geo->partition, part, merge_pair, &merge, &merged);
    steer_partition_fini(&geo->partition);
    geo->partition = merged;
    steer_nummap_fini(&merge.pairs);
}

static bool is_feed(const char *path)
{
    const size_t len = strlen(path);
    return len > 4 && strcasecmp(path + len - 4, ".csv") == 0;
}

static enum steer_err add_feed(struct steer_geo *geo, const char *path, struct steer_diag *diag)
{
    struct steer_buf text = {0};
    struct steer_partition part;
    struct stat st;
    uint64_t networks;
    enum steer_err err = steer_buf_read_file(&text, path, feed_bytes_max, diag);
    if (!err)
        err =
            steer_geofeed_read(text.data, text.len, path, &geo->locations, &part, &networks, diag);
    steer_buf_fini(&text);
    if (err)
        return err;
    take_part(geo, &part);
    steer_partition_fini(&part);
    geo->files[geo->file_count++] = (struct steer_geo_file){
        .path = steer_strdup(path),
        .type = steer_strdup("geofeed"),
        .built_unix_s = stat(path, &st) == 0 && st.st_mtime > 0 ? (uint64_t)st.st_mtime : 0,
        .networks = networks,
    };
    return STEER_OK;
}

static enum steer_err add_file(struct steer_geo *geo, const char *path,
                               const struct steer_record_keys *keys, struct steer_diag *diag)
{
    if (is_feed(path))
        return add_feed(geo, path, diag);
    struct walk walk = {.path = path, .keys = keys, .locations = &geo->locations, .diag = diag};
    enum steer_err err = open_mmdb(&walk);
    if (err)
        return err;
    err = walk_tree(&walk);
    if (!err) {
        const MMDB_metadata_s *meta = &walk.mmdb.metadata;
        take_part(geo, &walk.part);
        geo->files[geo->file_count++] = (struct steer_geo_file){
            .path = steer_strdup(path),
            .type = steer_strdup(meta->database_type ? meta->database_type : ""),
            .built_unix_s = meta->build_epoch,
            .networks = walk.networks,
        };
    }
    steer_partition_fini(&walk.part);
    steer_nummap_fini(&walk.by_offset);
    MMDB_close(&walk.mmdb);
    return err;
}

static void renumber(uint32_t *values, size_t count, const struct steer_locations *from,
                     uint32_t *new_index, struct steer_locations *to)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t *index = &new_index[values[i]];
        if (*index == 0 && values[i] != 0)
            *index = steer_locations_intern(to, &from->items[values[i]]);
        values[i] = *index;
    }
}

// Drops the locations that only stood in one file until another one filled them in.
static void compact(struct steer_geo *geo)
{
    struct steer_locations kept;
    uint32_t *new_index = steer_calloc(geo->locations.count, sizeof *new_index);
    struct steer_partition *p = &geo->partition;
    steer_locations_init(&kept);
    renumber(p->value4, p->count4, &geo->locations, new_index, &kept);
    renumber(p->value6, p->count6, &geo->locations, new_index, &kept);
    steer_nummap_fini(&kept.by_hash);
    steer_locations_fini(&geo->locations);
    geo->locations = kept;
    free(new_index);
}

enum steer_err steer_geo_open(const char *const *paths, size_t count,
                              const struct steer_geo_keys *keys, struct steer_geo **out,
                              struct steer_diag *diag)
{
    struct steer_record_keys *record_keys;
    enum steer_err err = steer_record_keys_create(keys, &record_keys, diag);
    if (err)
        return err;
    struct steer_geo *geo = steer_calloc(1, sizeof *geo);
    atomic_init(&geo->refs, 1);
    steer_locations_init(&geo->locations);
    steer_partition_init(&geo->partition, 0);
    geo->files = steer_calloc(count, sizeof *geo->files);
    for (size_t i = 0; i < count && !err; i++)
        err = add_file(geo, paths[i], record_keys, diag);
    steer_record_keys_destroy(record_keys);
    if (err) {
        steer_geo_unref(geo);
        return err;
    }
    compact(geo);
    *out = geo;
    return STEER_OK;
}

struct steer_geo *steer_geo_ref(struct steer_geo *geo)
{
    atomic_fetch_add_explicit(&geo->refs, 1, memory_order_relaxed);
    return geo;
}

void steer_geo_unref(struct steer_geo *geo)
{
    if (!geo || atomic_fetch_sub_explicit(&geo->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < geo->file_count; i++) {
        free((void *)(uintptr_t)geo->files[i].path);
        free((void *)(uintptr_t)geo->files[i].type);
    }
    free(geo->files);
    steer_partition_fini(&geo->partition);
    steer_locations_fini(&geo->locations);
    free(geo);
}

const struct steer_partition *steer_geo_partition(const struct steer_geo *geo)
{
    return &geo->partition;
}

uint32_t steer_geo_location_count(const struct steer_geo *geo)
{
    return (uint32_t)geo->locations.count;
}

const struct steer_location *steer_geo_location(const struct steer_geo *geo, uint32_t index)
{
    return &geo->locations.items[index < geo->locations.count ? index : 0];
}

bool steer_geo_knows_asns(const struct steer_geo *geo)
{
    for (size_t i = 0; i < geo->locations.count; i++)
        if (geo->locations.items[i].asn)
            return true;
    return false;
}

const struct steer_location *steer_geo_lookup(const struct steer_geo *geo,
                                              const struct steer_addr *addr)
{
    return steer_geo_location(geo, steer_partition_lookup(&geo->partition, addr));
}

size_t steer_geo_file_count(const struct steer_geo *geo)
{
    return geo->file_count;
}

const struct steer_geo_file *steer_geo_file_at(const struct steer_geo *geo, size_t index)
{
    return index < geo->file_count ? &geo->files[index] : NULL;
}
