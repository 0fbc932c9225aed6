// golang_init: what a Go program keeps before main begins, and with a handle in a type of another
// package.
package main

import (
	"bufio"
	"os"
)

var early = opens("/dev/null")

var readers []*bufio.Reader

//go:noinline
func opens(path string) *os.File {
	file, err := os.Open(path) // LEAK
	if err != nil {
		os.Exit(99)
	}
	return file
}

func init() {
	readers = append(readers, bufio.NewReader(opens("/dev/null")))
	readers = append(readers, bufio.NewReader(opens("/dev/null")))
}

func main() {
	_ = early
}
