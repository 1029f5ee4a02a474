// The rows of pirn-benches in Go: `pirn-benches-go ROW PROCS` prints the row's figures, a line each.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// What a row yields: a value for each of its figures, under the names that the Rust side expects.
type figures map[string]float64

var rows = map[string]func(procs int) figures{
	"spawn_join":           spawnJoin,
	"spawn_remote":         spawnJoin, // every goroutine is a worker's: there is no outside
	"yield":                yields,
	"pingpong":             pingPong,
	"ring":                 ring,
	"chan_spsc_128":        func(int) figures { return flood("chan_spsc_128", 1, 1, 128, 4_000_000) },
	"chan_mpsc_8":          func(int) figures { return flood("chan_mpsc_8", 8, 1, 128, 4_000_000) },
	"chan_mpmc_8x8":        func(int) figures { return flood("chan_mpmc_8x8", 8, 8, 128, 4_000_000) },
	"chan_mpmc_unbuf":      func(int) figures { return flood("chan_mpmc_unbuf", 8, 8, 0, 2_000_000) },
	"select2":              select2,
	"select_timeout":       selectTimeout,
	"select_timeout_reuse": selectTimeoutReuse,
	"sieve":                sieve,
	"skynet":               skynet,
	"skynet_join":          skynetJoin,
	"mem_idle":             memIdle,
	"timers":               timers,
	"sleep_accuracy":       sleepAccuracy,
	"mutex_contended":      func(int) figures { return mutex("mutex_contended", 8, 200_000) },
	"mutex_uncontended":    func(int) figures { return mutex("mutex_uncontended", 1, 10_000_000) },
	"rwlock_read":          rwlockRead,
	"waitgroup":            waitGroup,
	"tcp_echo":             func(int) figures { return tcpEcho("tcp_echo", 64) },
	"tcp_echo_1k":          func(int) figures { return tcpEcho("tcp_echo_1k", 1000) },
	"http_hello":           func(int) figures { return httpHello("hello.lua") },
	"hog_block":            func(int) figures { return hog("hog_block", 1, keepBlocked) },
	"hog_block_all":        func(procs int) figures { return hog("hog_block_all", procs, keepBlocked) },
	"hog_spin":             func(int) figures { return hog("hog_spin", 1, keepBusy) },
	"hog_spin_all":         func(procs int) figures { return hog("hog_spin_all", procs, keepBusy) },
	"fib":                  fib,
	"idle_cpu":             idleCPU,
	"wake_latency":         wakeLatency,
}

func main() {
	if len(os.Args) != 3 || rows[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: pirn-benches-go ROW PROCS")
		os.Exit(2)
	}
	procs, err := strconv.Atoi(os.Args[2])
	if err != nil || procs < 1 {
		fmt.Fprintln(os.Stderr, "PROCS must be a number above zero")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(procs)
	for name, value := range rows[os.Args[1]](procs) {
		if name == "spawn_join" {
			name = os.Args[1]
		}
		fmt.Println(name, value)
	}
}

// Ends the run as a failure.
func check(holds bool, claim string) {
	if !holds {
		panic(claim)
	}
}

func nsEach(name string, begun time.Time, operations int) figures {
	return figures{name: float64(time.Since(begun).Nanoseconds()) / float64(operations)}
}

func milliseconds(duration time.Duration) float64 { return duration.Seconds() * 1e3 }
