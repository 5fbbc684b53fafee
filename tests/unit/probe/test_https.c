// SPDX-License-Identifier: GPL-3.0-or-later
// Certificates, against the server of the openssl program (skipped where it is not installed).
#include "support/origin.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "recorder.h"

extern char **environ;

struct server {
    pid_t pid;
    uint16_t port;
    char dir[32], certificate[64], key[64];
};

// With standard streams on /dev/null; -1 when the program cannot be run.
static pid_t spawn(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void wait_until_it_listens(const struct server *server)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(server->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t until_ns = steer_clock_mono_ns() + RECORDER_WAIT_S * STEER_NS_PER_S;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int error = connect(fd, (struct sockaddr *)&in, sizeof in);
        close(fd);
        if (error == 0)
            return;
        if (steer_clock_mono_ns() > until_ns)
            fail_msg("the openssl server does not listen");
        sched_yield();
    }
}

static int start_server(void **state)
{
    static struct server server;
    char accept_at[32];
    int status = -1;
    server = (struct server){.dir = "/tmp/steer-https-XXXXXX"};
    assert_non_null(mkdtemp(server.dir));
    snprintf(server.certificate, sizeof server.certificate, "%s/cert.pem", server.dir);
    snprintf(server.key, sizeof server.key, "%s/key.pem", server.dir);
    const char *const request[] = {"openssl",
                                   "req",
                                   "-x509",
                                   "-newkey",
                                   "ec",
                                   "-pkeyopt",
                                   "ec_paramgen_curve:P-256",
                                   "-nodes",
                                   "-days",
                                   "2",
                                   "-subj",
                                   "/CN=steer.test",
                                   "-addext",
                                   "subjectAltName=DNS:steer.test,IP:127.0.0.1",
                                   "-keyout",
                                   server.key,
                                   "-out",
                                   server.certificate,
                                   NULL};
    *state = &server;
    pid_t pid = spawn(request);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (status != 0)
        return 0; // each test skips itself
    server.port = origin_closed_port();
    snprintf(accept_at, sizeof accept_at, "127.0.0.1:%u", server.port);
    const char *const serve[] = {"openssl", "s_server",         "-quiet", "-www",
                                 "-accept", accept_at,          "-key",   server.key,
                                 "-cert",   server.certificate, NULL};
    server.pid = spawn(serve);
    assert_true(server.pid > 0);
    wait_until_it_listens(&server);
    return 0;
}

static int stop_server(void **state)
{
    struct server *server = *state;
    if (server->pid > 0) {
        kill(server->pid, SIGTERM);
        waitpid(server->pid, NULL, 0);
    }
    unlink(server->certificate);
    unlink(server->key);
    rmdir(server->dir);
    return 0;
}

static const struct row {
    const char *name;
    bool own_ca, verify;
    const char *host;
    bool pass;
    const char *reason; // the start of it
} rows[] = {
    {"unverified", false, false, NULL, true, "status 200 in "},
    {"unverified_other_name", false, false, "other.test", true, "status 200 in "},
    {"unknown_issuer", false, true, "steer.test", false, "certificate: self-signed certificate"},
    {"known_issuer_and_name", true, true, "steer.test", true, "status 200 in "},
    {"known_issuer_and_address", true, true, NULL, true, "status 200 in "},
    {"other_name", true, true, "other.test", false,
     "certificate: no alternative certificate subject name matches target host name 'other.test'"},
};

static void certificates_are_checked_when_asked_for(void **state)
{
    const struct server *server = *state;
    if (server->pid <= 0)
        skip();
    for (size_t i = 0; i < STEER_ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct recorder recorder;
        struct steer_prober *prober =
            recorder_start(&recorder, 0, row->own_ca ? server->certificate : NULL);
        struct steer_probe_target target = loopback_target(1, STEER_PROBE_HTTPS, server->port, "/");
        target.host = row->host;
        target.verify = row->verify;
        steer_prober_put(prober, &target);
        struct record record = recorder_wait(&recorder, 1, 1);
        if (record.passes != row->pass ||
            strncmp(record.reason, row->reason, strlen(row->reason)) != 0)
            fail_msg("%s: '%s'", row->name, record.reason);
        steer_prober_stop(prober);
        recorder_fini(&recorder);
    }
}

static void a_server_that_hangs_in_the_handshake_times_out(void **unused)
{
    (void)unused;
    uint16_t port;
    int listener = origin_listen(AF_INET, &port); // the kernel accepts, nobody answers
    struct recorder recorder;
    struct steer_prober *prober = recorder_start(&recorder, 0, NULL);
    struct steer_probe_target target = loopback_target(1, STEER_PROBE_HTTPS, port, "/");
    target.timeout_ms = 200;
    steer_prober_put(prober, &target);
    assert_string_equal(recorder_wait(&recorder, 1, 1).reason,
                        "timed out after 200 ms in the TLS handshake");
    steer_prober_stop(prober);
    recorder_fini(&recorder);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_checked_when_asked_for),
        cmocka_unit_test(a_server_that_hangs_in_the_handshake_times_out),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
