// Patches of images, and their adjoint, in the letters and numbers of ops.py.
//
// patches           X[(n, i, j), (a, b, c)] = x[n, s_h i + a − p_h, s_w j + b − p_w, c]    (1)
// patches_adjoint   x̄[n, h, w, c] = Σ X̄[(n, i, j), (a, b, c)]                             (2)
//
// and 0 where (1) leaves the image.  The sum is over all i, a with s_h i + a − p_h = h and
// all j, b with s_w j + b − p_w = w: each pixel gathers its own, nobody adds to another's.
//
// A thread takes one entry, or four channels in a row where memory allows, and goes on
// behind the last thread of the grid if anything is left.

#ifndef REAL
#define REAL float
#endif

#define THREADS 256
#define FOR_PLACES(place, count)                                                  \
  for (unsigned place = blockIdx.x * THREADS + threadIdx.x; place < (count); \
       place += gridDim.x * THREADS)

struct __align__(4 * sizeof(REAL)) Four {
  REAL at[4];
  __device__ __forceinline__ void operator+=(const Four& other) {
#pragma unroll
    for (int n = 0; n < 4; n++) at[n] += other.at[n];
  }
};

struct Sizes {
  int images, height, width, channels, out_height, out_width, size_h, size_w;
  int stride_h, stride_w, pad_h, pad_w;
};

// Whether four channels can be moved at once.
__device__ __forceinline__ bool in_fours(const void* a, const void* b, int channels) {
  const unsigned long long places = (unsigned long long)a | (unsigned long long)b;
  return channels % 4 == 0 && places % sizeof(Four) == 0;
}

// Take the last index off a flattened one.
__device__ __forceinline__ int take(unsigned& index, unsigned size) {
  const unsigned all = index;
  index /= size;
  return all - index * size;
}

template <class V>
__device__ __forceinline__ void patch(const V* x, V* X, const Sizes& s, unsigned place) {
  const V zero = {};
  unsigned rest = place;
  const int c = take(rest, s.channels), b = take(rest, s.size_w), a = take(rest, s.size_h);
  const int j = take(rest, s.out_width), i = take(rest, s.out_height);
  const int h = s.stride_h * i + a - s.pad_h, w = s.stride_w * j + b - s.pad_w;
  const bool inside = 0 <= h && h < s.height && 0 <= w && w < s.width;
  X[place] = inside ? x[((long long)(rest * s.height + h) * s.width + w) * s.channels + c]
                    : zero;
}

// The first and the last window that meet a pixel, place = stride · i + a − pad, 0 ≤ a < size.
__device__ __forceinline__ int first_window(int place, int size, int stride) {
  return place < size ? 0 : (place - size) / stride + 1;
}
__device__ __forceinline__ int last_window(int place, int stride, int count) {
  const int last = place / stride;
  return last < count ? last : count - 1;
}

template <class V>
__device__ __forceinline__ void gather(const V* X_bar, V* x_bar, const Sizes& s,
                                       unsigned place) {
  unsigned rest = place;
  const int c = take(rest, s.channels), w = take(rest, s.width) + s.pad_w;
  const int h = take(rest, s.height) + s.pad_h;
  const int last_i = last_window(h, s.stride_h, s.out_height);
  const int last_j = last_window(w, s.stride_w, s.out_width);
  V sum = {};
  for (int i = first_window(h, s.size_h, s.stride_h); i <= last_i; i++)
    for (int j = first_window(w, s.size_w, s.stride_w); j <= last_j; j++) {
      const long long window = (long long)(rest * s.out_height + i) * s.out_width + j;
      const int a = h - s.stride_h * i, b = w - s.stride_w * j;
      sum += X_bar[((window * s.size_h + a) * s.size_w + b) * s.channels + c];
    }
  x_bar[place] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    patches(const REAL* __restrict__ x, REAL* __restrict__ X, int images, int height,
            int width, int channels, int out_height, int out_width, int size_h, int size_w,
            int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {images, height, width, channels, out_height, out_width,
             size_h, size_w, stride_h, stride_w, pad_h, pad_w};
  const unsigned windows = images * out_height * out_width * size_h * size_w;
  if (in_fours(x, X, channels)) {
    s.channels /= 4;
    FOR_PLACES(place, windows * s.channels) patch((const Four*)x, (Four*)X, s, place);
  } else {
    FOR_PLACES(place, windows * s.channels) patch(x, X, s, place);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    patches_adjoint(const REAL* __restrict__ X_bar, REAL* __restrict__ x_bar, int images,
                    int height, int width, int channels, int out_height, int out_width,
                    int size_h, int size_w, int stride_h, int stride_w, int pad_h,
                    int pad_w) {
  Sizes s = {images, height, width, channels, out_height, out_width,
             size_h, size_w, stride_h, stride_w, pad_h, pad_w};
  const unsigned pixels = images * height * width;
  if (in_fours(X_bar, x_bar, channels)) {
    s.channels /= 4;
    FOR_PLACES(place, pixels * s.channels) gather((const Four*)X_bar, (Four*)x_bar, s, place);
  } else {
    FOR_PLACES(place, pixels * s.channels) gather(X_bar, x_bar, s, place);
  }
}
