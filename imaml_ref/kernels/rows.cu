// Sums over the rows of all tasks, (T, R, C), and adding a row: a bias and its gradient.
//
// row_sums   out_t = 1ᵀ a_t
// add_row    a_t ← a_t + 1 row_t

#ifndef REAL
#define REAL float
#endif

// A block has 16 channels and 32 lanes; a lane adds every 32nd row, then the lanes are
// added in their order.
extern "C" __global__ void __launch_bounds__(512)
    row_sums(const REAL* __restrict__ a, REAL* __restrict__ out, int tasks, int rows,
             int cols, int out_task) {
  __shared__ REAL lanes[32][17];
  const int beside = threadIdx.x % 16, lane = threadIdx.x / 16;
  const int c = blockIdx.x * 16 + beside;
  const REAL* a_t = a + (long long)blockIdx.y * rows * cols;
  REAL sum = 0;
  if (c < cols)
    for (int r = lane; r < rows; r += 32) sum += a_t[r * cols + c];
  lanes[lane][beside] = sum;
  __syncthreads();
  if (lane > 0 || c >= cols) return;
  for (int l = 1; l < 32; l++) sum += lanes[l][beside];
  out[(long long)blockIdx.y * out_task + c] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
    add_row(REAL* __restrict__ a, const REAL* __restrict__ row, int tasks, int rows,
            int cols, int row_task) {
  const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
  const int each = rows * cols;
  if (i < (long long)tasks * each) a[i] += row[i / each * row_task + i % cols];
}
