/*
 * threads MODE
 *
 * Stacks that are not the first thread's: of a thread, of a thread with the smallest stack there is,
 * and of a coroutine whose stack ends where nothing is mapped.
 */
#include "origins.h"
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#define SMALL (64 * 1024)

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME void *works(void *nothing)
{
	REPEAT
		leak();
	return nothing;
}

static void run_with(size_t stack)
{
	pthread_attr_t attributes;
	pthread_t thread;

	succeeds(pthread_attr_init(&attributes));
	if (stack > 0)
		succeeds(pthread_attr_setstacksize(&attributes, stack));
	succeeds(pthread_create(&thread, &attributes, works, NULL));
	succeeds(pthread_join(thread, NULL));
}

static FRAME void in_thread(void)
{
	run_with(0);
}

static FRAME void in_small_thread(void)
{
	run_with((size_t)sysconf(_SC_THREAD_STACK_MIN));
}

static ucontext_t outside, inside;

static FRAME void resumed(void)
{
	REPEAT
		leak();
	succeeds(swapcontext(&inside, &outside));
}

static FRAME void in_coroutine(void)
{
	char *stack = mmap(NULL, 2 * SMALL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		err(99, "mmap");
	succeeds(mprotect(stack, SMALL, PROT_READ | PROT_WRITE));
	succeeds(getcontext(&inside));
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = SMALL;
	inside.uc_link = NULL;
	makecontext(&inside, resumed, 0);
	succeeds(swapcontext(&outside, &inside));
}

static const struct mode modes[] = {
	{ "in_thread", in_thread },
	{ "in_small_thread", in_small_thread },
	{ "in_coroutine", in_coroutine },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	(void)count;
	chosen(words, modes)();
	RETURNS_HERE();
	return 0;
}
