/*
 * drip [SECONDS]
 *
 * Once a second opens /dev/null and maps and touches 64 KiB, and gives neither back. Ends after
 * SECONDS (default 60).
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 };

static void leak_file(void)
{
	if (open("/dev/null", O_RDONLY) < 0)
		err(99, "open");
}

static void leak_mapping(void)
{
	char *mapping = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapping == MAP_FAILED)
		err(99, "mmap");
	mapping[0] = 1;
}

int main(int argc, char **argv)
{
	for (int left = argc > 1 ? atoi(argv[1]) : 60; left > 0; left--) {
		leak_file();
		leak_mapping();
		sleep(1);
	}
	return 0;
}
