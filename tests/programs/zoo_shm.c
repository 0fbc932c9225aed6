/*
 * zoo_shm SCENARIO [SECONDS]
 *
 * Scenarios of SysV shared memory, watched while they run for SECONDS (default 26). See zoo_watched.h
 * for what is printed.
 */
#include "zoo_watched.h"

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

enum { SEGMENT = 256 * KIB };

static int to_janitor;

/* What is left in the kernel goes when this program does, however that ends. The janitor is nobody's
 * child, and reads the numbers of the segments from a pipe. */
static void hire_janitor(void)
{
	int ends[2], segment, segments[64], count = 0;

	checked(pipe(ends), "pipe");
	pid_t pid = checked(fork(), "fork");
	if (pid == 0) {
		if (checked(fork(), "fork") != 0)
			_exit(0);
		setsid();
		close_range(0, 2, 0);
		shut(ends[1]);
		while (read(ends[0], &segment, sizeof segment) == (ssize_t)sizeof segment)
			segments[count++] = segment;
		while (count > 0)
			shmctl(segments[--count], IPC_RMID, NULL);
		_exit(0);
	}
	reap(pid);
	shut(ends[0]);
	to_janitor = ends[1];
	claimed++;
}

static int new_segment(void)
{
	return checked(shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600), "shmget");
}

static char *attach(int segment)
{
	void *place = shmat(segment, NULL, 0);

	if (place == (void *)-1)
		err(99, "shmat");
	return place;
}

NOINLINE static void leak_s66(void)
{
	int segment = new_segment();

	if (write(to_janitor, &segment, sizeof segment) != (ssize_t)sizeof segment)
		err(99, "write");
	touch(attach(segment), SEGMENT);
}

/* One that goes with its last user, and one that is taken away. */
static void properly(void)
{
	int segment = new_segment();

	touch(attach(segment), SEGMENT);
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
	segment = new_segment();
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
}

static int makes;

static void make_segments(void)
{
	REPEAT(makes) {
		leak_s66();
		properly();
		pause_for(0.2);
	}
}

static void make_and_exit(void)
{
	makes++;
	pid_t pid = child(make_segments);
	reap(pid);
	finds(pid, "left", "shm sysv", makes, (long)makes * SEGMENT, "leak_s66");
}

/* Leaves segments behind: four processes, with one to four of them. */
static void s66_shm_leak(void)
{
	hire_janitor();
	ready();
	REPEAT(4)
		make_and_exit();
}

static int segment;

/* Both ways to detach, in turn. */
static void attach_and_detach(void)
{
	static int turn;
	char *place = attach(segment);

	touch(place, SEGMENT);
	if (turn++ % 2)
		checked(shmdt(place), "shmdt");
	else
		checked(munmap(place, SEGMENT), "munmap");
}

/* Leaks nothing; the segment goes with its last user, which is this process. */
static void s67_munmap_detach(void)
{
	ready();
	segment = new_segment();
	attach(segment);
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
	keep_doing(0.02, attach_and_detach);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s66_shm_leak", s66_shm_leak },
		{ "s67_munmap_detach", s67_munmap_detach },
		{ NULL, NULL },
	};

	usual_duration = 26;
	return watched_zoo(argc, argv, all);
}
