// SPDX-License-Identifier: GPL-3.0-or-later
// origin ADDRESS:PORT: what the probes of a benchmark meet. Takes each connection, answers 200 to whatever
// was sent, and closes. Prints the address that it listens on.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "steerd/base/addr.h"

int main(int argc, char **argv)
{
    static const char reply[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    const struct timeval patience = {.tv_usec = 100000};
    struct sockaddr_storage sa;
    socklen_t len;
    char bound[80], request[4096];
    if (argc != 2 || !steer_sockaddr_parse(argv[1], &sa, &len)) {
        fputs("usage: origin ADDRESS:PORT\n", stderr);
        return 2;
    }
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&sa, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        fprintf(stderr, "origin: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    steer_sockaddr_format(&sa, bound, sizeof bound);
    puts(bound);
    fflush(stdout);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (recv(client, request, sizeof request, 0) > 0)
            (void)!send(client, reply, sizeof reply - 1, MSG_NOSIGNAL);
        close(client);
    }
}
