package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
)

// The script has wrk print the row's lines, and others if a request has failed.
func httpHello(script string) figures {
	const text = "Hello, World!"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "a port")
	go http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "text/plain")
		io.WriteString(answer, text)
	}))
	url := "http://" + listener.Addr().String() + "/"
	answer, err := http.Get(url)
	check(err == nil && answer.StatusCode == http.StatusOK, "an answer")
	body, err := io.ReadAll(answer.Body)
	check(err == nil && string(body) == text, "the answer is the text")
	said, err := exec.Command("wrk", "-t1", "-c64", "-d2s", "-s", script, url).Output()
	check(err == nil, "wrk starts")
	found := figures{}
	for _, line := range strings.Split(string(said), "\n") {
		var name string
		var value float64
		if read, _ := fmt.Sscanf(line, "%s %g", &name, &value); read == 2 && strings.HasPrefix(name, "http_hello") {
			found[name] = value
		}
	}
	check(len(found) == 2, "wrk: "+string(said))
	return found
}
