// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/geo/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "steerd/base/hash.h"

struct country {
    const char *code, *continent, *name;
    double lat, lon;
};

#define COUNTRY(code, continent, name, lat, lon) {#code, #continent, name, lat, lon},
static const struct country countries[] = {
#include "countries.def"
};
#undef COUNTRY

static const char *const continents[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};
static const char *const continent_names[] = {
    "Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America"};

// What people write for a country that ISO 3166 calls otherwise.
static const struct {
    const char *wrong, *right;
} habits[] = {{"UK", "GB"}, {"EL", "GR"}, {"EN", "GB"}, {"SP", "ES"}, {"JA", "JP"}, {"KO", "KR"}};

static int compare_code(const void *key, const void *item)
{
    return strcmp(key, ((const struct country *)item)->code);
}

static const struct country *country_find(const char *code)
{
    return bsearch(code, countries, STEER_ARRAY_LEN(countries), sizeof countries[0], compare_code);
}

static bool continent_known(const char *code)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(continents); i++)
        if (strcmp(code, continents[i]) == 0)
            return true;
    return false;
}

const char *steer_country_continent(const char *country)
{
    const struct country *c = country_find(country);
    return c ? c->continent : NULL;
}

bool steer_country_info(const char *country, const char **name, double *lat, double *lon)
{
    const struct country *c = country_find(country);
    if (!c)
        return false;
    *name = c->name;
    *lat = c->lat;
    *lon = c->lon;
    return true;
}

const char *steer_country_at(unsigned index)
{
    return index < STEER_ARRAY_LEN(countries) ? countries[index].code : NULL;
}

bool steer_place_matches(const struct steer_place *rule, const struct steer_place *client)
{
    return (!rule->continent[0] || strcmp(rule->continent, client->continent) == 0) &&
           (!rule->country[0] || strcmp(rule->country, client->country) == 0) &&
           (!rule->subdivision[0] || strcmp(rule->subdivision, client->subdivision) == 0);
}

const char *steer_place_format(const struct steer_place *place, char *out, uint32_t size)
{
    const char *continent = place->continent[0] ? place->continent : "??";
    if (place->subdivision[0])
        snprintf(out, size, "%s-%s-%s", continent, place->country, place->subdivision);
    else if (place->country[0])
        snprintf(out, size, "%s-%s", continent, place->country);
    else
        snprintf(out, size, "%s", place->continent[0] ? place->continent : "unknown");
    return out;
}

// A written place, cut at its hyphens, and in capitals for the search of what was meant.
struct parts {
    char given[3][32];
    char upper[3][32];
    unsigned count;
};

static bool split(const char *text, struct parts *parts)
{
    memset(parts, 0, sizeof *parts);
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, "-");
        if (parts->count == 3 || len == 0 || len >= sizeof parts->given[0])
            return false;
        for (size_t i = 0; i < len; i++) {
            char c = p[i];
            parts->given[parts->count][i] = c;
            parts->upper[parts->count][i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
        parts->count++;
        p += len;
        if (!*p)
            return true;
    }
}

static enum steer_err bad_continent(const char *text, const struct parts *parts,
                                    struct steer_diag *diag)
{
    const char *upper = parts->upper[0];
    if (continent_known(upper))
        return steer_diag_set(diag, STEER_EINVAL, "'%s': codes are in capitals: %s", text, upper);
    const struct country *country = country_find(upper);
    if (country)
        return steer_diag_set(diag, STEER_EINVAL,
                              "'%s': a place begins with its continent; %s (%s) is %s-%s", text,
                              country->code, country->name, country->continent, country->code);
    for (size_t i = 0; i < STEER_ARRAY_LEN(continents); i++)
        if (strcasecmp(continent_names[i], parts->given[0]) == 0)
            return steer_diag_set(diag, STEER_EINVAL, "'%s': %s is written %s", text,
                                  continent_names[i], continents[i]);
    return steer_diag_set(diag, STEER_EINVAL,
                          "'%s': unknown continent '%s'; known are AF, AN, AS, EU, NA, OC, SA",
                          text, parts->given[0]);
}

// The country that was most likely meant: a common habit, its name, a code near on that continent.
static const struct country *country_meant(const struct parts *parts)
{
    const char *upper = parts->upper[1];
    const struct country *country = country_find(upper);
    for (size_t i = 0; !country && i < STEER_ARRAY_LEN(habits); i++)
        if (strcmp(upper, habits[i].wrong) == 0)
            country = country_find(habits[i].right);
    for (size_t i = 0; !country && i < STEER_ARRAY_LEN(countries); i++)
        if (strcasecmp(countries[i].name, parts->given[1]) == 0)
            country = &countries[i];
    for (int anywhere = 0; !country && strlen(upper) <= 3 && anywhere < 2; anywhere++) {
        const char *codes[STEER_ARRAY_LEN(countries)];
        size_t count = 0;
        for (size_t i = 0; i < STEER_ARRAY_LEN(countries); i++)
            if (anywhere || strcmp(countries[i].continent, parts->given[0]) == 0)
                codes[count++] = countries[i].code;
        const char *near = steer_nearest_word(upper, codes, count);
        country = near ? country_find(near) : NULL;
    }
    return country;
}

static enum steer_err bad_country(const char *text, const struct parts *parts,
                                  struct steer_diag *diag)
{
    const struct country *meant = country_meant(parts);
    if (!meant)
        return steer_diag_set(diag, STEER_EINVAL, "'%s': unknown country '%s'", text,
                              parts->given[1]);
    return steer_diag_set(diag, STEER_EINVAL,
                          "'%s': unknown country '%s'; did you mean %s-%s (%s)?", text,
                          parts->given[1], meant->continent, meant->code, meant->name);
}

static bool subdivision_valid(const char *code)
{
    size_t len = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return len >= 1 && len <= 3 && !code[len];
}

enum steer_err steer_place_parse(const char *text, struct steer_place *place,
                                 struct steer_diag *diag)
{
    struct parts parts;
    if (!split(text, &parts))
        return steer_diag_set(diag, STEER_EINVAL,
                              "'%.64s' is not a place; write EU, EU-DE or NA-US-CA", text);
    if (!continent_known(parts.given[0]))
        return bad_continent(text, &parts, diag);
    struct steer_place result = {0};
    memcpy(result.continent, parts.given[0], sizeof result.continent);
    if (parts.count > 1) {
        const struct country *country = country_find(parts.given[1]);
        if (!country)
            return bad_country(text, &parts, diag);
        if (strcmp(country->continent, parts.given[0]) != 0)
            return steer_diag_set(diag, STEER_EINVAL, "'%s': %s (%s) lies in %s; write %s-%s%s%s",
                                  text, country->code, country->name, country->continent,
                                  country->continent, country->code, parts.count > 2 ? "-" : "",
                                  parts.given[2]);
        memcpy(result.country, parts.given[1], sizeof result.country);
    }
    if (parts.count > 2) {
        if (!subdivision_valid(parts.given[2]))
            return steer_diag_set(diag, STEER_EINVAL,
                                  "'%s': a subdivision is 1 to 3 capitals or digits (ISO 3166-2), "
                                  "as in NA-US-CA",
                                  text);
        memcpy(result.subdivision, parts.given[2], sizeof result.subdivision);
    }
    *place = result;
    return STEER_OK;
}
