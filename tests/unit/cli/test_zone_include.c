// SPDX-License-Identifier: GPL-3.0-or-later
// links: rr
// $INCLUDE taken out of master files: the text that is sent, where its lines come from, what is refused.
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

#include "cli/cli_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/zonefile.h"
#include "steerd/rr/zonewriter.h"

#define TEXT_MAX ((size_t)1 << 20)

// ---- the text, with files from a table

struct memory_file {
    const char *name, *text;
};

static const struct memory_file files[] = {
    {"hosts", "h A 192.0.2.7\n"},
    {"no-end", "h A 192.0.2.7"},
    {"empty", ""},
    {"comment", "; only this"},
    {"marked", "\xef\xbb\xbfh A 192.0.2.7\r\n"},
    {"ttl", "$TTL 7\nh A 192.0.2.7\n"},
    {"origin", "$ORIGIN inner.test.\nh A 192.0.2.7\n"},
    {"nested", "n A 192.0.2.8\n$INCLUDE hosts deep.test.\n A 192.0.2.9\n"},
    {"both", "$TTL 7\n$ORIGIN inner.test.\n$INCLUDE nested\n"},
    {"blank", " A 192.0.2.9\n"},
    {"loop", "\n$INCLUDE loop2\n"},
    {"loop2", "$INCLUDE loop\n"},
    {"self", "a A 192.0.2.1\n$INCLUDE top\n"},
    {"open", "a A 192.0.2.1\nb MX ( 10\n c\n"},
    {"bad", "a A 192.0.2.1\n$INCLUDE\n"},
    {"d1", "$INCLUDE d2\n"},
    {"d2", "$INCLUDE d3\n"},
    {"d3", "$INCLUDE d4\n"},
    {"d4", "$INCLUDE d5\n"},
    {"d5", "$INCLUDE d6\n"},
    {"d6", "$INCLUDE d7\n"},
    {"d7", "$INCLUDE d8\n"},
    {"d8", "$INCLUDE d9\n"},
    {"d9", "h A 192.0.2.7\n"},
    {"sp ace;x", "h A 192.0.2.7\n"},
};

static void set_file(struct cli_zone_file *file, const char *name, const char *text)
{
    file->shown = steer_strdup(name);
    file->real = steer_strdup(name);
    steer_buf_puts(&file->text, text);
}

static enum steer_err read_memory(void *ctx, const char *including, const char *name,
                                  struct cli_zone_file *file, struct steer_diag *diag)
{
    (void)ctx;
    (void)including;
    for (size_t i = 0; i < STEER_ARRAY_LEN(files); i++)
        if (strcmp(files[i].name, name) == 0) {
            set_file(file, name, files[i].text);
            return STEER_OK;
        }
    if (strcmp(name, "top") == 0) {
        set_file(file, name, "");
        return STEER_OK;
    }
    return steer_diag_set(diag, STEER_EIO, "no file %s", name);
}

static enum steer_err expand(const char *text, const char *origin, size_t max_bytes,
                             struct cli_zone_text *out, struct steer_diag *diag)
{
    const struct cli_zone_reader reader = {read_memory, NULL, max_bytes, false};
    struct cli_zone_file top = {0};
    set_file(&top, "top", text);
    return cli_zone_expand(&top, origin, &reader, out, diag);
}

static void included_files_stand_in_the_place_of_the_directive(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"$INCLUDE hosts\n", "h A 192.0.2.7\n"},
        {"$include\thosts", "h A 192.0.2.7\n"},
        {"$INCLUDE no-end ; a comment\nb A 192.0.2.1", "h A 192.0.2.7\nb A 192.0.2.1\n"},
        {"$INCLUDE empty\n$INCLUDE comment\nb A 192.0.2.1\n", "; only this\nb A 192.0.2.1\n"},
        {"\xef\xbb\xbf$INCLUDE marked\n", "h A 192.0.2.7\r\n"},
        {"$INCLUDE \"hosts\"\n$INCLUDE \"sp ace;x\"\n$INCLUDE sp\\ ace\\059x\n",
         "h A 192.0.2.7\nh A 192.0.2.7\nh A 192.0.2.7\n"},
        {"$INCLUDE ( hosts ; here\n o.test. )\n",
         "$ORIGIN o.test.\nh A 192.0.2.7\n$ORIGIN z.example.\n"},
        // The origin holds for the included file only, and so does what it sets itself.
        {"$INCLUDE hosts o.test.\nb A 192.0.2.1\n",
         "$ORIGIN o.test.\nh A 192.0.2.7\n$ORIGIN z.example.\nb A 192.0.2.1\n"},
        {"$INCLUDE hosts sub\n", "$ORIGIN sub.z.example.\nh A 192.0.2.7\n$ORIGIN z.example.\n"},
        {"$ORIGIN p.test.\n$INCLUDE origin\n",
         "$ORIGIN p.test.\n$ORIGIN inner.test.\nh A 192.0.2.7\n$ORIGIN p.test.\n"},
        {"$origin q\n$INCLUDE origin\n",
         "$origin q\n$ORIGIN inner.test.\nh A 192.0.2.7\n$ORIGIN q.z.example.\n"},
        {"$ORIGIN .\n$INCLUDE origin com\n", "$ORIGIN .\n$ORIGIN com.\n$ORIGIN inner.test.\n"
                                             "h A 192.0.2.7\n$ORIGIN .\n"},
        {"$INCLUDE hosts a\\.\n", "$ORIGIN a\\..z.example.\nh A 192.0.2.7\n$ORIGIN z.example.\n"},
        {"$INCLUDE ttl\n", "$TTL 7\nh A 192.0.2.7\n$TTL 3600\n"},
        {"$TTL 1h30m ; long\n$INCLUDE ttl\n",
         "$TTL 1h30m ; long\n$TTL 7\nh A 192.0.2.7\n$TTL 1h30m\n"},
        {"$TTL 1\n$INCLUDE hosts\n", "$TTL 1\nh A 192.0.2.7\n"},
        // A line that begins with a blank goes on with the owner before the directive.
        {"b A 192.0.2.1\n$INCLUDE hosts\n A 192.0.2.2\n A 192.0.2.3\n",
         "b A 192.0.2.1\nh A 192.0.2.7\nb.z.example.  A 192.0.2.2\n A 192.0.2.3\n"},
        {"@ A 192.0.2.1\n$ORIGIN p.test.\n$INCLUDE hosts\n\n ; c\n(A 192.0.2.2)\n",
         "@ A 192.0.2.1\n$ORIGIN p.test.\nh A 192.0.2.7\n\n ; c\nz.example. (A 192.0.2.2)\n"},
        {"b.\tA 192.0.2.1\n$INCLUDE hosts\nc A 192.0.2.2\n A 192.0.2.3\n",
         "b.\tA 192.0.2.1\nh A 192.0.2.7\nc A 192.0.2.2\n A 192.0.2.3\n"},
        {"a\\;b A 192.0.2.1\n$INCLUDE hosts\n A 192.0.2.2\n",
         "a\\;b A 192.0.2.1\nh A 192.0.2.7\na\\;b.z.example.  A 192.0.2.2\n"},
        {"b\\\n A 192.0.2.1\n$INCLUDE hosts\n A 192.0.2.2\n",
         "b\\\n A 192.0.2.1\nh A 192.0.2.7\nb\\010.z.example.  A 192.0.2.2\n"},
        {"b A 192.0.2.1\n$INCLUDE empty\n A 192.0.2.2\n", "b A 192.0.2.1\n A 192.0.2.2\n"},
        // The included file may begin with the owner before the directive, as in named and NSD.
        {"b A 192.0.2.1\n$INCLUDE blank o.test.\n A 192.0.2.2\n",
         "b A 192.0.2.1\n$ORIGIN o.test.\n A 192.0.2.9\n$ORIGIN z.example.\n A 192.0.2.2\n"},
        {"b A 192.0.2.1\n$INCLUDE hosts\n$INCLUDE blank\n",
         "b A 192.0.2.1\nh A 192.0.2.7\nb.z.example.  A 192.0.2.9\n"},
        {"b A 192.0.2.1\n$INCLUDE nested\n A 192.0.2.2\n",
         "b A 192.0.2.1\nn A 192.0.2.8\n$ORIGIN deep.test.\nh A 192.0.2.7\n$ORIGIN z.example.\n"
         "n.z.example.  A 192.0.2.9\nb.z.example.  A 192.0.2.2\n"},
        {"$INCLUDE both\n",
         "$TTL 7\n$ORIGIN inner.test.\nn A 192.0.2.8\n$ORIGIN deep.test.\nh A 192.0.2.7\n"
         "$ORIGIN inner.test.\nn.inner.test.  A 192.0.2.9\n$ORIGIN z.example.\n$TTL 3600\n"},
        {"$INCLUDE d2\n", "h A 192.0.2.7\n"},
        // What only looks like a directive.
        {"$INCLUDE hosts\nt TXT ( \"\n$INCLUDE x\n\"\n$INCLUDE x\n) ; (\n ; $INCLUDE x\n",
         "h A 192.0.2.7\nt TXT ( \"\n$INCLUDE x\n\"\n$INCLUDE x\n) ; (\n ; $INCLUDE x\n"},
        {"$INCLUDE hosts\nt TXT \"(\" ; \"\nu TXT a\\(b \"\\\"(\"\n$INCLUDE hosts\n",
         "h A 192.0.2.7\nt TXT \"(\" ; \"\nu TXT a\\(b \"\\\"(\"\nh A 192.0.2.7\n"},
        {"$INCLUDE hosts\nc A 192.0.2.2\n $INCLUDE x\n$INCLUDED x\n",
         "h A 192.0.2.7\nc A 192.0.2.2\n $INCLUDE x\n$INCLUDED x\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct steer_diag diag;
        if (expand(rows[i].text, "z.example", TEXT_MAX, &out, &diag) != STEER_OK)
            fail_msg("%s: %s:%u: %s", rows[i].text, diag.file, diag.line, diag.message);
        assert_string_equal(out.text.data ? out.text.data : "", rows[i].expected);
        assert_true(out.span_count > 0 || !out.text.len);
        cli_zone_text_fini(&out);
    }
}

static void a_file_without_includes_is_sent_as_it_is(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "a A 192.0.2.1",
        "\357\273\277a A 192.0.2.1\r\n",
        "; $INCLUDE hosts\n",
        "a TXT ( \"x\n$INCLUDE hosts\n\"\n$INCLUDE hosts\n)\n",
        "a TXT (\n$INCLUDE hosts\n",
        " $INCLUDE hosts\n",
        "$INCLUDEhosts\n",
        "$ORIGIN b.\n$TTL 1\n$GENERATE 1-2 $ A 192.0.2.$\n$",
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct cli_zone_place place;
        struct steer_diag diag;
        assert_int_equal(expand(rows[i], "z.example", TEXT_MAX, &out, &diag), STEER_OK);
        assert_int_equal(out.text.len, strlen(rows[i]));
        assert_memory_equal(out.text.data, rows[i], strlen(rows[i]));
        assert_false(cli_zone_text_place(&out, 1, 1, &place));
        cli_zone_text_fini(&out);
    }
}

static void the_zone_s_name_is_written_as_an_origin(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"z.example", "z.example."},
        {"z.example.", "z.example."},
        {".", "."},
        {"0/25.arpa", "0/25.arpa."},
        {"a\\.b", "a\\.b."},
        {"a\\\\.", "a\\\\."},
        {"x\\.", "x\\.."},
        {"\303\244.b", "\\195\\164.b."},
        {"a b;c", "a\\032b\\059c."},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct steer_diag diag;
        char expected[128];
        assert_int_equal(expand("$INCLUDE hosts o.\n", rows[i][0], TEXT_MAX, &out, &diag),
                         STEER_OK);
        snprintf(expected, sizeof expected, "$ORIGIN o.\nh A 192.0.2.7\n$ORIGIN %s\n", rows[i][1]);
        assert_string_equal(out.text.data, expected);
        cli_zone_text_fini(&out);
    }
}

static void bad_includes_are_refused_at_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *file;
        uint32_t line;
        const char *word;
    } rows[] = {
        {"\n$INCLUDE gone\n", "top", 2, "no file gone"},
        {"$INCLUDE\n", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"$INCLUDE \"\"\n", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"$INCLUDE \"hosts\n\"", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"$INCLUDE hosts \"o.\n", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"$INCLUDE hosts o. more\n", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"$INCLUDE ho\\000sts\n", "top", 1, "$INCLUDE FILE [ORIGIN]"},
        {"a A 192.0.2.1\n$INCLUDE ( hosts\n", "top", 2, "never closed"},
        {"$INCLUDE bad\n", "bad", 2, "$INCLUDE FILE [ORIGIN]"},
        {"\n\n$INCLUDE loop\n", "loop2", 1, "loop"},
        {"$INCLUDE self\n", "self", 2, "$INCLUDE of top in a loop"},
        {"$INCLUDE d1\n", "d8", 1, "more than 8 files deep"},
        {"$INCLUDE open\nx A 192.0.2.1 )\n", "open", 2, "never closed"},
        {"$INCLUDE hosts\n\n A 192.0.2.1\n", "top", 3, "write the owner"},
        {"$INCLUDE hosts\n$INCLUDE blank\n", "blank", 1, "write the owner"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct steer_diag diag;
        if (expand(rows[i].text, "z.example", TEXT_MAX, &out, &diag) == STEER_OK)
            fail_msg("%s was taken", rows[i].text);
        if (strcmp(diag.file, rows[i].file) != 0 || diag.line != rows[i].line ||
            !strstr(diag.message, rows[i].word))
            fail_msg("%s gave %s:%u: %s", rows[i].text, diag.file, diag.line, diag.message);
        cli_zone_text_fini(&out);
    }
}

static void includes_and_what_they_make_have_limits(void **state)
{
    (void)state;
    struct steer_buf text = {0};
    struct cli_zone_text out = {0};
    struct steer_diag diag;
    for (unsigned i = 0; i < 1000; i++)
        steer_buf_puts(&text, "$INCLUDE hosts\n");
    assert_int_equal(expand(text.data, "z", 14000, &out, &diag), STEER_OK);
    assert_int_equal(out.text.len, 14000);
    cli_zone_text_fini(&out);
    assert_int_equal(expand(text.data, "z", 13999, &out, &diag), STEER_ELIMIT);
    assert_int_equal(diag.line, 1);
    assert_string_equal(diag.file, "hosts");
    cli_zone_text_fini(&out);
    steer_buf_puts(&text, "$INCLUDE empty\n");
    assert_int_equal(expand(text.data, "z", TEXT_MAX, &out, &diag), STEER_ELIMIT);
    assert_int_equal(diag.line, 1001);
    assert_non_null(strstr(diag.message, "1000 in all"));
    cli_zone_text_fini(&out);
    steer_buf_fini(&text);
}

// ---- places

static const char placed_text[] =
    "\nb A 192.0.2.1\n$INCLUDE nested ; 3\n A 192.0.2.2\nc MX ( 1\n d )\n";
// 1 "", 2 b, 3 n, 4 $ORIGIN deep.test., 5 h, 6 $ORIGIN z., 7 "n.z.  A", 8 "b.z.  A", 9 and 10 c

static void lines_of_the_text_are_brought_back_to_their_files(void **state)
{
    (void)state;
    static const struct {
        uint32_t line, column;
        struct cli_zone_place place;
    } rows[] = {
        {1, 0, {"top", 1, 0}},    {2, 3, {"top", 2, 3}},    {3, 1, {"nested", 1, 1}},
        {4, 9, {"nested", 2, 0}}, {5, 5, {"hosts", 1, 5}},  {6, 1, {"nested", 2, 0}},
        {7, 9, {"nested", 3, 4}}, {7, 2, {"nested", 3, 1}}, {8, 7, {"top", 4, 2}},
        {8, 0, {"top", 4, 0}},    {9, 6, {"top", 5, 6}},    {10, 2, {"top", 6, 2}},
    };
    struct cli_zone_text out = {0};
    struct steer_diag diag;
    assert_int_equal(expand(placed_text, "z", TEXT_MAX, &out, &diag), STEER_OK);
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_place place;
        assert_true(cli_zone_text_place(&out, rows[i].line, rows[i].column, &place));
        if (strcmp(place.file, rows[i].place.file) != 0 || place.line != rows[i].place.line ||
            place.column != rows[i].place.column)
            fail_msg("%u:%u is %s:%u:%u", rows[i].line, rows[i].column, place.file, place.line,
                     place.column);
    }
    cli_zone_text_fini(&out);
}

static void messages_name_the_files_that_were_included(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{'file':'top','line':5,'column':3,'detail':'m'}",
         "{'file':'hosts','line':1,'column':3,'detail':'m'}"},
        {"{'file':'top','line':4,'column':3,'detail':'m'}",
         "{'file':'nested','line':2,'detail':'m'}"},
        {"{'file':'other','line':5,'detail':'m'}", "{'file':'other','line':5,'detail':'m'}"},
        {"{'file':'top','detail':'m'}", "{'file':'top','detail':'m'}"},
        {"{'file':'top','line':10,'column':1,'detail':'of the record on line 9'}",
         "{'file':'top','line':6,'column':1,'detail':'of the record on line 5'}"},
        {"{'warnings':[{'file':'top','line':7,'column':6,'message':'on line x'},"
         "{'file':'','line':0,'column':0,'message':'more'}]}",
         "{'warnings':[{'file':'nested','line':3,'column':1,'message':'on line x'},"
         "{'file':'','line':0,'column':0,'message':'more'}]}"},
        {"{'rejected':[{'origin':'z','error':'top:5:3: m'},{'origin':'z','error':'top:8: m'},"
         "{'origin':'z','error':'topper:5: m'},{'origin':'z','error':'top: m'}]}",
         "{'rejected':[{'origin':'z','error':'hosts:1:3: m'},{'origin':'z','error':'top:4: m'},"
         "{'origin':'z','error':'topper:5: m'},{'origin':'z','error':'top: m'}]}"},
        {"[]", "[]"},
        {"{'file':1,'line':'x','warnings':[1],'rejected':{}}",
         "{'file':1,'line':'x','warnings':[1],'rejected':{}}"},
    };
    struct cli_zone_text out = {0};
    struct steer_diag diag;
    assert_int_equal(expand(placed_text, "z", TEXT_MAX, &out, &diag), STEER_OK);
    const struct cli_source sources[] = {{.name = "else"}, {.name = "top", .sent = &out}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        json_t *json[2];
        for (size_t k = 0; k < 2; k++) {
            char text[512];
            snprintf(text, sizeof text, "%s", rows[i][k]);
            for (char *c = text; *c; c++)
                *c = *c == '\'' ? '"' : *c;
            json[k] = json_loads(text, 0, NULL);
            assert_non_null(json[k]);
        }
        cli_zone_translate(json[0], sources, 2);
        char *got = json_dumps(json[0], JSON_SORT_KEYS);
        char *expected = json_dumps(json[1], JSON_SORT_KEYS);
        assert_string_equal(got, expected);
        free(got);
        free(expected);
        json_decref(json[0]);
        json_decref(json[1]);
    }
    cli_zone_text_fini(&out);
}

static void names_that_the_server_cut_or_cleaned_are_known_again(void **state)
{
    (void)state;
    struct cli_zone_text out = {0};
    struct steer_diag diag;
    char name[301], cut[256], error[300];
    memset(name, 'n', 300);
    name[0] = '\344'; // not UTF-8
    name[300] = '\0';
    snprintf(cut, sizeof cut, "?%.254s", name + 1);
    snprintf(error, sizeof error, "%s:5:3: m", cut);
    assert_int_equal(expand(placed_text, "z", TEXT_MAX, &out, &diag), STEER_OK);
    const struct cli_source source = {.name = name, .sent = &out};
    json_t *json = json_pack("{s:s, s:i, s:s, s:[{s:s}]}", "file", cut, "line", 5, "detail", "m",
                             "rejected", "error", error);
    cli_zone_translate(json, &source, 1);
    assert_string_equal(cli_member(json, "file"), "hosts");
    assert_string_equal(cli_member(json_array_get(json_object_get(json, "rejected"), 0), "error"),
                        "hosts:1:3: m");
    json_decref(json);
    cli_zone_text_fini(&out);
}

// ---- files in a folder

static void put_file(const char *top, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", top, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// A folder with `in` to include from, and a file beside it that must not be read.
static int make_files(void **state)
{
    static char top[] = "/tmp/steer-include-XXXXXX";
    char path[512];
    memcpy(strrchr(top, '-'), "-XXXXXX", 7);
    if (!mkdtemp(top))
        return -1;
    static const char *const folders[] = {"in", "in/sub", "inner"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", top, folders[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    static const char *const links[][2] = {{"../secret", "in/out"},
                                           {"..", "in/up"},
                                           {"sub/leaf", "in/leaf-link"},
                                           {"gone", "in/dangling"}};
    for (size_t i = 0; i < STEER_ARRAY_LEN(links); i++) {
        snprintf(path, sizeof path, "%s/%s", top, links[i][1]);
        if (symlink(links[i][0], path) != 0)
            return -1;
    }
    snprintf(path, sizeof path, "%s/in/fifo", top);
    if (mkfifo(path, 0600) != 0)
        return -1;
    put_file(top, "secret", "secret A 192.0.2.66\n");
    put_file(top, "inner/secret", "secret A 192.0.2.66\n");
    put_file(top, "in/common", "common A 192.0.2.1\n");
    put_file(top, "in/sub/leaf", "leaf A 192.0.2.2\n");
    put_file(top, "in/sub/beside", "$INCLUDE leaf\n");
    put_file(top, "in/sub/fallback", "$INCLUDE sub/leaf\n$INCLUDE common\n");
    put_file(top, "in/sub/up", "$INCLUDE ../common\n");
    put_file(top, "in/sub/loop", "$INCLUDE ../db\n");
    *state = top;
    return 0;
}

static int remove_files(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return system(command);
}

static enum steer_err load(const char *top, const char *text, struct cli_zone_text *out,
                           struct steer_diag *diag)
{
    char path[512];
    put_file(top, "in/db", text);
    snprintf(path, sizeof path, "%s/in/db", top);
    return cli_zone_load(path, "z", TEXT_MAX, true, out, diag);
}

static void included_files_lie_beside_or_below_the_zone_s_own(void **state)
{
    const char *top = *state;
    char absolute[512];
    snprintf(absolute, sizeof absolute, "$INCLUDE %s/in/common\n", top);
    const char *const rows[][3] = {
        // text, what it gives, the end of the last file's name
        {"$INCLUDE common\n", "common A 192.0.2.1\n", "/in/common"},
        {"$INCLUDE ./sub/leaf\n", "leaf A 192.0.2.2\n", "/in/./sub/leaf"},
        {"$INCLUDE sub/beside\n", "leaf A 192.0.2.2\n", "/in/sub/leaf"},
        {"$INCLUDE sub/fallback\n", "leaf A 192.0.2.2\ncommon A 192.0.2.1\n", "/in/common"},
        {"$INCLUDE sub/up\n", "common A 192.0.2.1\n", "/in/sub/../common"},
        {"$INCLUDE leaf-link\n", "leaf A 192.0.2.2\n", "/in/leaf-link"},
        {absolute, "common A 192.0.2.1\n", "/in/common"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct steer_diag diag;
        if (load(top, rows[i][0], &out, &diag) != STEER_OK)
            fail_msg("%s: %s:%u: %s", rows[i][0], diag.file, diag.line, diag.message);
        assert_string_equal(out.text.data, rows[i][1]);
        const struct cli_zone_file *last = &out.files[out.file_count - 1];
        assert_string_equal(last->shown + strlen(top), rows[i][2]);
        assert_true(last->text.len > 0); // kept for the caret
        cli_zone_text_fini(&out);
    }
}

static void nothing_outside_the_folder_is_read(void **state)
{
    const char *top = *state;
    char absolute[512];
    snprintf(absolute, sizeof absolute, "$INCLUDE %s/secret\n", top);
    const struct {
        const char *text, *file, *word;
    } rows[] = {
        {"$INCLUDE ../secret\n", "/in/db", "outside"},
        {"$INCLUDE sub/../../secret\n", "/in/db", "outside"},
        {"$INCLUDE ../inner/secret\n", "/in/db", "outside"},
        {"$INCLUDE out\n", "/in/db", "outside"},
        {"$INCLUDE up/secret\n", "/in/db", "outside"},
        {"$INCLUDE /dev/null\n", "/in/db", "outside"},
        {absolute, "/in/db", "outside"},
        {"$INCLUDE gone\n", "/in/db", "No such file"},
        {"$INCLUDE dangling\n", "/in/db", "No such file"},
        {"$INCLUDE common/x\n", "/in/db", "Not a directory"},
        {"$INCLUDE sub\n", "/in/db", "regular file"},
        {"$INCLUDE fifo\n", "/in/db", "regular file"},
        {"$INCLUDE sub/loop\n", "/in/sub/loop", "loop"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct cli_zone_text out = {0};
        struct steer_diag diag;
        if (load(top, rows[i].text, &out, &diag) == STEER_OK)
            fail_msg("%s was read", rows[i].text);
        if (strcmp(diag.file + strlen(top), rows[i].file) != 0 || diag.line != 1 ||
            !strstr(diag.message, rows[i].word))
            fail_msg("%s gave %s:%u: %s", rows[i].text, diag.file, diag.line, diag.message);
        cli_zone_text_fini(&out);
    }
}

// ---- the same records as the reader that follows includes itself

enum { RUNS = 400, FILES = 6 };

static const char *const names[FILES] = {"f0", "sub/f1", "f2", "sub/f3", "f4", "sub/f5"};

static unsigned draw(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % n;
}

static void add_record(struct steer_buf *text, unsigned *seed, bool *has_owner)
{
    static const char *const owners[] = {"a", "B.c", "@", "x.other.test.", "*.w", "q\\;\\\"r"};
    static const char *const rdata[] = {
        "A 192.0.2.1",
        "60 IN MX ( 10 ; (\n m )",
        "TXT \"$INCLUDE f5\" ; $INCLUDE f5",
        "TXT ( \"(\n$INCLUDE f5\n\"\n\"x\" ; \"\n )",
        "NS ns\t",
        "IN 1h TXT a\\\"b\\; ; end",
    };
    if (*has_owner && draw(seed, 3) == 0)
        steer_buf_puts(text, draw(seed, 2) ? "\t" : "  ");
    else
        steer_buf_printf(text, "%s ", owners[draw(seed, STEER_ARRAY_LEN(owners))]);
    steer_buf_puts(text, rdata[draw(seed, STEER_ARRAY_LEN(rdata))]);
    *has_owner = true;
}

// Includes only files after it, so that there is no loop.
static char *make_text(unsigned *seed, unsigned index, const char *end_of_line)
{
    static const char *const origins[] = {"o1.test.", "O2.o1.test.", ".", "\\046x.test."};
    struct steer_buf text = {0};
    bool has_owner = false;
    unsigned lines = draw(seed, 8);
    for (unsigned i = 0; i < lines; i++) {
        unsigned what = draw(seed, 12);
        if (what < 6)
            add_record(&text, seed, &has_owner);
        else if (what == 6)
            steer_buf_printf(&text, "$ORIGIN %s", origins[draw(seed, 4)]);
        else if (what == 7)
            steer_buf_printf(&text, "$ttl %u ; s", draw(seed, 5000));
        else if (what == 8)
            steer_buf_puts(&text, draw(seed, 2) ? "" : " \t; $INCLUDE (");
        else if (index + 1 < FILES)
            steer_buf_printf(&text, "$INCLUDE \"%s\" %s",
                             names[index + 1 + draw(seed, FILES - index - 1)],
                             draw(seed, 2) ? origins[draw(seed, 4)] : "");
        if (i + 1 < lines || draw(seed, 2))
            steer_buf_puts(&text, end_of_line);
    }
    return steer_buf_take(&text);
}

struct records {
    struct steer_buf text;
    unsigned count;
    const struct cli_zone_text *map;
};

static int add(void *ctx, const struct steer_rr *rr)
{
    struct records *records = ctx;
    struct cli_zone_place place = {rr->file, rr->line, rr->column};
    if (records->map)
        assert_true(cli_zone_text_place(records->map, rr->line, rr->column, &place));
    steer_buf_printf(&records->text, "%s:%u: ", place.file, place.line);
    steer_rr_format(rr->owner, rr->ttl, rr->class, rr->type, rr->rdata, rr->rdata_len,
                    &records->text);
    records->count++;
    return 0;
}

// False: the reader refuses it.
static bool compare(const char *dir, const char *top_path, const char *top_text, unsigned *count)
{
    const struct steer_name origin = {3, 1, "\1z"};
    const struct steer_zonefile_options opts = {dir};
    struct records whole = {0}, sent = {0};
    struct steer_diag diag;
    struct cli_zone_text out = {0};
    bool good = steer_zonefile_read(top_text, strlen(top_text), top_path, &origin, 3600, &opts, add,
                                    &whole, &diag) == STEER_OK;
    if (good) {
        if (cli_zone_load(top_path, "z", TEXT_MAX, false, &out, &diag) != STEER_OK)
            fail_msg("%s: %s:%u: %s", top_text, diag.file, diag.line, diag.message);
        sent.map = out.span_count ? &out : NULL;
        if (steer_zonefile_read(out.text.data, out.text.len, top_path, &origin, 3600, NULL, add,
                                &sent, &diag) != STEER_OK)
            fail_msg("%s: line %u: %s", out.text.data, diag.line, diag.message);
        assert_string_equal(sent.text.data ? sent.text.data : "",
                            whole.text.data ? whole.text.data : "");
    }
    *count += out.file_count ? sent.count : 0;
    cli_zone_text_fini(&out);
    steer_buf_fini(&whole.text);
    steer_buf_fini(&sent.text);
    return good;
}

static void the_text_has_the_records_and_places_of_its_files(void **state)
{
    const char *top = *state;
    char dir[256], path[512];
    unsigned seed = 1, good = 0, count = 0;
    snprintf(dir, sizeof dir, "%s/in", top);
    snprintf(path, sizeof path, "%s/f0", dir);
    for (unsigned run = 0; run < RUNS; run++) {
        char *texts[FILES];
        for (unsigned i = 0; i < FILES; i++) {
            char name[32];
            snprintf(name, sizeof name, "in/%s", names[i]);
            texts[i] = make_text(&seed, i, draw(&seed, 4) ? "\n" : "\r\n");
            put_file(top, name, texts[i]);
        }
        good += compare(dir, path, texts[0], &count);
        for (unsigned i = 0; i < FILES; i++)
            free(texts[i]);
    }
    assert_true(good > RUNS / 2);
    assert_true(count > RUNS); // records of files with includes
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(included_files_stand_in_the_place_of_the_directive),
        cmocka_unit_test(a_file_without_includes_is_sent_as_it_is),
        cmocka_unit_test(the_zone_s_name_is_written_as_an_origin),
        cmocka_unit_test(bad_includes_are_refused_at_their_place),
        cmocka_unit_test(includes_and_what_they_make_have_limits),
        cmocka_unit_test(lines_of_the_text_are_brought_back_to_their_files),
        cmocka_unit_test(messages_name_the_files_that_were_included),
        cmocka_unit_test(names_that_the_server_cut_or_cleaned_are_known_again),
        cmocka_unit_test_setup_teardown(included_files_lie_beside_or_below_the_zone_s_own,
                                        make_files, remove_files),
        cmocka_unit_test_setup_teardown(nothing_outside_the_folder_is_read, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(the_text_has_the_records_and_places_of_its_files,
                                        make_files, remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
