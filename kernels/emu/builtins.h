// CUDA's names for the host's compiler: what kernel sources use of the language and of its headers. The bodies are in the emulated driver.
//
// Kernels are compiled with the instrumentation of GCC's kernel address sanitizer, which calls a function before each load and store (see
// access.cc); nothing in the sources changes for that. These declarations are out of line, so that the driver's own memory is not checked.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline, unused))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emu {

struct Dim { unsigned x, y, z; };

// Constant for the life of a fiber, which is all that runs kernel code.
Dim thread_index() __attribute__((const));
Dim block_index() __attribute__((const));
Dim block_size() __attribute__((const));
Dim grid_size() __attribute__((const));

void barrier(const char *file, int line);
void warp_barrier(unsigned mask, const char *file, int line);
uint64_t shuffle(unsigned mask, uint64_t value, int source, const char *file, int line);
unsigned vote(unsigned mask, bool predicate, const char *file, int line); // the lanes of mask whose predicate holds
int lane();

// The block's array that `key` identifies.
void *shared_array(const void *key, const char *name, size_t bytes);
void *dynamic_shared_memory();

// check_vector fails the launch unless p is a multiple of size.
void check_vector(const void *p, size_t size, const char *what);

// How a kernel is called: one word for each argument, already on the fiber's stack.
typedef void (*Entry)(const uint64_t *words);

template <class T> T argument(uint64_t word) {
	static_assert(std::is_trivially_copyable<T>::value && (sizeof(T) == 4 || sizeof(T) == 8), "a kernel's parameters have 4 or 8 bytes");
	T v;
	memcpy(&v, &word, sizeof v);
	return v;
}

void add_kernel(const char *name, const char *file, int threads, Entry entry, const int *sizes, int count);

template <auto Function, class> struct Caller;
template <auto Function, class... A> struct Caller<Function, void (*)(A...)> {
	static constexpr int sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
	template <size_t... I> static void call(const uint64_t *words, std::index_sequence<I...>) { Function(argument<A>(words[I])...); }
	static void run(const uint64_t *words) { call(words, std::index_sequence_for<A...>{}); }
};

template <auto Function> struct Registration {
	Registration(const char *name, const char *file, int threads) {
		using C = Caller<Function, decltype(Function)>;
		constexpr int count = sizeof C::sizes / sizeof(int) - 1;
		add_kernel(name, file, threads, &C::run, C::sizes, count);
	}
};

} // namespace emu

#define EXPORT_KERNEL(name, threads, blocks, parameters)                              \
	static void name parameters;                                                      \
	static_assert((blocks) > 0, "at least one block fits into a multiprocessor");     \
	static const emu::Registration<&name> registration_##name(#name, __FILE__, threads); \
	static void name parameters

#define SHARED(type, name, dimensions)                                             \
	typedef type name##_array dimensions;                                          \
	static const char name##_key = 0;                                              \
	name##_array &name = *static_cast<name##_array *>(emu::shared_array(&name##_key, #name, sizeof(name##_array)))

#define DYNAMIC_SHARED(type, name) type *const name = static_cast<type *>(emu::dynamic_shared_memory())

#define threadIdx (emu::thread_index())
#define blockIdx (emu::block_index())
#define blockDim (emu::block_size())
#define gridDim (emu::grid_size())

template <class V> inline V load_vector(const void *p) {
	emu::check_vector(p, sizeof(V), "load");
	return *static_cast<const V *>(p);
}

template <class V> inline void store_vector(void *p, V v) {
	emu::check_vector(p, sizeof(V), "store");
	*static_cast<V *>(p) = v;
}

// The call's line tells apart the places where threads wait.
#define EMU_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EMU_SITE) { emu::barrier(file, line); }
inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_SITE) { emu::warp_barrier(mask, file, line); }

namespace emu {
template <class T> T shuffle_value(unsigned mask, T v, int source, const char *file, int line) {
	static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
	uint64_t word = 0;
	memcpy(&word, &v, sizeof v);
	word = shuffle(mask, word, source, file, line);
	memcpy(&v, &word, sizeof v);
	return v;
}
} // namespace emu

template <class T> T __shfl_sync(unsigned mask, T v, int source, EMU_SITE) { return emu::shuffle_value(mask, v, source & 31, file, line); }
template <class T> T __shfl_xor_sync(unsigned mask, T v, int bits, EMU_SITE) { return emu::shuffle_value(mask, v, emu::lane() ^ bits, file, line); }
template <class T> T __shfl_down_sync(unsigned mask, T v, int delta, EMU_SITE) {
	const int source = emu::lane() + delta; // beyond the warp a lane keeps its own value
	return emu::shuffle_value(mask, v, source < 32 ? source : emu::lane(), file, line);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, int delta, EMU_SITE) {
	const int source = emu::lane() - delta;
	return emu::shuffle_value(mask, v, source >= 0 ? source : emu::lane(), file, line);
}
inline unsigned __ballot_sync(unsigned mask, bool p, EMU_SITE) { return emu::vote(mask, p, file, line); }
inline bool __any_sync(unsigned mask, bool p, EMU_SITE) { return emu::vote(mask, p, file, line) != 0; }
inline bool __all_sync(unsigned mask, bool p, EMU_SITE) { return emu::vote(mask, p, file, line) == mask; }

inline unsigned __float_as_uint(float v) {
	unsigned word;
	memcpy(&word, &v, sizeof word);
	return word;
}
inline float __uint_as_float(unsigned v) { return emu::argument<float>(v); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<uint64_t>(a) * b >> 32; }

using std::isfinite;
using std::isnan;
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
