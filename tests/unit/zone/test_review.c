// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steerd/base/buf.h"
#include "steerd/rr/zonefile.h"
#include "steerd/rr/zonewriter.h"
#include "steerd/zone/review.h"

#define SOA  "@ SOA ns h 1 7200 900 1209600 300\n"
#define HEAD "$TTL 300\n" SOA "@ NS ns\nns A 192.0.2.53\nns AAAA 2001:db8::53\n"

static int take(void *ctx, const struct steer_rr *rr)
{
    return steer_zone_add(ctx, rr->owner, rr->type, rr->ttl, rr->rdata, rr->rdata_len, NULL,
                          NULL) != STEER_OK;
}

static struct steer_zone_edit *build(const char *text)
{
    struct steer_name origin;
    struct steer_diag diag;
    assert_int_equal(steer_name_parse("example.com.", NULL, &origin, NULL), STEER_OK);
    struct steer_zone_edit *edit = steer_zone_build(&origin);
    if (steer_zonefile_read(text, strlen(text), "t", &origin, 300, NULL, take, edit, &diag) ||
        steer_zone_check(edit, &diag))
        fail_msg("%s\n%s", text, diag.message);
    return edit;
}

static void note(void *ctx, const struct steer_finding *f)
{
    char name[STEER_NAME_TEXT_MAX];
    steer_buf_printf(ctx, "%s %u: %s\n", steer_name_format(f->owner, name), f->type, f->what);
}

static struct steer_buf review(const char *text, const struct steer_zone *before)
{
    struct steer_zone_edit *edit = build(text);
    struct steer_buf out = {0};
    steer_buf_puts(&out, "");
    steer_zone_review(steer_zone_edit_view(edit), before, note, &out);
    steer_zone_abort(edit);
    return out;
}

static const struct {
    const char *text;
    const char *finding; // the only one; NULL: there is none
} rows[] = {
    {HEAD, NULL},
    {HEAD "@ NS ns.example.net.\n", NULL},
    {HEAD "@ NS al\nal CNAME ns\n", "example.com. 2: al.example.com. is an alias"},
    {HEAD "@ NS gone\n", "example.com. 2: gone.example.com. does not exist here"},
    {HEAD "@ NS t\nt TXT x\n", "example.com. 2: t.example.com. has no address"},
    {HEAD "@ NS x.w\n*.w AAAA 2001:db8::1\n", NULL},
    {HEAD "@ NS x.w\n*.w TXT x\n", "example.com. 2: x.w.example.com. has no address"},
    {HEAD "sub NS ns.sub\nns.sub AAAA 2001:db8::1\n", NULL},
    {HEAD "sub NS ns.sub\n", "sub.example.com. 2: glue is missing: ns.sub.example.com. lies"},
    {HEAD "sub NS ns.other\nother NS ns.example.net.\n", NULL},
    {HEAD "sub NS sub\n", "sub.example.com. 2: glue is missing"},
    {HEAD "@ NS 192.0.2.1\n", "example.com. 2: 192.0.2.1.example.com. looks like an address"},
    {HEAD "@ NS 192.0.2.1.\n", "example.com. 2: 192.0.2.1. looks like an address"},
    {HEAD "@ NS 1.2.0.192.in-addr.arpa.\n", NULL},
    {HEAD "@ NS n_s.example.net.\n", "example.com. 2: n_s.example.net. is not a host's name"},
    {HEAD "*.w NS ns\n", "*.w.example.com. 2: NS at a wildcard"},
    {HEAD "@ MX 10 ns\n@ MX 20 mx.example.net.\n", NULL},
    {HEAD "@ MX 10 ns\n", "example.com. 15: there is one MX only"},
    {HEAD "@ MX 0 .\n", NULL},
    {HEAD "@ MX 1 al\n@ MX 2 ns\nal CNAME ns\n", "example.com. 15: al.example.com. is an alias"},
    {HEAD "@ MX 1 gone\n@ MX 2 ns\n", "example.com. 15: gone.example.com. does not exist"},
    {HEAD "@ MX 1 192.0.2.1\n@ MX 2 ns\n", "example.com. 15: 192.0.2.1.example.com. looks like"},
    {HEAD "_x MX 1 ns\n_x MX 2 b.example.net.\n", "_x.example.com. 15: this owner is not a host"},
    {HEAD "m MX 1 x.sub\nm MX 2 ns\nsub NS ns\n", NULL},
    {HEAD "m MX 1 x.d\nm MX 2 ns\nd DNAME example.net.\n", NULL},
    {HEAD "_s._tcp SRV 1 2 3 ns\n", NULL},
    {HEAD "_s._tcp SRV 1 2 3 .\n", NULL},
    {HEAD "_s._tcp SRV 1 2 3 al\nal CNAME ns\n", "_s._tcp.example.com. 33: al.example.com. is an"},
    {HEAD "_s._tcp SRV 1 2 3 10.0.0.1.\n", "_s._tcp.example.com. 33: 10.0.0.1. looks like an"},
    {HEAD "a_b AAAA 2001:db8::1\n", "a_b.example.com. 28: this owner is not a host's name"},
    {HEAD "-a AAAA 2001:db8::1\n", "-a.example.com. 28: this owner is not a host's name"},
    {HEAD "*.a AAAA 2001:db8::1\n", NULL},
    {HEAD "w A 192.0.2.1\n", "w.example.com. 1: has A and no AAAA"},
    {HEAD "w A 192.0.2.1\nv A 192.0.2.1\nx A 192.0.2.1\n",
     "v.example.com. 1: has A and no AAAA, and so have 2 other names of the zone"},
    {HEAD "d DNAME example.net.\nx.d TXT x\n", "d.example.com. 39: there are names below this"},
    {HEAD "t TXT \"v=spf1 a mx:x ptr exists:x include:a include:b include:c include:d include:e \" "
          "\"include:f -all\"\n",
     NULL},
    {HEAD "t TXT \"v=spf1 a/24 +mx:x ptr exists:x include:a include:b include:c include:d \" "
          "\"include:e include:f redirect=g\"\n",
     "t.example.com. 16: this SPF record costs 11 look-ups"},
    {HEAD "t TXT \"v=spf1 include:i.example.com mx a include:other.test -all\"\n"
          "i TXT \"v=spf1 a mx ptr a:b a:c redirect=j.example.com\"\nj TXT \"v=spf1 a -all\"\n",
     "t.example.com. 16: this SPF record costs 11 look-ups"},
    {HEAD "t TXT \"v=spf1 include:t.example.com\"\n",
     "t.example.com. 16: this SPF record costs 11 look-ups"}, // a circle has no end
    {HEAD "t TXT \"v=spf1 -all\"\nt TXT \"V=SPF1 ~all\"\n",
     "t.example.com. 16: has several SPF records"},
    {HEAD "t TXT \"v=spf10 -all\"\nt TXT \"v=spf1 ~all\"\n", NULL},
    {"$TTL 300\n" SOA, "example.com. 6: has no NS record"},
    {"$TTL 300\n@ SOA ns h 0 7200 900 1209600 300\n@ NS b.example.net.\n",
     "example.com. 6: the serial is 0"},
    {"$TTL 300\n@ SOA ns h 1 900 900 1209600 300\n@ NS b.example.net.\n",
     "example.com. 6: the SOA's retry"},
    {"$TTL 300\n@ SOA ns h 1 7200 900 8100 300\n@ NS b.example.net.\n",
     "example.com. 6: the SOA's expire"},
    {"$TTL 7200\n@ SOA ns h 1 7200 900 1209600 3601\n@ NS b.example.net.\n",
     "example.com. 6: \"no such name\" is remembered for 3601 seconds"},
    {"$TTL 3600\n@ SOA ns h 1 7200 900 1209600 7200\n@ NS b.example.net.\n", NULL},
};

static void each_finding_is_the_only_one_of_its_zone(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_buf out = review(rows[i].text, NULL);
        const char *want = rows[i].finding ? rows[i].finding : "";
        const char *end = strchr(out.data, '\n');
        if (strncmp(out.data, want, strlen(want)) != 0 || (end && end[1]) ||
            (!rows[i].finding && out.len))
            fail_msg("%s\ngave: %s", rows[i].text, out.data);
        steer_buf_fini(&out);
    }
}

static void what_is_steered_now_has_an_address(void **state)
{
    (void)state;
    struct steer_name lb;
    struct steer_zone_edit *before = build(HEAD);
    assert_int_equal(steer_name_parse("lb.example.com.", NULL, &lb, NULL), STEER_OK);
    assert_int_equal(steer_zone_put_steered(before, lb.octets, STEER_TYPE_ADDRESS, 30, 0, NULL),
                     STEER_OK);
    assert_int_equal(steer_zone_check(before, NULL), STEER_OK);
    struct steer_buf out = review(HEAD "@ NS lb\n", steer_zone_edit_view(before));
    assert_string_equal(out.data, "");
    steer_buf_fini(&out);
    steer_zone_abort(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_finding_is_the_only_one_of_its_zone),
        cmocka_unit_test(what_is_steered_now_has_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
