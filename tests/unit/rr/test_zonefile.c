// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steerd/base/buf.h"
#include "steerd/rr/zonefile.h"
#include "steerd/rr/zonewriter.h"

static const struct steer_name origin = {9, 1, "\7example"};

struct seen {
    struct steer_buf text; // "line: record\n" each
    unsigned count;
    unsigned stop_at;
    uint32_t last_line;
};

static int collect(void *ctx, const struct steer_rr *rr)
{
    struct seen *seen = ctx;
    steer_buf_printf(&seen->text, "%u: ", rr->line);
    steer_rr_format(rr->owner, rr->ttl, rr->class, rr->type, rr->rdata, rr->rdata_len, &seen->text);
    seen->last_line = rr->line;
    return ++seen->count == seen->stop_at;
}

static int count(void *ctx, const struct steer_rr *rr)
{
    struct seen *seen = ctx;
    seen->count++;
    seen->last_line = rr->line;
    return 0;
}

// Reads from an exact copy on the heap, so that the address sanitizer sees a read past the end.
static enum steer_err read_text(const char *text, const char *include_dir, struct seen *seen,
                                struct steer_diag *diag)
{
    struct steer_zonefile_options opts = {include_dir};
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    enum steer_err err =
        steer_zonefile_read(copy, len, "db.example", &origin, 300, &opts, collect, seen, diag);
    free(copy);
    return err;
}

static void assert_reads(const char *text, const char *expected)
{
    struct seen seen = {0};
    struct steer_diag diag = {0};
    enum steer_err err = read_text(text, NULL, &seen, &diag);
    if (err != STEER_OK)
        fail_msg("%s: line %u: %s", text, diag.line, diag.message);
    assert_string_equal(seen.text.data ? seen.text.data : "", expected);
    steer_buf_fini(&seen.text);
}

static void good_files_give_their_records_and_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"", ""},
        {"\n\n", ""},
        {"; nothing\n", ""},
        {"a A 192.0.2.1\n", "1: a.example. 300 IN A 192.0.2.1\n"},
        {"a A 192.0.2.1", "1: a.example. 300 IN A 192.0.2.1\n"},
        {"@ A 192.0.2.1 ; with a comment", "1: example. 300 IN A 192.0.2.1\n"},
        {"A.B A 192.0.2.1\n", "1: a.b.example. 300 IN A 192.0.2.1\n"},
        {"a 60 IN A 192.0.2.1\n\n A 192.0.2.2\n",
         "1: a.example. 60 IN A 192.0.2.1\n3: a.example. 300 IN A 192.0.2.2\n"},
        {"$TTL 1h\na A 192.0.2.1\n", "2: a.example. 3600 IN A 192.0.2.1\n"},
        {"$ORIGIN b.test.\na NS C\n", "2: a.b.test. 300 IN NS C.b.test.\n"},
        {"@ SOA ns h (\n 1 ; serial\n 2 3 4\n\n 5 )\n\n; x\na A 192.0.2.1\n",
         "1: example. 300 IN SOA ns.example. h.example. 1 2 3 4 5\n"
         "8: a.example. 300 IN A 192.0.2.1\n"},
        {"a TXT ( \"one\ntwo\" ; x )\n \"three\"\n )\nb A 192.0.2.1\n",
         "1: a.example. 300 IN TXT \"one\\010two\" \"three\"\n5: b.example. 300 IN A 192.0.2.1\n"},
        {"a MX ( 10\n b\n )\nc A 192.0.2.1\n",
         "1: a.example. 300 IN MX 10 b.example.\n4: c.example. 300 IN A 192.0.2.1\n"},
        {"\xef\xbb\xbf$TTL 1h30m\r\na A 192.0.2.1", "2: a.example. 5400 IN A 192.0.2.1\n"},
        {"a A 192.0.2.1\r\nb TXT \"x\"\r\n",
         "1: a.example. 300 IN A 192.0.2.1\n2: b.example. 300 IN TXT \"x\"\n"},
        {"a TYPE65280 \\# 3 0aFf00\nb TYPE1 \\# 4 c0000201\n",
         "1: a.example. 300 IN TYPE65280 \\# 3 0AFF00\n2: b.example. 300 IN A 192.0.2.1\n"},
        {"\\065\\.\\032\\255 A 192.0.2.1\n", "1: a\\.\\032\\255.example. 300 IN A 192.0.2.1\n"},
        {"*.w A 192.0.2.1\n", "1: *.w.example. 300 IN A 192.0.2.1\n"},
        {"a TXT \"semi;colon\" \"quo\\\"te\" back\\\\slash \"( )\"\n",
         "1: a.example. 300 IN TXT \"semi;colon\" \"quo\\\"te\" \"back\\\\slash\" \"( )\"\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++)
        assert_reads(rows[i].text, rows[i].expected);
}

static void bad_files_are_refused_at_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
        uint32_t column; // 0: not checked
        const char *word;
    } rows[] = {
        {"a A 192.0.2.1\nb A 192.0.2\n", 2, 0, "right would be: A 192.0.2.1"},
        {"a A 192.0.2", 1, 0, "IPv4"},
        {"a A 192.0.2.1 x\n", 1, 15, "near 'x'"},
        {"a AAAA 2001:db8::g\n", 1, 18, "AAAA record"},
        {"a BOGUS x\n", 1, 0, "unsupported record type"},
        {"a 1x A 192.0.2.1\n", 1, 0, "unsupported record type"},
        {"a\\9 A 192.0.2.1\n", 1, 0, "invalid number"},
        {"a CH TXT x\n", 1, 0, "the class can only be IN"},
        {"\n\n A 192.0.2.1\n", 3, 0, "there is none"},
        {"a!b A 192.0.2.1\n", 1, 2, "domain name"},
        {"@ SOA ns h (\n 1\n 2 x 4 5 )\n", 3, 0, "SOA record"},
        {"@ SOA ns h ( 1 2 3 4\n5\n\n", 1, 0, "never closed"},
        {"\na MX ( 10\n b\n", 2, 0, "never closed"},
        {"\na TXT ( b\n", 2, 0, "never closed"},
        {"a MX ( 10\n b\nc A 192.0.2.1\n", 3, 0, "closing parenthesis is missing"},
        {"a TXT ( \"one\ntwo\" )\nb A 1\n", 3, 0, "IPv4"},
        {"$TTL x\n", 1, 0, "$TTL 3600"},
        {"$ORIGIN sub\n", 1, 0, "final dot"},
        {"$FOO 1\n", 1, 0, "$TTL, $ORIGIN and $INCLUDE"},
        {"\n$GENERATE 1-9 a$ A 192.0.2.$\n", 2, 1, "$GENERATE is not supported"},
        {"a A 192.0.2.1\n$generate 1-9 a$ A 192.0.2.$\n", 2, 1, "$GENERATE is not supported"},
        {"a A 192.0.2.1\n\n$INCLUDE /etc/passwd\n", 3, 1, "$INCLUDE is refused here"},
        {"$INCLUDE other", 1, 1, "'other'"},
        {"a 2147483648 A 192.0.2.1\n", 1, 0, "TTL"},
        {"a TYPE41 \\# 0\n", 1, 0, "cannot stand in a zone"},
        {"a TYPE255 \\# 0\n", 1, 0, "cannot stand in a zone"},
        {"a A \\# 3 c00002\n", 1, 0, "does not have the form"},
        {"a MX \\# 5 000a016100\nb MX \\# 5 000a01c00c\n", 2, 0, "does not have the form"},
        {"a TYPE65280 \\# 2 00\n", 1, 0, "length"},
        {"a TYPE65280 text\n", 1, 0, "\\# length hex"},
        {"a TXT \"never ends\n", 1, 0, "TXT record"},
        {"a TXT x\\", 1, 0, "TXT record"},
        {"a TXT \\256\n", 1, 0, "8 bits"},
        {"a SVCB 1 . port=8443 port=1\n", 1, 0, "duplicate"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct seen seen = {0};
        struct steer_diag diag = {0};
        assert_int_equal(read_text(rows[i].text, NULL, &seen, &diag), STEER_EINVAL);
        if (!strstr(diag.message, rows[i].word) || diag.line != rows[i].line ||
            (rows[i].column && diag.column != rows[i].column))
            fail_msg("%s\ngave %s:%u:%u: %s", rows[i].text, diag.file, diag.line, diag.column,
                     diag.message);
        assert_string_equal(diag.file, "db.example");
        steer_buf_fini(&seen.text);
    }
}

static void the_callback_can_stop_the_reader(void **state)
{
    (void)state;
    struct seen seen = {.stop_at = 2};
    struct steer_diag diag = {0};
    assert_int_equal(read_text("a A 192.0.2.1\nb A 192.0.2.2\nc A x\n", NULL, &seen, &diag),
                     STEER_ESTOPPED);
    assert_int_equal(seen.count, 2);
    steer_buf_fini(&seen.text);
}

static void an_error_deep_in_a_long_file_has_its_line(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    for (unsigned i = 1; i <= 70000; i++) {
        if (i % 10 == 0)
            steer_buf_puts(&text, "; a comment\n");
        else if (i % 10 == 1 && i > 1)
            steer_buf_puts(&text, "\n");
        else
            steer_buf_printf(&text, "h%u A 192.0.2.%u\n", i, i % 256);
    }
    steer_buf_puts(&text, "bad A 192.0.2.\n");
    struct seen seen = {0};
    struct steer_diag diag = {0};
    assert_int_equal(
        steer_zonefile_read(text.data, text.len, "big", &origin, 300, NULL, count, &seen, &diag),
        STEER_EINVAL);
    assert_int_equal(diag.line, 70001);
    assert_int_equal(seen.count, 70000 - 7000 - 6999);
    assert_int_equal(seen.last_line, 69999);
    steer_buf_fini(&text);
}

static void a_text_record_of_the_largest_size_is_read_and_written(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    steer_buf_puts(&text, "a TXT");
    for (unsigned i = 0; i < 255; i++) {
        steer_buf_puts(&text, " \"");
        for (unsigned j = 0; j < 255; j++)
            steer_buf_puts(&text, j % 2 ? "\\000" : "\\255");
        steer_buf_puts(&text, "\"");
    }
    struct seen seen = {0};
    struct steer_diag diag = {0};
    assert_int_equal(read_text(text.data, NULL, &seen, &diag), STEER_OK);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.text.data, " TXT \"\\255\\000\\255"));
    // One octet more than 65,535 is too much.
    steer_buf_printf(&text, " \"%0255u\"", 1);
    steer_buf_clear(&seen.text);
    assert_int_equal(read_text(text.data, NULL, &seen, &diag), STEER_EINVAL);
    steer_buf_fini(&seen.text);
    steer_buf_fini(&text);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// A folder with `in` to include from, and a file beside it that must not be read.
static int make_files(void **state)
{
    static char top[] = "/tmp/steer-zonefile-XXXXXX";
    char path[512];
    memcpy(strrchr(top, '-'), "-XXXXXX", 7);
    if (!mkdtemp(top))
        return -1;
    snprintf(path, sizeof path, "%s/in", top);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/in/sub", top);
    mkdir(path, 0700);
    put_file(top, "secret", "root A 192.0.2.66\n");
    put_file(top, "in/hosts", "\nx A 192.0.2.7\n$TTL 5\ny A 192.0.2.8");
    put_file(top, "in/sub/nested", "$INCLUDE hosts deep.test.\n");
    put_file(top, "in/bad", "x A 192.0.2.7\n\ny A bad\n");
    put_file(top, "in/loop", "$INCLUDE loop2\n");
    put_file(top, "in/loop2", "\n$INCLUDE loop\n");
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        char text[64];
        snprintf(name, sizeof name, "in/deep%u", i);
        snprintf(text, sizeof text, "$INCLUDE deep%u\n", i + 1);
        put_file(top, name, text);
    }
    snprintf(path, sizeof path, "%s/in/link", top);
    if (symlink("../secret", path) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/in/fifo", top);
    if (mkfifo(path, 0600) != 0)
        return -1;
    *state = top;
    return 0;
}

static int remove_files(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return system(command);
}

static void files_in_the_folder_are_included(void **state)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s/in", (const char *)*state);
    struct seen seen = {0};
    struct steer_diag diag = {0};
    // The included file's $TTL and owner do not come back with it (RFC 1035 5.1).
    enum steer_err err = read_text("$TTL 60\na A 192.0.2.1\n$INCLUDE hosts\n A 192.0.2.2\n"
                                   "$INCLUDE sub/nested sub.test.\nb A 192.0.2.3\n",
                                   dir, &seen, &diag);
    if (err != STEER_OK)
        fail_msg("%s:%u: %s", diag.file, diag.line, diag.message);
    assert_string_equal(seen.text.data, "2: a.example. 60 IN A 192.0.2.1\n"
                                        "2: x.example. 60 IN A 192.0.2.7\n"
                                        "4: y.example. 5 IN A 192.0.2.8\n"
                                        "4: a.example. 60 IN A 192.0.2.2\n"
                                        "2: x.deep.test. 60 IN A 192.0.2.7\n"
                                        "4: y.deep.test. 5 IN A 192.0.2.8\n"
                                        "6: b.example. 60 IN A 192.0.2.3\n");
    steer_buf_fini(&seen.text);
}

static void includes_that_lead_out_or_on_for_ever_are_refused(void **state)
{
    char dir[256];
    char absolute[512];
    snprintf(dir, sizeof dir, "%s/in", (const char *)*state);
    snprintf(absolute, sizeof absolute, "\n$INCLUDE %s/secret\n", (const char *)*state);
    const struct {
        const char *text;
        enum steer_err err;
        const char *file; // the end of its name
        uint32_t line;
        const char *word;
    } rows[] = {
        {"$INCLUDE ../secret\n", STEER_EINVAL, "db.example", 1, "'..' is not allowed"},
        {"\n\n$INCLUDE sub/../hosts\n", STEER_EINVAL, "db.example", 3, "'..' is not allowed"},
        {"$INCLUDE link\n", STEER_EINVAL, "db.example", 1, "outside"},
        {absolute, STEER_EINVAL, "db.example", 2, "outside"},
        {"$INCLUDE sub\n", STEER_EINVAL, "db.example", 1, "regular file"},
        {"$INCLUDE fifo\n", STEER_EINVAL, "db.example", 1, "regular file"},
        {"$INCLUDE missing\n", STEER_EIO, "db.example", 1, "No such file"},
        {"\n$INCLUDE bad\n", STEER_EINVAL, "/in/bad", 3, "A record"},
        {"$INCLUDE loop\n", STEER_EINVAL, "/in/loop2", 2, "loop"},
        {"$INCLUDE deep0\n", STEER_ELIMIT, "/in/deep7", 1, "deep"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct seen seen = {0};
        struct steer_diag diag = {0};
        enum steer_err err = read_text(rows[i].text, dir, &seen, &diag);
        const char *end = strstr(diag.file, rows[i].file);
        if (err != rows[i].err || !end || end[strlen(rows[i].file)] || diag.line != rows[i].line ||
            !strstr(diag.message, rows[i].word))
            fail_msg("%s: %d %s:%u: %s", rows[i].text, (int)err, diag.file, diag.line,
                     diag.message);
        steer_buf_fini(&seen.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_give_their_records_and_lines),
        cmocka_unit_test(bad_files_are_refused_at_their_place),
        cmocka_unit_test(the_callback_can_stop_the_reader),
        cmocka_unit_test(an_error_deep_in_a_long_file_has_its_line),
        cmocka_unit_test(a_text_record_of_the_largest_size_is_read_and_written),
        cmocka_unit_test_setup_teardown(files_in_the_folder_are_included, make_files, remove_files),
        cmocka_unit_test_setup_teardown(includes_that_lead_out_or_on_for_ever_are_refused,
                                        make_files, remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
