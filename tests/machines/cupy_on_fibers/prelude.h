// What CuPy's kernels find on a device, on fibers.

#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#undef __global__
#undef __device__
#undef __host__
#undef __forceinline__
#undef __launch_bounds__
#undef __align__
#undef __shared__
#undef __noinline__
#define __host__
#define __noinline__

#include "fibers.h"

using std::abs, std::isfinite, std::isinf, std::isnan, std::max, std::min, std::pow, std::signbit;

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline bool isnan(int) { return false; }
inline bool isnan(long) { return false; }
inline bool isnan(long long) { return false; }
template <class T>
T rsqrt(T x) {
  return 1 / std::sqrt(x);
}
