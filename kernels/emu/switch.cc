#include "switch.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace emu {

// swapcontext makes a system call for the signal mask at each switch; these few instructions are some fifty times faster. EMU_UCONTEXT selects it nevertheless.
#if defined(__x86_64__) && !defined(EMU_UCONTEXT)

extern "C" void emu_switch(void **from, void *to);
__asm__(R"(
	.text
	.hidden emu_switch
	.globl emu_switch
	.type emu_switch, @function
emu_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size emu_switch, .-emu_switch
)");

void switch_to(Context &from, const Context &to) { emu_switch(&from.stack_pointer, to.stack_pointer); }

void prepare(Context &to, void *top, void (*main)()) {
	// At main's entry the stack must be 8 bytes below a multiple of 16, as after a call.
	uintptr_t *p = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t(15)) - 8;
	memset(p, 0, 8 * sizeof *p);
	p[6] = reinterpret_cast<uintptr_t>(main);
	to.stack_pointer = p;
}

#elif defined(__aarch64__) && !defined(EMU_UCONTEXT)

extern "C" void emu_switch(void **from, void *to);
__asm__(R"(
	.text
	.hidden emu_switch
	.globl emu_switch
	.type emu_switch, %function
emu_switch:
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret
	.size emu_switch, .-emu_switch
)");

void switch_to(Context &from, const Context &to) { emu_switch(&from.stack_pointer, to.stack_pointer); }

void prepare(Context &to, void *top, void (*main)()) {
	uintptr_t *p = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t(15)) - 20;
	memset(p, 0, 20 * sizeof *p);
	p[11] = reinterpret_cast<uintptr_t>(main); // x30, where ret goes
	to.stack_pointer = p;
}

#else

} // namespace emu
#include <ucontext.h>
namespace emu {

// The slow way: a Context points to a ucontext_t that lies at the top of the stack, or is the scheduler's.
static ucontext_t scheduler;

static ucontext_t *of(const Context &c) { return c.stack_pointer ? static_cast<ucontext_t *>(c.stack_pointer) : &scheduler; }

void switch_to(Context &from, const Context &to) { swapcontext(of(from), of(to)); }

void prepare(Context &to, void *top, void (*main)()) {
	char *p = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(top) - sizeof(ucontext_t)) & ~uintptr_t(63));
	to.stack_pointer = p;
	ucontext_t *u = of(to);
	getcontext(u);
	const size_t used = static_cast<char *>(top) - p;
	u->uc_stack.ss_sp = static_cast<char *>(top) - stack_size;
	u->uc_stack.ss_size = stack_size - used - 64;
	u->uc_link = nullptr;
	makecontext(u, main, 0);
}

#endif

char *stacks(size_t count) {
	static char *base;
	static size_t have;
	if (count > have) {
		if (base) munmap(base, have * stack_stride);
		void *p = mmap(nullptr, count * stack_stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED) {
			perror("emulated CUDA driver: no memory for the stacks of a block");
			abort();
		}
		base = static_cast<char *>(p);
		have = count;
		for (size_t i = 0; i < count; i++)
			if (mprotect(base + i * stack_stride + (stack_stride - stack_size), stack_size, PROT_READ | PROT_WRITE) != 0) {
				perror("emulated CUDA driver: no memory for the stack of a thread");
				abort();
			}
	}
	return base + (stack_stride - stack_size);
}

} // namespace emu
