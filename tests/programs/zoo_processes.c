/*
 * zoo_processes SCENARIO [ARGUMENT]
 *
 * Scenarios of several processes and threads: shared and private descriptor tables, exec, death; see
 * zoo.h for what is printed. "image COUNT" is no scenario, but what others execute: so many
 * descriptors came with it, and where there are any, it leaves 2 of its own beside them.
 */
#include "zoo.h"

#include <linux/close_range.h>
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>

/* Holds `count` files, numbers 3 and up. */
static void hold(int count, int flags)
{
	REPEAT(count)
		file_with(flags);
}

static void close_from(int first, int count)
{
	for (int number = first; number < first + count; number++)
		shut(number);
}

/* A child that shares the descriptor table and nothing else. */
static void sharing_child(void (*steps)(void))
{
	pid_t pid = checked(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0), "clone");

	if (pid == 0) {
		steps();
		_exit(0);
	}
	reap(pid);
}

static void start(pthread_t *thread, void *(*steps)(void *))
{
	if (pthread_create(thread, NULL, steps, NULL) != 0)
		errx(99, "pthread_create");
}

/* The child's copy loses 3 to 6; the parent's table does not, whose 7 stay. */
static void leave_the_shared_table(void)
{
	checked(close_range(3, 6, CLOSE_RANGE_UNSHARE), "close_range");
	hold(2, 0);
	if (!is_open(3) || is_open(5))
		errx(99, "not a table of its own");
	close_from(3, 2);
}

static void s30_close_range_unshare(void)
{
	hold(4, 0);
	sharing_child(leave_the_shared_table);
	hold(3, 0);
	leaves("fd file", 7, "openat");
}

/* What an exec becomes. */
static int image(int came)
{
	int standard = is_open(0) + is_open(1) + is_open(2);

	if (open_now() != standard + came)
		errx(99, "%d descriptors came over the exec, not %d", open_now() - standard, came);
	if (came > 0) {
		expect(getpid(), "inherited", "fd file", came, "openat");
		hold(2, 0);
		leaves("fd file", 2, "openat");
	}
	return 0;
}

/* Leaves nothing: all 10 are marked to be closed by exec, and exec closes them. */
static void s31_cloexec_range_then_exec(void)
{
	hold(10, 0);
	checked(close_range(3, 12, CLOSE_RANGE_CLOEXEC), "close_range");
	become("image", "0");
}

/* Leaves nothing: the same, marked from the start. */
static void s32_exec_cloexec(void)
{
	hold(10, O_CLOEXEC);
	become("image", "0");
}

/* Leaves 10 that came over the exec, and 2 of the new image's own. */
static void s33_exec_inherit(void)
{
	hold(10, 0);
	hold(5, O_CLOEXEC);
	become("image", "10");
}

/* Leaves nothing: an exec that fails releases nothing, and what was open is closed later. */
static void s34_exec_fails(void)
{
	char *words[] = { "nothing", NULL };

	hold(10, O_CLOEXEC);
	REPEAT(20)
		refused(execv("/no/such/program", words), ENOENT, "execv");
	close_from(3, 10);
}

/* Leaves 3: closed by an exec that succeeds, not by one that fails. */
static void s34_exec_fails_and_leaks(void)
{
	char *words[] = { "nothing", NULL };

	hold(3, O_CLOEXEC);
	refused(execv("/no/such/program", words), ENOENT, "execv");
	leaves("fd file", 3, "openat");
}

static void *exec_from_here(void *unused)
{
	(void)unused;
	hold(3, O_CLOEXEC);
	hold(4, 0);
	become("image", "10");
	return NULL;
}

/* Leaves 10 that came over the exec, 6 of the first thread's and 4 of the thread that executes. */
static void s35_exec_from_thread(void)
{
	pthread_t thread;

	hold(6, 0);
	hold(2, O_CLOEXEC);
	start(&thread, exec_from_here);
	pthread_join(thread, NULL);
}

static void *leak_and_end_the_process(void *unused)
{
	(void)unused;
	pause_for(0.1);
	hold(6, 0);
	leaves("fd file", 6, "openat");
	keep_word("worker");
	exit(0);
}

/* Leaves 6, opened by a worker after the first thread has gone. */
static void s36_leader_gone(void)
{
	pthread_t thread;

	start(&thread, leak_and_end_the_process);
	pthread_exit(NULL);
}

static pthread_barrier_t meeting;

/* A table of its own, with 7 in it; it ends with the process. */
static void *own_table(void *unused)
{
	(void)unused;
	checked(unshare(CLONE_FILES), "unshare");
	hold(7, 0);
	pthread_barrier_wait(&meeting);
	pause();
	return NULL;
}

/* Leaves 7, all in the thread's own table; the first thread opens and closes the same numbers. */
static void s37_thread_unshares(void)
{
	pthread_t thread;

	pthread_barrier_init(&meeting, NULL, 2);
	start(&thread, own_table);
	pthread_barrier_wait(&meeting);
	hold(7, 0);
	close_from(3, 7);
	expect(getpid(), "left", "fd file", 7, "openat");
}

/* Leaves 11: 7 in the thread's own table and 4 in that of the first thread. */
static void s37_two_tables(void)
{
	pthread_t thread;

	pthread_barrier_init(&meeting, NULL, 2);
	start(&thread, own_table);
	pthread_barrier_wait(&meeting);
	hold(4, 0);
	leaves("fd file", 4, "openat");
	expect(getpid(), "left", "fd file", 7, "openat");
}

static void *own_table_for_a_while(void *unused)
{
	(void)unused;
	checked(unshare(CLONE_FILES), "unshare");
	hold(7, 0);
	return NULL;
}

/* Leaves the thread's 7, though it ends before the process, and its table with it. */
static void s37_thread_with_own_table_ends(void)
{
	pthread_t thread;

	start(&thread, own_table_for_a_while);
	pthread_join(thread, NULL);
	hold(7, 0);
	close_from(3, 7);
	expect(getpid(), "left", "fd file", 7, "openat");
}

static void open_two(void)
{
	hold(2, 0);
}

/* Leaves 2, opened by a child that is gone, in a table that is not. */
static void s38_sharing_child(void)
{
	sharing_child(open_two);
	dprintf(1, "expect * left fd file 2 openat\n");
	claimed += 2;
}

/* Leaves nothing: the parent closes what the child opened in the table of both. */
static void s38_sharing_child_closed(void)
{
	sharing_child(open_two);
	close_from(3, 2);
}

static void close_copies(void)
{
	close_from(3, 5);
	claimed -= 5;
}

/* The parent leaves 5, whatever a child does with its copies. */
static void s39_fork_close_in_child(void)
{
	hold(5, 0);
	reap(child(close_copies));
	leaves("fd file", 5, "openat");
}

/* Without a look at /proc: thousands of these are to be short. */
static pid_t child_that_leaves_five(void)
{
	pid_t pid = checked(fork(), "fork");

	if (pid == 0) {
		hold(5, 0);
		_exit(0);
	}
	return pid;
}

/* So many children leave 5 each and nothing else, four at a time. */
static void s40_fork_storm(void)
{
	int children = arguments[0] ? atoi(arguments[0]) : 10000, running = 0, status;

	for (int i = 0; i < children || running > 0;) {
		if (i < children && running < 4) {
			expect(child_that_leaves_five(), "left", "fd file", 5, "openat");
			i++, running++;
			continue;
		}
		checked(wait(&status), "wait");
		if (status != 0)
			errx(99, "a child failed");
		running--;
	}
}

/* Leaves nothing: programs started with descriptors opened, copied and closed for them. */
static void s41_spawn_with_file_actions(void)
{
	char *words[] = { "true", NULL };
	posix_spawn_file_actions_t actions;
	int source = file_with(O_CLOEXEC);
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 50, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	posix_spawn_file_actions_adddup2(&actions, source, 60);
	posix_spawn_file_actions_adddup2(&actions, 60, 61);
	posix_spawn_file_actions_addclose(&actions, 60);
	posix_spawn_file_actions_addclose(&actions, 61);
	/* Opened with another number and copied, it has lost its O_CLOEXEC. */
	posix_spawn_file_actions_addclose(&actions, 50);
	REPEAT(200) {
		if (posix_spawn(&pid, "/bin/true", &actions, NULL, words, environ) != 0)
			errx(99, "posix_spawn");
		reap(pid);
	}
	posix_spawn_file_actions_destroy(&actions);
	shut(source);
}

/* Leaves 10 pidfds of children long gone. */
static void s46_pidfd_of_clone(void)
{
	REPEAT(10) {
		int descriptor = -1;
		struct clone_args how = { .flags = CLONE_PIDFD, .pidfd = (unsigned long)&descriptor,
					  .exit_signal = SIGCHLD };
		pid_t pid = checked(syscall(SYS_clone3, &how, sizeof how), "clone3");

		if (pid == 0)
			_exit(0);
		reap(pid);
		if (!is_open(descriptor))
			errx(99, "no pidfd");
	}
	leaves("fd pidfd", 10, "clone3");
}

static int go[2];

static void wait_for_go(void)
{
	char byte;

	checked(read(go[0], &byte, 1), "read");
}

/* The first process of a PID namespace leaves 5. It does not know its real number. */
static void s77_pid_namespace(void)
{
	checked(pipe(go), "pipe");
	checked(unshare(CLONE_NEWPID), "unshare");
	pid_t pid = checked(fork(), "fork");

	if (pid == 0) {
		if (getpid() != 1)
			errx(99, "not the first of its namespace");
		wait_for_go();
		hold(5, 0);
		_exit(0);
	}
	expect(pid, "left", "fd file", 5, "openat");
	checked(write(go[1], "x", 1), "write");
	reap(pid);
	close_from(3, 2);
}

/* A process with this number and no other; the kernel reserves the number for it. */
static pid_t with_pid(pid_t wanted)
{
	struct clone_args how = { .exit_signal = SIGCHLD, .set_tid = (unsigned long)&wanted, .set_tid_size = 1 };

	return checked(syscall(SYS_clone3, &how, sizeof how), "clone3 with a chosen pid");
}

/*
 * The first process leaves 5; another gets its number, which takes longer than the ten milliseconds
 * to which /proc tells the start of a process, and closes all it opens.
 */
static void s78_pid_reuse(void)
{
	REPEAT(20) {
		pid_t first = child_that_leaves_five();

		expect(first, "left", "fd file", 5, "openat");
		reap(first);
		pause_for(0.03);
		pid_t second = with_pid(first);
		if (second == 0) {
			hold(8, 0);
			close_from(3, 8);
			_exit(0);
		}
		reap(second);
	}
}

static int blocking;

static void accept_for_ever(void)
{
	accept(blocking, NULL, NULL);
}

static void kill_when_blocked(pid_t pid)
{
	int status;

	pause_for(0.05);
	checked(kill(pid, SIGKILL), "kill");
	checked(waitpid(pid, &status, 0), "waitpid");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		errx(99, "it did not wait to be killed");
}

/* Leaves nothing: children die in the middle of accept. */
static void s79_killed_in_accept(void)
{
	struct sockaddr_in here;

	blocking = listener(&here);
	REPEAT(5)
		kill_when_blocked(child(accept_for_ever));
	shut(blocking);
}

/* Sends until the other side, which never reads, takes no more; closing then takes 30 seconds. */
static void close_for_long(void)
{
	static char data[1 << 16];
	struct linger linger = { 1, 30 };
	struct sockaddr_in here;
	int listening = listener(&here), sending = connected_to(&here);

	checked(accept(listening, NULL, NULL), "accept");
	checked(setsockopt(sending, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), "SO_LINGER");
	while (send(sending, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	leaves("socket tcp", 2, "socket,accept");
	close(sending);
}

/* Leaves the listener and the other side of the connection, not the socket whose close was begun. */
static void s79_killed_in_close(void)
{
	REPEAT(3)
		kill_when_blocked(child(close_for_long));
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s30_close_range_unshare", s30_close_range_unshare },
		{ "s31_cloexec_range_then_exec", s31_cloexec_range_then_exec },
		{ "s32_exec_cloexec", s32_exec_cloexec },
		{ "s33_exec_inherit", s33_exec_inherit },
		{ "s34_exec_fails", s34_exec_fails },
		{ "s34_exec_fails_and_leaks", s34_exec_fails_and_leaks },
		{ "s35_exec_from_thread", s35_exec_from_thread },
		{ "s36_leader_gone", s36_leader_gone },
		{ "s37_thread_unshares", s37_thread_unshares },
		{ "s37_two_tables", s37_two_tables },
		{ "s37_thread_with_own_table_ends", s37_thread_with_own_table_ends },
		{ "s38_sharing_child", s38_sharing_child },
		{ "s38_sharing_child_closed", s38_sharing_child_closed },
		{ "s39_fork_close_in_child", s39_fork_close_in_child },
		{ "s40_fork_storm", s40_fork_storm },
		{ "s41_spawn_with_file_actions", s41_spawn_with_file_actions },
		{ "s46_pidfd_of_clone", s46_pidfd_of_clone },
		{ "s77_pid_namespace", s77_pid_namespace },
		{ "s78_pid_reuse", s78_pid_reuse },
		{ "s79_killed_in_accept", s79_killed_in_accept },
		{ "s79_killed_in_close", s79_killed_in_close },
		{ NULL, NULL },
	};

	if (argc == 3 && strcmp(argv[1], "image") == 0)
		return image(atoi(argv[2]));
	return zoo(argc, argv, all);
}
