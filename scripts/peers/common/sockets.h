// The listening end of the echo rows, for peers without a socket library of their own.
#ifndef PEERS_SOCKETS_H
#define PEERS_SOCKETS_H

#include "measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { echo_message = 64 };

// Listens on a free port of the loopback interface and tells the driver which: the first line on standard output.
static inline int echo_listen(void) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    fail("cannot listen on loopback");
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static inline void echo_no_delay(int connection) {
  int on = 1;
  if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("cannot set TCP_NODELAY");
}

#endif
