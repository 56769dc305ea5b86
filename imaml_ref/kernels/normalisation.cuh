// Batch normalisation and ReLU, with its derivatives, in the letters and numbers of
// fused/conv_block.py.  m(a) is the mean over the R rows of a task, for each channel.
//
// bn_relu           c = Z − m(Z),   ρ = (m(c²) + ε)^(−1/2),   a = ργ,   y = max(a c + β, 0)  (1)
// bn_relu_vjp       ȳ ← [y > 0] ȳ,   e = m(ȳ),   q = m(c ȳ),   k = ρ² q,
//                   Z̄ = a (ȳ − e − k c),   γ̄ = R ρ q,   β̄ = R e                             (2)
// bn_relu_jvp       μ = m(Ż),   ρ̇ = −ρ³ m(c Ż),   ȧ = ρ̇γ + ργ̇,
//                   ẏ = [y > 0] (a Ż + ȧ c + β̇ − a μ)                                      (4)
// bn_relu_vjp_dot   R{ȳ} ← [y > 0] R{ȳ},   ė = m(R{ȳ}),   k̇ = 2ρρ̇q + ρ²q̇,
//                   q̇ = m(c R{ȳ}) + m(Ż ȳ) − μ e,
//                   R{Z̄} = a R{ȳ} + ȧ ȳ − (a k)˙ c − a k Ż + (a k μ − (a e)˙)              (5)
//                   R{γ̄} = R (ρ̇ q + ρ q̇),   R{β̄} = R ė                                     (6)
//
// A block has 16 channels of one task and so many lanes; a lane takes every LANES-th row.
// Rows are read once for the sums and once more for what follows from them; a thread reads
// again only what it wrote itself, so c may be Z, and R{Z̄} may be R{ȳ}.

#define CHANNELS 16
#define FOR_ROWS(i)                                                                     \
  for (long long i = (blockIdx.y * (long long)rows + threadIdx.x / CHANNELS) * channels \
                     + channel(),                                                       \
                 end = (blockIdx.y + 1ll) * rows * channels;                            \
       i < end; i += (long long)LANES * channels)

__device__ __forceinline__ int channel() {
  return blockIdx.x * CHANNELS + threadIdx.x % CHANNELS;
}

template <int N>
struct Sums {
  REAL at[N];
};

// Means over rows, in all lanes.  The two lanes of a warp are added first, then the warps
// in their order.
template <int LANES, int N>
__device__ __forceinline__ Sums<N> means(Sums<N> sums, int rows) {
  __shared__ REAL warps[N][LANES / 2][CHANNELS];
  const int c = threadIdx.x % CHANNELS, lane = threadIdx.x / CHANNELS;
#pragma unroll
  for (int n = 0; n < N; n++) {
    sums.at[n] += __shfl_xor_sync(0xffffffffu, sums.at[n], CHANNELS);
    if (lane % 2 == 0) warps[n][lane / 2][c] = sums.at[n];
  }
  __syncthreads();
#pragma unroll
  for (int n = 0; n < N; n++) {
    REAL sum = 0;
#pragma unroll
    for (int w = 0; w < LANES / 2; w++) sum += warps[n][w][c];
    sums.at[n] = sum / rows;
  }
  return sums;
}

// Parameters of a task lie param_task after those of the one before; what belongs to a
// channel alone is (T, C).
struct Places {
  long long parameter, factor;
  bool first;  // whether this thread writes what belongs to a channel

  __device__ __forceinline__ Places(int channels, int param_task)
      : parameter((long long)blockIdx.y * param_task + channel()),
        factor((long long)blockIdx.y * channels + channel()),
        first(threadIdx.x < CHANNELS) {}
};

template <int LANES>
__device__ __forceinline__ void normalise(const REAL* Z, const REAL* __restrict__ gamma,
                                          const REAL* __restrict__ beta, int param_task,
                                          REAL* c, REAL* __restrict__ rho,
                                          REAL* __restrict__ a, REAL* __restrict__ y,
                                          int rows, int channels, REAL eps) {
  const bool inside = channel() < channels;
  const Places at(channels, param_task);
  Sums<1> mean = {}, square = {};
  if (inside) FOR_ROWS(i) mean.at[0] += Z[i];
  mean = means<LANES>(mean, rows);
  if (inside) FOR_ROWS(i) {
    const REAL c_i = Z[i] - mean.at[0];
    c[i] = c_i;
    square.at[0] += c_i * c_i;
  }
  __syncthreads();  // all have read the sums of Z
  square = means<LANES>(square, rows);
  if (!inside) return;
  const REAL rho_t = 1 / sqrt(square.at[0] + eps);
  const REAL a_t = rho_t * gamma[at.parameter], beta_t = beta[at.parameter];
  if (at.first) {
    rho[at.factor] = rho_t;
    a[at.factor] = a_t;
  }
  FOR_ROWS(i) {
    const REAL y_i = a_t * c[i] + beta_t;
    y[i] = y_i < 0 ? 0 : y_i;  // what is not a number stays so
  }
}

template <int LANES>
__device__ __forceinline__ void normalise_vjp(const REAL* y_bar,
                                              const REAL* __restrict__ y,
                                              const REAL* __restrict__ c,
                                              const REAL* __restrict__ rho,
                                              const REAL* __restrict__ a, REAL* s_y_bar,
                                              REAL* __restrict__ e, REAL* __restrict__ q,
                                              REAL* __restrict__ k, REAL* Z_bar,
                                              REAL* __restrict__ gamma_bar,
                                              REAL* __restrict__ beta_bar,
                                              int param_task, int rows, int channels) {
  const bool inside = channel() < channels;
  const Places at(channels, param_task);
  Sums<2> sums = {};
  if (inside) FOR_ROWS(i) {
    const REAL y_bar_i = y[i] > 0 ? y_bar[i] : 0;
    s_y_bar[i] = y_bar_i;
    sums.at[0] += y_bar_i;
    sums.at[1] += c[i] * y_bar_i;
  }
  const Sums<2> mean = means<LANES>(sums, rows);
  if (!inside) return;
  const REAL e_t = mean.at[0], q_t = mean.at[1];
  const REAL rho_t = rho[at.factor], a_t = a[at.factor], k_t = rho_t * rho_t * q_t;
  if (at.first) {
    e[at.factor] = e_t;
    q[at.factor] = q_t;
    k[at.factor] = k_t;
    gamma_bar[at.parameter] = rows * rho_t * q_t;
    beta_bar[at.parameter] = rows * e_t;
  }
  FOR_ROWS(i) Z_bar[i] = a_t * (s_y_bar[i] - e_t - k_t * c[i]);
}

template <int LANES>
__device__ __forceinline__ void normalise_jvp(const REAL* Z_dot,
                                              const REAL* __restrict__ y,
                                              const REAL* __restrict__ c,
                                              const REAL* __restrict__ rho,
                                              const REAL* __restrict__ a,
                                              const REAL* __restrict__ gamma,
                                              const REAL* __restrict__ gamma_dot,
                                              const REAL* __restrict__ beta_dot,
                                              int param_task, REAL* __restrict__ mu,
                                              REAL* __restrict__ rho_dot,
                                              REAL* __restrict__ a_dot, REAL* y_dot,
                                              int rows, int channels) {
  const bool inside = channel() < channels;
  const Places at(channels, param_task);
  Sums<2> sums = {};
  if (inside) FOR_ROWS(i) {
    sums.at[0] += Z_dot[i];
    sums.at[1] += c[i] * Z_dot[i];
  }
  const Sums<2> mean = means<LANES>(sums, rows);
  if (!inside) return;
  const REAL mu_t = mean.at[0], rho_t = rho[at.factor], a_t = a[at.factor];
  const REAL rho_dot_t = -rho_t * rho_t * rho_t * mean.at[1];
  const REAL a_dot_t =
      rho_dot_t * gamma[at.parameter] + rho_t * gamma_dot[at.parameter];
  const REAL shift = beta_dot[at.parameter] - a_t * mu_t;
  if (at.first) {
    mu[at.factor] = mu_t;
    rho_dot[at.factor] = rho_dot_t;
    a_dot[at.factor] = a_dot_t;
  }
  FOR_ROWS(i) y_dot[i] = y[i] > 0 ? a_t * Z_dot[i] + a_dot_t * c[i] + shift : 0;
}

template <int LANES>
__device__ __forceinline__ void normalise_vjp_dot(const REAL* y_bar_dot,
                                                  const REAL* __restrict__ s_y_bar,
                                                  const REAL* __restrict__ y,
                                                  const REAL* __restrict__ c,
                                                  const REAL* __restrict__ Z_dot,
                                                  const REAL* __restrict__ mu,
                                                  const REAL* __restrict__ rho,
                                                  const REAL* __restrict__ rho_dot,
                                                  const REAL* __restrict__ a,
                                                  const REAL* __restrict__ a_dot,
                                                  const REAL* __restrict__ e,
                                                  const REAL* __restrict__ q,
                                                  const REAL* __restrict__ k,
                                                  REAL* Z_bar_dot,
                                                  REAL* __restrict__ gamma_bar_dot,
                                                  REAL* __restrict__ beta_bar_dot,
                                                  int param_task, int rows, int channels) {
  const bool inside = channel() < channels;
  const Places at(channels, param_task);
  Sums<3> sums = {};
  if (inside) FOR_ROWS(i) {
    const REAL y_bar_dot_i = y[i] > 0 ? y_bar_dot[i] : 0;
    sums.at[0] += y_bar_dot_i;
    sums.at[1] += c[i] * y_bar_dot_i;
    sums.at[2] += Z_dot[i] * s_y_bar[i];
  }
  const Sums<3> mean = means<LANES>(sums, rows);
  if (!inside) return;
  const REAL rho_t = rho[at.factor], rho_dot_t = rho_dot[at.factor];
  const REAL a_t = a[at.factor], a_dot_t = a_dot[at.factor], mu_t = mu[at.factor];
  const REAL e_t = e[at.factor], q_t = q[at.factor], k_t = k[at.factor];
  const REAL e_dot = mean.at[0], q_dot = mean.at[1] + mean.at[2] - mu_t * e_t;
  const REAL k_dot = 2 * rho_t * rho_dot_t * q_t + rho_t * rho_t * q_dot;
  const REAL of_c = a_dot_t * k_t + a_t * k_dot, of_Z_dot = a_t * k_t;
  const REAL shift = a_t * k_t * mu_t - (a_dot_t * e_t + a_t * e_dot);
  if (at.first) {
    gamma_bar_dot[at.parameter] = rows * (rho_dot_t * q_t + rho_t * q_dot);
    beta_bar_dot[at.parameter] = rows * e_dot;
  }
  FOR_ROWS(i) {
    const REAL y_bar_dot_i = y[i] > 0 ? y_bar_dot[i] : 0;
    Z_bar_dot[i] = a_t * y_bar_dot_i + a_dot_t * s_y_bar[i] - of_c * c[i] -
                   of_Z_dot * Z_dot[i] + shift;
  }
}
