// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/policy/latency_rows.h"

static const struct {
    const char *text, *rows;
    size_t count;
} good[] = {
    {"192.0.2.0/24,fra,9.5\n", "{\"192.0.2.0/24\": {\"fra\": 9.5}}", 1},
    {"client,site,ms\nEU-DE,fra,9\nEU-DE,iad,95.1234\nas64500,fra,0\n",
     "{\"EU-DE\": {\"fra\": 9, \"iad\": 95.123}, \"AS64500\": {\"fra\": 0}}", 3},
    {"\xef\xbb\xbfsite,milliseconds,network\r\n# a comment\r\n\r\n\"fra\" , 3 "
     ",\"2001:DB8::/32\"\r\n",
     "{\"2001:db8::/32\": {\"fra\": 3}}", 1},
    {"[{\"client\": \"NA-US-CA\", \"site\": \"lax\", \"ms\": 7.25},\n {\"place\": \"NA\", \"ms\": "
     "60, "
     "\"site\": \"lax\"}]",
     "{\"NA-US-CA\": {\"lax\": 7.25}, \"NA\": {\"lax\": 60}}", 2},
    {"192.0.2.1,fra,1", "{\"192.0.2.1/32\": {\"fra\": 1}}", 1},
};

static const struct {
    const char *text, *message;
} bad[] = {
    {"", "f:1:1: there is no row"},
    {"client,site,ms\n", "f:1:1: there is no row"},
    {"EU-DE,fra\n", "f:1:1: a line has client, site and ms"},
    {"EU-DE,fra,9,x\n", "f:1:12: a line has three fields"},
    {"EU-DE,fra,9\nAS-CY, fra, 9\n", "f:2:1: 'AS-CY'"},
    {"EU-DE,fra,9\n\n192.0.2.1/24,fra,9\n",
     "f:3:1: '192.0.2.1/24' has bits behind its length; the network is 192.0.2.0/24"},
    {"192.0.2.0/33,fra,9\n", "f:1:1: '192.0.2.0/33' is not a network"},
    {"EU,fra,-1\n", "f:1:8: '-1' is not a time in milliseconds"},
    {"EU, fra, 60001\n", "f:1:10: '60001' is not a time"},
    {"EU,fra,nan\n", "f:1:8: 'nan' is not a time"},
    {"EU,f a,1\n", "f:1:4: 'f a' is not the name of a site"},
    {"EU,fra,1\n  EU,fra,2\n", "f:2:3: EU to site fra is given twice; it first stands at line 1"},
    {"EU,\"fra,1\n", "f:1:4: the quote is not closed"},
    {"EU,\"fra\"x,1\n", "f:1:9: a comma is missing"},
    {"client,site,rtt\n", "f:1:13: the columns are client (or network, place), site and ms, not"},
    {"{}", "f:1:1: latencies in JSON are a list"},
    {"[{\"client\": \"EU\", \"site\": \"fra\"}]", "f:1:2: 'ms' is missing"},
    {"[{\"client\": \"EU\",\n \"cite\": \"fra\"}]", "f:2:2: unknown key 'cite'"},
    {"[{\"client\": \"EU\", \"site\": \"fra\", \"ms\": true}]", "f:1:40: 'ms' must be a number"},
    {"[{\"client\": \"EU\",", "f:1:"},
};

static void csv_and_json_become_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(good); i++) {
        json_t *rows = NULL;
        size_t count = 0;
        struct steer_diag diag = {0};
        if (steer_latency_rows_parse(good[i].text, strlen(good[i].text), "f", &rows, &count, &diag))
            fail_msg("%s\n%s", diag.message, good[i].text);
        char *text = json_dumps(rows, JSON_REAL_PRECISION(15));
        assert_string_equal(text, good[i].rows);
        assert_int_equal(count, good[i].count);
        free(text);
        json_decref(rows);
    }
}

static void what_is_wrong_is_named_with_line_and_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(bad); i++) {
        json_t *rows = NULL;
        size_t count = 0;
        struct steer_diag diag = {0};
        char message[1400];
        assert_int_equal(
            steer_latency_rows_parse(bad[i].text, strlen(bad[i].text), "f", &rows, &count, &diag),
            STEER_EINVAL);
        steer_diag_format(&diag, message, sizeof message);
        if (strncmp(message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("%s\nwanted %s\nfor %s", message, bad[i].message, bad[i].text);
        assert_null(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_and_json_become_rows),
        cmocka_unit_test(what_is_wrong_is_named_with_line_and_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
