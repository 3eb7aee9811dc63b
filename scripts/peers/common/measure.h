// What every C and C++ peer shares: the command line, the two clocks, the resident set, and the one JSON line. No
// concurrency: how a row is done is each peer's own business, and meant to look different in each.
#ifndef PEERS_MEASURE_H
#define PEERS_MEASURE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *measure_peer = "", *measure_row = "";
static double measure_scale = 1;
static struct {
  uint64_t wall, cpu;
} measure_begun, measure_taken;

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// The timed region. CPU time is the whole process's.
static inline void clock_start(void) {
  measure_begun.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  measure_begun.wall = now_ns();
}

static inline void clock_stop(void) {
  measure_taken.wall = now_ns() - measure_begun.wall;
  measure_taken.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - measure_begun.cpu;
}

// A work count times the scale of the command line, at least 1.
static inline uint64_t scaled(uint64_t count) {
  double value = (double)count * measure_scale;
  return value < 1 ? 1 : (uint64_t)value;
}

// A peer that did not do its work has no figures.
__attribute__((format(printf, 1, 2), noreturn)) static inline void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s %s: ", measure_peer, measure_row);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static inline void expect(uint64_t counted, uint64_t expected, const char *what) {
  if (counted != expected)
    fail("counted %llu %s, expected %llu", (unsigned long long)counted, what, (unsigned long long)expected);
}

// A field of /proc/self/status, in bytes: "VmRSS:" or "VmPTE:".
static inline uint64_t status_bytes(const char *field) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  unsigned long long kilobytes = 0;
  if (!status) fail("cannot read /proc/self/status");
  while (fgets(line, sizeof line, status))
    if (strncmp(line, field, strlen(field)) == 0) sscanf(line + strlen(field), "%llu", &kilobytes);
  fclose(status);
  if (kilobytes == 0) fail("/proc/self/status has no %s", field);
  return kilobytes * 1024;
}

// Not getrusage's figure, which goes back to before exec and so counts the driver's memory.
static inline uint64_t peak_rss(void) { return status_bytes("VmHWM:"); }

// Prints the result: `extra` is NULL, or more JSON members, each with a comma in front.
__attribute__((format(printf, 2, 3))) static inline void report(uint64_t operations, const char *extra, ...) {
  va_list arguments;
  va_start(arguments, extra);
  printf("{\"peer\":\"%s\",\"row\":\"%s\",\"operations\":%llu,\"nanoseconds\":%llu,\"cpuNanoseconds\":%llu,"
         "\"peakRSSBytes\":%llu",
         measure_peer, measure_row, (unsigned long long)operations, (unsigned long long)measure_taken.wall,
         (unsigned long long)measure_taken.cpu, (unsigned long long)peak_rss());
  if (extra) vprintf(extra, arguments);
  puts("}");
  fflush(stdout);
  va_end(arguments);
}

static inline int by_size(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

// The peer that takes turns with another counts how often the lock changed hands. One that let the same unit have it
// again and again did something else than what the row is about.
static inline void report_handovers(uint64_t handovers, uint64_t acquisitions) {
  if (handovers < acquisitions / 2)
    fail("the lock changed hands %llu times in %llu acquisitions", (unsigned long long)handovers,
         (unsigned long long)acquisitions);
  report(handovers, ",\"acquisitions\":%llu", (unsigned long long)acquisitions);
}

// How late a sleep of `nanoseconds` that began at `begun` has ended. One that ended early is an error.
static inline uint64_t slept(uint64_t begun, uint64_t nanoseconds) {
  uint64_t taken = now_ns() - begun;
  if (taken < nanoseconds)
    fail("a sleep of %llu ns took %llu ns", (unsigned long long)nanoseconds, (unsigned long long)taken);
  return taken - nanoseconds;
}

// SplitMix64 (Steele, Lea, Flood 2014), so that all peers draw the same deadlines.
static inline uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

// The largest power of ten that is not above a million times the scale.
static inline uint64_t tree_leaves(void) {
  uint64_t wanted = scaled(1000000), leaves = 10;
  while (leaves * 10 <= wanted) leaves *= 10;
  return leaves;
}

// Median and 99th percentile of how late `count` sleeps ended.
static inline void report_overshoot(uint64_t *late, uint64_t count) {
  qsort(late, count, sizeof *late, by_size);
  report(count, ",\"p50Nanoseconds\":%llu,\"p99Nanoseconds\":%llu", (unsigned long long)late[count / 2],
         (unsigned long long)late[count * 99 / 100]);
}

// Memory per parked unit: the slope between two counts of units, so that what the process has anyway drops out.
struct parked_memory {
  uint64_t units, rss, page_tables;
};

static inline struct parked_memory parked_now(uint64_t units) {
  struct parked_memory memory = {units, status_bytes("VmRSS:"), status_bytes("VmPTE:")};
  return memory;
}

static inline void report_parked(struct parked_memory few, struct parked_memory many) {
  double added = (double)(many.units - few.units);
  report(many.units, ",\"units\":%llu,\"bytesPerUnit\":%.1f,\"pageTableBytesPerUnit\":%.1f",
         (unsigned long long)many.units, ((double)many.rss - (double)few.rss) / added,
         ((double)many.page_tables - (double)few.page_tables) / added);
}

struct peer_row {
  const char *name;
  void (*run)(void);
};

// `peer rows` lists what this peer can do; `peer ROW [SCALE]` does it.
static inline int peer_main(int argc, char **argv, const char *peer, const struct peer_row *rows, size_t count) {
  measure_peer = peer;
  if (argc == 2 && strcmp(argv[1], "rows") == 0) {
    for (size_t i = 0; i < count; i++) puts(rows[i].name);
    return 0;
  }
  if (argc == 3) measure_scale = atof(argv[2]);
  if (argc < 2 || argc > 3 || !(measure_scale > 0)) {
    fprintf(stderr, "usage: %s ROW [SCALE > 0], or %s rows\n", argv[0], argv[0]);
    return 2;
  }
  measure_row = argv[1];
  for (size_t i = 0; i < count; i++)
    if (strcmp(rows[i].name, argv[1]) == 0) {
      rows[i].run();
      return 0;
    }
  fprintf(stderr, "%s has no row '%s'; '%s rows' lists those it has\n", peer, argv[1], argv[0]);
  return 2;
}

#endif
