// glibc declares accept4, cpu_set_t and friends only for this. Not in the header: it would change the declarations that
// Swift's own Glibc module has already seen.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clinux_monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t clinux_process_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
uint64_t clinux_thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

ssize_t clinux_read(int fd, void *buffer, size_t count) {
  ssize_t n = read(fd, buffer, count);
  return n < 0 ? -errno : n;
}

ssize_t clinux_write(int fd, const void *buffer, size_t count) {
  ssize_t n = write(fd, buffer, count);
  return n < 0 ? -errno : n;
}

ssize_t clinux_recv(int fd, void *buffer, size_t count, int flags) {
  ssize_t n = recv(fd, buffer, count, flags);
  return n < 0 ? -errno : n;
}

ssize_t clinux_send(int fd, const void *buffer, size_t count, int flags) {
  ssize_t n = send(fd, buffer, count, flags | MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

int clinux_close(int fd) { return close(fd) < 0 ? -errno : 0; }

// A failure here leaves the kernel's default, which both ends then share as well.
static void prepare(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
}

int clinux_accept(int listener, int nonblocking) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
  if (fd < 0) return -errno;
  prepare(fd);
  return fd;
}

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int fail(int fd) {
  int error = errno;
  close(fd);
  return -error;
}

int clinux_listen_loopback(uint16_t port, int backlog, int nonblocking) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) return -errno;
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  prepare(fd);
  struct sockaddr_in address = loopback(port);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail(fd);
  if (listen(fd, backlog) < 0) return fail(fd);
  return fd;
}

int clinux_connect_loopback(uint16_t port, int nonblocking) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) return -errno;
  prepare(fd);
  struct sockaddr_in address = loopback(port);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && !(nonblocking && errno == EINPROGRESS))
    return fail(fd);
  return fd;
}

int clinux_local_port(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
  return ntohs(address.sin_port);
}

int clinux_socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

int clinux_set_nonblocking(int fd, int nonblocking) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_ns) {
#ifdef SYS_epoll_pwait2
  static int missing; // written with the same value by whoever finds out: a race is harmless
  if (timeout_ns > 0 && !__atomic_load_n(&missing, __ATOMIC_RELAXED)) {
    struct timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    int n = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, &t, NULL, (size_t)8);
    if (n >= 0) return n;
    if (errno != ENOSYS) return -errno;
    __atomic_store_n(&missing, 1, __ATOMIC_RELAXED);
  }
#endif
  int64_t milliseconds = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
  int n = epoll_wait(epoll, events, capacity, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds);
  return n < 0 ? -errno : n;
}

int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int clinux_set_affinity(const int *processors, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < count; i++) {
    if (processors[i] < 0 || processors[i] >= CPU_SETSIZE) return -EINVAL;
    CPU_SET(processors[i], &set);
  }
  return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

int clinux_get_affinity(int *processors, int capacity) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
  int count = 0;
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set)) {
      if (count < capacity) processors[count] = i;
      count++;
    }
  return count;
}

int clinux_set_timer_slack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0) < 0 ? -errno : 0;
}

int64_t clinux_get_timer_slack(void) {
  long slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  return slack < 0 ? -errno : slack;
}

int clinux_set_parent_death_signal(int signal) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0) < 0 ? -errno : 0;
}

int clinux_set_thread_name(const char *name) {
  return prctl(PR_SET_NAME, name, 0, 0, 0) < 0 ? -errno : 0;
}

int clinux_thread_id(void) { return (int)syscall(SYS_gettid); }

int64_t clinux_raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  return (int64_t)limit.rlim_cur;
}

int clinux_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns) {
  struct timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  long r = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns < 0 ? NULL : &t, NULL, 0);
  if (r == 0 || errno == EAGAIN) return 0;
  return -errno;
}

int clinux_futex_wake(const uint32_t *word, int count) {
  long r = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
  return r < 0 ? -errno : (int)r;
}

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH 78
#define PR_FUTEX_HASH_SET_SLOTS 1
#endif

int clinux_set_futex_slots(unsigned long slots) {
  return prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, slots, 0, 0) < 0 ? -errno : 0;
}

// Event loops -----------------------------------------------------------------------------------------------------

static _Thread_local void *loop_slot;

// Never inlined: an async function may suspend on one thread and go on on another, and an inlined access lets the
// compiler keep the first thread's address.
__attribute__((noinline)) void *clinux_loop_slot(void) {
  void *value = loop_slot;
  __asm__ volatile("" : "+r"(value));
  return value;
}
__attribute__((noinline)) void clinux_set_loop_slot(void *value) { loop_slot = value; }

int clinux_epoll_create(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int clinux_eventfd(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int clinux_open_again(int fd, int flags) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  return again < 0 ? -errno : again;
}

int clinux_is_socket(int fd) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -errno;
  return S_ISSOCK(status.st_mode);
}

// Watching another process ----------------------------------------------------------------------------------------

int64_t clinux_cpu_ns_of(pid_t process) {
  clockid_t clock;
  int error = clock_getcpuclockid(process, &clock);
  if (error != 0) return -error;
  struct timespec t;
  if (clock_gettime(clock, &t) < 0) return -errno;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int clinux_exit_status(pid_t child, int *exit_code, int *signal_number) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return -errno;
  if (info.si_pid == 0) return 0;
  *exit_code = info.si_code == CLD_EXITED ? info.si_status : 0;
  *signal_number = info.si_code == CLD_EXITED ? 0 : info.si_status;
  return 1;
}

int clinux_set_affinity_of(pid_t thread, const int *processors, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < count; i++) {
    if (processors[i] < 0 || processors[i] >= CPU_SETSIZE) return -EINVAL;
    CPU_SET(processors[i], &set);
  }
  return sched_setaffinity(thread, sizeof set, &set) < 0 ? -errno : 0;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int clinux_wait_readable(int fd, int64_t timeout_ns) {
  struct pollfd input = {.fd = fd, .events = POLLIN};
  struct timespec rest = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  int ready = ppoll(&input, 1, &rest, NULL);
  return ready < 0 ? -errno : ready;
}

// A call that blocks ----------------------------------------------------------------------------------------------

uint64_t clinux_block(uint64_t value, uint64_t nanoseconds) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  uint64_t end = (uint64_t)t.tv_nsec + nanoseconds % 1000000000u;
  t.tv_sec += (time_t)(nanoseconds / 1000000000u + end / 1000000000u);
  t.tv_nsec = (long)(end % 1000000000u);
  // Until a moment, not for a time: signals do not lengthen it.
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
  uint64_t z = value + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
