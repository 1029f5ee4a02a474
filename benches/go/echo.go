package main

import (
	"bytes"
	"io"
	"net"
	"time"
)

func tcpEcho(name string, connections int) figures {
	const size, start, measured = 64, 300 * time.Millisecond, 1500 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "a port")
	go func() {
		for {
			connection, err := listener.Accept()
			check(err == nil, "a connection")
			go serve(connection)
		}
	}()
	var streams []net.Conn
	for range connections {
		stream, err := net.Dial("tcp", listener.Addr().String())
		check(err == nil, "a connection")
		streams = append(streams, stream)
	}
	// The clients begin together.
	begin := time.Now().Add(start)
	results := make(chan []time.Duration, connections)
	for _, stream := range streams {
		go func() {
			var trips []time.Duration
			message, answer := make([]byte, size), make([]byte, size)
			time.Sleep(time.Until(begin))
			for {
				for index := range message {
					message[index]++
				}
				sent := time.Now()
				_, err := stream.Write(message)
				check(err == nil, "no error")
				_, err = io.ReadFull(stream, answer)
				check(err == nil, "no error")
				trips = append(trips, time.Since(sent))
				check(bytes.Equal(message, answer), "the answer is the message")
				if time.Since(begin) >= measured {
					break
				}
			}
			results <- trips
		}()
	}
	var trips []time.Duration
	for range connections {
		trips = append(trips, <-results...)
	}
	rate := float64(len(trips)) / measured.Seconds()
	return figures{name: rate, name + ":p99_us": quantile(trips, 0.99)}
}

func serve(connection net.Conn) {
	buffer := make([]byte, 4096)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		_, err = connection.Write(buffer[:count])
		check(err == nil, "no error")
	}
}
