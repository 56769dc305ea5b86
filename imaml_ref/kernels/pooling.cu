// Max-pooling over windows that lie side by side, in the letters and numbers of
// layers/pooling.py.
//
// max_pool       y = x_w, w the winner: the first of the largest entries of a window      (1)
// max_pool_jvp   ẏ = ẋ_w                                                                  (3)
// max_pool_vjp   x̄_k = ȳ where k = w, else 0, also for pixels in no window                (3)
//
// Entry k = a·size_w + b of a window is its pixel (a, b).  Not a number is larger than
// every number, as in NumPy.

#ifndef REAL
#define REAL float
#endif

#define THREADS 256

// Take the last index off a flattened one.
__device__ __forceinline__ int take(unsigned& index, unsigned size) {
  const unsigned all = index;
  index /= size;
  return all - index * size;
}

// Where the first entry of a window is in x, for an entry of y.
__device__ __forceinline__ long long window(unsigned place, int height, int width,
                                            int channels, int out_height, int out_width,
                                            int size_h, int size_w) {
  const int c = take(place, channels), j = take(place, out_width);
  const int i = take(place, out_height);
  return ((long long)(place * height + i * size_h) * width + j * size_w) * channels + c;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    max_pool(const REAL* __restrict__ x, REAL* __restrict__ y, int* __restrict__ winner,
             int images, int height, int width, int channels, int out_height,
             int out_width, int size_h, int size_w) {
  const unsigned place = blockIdx.x * THREADS + threadIdx.x;
  if (place >= (unsigned)images * out_height * out_width * channels) return;
  x += window(place, height, width, channels, out_height, out_width, size_h, size_w);
  REAL largest = x[0];
  int first = 0;
  for (int a = 0; a < size_h; a++)
    for (int b = 0; b < size_w; b++) {
      const REAL x_k = x[(a * width + b) * channels];
      const bool wins = x_k > largest || (x_k != x_k && largest == largest);
      largest = wins ? x_k : largest;
      first = wins ? a * size_w + b : first;
    }
  y[place] = largest;
  winner[place] = first;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    max_pool_jvp(const REAL* __restrict__ x_dot, const int* __restrict__ winner,
                 REAL* __restrict__ y_dot, int images, int height, int width, int channels,
                 int out_height, int out_width, int size_h, int size_w) {
  const unsigned place = blockIdx.x * THREADS + threadIdx.x;
  if (place >= (unsigned)images * out_height * out_width * channels) return;
  x_dot += window(place, height, width, channels, out_height, out_width, size_h, size_w);
  const int a = winner[place] / size_w, b = winner[place] % size_w;
  y_dot[place] = x_dot[(a * width + b) * channels];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    max_pool_vjp(const REAL* __restrict__ y_bar, const int* __restrict__ winner,
                 REAL* __restrict__ x_bar, int images, int height, int width, int channels,
                 int out_height, int out_width, int size_h, int size_w) {
  const unsigned place = blockIdx.x * THREADS + threadIdx.x;
  if (place >= (unsigned)images * height * width * channels) return;
  unsigned n = place;
  const int c = take(n, channels), w = take(n, width), h = take(n, height);
  const int i = h / size_h, j = w / size_w;
  const int k = (h - i * size_h) * size_w + (w - j * size_w);
  REAL x_bar_k = 0;
  if (i < out_height && j < out_width) {
    const long long of = ((long long)(n * out_height + i) * out_width + j) * channels + c;
    if (winner[of] == k) x_bar_k = y_bar[of];
  }
  x_bar[place] = x_bar_k;
}
