package main

import (
	"sync"
	"time"
)

func pingPong(int) figures {
	const trips = 1_000_000
	ping, pong := make(chan int), make(chan int)
	begun := time.Now()
	go func() {
		for number := range ping {
			pong <- number + 1
		}
	}()
	number := 0
	for range trips {
		ping <- number
		number = <-pong
	}
	close(ping)
	result := nsEach("pingpong", begun, trips)
	check(number == trips, "every ping has its pong")
	return result
}

func ring(int) figures {
	const tasks, rounds = 1000, 1000
	first := make(chan int, 1)
	last := first
	for range tasks - 1 {
		from, to := last, make(chan int, 1)
		go func() {
			for hops := range from {
				to <- hops + 1
			}
			close(to)
		}()
		last = to
	}
	begun := time.Now()
	token := 0
	for range rounds {
		first <- token
		token = <-last + 1
	}
	result := nsEach("ring", begun, tasks*rounds)
	check(token == tasks*rounds, "the token has been everywhere")
	return result
}

func flood(name string, senders, receivers, capacity, values int) figures {
	channel := make(chan int, capacity)
	type received struct{ count, sum int }
	results := make(chan received, receivers)
	begun := time.Now()
	for range receivers {
		go func() {
			var mine received
			for value := range channel {
				mine.count++
				mine.sum += value
			}
			results <- mine
		}()
	}
	var group sync.WaitGroup
	share := values / senders
	for sender := range senders {
		group.Add(1)
		go func() {
			defer group.Done()
			for value := sender * share; value < (sender+1)*share; value++ {
				channel <- value
			}
		}()
	}
	group.Wait()
	close(channel)
	var total received
	for range receivers {
		mine := <-results
		total.count += mine.count
		total.sum += mine.sum
	}
	result := nsEach(name, begun, values)
	check(total.count == values && total.sum == values*(values-1)/2, "every value arrives once")
	return result
}

func select2(int) figures {
	const values = 2_000_000
	first, second := make(chan int, 16), make(chan int, 16)
	begun := time.Now()
	for _, channel := range []chan int{first, second} {
		go func() {
			for value := range values / 2 {
				channel <- value
			}
		}()
	}
	sum := 0
	for range values {
		select {
		case value := <-first:
			sum += value
		case value := <-second:
			sum += value
		}
	}
	result := nsEach("select2", begun, values)
	check(sum == (values/2)*(values/2-1), "every value arrives once")
	return result
}

const timedValues = 1_000_000

// One producer, and a receive that `receive` limits to a second.
func timed(name string, receive func(<-chan int) int) figures {
	channel := make(chan int, 16)
	begun := time.Now()
	go func() {
		for value := range timedValues {
			channel <- value
		}
	}()
	sum := 0
	for range timedValues {
		sum += receive(channel)
	}
	result := nsEach(name, begun, timedValues)
	check(sum == timedValues*(timedValues-1)/2, "every value arrives once")
	return result
}

func selectTimeout(int) figures {
	return timed("select_timeout", func(channel <-chan int) int {
		select {
		case value := <-channel:
			return value
		case <-time.After(time.Second):
			panic("a value comes within the second")
		}
	})
}

func selectTimeoutReuse(int) figures {
	timer := time.NewTimer(time.Second)
	return timed("select_timeout_reuse", func(channel <-chan int) int {
		timer.Reset(time.Second)
		select {
		case value := <-channel:
			return value
		case <-timer.C:
			panic("a value comes within the second")
		}
	})
}

func sieve(int) figures {
	const primes, expected = 2000, 17_389
	begun := time.Now()
	source := make(chan int)
	go func() {
		for number := 2; ; number++ {
			source <- number
		}
	}()
	numbers := source
	last := 0
	for range primes {
		last = <-numbers
		from, to, prime := numbers, make(chan int), last
		go func() {
			for number := range from {
				if number%prime != 0 {
					to <- number
				}
			}
		}()
		numbers = to
	}
	result := figures{"sieve": milliseconds(time.Since(begun))}
	check(last == expected, "the last prime is the right one")
	return result
}
