// What every row of the Go peer shares: the command line, the two clocks, the resident set, and the one JSON line.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	peer, row string
	scale     = 1.0
	begunWall time.Time
	begunCPU  int64
	wall, cpu int64
)

// CPU time of the process, user and system, in nanoseconds.
func processCPU() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail("getrusage: %v", err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func clockStart() {
	begunCPU = processCPU()
	begunWall = time.Now()
}

func clockStop() {
	wall = int64(time.Since(begunWall))
	cpu = processCPU() - begunCPU
}

// A work count times the scale of the command line, at least 1.
func scaled(count int) int {
	if value := int(float64(count) * scale); value > 1 {
		return value
	}
	return 1
}

// A peer that did not do its work has no figures.
func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, peer+" "+row+": "+format+"\n", arguments...)
	os.Exit(1)
}

func expect(counted, expected int, what string) {
	if counted != expected {
		fail("counted %d %s, expected %d", counted, what, expected)
	}
}

// Prints the result: extra holds more JSON members, each with a comma in front.
func report(operations int, extra string) {
	// Not getrusage's peak, which goes back to before exec and so counts the driver's memory.
	peak := statusBytes("VmHWM:")
	fmt.Printf(`{"peer":%q,"row":%q,"operations":%d,"nanoseconds":%d,"cpuNanoseconds":%d,"peakRSSBytes":%d%s}`+"\n",
		peer, row, operations, wall, cpu, peak, extra)
}

func reportHandovers(handovers, acquisitions int) {
	if handovers < acquisitions/2 {
		fail("the lock changed hands %d times in %d acquisitions", handovers, acquisitions)
	}
	report(handovers, fmt.Sprintf(`,"acquisitions":%d`, acquisitions))
}

func reportOvershoot(late []int) {
	sort.Ints(late)
	report(len(late), fmt.Sprintf(`,"p50Nanoseconds":%d,"p99Nanoseconds":%d`, late[len(late)/2], late[len(late)*99/100]))
}

// A field of /proc/self/status, in bytes.
func statusBytes(field string) int {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		fail("%v", err)
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == field {
			kilobytes, err := strconv.Atoi(words[1])
			if err != nil {
				fail("%s is %q", field, words[1])
			}
			return kilobytes * 1024
		}
	}
	fail("/proc/self/status has no %s", field)
	return 0
}

type parkedMemory struct{ units, rss, pageTables int }

func parkedNow(units int) parkedMemory {
	return parkedMemory{units, statusBytes("VmRSS:"), statusBytes("VmPTE:")}
}

// Memory per parked unit: the slope between two counts of units, so that what the process has anyway drops out.
func reportParked(few, many parkedMemory) {
	added := float64(many.units - few.units)
	report(many.units, fmt.Sprintf(`,"units":%d,"bytesPerUnit":%.1f,"pageTableBytesPerUnit":%.1f`, many.units,
		float64(many.rss-few.rss)/added, float64(many.pageTables-few.pageTables)/added))
}

// SplitMix64 (Steele, Lea, Flood 2014), so that all peers draw the same deadlines.
type generator uint64

func (g *generator) next() uint64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
