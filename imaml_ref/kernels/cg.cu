// A step of conjugate gradients on vectors of all tasks, (T, P): see vectors.cuh.
//
// CG in the letters and numbers of solvers/recurrence.py, with A p = H p + s p, so that q
// is never written, and M a diagonal in units of m; what is called p is p/σ, alpha is α σ
// and beta is β σ/σ₊:
//
// cg_begin       x = 0, r = b, p = 0;   ρ = rᵀM r, ‖r‖, σ                            (1)
// cg_length      c = pᵀ(H p + s p);   α = (ρ/σ) / c                        (2), (3), (8)
// cg_move        x ← x + α p,  r ← r − α (H p + s p);   β = rᵀM r / ρ, ρ ← rᵀM r,
//                σ                                                               (4)–(6)
// cg_direction   p ← M r / σ + β p                                              (7), (8)
//
// A task that has ended has α = 0 and p = 0; no task can tell that it is not alone.

#ifndef REAL
#define REAL float
#endif

#include "vectors.cuh"

// As in solvers/info.py and solvers/recurrence.py.
enum Status {
  CONVERGED = 0,
  RUNNING = 1,
  NEGATIVE_CURVATURE = 2,
  TRUNCATED = 3,
  BREAKDOWN = 4,
  INDEFINITE_PRECONDITIONER = 5,
  STAGNATION = 6,
  NOT_FINITE = 8
};
enum Conduct { CONTINUE = 0, TRUNCATE = 1, REFUSE = 2 };

__device__ __forceinline__ bool is_finite(REAL a) { return a - a == 0; }

__device__ __forceinline__ int judge_residual(REAL rho, REAL residual, REAL tolerance) {
  if (!is_finite(residual)) return NOT_FINITE;  // an infinite b has an infinite tolerance
  const REAL vanished = sizeof(REAL) == 4 ? 3.1401849e-16 : 1.0010415475915505e-146;
  if (residual <= tolerance || residual <= vanished) return CONVERGED;
  if (!is_finite(rho)) return NOT_FINITE;
  return rho > 0 ? RUNNING : INDEFINITE_PRECONDITIONER;
}

// σ: a power of two near ρ/‖r‖; 1 where that is nothing.
__device__ __forceinline__ REAL size_of_direction(REAL rho, REAL residual) {
  const int most = sizeof(REAL) == 4 ? 124 : 1020;
  const REAL size = residual > 0 ? (rho < 0 ? -rho : rho) / residual : 1;
  int exponent = 0;
  if (size > 0 && is_finite(size)) frexp(size, &exponent);
  return ldexp((REAL)1, exponent > most ? most : exponent < -most ? -most : exponent);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_begin(const REAL* __restrict__ b, const REAL* __restrict__ M, int M_step, REAL rtol,
             const REAL* atol, REAL* x, REAL* r, REAL* p, REAL* partials, REAL* tolerance,
             REAL* rho, REAL* residual, REAL* sigma, int* iterations, int* status,
             int tasks, int size) {
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
                  REAL* residual, REAL* sigma, int* iterations, int* status, int tasks,
                  int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL norm = sqrt(sums.at[1]), relative = rtol * norm;
  tolerance[t] = relative < atol[t] ? atol[t] : relative;  // not a number stays so
  rho[t] = sums.at[0];
  residual[t] = norm;
  sigma[t] = size_of_direction(sums.at[0], norm);
  iterations[t] = 0;
  status[t] = judge_residual(sums.at[0], norm, tolerance[t]);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_length(const REAL* __restrict__ Hp, const REAL* __restrict__ p,
              const REAL* __restrict__ shift, int shift_step, int conduct, REAL* partials,
              const REAL* rho, const REAL* sigma, const REAL* residual,
              const REAL* unit_M, int* status, int* iterations, int* moves, REAL* alpha,
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

// ρ is ρ/σ here.
__device__ __forceinline__ int judge_curvature(REAL c, REAL rho, REAL residual,
                                               int conduct, int entries) {
  const int endings[] = {BREAKDOWN, TRUNCATED, NEGATIVE_CURVATURE};
  // The smallest normal number: below it α = ρ/c would overflow, or does not exist.
  const REAL tiny =
      sizeof(REAL) == 4 ? (REAL)1.17549435e-38 : (REAL)2.2250738585072014e-308;
  if (!is_finite(c)) return NOT_FINITE;
  const REAL size = c < 0 ? -c : c, of_rho = rho < 0 ? -rho : rho;
  if (size <= tiny * of_rho || (conduct != CONTINUE && c <= 0)) return endings[conduct];
  // α would lose half its digits to the end of the range.
  const REAL eps = sizeof(REAL) == 4 ? (REAL)1.1920929e-7 : (REAL)2.220446049250313e-16;
  if (of_rho > tiny * (sqrt(eps) * size)) return RUNNING;
  return residual <= entries * eps ? CONVERGED : STAGNATION;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_length_task(const REAL* Hp, const REAL* p, const REAL* shift, int shift_step,
                   int conduct, REAL* partials, const REAL* rho, const REAL* sigma,
                   const REAL* residual, const REAL* unit_M, int* status,
                   int* iterations, int* moves, REAL* alpha, REAL* record, int tasks,
                   int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL c = sums.at[0], sigma_t = sigma[t], rho_sigma = rho[t] / sigma_t;
  const bool active = status[t] == RUNNING;
  if (active) status[t] = judge_curvature(c, rho_sigma, residual[t], conduct, size);
  const bool runs = status[t] == RUNNING;
  // A task truncated at its first direction takes it at unit length: x₀ + M r₀.
  const bool first = active && status[t] == TRUNCATED && iterations[t] == 0;
  alpha[t] = first ? unit_M[0] * sigma_t : runs ? rho_sigma / c : 0;
  moves[t] = runs || first;
  iterations[t] += moves[t];
  record[t] = active;
  record[tasks + t] = c;
  record[2 * tasks + t] = sums.at[1];
  record[3 * tasks + t] = rho_sigma / sigma_t;
  record[5 * tasks + t] = sigma_t;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_move(const REAL* __restrict__ alpha, const REAL* __restrict__ Hp,
            const REAL* __restrict__ p, const REAL* __restrict__ shift, int shift_step,
            const REAL* __restrict__ M, int M_step, REAL* x, REAL* r, REAL* partials,
            const int* moves, const REAL* tolerance, REAL* rho, REAL* residual,
            REAL* sigma, int* status, REAL* beta, REAL* record, int tasks, int size) {
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
                 REAL* residual, REAL* sigma, int* status, REAL* beta, REAL* record,
                 int tasks, int size) {
  const int t = blockIdx.x;
  const Sums<2> sums = collect<2>(partials, size);
  if (threadIdx.x > 0) return;
  const REAL next_rho = sums.at[0], norm = sqrt(sums.at[1]);
  if (moves[t]) residual[t] = norm;
  // A task that has ended keeps its status.
  if (status[t] == RUNNING) status[t] = judge_residual(next_rho, norm, tolerance[t]);
  const REAL longer = sigma[t], beta_t = status[t] == RUNNING ? next_rho / rho[t] : 0;
  rho[t] = next_rho;
  sigma[t] = size_of_direction(next_rho, norm);
  beta[t] = beta_t * (longer / sigma[t]);
  record[4 * tasks + t] = beta_t;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cg_direction(const REAL* __restrict__ beta, const REAL* __restrict__ sigma,
                 const int* __restrict__ status, const REAL* __restrict__ r,
                 const REAL* __restrict__ M, int M_step, REAL* p, int tasks, int size) {
  const long long t = blockIdx.y;
  const bool runs = status[t] == RUNNING;
  const REAL beta_t = beta[t], shorter = 1 / sigma[t];
  FOR_CHUNK(i, size) {
    const REAL z_i = M[i * M_step] * r[t * size + i];
    const REAL p_i = z_i * shorter + beta_t * p[t * size + i];
    p[t * size + i] = runs ? p_i : 0;
  }
}
