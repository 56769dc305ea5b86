// Convolutions of all tasks without patches in memory.
//
// conv_bn_relu       Z = X W, then (1) of normalisation.cuh: c, ρ, a and y
// conv_bn_relu_jvp   Ż = Ẋ W + X Ẇ, then (4): μ, ρ̇, ȧ and ẏ
// conv_vjp           W̄ = Xᵀ Z̄
// conv_vjp_dot       R{W̄} = Ẋᵀ Z̄ + Xᵀ R{Z̄}
//
// with X the patches (1) of ops.py, of which no more than a tile is ever there.  The first
// two have one block for a task and 16 channels of Z: it has all rows, a tile after the
// other, so that it can go on to their means.  Channels of x come in fours.

struct Convolution {
  int examples, height, width, channels, out_height, out_width;
  int size_h, size_w, stride_h, stride_w, pad_h, pad_w, filters;

  __device__ __forceinline__ int rows() const { return examples * out_height * out_width; }
  __device__ __forceinline__ int length() const { return size_h * size_w * channels; }
  __device__ __forceinline__ long long image() const {
    return (long long)examples * height * width * channels;
  }
};

// The first pixel of a window: its place in the image, and among all pixels of a task.
struct Window {
  int h, w, pixel;

  __device__ __forceinline__ Window(const Convolution& of, int row) {
    const int j = row % of.out_width, ni = row / of.out_width;
    h = ni % of.out_height * of.stride_h - of.pad_h;
    w = j * of.stride_w - of.pad_w;
    pixel = (ni / of.out_height * of.height + h) * of.width + w;
  }
  __device__ __forceinline__ Window() {}
};

// Entry (a, b, c), (a, b, c + 1) … of a patch.
struct Tap {
  int a, b, c;

  __device__ __forceinline__ Tap(int a, int b, int c) : a(a), b(b), c(c) {}
  __device__ __forceinline__ Tap(const Convolution& of, int entry) {
    const int ab = entry / of.channels;
    c = entry % of.channels, a = ab / of.size_w, b = ab % of.size_w;
  }
};

// Four entries of the patch of a window.
__device__ __forceinline__ Run<4> four(const Convolution& of, const REAL* x, bool aligned,
                                       const Window& from, const Tap& tap, bool inside) {
  Run<4> found = {};
  inside &= 0 <= from.h + tap.a && from.h + tap.a < of.height;
  inside &= 0 <= from.w + tap.b && from.w + tap.b < of.width;
  if (!inside) return found;
  x += (from.pixel + tap.a * of.width + tap.b) * of.channels + tap.c;
  if (aligned) return *(const Run<4>*)x;
#pragma unroll
  for (int j = 0; j < 4; j++) found.at[j] = x[j];
  return found;
}

// Patches as the left factor, windows along w: a thread reads the same entries of a few.
template <class S>
struct Patches {
  static constexpr int FOURS = S::DEPTH / 4, EACH = S::THREADS / FOURS;
  static constexpr int COUNT = S::ROWS / EACH;
  static_assert(S::ROWS % EACH == 0, "every thread has as many entries");
  const Convolution& of;
  const REAL* x;
  bool aligned, inside[COUNT];
  Window from[COUNT];
  Run<4> kept[COUNT];

  __device__ __forceinline__ Patches(const Convolution& of, const REAL* x, int row)
      : of(of), x(x), aligned(is_aligned(x, sizeof(Run<4>))) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      const int window = row + threadIdx.x / FOURS + i * EACH;
      inside[i] = window < of.rows();
      from[i] = Window(of, window);
    }
  }

  template <class Order>
  __device__ __forceinline__ void read(const Order& at) {
    const int mine = threadIdx.x % FOURS * 4;
    const bool any = at.depth + mine < of.length();
    const Tap tap = at.tap(mine);
#pragma unroll
    for (int i = 0; i < COUNT; i++)
      kept[i] = four(of, x, aligned, from[i], tap, inside[i] && any);
  }

  __device__ __forceinline__ void write(REAL* shared) const {
#pragma unroll
    for (int i = 0; i < COUNT; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const int w = threadIdx.x / FOURS + i * EACH, d = threadIdx.x % FOURS * 4 + j;
        shared[S::at_A(w, d)] = kept[i].at[j];
      }
  }
};

// Patches transposed as the left factor, windows along d.
template <class S>
struct PatchesT {
  static constexpr int FOURS = S::ROWS / 4, EACH = S::THREADS / FOURS;
  static constexpr int COUNT = S::DEPTH / EACH;
  static_assert(S::DEPTH % EACH == 0, "every thread has as many entries");
  const Convolution& of;
  const REAL* x;
  bool aligned, inside;
  Tap tap;
  Run<4> kept[COUNT];

  __device__ __forceinline__ PatchesT(const Convolution& of, const REAL* x, int row)
      : of(of), x(x), aligned(is_aligned(x, sizeof(Run<4>))),
        inside(row + threadIdx.x % FOURS * 4 < of.length()),
        tap(of, row + threadIdx.x % FOURS * 4) {}

  template <class Order>
  __device__ __forceinline__ void read(const Order& at) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      const int window = at.depth + threadIdx.x / FOURS + i * EACH;
      kept[i] = four(of, x, aligned, Window(of, window), tap, inside && window < of.rows());
    }
  }

  __device__ __forceinline__ void write(REAL* shared) const {
#pragma unroll
    for (int i = 0; i < COUNT; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const int w = threadIdx.x % FOURS * 4 + j, d = threadIdx.x / FOURS + i * EACH;
        shared[S::at_A(w, d)] = kept[i].at[j];
      }
  }
};

// All taps of some channels before any of the next ones: windows overlap, and what was read
// for one tap is still near when another wants it.  For channels that are no whole pieces,
// in order.
template <class S>
struct ByChannels {
  const Convolution& of;
  const bool whole;
  int depth = 0, a = 0, b = 0, c = 0;  // entry depth of a patch is (a, b, c), if whole

  __device__ __forceinline__ ByChannels(const Convolution& of)
      : of(of), whole(of.channels % S::DEPTH == 0) {}

  __device__ __forceinline__ void next() {
    if (!whole) {
      depth += S::DEPTH;
      return;
    }
    if (++b == of.size_w) b = 0, a++;
    if (a == of.size_h) a = 0, c += S::DEPTH;
    depth = (a * of.size_w + b) * of.channels + c;
  }

  // Entry depth + further.
  __device__ __forceinline__ Tap tap(int further) const {
    return whole ? Tap(a, b, c + further) : Tap(of, depth + further);
  }
};

// One or two pairs of factors.
struct Factors {
  const REAL *left, *right, *second_left, *second_right;
};

// Z = X W for 16 channels of a task; of two pairs, Z = Ẋ W + X Ẇ.
template <class S, int PAIRS>
__device__ __forceinline__ void conv_rows(const Convolution& of, const Factors& f, REAL* Z) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const int col = blockIdx.x * S::COLS;
  for (int row = 0; row < of.rows(); row += S::ROWS) {
    S sums;
#pragma unroll 1
    for (int pair = 0; pair < PAIRS; pair++) {
      if (pair > 0) __syncthreads();  // the first one has been read by all
      const Patches<S> x(of, pair ? f.second_left : f.left, row);
      const REAL* W = pair ? f.second_right : f.right;
      const Piece<S, false> piece(W, 1, of.filters, col, of.filters, of.length());
      add_product(sums, x, piece, of.length(), shared, ByChannels<S>(of));
    }
    gather(sums, shared);
    finish(sums, Z, of.filters, row, col, of.rows(), of.filters, (REAL)0);
    __syncthreads();  // these rows of Z are whole, and the sums have been read
  }
}

// W̄ = Xᵀ Z̄ for a tile; of two pairs, R{W̄} = Ẋᵀ Z̄ + Xᵀ R{Z̄}.
template <class S, int PAIRS>
__device__ __forceinline__ void conv_kernel(const Convolution& of, const Factors& f,
                                            REAL* W_bar) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const int row = blockIdx.y * S::ROWS, col = blockIdx.x * S::COLS;
  S sums;
#pragma unroll 1
  for (int pair = 0; pair < PAIRS; pair++) {
    if (pair > 0) __syncthreads();  // the first one has been read by all
    const PatchesT<S> x(of, pair ? f.second_left : f.left, row);
    const REAL* Z_bar = pair ? f.second_right : f.right;
    const Piece<S, false> piece(Z_bar, 1, of.filters, col, of.filters, of.rows());
    add_product(sums, x, piece, of.rows(), shared);
  }
  gather(sums, shared);
  finish(sums, W_bar, of.filters, row, col, of.length(), of.filters, (REAL)0);
}
