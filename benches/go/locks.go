package main

import (
	"sync"
	"time"
)

func mutex(name string, tasks, rounds int) figures {
	var lock sync.Mutex
	var group sync.WaitGroup
	sum := 0
	begun := time.Now()
	for range tasks {
		group.Add(1)
		go func() {
			defer group.Done()
			for range rounds {
				lock.Lock()
				sum++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	result := nsEach(name, begun, tasks*rounds)
	check(sum == tasks*rounds, "no addition is lost")
	return result
}

func rwlockRead(int) figures {
	const tasks, rounds = 8, 200_000
	var lock sync.RWMutex
	var group sync.WaitGroup
	constant := 0
	reads := make(chan int, tasks)
	begun := time.Now()
	for range tasks {
		group.Add(1)
		go func() {
			defer group.Done()
			read := 0
			for range rounds {
				lock.RLock()
				read += 1 + constant
				lock.RUnlock()
			}
			reads <- read
		}()
	}
	group.Wait()
	result := nsEach("rwlock_read", begun, tasks*rounds)
	read := 0
	for range tasks {
		read += <-reads
	}
	check(read == tasks*rounds, "nothing else is read than was written")
	return result
}
