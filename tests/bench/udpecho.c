// SPDX-License-Identifier: GPL-3.0-or-later
// udpecho ADDRESS:PORT: the ceiling of a UDP server on one core. Returns every datagram as it came, with the
// socket calls and options of steerd's workers. Prints the address that it listens on.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "steerd/base/addr.h"

enum { BATCH = 32, DATAGRAM_BYTES = 1536, BUFFER_BYTES = 8 << 20 };

static int open_socket(const char *text)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (!steer_sockaddr_parse(text, &sa, &len)) {
        fprintf(stderr, "udpecho: '%s' is not an address with a port, like 127.0.0.1:5300\n", text);
        exit(2);
    }
    const int one = 1, size = BUFFER_BYTES, omit = IP_PMTUDISC_OMIT;
    int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        (void)!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    (void)!setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (sa.ss_family == AF_INET)
        (void)!setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof omit);
    if (bind(fd, (struct sockaddr *)&sa, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        fprintf(stderr, "udpecho: %s: %s\n", text, strerror(errno));
        exit(1);
    }
    char bound[80];
    steer_sockaddr_format(&sa, bound, sizeof bound);
    puts(bound);
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t data[BATCH][DATAGRAM_BYTES];
    static struct sockaddr_storage peers[BATCH];
    static struct iovec spans[BATCH];
    static struct mmsghdr messages[BATCH];
    int fd = open_socket(argc == 2 ? argv[1] : "");
    for (unsigned i = 0; i < BATCH; i++) {
        spans[i].iov_base = data[i];
        messages[i].msg_hdr =
            (struct msghdr){.msg_name = &peers[i], .msg_iov = &spans[i], .msg_iovlen = 1};
    }
    for (;;) {
        for (unsigned i = 0; i < BATCH; i++) {
            spans[i].iov_len = DATAGRAM_BYTES;
            messages[i].msg_hdr.msg_namelen = sizeof peers[i];
        }
        int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < received; i++)
            spans[i].iov_len = messages[i].msg_len;
        for (int sent = 0; sent < received;) {
            int n = sendmmsg(fd, messages + sent, (unsigned)(received - sent), MSG_DONTWAIT);
            sent += n > 0 ? n : 1;
        }
    }
}
