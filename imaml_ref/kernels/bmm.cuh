// bmm        C_t = A_t B_t + β C_t
// bmm_pair   C_t = A_t B_t + D_t E_t: with [A, D] and [B; E] side by side one
//            product, so that the R-operator needs no sum of two: Ẋ W + X Ẇ,
//            Ẋᵀ Z̄ + Xᵀ R{Z̄}, R{Z̄} Wᵀ + Z̄ Ẇᵀ
//
// Matrices have any strides, in entries: a transpose exchanges two of them.  C has rows
// in one piece.  β = 0 does not read C.

template <class S>
__device__ __forceinline__ void multiply(S& sums, Matrix A, Matrix B, int m, int n, int k,
                                         REAL* shared) {
  const Piece<S, true> a(A.first, A.row, A.col, blockIdx.y * S::ROWS, m, k);
  const Piece<S, false> b(B.first, B.col, B.row, blockIdx.x * S::COLS, n, k);
  add_product(sums, a, b, k, shared);
}

template <class S>
__device__ __forceinline__ void bmm(Operand A, Operand B, REAL* C, int m, int n, int k,
                                    int c_task, int c_row, REAL beta) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const long long t = blockIdx.z;
  S sums;
  multiply(sums, A.of_task(t), B.of_task(t), m, n, k, shared);
  gather(sums, shared);
  finish(sums, C + t * c_task, c_row, blockIdx.y * S::ROWS, blockIdx.x * S::COLS, m, n,
         beta);
}

template <class S>
__device__ __forceinline__ void bmm_pair(Operand A, Operand B, Operand D, Operand E, REAL* C,
                                         int m, int n, int k, int k2, int c_task,
                                         int c_row) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const long long t = blockIdx.z;
  S sums;
#pragma unroll 1
  for (int second = 0; second < 2; second++) {
    if (second) __syncthreads();  // the first one has been read by all
    const Matrix left = second ? D.of_task(t) : A.of_task(t);
    const Matrix right = second ? E.of_task(t) : B.of_task(t);
    multiply(sums, left, right, m, n, second ? k2 : k, shared);
  }
  gather(sums, shared);
  finish(sums, C + t * c_task, c_row, blockIdx.y * S::ROWS, blockIdx.x * S::COLS, m, n,
         (REAL)0);
}

// Blocks that a multiprocessor has room for at a time; a compiler for older cards wants a
// few registers more.
#if __CUDA_ARCH__ >= 900
#define TOGETHER (8 / sizeof(REAL))
#else
#define TOGETHER 1
#endif

#define BMM(SYMBOL, S)                                                                    \
  extern "C" __global__ void __launch_bounds__(S::THREADS, TOGETHER)                      \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int a_task, int a_row, \
             int a_col, int b_task, int b_row, int b_col, int c_task, int c_row,          \
             REAL beta) {                                                                 \
    bmm<S>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col}, C, m, n, k, c_task,      \
           c_row, beta);                                                                  \
  }

#define BMM_PAIR(SYMBOL, S)                                                               \
  extern "C" __global__ void __launch_bounds__(S::THREADS, TOGETHER)                      \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             const REAL* __restrict__ D, const REAL* __restrict__ E,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int k2, int a_task,    \
             int a_row, int a_col, int b_task, int b_row, int b_col, int d_task,          \
             int d_row, int d_col, int e_task, int e_row, int e_col, int c_task,          \
             int c_row) {                                                                 \
    bmm_pair<S>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col},                     \
                {D, d_task, d_row, d_col}, {E, e_task, e_row, e_col}, C, m, n, k, k2,     \
                c_task, c_row);                                                           \
  }
