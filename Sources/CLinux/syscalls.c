// Counting from outside: a BPF program by hand, since it has seventeen instructions and libbpf would be a dependency on
// every machine that builds this; and perf events.
//
// Of the ways to count system calls by number this is the cheapest: perf's own event on the tracepoint costs as much for
// a mere total, strace and ptrace stop the process twice a call, and the trace buffer would have to be read.
#define _GNU_SOURCE
#include "syscalls.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int command, union bpf_attr *attributes) {
  return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

// The program -----------------------------------------------------------------------------------------------------

struct program {
  struct bpf_insn code[40];
  int count;
};

// A jump to the program's end, whose place is known when the program is.
enum { TO_END = -1 };

static void emit(struct program *p, int code, int destination, int source, int offset, int32_t immediate) {
  p->code[p->count++] = (struct bpf_insn){
      .code = (uint8_t)code, .dst_reg = (uint8_t)destination, .src_reg = (uint8_t)source, .off = (int16_t)offset,
      .imm = immediate};
}

// A constant of 64 bits takes two instructions.
static void emit_constant(struct program *p, int destination, int kind, uint64_t value) {
  emit(p, BPF_LD | BPF_DW | BPF_IMM, destination, kind, 0, (int32_t)(uint32_t)value);
  emit(p, 0, 0, 0, 0, (int32_t)(value >> 32));
}

static void emit_call(struct program *p, int helper) { emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, helper); }

static void finish(struct program *p) {
  int end = p->count;
  for (int i = 0; i < end; i++)
    if (BPF_CLASS(p->code[i].code) == BPF_JMP && p->code[i].off == TO_END) p->code[i].off = (int16_t)(end - i - 1);
  emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
  emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

// Leaves the current process's id in register 0. Within a PID namespace it has another number than the one that the
// simple helper tells, and that the kernel is asked for by the namespace's file.
static void emit_process(struct program *p) {
  const ino_t initial = 0xEFFFFFFCu; // PROC_PID_INIT_INO: the host's own namespace
  struct stat file;
  if (stat("/proc/self/ns/pid", &file) < 0 || file.st_ino == initial) {
    emit_call(p, BPF_FUNC_get_current_pid_tgid);
    emit(p, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32);
    return;
  }
  emit_constant(p, BPF_REG_1, 0, file.st_dev);
  emit_constant(p, BPF_REG_2, 0, file.st_ino);
  emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_10, 0, 0);
  emit(p, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, -16);
  emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, sizeof(struct bpf_pidns_info));
  emit_call(p, BPF_FUNC_get_ns_current_pid_tgid);
  emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, TO_END, 0); // not of this namespace
  emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_10, -16 + (int)offsetof(struct bpf_pidns_info, tgid), 0);
}

// if (process == ours && number < CLINUX_CALL_NUMBERS) map[number] += 1
static void write_program(struct program *p, pid_t process, int map) {
  enum { FETCH_ADD = 0xC0 }; // BPF_ATOMIC, in older headers BPF_XADD: a thread may be preempted in between
  p->count = 0;
  emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
  emit_process(p);
  emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, TO_END, process);
  emit(p, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_6, 8, 0); // the tracepoint's second argument
  emit(p, BPF_JMP | BPF_JGE | BPF_K, BPF_REG_1, 0, TO_END, CLINUX_CALL_NUMBERS);
  emit(p, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, BPF_REG_1, -4, 0);
  emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
  emit(p, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4);
  emit_constant(p, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)map);
  emit_call(p, BPF_FUNC_map_lookup_elem);
  emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, TO_END, 0);
  emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1);
  emit(p, BPF_STX | FETCH_ADD | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD);
  finish(p);
}

// Counting --------------------------------------------------------------------------------------------------------

// Before Linux 5.11 what BPF allocates counts as locked memory.
static void raise_memory_limit(void) {
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int create_map(void) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_PERCPU_ARRAY; // shared counters would move between the processors at each call
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(uint64_t);
  attributes.max_entries = CLINUX_CALL_NUMBERS;
  int map = (int)bpf(BPF_MAP_CREATE, &attributes);
  if (map >= 0 || errno != EPERM) return map < 0 ? -errno : map;
  raise_memory_limit();
  map = (int)bpf(BPF_MAP_CREATE, &attributes);
  return map < 0 ? -errno : map;
}

static int load_program(pid_t process, int map) {
  struct program program;
  write_program(&program, process, map);
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  attributes.insns = (uintptr_t)program.code;
  attributes.insn_cnt = (uint32_t)program.count;
  attributes.license = (uintptr_t)""; // it calls nothing that asks for one
  int loaded = (int)bpf(BPF_PROG_LOAD, &attributes);
  return loaded < 0 ? -errno : loaded;
}

static int attach(int program) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.raw_tracepoint.name = (uintptr_t)"sys_enter";
  attributes.raw_tracepoint.prog_fd = (uint32_t)program;
  int link = (int)bpf(BPF_RAW_TRACEPOINT_OPEN, &attributes);
  return link < 0 ? -errno : link;
}

int clinux_count_calls(pid_t process, struct clinux_call_counter *counter, const char **step) {
  *step = "making a BPF map";
  int map = create_map();
  if (map < 0) return map;
  *step = "loading a BPF program";
  int program = load_program(process, map);
  int link = program;
  if (program >= 0) {
    *step = "attaching to the tracepoint sys_enter";
    link = attach(program);
    close(program); // the link keeps it
  }
  if (link < 0) {
    close(map);
    return link;
  }
  *counter = (struct clinux_call_counter){.map = map, .link = link};
  return 0;
}

static int look_up(int map, uint32_t number, uint64_t *parts) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uintptr_t)&number;
  attributes.value = (uintptr_t)parts;
  return bpf(BPF_MAP_LOOKUP_ELEM, &attributes) < 0 ? -errno : 0;
}

int clinux_read_calls(const struct clinux_call_counter *counter, uint64_t *counts) {
  // One count for each processor that the host may ever have. The kernel allows 8,192 of them and writes as many as
  // there may be, which is seen by what the first look leaves as it was.
  enum { MOST = 8192 };
  uint64_t parts[MOST];
  memset(parts, 0xFF, sizeof parts);
  int processors = 0;
  for (uint32_t number = 0; number < CLINUX_CALL_NUMBERS; number++) {
    int error = look_up(counter->map, number, parts);
    if (error < 0) return error;
    if (number == 0)
      while (processors < MOST && parts[processors] != UINT64_MAX) processors++;
    counts[number] = 0;
    for (int i = 0; i < processors; i++) counts[number] += parts[i];
  }
  return 0;
}

void clinux_stop_counting_calls(const struct clinux_call_counter *counter) {
  close(counter->link);
  close(counter->map);
}

// Perf events -----------------------------------------------------------------------------------------------------

const uint32_t clinux_hardware_events = PERF_TYPE_HARDWARE, clinux_software_events = PERF_TYPE_SOFTWARE;
const uint64_t clinux_instructions = PERF_COUNT_HW_INSTRUCTIONS, clinux_cycles = PERF_COUNT_HW_CPU_CYCLES,
               clinux_page_faults = PERF_COUNT_SW_PAGE_FAULTS;

int clinux_open_event(pid_t thread, uint32_t type, uint64_t config, int excludes_kernel) {
  struct perf_event_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = type;
  attributes.config = config;
  attributes.inherit = 1;
  attributes.exclude_kernel = excludes_kernel != 0;
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  int event = (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
  return event < 0 ? -errno : event;
}

int clinux_read_event(int event, uint64_t *count) {
  uint64_t values[3]; // count, time enabled, time running
  ssize_t length = read(event, values, sizeof values);
  if (length < 0) return -errno;
  if (length != sizeof values) return -EIO;
  if (values[2] == 0) {
    *count = 0;
    return values[1] == 0 ? 0 : -EAGAIN; // a thread that has not run has no events
  }
  *count = values[2] == values[1]
               ? values[0]
               : (uint64_t)((double)values[0] * ((double)values[1] / (double)values[2]));
  return 0;
}

// Names -----------------------------------------------------------------------------------------------------------

#define NAME(call) [SYS_##call] = #call

// Those that a model may make; the rest shows by its number.
static const char *const names[CLINUX_CALL_NUMBERS] = {
    NAME(read), NAME(write), NAME(readv), NAME(writev), NAME(pread64), NAME(pwrite64), NAME(openat), NAME(close),
    NAME(lseek), NAME(fstat), NAME(newfstatat), NAME(statx), NAME(getdents64), NAME(readlinkat), NAME(faccessat),
    NAME(fcntl), NAME(ioctl), NAME(dup), NAME(dup3), NAME(pipe2), NAME(splice), NAME(sendfile), NAME(fsync),
    NAME(socket), NAME(socketpair), NAME(bind), NAME(listen), NAME(accept), NAME(accept4), NAME(connect),
    NAME(getsockname), NAME(getpeername), NAME(setsockopt), NAME(getsockopt), NAME(shutdown), NAME(sendto),
    NAME(recvfrom), NAME(sendmsg), NAME(recvmsg), NAME(sendmmsg), NAME(recvmmsg),
    NAME(epoll_create1), NAME(epoll_ctl), NAME(epoll_pwait), NAME(ppoll), NAME(pselect6), NAME(eventfd2),
    NAME(signalfd4), NAME(inotify_init1), NAME(inotify_add_watch),
    NAME(timerfd_create), NAME(timerfd_settime), NAME(timerfd_gettime), NAME(timer_create), NAME(timer_settime),
    NAME(timer_delete), NAME(nanosleep), NAME(clock_nanosleep), NAME(clock_gettime), NAME(clock_getres),
    NAME(gettimeofday), NAME(setitimer), NAME(getitimer),
    NAME(futex), NAME(set_robust_list), NAME(get_robust_list), NAME(rseq), NAME(membarrier),
    NAME(mmap), NAME(munmap), NAME(mprotect), NAME(mremap), NAME(madvise), NAME(brk), NAME(mlock), NAME(munlock),
    NAME(msync), NAME(mincore),
    NAME(clone), NAME(clone3), NAME(execve), NAME(exit), NAME(exit_group), NAME(wait4), NAME(waitid),
    NAME(set_tid_address), NAME(gettid), NAME(getpid), NAME(getppid), NAME(getuid), NAME(geteuid), NAME(getgid),
    NAME(getegid), NAME(setpgid), NAME(setsid), NAME(kill), NAME(tkill), NAME(tgkill), NAME(pidfd_open),
    NAME(pidfd_send_signal), NAME(rt_sigaction), NAME(rt_sigprocmask), NAME(rt_sigreturn), NAME(rt_sigtimedwait),
    NAME(rt_sigsuspend), NAME(sigaltstack), NAME(restart_syscall),
    NAME(sched_yield), NAME(sched_setaffinity), NAME(sched_getaffinity), NAME(sched_setscheduler),
    NAME(sched_getparam), NAME(sched_getscheduler), NAME(setpriority), NAME(getpriority), NAME(getcpu),
    NAME(getrusage), NAME(times), NAME(prlimit64), NAME(getrlimit), NAME(setrlimit), NAME(prctl), NAME(sysinfo),
    NAME(uname), NAME(getrandom), NAME(memfd_create), NAME(bpf), NAME(perf_event_open),
    NAME(io_uring_setup), NAME(io_uring_enter), NAME(io_uring_register),
#ifdef SYS_epoll_pwait2
    NAME(epoll_pwait2),
#endif
#ifdef SYS_futex_wake
    NAME(futex_wake), NAME(futex_wait), NAME(futex_requeue),
#endif
#ifdef SYS_futex_waitv
    NAME(futex_waitv),
#endif
#ifdef __x86_64__
    NAME(open), NAME(stat), NAME(lstat), NAME(access), NAME(readlink), NAME(pipe), NAME(dup2), NAME(poll),
    NAME(select), NAME(epoll_create), NAME(epoll_wait), NAME(eventfd), NAME(signalfd), NAME(fork), NAME(vfork),
    NAME(pause), NAME(alarm), NAME(arch_prctl),
#endif
};

const char *clinux_call_name(int number) {
  return number >= 0 && number < CLINUX_CALL_NUMBERS ? names[number] : NULL;
}
