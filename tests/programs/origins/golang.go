// golang MODE: what Go programs keep, by way of all that the compiler does to calls.
package main

import (
	"os"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	_ "unsafe" // for linkname
)

var kept []any

type store struct{ path string }

type keeper interface{ take() }

func keep(thing any, err error) {
	if err != nil {
		println(err.Error())
		os.Exit(99)
	}
	kept = append(kept, thing)
}

//go:noinline
func (store *store) take() {
	keep(os.Open(store.path)) // LEAK take
}

//go:noinline
func (store store) copied() {
	keep(os.Open(store.path)) // LEAK copied
}

//go:noinline
func methods() {
	(&store{"/dev/null"}).take()
}

//go:noinline
func dispatches() {
	var any keeper = &store{"/dev/null"}
	any.take()
}

// A value of a method is a function that the compiler writes.
//
//go:noinline
func values() {
	apply((&store{"/dev/null"}).take)
}

//go:noinline
func expressions() {
	call := (*store).copied
	call(&store{"/dev/null"})
}

//go:noinline
func reflects() {
	reflect.ValueOf(store{"/dev/null"}.copied).Call(nil)
}

//go:noinline
func apply(call func()) {
	call()
}

//go:noinline
func closes() {
	path := "/dev/null"
	apply(func() {
		keep(os.Open(path)) // LEAK closes
	})
}

func inlined(path string) {
	keep(os.Open(path)) // LEAK inlined
}

func within(path string) {
	inlined(path)
}

//go:noinline
func inlines() {
	within("/dev/null")
}

//go:noinline
func generic[T ~string](path T) {
	keep(os.Open(string(path))) // LEAK generic
}

type name string

//go:noinline
func instantiates() {
	generic(name("/dev/null"))
}

type pool[T any] struct{ path string }

//go:noinline
func (pool *pool[T]) grow() {
	keep(os.Open(pool.path)) // LEAK grow
}

//go:noinline
func pools() {
	(&pool[*store]{"/dev/null"}).grow()
}

//go:noinline
func later() {
	keep(os.Open("/dev/null")) // LEAK later
}

//go:noinline
func defers() {
	defer later()
	runtime.Gosched()
}

//go:noinline
func recovers() {
	defer func() {
		if recover() != nil {
			later()
		}
	}()
	panic("on purpose")
}

//go:noinline
func descend(depth int) int {
	if depth == 0 {
		keep(os.Open("/dev/null")) // LEAK descend
		return 0
	}
	return descend(depth-1) + 1
}

//go:noinline
func recurses() {
	descend(20)
}

//go:noinline
func deepens() {
	descend(300)
}

//go:noinline
func starts() {
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		later()
	}()
	group.Wait()
}

//go:noinline
func startsMethod() {
	var group sync.WaitGroup
	group.Add(1)
	go (&waits{&group}).run()
	group.Wait()
}

type waits struct{ group *sync.WaitGroup }

//go:noinline
func (waits *waits) run() {
	later()
	waits.group.Done()
}

// To the linker it is a function of another package.
//
//go:linkname renamed elsewhere.opens
//go:noinline
func renamed() {
	keep(os.Open("/dev/null")) // LEAK renamed
}

//go:noinline
func links() {
	renamed()
}

//go:noinline
func raw() {
	descriptor, _, errno := syscall.RawSyscall6(syscall.SYS_EVENTFD2, 0, 0, 0, 0, 0, 0) // LEAK raw
	if errno != 0 {
		os.Exit(99)
	}
	kept = append(kept, descriptor)
}

//go:noinline
func large() {
	var room [100_000]byte
	keep(os.Open("/dev/null")) // LEAK large
	runtime.KeepAlive(&room)
}

func main() {
	modes := map[string]func(){
		"methods": methods, "dispatches": dispatches, "values": values, "expressions": expressions,
		"reflects": reflects, "closes": closes, "inlines": inlines, "instantiates": instantiates,
		"pools": pools, "defers": defers, "recovers": recovers, "recurses": recurses,
		"deepens": deepens, "starts": starts, "startsMethod": startsMethod, "links": links,
		"raw": raw, "large": large,
	}
	steps := modes[os.Args[1]]
	for turn := 0; turn < 3; turn++ {
		steps()
	}
}
