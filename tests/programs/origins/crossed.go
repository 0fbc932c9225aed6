// crossed: C that is called from Go leaks.
package main

/*
#include <fcntl.h>
#include <stdlib.h>

static __attribute__((noipa)) int leak(void)
{
	int descriptor = open("/dev/null", O_RDONLY); // LEAK

	if (descriptor < 0)
		exit(99);
	return descriptor;
}

static __attribute__((noipa)) int crossed(void)
{
	int descriptor = leak();

	__asm__ volatile("" ::: "memory");
	return descriptor;
}
*/
import "C"

//go:noinline
func crosses() {
	C.crossed()
}

func main() {
	for turn := 0; turn < 3; turn++ {
		crosses()
	}
}
