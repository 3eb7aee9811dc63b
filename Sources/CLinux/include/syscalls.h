// What the kernel can count of a process from outside: its system calls by number, and the processor's own events.
// Everything returns a negative errno where it fails.
#ifndef CLINUX_SYSCALLS_H
#define CLINUX_SYSCALLS_H

#include <stdint.h>
#include <sys/types.h>

// System calls are counted by a program in the kernel (bpf(2)) on the tracepoint that every system call of the host
// passes while it is attached. It needs CAP_BPF and CAP_PERFMON, or root, and Linux 4.17; within a PID namespace 5.7.
struct clinux_call_counter {
  int map;
  int link;
};
// Call numbers beyond are not counted. x86-64 and aarch64 have fewer.
enum { CLINUX_CALL_NUMBERS = 512 };

// Begins to count the calls of one process, all its threads included, from 0. 0, or -errno and in *step what failed.
int clinux_count_calls(pid_t process, struct clinux_call_counter *counter, const char **step);
// Writes how often each number was called so far to counts, which has room for CLINUX_CALL_NUMBERS.
int clinux_read_calls(const struct clinux_call_counter *counter, uint64_t *counts);
void clinux_stop_counting_calls(const struct clinux_call_counter *counter);
// The name of a call on this architecture; NULL for one that was not known when this was written.
const char *clinux_call_name(int number);

// Opens a counter of one event (perf_event_open(2)) of one thread and of all that it starts from now on. The kernel's
// part needs CAP_PERFMON or root where perf_event_paranoid is above 1. Returns a descriptor.
int clinux_open_event(pid_t thread, uint32_t type, uint64_t config, int excludes_kernel);
// The event's count so far, those of threads that have ended included; scaled up by the share of the time in which the
// processor had no counter left for it. -EAGAIN if it never had one.
int clinux_read_event(int event, uint64_t *count);

// Types and configurations of perf_event_open, which are enumerators of a C enum that Swift cannot see through.
extern const uint32_t clinux_hardware_events, clinux_software_events;
extern const uint64_t clinux_instructions, clinux_cycles, clinux_page_faults;

#endif
