/*
 * zoo_uring SCENARIO
 *
 * Descriptors that io_uring opens and closes, without a system call for each; no library, so that
 * every step is in sight. See zoo.h for what is printed.
 */
#include "zoo.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { ENTRIES = 8, ALLOCATE = ~0 };

struct ring {
	int descriptor, polled;
	struct io_uring_params sizes;
	char *queues;
	size_t queues_size;
	struct io_uring_sqe *requests;
};

static atomic_uint *at(struct ring *ring, unsigned int offset)
{
	return (atomic_uint *)(ring->queues + offset);
}

static struct ring set_up(unsigned int flags)
{
	struct ring ring = { .polled = flags & IORING_SETUP_SQPOLL,
			     .sizes = { .flags = flags, .sq_thread_idle = 100 } };
	struct io_uring_params *sizes = &ring.sizes;
	int protection = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;

	long made = syscall(SYS_io_uring_setup, ENTRIES, sizes);
	if (made < 0 && (errno == ENOSYS || errno == EPERM))
		skip("this kernel has no io_uring, or does not allow it");
	ring.descriptor = checked(made, "io_uring_setup");
	if (!(sizes->features & IORING_FEAT_SINGLE_MMAP))
		skip("this kernel's io_uring is too old");
	ring.queues_size = sizes->cq_off.cqes + sizes->cq_entries * sizeof(struct io_uring_cqe);
	ring.queues = mmap(NULL, ring.queues_size, protection, shared, ring.descriptor, IORING_OFF_SQ_RING);
	ring.requests = mmap(NULL, ENTRIES * sizeof *ring.requests, protection, shared, ring.descriptor,
			     IORING_OFF_SQES);
	if (ring.queues == MAP_FAILED || ring.requests == MAP_FAILED)
		err(99, "mmap of the ring");
	return ring;
}

static void tear_down(struct ring *ring)
{
	munmap(ring->requests, ENTRIES * sizeof *ring->requests);
	munmap(ring->queues, ring->queues_size);
	shut(ring->descriptor);
}

static void submit(struct ring *ring)
{
	unsigned int flags = IORING_ENTER_GETEVENTS;

	if (ring->polled && atomic_load(at(ring, ring->sizes.sq_off.flags)) & IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	checked(syscall(SYS_io_uring_enter, ring->descriptor, 1, 1, flags, NULL, 0), "io_uring_enter");
}

/* One request, from its submission to its result. */
static int done(struct ring *ring, struct io_uring_sqe request)
{
	const struct io_sqring_offsets *sent = &ring->sizes.sq_off;
	const struct io_cqring_offsets *finished = &ring->sizes.cq_off;
	unsigned int tail = atomic_load(at(ring, sent->tail));
	unsigned int slot = tail % ring->sizes.sq_entries;

	ring->requests[slot] = request;
	atomic_store(at(ring, sent->array) + slot, slot);
	atomic_store(at(ring, sent->tail), tail + 1);
	unsigned int head = atomic_load(at(ring, finished->head));
	do
		submit(ring);
	while (atomic_load(at(ring, finished->tail)) == head);
	struct io_uring_cqe *results = (struct io_uring_cqe *)(ring->queues + finished->cqes);
	int result = results[head % ring->sizes.cq_entries].res;
	atomic_store(at(ring, finished->head), head + 1);
	return result;
}

static int worked(struct ring *ring, struct io_uring_sqe request)
{
	int result = done(ring, request);

	if (result < 0)
		errx(99, "io_uring request %d: %s", request.opcode, strerror(-result));
	return result;
}

static struct io_uring_sqe open_request(void)
{
	return (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				      .addr = (unsigned long)"/proc/self/exe" };
}

static int ring_open(struct ring *ring)
{
	return worked(ring, open_request());
}

static void ring_close(struct ring *ring, int descriptor)
{
	worked(ring, (struct io_uring_sqe){ .opcode = IORING_OP_CLOSE, .fd = descriptor });
	if (is_open(descriptor))
		errx(99, "not closed");
}

/* Opens 20 by the ring and closes 10 of them: half by the ring, half by close. */
static void open_and_close_half(unsigned int flags)
{
	struct ring ring = set_up(flags);

	REPEAT(10) {
		int first = ring_open(&ring);

		ring_open(&ring);
		if (turn % 2)
			ring_close(&ring, first);
		else
			shut(first);
	}
	tear_down(&ring);
	leaves("fd file", 10, "io_uring");
}

static void s42_open_leak(void)
{
	open_and_close_half(0);
}

/* Sockets and accepted connections too, of each of which one stays. */
static void s42_sockets(void)
{
	struct ring ring = set_up(0);
	struct sockaddr_in here;
	int listening = listener(&here);
	struct io_uring_sqe new_socket = { .opcode = IORING_OP_SOCKET, .fd = AF_UNIX, .off = SOCK_STREAM };
	struct io_uring_sqe accepting = { .opcode = IORING_OP_ACCEPT, .fd = listening };

	REPEAT(2) {
		int made = worked(&ring, new_socket), connecting = connected_to(&here);
		int accepted = worked(&ring, accepting);

		shut(connecting);
		if (turn == 0) {
			shut(made);
			shut(accepted);
		}
	}
	shut(listening);
	tear_down(&ring);
	leaves("socket unix", 1, "io_uring");
	leaves("socket tcp", 1, "io_uring");
}

/* Opens into a slot of the ring's own table; no number of the process's. */
static void open_direct(struct ring *ring, int slot)
{
	struct io_uring_sqe request = open_request();
	int before = open_now();

	request.file_index = slot == ALLOCATE ? IORING_FILE_INDEX_ALLOC : (unsigned)slot + 1;
	worked(ring, request);
	if (open_now() != before)
		errx(99, "a direct descriptor got a number");
}

/* Leaves nothing: 16 slots filled, emptied and filled again; what is in them goes with the ring. */
static void s43_direct(void)
{
	struct ring ring = set_up(0);
	struct io_uring_rsrc_register sparse = { .nr = 16, .flags = IORING_RSRC_REGISTER_SPARSE };

	checked(syscall(SYS_io_uring_register, ring.descriptor, IORING_REGISTER_FILES2, &sparse, sizeof sparse),
		"IORING_REGISTER_FILES2");
	REPEAT(16)
		open_direct(&ring, turn % 2 ? turn : ALLOCATE);
	REPEAT(8)
		worked(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_CLOSE,
						     .file_index = (unsigned)turn * 2 + 1 });
	REPEAT(8)
		open_direct(&ring, ALLOCATE);
	tear_down(&ring);
}

/* Leaves nothing: opened by system calls, closed by the ring. */
static void s44_close_tracked(void)
{
	struct ring ring = set_up(0);

	REPEAT(20)
		ring_close(&ring, turn % 2 ? file() : unix_socket());
	tear_down(&ring);
}

/* A kernel thread takes the requests. */
static void s45_polled(void)
{
	open_and_close_half(IORING_SETUP_SQPOLL);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s42_open_leak", s42_open_leak },
		{ "s42_sockets", s42_sockets },
		{ "s43_direct", s43_direct },
		{ "s44_close_tracked", s44_close_tracked },
		{ "s45_polled", s45_polled },
		{ NULL, NULL },
	};

	return zoo(argc, argv, all);
}
