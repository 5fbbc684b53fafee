// SPDX-License-Identifier: GPL-3.0-or-later
// Places: continents, ISO 3166-1 countries, ISO 3166-2 subdivisions. Floor 2. Pure.
#ifndef STEERD_GEO_PLACE_H
#define STEERD_GEO_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "steerd/base/err.h"

// Codes as NUL-terminated capitals; an empty string is "not known" (or, in a rule, "any").
struct steer_place {
    char continent[3];
    char country[3];
    char subdivision[4];
};

// "EU", "EU-DE", "NA-US-CA". The country decides: "AS-CY" is an error that names EU-CY. Unknown codes
// name the nearest known one. A subdivision needs a country and is 1-3 letters or digits.
enum steer_err steer_place_parse(const char *text, struct steer_place *place,
                                 struct steer_diag *diag) STEER_MUST_USE;
// At most 10 bytes with the NUL; "" becomes "unknown". Returns out.
const char *steer_place_format(const struct steer_place *place, char *out, uint32_t size);

// The continent code of a country, or NULL where the country is not known.
const char *steer_country_continent(const char *country);
// English name and centre (degrees; Natural Earth, public domain) of a country; false where not known.
bool steer_country_info(const char *country, const char **name, double *lat, double *lon);
// All countries, for tools: index from 0; NULL at the end.
const char *steer_country_at(unsigned index);

// True when `client` lies in `rule`: equal in each part that the rule names.
bool steer_place_matches(const struct steer_place *rule, const struct steer_place *client);

#endif
