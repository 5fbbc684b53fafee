// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/geo/geo.h"

#define FIXTURE(name) STEER_SOURCE_DIR "/geodata/" name ".mmdb"

static struct steer_geo *open_files(const char *a, const char *b, const struct steer_geo_keys *keys)
{
    const char *paths[] = {a, b};
    struct steer_geo *geo = NULL;
    struct steer_diag diag;
    if (steer_geo_open(paths, b ? 2 : 1, keys, &geo, &diag) != STEER_OK)
        fail_msg("%s: %s", diag.file, diag.message);
    return geo;
}

static const struct steer_location *find(const struct steer_geo *geo, const char *text)
{
    struct steer_addr addr;
    assert_true(steer_addr_parse(text, &addr));
    return steer_geo_lookup(geo, &addr);
}

static void check_place(const struct steer_geo *geo, const char *addr, const char *place)
{
    char text[11];
    steer_place_format(&find(geo, addr)->place, text, sizeof text);
    if (strcmp(text, place) != 0)
        fail_msg("%s is in %s, should be %s", addr, text, place);
}

static void each_network_of_a_file_has_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *file, *addr, *place;
        float lat, lon; // 0: not looked at
    } rows[] = {
        {FIXTURE("country"), "192.0.2.0", "EU-DE", 51.0f, 10.4f},
        {FIXTURE("country"), "192.0.2.255", "EU-DE", 0, 0},
        {FIXTURE("country"), "192.0.1.255", "unknown", 0, 0},
        {FIXTURE("country"), "192.0.3.0", "unknown", 0, 0},
        {FIXTURE("country"), "198.51.100.7", "NA-US", 0, 0},
        {FIXTURE("country"), "203.0.113.7", "AS-SG", 0, 0},
        {FIXTURE("country"), "100.64.10.1", "EU-CY", 0, 0}, // the file says AS
        {FIXTURE("country"), "100.64.16.1", "EU", 0, 0},
        {FIXTURE("country"), "100.64.79.255", "NA-US", 0, 0},
        {FIXTURE("country"), "100.64.80.0", "NA-CA", 0, 0},
        {FIXTURE("country"), "100.64.85.199", "NA-US", 0, 0},
        {FIXTURE("country"), "100.64.85.200", "NA-MX", 0, 0},
        {FIXTURE("country"), "2001:db8:de::1", "EU-DE", 0, 0},
        {FIXTURE("country"), "2001:db8:df::1", "unknown", 0, 0},
        {FIXTURE("country"), "2001:db8:64:8000::", "EU-IE", 0, 0},
        {FIXTURE("country"), "2001:db8:64:8000::1", "EU-IS", 0, 0},
        {FIXTURE("country"), "::192.0.2.1", "unknown", 0, 0}, // ::/96 is the IPv4 tree
        {FIXTURE("city"), "100.65.1.9", "NA-US-CA", 37.39f, -122.08f},
        {FIXTURE("city"), "100.65.9.9", "AS-JP-13", 35.69f, 139.69f},
        {FIXTURE("city"), "100.65.10.9", "EU-FR", 48.85f, 2.35f},
        {FIXTURE("city"), "2001:db8:65:3::1", "EU-DE-BE", 52.52f, 13.41f},
        {FIXTURE("flat"), "192.0.2.1", "EU-DE-BE", 52.5f, 13.25f}, // floats
        {FIXTURE("flat"), "2001:db8:a::1", "NA-US", 38.5f, -77.5f},
        {FIXTURE("v4only"), "192.0.2.1", "EU-DE", 0, 0},
        {FIXTURE("v4only"), "2001:db8:de::1", "unknown", 0, 0},
        {FIXTURE("aliased"), "192.0.2.1", "EU-DE", 0, 0},
        {FIXTURE("aliased"), "2001:db8:de::1", "EU-DE", 0, 0},
        {FIXTURE("aliased"), "::ffff:192.0.2.1", "unknown", 0, 0}, // class tables ask it as IPv4
        {FIXTURE("aliased"), "2002:c000:201::1", "unknown", 0, 0},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_geo *geo = open_files(rows[i].file, NULL, NULL);
        const struct steer_location *l = find(geo, rows[i].addr);
        check_place(geo, rows[i].addr, rows[i].place);
        if (rows[i].lat != 0)
            assert_true(fabsf(l->lat - rows[i].lat) < 1e-4f && fabsf(l->lon - rows[i].lon) < 1e-4f);
        steer_geo_unref(geo);
    }
}

static void what_a_file_does_not_say_is_unknown(void **state)
{
    (void)state;
    struct steer_geo *geo = open_files(FIXTURE("v4only"), NULL, NULL);
    assert_true(isnan(find(geo, "192.0.2.1")->lat) && isnan(find(geo, "192.0.2.1")->lon));
    assert_int_equal(find(geo, "192.0.2.1")->asn, 0);
    assert_ptr_equal(find(geo, "9.9.9.9"), steer_geo_location(geo, 0));
    assert_true(isnan(steer_geo_location(geo, 0)->lat));
    assert_int_equal(steer_geo_location_count(geo), 4);
    steer_geo_unref(geo);
}

static void no_files_mean_that_nothing_is_known(void **state)
{
    (void)state;
    struct steer_geo *geo;
    assert_int_equal(steer_geo_open(NULL, 0, NULL, &geo, NULL), STEER_OK);
    assert_int_equal(steer_geo_partition(geo)->count4, 1);
    assert_int_equal(steer_geo_location_count(geo), 1);
    assert_int_equal(steer_geo_file_count(geo), 0);
    check_place(geo, "192.0.2.1", "unknown");
    steer_geo_unref(geo);
}

static void a_later_file_fills_in_what_is_unknown(void **state)
{
    (void)state;
    struct steer_geo *geo = open_files(FIXTURE("country"), FIXTURE("asn"), NULL);
    check_place(geo, "192.0.2.1", "EU-DE");
    assert_int_equal(find(geo, "192.0.2.1")->asn, 64500);
    assert_int_equal(find(geo, "203.0.113.127")->asn, 64502);
    assert_int_equal(find(geo, "203.0.113.128")->asn, 64503);
    assert_int_equal(find(geo, "100.66.0.1")->asn, 4200000000);
    check_place(geo, "100.66.0.1", "unknown");
    assert_int_equal(find(geo, "2001:db8:5::1")->asn, 64502);
    check_place(geo, "2001:db8:f::", "EU-FR");
    assert_int_equal(steer_geo_file_count(geo), 2);
    const struct steer_geo_file *file = steer_geo_file_at(geo, 1);
    assert_string_equal(file->type, "GeoLite2-ASN");
    assert_string_equal(file->path, FIXTURE("asn"));
    assert_true(file->networks >= 10);
    assert_int_equal(file->built_unix_s, 1767225600);
    assert_null(steer_geo_file_at(geo, 2));
    steer_geo_unref(geo);

    // The first file's word stands; a subdivision comes in only where the country is the same.
    geo = open_files(FIXTURE("country"), FIXTURE("city"), NULL);
    check_place(geo, "192.0.2.1", "EU-DE-BE");
    assert_true(fabsf(find(geo, "192.0.2.1")->lat - 51.0f) < 1e-4f);
    check_place(geo, "100.65.5.1", "OC-AU-NSW");
    check_place(geo, "100.64.5.1", "OC-AU");
    steer_geo_unref(geo);
}

// ---- tables as text -------------------------------------------------------------------------------

static const char *write_feed(const char *text)
{
    static char path[] = "/tmp/steerd-geofeed-XXXXXX.csv";
    strcpy(path, "/tmp/steerd-geofeed-XXXXXX.csv");
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void a_table_as_text_goes_before_what_comes_after_it(void **state)
{
    (void)state;
    const char *path = write_feed("\xef\xbb\xbf# our own networks\r\n"
                                  "\r\n"
                                  "192.0.2.0/25,US,US-NY,New York,10001\r\n"
                                  "  192.0.2.64/26 , de , de-be , \"Berlin, Mitte\" ,\r\n"
                                  "192.0.2.80/28,,,,\n"
                                  "198.51.100.7,EU-DE-BY\n"
                                  "203.0.113.0/24,AF\n"
                                  "100.64.1.0/24,NA,,,\n"
                                  "2001:db8:5::/48,AS\n"
                                  "2001:db8:a::/48,GB,GB-ENG");
    struct steer_geo *geo = open_files(path, FIXTURE("country"), NULL);
    check_place(geo, "192.0.2.1", "NA-US-NY");
    assert_true(isnan(find(geo, "192.0.2.1")->lat)); // the other file's point is in Germany
    check_place(geo, "192.0.2.64", "EU-DE-BE");
    assert_true(fabsf(find(geo, "192.0.2.64")->lat - 51.0f) < 1e-4f);
    check_place(geo, "192.0.2.80", "EU-DE"); // left open
    check_place(geo, "192.0.2.128", "EU-DE");
    check_place(geo, "198.51.100.7", "EU-DE-BY");
    check_place(geo, "198.51.100.8", "NA-US");
    // Two letters are a country, and never a continent.
    check_place(geo, "203.0.113.1", "AS-AF");
    check_place(geo, "100.64.1.1", "AF-NA");
    check_place(geo, "2001:db8:5::1", "OC-AS");
    check_place(geo, "2001:db8:a::1", "EU-GB-ENG");
    const struct steer_geo_file *file = steer_geo_file_at(geo, 0);
    assert_string_equal(file->type, "geofeed");
    assert_string_equal(file->path, path);
    assert_int_equal(file->networks, 8);
    assert_true(file->built_unix_s > 1700000000);
    steer_geo_unref(geo);
    // Behind the other file it only fills in.
    const char *order[] = {FIXTURE("country"), path};
    assert_int_equal(steer_geo_open(order, 2, NULL, &geo, NULL), STEER_OK);
    check_place(geo, "192.0.2.1", "EU-DE");
    check_place(geo, "192.0.2.64", "EU-DE-BE");
    unlink(path);
    steer_geo_unref(geo);
}

static void a_wrong_line_of_a_table_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        unsigned line, column;
    } rows[] = {
        {"", "the file holds no networks; a line is like 192.0.2.0/24,DE,DE-BE", 0, 0},
        {"# nothing\n\n", "the file holds no networks", 0, 0},
        {"192.0.2.0/24,DE\nnetwork,country\n", "'network' is not a network like", 2, 1},
        {"192.0.2.1/24,DE\n",
         "'192.0.2.1/24' has bits set beyond its length; the network is "
         "192.0.2.0/24",
         1, 1},
        {"192.0.2.0/24,XY\n", "'XY' is not the code of a country like DE, nor a place like EU-DE",
         1, 14},
        {"192.0.2.0/24, EU\n", "'EU' is not the code of a country", 1, 15},
        {"192.0.2.0/24,AS-CY\n", "'AS-CY': CY (Cyprus) lies in EU; write EU-CY", 1, 14},
        {"192.0.2.0/24,DE,FR-75\n", "'FR-75' is not a region of DE, which would be written DE-...",
         1, 17},
        {"192.0.2.0/24,DE,DE\n", "'DE' is not a region of DE", 1, 17},
        {"192.0.2.0/24,DE,DE-BERLIN\n", "'EU-DE-BERLIN': a subdivision is 1 to 3", 1, 17},
        {"192.0.2.0/24,,DE-BE\n", "region 'DE-BE' without a country", 1, 15},
        {"192.0.2.0/24,EU-DE,DE-BE\n", "a place and a region", 1, 20},
        {"192.0.2.0/24,DE\n192.0.2.0/24,FR\n",
         "192.0.2.0/24 is given twice; it first stands at "
         "line 1",
         2, 1},
        {"::ffff:192.0.2.0/120,DE\n", "holds IPv4 inside IPv6, which is looked up as IPv4", 1, 1},
        {"2002:c000:200::/40,DE\n", "holds IPv4 inside IPv6", 1, 1},
        {"192.0.2.0/24,D\tE\n", "not a line like 192.0.2.0/24,DE,DE-BE", 1, 1},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const char *path = write_feed(rows[i].text);
        struct steer_geo *geo = NULL;
        struct steer_diag diag = {0};
        assert_int_equal(steer_geo_open(&path, 1, NULL, &geo, &diag), STEER_EINVAL);
        if (!strstr(diag.message, rows[i].message) || diag.line != rows[i].line ||
            diag.column != rows[i].column)
            fail_msg("%s:%u:%u: %s\nwanted %u:%u: %s", diag.file, diag.line, diag.column,
                     diag.message, rows[i].line, rows[i].column, rows[i].message);
        unlink(path);
    }
    const char *missing = "/nonexistent/office.csv";
    struct steer_geo *geo;
    assert_int_equal(steer_geo_open(&missing, 1, NULL, &geo, NULL), STEER_EIO);
}

static void only_locations_in_use_are_kept(void **state)
{
    (void)state;
    struct steer_geo *geo = open_files(FIXTURE("country"), FIXTURE("asn"), NULL);
    const struct steer_partition *p = steer_geo_partition(geo);
    uint32_t count = steer_geo_location_count(geo);
    bool *used = calloc(count, sizeof *used);
    assert_non_null(used);
    used[0] = true;
    for (size_t i = 0; i < p->count4; i++)
        used[p->value4[i]] = true;
    for (size_t i = 0; i < p->count6; i++)
        used[p->value6[i]] = true;
    for (uint32_t i = 0; i < count; i++)
        assert_true(used[i]);
    free(used);
    steer_geo_unref(geo);
}

static void keys_can_be_named(void **state)
{
    (void)state;
    const struct steer_geo_keys keys = {.country = "continent.code",
                                        .subdivision = "subdivisions.0.iso_code"};
    struct steer_geo *geo = open_files(FIXTURE("city"), NULL, &keys);
    assert_string_equal(find(geo, "198.51.100.1")->place.country, "NA");
    assert_string_equal(find(geo, "198.51.100.1")->place.continent, "AF"); // NA is Namibia
    assert_string_equal(find(geo, "198.51.100.1")->place.subdivision, "CA");
    steer_geo_unref(geo);
}

static void check_refused(const char *path, const struct steer_geo_keys *keys, enum steer_err err,
                          const char *part)
{
    struct steer_geo *geo = NULL;
    struct steer_diag diag = {0};
    const char *paths[] = {FIXTURE("country"), path};
    assert_int_equal(steer_geo_open(paths, 2, keys, &geo, &diag), err);
    assert_null(geo);
    if (!strstr(diag.message, part))
        fail_msg("'%s' lacks '%s'", diag.message, part);
}

static void bad_keys_and_paths_are_refused(void **state)
{
    (void)state;
    check_refused("/nonexistent/geo.mmdb", NULL, STEER_EIO, "No such file");
    check_refused("/dev/null", NULL, STEER_EIO, "not a regular file");
    check_refused(STEER_SOURCE_DIR "/geodata", NULL, STEER_EIO, "");
    check_refused(STEER_SOURCE_DIR "/LICENSE", NULL, STEER_EINVAL, "not a sound .mmdb");
    static const struct steer_geo_keys rows[] = {
        {.country = ""}, {.country = "a..b"}, {.asn = ".a"}, {.latitude = "a.b.c.d.e.f.g.h.i"}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        check_refused(FIXTURE("country"), &rows[i], STEER_EINVAL, "geo key path");
}

// A file with some bytes changed, under a name that can be opened.
struct patched {
    struct steer_buf bytes;
    int fd;
    char path[64];
};

static void patched_load(struct patched *p, const char *path)
{
    struct steer_diag diag;
    memset(p, 0, sizeof *p);
    assert_int_equal(steer_buf_read_file(&p->bytes, path, 1 << 20, &diag), STEER_OK);
    p->fd = memfd_create("test-geo", 0);
    assert_true(p->fd >= 0);
    snprintf(p->path, sizeof p->path, "/proc/self/fd/%d", p->fd);
}

static void patched_store(struct patched *p, size_t len)
{
    assert_int_equal(ftruncate(p->fd, 0), 0);
    assert_int_equal(pwrite(p->fd, p->bytes.data, len, 0), len);
}

static void patched_fini(struct patched *p)
{
    close(p->fd);
    steer_buf_fini(&p->bytes);
}

static size_t offset_of(const struct patched *p, const char *what, size_t len)
{
    const char *at = memmem(p->bytes.data, p->bytes.len, what, len);
    assert_non_null(at);
    return (size_t)(at - p->bytes.data);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct patched p;
    patched_load(&p, FIXTURE("country"));
    for (size_t len = 0; len < p.bytes.len; len += 7) {
        patched_store(&p, len);
        check_refused(p.path, NULL, STEER_EINVAL, "");
    }
    patched_fini(&p);
}

static void broken_trees_are_refused(void **state)
{
    (void)state;
    // Changes to a 24-bit record of country.mmdb, and what comes of them.
    static const struct {
        size_t node, side; // side 1 is right
        const char *record, *message;
    } rows[] = {
        {1, 1, "\0\0\1", "it loops"},
        {0, 0, "\xff\xff\xff", "outside the file, at ::/1"},
        {2, 1, "\xff\xff\xff", "outside the file, at 2000::/3"},
        {1, 1, "\0\0\0", "outside the file"}, // the root again
    };
    struct patched p;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        patched_load(&p, FIXTURE("country"));
        memcpy(p.bytes.data + rows[i].node * 6 + rows[i].side * 3, rows[i].record, 3);
        patched_store(&p, p.bytes.len);
        check_refused(p.path, NULL, STEER_EINVAL, rows[i].message);
        patched_fini(&p);
    }
}

static void a_tree_of_shared_branches_is_refused(void **state)
{
    (void)state;
    struct patched p;
    patched_load(&p, FIXTURE("country"));
    // Along the way to a /128: from bit 64 on both sides lead on, which makes 2^40 paths.
    struct steer_addr addr;
    assert_true(steer_addr_parse("2001:db8:64:8000::1", &addr));
    size_t node = 0;
    for (unsigned bit = 0; bit < 104; bit++) {
        uint8_t *sides = (uint8_t *)p.bytes.data + node * 6;
        const uint8_t *taken = sides + 3 * (addr.octets[bit / 8] >> (7 - bit % 8) & 1);
        node = (size_t)taken[0] << 16 | (size_t)taken[1] << 8 | taken[2];
        if (bit >= 64)
            memmove(taken == sides ? sides + 3 : sides, taken, 3);
    }
    patched_store(&p, p.bytes.len);
    check_refused(p.path, NULL, STEER_EINVAL, "shares branches");
    patched_fini(&p);
}

static void broken_records_are_refused(void **state)
{
    (void)state;
    struct patched p;
    struct steer_diag diag = {0};
    struct steer_geo *geo = NULL;
    patched_load(&p, FIXTURE("v4only"));
    // The map {"code": "EU"}'s first key becomes a pointer to the map itself.
    size_t at = offset_of(&p,
                          "\x44"
                          "code",
                          5);
    size_t data = offset_of(&p, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) + 16;
    p.bytes.data[at] = 0x20;
    p.bytes.data[at + 1] = (char)(at - 1 - data);
    patched_store(&p, p.bytes.len);
    const char *path = p.path;
    assert_int_equal(steer_geo_open(&path, 1, NULL, &geo, &diag), STEER_EINVAL);
    if (!strstr(diag.message, "or loops") || !strstr(diag.message, "GeoIP2-Country") ||
        !strstr(diag.message, ".0/24"))
        fail_msg("%s", diag.message);
    patched_fini(&p);
}

static void a_file_that_says_nothing_known_is_refused(void **state)
{
    (void)state;
    const struct steer_geo_keys keys = {.continent = "x",
                                        .country = "x",
                                        .subdivision = "x",
                                        .latitude = "x",
                                        .longitude = "x",
                                        .asn = "x"};
    const char *path = FIXTURE("country");
    struct steer_geo *geo = NULL;
    struct steer_diag diag;
    assert_int_equal(steer_geo_open(&path, 1, &keys, &geo, &diag), STEER_EINVAL);
    assert_non_null(strstr(diag.message, "known keys"));
}

static void a_reference_keeps_it_alive(void **state)
{
    (void)state;
    struct steer_geo *geo = open_files(FIXTURE("country"), NULL, NULL);
    struct steer_geo *other = steer_geo_ref(geo);
    steer_geo_unref(geo);
    check_place(other, "192.0.2.1", "EU-DE");
    steer_geo_unref(other);
    steer_geo_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_network_of_a_file_has_its_place),
        cmocka_unit_test(what_a_file_does_not_say_is_unknown),
        cmocka_unit_test(no_files_mean_that_nothing_is_known),
        cmocka_unit_test(a_later_file_fills_in_what_is_unknown),
        cmocka_unit_test(a_table_as_text_goes_before_what_comes_after_it),
        cmocka_unit_test(a_wrong_line_of_a_table_is_named),
        cmocka_unit_test(only_locations_in_use_are_kept),
        cmocka_unit_test(keys_can_be_named),
        cmocka_unit_test(bad_keys_and_paths_are_refused),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(broken_trees_are_refused),
        cmocka_unit_test(a_tree_of_shared_branches_is_refused),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(a_file_that_says_nothing_known_is_refused),
        cmocka_unit_test(a_reference_keeps_it_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
