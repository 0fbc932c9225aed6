/*
 * signals MODE
 *
 * Leaks in a signal handler: below a call of raise, below a loop that an alarm interrupted, on a
 * stack of its own, and below a fault in the very first instruction of a function (what lies before
 * that instruction is another function, and no part of the stack).
 */
#include "origins.h"
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t handled;

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME void on_signal(int number)
{
	(void)number;
	if (handled < turns)
		leak();
	handled++;
}

/* Two bytes long is the instruction that faults, which the handler leaves out. */
static FRAME void on_fault(int number, siginfo_t *information, void *context)
{
	ucontext_t *state = context;

	(void)number;
	(void)information;
	leak();
	state->uc_mcontext.gregs[REG_RIP] += 2;
}

static void listen_to(int number, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	succeeds(sigaction(number, &action, NULL));
}

static FRAME void raises(void)
{
	REPEAT
		raise(SIGUSR1);
}

static FRAME void raised(void)
{
	listen_to(SIGUSR1, 0);
	raises();
	RETURNS_HERE();
}

static FRAME void spins(void)
{
	while (handled < turns)
		;
}

static FRAME void interrupted(void)
{
	const struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };

	listen_to(SIGALRM, 0);
	succeeds(setitimer(ITIMER_REAL, &every, NULL));
	spins();
	succeeds(setitimer(ITIMER_REAL, &never, NULL));
}

static FRAME void raised_aside(void)
{
	stack_t aside = { .ss_sp = malloc(64 * 1024), .ss_size = 64 * 1024 };

	exists(aside.ss_sp);
	succeeds(sigaltstack(&aside, NULL));
	listen_to(SIGUSR1, SA_ONSTACK);
	raises();
	RETURNS_HERE();
}

/* The function before the one that faults, without a gap. */
void faults_at_once(void);
__asm__(".text\n"
	".type neighbour, @function\n"
	"neighbour:\n"
	"	.cfi_startproc\n"
	"	call abort\n"
	"	.cfi_endproc\n"
	"	.size neighbour, .-neighbour\n"
	".type faults_at_once, @function\n"
	"faults_at_once:\n"
	"	.cfi_startproc\n"
	"	ud2\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size faults_at_once, .-faults_at_once\n");

static FRAME void faulted(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	succeeds(sigaction(SIGILL, &action, NULL));
	REPEAT
		faults_at_once();
	RETURNS_HERE();
}

static const struct mode modes[] = {
	{ "raised", raised },
	{ "interrupted", interrupted },
	{ "raised_aside", raised_aside },
	{ "faulted", faulted },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	(void)count;
	chosen(words, modes)();
	RETURNS_HERE();
	return 0;
}
