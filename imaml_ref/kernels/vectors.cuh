// Vectors of all tasks, (T, P), and sums over their entries.
//
// λ, s and M are one number (step 0) or one per parameter (step 1).  A block works on a
// chunk of 2048 entries of a task, block (chunk, task).  A sum has two stages: a block
// writes the sum of its chunk to partials, (T, sums, chunks), and a second launch, which
// says so by _task or _squares, adds the partials of a task.  Both add in a fixed order.

#define THREADS 256
#define CHUNK 2048
#define FOR_CHUNK(i, size)                         \
  for (int i = blockIdx.x * CHUNK + threadIdx.x,   \
           end = blockIdx.x * CHUNK + CHUNK;       \
       i < end && i < size; i += THREADS)

template <int N>
struct Sums {
  REAL at[N];
};

// Sums over all threads of a block, in thread 0: halves are added to halves.
template <int N>
__device__ __forceinline__ Sums<N> block_sums(const Sums<N>& mine) {
  __shared__ Sums<N> all[THREADS];
  all[threadIdx.x] = mine;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half)
#pragma unroll
      for (int n = 0; n < N; n++) all[threadIdx.x].at[n] += all[threadIdx.x + half].at[n];
  }
  return threadIdx.x == 0 ? all[0] : mine;
}

// First stage: the sums of a chunk.
template <int N>
__device__ __forceinline__ void leave(const Sums<N>& mine, REAL* partials) {
  const Sums<N> sums = block_sums(mine);
  if (threadIdx.x == 0)
#pragma unroll
    for (int n = 0; n < N; n++)
      partials[((long long)blockIdx.y * N + n) * gridDim.x + blockIdx.x] = sums.at[n];
}

// Second stage, block (task): the sums of a task, in thread 0.
template <int N>
__device__ __forceinline__ Sums<N> collect(const REAL* partials, int size) {
  const int chunks = (size + CHUNK - 1) / CHUNK;
  Sums<N> sums = {};
  for (int i = threadIdx.x; i < chunks; i += THREADS)
#pragma unroll
    for (int n = 0; n < N; n++)
      sums.at[n] += partials[((long long)blockIdx.x * N + n) * chunks + i];
  return block_sums(sums);
}
