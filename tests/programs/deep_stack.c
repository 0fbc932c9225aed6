/* Opens a file through three functions with frames of 3 KiB each, from two callers: every 50 ms
 * `forgets` keeps what it gets and `closes` closes it. What they have in common fills the usual
 * window, so that only more of the stack tells which of them it was. With "both", both forget. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME 3072

static volatile char sink;

__attribute__((noinline)) static int inner(const char *path)
{
	volatile char room[FRAME];
	room[0] = 1;
	int fd = open(path, O_RDONLY);
	sink = room[0];
	return fd;
}

__attribute__((noinline)) static int middle(const char *path)
{
	volatile char room[FRAME];
	room[0] = 1;
	int fd = inner(path);
	sink = room[0];
	return fd;
}

__attribute__((noinline)) int outer(const char *path)
{
	volatile char room[FRAME];
	room[0] = 1;
	int fd = middle(path);
	sink = room[0];
	return fd;
}

__attribute__((noinline)) void forgets(void)
{
	int fd = outer("/etc/passwd");
	sink = (char)fd;
}

__attribute__((noinline)) void closes(void)
{
	int fd = outer("/etc/passwd");
	close(fd);
}

__attribute__((noinline)) void forgets_too(void)
{
	int fd = outer("/etc/group");
	sink = (char)fd;
}

int main(int argc, char **argv)
{
	int both = argc > 1 && !strcmp(argv[1], "both");
	for (;;) {
		forgets();
		if (both)
			forgets_too();
		else
			closes();
		usleep(50000);
	}
}
