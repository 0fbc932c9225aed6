/*
 * fuse_eio s11_close_eio DIRECTORY
 *
 * A file system of one file, "file", whose flush always fails with EIO: closing it says so, and closes
 * it nevertheless. It is mounted on DIRECTORY, where only this program and its child, which serves
 * it, can see it. Leaves nothing: 20 files, each opened and closed. See zoo.h for what is printed.
 */
#include "zoo.h"

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { DIRECTORY_NODE = 1, FILE_NODE = 2 };

static struct fuse_attr attributes(unsigned long node)
{
	mode_t mode = node == DIRECTORY_NODE ? S_IFDIR | 0755 : S_IFREG | 0644;

	return (struct fuse_attr){ .ino = node, .mode = mode, .nlink = 1, .blksize = 4096 };
}

/* Writes the answer to a request into `body`; its size, or an error. */
static int answer(const struct fuse_in_header *request, void *body)
{
	struct fuse_init_out *hello = body;
	struct fuse_entry_out *entry = body;
	struct fuse_attr_out *about = body;

	switch (request->opcode) {
	case FUSE_INIT:
		*hello = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
		return sizeof *hello;
	case FUSE_LOOKUP:
		*entry = (struct fuse_entry_out){ .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
		return sizeof *entry;
	case FUSE_GETATTR:
		*about = (struct fuse_attr_out){ .attr = attributes(request->nodeid) };
		return sizeof *about;
	case FUSE_OPEN:
		memset(body, 0, sizeof(struct fuse_open_out));
		return sizeof(struct fuse_open_out);
	case FUSE_FLUSH:
		return -EIO;
	case FUSE_RELEASE:
		return 0;
	}
	return -ENOSYS;
}

/* Until the file system is unmounted. */
static void serve(int device)
{
	static char incoming[FUSE_MIN_READ_BUFFER + 8192];
	struct {
		struct fuse_out_header header;
		char body[256];
	} outgoing;
	const struct fuse_in_header *request = (const void *)incoming;

	while (read(device, incoming, sizeof incoming) > 0) {
		if (request->opcode == FUSE_FORGET || request->opcode == FUSE_BATCH_FORGET)
			continue;
		int size = answer(request, outgoing.body);
		outgoing.header = (struct fuse_out_header){ .unique = request->unique,
							    .error = size < 0 ? size : 0 };
		outgoing.header.len = (unsigned)(sizeof outgoing.header + (size_t)(size > 0 ? size : 0));
		checked(write(device, &outgoing, outgoing.header.len), "answer");
	}
	_exit(0);
}

/* Mounts it for this program alone; returns the process that serves it. */
static pid_t mount_on(const char *directory)
{
	char options[128];
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (device < 0)
		skip("/dev/fuse cannot be opened");
	checked(unshare(CLONE_NEWNS), "unshare");
	checked(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	if (mount("zoo", directory, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
		skip("this kernel does not mount FUSE");
	pid_t server = checked(fork(), "fork");
	if (server == 0)
		serve(device);
	shut(device);
	return server;
}

static void s11_close_eio(void)
{
	char path[4096];
	pid_t server = mount_on(arguments[0]);

	snprintf(path, sizeof path, "%s/file", arguments[0]);
	REPEAT(20) {
		int once = checked(open(path, O_RDONLY), path);

		refused(close(once), EIO, "close");
		if (is_open(once))
			errx(99, "still open");
	}
	checked(umount2(arguments[0], MNT_DETACH), "umount");
	reap(server);
	met(20, "closes that failed with EIO");
}

int main(int argc, char **argv)
{
	const struct scenario all[] = { { "s11_close_eio", s11_close_eio }, { NULL, NULL } };

	if (argc < 3)
		errx(99, "which directory?");
	return zoo(argc, argv, all);
}
