/*
 * bare MODE
 *
 * Callers of the functions in bare.S, and of code that is in no file.
 */
#include "origins.h"
#include <sys/mman.h>

int bare_kernel(void);
int bare_libc(void);
int bare_sizeless(void);
int bare_framed(void);

static FRAME void enters_kernel(void)
{
	checked(bare_kernel());
}

static FRAME void enters_libc(void)
{
	checked(bare_libc());
}

static FRAME void enters_sizeless(void)
{
	checked(bare_sizeless());
}

static FRAME void enters_framed(void)
{
	checked(bare_framed());
}

static FRAME void leak(void)
{
	checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

/* A function without a name, a file or a frame pointer, which calls what it is given. */
static const unsigned char code[] = {
	0x48, 0x83, 0xec, 0x08, /* sub $8, %rsp */
	0xff, 0xd7, /* call *%rdi */
	0x48, 0x83, 0xc4, 0x08, /* add $8, %rsp */
	0xc3, /* ret */
};

static FRAME void enters_generated(void)
{
	static void *page = MAP_FAILED;

	if (page == MAP_FAILED) {
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			err(99, "mmap");
		memcpy(page, code, sizeof code);
	}
	((void (*)(void (*)(void)))page)(leak);
	RETURNS_HERE();
}

static const struct mode modes[] = {
	{ "enters_generated", enters_generated },
	{ "enters_kernel", enters_kernel },
	{ "enters_libc", enters_libc },
	{ "enters_sizeless", enters_sizeless },
	{ "enters_framed", enters_framed },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	void (*steps)(void) = chosen(words, modes);

	(void)count;
	REPEAT
		steps();
	return 0;
}
