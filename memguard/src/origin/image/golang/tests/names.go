// names: a program that says itself what it is told of its own code, a line for each place.
package main

import (
	"bufio"
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
)

var kept = http.DefaultClient

func short(name string) string {
	open, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if open < 0 || end < open {
		return name
	}
	return name[:open+1] + "..." + name[end:]
}

// The address of main.main in this process, and in the file the address of the code.
func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		os.Exit(1)
	}
	text := file.Section(".text")
	loaded := base()
	for at := text.Addr; at < text.Addr+text.Size; at += 5 {
		pc := uintptr(at) + loaded
		after := runtime.FuncForPC(pc + 1)
		if runtime.FuncForPC(pc) == nil || after == nil || after.Entry() == pc+1 {
			continue
		}
		// What is asked for is where a call returns to.
		frames := runtime.CallersFrames([]uintptr{pc + 1})
		fmt.Fprintf(out, "%x", at)
		for {
			frame, more := frames.Next()
			fmt.Fprintf(out, "\t%s %s:%d", short(frame.Function), frame.File, frame.Line)
			if !more {
				break
			}
		}
		fmt.Fprintln(out)
	}
}

// How far the program lies from where its headers say.
func base() uintptr {
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.Contains(fields[1], "x") {
			continue
		}
		var start, offset uint64
		fmt.Sscanf(fields[0], "%x-", &start)
		fmt.Sscanf(fields[2], "%x", &offset)
		file, _ := elf.Open("/proc/self/exe")
		for _, part := range file.Progs {
			if part.Type == elf.PT_LOAD && part.Flags&elf.PF_X != 0 {
				return uintptr(start - (part.Vaddr - part.Off + offset))
			}
		}
	}
	return 0
}
