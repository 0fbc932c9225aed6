// steady.go PORT: a web server; every answer is read from a file.
//
// Leaks nothing. Says "ready" and serves until its standard input ends.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		file, err := os.Open("/etc/passwd")
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close()
		io.Copy(answer, file)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, nil)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
