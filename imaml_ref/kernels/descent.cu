// A step of gradient descent on vectors of all tasks, (T, P): see vectors.cuh.
//
// descend        φ ← φ − α g,  g = ∇L + Λ (φ − θ);   squares = ‖g‖²

#ifndef REAL
#define REAL float
#endif

#include "vectors.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    descend(REAL* phi, const REAL* __restrict__ grad, const REAL* __restrict__ theta,
            int theta_task, const REAL* __restrict__ lam, int lam_step,
            const REAL* __restrict__ step_size, REAL* partials, REAL* squares, int tasks,
            int size) {
  const long long t = blockIdx.y;
  const REAL alpha = step_size[0];
  Sums<1> sums = {};
  FOR_CHUNK(i, size) {
    const REAL p = phi[t * size + i], away = p - theta[t * theta_task + i];
    const REAL g = grad[t * size + i] + lam[i * lam_step] * away;
    phi[t * size + i] = p - alpha * g;
    sums.at[0] += g * g;
  }
  leave(sums, partials);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    descend_squares(REAL* phi, const REAL* grad, const REAL* theta, int theta_task,
                    const REAL* lam, int lam_step, const REAL* step_size, REAL* partials,
                    REAL* squares, int tasks, int size) {
  const Sums<1> sums = collect<1>(partials, size);
  if (threadIdx.x == 0) squares[blockIdx.x] = sums.at[0];
}
