// One vector of floats, by the widest registers of the instruction set that the including file is compiled for. The rest of the kernels
// are written in these names alone.
//
//	VL             floats in a vector
//	MR, NV         rows and vectors of the register tile: MR·NV accumulators, NV vectors and a broadcast fit the register file
//	vloadn         the first n floats, 0 < n <= VL, the rest zero; vstoren likewise touches no more than n
//	vmin, vmax     the second operand where one of them is NaN
//	vround, vpow2  the nearest integer; 2^n for an integer n in [-126, 127]
//	vpositive      x where a > 0, else 0
//	vsum           the sum of the lanes
//	vequal         x where a == b, else 0
//	vpairs         the sums of neighbouring lanes: those of a, then those of b
//	vtwice         each lane of half h of a (0 or 1) twice
//	vlarger        x where u > m, else y
//	vtake          x where u is larger than m, else y; a NaN is larger than anything, and nothing is larger than a NaN
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(ISA_AVX512)
#include <immintrin.h>
#define VL 16
#define MR 12
#define NV 2
typedef __m512 vf;
INLINE vf vload(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vstore(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vset(float x) { return _mm512_set1_ps(x); }
INLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf vround(vf a) { return _mm512_roundscale_ps(a, 0); }
INLINE vf vpow2(vf n) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23)); }
INLINE vf vpositive(vf a, vf x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GT_OQ), x); }
INLINE float vsum(vf a) { return _mm512_reduce_add_ps(a); }
INLINE vf vequal(vf a, vf b, vf x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), x); }
INLINE vf vlarger(vf u, vf m, vf x, vf y) { return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(u, m, _CMP_GT_OQ), x); }
INLINE vf vtake(vf u, vf m, vf x, vf y) {
	return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(u, m, _CMP_NLE_UQ) & _mm512_cmp_ps_mask(m, m, _CMP_ORD_Q), x);
}
INLINE vf vpairs(vf a, vf b) {
	const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	return _mm512_permutex2var_ps(a, even, b) + _mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
}
INLINE vf vtwice(vf a, const int h) {
	const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
	return _mm512_permutexvar_ps(_mm512_add_epi32(low, _mm512_set1_epi32(8 * h)), a);
}
INLINE __mmask16 vhead(int64_t n) { return (__mmask16)((1u << n) - 1); }
INLINE vf vloadn(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(vhead(n), p); }
INLINE void vstoren(float *p, vf a, int64_t n) { _mm512_mask_storeu_ps(p, vhead(n), a); }
#elif defined(ISA_AVX2)
#include <immintrin.h>
#define VL 8
#define MR 6
#define NV 2
typedef __m256 vf;
INLINE vf vload(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vstore(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vset(float x) { return _mm256_set1_ps(x); }
INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vround(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vpow2(vf n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)); }
INLINE vf vpositive(vf a, vf x) { return _mm256_and_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GT_OQ), x); }
INLINE float vsum(vf a) {
	const __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	const __m128 t = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
INLINE vf vequal(vf a, vf b, vf x) { return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ), x); }
INLINE vf vlarger(vf u, vf m, vf x, vf y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(u, m, _CMP_GT_OQ)); }
INLINE vf vtake(vf u, vf m, vf x, vf y) {
	return _mm256_blendv_ps(y, x, _mm256_and_ps(_mm256_cmp_ps(u, m, _CMP_NLE_UQ), _mm256_cmp_ps(m, m, _CMP_ORD_Q)));
}
INLINE vf vpairs(vf a, vf b) {
	const __m256d sums = _mm256_castps_pd(_mm256_hadd_ps(a, b)); // two of a, two of b, and again
	return _mm256_castpd_ps(_mm256_permute4x64_pd(sums, 0xd8));
}
INLINE vf vtwice(vf a, const int h) {
	const __m256i low = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
	return _mm256_permutevar8x32_ps(a, _mm256_add_epi32(low, _mm256_set1_epi32(4 * h)));
}
INLINE __m256i vhead(int64_t n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vloadn(const float *p, int64_t n) { return _mm256_maskload_ps(p, vhead(n)); }
INLINE void vstoren(float *p, vf a, int64_t n) { _mm256_maskstore_ps(p, vhead(n), a); }
#else // 16 bytes, which every 64-bit processor has: NEON, SSE2
#define VL 4
#define MR 6
#if defined(__aarch64__)
#define NV 4
#else
#define NV 2
#endif
typedef float vf __attribute__((vector_size(16)));
typedef float vfu __attribute__((vector_size(16), aligned(4), may_alias));
INLINE vf vload(const float *p) { return *(const vfu *)p; }
INLINE void vstore(float *p, vf a) { *(vfu *)p = a; }
INLINE vf vset(float x) { return (vf){x, x, x, x}; }
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
typedef int32_t vi __attribute__((vector_size(16)));
INLINE vf vchoose(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
INLINE vf vmin(vf a, vf b) { return vchoose(a < b, a, b); }
INLINE vf vmax(vf a, vf b) { return vchoose(a > b, a, b); }
INLINE float vsum(vf a) { return (a[0] + a[1]) + (a[2] + a[3]); }
INLINE vf vequal(vf a, vf b, vf x) { return (vf)((a == b) & (vi)x); }
INLINE vf vlarger(vf u, vf m, vf x, vf y) { return vchoose(u > m, x, y); }
INLINE vf vtake(vf u, vf m, vf x, vf y) { return vchoose(~(u <= m) & (m == m), x, y); }
INLINE vf vpairs(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7); }
INLINE vf vtwice(vf a, const int h) { return h ? __builtin_shufflevector(a, a, 2, 2, 3, 3) : __builtin_shufflevector(a, a, 0, 0, 1, 1); }
#if defined(__SSE2__)
#include <emmintrin.h>
INLINE vf vsqrt(vf a) { return _mm_sqrt_ps(a); }
#elif defined(__aarch64__)
#include <arm_neon.h>
INLINE vf vsqrt(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
#else
INLINE vf vsqrt(vf a) {
	for (int i = 0; i < VL; i++) a[i] = __builtin_sqrtf(a[i]);
	return a;
}
#endif
INLINE vf vround(vf a) { // for |a| < 2^22: adding 1.5·2^23 leaves no bits for a fraction
	const vf big = vset(12582912.0f);
	return a + big - big;
}
INLINE vf vpow2(vf n) { return (vf)((__builtin_convertvector(n, vi) + 127) << 23); }
INLINE vf vpositive(vf a, vf x) { return (vf)((a > vset(0)) & (vi)x); }
INLINE vf vloadn(const float *p, int64_t n) {
	if (n == VL)
		return vload(p);
	vf a = {0};
	memcpy(&a, p, 4 * (size_t)n);
	return a;
}
INLINE void vstoren(float *p, vf a, int64_t n) {
	if (n == VL)
		vstore(p, a);
	else
		memcpy(p, &a, 4 * (size_t)n);
}
#endif

// VKEEP makes the compiler load a vector that several instructions use once, rather than as a part of each of them: a load that crosses cache
// lines is slower than what it is loaded for.
#if defined(ISA_AVX512)
#define VKEEP(a) __asm__("" : "+v"(a))
#elif defined(ISA_AVX2)
#define VKEEP(a) __asm__("" : "+x"(a))
#else
#define VKEEP(a) ((void)0)
#endif

// fetch brings the line at p into the second-level cache. On its way to the first, a line from memory would hold one of the few buffers of that one all the
// time, which halves the rate.
INLINE void fetch(const float *p) { __builtin_prefetch(p, 0, 2); }

enum { cache_line = 16 }; // floats

#define NR (NV * VL)
