/*
 * die_by_signal [SIGNAL]
 *
 * Leaves exactly 3 descriptors (by open), then kills itself with SIGNAL (default 9). No core file.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int number = argc > 1 ? atoi(argv[1]) : SIGKILL;

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	for (int i = 0; i < 3; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			err(99, "open");
	kill(getpid(), number);
	for (;;)
		pause();
}
