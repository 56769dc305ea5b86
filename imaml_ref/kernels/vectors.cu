// Vectors of all tasks, (T, P): a step of descent, and a step of conjugate gradients.
//
// descend        φ ← φ − α g,  g = ∇L + Λ (φ − θ);   squares = ‖g‖²
//
// CG in the letters and numbers of solvers/recurrence.py, with A p = H p + s p, so that q
// is never written, and M a diagonal:
//
// cg_begin       x = 0, r = b, p = 0;   ρ = rᵀM r, ‖r‖                               (1)
// cg_length      c = pᵀ(H p + s p);   α = ρ / c                                 (2), (3)
// cg_move        x ← x + α p,  r ← r − α (H p + s p);   β = rᵀM r / ρ, ρ ← rᵀM r  (4)–(6)
// cg_direction   p ← M r + β p                                                       (7)
//
// A task that has ended has α = 0 and p = 0; no task can tell that it is not alone.
//
// λ, s and M are one number (step 0) or one per parameter (step 1).  A block works on a
// chunk of 2048 entries of a task, block (chunk, task).  A sum has two stages: a block
// writes the sum of its chunk to partials, (T, sums, chunks), and a second launch, what
// follows the semicolon, adds the partials of a task.  Both add in a fixed order.

#ifndef REAL
#define REAL float
#endif

#define THREADS 256
#define CHUNK 2048
#define FOR_CHUNK(i, size)                         \
  for (int i = blockIdx.x * CHUNK + threadIdx.x,   \
           end = blockIdx.x * CHUNK + CHUNK;       \
       i < end && i < size; i += THREADS)

// As in solvers/info.py and solvers/recurrence.py.
enum Status {
  CONVERGED = 0,
  RUNNING = 1,
  NEGATIVE_CURVATURE = 2,
  TRUNCATED = 3,
  BREAKDOWN = 4,
  INDEFINITE_PRECONDITIONER = 5,
  NOT_FINITE = 8
};
enum Conduct { CONTINUE = 0, TRUNCATE = 1, REFUSE = 2 };

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

__device__ __forceinline__ bool is_finite(REAL a) { return a - a == 0; }

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

__device__ __forceinline__ int judge_residual(REAL rho, REAL residual, REAL tolerance) {
  if (!is_finite(residual)) return NOT_FINITE;  // an infinite b has an infinite tolerance
  const REAL vanished = sizeof(REAL) == 4 ? 3.1401849e-16 : 1.0010415475915505e-146;
  if (residual <= tolerance || residual <= vanished) return CONVERGED;
  if (!is_finite(rho)) return NOT_FINITE;
  return rho > 0 ? RUNNING : INDEFINITE_PRECONDITIONER;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_begin(const REAL* __restrict__ b, const REAL* __restrict__ M, int M_step, REAL rtol,
             const REAL* atol, REAL* x, REAL* r, REAL* p, REAL* partials, REAL* tolerance,
             REAL* rho, REAL* residual, int* iterations, int* status, int tasks, int size) {
  const long long t = blockIdx.y;
  Sums<2> sums = {};
  FOR_CHUNK(i, size) {
    const REAL r_i = b[t * size + i];
    x[t * size + i] = 0;
    r[t * size + i] = r_i;
    p[t * size + i] = 0;
    sums.at[0] += r_i * (M[i * M_step] * r_i);
    sums.at[1] += r_i * r_i;
  }
  leave(sums, partials);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_begin_task(const REAL* b, const REAL* M, int M_step, REAL rtol, const REAL* atol,
                  REAL* x, REAL* r, REAL* p, REAL* partials, REAL* tolerance, REAL* rho,
                  REAL* residual, int* iterations, int* status, int tasks, int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL norm = sqrt(sums.at[1]), relative = rtol * norm;
  tolerance[t] = relative < atol[t] ? atol[t] : relative;  // not a number stays so
  rho[t] = sums.at[0];
  residual[t] = norm;
  iterations[t] = 0;
  status[t] = judge_residual(sums.at[0], norm, tolerance[t]);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_length(const REAL* __restrict__ Hp, const REAL* __restrict__ p,
              const REAL* __restrict__ shift, int shift_step, int conduct, REAL* partials,
              const REAL* rho, int* status, int* iterations, int* moves, REAL* alpha,
              REAL* record, int tasks, int size) {
  const long long t = blockIdx.y;
  Sums<2> sums = {};
  FOR_CHUNK(i, size) {
    const REAL p_i = p[t * size + i];
    sums.at[0] += p_i * (Hp[t * size + i] + shift[i * shift_step] * p_i);
    sums.at[1] += p_i * p_i;
  }
  leave(sums, partials);
}

__device__ __forceinline__ int judge_curvature(REAL c, REAL rho, int conduct) {
  const int endings[] = {BREAKDOWN, TRUNCATED, NEGATIVE_CURVATURE};
  // The smallest normal number: below it α = ρ/c would overflow, or does not exist.
  const REAL tiny =
      sizeof(REAL) == 4 ? (REAL)1.17549435e-38 : (REAL)2.2250738585072014e-308;
  if (!is_finite(c)) return NOT_FINITE;
  const bool bad = (c < 0 ? -c : c) <= tiny * (rho < 0 ? -rho : rho);
  return bad || (conduct != CONTINUE && c <= 0) ? endings[conduct] : RUNNING;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_length_task(const REAL* Hp, const REAL* p, const REAL* shift, int shift_step,
                   int conduct, REAL* partials, const REAL* rho, int* status,
                   int* iterations, int* moves, REAL* alpha, REAL* record, int tasks,
                   int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL c = sums.at[0];
  const bool active = status[t] == RUNNING;
  if (active) status[t] = judge_curvature(c, rho[t], conduct);
  const bool runs = status[t] == RUNNING;
  // A task truncated at its first direction takes it at unit length: x₀ + M r₀.
  const bool first = active && status[t] == TRUNCATED && iterations[t] == 0;
  alpha[t] = first ? 1 : runs ? rho[t] / c : 0;
  moves[t] = runs || first;
  iterations[t] += moves[t];
  record[t] = active;
  record[tasks + t] = c;
  record[2 * tasks + t] = sums.at[1];
  record[3 * tasks + t] = rho[t];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_move(const REAL* __restrict__ alpha, const REAL* __restrict__ Hp,
            const REAL* __restrict__ p, const REAL* __restrict__ shift, int shift_step,
            const REAL* __restrict__ M, int M_step, REAL* x, REAL* r, REAL* partials,
            const int* moves, const REAL* tolerance, REAL* rho, REAL* residual, int* status,
            REAL* beta, REAL* record, int tasks, int size) {
  const long long t = blockIdx.y;
  const REAL alpha_t = alpha[t];
  Sums<2> sums = {};
  FOR_CHUNK(i, size) {
    const REAL p_i = p[t * size + i];
    const REAL q_i = Hp[t * size + i] + shift[i * shift_step] * p_i;
    const REAL r_i = r[t * size + i] - alpha_t * q_i;
    x[t * size + i] += alpha_t * p_i;
    r[t * size + i] = r_i;
    sums.at[0] += r_i * (M[i * M_step] * r_i);
    sums.at[1] += r_i * r_i;
  }
  leave(sums, partials);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_move_task(const REAL* alpha, const REAL* Hp, const REAL* p, const REAL* shift,
                 int shift_step, const REAL* M, int M_step, REAL* x, REAL* r,
                 REAL* partials, const int* moves, const REAL* tolerance, REAL* rho,
                 REAL* residual, int* status, REAL* beta, REAL* record, int tasks,
                 int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL next_rho = sums.at[0], norm = sqrt(sums.at[1]);
  if (moves[t]) residual[t] = norm;
  // A task that has ended keeps its status.
  if (status[t] == RUNNING) status[t] = judge_residual(next_rho, norm, tolerance[t]);
  beta[t] = status[t] == RUNNING ? next_rho / rho[t] : 0;
  rho[t] = next_rho;
  record[4 * tasks + t] = beta[t];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_direction(const REAL* __restrict__ beta, const int* __restrict__ status,
                 const REAL* __restrict__ r, const REAL* __restrict__ M, int M_step, REAL* p,
                 int tasks, int size) {
  const long long t = blockIdx.y;
  const bool runs = status[t] == RUNNING;
  const REAL beta_t = beta[t];
  FOR_CHUNK(i, size) {
    const REAL p_i = M[i * M_step] * r[t * size + i] + beta_t * p[t * size + i];
    p[t * size + i] = runs ? p_i : 0;
  }
}
