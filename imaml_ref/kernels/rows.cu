// Sums over the rows of all tasks, (T, R, C), and adding a row: a bias and its gradient;
// and rows from which their mean is taken.
//
// row_sums   out_t = 1ᵀ a_t
// add_row    a_t ← a_t + 1 row_t
// centre     a_t ← a_t − 1 1ᵀ a_t / R

#ifndef REAL
#define REAL float
#endif

// A block has 16 channels and 32 lanes; a lane adds every 32nd row, then the lanes are
// added in their order, by each of them.
__device__ __forceinline__ REAL column_sum(const REAL* a_t, int rows, int cols) {
  __shared__ REAL lanes[32][17];
  const int beside = threadIdx.x % 16, lane = threadIdx.x / 16;
  const int c = blockIdx.x * 16 + beside;
  REAL sum = 0;
  if (c < cols)
    for (int r = lane; r < rows; r += 32) sum += a_t[(long long)r * cols + c];
  lanes[lane][beside] = sum;
  __syncthreads();
  sum = lanes[0][beside];
  for (int l = 1; l < 32; l++) sum += lanes[l][beside];
  return sum;
}

extern "C" __global__ void __launch_bounds__(512)
    row_sums(const REAL* __restrict__ a, REAL* __restrict__ out, int tasks, int rows,
             int cols, int out_task) {
  const int c = blockIdx.x * 16 + threadIdx.x % 16;
  const REAL sum = column_sum(a + (long long)blockIdx.y * rows * cols, rows, cols);
  if (threadIdx.x < 16 && c < cols) out[(long long)blockIdx.y * out_task + c] = sum;
}

// A lane writes the rows that it read itself.
extern "C" __global__ void __launch_bounds__(512)
    centre(REAL* a, int tasks, int rows, int cols) {
  const int c = blockIdx.x * 16 + threadIdx.x % 16;
  REAL* a_t = a + (long long)blockIdx.y * rows * cols;
  const REAL mean = column_sum(a_t, rows, cols) / rows;
  if (c < cols)
    for (int r = threadIdx.x / 16; r < rows; r += 32) a_t[(long long)r * cols + c] -= mean;
}

extern "C" __global__ void __launch_bounds__(256)
    add_row(REAL* __restrict__ a, const REAL* __restrict__ row, int tasks, int rows,
            int cols, int row_task) {
  const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
  const int each = rows * cols;
  if (i < (long long)tasks * each) a[i] += row[i / each * row_task + i % cols];
}
