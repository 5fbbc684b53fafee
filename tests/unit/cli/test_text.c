// SPDX-License-Identifier: GPL-3.0-or-later
// What steerctl makes of text: carets, lists of zones, options, the tree of explain.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli_internal.h"

static void a_problem_shows_its_line_with_a_caret(void **state)
{
    (void)state;
    static const struct {
        const char *problem, *text, *expected;
    } rows[] = {
        {"{'detail':'pool eux is not defined','file':'f','line':2,'column':4}", "a\nbcd e\nf",
         "error: dir/f:2:4: pool eux is not defined\n     2 | bcd e\n       |    ^\n"},
        {"{'detail':'m','file':'f','line':1,'column':3}", "\t\303\244xyz\n",
         "error: dir/f:1:3: m\n     1 |  \303\244xyz\n       |   ^\n"},
        {"{'message':'m','file':'f','line':3}", "a\nb\nc", "error: dir/f:3: m\n     3 | c\n"},
        {"{'detail':'m','file':'f','line':9,'column':1}", "a\n", "error: dir/f:9:1: m\n"},
        {"{'detail':'m','file':'other','line':1,'column':1}", "a\n", "error: other:1:1: m\n"},
        {"{'detail':'m'}", "a\n", "error: m\n"},
        {"{'detail':'m','line':1,'column':2}", "a\n", "error: line 1:2: m\n"},
        {"{'detail':'\\u001b[31m','file':'f','line':1,'column':1}", "\033]0;x\r\n",
         "error: dir/f:1:1: ?[31m\n     1 | ?]0;x\n       | ^\n"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        char json[256];
        snprintf(json, sizeof json, "%s", rows[i].problem);
        for (char *c = json; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        json_t *problem = json_loads(json, 0, NULL);
        assert_non_null(problem);
        struct cli_source source = {"f", "dir/f", rows[i].text, NULL};
        struct steer_buf out = {0};
        cli_problem_format(&out, "error", problem, &source, 1, false);
        assert_string_equal(out.data, rows[i].expected);
        steer_buf_fini(&out);
        json_decref(problem);
    }
}

static void a_long_line_is_shown_around_its_place(void **state)
{
    (void)state;
    char text[1001];
    memset(text, 'a', 1000);
    text[1000] = '\0';
    text[499] = 'X';
    json_t *problem =
        json_pack("{s:s, s:s, s:i, s:i}", "detail", "m", "file", "f", "line", 1, "column", 500);
    struct cli_source source = {"f", "f", text, NULL};
    struct steer_buf out = {0};
    cli_problem_format(&out, "error", problem, &source, 1, false);
    const char *line = strstr(out.data, "     1 | ") + 9;
    const char *caret = strchr(line, '\n') + 1 + 9;
    assert_true(strcspn(line, "\n") <= 100);
    assert_int_equal(strchr(line, 'X') - line, strchr(caret, '^') - caret);
    steer_buf_fini(&out);
    json_decref(problem);
}

static void a_list_of_zones_is_read_beside_its_folder(void **state)
{
    (void)state;
    struct cli cli = {0};
    struct cli_zone_list list = {0};
    assert_true(cli_zone_list_parse(&cli,
                                    "# zones\n\n a.example\ta.zone \r\nb.example /abs/b zone\n"
                                    "  # more\nc.example sub/c",
                                    "dir/list", &list));
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].origin, "a.example");
    assert_string_equal(list.items[0].path, "dir/a.zone");
    assert_string_equal(list.items[1].path, "/abs/b zone");
    assert_string_equal(list.items[2].path, "dir/sub/c");
    cli_zone_list_fini(&list);
    assert_true(cli_zone_list_parse(&cli, "a b", "list", &list));
    assert_string_equal(list.items[0].path, "b");
    cli_zone_list_fini(&list);
    assert_false(cli_zone_list_parse(&cli, "a.example\n", "list", &list));
    cli_zone_list_fini(&list);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct cli cli = {.command = "x"};
    const char *output = NULL;
    bool yes = false;
    const struct cli_option options[] = {{"output", 'o', &output, NULL, NULL},
                                         {"yes", 'y', NULL, &yes, NULL}};
    char words[8][16] = {"one", "-o", "file", "--url=u", "-", "--yes", "--", "--two"};
    char *argv[8];
    for (int i = 0; i < 8; i++)
        argv[i] = words[i];
    int argc = 8;
    assert_true(cli_options_read(&cli, options, 2, false, &argc, argv));
    assert_int_equal(argc, 3);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "-");
    assert_string_equal(argv[2], "--two");
    assert_string_equal(output, "file");
    assert_string_equal(cli.url, "u");
    assert_true(yes);
    static const char *const wrong[] = {"--outpt", "--output", "-x", "--yes=1", "-yo"};
    for (size_t i = 0; i < STEER_ARRAY_LEN(wrong); i++) {
        snprintf(words[0], sizeof words[0], "%s", wrong[i]);
        argv[0] = words[0];
        argc = 1;
        assert_false(cli_options_read(&cli, options, 2, false, &argc, argv));
    }
}

static void names_are_encoded_for_paths(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"example.com", "example.com"},
        {".", "%2E"},
        {"..", "%2E%2E"},
        {"0/25.in-addr.arpa", "0%2F25.in-addr.arpa"},
        {"a b%?&#", "a%20b%25%3F%26%23"},
        {"\303\244", "%C3%A4"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        struct steer_buf out = {0};
        cli_encode(&out, rows[i][0]);
        assert_string_equal(out.data, rows[i][1]);
        steer_buf_fini(&out);
    }
}

static const char answer_json[] =
    "{\"name\":\"api.example.com.\",\"type\":\"A\",\"client\":\"192.0.2.0/24\",\"source\":24,"
    "\"zone\":\"example.com.\",\"steered\":true,\"record\":\"api.example.com. "
    "address\",\"kind\":\"address\","
    "\"ttl\":30,\"place\":\"EU-DE\",\"class\":3,\"classes\":7,\"scope\":20,"
    "\"scope_prefix\":\"192.0.0.0/20\",\"version\":12,\"rcode\":\"NOERROR\","
    "\"resolution\":[{\"node\":\"geo\",\"at\":\"records/"
    "api\",\"client\":\"EU-DE\",\"matched\":[\"EU\"],"
    "\"candidates\":[{\"place\":\"EU\",\"to\":\"pool eu\",\"fence\":false},"
    "{\"place\":\"default\",\"to\":\"pool us\",\"fence\":true}]}],"
    "\"decision\":{\"node\":\"geo\",\"candidates\":["
    "{\"for\":\"EU\",\"child\":{\"node\":\"pool\",\"name\":\"eu\",\"policy\":\"near\","
    "\"candidates\":[{\"child\":{\"node\":"
    "\"endpoint\","
    "\"name\":\"fra-1\",\"reason\":\"down: check web: status "
    "503\",\"why\":{\"checks\":[{\"check\":\"web\","
    "\"verdict\":\"down\",\"since\":1767225600,\"reason\":\"status 503\","
    "\"read_as_up\":true}]},\"needs\":\"1 of 2 checks\",\"available\":false},"
    "\"weight\":10,\"chosen\":false,\"reason\":\"down: check web: status 503\"}],"
    "\"reason\":\"nothing in it is available\",\"available\":false},\"chosen\":false,"
    "\"reason\":\"nothing in it is available\"},"
    "{\"child\":{\"node\":\"pool\",\"name\":\"us\",\"available\":true},\"chosen\":true,\"exact\":"
    "\"1/1\"}],"
    "\"available\":true},\"available\":true,"
    "\"answers\":[{\"share\":90.0,\"exact\":\"9/10\",\"ttl\":30,\"records\":[\"192.0.2.1\"],"
    "\"endpoints\":[\"iad-1\"]}]}";

static void explain_is_a_readable_tree(void **state)
{
    (void)state;
    json_t *answer = json_loads(answer_json, 0, NULL);
    assert_non_null(answer);
    struct cli cli = {0};
    struct steer_buf out = {0};
    cli_explain_render(&out, &cli, answer);
    assert_string_equal(out.data,
                        "api.example.com. A for 192.0.2.0/24\n"
                        "zone      example.com.\n"
                        "record    api.example.com. address, TTL 30\n"
                        "place     EU-DE\n"
                        "class     3 of 7\n"
                        "scope     /20: all of 192.0.0.0/20 gets the same\n"
                        "version   12\n"
                        "\nwhat the client decides\n"
                        "geo  at records/api  client EU-DE\n"
                        "|- EU -> pool eu\n"
                        "`- default -> pool us  fence\n"
                        "\nwhat health decides\n"
                        "+ geo\n"
                        "|- - pool eu  policy near  for EU  nothing in it is available\n"
                        "|  `- - endpoint fra-1  weight 10  needs 1 of 2 checks  down: check web: "
                        "status 503\n"
                        "|     `- check web down  since 2026-01-01T00:00:00Z  status 503  read as "
                        "up\n"
                        "`- + pool us  chosen\n"
                        "\nanswers\n"
                        " 90.00%  192.0.2.1  share 9/10  TTL 30  from iad-1\n");
    steer_buf_fini(&out);
    json_decref(answer);
}

static void explain_says_which_answer_a_network_is_given(void **state)
{
    (void)state;
    json_t *answer = json_loads(answer_json, 0, NULL);
    struct cli cli = {0};
    struct steer_buf out = {0};
    json_object_set_new(answer, "draw", json_string("sticky"));
    json_object_set_new(answer, "network", json_string("192.0.2.0/24"));
    json_object_set_new(answer, "slot", json_integer(3128));
    json_object_set_new(answer, "slots", json_integer(4096));
    json_object_set_new(answer, "given", json_integer(0));
    cli_explain_render(&out, &cli, answer);
    assert_non_null(strstr(out.data, "\ndraw      sticky: 192.0.2.0/24 has slot 3128 of 4096\n"));
    assert_non_null(strstr(out.data, "  from iad-1  given to 192.0.2.0/24\n"));
    steer_buf_fini(&out);
    json_decref(answer);
}

static void explain_bears_missing_members(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "[]",
        "{\"steered\":true}",
        "{\"steered\":true,\"decision\":{\"candidates\":[{},1,null]}}",
        "{\"steered\":true,\"answers\":[{}],\"resolution\":[{\"candidates\":[\"EU\",{}]}]}",
        "{\"name\":1,\"static\":[\"300 A 192.0.2.1\"]}",
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        json_t *answer = json_loads(rows[i], 0, NULL);
        struct cli cli = {.utf8 = true, .colour_out = true};
        struct steer_buf out = {0};
        assert_non_null(answer);
        cli_explain_render(&out, &cli, answer);
        assert_true(out.len > 0);
        steer_buf_fini(&out);
        json_decref(answer);
    }
}

static void times_and_sizes_are_for_people(void **state)
{
    (void)state;
    assert_string_equal(cli_span(0.0123), "12.3ms");
    assert_string_equal(cli_span(2), "2.0s");
    assert_string_equal(cli_span(3700), "1h1m");
    assert_string_equal(cli_span(200000), "2d7h");
    assert_string_equal(cli_bytes(512), "512 B");
    assert_string_equal(cli_bytes(1536), "1.5 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_shows_its_line_with_a_caret),
        cmocka_unit_test(a_long_line_is_shown_around_its_place),
        cmocka_unit_test(a_list_of_zones_is_read_beside_its_folder),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(names_are_encoded_for_paths),
        cmocka_unit_test(explain_is_a_readable_tree),
        cmocka_unit_test(explain_says_which_answer_a_network_is_given),
        cmocka_unit_test(explain_bears_missing_members),
        cmocka_unit_test(times_and_sizes_are_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
