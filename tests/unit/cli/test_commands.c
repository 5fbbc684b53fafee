// SPDX-License-Identifier: GPL-3.0-or-later
// Whole commands against a server that gives prepared answers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli_internal.h"

static struct {
    int listen_fd;
    char folder[64], url[64];
    // The server's side of one exchange.
    unsigned status;
    const char *type, *reply;
    struct steer_buf request;
    pthread_t thread;
    // What the command printed.
    struct steer_buf out, err;
} t;

// Reads up to the end of a body that has a length, or comes in chunks.
static bool request_is_whole(const struct steer_buf *request)
{
    const char *body = request->len ? strstr(request->data, "\r\n\r\n") : NULL;
    if (!body)
        return false;
    body += 4;
    const char *length = strstr(request->data, "Content-Length: ");
    if (length)
        return request->data + request->len - body >= atoi(length + 16);
    if (strstr(request->data, "Transfer-Encoding: chunked"))
        return strncmp(body, "0\r\n\r\n", 5) == 0 || strstr(body, "\r\n0\r\n\r\n");
    return true;
}

static void *serve_one(void *arg)
{
    (void)arg;
    int fd = accept(t.listen_fd, NULL, NULL);
    char part[4096];
    ssize_t n;
    bool continued = false;
    while (!request_is_whole(&t.request) && (n = recv(fd, part, sizeof part, 0)) > 0) {
        steer_buf_add(&t.request, part, (size_t)n);
        if (!continued && strstr(t.request.data, "Expect: 100") &&
            strstr(t.request.data, "\r\n\r\n")) {
            continued = true;
            send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
        }
    }
    struct steer_buf out = {0};
    steer_buf_printf(&out,
                     "HTTP/1.1 %u x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     t.status, t.type, strlen(t.reply), t.reply);
    send(fd, out.data, out.len, MSG_NOSIGNAL);
    steer_buf_fini(&out);
    close(fd);
    return NULL;
}

static void expect(unsigned status, const char *type, const char *reply)
{
    steer_buf_clear(&t.request);
    t.status = status;
    t.type = type;
    t.reply = reply;
    assert_int_equal(pthread_create(&t.thread, NULL, serve_one, NULL), 0);
}

static void redirect(int fd, const char *name, int *saved)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", t.folder, name);
    fflush(NULL);
    *saved = dup(fd);
    assert_non_null(freopen(path, "w", fd == 1 ? stdout : stderr));
}

static void restore(int fd, const char *name, int saved, struct steer_buf *text)
{
    char path[128];
    struct steer_diag diag;
    fflush(NULL);
    dup2(saved, fd);
    close(saved);
    snprintf(path, sizeof path, "%s/%s", t.folder, name);
    steer_buf_clear(text);
    assert_int_equal(steer_buf_read_file(text, path, 1 << 20, &diag), STEER_OK);
    unlink(path);
}

// Runs `steerctl <line>`, words apart by blanks; '_' in a word stands for a blank.
static int run(const char *line)
{
    char words[512], *argv[32], *save = NULL;
    int argc = 0, saved_out, saved_err;
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        for (char *c = w; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        argv[argc++] = w;
    }
    redirect(1, "out", &saved_out);
    redirect(2, "err", &saved_err);
    int status = cli_run(argc, argv);
    restore(1, "out", saved_out, &t.out);
    restore(2, "err", saved_err, &t.err);
    return status;
}

static int run_served(const char *line)
{
    int status = run(line);
    pthread_join(t.thread, NULL);
    return status;
}

static void assert_has(const struct steer_buf *text, const char *part)
{
    if (!strstr(text->data, part))
        fail_msg("no '%s' in:\n%s", part, text->data);
}

static const char *write_file(const char *name, const char *text)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, 128, "%s/%s", t.folder, name);
    FILE *file = fopen(p, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return p;
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    snprintf(t.folder, sizeof t.folder, "/tmp/steer-cli-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    t.listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(t.listen_fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(t.listen_fd, 8), 0);
    getsockname(t.listen_fd, (struct sockaddr *)&sa, &len);
    snprintf(t.url, sizeof t.url, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
    setenv("STEERCTL_URL", t.url, 1);
    setenv("STEERCTL_TOKEN", "secret", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1); // not for loopback
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    steer_buf_fini(&t.request);
    steer_buf_fini(&t.out);
    steer_buf_fini(&t.err);
    close(t.listen_fd);
    snprintf(command, sizeof command, "rm -r %s", t.folder);
    return system(command);
}

static void usage_errors_name_what_would_be_right(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"aply x", "did you mean 'apply'?"},
        {"zone exprt x", "did you mean 'zone export'?"},
        {"zone", "'zone' needs a word more"},
        {"stauts", "did you mean 'status'?"},
        {"status --jsn", "did you mean '--json'?"},
        {"zone import a", "expected ORIGIN FILE"},
        {"explain www A", "--client 192.0.2.0/24"},
        {"override set pool eu down", "--reason"},
        {"apply x.yaml", "--yes"},
        {"apply --yes", "at least one document"},
        {"zone delete example.com", "--yes"},
        {"--url", "needs a value"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        assert_int_equal(run(rows[i][0]), CLI_USAGE);
        assert_has(&t.err, rows[i][1]);
    }
}

static void help_and_version_need_no_server(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--help", "Commands"},           {"--version", "steerctl " STEER_VERSION},
        {"zone import --help", "--list"}, {"zone --help", "zone export"},
        {"help apply", "--take-over"},    {"explain -h", "--client"},
    };
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        assert_int_equal(run(rows[i][0]), CLI_OK);
        assert_has(&t.out, rows[i][1]);
    }
}

static void apply_sends_documents_and_prints_what_changed(void **state)
{
    (void)state;
    char line[512];
    snprintf(line, sizeof line, "apply --yes --prune %s", write_file("a.yaml", "zone: x\n"));
    expect(200, "application/json",
           "{\"changed\":true,\"created\":[\"pool eu\"],\"replaced\":[\"site fra\"],\"removed\":[],"
           "\"unchanged\":3,\"warnings\":[{\"file\":\"a.yaml\",\"line\":1,\"column\":7,\"message\":"
           "\"odd\"}],"
           "\"build_ms\":1.5,\"commit_ms\":2}");
    assert_int_equal(run_served(line), CLI_OK);
    assert_has(&t.request, "POST /api/v1/apply HTTP/1.1");
    assert_has(&t.request, "Authorization: Bearer secret");
    assert_has(&t.request, "{\"name\":\"a.yaml\",\"text\":\"zone: x\\n\"}");
    assert_has(&t.request, "\"prune\":true,\"dry_run\":false");
    assert_has(&t.out, "+ created  pool eu\n~ replaced site fra\n= unchanged 3\n");
    assert_has(&t.err, "a.yaml:1:7: odd\n     1 | zone: x\n       |       ^\n");
}

static void a_refused_apply_shows_the_place(void **state)
{
    (void)state;
    char line[512];
    snprintf(line, sizeof line, "apply --yes %s", write_file("a.yaml", "zone: x\npools: y\n"));
    expect(422, "application/problem+json",
           "{\"status\":422,\"detail\":\"pools must be a "
           "map\",\"file\":\"a.yaml\",\"line\":2,\"column\":8}");
    assert_int_equal(run_served(line), CLI_FAILED);
    assert_has(&t.err, "a.yaml:2:8: pools must be a map\n     2 | pools: y\n       |        ^\n");
}

static void a_list_of_zones_loads_in_part(void **state)
{
    (void)state;
    char line[512];
    write_file("a.zone", "@ A 192.0.2.1\n");
    write_file("b.zone", "bad");
    snprintf(line, sizeof line, "zone import --list %s",
             write_file("list", "a.example a.zone\nb.example b.zone\nc.example missing.zone\n"));
    expect(200, "application/json",
           "{\"loaded\":3,\"unchanged\":2,\"rejected\":[{\"origin\":\"b.example\",\"error\":\"b."
           "zone:1: "
           "odd\"}],\"records\":1,\"warnings\":[{\"file\":\"a.zone\",\"line\":1,\"column\":1,"
           "\"message\":\"a.example.: has A and no AAAA\"}],\"ms\":3}");
    assert_int_equal(run_served(line), CLI_PARTLY);
    assert_has(&t.request, "POST /api/v1/zones HTTP/1.1");
    assert_has(&t.request, "Content-Type: application/vnd.steerd.zones");
    assert_has(&t.request, "zone a.example 14 /");
    assert_has(&t.request, "a.zone\n@ A 192.0.2.1\nzone b.example 3 /");
    assert_null(strstr(t.request.data, "c.example"));
    assert_has(&t.err, "rejected: b.example: b.zone:1: odd\n");
    assert_has(&t.err, "rejected: c.example: cannot open ");
    assert_has(&t.err, "warning: a.zone:1:1: a.example.: has A and no AAAA");
    assert_has(&t.out, "zones loaded: 3 (2 unchanged), rejected: 2; records: 1");
}

static void a_zone_goes_in_and_out(void **state)
{
    (void)state;
    char line[512];
    snprintf(line, sizeof line, "zone import . %s", write_file("root.zone", "@ NS a.\n"));
    expect(200, "application/json", "{\"origin\":\".\",\"serial\":7,\"records\":2,\"rrsets\":1}");
    assert_int_equal(run_served(line), CLI_OK);
    assert_has(&t.request, "PUT /api/v1/zones/%2E?file=%2Ftmp");
    assert_has(&t.out, ". loaded: serial 7, 2 records in 1 RRsets");
    const char *out = write_file("out.zone", "old");
    snprintf(line, sizeof line, "zone export example.com -o %s", out);
    expect(200, "text/dns", "new\n");
    assert_int_equal(run_served(line), CLI_OK);
    struct steer_buf text = {0};
    struct steer_diag diag;
    assert_int_equal(steer_buf_read_file(&text, out, 100, &diag), STEER_OK);
    assert_string_equal(text.data, "new\n");
    steer_buf_fini(&text);
}

static void status_is_a_table(void **state)
{
    (void)state;
    expect(200, "application/json",
           "{\"steerd\":\"9\",\"uptime_s\":3700,\"version\":4,\"zones\":2,\"classmaps\":3,"
           "\"classes\":7,"
           "\"cells\":9,\"rehearsals\":2,\"table_bytes\":2048,"
           "\"geo\":[{\"file\":\"g.mmdb\",\"type\":\"City\",\"built\":0,\"networks\":9}],"
           "\"endpoints\":[{\"name\":\"fra-1\",\"site\":\"fra\",\"state\":\"down\",\"ipv4\":\"192."
           "0.2.1\","
           "\"ipv6\":null,\"override\":null,\"checks\":[{\"check\":\"web\",\"verdict\":\"down\","
           "\"since\":1767225600,\"reason\":\"status 503\",\"streak\":3}]},"
           "{\"name\":\"x\",\"state\":\"drained\",\"override\":{\"state\":\"drained\",\"reason\":"
           "\"r\",\"owner\":\"o\"}}]}");
    assert_int_equal(run_served("status"), CLI_OK);
    assert_has(&t.out, "steerd 9, up 1h1m, version 4\nzones 2\n"
                       "client tables 3, classes 7, cells 9, memory of these 2.0 KiB\n");
    assert_has(
        &t.out,
        "ENDPOINT  STATE    SITE  ADDRESS    CHECK  VERDICT  SINCE                 STREAK  REASON\n"
        "fra-1     down     fra   192.0.2.1  web    down     2026-01-01T00:00:00Z  3       status "
        "503\n"
        "x         drained                                                                 "
        "override drained: r (o)\n");
    assert_has(&t.out, "g.mmdb");
    assert_has(&t.out, "\n2 overrides are for some clients only; see steerctl override list\n");
}

static void overrides_are_set_and_cleared(void **state)
{
    (void)state;
    expect(200, "application/json", "{}");
    assert_int_equal(run_served("override set pool eu down --reason on_fire --owner ana --for 2h"),
                     CLI_OK);
    assert_has(&t.request, "PUT /api/v1/overrides/pool/eu HTTP/1.1");
    assert_has(
        &t.request,
        "{\"state\":\"down\",\"reason\":\"on fire\",\"owner\":\"ana\",\"expires_in\":\"2h\"}");
    expect(204, "text/plain", "");
    assert_int_equal(run_served("override clear pool eu"), CLI_OK);
    assert_has(&t.request, "DELETE /api/v1/overrides/pool/eu HTTP/1.1");
    expect(200, "application/json",
           "[{\"kind\":\"pool\",\"target\":\"eu\",\"state\":\"down\",\"reason\":\"r\","
           "\"owner\":\"\",\"set\":1767225600,\"expires\":null}]");
    assert_int_equal(run_served("override list"), CLI_OK);
    assert_has(&t.out, "pool  eu      down   r       2026-01-01T00:00:00Z\n");
}

static void overrides_are_for_the_clients_that_are_named(void **state)
{
    (void)state;
    expect(200, "application/json", "{}");
    assert_int_equal(run_served("override set site fra down --reason r --owner o --clients "
                                "203.0.113.0/24,,2001:db8::/48, --clients 192.0.2.0/24"),
                     CLI_OK);
    assert_has(&t.request, "PUT /api/v1/overrides/site/fra HTTP/1.1");
    assert_has(&t.request, "\"clients\":[\"203.0.113.0/24\",\"2001:db8::/48\",\"192.0.2.0/24\"]}");
    assert_has(&t.out, "site fra is forced down for clients in 203.0.113.0/24, 2001:db8::/48, "
                       "192.0.2.0/24\n");
    expect(204, "text/plain", "");
    assert_int_equal(run_served("override clear site fra --clients 203.0.113.0/24,2001:db8::/48"),
                     CLI_OK);
    assert_has(&t.request, "DELETE /api/v1/overrides/site/fra?clients=203.0.113.0%2F24%2C2001%3A"
                           "db8%3A%3A%2F48 HTTP/1.1");
    assert_has(&t.out, "site fra is no longer forced for clients in 203.0.113.0/24, 2001:db8::/48");
    expect(200, "application/json",
           "[{\"kind\":\"site\",\"target\":\"fra\",\"state\":\"down\",\"reason\":\"r\","
           "\"owner\":\"\",\"set\":1767225600,\"expires\":null,"
           "\"clients\":[\"203.0.113.0/24\",\"2001:db8::/48\"]},"
           "{\"kind\":\"pool\",\"target\":\"eu\",\"state\":\"up\",\"reason\":\"r\","
           "\"owner\":\"\",\"set\":1767225600,\"expires\":null,\"clients\":null}]");
    assert_int_equal(run_served("override list"), CLI_OK);
    assert_has(&t.out, "203.0.113.0/24,2001:db8::/48\n");
    assert_has(&t.out, "  all\n");
}

static void the_audit_is_a_table(void **state)
{
    (void)state;
    expect(200, "application/json",
           "[{\"id\":2,\"at\":\"2026-01-01T00:00:00Z\",\"who\":\"ana (127.0.0.1)\","
           "\"action\":\"zone delete\",\"subject\":\"example.com.\",\"detail\":\"\"}]");
    assert_int_equal(run_served("audit --limit 5 --since 2h"), CLI_OK);
    assert_has(&t.request, "GET /api/v1/audit?limit=5&since=2h HTTP/1.1");
    assert_has(&t.out, "2026-01-01T00:00:00Z  ana (127.0.0.1)  zone delete  example.com.");
    expect(200, "application/json", "[]");
    assert_int_equal(run_served("audit --since 2026-01-31"), CLI_OK);
    assert_has(&t.request, "GET /api/v1/audit?since=2026-01-31 HTTP/1.1");
}

static void what_goes_wrong_is_said_in_plain_words(void **state)
{
    (void)state;
    expect(401, "application/problem+json", "{\"detail\":\"x\"}");
    assert_int_equal(run_served("status"), CLI_FAILED);
    assert_has(&t.err, "refuses the token from STEERCTL_TOKEN");
    expect(404, "application/problem+json", "{\"detail\":\"zone x is not here\"}");
    assert_int_equal(run_served("zone export x"), CLI_FAILED);
    assert_has(&t.err, "error: zone x is not here\n");
    expect(404, "application/problem+json", "{\"detail\":\"zone x is not here\"}");
    assert_int_equal(run_served("--json zone export x"), CLI_FAILED);
    assert_has(&t.out, "\"detail\": \"zone x is not here\"");
    expect(200, "text/html", "<html>");
    assert_int_equal(run_served("zone list"), CLI_FAILED);
    assert_has(&t.err, "is it steerd?");
    assert_int_equal(run("--url http://127.0.0.1:1 status"), CLI_FAILED);
    assert_has(&t.err, "cannot reach http://127.0.0.1:1: is steerd running? (--url, STEERCTL_URL)");
    assert_int_equal(run("--url ftp://127.0.0.1 status"), CLI_FAILED);
    assert_has(&t.err, "is not a URL like");
    assert_int_equal(run("--token-file /nonexistent status"), CLI_FAILED);
    assert_has(&t.err, "cannot open /nonexistent");
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(usage_errors_name_what_would_be_right),
        SERVED(help_and_version_need_no_server),
        SERVED(apply_sends_documents_and_prints_what_changed),
        SERVED(a_refused_apply_shows_the_place),
        SERVED(a_list_of_zones_loads_in_part),
        SERVED(a_zone_goes_in_and_out),
        SERVED(status_is_a_table),
        SERVED(overrides_are_set_and_cleared),
        SERVED(overrides_are_for_the_clients_that_are_named),
        SERVED(the_audit_is_a_table),
        SERVED(what_goes_wrong_is_said_in_plain_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
