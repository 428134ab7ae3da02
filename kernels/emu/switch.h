// Fibers: stacks, and switching between them.
#pragma once

#include <cstddef>

namespace emu {

// A Context is a place where execution was left.
struct Context {
	void *stack_pointer;
};

// switch_to leaves the current execution in `from` and continues `to`. It saves what the ABI asks a function to preserve.
void switch_to(Context &from, const Context &to);

// prepare makes `to` start at main() on an empty stack that ends at `top`. Main must not return.
void prepare(Context &to, void *top, void (*main)());

// stacks returns at least `count` stacks of stack_size bytes each, stack_stride apart, with an unreadable page below each.
constexpr size_t stack_size = 64 << 10, stack_stride = stack_size + (64 << 10);
char *stacks(size_t count);

} // namespace emu
