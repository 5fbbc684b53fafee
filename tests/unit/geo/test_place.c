// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/geo/place.h"

static void places_are_parsed_and_formatted_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct steer_place place;
    } rows[] = {
        {"EU", {"EU", "", ""}},           {"EU-DE", {"EU", "DE", ""}},
        {"NA-US-CA", {"NA", "US", "CA"}}, {"EU-CY", {"EU", "CY", ""}},
        {"AS-JP-13", {"AS", "JP", "13"}}, {"OC-AU-NSW", {"OC", "AU", "NSW"}},
        {"AF-NA", {"AF", "NA", ""}},      {"EU-XK", {"EU", "XK", ""}},
        {"EU-DE-B", {"EU", "DE", "B"}},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_place place;
        struct steer_diag diag;
        char text[11];
        assert_int_equal(steer_place_parse(rows[i].text, &place, &diag), STEER_OK);
        assert_memory_equal(&place, &rows[i].place, sizeof place);
        assert_string_equal(steer_place_format(&place, text, sizeof text), rows[i].text);
    }
}

static void errors_say_what_would_be_right(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"AS-CY", "write EU-CY"},
        {"EU-US-CA", "write NA-US-CA"},
        {"DE", "EU-DE"},
        {"eu", "capitals: EU"},
        {"Europe", "written EU"},
        {"XX", "known are AF, AN, AS, EU, NA, OC, SA"},
        {"EU-UK", "EU-GB"},
        {"EU-de", "EU-DE"},
        {"EU-Germany", "EU-DE"},
        {"EU-DX", "did you mean EU-"},
        {"NA-US-CALI", "1 to 3"},
        {"NA-US-ca", "capitals"},
        {"", "is not a place"},
        {"EU-", "is not a place"},
        {"-DE", "is not a place"},
        {"EU-DE-BE-X", "is not a place"},
        {"EU-DE-", "is not a place"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_place place = {.continent = "??"};
        struct steer_diag diag;
        assert_int_equal(steer_place_parse(rows[i][0], &place, &diag), STEER_EINVAL);
        if (!strstr(diag.message, rows[i][1]))
            fail_msg("%s: '%s' lacks '%s'", rows[i][0], diag.message, rows[i][1]);
        assert_string_equal(place.continent, "??");
    }
}

static void the_country_table_is_sorted_and_complete(void **state)
{
    (void)state;
    unsigned count = 0;
    for (const char *code, *before = ""; (code = steer_country_at(count)); before = code, count++) {
        const char *name;
        double lat, lon;
        assert_true(strcmp(before, code) < 0);
        assert_int_equal(strlen(code), 2);
        assert_non_null(strstr("AF AN AS EU NA OC SA", steer_country_continent(code)));
        assert_true(steer_country_info(code, &name, &lat, &lon));
        assert_true(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 && name[0]);
    }
    assert_int_equal(count, 250); // ISO 3166-1's 249 and XK
    assert_null(steer_country_continent("ZZ"));
    assert_null(steer_country_continent(""));
}

static void centres_are_where_the_countries_are(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        double lat, lon;
    } rows[] = {{"DE", 51, 10},   {"US", 39, -98},   {"BR", -10, -53}, {"JP", 36, 138},
                {"AU", -25, 134}, {"RU", 62, 97},    {"FJ", -18, 178}, {"NZ", -42, 173},
                {"ZA", -29, 25},  {"SG", 1.4, 103.8}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const char *name;
        double lat, lon;
        assert_true(steer_country_info(rows[i].code, &name, &lat, &lon));
        assert_true(lat > rows[i].lat - 1.5 && lat < rows[i].lat + 1.5);
        assert_true(lon > rows[i].lon - 1.5 && lon < rows[i].lon + 1.5);
    }
}

static void a_rule_matches_what_lies_in_it(void **state)
{
    (void)state;
    const struct steer_place client = {"NA", "US", "CA"};
    assert_true(steer_place_matches(&(struct steer_place){"", "", ""}, &client));
    assert_true(steer_place_matches(&(struct steer_place){"NA", "", ""}, &client));
    assert_true(steer_place_matches(&(struct steer_place){"NA", "US", ""}, &client));
    assert_true(steer_place_matches(&(struct steer_place){"NA", "US", "CA"}, &client));
    assert_false(steer_place_matches(&(struct steer_place){"NA", "US", "NY"}, &client));
    assert_false(steer_place_matches(&(struct steer_place){"NA", "CA", ""}, &client));
    assert_false(steer_place_matches(&(struct steer_place){"NA", "", ""},
                                     &(struct steer_place){"", "", ""}));
    char text[11];
    assert_string_equal(steer_place_format(&(struct steer_place){"", "", ""}, text, sizeof text),
                        "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_parsed_and_formatted_back),
        cmocka_unit_test(errors_say_what_would_be_right),
        cmocka_unit_test(the_country_table_is_sorted_and_complete),
        cmocka_unit_test(centres_are_where_the_countries_are),
        cmocka_unit_test(a_rule_matches_what_lies_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
