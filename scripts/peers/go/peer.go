// Go: goroutines, channels, sync.Mutex, time.AfterFunc. One processor (GOMAXPROCS) unless PEER_WORKERS says more.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func yieldAmong(units int) {
	total := 5000000
	if units > 1000 {
		total = 2000000 // those miss the caches, and take so much longer
	}
	rounds := scaled(total) / units
	if rounds == 0 {
		rounds = 1
	}
	var started, finished, yields int64
	var all sync.WaitGroup
	all.Add(units)
	for i := 0; i < units; i++ {
		go func() {
			defer all.Done()
			if atomic.AddInt64(&started, 1) == int64(units) {
				clockStart()
			}
			for atomic.LoadInt64(&started) < int64(units) {
				runtime.Gosched()
			}
			for round := 0; round < rounds; round++ {
				runtime.Gosched()
			}
			atomic.AddInt64(&yields, int64(rounds))
			if atomic.AddInt64(&finished, 1) == int64(units) {
				clockStop()
			}
		}()
	}
	all.Wait()
	expect(int(yields), units*rounds, "yields")
	report(units*rounds, "")
}

func spawnJoin() {
	count := scaled(1000000)
	warm := count/10 + 1
	ran := 0
	var joined sync.WaitGroup
	for i := 0; i < warm+count; i++ {
		if i == warm {
			clockStart()
		}
		joined.Add(1)
		go func() {
			ran++
			joined.Done()
		}()
		joined.Wait()
	}
	clockStop()
	expect(ran, warm+count, "goroutines run")
	report(count, "")
}

func spawnJoinBatch() {
	const batch = 1000
	batches := scaled(1000)
	warm := batches/10 + 1
	var ran int64
	var joined sync.WaitGroup
	for i := 0; i < warm+batches; i++ {
		if i == warm {
			clockStart()
		}
		joined.Add(batch)
		for j := 0; j < batch; j++ {
			go func() {
				atomic.AddInt64(&ran, 1)
				joined.Done()
			}()
		}
		joined.Wait()
	}
	clockStop()
	expect(int(ran), (warm+batches)*batch, "goroutines run")
	report(batches*batch, "")
}

func roundTrips(capacity int) {
	trips := scaled(1000000)
	warm := trips/10 + 1
	out, back := make(chan int, capacity), make(chan int, capacity)
	go func() {
		for value := range out {
			back <- value + 1
		}
		close(back)
	}()
	sum := 0
	for i := 0; i < warm+trips; i++ {
		if i == warm {
			clockStart()
		}
		out <- i
		sum += <-back - i
	}
	clockStop()
	close(out)
	<-back
	expect(sum, warm+trips, "replies")
	report(trips, "")
}

func mutexRow() {
	each := scaled(1000000)/2 + 1
	var mutex sync.Mutex
	var acquisitions, handovers, owner int // guarded by the mutex
	var all sync.WaitGroup
	contend := func(self int) {
		defer all.Done()
		for i := 0; i < each; i++ {
			mutex.Lock()
			acquisitions++
			if owner != self {
				handovers++
			}
			owner = self
			runtime.Gosched()
			mutex.Unlock()
			runtime.Gosched()
		}
	}
	all.Add(2)
	clockStart()
	go contend(1)
	go contend(2)
	all.Wait()
	clockStop()
	expect(acquisitions, each*2, "acquisitions")
	reportHandovers(handovers, acquisitions)
}

func sleepOvershoot() {
	late := make([]int, scaled(1000))
	clockStart()
	for i := range late {
		begun := time.Now()
		time.Sleep(time.Millisecond)
		late[i] = int(time.Since(begun) - time.Millisecond)
		if late[i] < 0 {
			fail("a sleep of 1 ms ended %d ns early", -late[i])
		}
	}
	clockStop()
	reportOvershoot(late)
}

func timerSleep() {
	const units = 1000
	rounds := scaled(300)
	var sleeps int64
	var all sync.WaitGroup
	all.Add(units)
	clockStart()
	for i := 0; i < units; i++ {
		go func() {
			defer all.Done()
			for round := 0; round < rounds; round++ {
				time.Sleep(time.Millisecond)
			}
			atomic.AddInt64(&sleeps, int64(rounds))
		}()
	}
	all.Wait()
	clockStop()
	expect(int(sleeps), units*rounds, "sleeps")
	report(int(sleeps), "")
}

func timerCancel() {
	outstanding := scaled(1000000)
	timers := make([]*time.Timer, outstanding)
	random := generator(1)
	var fired int64
	arm := func() *time.Timer {
		return time.AfterFunc(time.Hour+time.Duration(random.next()%uint64(time.Hour)), func() { atomic.AddInt64(&fired, 1) })
	}
	for i := range timers {
		timers[i] = arm()
	}
	operations := outstanding * 2
	cancelled := 0
	clockStart()
	for i := 0; i < operations; i++ {
		slot := i % outstanding
		if timers[slot].Stop() {
			cancelled++
		}
		timers[slot] = arm()
	}
	clockStop()
	for _, timer := range timers {
		if timer.Stop() {
			cancelled++
		}
	}
	expect(cancelled, outstanding+operations, "timers cancelled")
	expect(int(fired), 0, "timers fired")
	report(operations, fmt.Sprintf(`,"outstanding":%d`, outstanding))
}

func timerFire() {
	count := scaled(1000000)
	random := generator(1)
	var fired int64
	done := make(chan struct{})
	clockStart()
	for i := 0; i < count; i++ {
		time.AfterFunc(time.Second+time.Duration(random.next()%uint64(time.Second)), func() {
			if atomic.AddInt64(&fired, 1) == int64(count) {
				close(done)
			}
		})
	}
	<-done
	clockStop()
	expect(int(fired), count, "timers fired")
	report(count, fmt.Sprintf(`,"outstanding":%d`, count))
}

// A million goroutines that sleep 1 to 2 seconds, all asleep at once.
func sleepFire() {
	count := scaled(1000000)
	random := generator(1)
	var sleeps int64
	var all sync.WaitGroup
	all.Add(count)
	clockStart()
	for i := 0; i < count; i++ {
		duration := time.Second + time.Duration(random.next()%uint64(time.Second))
		go func() {
			time.Sleep(duration)
			atomic.AddInt64(&sleeps, 1)
			all.Done()
		}()
	}
	all.Wait()
	clockStop()
	expect(int(sleeps), count, "sleeps")
	report(count, fmt.Sprintf(`,"outstanding":%d`, count))
}

// A goroutine that sleeps until it is cancelled through its channel. What context.WithCancel does, for less.
type sleeper struct {
	cancel chan struct{}
	ended  chan struct{}
}

func startSleeper(duration time.Duration, cancelled *int64) sleeper {
	s := sleeper{make(chan struct{}), make(chan struct{})}
	go func() {
		timer := time.NewTimer(duration)
		select {
		case <-timer.C:
		case <-s.cancel:
			timer.Stop()
			atomic.AddInt64(cancelled, 1)
		}
		close(s.ended)
	}()
	return s
}

// A million goroutines asleep; again and again the oldest is cancelled and awaited, and another put in its place.
func sleepCancel() {
	outstanding := scaled(1000000)
	operations := (outstanding + 1) / 2
	random := generator(1)
	var cancelled int64
	start := func() sleeper {
		return startSleeper(time.Hour+time.Duration(random.next()%uint64(time.Hour)), &cancelled)
	}
	sleepers := make([]sleeper, outstanding)
	for i := range sleepers {
		sleepers[i] = start()
	}
	time.Sleep(time.Second) // with one processor they are all asleep before this goroutine goes on
	clockStart()
	for i := 0; i < operations; i++ {
		close(sleepers[i].cancel)
		<-sleepers[i].ended
		sleepers[i] = start()
	}
	clockStop()
	for _, s := range sleepers {
		close(s.cancel)
	}
	for _, s := range sleepers {
		<-s.ended
	}
	expect(int(cancelled), outstanding+operations, "sleeps cancelled")
	report(operations, fmt.Sprintf(`,"outstanding":%d`, outstanding))
}

// Channel round trips in which both sides receive with a timeout, while a million timers are armed. Each side keeps one
// timer and resets it, as the documentation of time.Timer advises.
func timeouts() {
	outstanding := scaled(1000000)
	trips := scaled(500000)
	warm := trips/10 + 1
	random := generator(1)
	armed := make([]*time.Timer, outstanding)
	for i := range armed {
		armed[i] = time.AfterFunc(time.Hour+time.Duration(random.next()%uint64(time.Hour)), func() {})
	}
	out, back := make(chan int, 1), make(chan int, 1)
	receive := func(from <-chan int, timer *time.Timer) (int, bool) {
		timer.Reset(time.Hour)
		select {
		case value, ok := <-from:
			timer.Stop()
			return value, ok
		case <-timer.C:
			fail("a receive timed out")
			return 0, false
		}
	}
	stopped := func() *time.Timer {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return timer
	}
	go func() {
		timer := stopped()
		for {
			value, ok := receive(out, timer)
			if !ok {
				close(back)
				return
			}
			back <- value + 1
		}
	}()
	timer := stopped()
	sum := 0
	for i := 0; i < warm+trips; i++ {
		if i == warm {
			clockStart()
		}
		out <- i
		value, _ := receive(back, timer)
		sum += value - i
	}
	clockStop()
	close(out)
	<-back
	expect(sum, warm+trips, "replies")
	stoppedTimers := 0
	for _, timer := range armed {
		if timer.Stop() {
			stoppedTimers++
		}
	}
	expect(stoppedTimers, outstanding, "timers outstanding")
	report(trips, fmt.Sprintf(`,"outstanding":%d`, outstanding))
}

func leaves(first, size int, sum chan<- int) {
	if size == 1 {
		sum <- first
		return
	}
	children := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go leaves(first+i*(size/10), size/10, children)
	}
	total := 0
	for i := 0; i < 10; i++ {
		total += <-children
	}
	sum <- total
}

func tree() {
	size := 10
	for size*10 <= scaled(1000000) {
		size *= 10
	}
	sum := make(chan int)
	clockStart()
	go leaves(0, size, sum)
	total := <-sum
	clockStop()
	expect(total, size*(size-1)/2, "as the sum of the leaves")
	report(size, "")
}

func parked() {
	many := scaled(1000000)
	if many < 10 {
		many = 10
	}
	var waiting, resumed int64
	release := make(chan struct{})
	var all sync.WaitGroup
	all.Add(many)
	created := 0
	parkUntil := func(count int) parkedMemory {
		for ; created < count; created++ {
			go func() {
				atomic.AddInt64(&waiting, 1)
				<-release
				atomic.AddInt64(&resumed, 1)
				all.Done()
			}()
		}
		for atomic.LoadInt64(&waiting) < int64(count) {
			runtime.Gosched()
		}
		return parkedNow(count)
	}
	clockStart()
	few := parkUntil(many / 10)
	most := parkUntil(many)
	clockStop()
	close(release)
	all.Wait()
	expect(int(resumed), many, "goroutines resumed")
	reportParked(few, most)
}

func echo(connections int) {
	const message = 64
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	var echoed int64
	var all sync.WaitGroup
	all.Add(connections)
	clockStart()
	for i := 0; i < connections; i++ {
		connection, err := listener.Accept() // with TCP_NODELAY, Go's default
		if err != nil {
			fail("%v", err)
		}
		go func() {
			defer all.Done()
			defer connection.Close()
			buffer := make([]byte, 4096)
			for {
				count, err := connection.Read(buffer)
				if err == io.EOF {
					return
				}
				if err == nil {
					_, err = connection.Write(buffer[:count])
				}
				if err != nil {
					fail("%v", err)
				}
				atomic.AddInt64(&echoed, int64(count))
			}
		}()
	}
	all.Wait()
	clockStop()
	report(int(echoed/message), "")
}

func main() {
	rows := []struct {
		name string
		run  func()
	}{
		{"yield-2", func() { yieldAmong(2) }},
		{"yield-1k", func() { yieldAmong(1000) }},
		{"yield-100k", func() { yieldAmong(100000) }},
		{"spawn-join", spawnJoin},
		{"spawn-join-batch", spawnJoinBatch},
		{"channel", func() { roundTrips(1) }},
		{"channel-unbuffered", func() { roundTrips(0) }},
		{"mutex", mutexRow},
		{"sleep-overshoot", sleepOvershoot},
		{"timer-sleep", timerSleep},
		{"timer-cancel", timerCancel},
		{"timer-fire", timerFire},
		{"timeout", timeouts},
		{"sleep-fire", sleepFire},
		{"sleep-cancel", sleepCancel},
		{"tree", tree},
		{"tree-all", tree},
		{"parked", parked},
		{"echo-pair", func() { echo(1) }},
		{"echo-1k", func() { echo(1000) }},
	}
	version := strings.Split(strings.TrimPrefix(runtime.Version(), "go"), ".")
	peer = "go-" + strings.Join(version[:2], ".")
	if len(os.Args) == 2 && os.Args[1] == "rows" {
		for _, each := range rows {
			fmt.Println(each.name)
		}
		return
	}
	var err error
	if len(os.Args) == 3 {
		scale, err = strconv.ParseFloat(os.Args[2], 64)
	}
	if len(os.Args) < 2 || len(os.Args) > 3 || err != nil || !(scale > 0) {
		fmt.Fprintf(os.Stderr, "usage: %s ROW [SCALE > 0], or %s rows\n", os.Args[0], os.Args[0])
		os.Exit(2)
	}
	workers, err := strconv.Atoi(os.Getenv("PEER_WORKERS"))
	if err != nil || workers < 1 {
		workers = 1
	}
	runtime.GOMAXPROCS(workers)
	row = os.Args[1]
	for _, each := range rows {
		if each.name == row {
			each.run()
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s has no row '%s'; '%s rows' lists those it has\n", peer, row, os.Args[0])
	os.Exit(2)
}
