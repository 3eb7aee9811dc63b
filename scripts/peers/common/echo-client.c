// The client of the echo rows, the same for every peer: `echo-client PORT CONNECTIONS ROUND-TRIPS SERVER-PID`.
//
// Keeps one 64-byte message under way on each connection, checks every byte that comes back, and spins (a poll that
// never sleeps), so that the server's send never pays for waking this side. Wall time and the server's CPU time, read
// from its process clock at the edges, cover the window between the warm-up (a tenth of the round trips) and the last.
#define _GNU_SOURCE
#include "sockets.h"

#include <errno.h>
#include <sys/epoll.h>

struct connection {
  int fd;
  unsigned received;
  uint64_t sent, done; // round trips begun and completed
  uint8_t message[echo_message];
};

static int poller;

static void send_next(struct connection *connection) {
  for (unsigned i = 0; i < echo_message; i++)
    connection->message[i] = (uint8_t)(connection->sent * 31 + i + (uint64_t)connection->fd);
  connection->sent++;
  // 64 bytes always fit into the send buffer of a connection with nothing under way.
  if (send(connection->fd, connection->message, echo_message, MSG_NOSIGNAL) != echo_message)
    fail("send: %s", strerror(errno));
}

// Returns 1 when a whole message has come back.
static int receive(struct connection *connection) {
  uint8_t buffer[echo_message];
  ssize_t count = recv(connection->fd, buffer, echo_message - connection->received, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (count <= 0) fail("the server closed a connection: %s", count ? strerror(errno) : "end of file");
  if (memcmp(buffer, connection->message + connection->received, (size_t)count) != 0) fail("wrong bytes came back");
  connection->received += (unsigned)count;
  if (connection->received < echo_message) return 0;
  connection->received = 0;
  connection->done++;
  return 1;
}

// Runs until every connection has completed `target` round trips in all.
static void drive(struct connection *connections, uint64_t count, uint64_t target) {
  struct epoll_event events[256];
  uint64_t left = count;
  for (uint64_t i = 0; i < count; i++) send_next(&connections[i]);
  while (left > 0) {
    if (count == 1) {
      if (!receive(&connections[0])) continue;
      if (connections[0].done == target) left = 0;
      else send_next(&connections[0]);
      continue;
    }
    int ready = epoll_wait(poller, events, 256, 0);
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!receive(connection)) continue;
      if (connection->done == target) left--;
      else send_next(connection);
    }
  }
}

int main(int argc, char **argv) {
  measure_peer = "echo-client";
  if (argc != 5) {
    fprintf(stderr, "usage: echo-client PORT CONNECTIONS ROUND-TRIPS SERVER-PID\n");
    return 2;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  uint64_t count = strtoull(argv[2], NULL, 10), trips = strtoull(argv[3], NULL, 10);
  uint64_t each = trips / count > 0 ? trips / count : 1, warm = each / 10 + 1;
  clockid_t server;
  if (count == 0 || clock_getcpuclockid((pid_t)atoi(argv[4]), &server) != 0) fail("no connections, or no such server");

  poller = epoll_create1(EPOLL_CLOEXEC);
  struct connection *connections = calloc(count, sizeof *connections);
  if (poller < 0 || !connections) fail("out of descriptors or memory");
  for (uint64_t i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect: %s", strerror(errno));
    echo_no_delay(fd);
    connections[i].fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
  }
  drive(connections, count, warm);
  uint64_t cpu = clock_ns(server), wall = now_ns();
  drive(connections, count, warm + each);
  wall = now_ns() - wall;
  cpu = clock_ns(server) - cpu;
  printf("{\"operations\":%llu,\"nanoseconds\":%llu,\"cpuNanoseconds\":%llu,\"bytesSent\":%llu}\n",
         (unsigned long long)(count * each), (unsigned long long)wall, (unsigned long long)cpu,
         (unsigned long long)(count * (warm + each) * echo_message));
  fflush(stdout);
  for (uint64_t i = 0; i < count; i++) close(connections[i].fd);
  return 0;
}
