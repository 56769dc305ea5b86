// The softmax cross-entropy, a mean over the N rows of a task, in the letters and numbers
// of losses.py.
//
// cross_entropy       p = exp(z) / Σ exp(z),   value = (1/N) Σ (log Σ exp(z) − z[y])      (1)
//                     z̄ = (p − e_y) / N;   hits, the number of rows whose first largest
//                     entry is the label                                                  (2)
// cross_entropy_hvp   R{z̄} = (p ż − p ⟨p, ż⟩) / N                                         (3)
//
// Of the largest entry both are computed from the others, as in (6) there: its p may be 1.
//
// A block has one task, a thread every 128th row; the sums of the threads are added in a
// fixed order.  A row whose label is no class has value and z̄ NaN, and reads nothing there.

#ifndef REAL
#define REAL float
#endif

#define THREADS 128

// The sum over all threads of a block, in thread 0: halves are added to halves.
__device__ __forceinline__ REAL block_sum(REAL mine) {
  __shared__ REAL sums[THREADS];
  __syncthreads();  // the sum before this one has been read
  sums[threadIdx.x] = mine;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return threadIdx.x == 0 ? sums[0] : mine;
}

// The first of the largest entries; not a number is the largest, as in NumPy.
__device__ __forceinline__ int largest(const REAL* z, int classes) {
  int first = 0;
  for (int d = 1; d < classes; d++)
    if (z[d] > z[first] || (z[d] != z[d] && z[first] == z[first])) first = d;
  return first;
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    cross_entropy(const REAL* __restrict__ z, const long long* __restrict__ labels,
                  REAL* __restrict__ value, REAL* __restrict__ probs,
                  REAL* __restrict__ z_bar, REAL* __restrict__ hits, int tasks, int rows,
                  int classes) {
  REAL loss = 0, right = 0;
  for (int n = threadIdx.x; n < rows; n += THREADS) {
    const long long row = (long long)blockIdx.x * rows + n;
    const REAL* z_n = z + row * classes;
    const long long label = labels[row];
    const int best = largest(z_n, classes);
    const REAL shift = z_n[best];
    const bool known = 0 <= label && label < classes;
    const REAL nan = log((REAL)-1), other = known ? 0 : nan;  // e_y but at the label
    REAL others = 0;
    for (int d = 0; d < classes; d++) others += d == best ? 0 : exp(z_n[d] - shift);
    for (int d = 0; d < classes; d++) {
      const REAL p = exp(z_n[d] - shift) / (1 + others);
      const REAL e = d == label ? 1 : other;
      const REAL gap = d == best ? 1 - e - others / (1 + others) : p - e;
      probs[row * classes + d] = p;
      z_bar[row * classes + d] = gap / rows;
    }
    loss += log1p(others) - (known ? z_n[label] - shift : nan);
    right += best == label;
  }
  loss = block_sum(loss);
  right = block_sum(right);
  if (threadIdx.x > 0) return;
  value[blockIdx.x] = loss / rows;
  hits[blockIdx.x] = right;
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    cross_entropy_hvp(const REAL* __restrict__ probs, const REAL* __restrict__ z_dot,
                      REAL* __restrict__ z_bar_dot, int tasks, int rows, int classes) {
  for (int n = threadIdx.x; n < rows; n += THREADS) {
    const long long first = ((long long)blockIdx.x * rows + n) * classes;
    const REAL* p = probs + first;
    const REAL of_best = z_dot[first + largest(p, classes)];
    REAL along = 0;
    for (int d = 0; d < classes; d++) along += p[d] * (z_dot[first + d] - of_best);
    for (int d = 0; d < classes; d++)
      z_bar_dot[first + d] = p[d] * (z_dot[first + d] - of_best - along) / rows;
  }
}
