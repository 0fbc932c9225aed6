/*
 * zoo_calls every | rare
 *
 * Every system call that gives descriptors, twice, in a child of its own, which closes whatever else
 * it needed and leaves what the call gave. "rare" are the calls that memguard traces only when asked
 * for all. See zoo.h for what is printed; a call that this kernel refuses is named as
 *
 *   without CALL REASON
 */
#include "zoo.h"

#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
/* Not in the headers of glibc's age. */
enum { SYS_fsopen_ = 430, SYS_fsconfig_ = 431, SYS_fsmount_ = 432, SYS_fspick_ = 433,
       SYS_open_tree_ = 428, SYS_memfd_secret_ = 447, USER_MODE_ONLY = 1, SIGNALS = 8,
       TREE_CLONE = 1, CREATE = 6, NEW_LISTENER = 8 };

/* Each makes one descriptor, or returns what the kernel said no with. */

static long by_open(void)
{
	return syscall(SYS_open, "/proc/self/exe", O_RDONLY);
}

static long by_open_directory(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
}

static long by_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, "/proc/self/exe", &how, sizeof how);
}

static long by_creat(void)
{
	return syscall(SYS_creat, "/dev/null", 0600);
}

static long by_handle(void)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} name = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount, root = checked(open("/", O_RDONLY | O_DIRECTORY), "/");
	long result = name_to_handle_at(root, "", &name.handle, &mount, AT_EMPTY_PATH);

	if (result == 0)
		result = syscall(SYS_open_by_handle_at, root, &name.handle, O_RDONLY);
	int reason = errno;
	shut(root);
	errno = reason;
	return result;
}

static long by_socket_tcp(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0);
}

static long by_socket_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static long by_socket_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long by_socket_unix(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET, 0);
}

static long accepted(long number)
{
	struct sockaddr_in here;
	int listening = listener(&here), connecting = connected_to(&here);
	long result = syscall(number, listening, NULL, NULL, 0);

	shut(connecting);
	shut(listening);
	return result;
}

static long by_accept(void)
{
	return accepted(SYS_accept);
}

static long by_accept4(void)
{
	return accepted(SYS_accept4);
}

/* Copies a file by the call, with the two arguments that follow, and closes the file. */
static long copied(long call, int second, int third)
{
	int source = file();
	long result = syscall(call, source, second, third);

	shut(source);
	return result;
}

static int next_number = 100;

static long by_dup(void)
{
	return copied(SYS_dup, 0, 0);
}

static long by_dup2(void)
{
	return copied(SYS_dup2, next_number++, 0);
}

static long by_dup3(void)
{
	return copied(SYS_dup3, next_number++, O_CLOEXEC);
}

static long by_fcntl(void)
{
	return copied(SYS_fcntl, F_DUPFD_CLOEXEC, 0);
}

static long by_epoll_create(void)
{
	return syscall(SYS_epoll_create, 1);
}

static long by_epoll_create1(void)
{
	return syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
}

static long by_eventfd(void)
{
	return syscall(SYS_eventfd, 0);
}

static long by_eventfd2(void)
{
	return syscall(SYS_eventfd2, 0, EFD_CLOEXEC);
}

static long by_timerfd_create(void)
{
	return timerfd_create(CLOCK_MONOTONIC, 0);
}

static const unsigned long no_signals;

static long by_signalfd(void)
{
	return syscall(SYS_signalfd, -1, &no_signals, SIGNALS);
}

static long by_signalfd4(void)
{
	return syscall(SYS_signalfd4, -1, &no_signals, SIGNALS, 0);
}

static long by_inotify_init(void)
{
	return syscall(SYS_inotify_init);
}

static long by_inotify_init1(void)
{
	return syscall(SYS_inotify_init1, IN_CLOEXEC);
}

static long by_fanotify_init(void)
{
	return syscall(SYS_fanotify_init, FAN_CLASS_NOTIF, O_RDONLY);
}

static long by_memfd_create(void)
{
	return memfd_create("zoo", 0);
}

static long by_memfd_secret(void)
{
	return syscall(SYS_memfd_secret_, 0);
}

static long by_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, USER_MODE_ONLY);
}

static long by_pidfd_open(void)
{
	return syscall(SYS_pidfd_open, getpid(), 0);
}

static long by_pidfd_getfd(void)
{
	int self = checked(syscall(SYS_pidfd_open, getpid(), 0), "pidfd_open"), source = file();
	long result = syscall(SYS_pidfd_getfd, self, source, 0);

	shut(source);
	shut(self);
	return result;
}

static long by_perf_event_open(void)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_DUMMY
	};

	return syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
}

static long by_io_uring_setup(void)
{
	struct io_uring_params parameters = { 0 };

	return syscall(SYS_io_uring_setup, 4, &parameters);
}

static long by_landlock_create_ruleset(void)
{
	struct landlock_ruleset_attr rules = { .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE };

	/* Asking for the version gives a number that is no descriptor. */
	syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
}

static long by_fsopen(void)
{
	return syscall(SYS_fsopen_, "tmpfs", 0);
}

static long by_fspick(void)
{
	return syscall(SYS_fspick_, AT_FDCWD, "/proc", 0);
}

static long by_fsmount(void)
{
	long context = syscall(SYS_fsopen_, "tmpfs", 0), result = context;

	if (context >= 0)
		result = syscall(SYS_fsconfig_, context, CREATE, NULL, NULL, 0);
	if (result >= 0)
		result = syscall(SYS_fsmount_, context, 0, 0);
	int reason = errno;
	if (context >= 0)
		shut((int)context);
	errno = reason;
	return result;
}

static long by_open_tree(void)
{
	return syscall(SYS_open_tree_, AT_FDCWD, "/proc", TREE_CLONE);
}

static long by_mq_open(void)
{
	char name[32];
	struct mq_attr size = { .mq_maxmsg = 1, .mq_msgsize = 8 };

	snprintf(name, sizeof name, "/memguard-zoo-%d", getpid());
	long result = mq_open(name, O_CREAT | O_RDWR, 0600, &size);
	if (result >= 0)
		mq_unlink(name);
	return result;
}

/* A child that ends at once and, instead of a number that the caller waits for, leaves a pidfd. */
static long by_clone(void)
{
	int descriptor = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &descriptor, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		reap((pid_t)pid);
	return pid < 0 ? pid : descriptor;
}

static long by_clone3(void)
{
	int descriptor = -1;
	struct clone_args how = {
		.flags = CLONE_PIDFD, .pidfd = (unsigned long)&descriptor, .exit_signal = SIGCHLD
	};
	long pid = syscall(SYS_clone3, &how, sizeof how);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		reap((pid_t)pid);
	return pid < 0 ? pid : descriptor;
}

/* One end of two; the other is closed. */

static long half(long result, const int ends[2])
{
	if (result == 0)
		shut(ends[1]);
	return result == 0 ? ends[0] : result;
}

static long by_pipe(void)
{
	int ends[2];

	return half(syscall(SYS_pipe, ends), ends);
}

static long by_pipe2(void)
{
	int ends[2];

	return half(syscall(SYS_pipe2, ends, O_CLOEXEC), ends);
}

static long by_socketpair(void)
{
	int ends[2];

	return half(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ends);
}

/* A file comes over a socket by the call `number`. */
static long received(long number)
{
	char byte = 'x', space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
						 .msg_controllen = sizeof space } };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message.msg_hdr);
	int ends[2], sent = file(), came = -1;

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	*header = (struct cmsghdr){ CMSG_LEN(sizeof sent), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &sent, sizeof sent);
	checked(sendmsg(ends[0], &message.msg_hdr, 0), "sendmsg");
	shut(sent);
	if (number == SYS_recvmsg)
		checked(syscall(SYS_recvmsg, ends[1], &message.msg_hdr, 0), "recvmsg");
	else
		checked(syscall(SYS_recvmmsg, ends[1], &message, 1, 0, NULL), "recvmmsg");
	memcpy(&came, CMSG_DATA(header), sizeof came);
	shut(ends[0]);
	shut(ends[1]);
	return came;
}

static long by_recvmsg(void)
{
	return received(SYS_recvmsg);
}

static long by_recvmmsg(void)
{
	return received(SYS_recvmmsg);
}

static long by_bpf(void)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
}

static long by_getsockopt(void)
{
	int ends[2], descriptor = -1;
	socklen_t size = sizeof descriptor;

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	long result = getsockopt(ends[0], SOL_SOCKET, SO_PEERPIDFD, &descriptor, &size);
	int reason = errno;
	shut(ends[0]);
	shut(ends[1]);
	errno = reason;
	return result < 0 ? result : descriptor;
}

static long by_ioctl(void)
{
	int master = checked(open("/dev/ptmx", O_RDWR | O_NOCTTY), "/dev/ptmx");

	checked(unlockpt(master), "unlockpt");
	long result = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	shut(master);
	return result;
}

/* A process can have one such listener, so the second attempt is made without success. */
static long by_seccomp(void)
{
	static int made;
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, NEW_LISTENER, &program);
	if (made && result < 0 && errno == EBUSY)
		return -2;
	made = 1;
	return result;
}

struct way {
	const char *call, *what;
	long (*acquire)(void);
};

static const struct way every_way[] = {
	{ "open", "fd file", by_open },
	{ "openat", "fd dir", by_open_directory },
	{ "openat2", "fd file", by_openat2 },
	{ "creat", "fd *", by_creat },
	{ "open_by_handle_at", "fd *", by_handle },
	{ "socket", "socket tcp", by_socket_tcp },
	{ "socket", "socket udp", by_socket_udp },
	{ "socket", "socket netlink", by_socket_netlink },
	{ "socket", "socket unix", by_socket_unix },
	{ "accept", "socket tcp", by_accept },
	{ "accept4", "socket tcp", by_accept4 },
	{ "dup", "fd file", by_dup },
	{ "dup2", "fd file", by_dup2 },
	{ "dup3", "fd file", by_dup3 },
	{ "fcntl", "fd file", by_fcntl },
	{ "epoll_create", "fd epoll", by_epoll_create },
	{ "epoll_create1", "fd epoll", by_epoll_create1 },
	{ "eventfd", "fd eventfd", by_eventfd },
	{ "eventfd2", "fd eventfd", by_eventfd2 },
	{ "timerfd_create", "fd timerfd", by_timerfd_create },
	{ "signalfd", "fd signalfd", by_signalfd },
	{ "signalfd4", "fd signalfd", by_signalfd4 },
	{ "inotify_init", "fd inotify", by_inotify_init },
	{ "inotify_init1", "fd inotify", by_inotify_init1 },
	{ "fanotify_init", "fd fanotify", by_fanotify_init },
	{ "memfd_create", "fd memfd", by_memfd_create },
	{ "memfd_secret", "fd *", by_memfd_secret },
	{ "userfaultfd", "fd userfaultfd", by_userfaultfd },
	{ "pidfd_open", "fd pidfd", by_pidfd_open },
	{ "pidfd_getfd", "fd *", by_pidfd_getfd },
	{ "perf_event_open", "fd perf", by_perf_event_open },
	{ "io_uring_setup", "fd io_uring", by_io_uring_setup },
	{ "landlock_create_ruleset", "fd other", by_landlock_create_ruleset },
	{ "fsopen", "fd other", by_fsopen },
	{ "fspick", "fd other", by_fspick },
	{ "fsmount", "fd *", by_fsmount },
	{ "open_tree", "fd *", by_open_tree },
	{ "mq_open", "fd mqueue", by_mq_open },
	{ "clone", "fd pidfd", by_clone },
	{ "clone3", "fd pidfd", by_clone3 },
	{ "pipe", "fd pipe", by_pipe },
	{ "pipe2", "fd pipe", by_pipe2 },
	{ "socketpair", "socket unix", by_socketpair },
	{ "recvmsg", "fd *", by_recvmsg },
	{ NULL, NULL, NULL },
};

static const struct way rare_ways[] = {
	{ "recvmmsg", "fd *", by_recvmmsg },
	{ "bpf", "fd bpf", by_bpf },
	{ "getsockopt", "fd pidfd", by_getsockopt },
	{ "ioctl", "fd pty", by_ioctl },
	{ "seccomp", "fd other", by_seccomp },
	{ NULL, NULL, NULL },
};

static const struct way *way;

static void twice(void)
{
	int made = 0;

	REPEAT(2) {
		long result = way->acquire();

		if (result == -1) {
			dprintf(1, "without %s %s\n", way->call, strerror(errno));
			break;
		}
		made += result >= 0;
	}
	if (made)
		leaves(way->what, made, way->call);
}

static void go(const struct way *ways)
{
	for (way = ways; way->call; way++)
		reap(child(twice));
}

static void every(void)
{
	go(every_way);
}

static void rare(void)
{
	go(rare_ways);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = { { "every", every }, { "rare", rare }, { NULL, NULL } };

	return zoo(argc, argv, all);
}
