// SPDX-License-Identifier: GPL-3.0-or-later
// Tables of networks and their places as text, in the form of self-published geolocation feeds (RFC 8805):
// "network,country,region,city,postal code"; only the first three are read. A place as in documents (EU-DE-BE) may stand
// in place of the country.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/hash.h"
#include "steerd/base/mem.h"
#include "steerd/geo/classmap.h"

enum { FIELD_MAX = 64, ROWS_MAX = 1000000 };
enum { NETWORK, COUNTRY, REGION, FIELDS };

struct feed {
    const char *path;
    uint32_t line;
    struct steer_locations *locations;
    struct steer_prefix_value *items;
    size_t count, cap;
    struct steer_map lines; // network -> where it stands
    struct steer_diag *diag;
};

struct row {
    char text[FIELDS][FIELD_MAX];
    uint32_t column[FIELDS];
};

static enum steer_err refuse(const struct feed *feed, uint32_t column, const char *fmt, ...)
    STEER_PRINTF(3, 4);
static enum steer_err refuse(const struct feed *feed, uint32_t column, const char *fmt, ...)
{
    char message[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return steer_diag_at(feed->diag, feed->path, feed->line, column, "%s", message);
}

// The fields that matter, without the blanks around them. False where one is too long to be anything, or not printable.
static bool split(const char *line, size_t len, struct row *row)
{
    size_t at = 0;
    memset(row, 0, sizeof *row);
    for (unsigned i = 0; i < FIELDS && at <= len; i++) {
        size_t end = at;
        while (end < len && line[end] != ',')
            end++;
        size_t first = at, last = end;
        while (first < last && isspace((unsigned char)line[first]))
            first++;
        while (last > first && isspace((unsigned char)line[last - 1]))
            last--;
        row->column[i] = (uint32_t)first + 1;
        if (last - first >= FIELD_MAX)
            return false;
        for (size_t k = first; k < last; k++)
            if (line[k] < ' ' || line[k] > '~')
                return false;
        memcpy(row->text[i], line + first, last - first);
        at = end + 1;
    }
    return true;
}

// Codes count in any case (RFC 8805 2.1.1.3).
static void capitals(char *text)
{
    for (; *text; text++)
        *text = (char)toupper((unsigned char)*text);
}

// IPv4 inside IPv6 is looked up as IPv4 (classmap.h), so that such a row would never hold a client.
static bool embeds(const struct steer_prefix *prefix)
{
    struct steer_addr v4;
    unsigned offset;
    if (prefix->addr.family != STEER_V6 || !steer_addr_embedded_v4(&prefix->addr, &v4, &offset))
        return false;
    const bool teredo = offset == 96 && prefix->addr.octets[0] == 0x20;
    return prefix->len >= (teredo ? 32 : offset);
}

static enum steer_err read_network(const struct feed *feed, const struct row *row,
                                   struct steer_prefix *prefix)
{
    const char *text = row->text[NETWORK];
    const uint32_t column = row->column[NETWORK];
    char right[64];
    bool host_bits = false;
    if (!steer_prefix_parse(text, prefix, &host_bits)) {
        if (host_bits)
            return refuse(feed, column, "'%s' has bits set beyond its length; the network is %s",
                          text, steer_prefix_format(prefix, right, sizeof right));
        return refuse(feed, column, "'%s' is not a network like 192.0.2.0/24 or 2001:db8::/32",
                      text);
    }
    if (embeds(prefix))
        return refuse(feed, column,
                      "'%s' holds IPv4 inside IPv6, which is looked up as IPv4: write the IPv4 "
                      "network",
                      text);
    return STEER_OK;
}

// "DE", and "DE-BE" for the region; or "EU-DE-BE" alone; or nothing, for what nobody should place.
static enum steer_err read_place(const struct feed *feed, struct row *row,
                                 struct steer_place *place)
{
    char text[FIELD_MAX * 2];
    struct steer_diag why;
    char *country = row->text[COUNTRY], *region = row->text[REGION];
    memset(place, 0, sizeof *place);
    capitals(country);
    capitals(region);
    if (!*country && *region)
        return refuse(feed, row->column[REGION], "region '%s' without a country", region);
    if (!*country)
        return STEER_OK;
    if (strchr(country, '-')) {
        if (*region)
            return refuse(feed, row->column[REGION],
                          "a place and a region; write the region into the place, or the country "
                          "alone");
        snprintf(text, sizeof text, "%s", country);
    } else {
        const char *continent = steer_country_continent(country);
        if (!continent)
            return refuse(feed, row->column[COUNTRY],
                          "'%s' is not the code of a country like DE, nor a place like EU-DE",
                          country);
        if (*region && (strncmp(region, country, 2) != 0 || region[2] != '-'))
            return refuse(feed, row->column[REGION],
                          "'%s' is not a region of %s, which would be written %s-...", region,
                          country, country);
        snprintf(text, sizeof text, "%s-%s", continent, *region ? region : country);
    }
    if (steer_place_parse(text, place, &why) == STEER_OK)
        return STEER_OK;
    return refuse(feed, row->column[*region ? REGION : COUNTRY], "%.300s", why.message);
}

static enum steer_err add_row(struct feed *feed, struct row *row)
{
    struct steer_prefix prefix;
    struct steer_location location;
    char text[64];
    uint32_t first;
    memset(&location, 0, sizeof location);
    location.lat = location.lon = __builtin_nanf("");
    enum steer_err err = read_network(feed, row, &prefix);
    if (!err)
        err = read_place(feed, row, &location.place);
    if (err)
        return err;
    steer_prefix_format(&prefix, text, sizeof text);
    if (steer_map_get(&feed->lines, text, &first))
        return refuse(feed, row->column[NETWORK], "%s is given twice; it first stands at line %u",
                      text, first);
    if (feed->count == ROWS_MAX)
        return refuse(feed, row->column[NETWORK], "more than %d networks", ROWS_MAX);
    steer_map_put(&feed->lines, text, feed->line);
    feed->items = steer_grow(feed->items, &feed->cap, feed->count + 1, sizeof *feed->items);
    feed->items[feed->count++] =
        (struct steer_prefix_value){prefix, steer_locations_intern(feed->locations, &location)};
    return STEER_OK;
}

static enum steer_err read_line(struct feed *feed, const char *line, size_t len)
{
    struct row row;
    size_t blanks = 0;
    while (blanks < len && isspace((unsigned char)line[blanks]))
        blanks++;
    if (blanks == len || line[blanks] == '#')
        return STEER_OK;
    if (!split(line, len, &row))
        return refuse(feed, 1, "not a line like 192.0.2.0/24,DE,DE-BE");
    return add_row(feed, &row);
}

enum steer_err steer_geofeed_read(const char *text, size_t len, const char *path,
                                  struct steer_locations *locations, struct steer_partition *part,
                                  uint64_t *networks, struct steer_diag *diag)
{
    struct feed feed = {.path = path, .locations = locations, .diag = diag};
    enum steer_err err = STEER_OK;
    size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; // a byte order mark
    while (at < len && !err) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t next = end ? (size_t)(end - text) : len;
        feed.line++;
        err = read_line(&feed, text + at, next - at);
        at = next + 1;
    }
    if (!err && !feed.count)
        err = steer_diag_at(diag, path, 0, 0,
                            "the file holds no networks; a line is like 192.0.2.0/24,DE,DE-BE");
    if (!err)
        steer_partition_from_prefixes(feed.items, feed.count, 0, part);
    *networks = feed.count;
    free(feed.items);
    steer_map_fini(&feed.lines);
    return err;
}
