// kept MODE: what Go programs keep in a global, or in a goroutine that has gone.
package main

import (
	"net"
	"os"
	"syscall"
)

var kept []any

//go:noinline
func opens() {
	file, err := os.Open("/dev/null") // LEAK opens
	must(err)
	kept = append(kept, file)
}

//go:noinline
func listens() {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // LEAK listens
	must(err)
	kept = append(kept, listener)
}

//go:noinline
func calls() {
	descriptor, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0) // LEAK calls
	must(err)
	kept = append(kept, descriptor)
}

//go:noinline
func inGoroutine() {
	done := make(chan bool)
	go func() {
		listens()
		done <- true
	}()
	<-done
}

func must(err error) {
	if err != nil {
		println(err.Error())
		os.Exit(99)
	}
}

func main() {
	modes := map[string]func(){"opens": opens, "listens": listens, "calls": calls, "inGoroutine": inGoroutine}
	steps := modes[os.Args[1]]
	for turn := 0; turn < 3; turn++ {
		steps()
	}
}
