// Vectors of all tasks, (T, P), in chunks of 2048 entries: block (chunk, task).
//
// descend     φ_t ← φ_t − α g_t,  g_t = ∇L_t + Λ (φ_t − θ),  squares_t = ‖g_t‖²
// task_dot    out_t = a_tᵀ b_t
// task_axpy   out_t = α_t x_t + y_t
// task_xpby   out_t = x_t + β_t y_t
// damped      out_t = (H v)_t + Λ v_t
//
// λ is one number (lam_step 0) or one per parameter (lam_step 1); θ is shared by the tasks
// (theta_task 0) or not.  out may be one of the vectors.
//
// A sum has two stages: a block writes the sum of its chunk to partials (T, chunks), and a
// second launch adds the partials of a task.  Both add in a fixed order.

#ifndef REAL
#define REAL float
#endif

#define THREADS 256
#define CHUNK 2048
#define FOR_CHUNK(i, size)                         \
  for (int i = blockIdx.x * CHUNK + threadIdx.x,   \
           end = blockIdx.x * CHUNK + CHUNK;       \
       i < end && i < size; i += THREADS)

// The sum over all threads of a block, in thread 0: halves are added to halves.
__device__ __forceinline__ REAL block_sum(REAL mine) {
  __shared__ REAL sums[THREADS];
  sums[threadIdx.x] = mine;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return threadIdx.x == 0 ? sums[0] : 0;
}

// The sum of the partials of a task, in thread 0.
__device__ __forceinline__ REAL task_sum(const REAL* partials, int size) {
  const int chunks = (size + CHUNK - 1) / CHUNK;
  REAL sum = 0;
  for (int i = threadIdx.x; i < chunks; i += THREADS)
    sum += partials[(long long)blockIdx.x * chunks + i];
  return block_sum(sum);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    descend(REAL* phi, const REAL* __restrict__ grad, const REAL* __restrict__ theta,
            int theta_task, const REAL* __restrict__ lam, int lam_step,
            const REAL* __restrict__ step_size, REAL* partials, REAL* squares, int tasks,
            int size) {
  const long long t = blockIdx.y;
  const REAL alpha = step_size[0];
  REAL sum = 0;
  FOR_CHUNK(i, size) {
    const REAL p = phi[t * size + i];
    const REAL g =
        grad[t * size + i] + lam[i * lam_step] * (p - theta[t * theta_task + i]);
    phi[t * size + i] = p - alpha * g;
    sum += g * g;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[t * gridDim.x + blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    descend_squares(REAL* phi, const REAL* __restrict__ grad,
                    const REAL* __restrict__ theta, int theta_task,
                    const REAL* __restrict__ lam, int lam_step,
                    const REAL* __restrict__ step_size, REAL* partials, REAL* squares,
                    int tasks, int size) {
  const REAL sum = task_sum(partials, size);
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    task_dot(const REAL* __restrict__ a, const REAL* __restrict__ b, REAL* partials,
             REAL* out, int tasks, int size) {
  const long long t = blockIdx.y;
  REAL sum = 0;
  FOR_CHUNK(i, size) sum += a[t * size + i] * b[t * size + i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[t * gridDim.x + blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    task_dot_sums(const REAL* __restrict__ a, const REAL* __restrict__ b, REAL* partials,
                  REAL* out, int tasks, int size) {
  const REAL sum = task_sum(partials, size);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    task_axpy(const REAL* __restrict__ alpha, const REAL* x, const REAL* y, REAL* out,
              int tasks, int size) {
  const long long t = blockIdx.y;
  FOR_CHUNK(i, size) out[t * size + i] = alpha[t] * x[t * size + i] + y[t * size + i];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    task_xpby(const REAL* x, const REAL* __restrict__ beta, const REAL* y, REAL* out,
              int tasks, int size) {
  const long long t = blockIdx.y;
  FOR_CHUNK(i, size) out[t * size + i] = x[t * size + i] + beta[t] * y[t * size + i];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    damped(const REAL* Hv, const REAL* v, const REAL* __restrict__ lam, int lam_step,
           REAL* out, int tasks, int size) {
  const long long t = blockIdx.y;
  FOR_CHUNK(i, size)
  out[t * size + i] = Hv[t * size + i] + lam[i * lam_step] * v[t * size + i];
}
