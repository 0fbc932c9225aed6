// Runs a small command again and again, and puts an eventfd for each into an epoll set, from which
// nobody takes it out again.
package main

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

type watch struct{ epoll int }

//go:noinline
func (w *watch) add() {
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC, 0) // LEAK
	if errno != 0 {
		panic(errno)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_ADD, int(fd), &event); err != nil {
		panic(err)
	}
}

//go:noinline
func runOnce(w *watch) {
	if out, err := exec.Command("/bin/true").CombinedOutput(); err != nil || len(out) > 0 {
		panic("it failed")
	}
	w.add()
}

func main() {
	duration, err := time.ParseDuration(os.Args[1] + "s")
	if err != nil {
		panic(err)
	}
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		panic(err)
	}
	w := &watch{epoll}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		runOnce(w)
		time.Sleep(330 * time.Millisecond)
	}
	os.Exit(0)
}
