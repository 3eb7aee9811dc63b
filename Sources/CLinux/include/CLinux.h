// The Linux calls that Swift cannot reach (variadic, macro, or missing from glibc's headers), and the calls whose
// errno must be read on the thread that made them: those return a negative errno instead (a green thread may have
// moved to another thread before it could look at errno).
#ifndef CLINUX_H
#define CLINUX_H

#include "syscalls.h"

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

// CLOCK_MONOTONIC in nanoseconds: one vDSO call.
uint64_t clinux_monotonic_ns(void);
// CPU time of this process, all threads, those that have exited included, in nanoseconds.
uint64_t clinux_process_cpu_ns(void);
// CPU time of the calling thread in nanoseconds.
uint64_t clinux_thread_cpu_ns(void);

// Each returns the call's result, or -errno.
ssize_t clinux_read(int fd, void *buffer, size_t count);
ssize_t clinux_write(int fd, const void *buffer, size_t count);
ssize_t clinux_recv(int fd, void *buffer, size_t count, int flags);
// Never raises SIGPIPE.
ssize_t clinux_send(int fd, const void *buffer, size_t count, int flags);
int clinux_accept(int listener, int nonblocking);
int clinux_close(int fd);

// Loopback TCP. Every socket gets TCP_NODELAY and the congestion control "cubic" where the kernel offers it, so that
// both ends of every connection are alike. Return the descriptor, or -errno.
int clinux_listen_loopback(uint16_t port, int backlog, int nonblocking);
// With nonblocking != 0 the connection may still be under way (poll for writability, then clinux_socket_error).
int clinux_connect_loopback(uint16_t port, int nonblocking);
int clinux_local_port(int fd);
// The pending error of a socket as a positive errno, 0 if none.
int clinux_socket_error(int fd);
int clinux_set_nonblocking(int fd, int nonblocking);

// Waits with nanosecond resolution (epoll_pwait2, Linux 5.11); a negative timeout waits for ever. Returns the count
// of events, or -errno; falls back to milliseconds, rounded up, on older kernels.
int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_ns);
int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data);

// Restricts the calling process to these processors. 0, or -errno.
int clinux_set_affinity(const int *processors, int count);
// Writes up to capacity processors that this process may run on; returns how many there are, or -errno.
int clinux_get_affinity(int *processors, int capacity);
// PR_SET_TIMERSLACK for the calling thread (inherited by threads it creates and across exec).
int clinux_set_timer_slack(unsigned long nanoseconds);
int64_t clinux_get_timer_slack(void);
// PR_SET_PDEATHSIG: the signal this process gets when the thread that created it dies.
int clinux_set_parent_death_signal(int signal);
int clinux_set_thread_name(const char *name);
int clinux_thread_id(void);
// Raises the soft limit of open files to the hard one. Returns the limit then in force, or -errno.
int64_t clinux_raise_file_limit(void);

// futex(2), process-private. Wait returns 0 when woken or when *word != expected, or -errno (-ETIMEDOUT, -EINTR).
int clinux_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns);
int clinux_futex_wake(const uint32_t *word, int count);
// Gives the process-private futexes a table of that many slots, a power of two (PR_FUTEX_HASH, Linux 6.16). The kernel's
// own choice goes by the processors, not by the waiters. 0, or -errno: -EINVAL before 6.16, where one table serves all
// processes.
int clinux_set_futex_slots(unsigned long slots);

// Event loops: one pointer per thread, the loop that runs on it (NULL elsewhere).
void *clinux_loop_slot(void);
void clinux_set_loop_slot(void *value);
int clinux_epoll_create(void);
// A non-blocking eventfd with count 0.
int clinux_eventfd(void);
// A second, non-blocking open file description for what fd refers to, so that O_NONBLOCK is not forced on everybody
// who shares fd. Fails with -ENXIO for sockets.
int clinux_open_again(int fd, int flags);
// 1 for a socket, 0 for anything else, or -errno.
int clinux_is_socket(int fd);

// Watching another process. CPU time of all its threads, those that have exited included, in nanoseconds, or -errno.
int64_t clinux_cpu_ns_of(pid_t process);
// 1 when a child has ended, with its exit code, or the signal that ended it (else 0); 0 while it runs; or -errno.
// The child stays unreaped.
int clinux_exit_status(pid_t child, int *exit_code, int *signal_number);
// Restricts one thread (0: the calling one) to these processors. 0, or -errno.
int clinux_set_affinity_of(pid_t thread, const int *processors, int count);

// A pipe with both ends close-on-exec. 0, or -errno.
int clinux_pipe(int ends[2]);

// Waits until fd is readable or at its end, or for so many nanoseconds. 1, 0 when the time is over, or -errno.
int clinux_wait_readable(int fd, int64_t timeout_ns);

// Stands for a library's call that blocks, as a database query or a name look-up does: it sleeps on the thread that
// called it until so many nanoseconds have passed, knows no event loop, fiber or task, and cannot be interrupted.
// Returns SplitMix64's mix of value, so that an answer shows that the call came back.
uint64_t clinux_block(uint64_t value, uint64_t nanoseconds);

#endif
