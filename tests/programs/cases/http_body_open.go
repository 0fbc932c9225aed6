// Asks a neighbour two things again and again: fetch reads the answer and closes its body, probe
// looks at the status only and forgets the body. The neighbour hangs up after two idle seconds.
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}

//go:noinline
func probe(url string) {
	answer, err := client.Get(url) // LEAK: answer.Body is never closed
	if err != nil || answer.StatusCode != http.StatusOK {
		panic("the neighbour does not answer")
	}
}

//go:noinline
func fetch(url string) {
	answer, err := client.Get(url)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, answer.Body)
}

func serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	page := strings.Repeat("x", 8192)
	answer := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) }
	server := &http.Server{IdleTimeout: 2 * time.Second, Handler: http.HandlerFunc(answer)}
	go server.Serve(listener)
	return "http://" + listener.Addr().String() + "/"
}

func main() {
	duration, err := time.ParseDuration(os.Args[1] + "s")
	if err != nil {
		panic(err)
	}
	url := serve()
	for end := time.Now().Add(duration); time.Now().Before(end); {
		probe(url)
		fetch(url)
		time.Sleep(330 * time.Millisecond)
	}
	os.Exit(0)
}
