// SPDX-License-Identifier: GPL-3.0-or-later
// One record of an .mmdb file -> struct steer_location, by configurable key paths.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "geo_internal.h"
#include "steerd/base/mem.h"

enum field { CONTINENT, COUNTRY, SUBDIVISION, LATITUDE, LONGITUDE, ASN, FIELDS };
enum { PATHS_MAX = 3, PARTS_MAX = 8, NESTING_MAX = 32, ELEMENTS_MAX = 65536 };

static const char *const field_names[FIELDS] = {"continent", "country",   "subdivision",
                                                "latitude",  "longitude", "asn"};
// GeoIP2's first, then the flat ones.
static const char *const known_paths[FIELDS][PATHS_MAX] = {
    {"continent.code", "continent_code", "continent"},
    {"country.iso_code", "country_code", "country"},
    {"subdivisions.0.iso_code", "subdivision_code", "region_code"},
    {"location.latitude", "latitude", "lat"},
    {"location.longitude", "longitude", "lon"},
    {"autonomous_system_number", "asn", "as_number"},
};

struct key_path {
    char *text;                       // cut at its dots
    const char *parts[PARTS_MAX + 1]; // ends with NULL
};

struct steer_record_keys {
    struct key_path paths[FIELDS][PATHS_MAX];
};

static bool key_path_set(struct key_path *path, const char *text)
{
    path->text = steer_strdup(text);
    char *at = path->text;
    for (unsigned i = 0; i < PARTS_MAX; i++) {
        char *dot = strchr(at, '.');
        if (dot)
            *dot = '\0';
        if (!*at)
            return false;
        path->parts[i] = at;
        if (!dot)
            return true;
        at = dot + 1;
    }
    return false;
}

enum steer_err steer_record_keys_create(const struct steer_geo_keys *keys,
                                        struct steer_record_keys **out, struct steer_diag *diag)
{
    static const struct steer_geo_keys none;
    if (!keys)
        keys = &none;
    const char *const given[FIELDS] = {keys->continent, keys->country,   keys->subdivision,
                                       keys->latitude,  keys->longitude, keys->asn};
    struct steer_record_keys *result = steer_calloc(1, sizeof *result);
    for (unsigned f = 0; f < FIELDS; f++) {
        for (unsigned i = 0; i < PATHS_MAX; i++) {
            const char *text = given[f] ? given[f] : known_paths[f][i];
            if (!key_path_set(&result->paths[f][i], text)) {
                steer_record_keys_destroy(result);
                return steer_diag_set(
                    diag, STEER_EINVAL,
                    "geo key path for %s: '%.128s' is not 1 to %d names with dots "
                    "between them, as in country.iso_code",
                    field_names[f], text, PARTS_MAX);
            }
            if (given[f])
                break;
        }
    }
    *out = result;
    return STEER_OK;
}

void steer_record_keys_destroy(struct steer_record_keys *keys)
{
    if (!keys)
        return;
    for (unsigned f = 0; f < FIELDS; f++)
        for (unsigned i = 0; i < PATHS_MAX; i++)
            free(keys->paths[f][i].text);
    free(keys);
}

// Reading of the data section's framing (MaxMind DB file format 2.0, "Data Field Format").
struct cursor {
    const uint8_t *data;
    size_t size, at;
    unsigned elements;
};

static bool take_number(struct cursor *c, unsigned bytes, uint32_t *value)
{
    if (c->size - c->at < bytes)
        return false;
    *value = 0;
    while (bytes--)
        *value = *value << 8 | c->data[c->at++];
    return true;
}

static bool take_size(struct cursor *c, uint32_t control, uint32_t *size)
{
    static const uint32_t base[] = {29, 285, 65821};
    uint32_t more = 0;
    *size = control & 31;
    if (*size < 29)
        return true;
    unsigned bytes = *size - 28;
    *size = base[bytes - 1];
    if (!take_number(c, bytes, &more))
        return false;
    *size += more;
    return true;
}

static bool take_pointer(struct cursor *c, uint32_t control, uint32_t *target)
{
    static const uint32_t base[] = {0, 2048, 526336, 0};
    unsigned bytes = (control >> 3 & 3) + 1;
    uint32_t low;
    if (!take_number(c, bytes, &low))
        return false;
    *target = low + base[bytes - 1] + (bytes < 4 ? (control & 7) << 8 * bytes : 0);
    return true;
}

// Walks a value with all it points to before the library does: the library descends as deep as the file
// says, and a file may say so a million times. NULL, or what is wrong.
static const char *check_shape(struct cursor *c, unsigned depth)
{
    uint32_t control, type, size;
    if (++c->elements > ELEMENTS_MAX)
        return "a record has more than 65,536 parts, or loops";
    if (depth > NESTING_MAX)
        return "a record is nested deeper than 32 levels, or loops";
    if (!take_number(c, 1, &control))
        return "a record runs past the end of the data";
    type = control >> 5;
    if (type == MMDB_DATA_TYPE_POINTER) {
        uint32_t target;
        if (!take_pointer(c, control, &target) || target >= c->size)
            return "a pointer in a record leads outside the data";
        size_t after = c->at;
        c->at = target;
        const char *wrong = check_shape(c, depth + 1);
        c->at = after;
        return wrong;
    }
    if (type == MMDB_DATA_TYPE_EXTENDED) {
        if (!take_number(c, 1, &type))
            return "a record runs past the end of the data";
        type += 7;
    }
    if (!take_size(c, control, &size))
        return "a record runs past the end of the data";
    if (type == MMDB_DATA_TYPE_MAP || type == MMDB_DATA_TYPE_ARRAY) {
        const char *wrong = NULL;
        uint64_t count = type == MMDB_DATA_TYPE_MAP ? (uint64_t)size * 2 : size;
        while (!wrong && count--)
            wrong = check_shape(c, depth + 1);
        return wrong;
    }
    if (type == MMDB_DATA_TYPE_CONTAINER || type == MMDB_DATA_TYPE_END_MARKER || type > 15)
        return "a record holds a value of a type that is not allowed there";
    if (type != MMDB_DATA_TYPE_BOOLEAN) {
        if (c->size - c->at < size)
            return "a record runs past the end of the data";
        c->at += size;
    }
    return NULL;
}

// STEER_ENOTFOUND where no path leads to a value; STEER_EINVAL where the data is broken.
static enum steer_err field_get(const struct steer_record_keys *keys, enum field field,
                                MMDB_entry_s *entry, MMDB_entry_data_s *value)
{
    for (unsigned i = 0; i < PATHS_MAX && keys->paths[field][i].text; i++) {
        int status = MMDB_aget_value(entry, value, keys->paths[field][i].parts);
        if (status == MMDB_SUCCESS && value->has_data && value->type != MMDB_DATA_TYPE_MAP)
            return STEER_OK;
        if (status != MMDB_SUCCESS && status != MMDB_INVALID_LOOKUP_PATH_ERROR &&
            status != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
            return STEER_EINVAL;
    }
    return STEER_ENOTFOUND;
}

// A code of min to max capitals (small letters are raised) or, with digits, also 0-9; else out stays empty.
static void code_copy(const MMDB_entry_data_s *value, size_t min, size_t max, bool digits,
                      char *out)
{
    char code[4] = "";
    if (value->type != MMDB_DATA_TYPE_UTF8_STRING || value->data_size < min ||
        value->data_size > max)
        return;
    for (uint32_t i = 0; i < value->data_size; i++) {
        char c = value->utf8_string[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (!(c >= 'A' && c <= 'Z') && !(digits && c >= '0' && c <= '9'))
            return;
        code[i] = c;
    }
    memcpy(out, code, max + 1);
}

static bool number_of(const MMDB_entry_data_s *value, double *out)
{
    switch (value->type) {
    case MMDB_DATA_TYPE_DOUBLE:
        *out = value->double_value;
        return true;
    case MMDB_DATA_TYPE_FLOAT:
        *out = (double)value->float_value;
        return true;
    case MMDB_DATA_TYPE_UINT16:
        *out = value->uint16;
        return true;
    case MMDB_DATA_TYPE_UINT32:
        *out = value->uint32;
        return true;
    case MMDB_DATA_TYPE_INT32:
        *out = value->int32;
        return true;
    case MMDB_DATA_TYPE_UINT64:
        *out = (double)value->uint64;
        return true;
    default:
        return false;
    }
}

// A number, or text such as "AS64500", as some vendors write it.
static uint32_t asn_of(const MMDB_entry_data_s *value)
{
    double number;
    if (number_of(value, &number))
        return number >= 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
    if (value->type != MMDB_DATA_TYPE_UTF8_STRING || value->data_size < 3 ||
        value->data_size > 12 || memcmp(value->utf8_string, "AS", 2) != 0)
        return 0;
    uint64_t asn = 0;
    for (uint32_t i = 2; i < value->data_size; i++) {
        char c = value->utf8_string[i];
        if (c < '0' || c > '9')
            return 0;
        asn = asn * 10 + (uint64_t)(c - '0');
    }
    return asn <= UINT32_MAX ? (uint32_t)asn : 0;
}

static void field_store(enum field field, const MMDB_entry_data_s *value,
                        struct steer_location *out)
{
    double number;
    switch (field) {
    case CONTINENT:
        code_copy(value, 2, 2, false, out->place.continent);
        break;
    case COUNTRY:
        code_copy(value, 2, 2, false, out->place.country);
        break;
    case SUBDIVISION:
        code_copy(value, 1, 3, true, out->place.subdivision);
        break;
    case LATITUDE:
        if (number_of(value, &number) && number >= -90 && number <= 90)
            out->lat = (float)number;
        break;
    case LONGITUDE:
        if (number_of(value, &number) && number >= -180 && number <= 180)
            out->lon = (float)number;
        break;
    case ASN:
        out->asn = asn_of(value);
        break;
    case FIELDS:
        break;
    }
}

// The country decides over the continent; a subdivision means nothing without its country, nor a
// latitude without a longitude.
static void settle(struct steer_location *location)
{
    struct steer_place *place = &location->place;
    const char *continent = steer_country_continent(place->country);
    if (continent)
        memcpy(place->continent, continent, sizeof place->continent);
    if (!place->country[0])
        memset(place->subdivision, 0, sizeof place->subdivision);
    if (isnan(location->lat) || isnan(location->lon))
        location->lat = location->lon = __builtin_nanf("");
}

const char *steer_record_read(const struct steer_record_keys *keys, const MMDB_s *mmdb,
                              uint32_t offset, struct steer_location *out)
{
    struct cursor cursor = {mmdb->data_section, mmdb->data_section_size, offset, 0};
    if (offset >= cursor.size)
        return "a network's record lies outside the data";
    const char *wrong = check_shape(&cursor, 0);
    if (wrong)
        return wrong;
    memset(out, 0, sizeof *out);
    out->lat = out->lon = __builtin_nanf("");
    MMDB_entry_s entry = {.mmdb = mmdb, .offset = offset};
    for (unsigned f = 0; f < FIELDS; f++) {
        MMDB_entry_data_s value;
        enum steer_err err = field_get(keys, (enum field)f, &entry, &value);
        if (err == STEER_EINVAL)
            return "a record cannot be decoded";
        if (err == STEER_OK)
            field_store((enum field)f, &value, out);
    }
    settle(out);
    return NULL;
}
