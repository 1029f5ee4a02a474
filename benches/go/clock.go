package main

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const million = 1_000_000

func residentBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	check(err == nil, "the kernel tells")
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	check(err == nil, "a number of pages")
	return pages * os.Getpagesize()
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil, "the kernel tells")
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The value below which that part of them lies, in microseconds; sorts them.
func quantile(durations []time.Duration, part float64) float64 {
	slices.Sort(durations)
	index := min(int(part*float64(len(durations))), len(durations)-1)
	return float64(durations[index].Nanoseconds()) / 1e3
}

func memIdle(int) figures {
	gate := make(chan int)
	var arrived, left atomic.Int64
	untilFull := func(counter *atomic.Int64) {
		for counter.Load() < million {
			time.Sleep(time.Millisecond)
		}
	}
	before := residentBytes()
	begun := time.Now()
	for range million {
		go func() {
			arrived.Add(1)
			if _, open := <-gate; !open {
				left.Add(1)
			}
		}()
	}
	untilFull(&arrived)
	spawned := time.Since(begun)
	time.Sleep(100 * time.Millisecond)
	bytes := residentBytes() - before
	begun = time.Now()
	close(gate)
	untilFull(&left)
	taken := spawned + time.Since(begun)
	return figures{
		"mem_idle":                  float64(bytes) / million,
		"mem_idle:spawn_release_ms": milliseconds(taken),
	}
}

func timers(int) figures {
	cpu, begun := cpuTime(), time.Now()
	var group sync.WaitGroup
	var early atomic.Int64
	for number := range million {
		group.Add(1)
		go func() {
			duration := time.Duration(number*7919*1009%1_000_001) * time.Microsecond
			begun := time.Now()
			time.Sleep(duration)
			if time.Since(begun) < duration {
				early.Add(1)
			}
			group.Done()
		}()
	}
	group.Wait()
	wall, used := time.Since(begun), cpuTime()-cpu
	check(early.Load() == 0, "no sleep ends early")
	return figures{"timers": milliseconds(wall), "timers:cpu_ms": milliseconds(used)}
}

func sleepAccuracy(int) figures {
	late := make([]time.Duration, 1000)
	for index := range late {
		begun := time.Now()
		time.Sleep(time.Millisecond)
		late[index] = time.Since(begun) - time.Millisecond
	}
	check(slices.Min(late) >= 0, "no sleep ends early")
	return figures{"sleep_accuracy": quantile(late, 0.5), "sleep_accuracy:p99_us": quantile(late, 0.99)}
}

func idleCPU(int) figures {
	const tasks = 100
	gate := make(chan int)
	var group sync.WaitGroup
	for range tasks {
		group.Add(1)
		go func() {
			<-gate
			group.Done()
		}()
	}
	time.Sleep(300 * time.Millisecond)
	before := cpuTime()
	time.Sleep(2 * time.Second)
	used := cpuTime() - before
	close(gate)
	group.Wait()
	return figures{"idle_cpu": milliseconds(used)}
}

func wakeLatency(int) figures {
	const sends, pause = 2000, 400 * time.Microsecond
	sent := make(chan time.Time, 16)
	ages := make(chan []time.Duration)
	go func() {
		var all []time.Duration
		for moment := range sent {
			all = append(all, time.Since(moment))
		}
		ages <- all
	}()
	// A thread of its own is the nearest thing to one that is no worker.
	runtime.LockOSThread()
	for range sends {
		request := syscall.NsecToTimespec(pause.Nanoseconds())
		_ = syscall.Nanosleep(&request, nil)
		sent <- time.Now()
	}
	close(sent)
	all := <-ages
	check(len(all) == sends, "every value arrives once")
	return figures{"wake_latency": quantile(all, 0.5), "wake_latency:p99_us": quantile(all, 0.99)}
}

func keepBlocked() {
	request := syscall.NsecToTimespec((200 * time.Millisecond).Nanoseconds())
	_ = syscall.Nanosleep(&request, nil)
}

func keepBusy() {
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; {
	}
}

func hog(name string, hogs int, keep func()) figures {
	const tasks = 100
	end := time.Now().Add(2 * time.Second)
	results := make(chan []time.Duration, tasks)
	for range tasks {
		go func() {
			var late []time.Duration
			for time.Now().Before(end) {
				begun := time.Now()
				time.Sleep(time.Millisecond)
				late = append(late, time.Since(begun)-time.Millisecond)
			}
			results <- late
		}()
	}
	time.Sleep(10 * time.Millisecond)
	for range hogs {
		go func() {
			for time.Now().Before(end) {
				keep()
				runtime.Gosched()
			}
		}()
	}
	var late []time.Duration
	for range tasks {
		late = append(late, <-results...)
	}
	check(len(late) >= tasks, "every goroutine has slept")
	return figures{
		name:             quantile(late, 0.99),
		name + ":p50_us": quantile(late, 0.5),
		name + ":max_us": quantile(late, 1),
	}
}
