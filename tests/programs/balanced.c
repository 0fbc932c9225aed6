/*
 * balanced [N [M]]
 *
 * Leaves nothing. N (default 20000) times: one open/close pair and one socket/close pair.
 *
 * With M > 0 (default 0) M other files are opened first, and every step closes the oldest of them
 * and opens a new one, so that M stay open all the time. Everything is closed at the end.
 *
 *   acquisitions  2 N          with M = 0
 *                 3 N + M      with M > 0
 *   releases      the same
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int checked(int descriptor)
{
	if (descriptor < 0)
		err(99, "no descriptor");
	return descriptor;
}

static int null_file(void)
{
	return checked(open("/dev/null", O_RDONLY));
}

static void allow(rlim_t descriptors)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "getrlimit");
	if (limit.rlim_cur >= descriptors)
		return;
	limit.rlim_cur = descriptors;
	if (limit.rlim_max < descriptors)
		limit.rlim_max = descriptors;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "setrlimit to %lu descriptors", (unsigned long)descriptors);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	size_t m = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int *pool = calloc(m + 1, sizeof *pool);

	if (!pool)
		err(99, "calloc");
	allow(m + 64);
	for (size_t i = 0; i < m; i++)
		pool[i] = null_file();
	for (size_t i = 0; i < n; i++) {
		close(null_file());
		close(checked(socket(AF_UNIX, SOCK_STREAM, 0)));
		if (m > 0) {
			close(pool[i % m]);
			pool[i % m] = null_file();
		}
	}
	for (size_t i = 0; i < m; i++)
		close(pool[i]);
	free(pool);
	return 0;
}
