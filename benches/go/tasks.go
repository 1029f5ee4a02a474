package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func spawnJoin(int) figures {
	const batches, size = 100, 10_000
	begun := time.Now()
	var sum atomic.Int64
	for range batches {
		var group sync.WaitGroup
		group.Add(size)
		for number := range size {
			go func() {
				sum.Add(int64(number))
				group.Done()
			}()
		}
		group.Wait()
	}
	result := nsEach("spawn_join", begun, batches*size)
	check(sum.Load() == batches*size*(size-1)/2, "every goroutine has run")
	return result
}

func yields(int) figures {
	const tasks, times = 1000, 1000
	begun := time.Now()
	var group sync.WaitGroup
	var sum atomic.Int64
	for range tasks {
		group.Add(1)
		go func() {
			defer group.Done()
			yields := 0
			for range times {
				runtime.Gosched()
				yields++
			}
			sum.Add(int64(yields))
		}()
	}
	group.Wait()
	result := nsEach("yield", begun, tasks*times)
	check(sum.Load() == tasks*times, "every goroutine has yielded")
	return result
}

func waitGroup(int) figures {
	const tasks = 100_000
	begun := time.Now()
	var group sync.WaitGroup
	var count atomic.Int64
	for range tasks {
		group.Add(1)
		go func() {
			count.Add(1)
			group.Done()
		}()
	}
	group.Wait()
	result := nsEach("waitgroup", begun, tasks)
	check(count.Load() == tasks, "every goroutine is waited for")
	return result
}

const leaves, children = 1_000_000, 10

func skynet(int) figures {
	begun := time.Now()
	root := make(chan int, 1)
	go sendsSum(0, leaves, root)
	sum := <-root
	result := figures{"skynet": milliseconds(time.Since(begun))}
	check(sum == leaves*(leaves-1)/2, "the sum is that of the leaves")
	return result
}

func sendsSum(first, leaves int, parent chan<- int) {
	if leaves == 1 {
		parent <- first
		return
	}
	sums := make(chan int, children)
	share := leaves / children
	for child := range children {
		go sendsSum(first+child*share, share, sums)
	}
	sum := 0
	for range children {
		sum += <-sums
	}
	parent <- sum
}

func skynetJoin(int) figures {
	begun := time.Now()
	sum := givesSum(0, leaves)
	result := figures{"skynet_join": milliseconds(time.Since(begun))}
	check(sum == leaves*(leaves-1)/2, "the sum is that of the leaves")
	return result
}

func givesSum(first, leaves int) int {
	if leaves == 1 {
		return first
	}
	var sums [children]int
	var group sync.WaitGroup
	group.Add(children)
	share := leaves / children
	for child := range children {
		go func() {
			sums[child] = givesSum(first+child*share, share)
			group.Done()
		}()
	}
	group.Wait()
	sum := 0
	for _, part := range sums {
		sum += part
	}
	return sum
}

func fib(int) figures {
	const n, expected = 27, 196_418
	begun := time.Now()
	number := make(chan int, 1)
	go call(n, number)
	result := <-number
	taken := figures{"fib": milliseconds(time.Since(begun))}
	check(result == expected, "the number is Fibonacci's")
	return taken
}

func call(n int, result chan<- int) {
	if n < 2 {
		result <- n
		return
	}
	parts := make(chan int, 2)
	go call(n-1, parts)
	go call(n-2, parts)
	result <- <-parts + <-parts
}
