/* one_byte - a static program without a library: its first system call writes one byte to descriptor 3. `one_byte WAY FILE` first maps
 * FILE as a dynamic loader maps a program, which it is itself in the kernel's eyes: it was started without one. Ways: `map`, as code;
 * `deny`, glibc's of a program whose code its relocations write into a part without a file; `text`, musl's of one with DT_TEXTREL.
 * `one_byte exec FILE WORD...` starts FILE instead, with WORD... as its arguments. */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <sys/syscall.h>

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d,
			 x4 __asm__("x4") = e, x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "add the system call of this machine"
#endif
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#else
__asm__(".globl _start\n_start: mov x0, sp\n bl begin\n");
#endif

void begin(const long *stack);

void begin(const long *stack)
{
	const char *word = stack[0] >= 3 ? (const char *) stack[2] : "";

	if (word[0] == 'e')
		(void) call(SYS_execve, stack[3], (long) &stack[4], 0, 0, 0, 0);
	if (word[0] == 'm' || word[0] == 'd' || word[0] == 't') {
		long fd = call(SYS_openat, AT_FDCWD, stack[3], O_RDONLY, 0, 0, 0);
		long prot = word[0] == 'm' ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE;
		long at = call(SYS_mmap, 0, 4096, prot, MAP_PRIVATE | (word[0] == 't' ? 0 : MAP_DENYWRITE), fd, 0);

		if (word[0] == 't')
			(void) call(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0);
	}
	(void) call(SYS_write, 3, (long) "x", 1, 0, 0, 0);
	(void) call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
	for (;;)
		;
}
