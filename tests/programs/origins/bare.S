/*
 * Functions without unwind information, as people write them in assembly. Each opens "/dev/null",
 * and keeps something in %rbp that is no frame.
 */
	.section .rodata
path:	.string "/dev/null"

	.text

/* A function on its own, next to which the stack must not be continued. */
	.globl bystander
	.type bystander, @function
bystander:
	nop
	call abort
	nop
	ret
	.size bystander, .-bystander

/* Enters the kernel itself. Pushes addresses behind a call, which are no frames either. */
	.globl bare_kernel
	.type bare_kernel, @function
bare_kernel:
	push %rbp
	push %rbx
	lea bystander+6(%rip), %rbx
	push %rbx
	push %rbx
	lea path(%rip), %rbp
	mov %rbp, %rsi
	mov $-100, %rdi
	xor %edx, %edx
	mov $257, %eax
	syscall
	add $16, %rsp
	pop %rbx
	pop %rbp
	ret
	.size bare_kernel, .-bare_kernel

/* Calls open. */
	.globl bare_libc
	.type bare_libc, @function
bare_libc:
	push %rbp
	push %rbx
	lea bystander+6(%rip), %rbx
	push %rbx
	lea path(%rip), %rbp
	mov %rbp, %rdi
	xor %esi, %esi
	xor %eax, %eax
	call open@PLT
	pop %rbx
	pop %rbx
	pop %rbp
	ret
	.size bare_libc, .-bare_libc

/* The same, and the symbol has no size: all that is known is where it begins. */
	.globl bare_sizeless
bare_sizeless:
	push %rbp
	push %rbx
	lea bystander+6(%rip), %rbx
	push %rbx
	lea path(%rip), %rbp
	mov %rbp, %rdi
	xor %esi, %esi
	xor %eax, %eax
	call open@PLT
	pop %rbx
	pop %rbx
	pop %rbp
	ret

/* Calls open with a frame of the old kind, which can be followed. */
	.globl bare_framed
	.type bare_framed, @function
bare_framed:
	push %rbp
	mov %rsp, %rbp
	lea path(%rip), %rdi
	xor %esi, %esi
	xor %eax, %eax
	call open@PLT
	pop %rbp
	ret
	.size bare_framed, .-bare_framed

	.section .note.GNU-stack, "", @progbits
