/* Opens a file at the bottom of a recursion, ten times a second for six seconds, each time as deep
 * as the next of its data, and forgets it. */
#include <fcntl.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) int walk(int depth)
{
	int fd = depth ? walk(depth - 1) : open("/etc/passwd", O_RDONLY);
	sink = depth;
	return fd;
}

int main(void)
{
	for (int turn = 0; turn < 60; turn++) {
		sink = walk(1 + turn * 7 % 40);
		usleep(100000);
	}
	return 0;
}
