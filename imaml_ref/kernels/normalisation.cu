// Batch normalisation and ReLU with its derivatives: see normalisation.cuh.

#ifndef REAL
#define REAL float
#endif

#include "normalisation.cuh"

static constexpr int LANES = 32;

extern "C" __global__ void __launch_bounds__(16 * LANES, 8 / sizeof(REAL))
    bn_relu(const REAL* Z, const REAL* __restrict__ gamma, const REAL* __restrict__ beta,
            int param_task, REAL* c, REAL* __restrict__ rho, REAL* __restrict__ a,
            REAL* __restrict__ y, int tasks, int rows, int channels, REAL eps) {
  normalise<LANES>(Z, gamma, beta, param_task, c, rho, a, y, rows, channels, eps);
}

extern "C" __global__ void __launch_bounds__(16 * LANES, 8 / sizeof(REAL))
    bn_relu_vjp(const REAL* y_bar, const REAL* __restrict__ y,
                const REAL* __restrict__ c, const REAL* __restrict__ rho,
                const REAL* __restrict__ a, REAL* s_y_bar, REAL* __restrict__ e,
                REAL* __restrict__ q, REAL* __restrict__ k, REAL* Z_bar,
                REAL* __restrict__ gamma_bar, REAL* __restrict__ beta_bar,
                int param_task, int tasks, int rows, int channels) {
  normalise_vjp<LANES>(y_bar, y, c, rho, a, s_y_bar, e, q, k, Z_bar, gamma_bar, beta_bar,
                       param_task, rows, channels);
}

extern "C" __global__ void __launch_bounds__(16 * LANES, 8 / sizeof(REAL))
    bn_relu_jvp(const REAL* Z_dot, const REAL* __restrict__ y,
                const REAL* __restrict__ c, const REAL* __restrict__ rho,
                const REAL* __restrict__ a, const REAL* __restrict__ gamma,
                const REAL* __restrict__ gamma_dot, const REAL* __restrict__ beta_dot,
                int param_task, REAL* __restrict__ mu, REAL* __restrict__ rho_dot,
                REAL* __restrict__ a_dot, REAL* y_dot, int tasks, int rows, int channels) {
  normalise_jvp<LANES>(Z_dot, y, c, rho, a, gamma, gamma_dot, beta_dot, param_task, mu,
                       rho_dot, a_dot, y_dot, rows, channels);
}

extern "C" __global__ void __launch_bounds__(16 * LANES, 8 / sizeof(REAL))
    bn_relu_vjp_dot(const REAL* y_bar_dot, const REAL* __restrict__ s_y_bar,
                    const REAL* __restrict__ y, const REAL* __restrict__ c,
                    const REAL* __restrict__ Z_dot, const REAL* __restrict__ mu,
                    const REAL* __restrict__ rho, const REAL* __restrict__ rho_dot,
                    const REAL* __restrict__ a, const REAL* __restrict__ a_dot,
                    const REAL* __restrict__ e, const REAL* __restrict__ q,
                    const REAL* __restrict__ k, REAL* Z_bar_dot,
                    REAL* __restrict__ gamma_bar_dot, REAL* __restrict__ beta_bar_dot,
                    int param_task, int tasks, int rows, int channels) {
  normalise_vjp_dot<LANES>(y_bar_dot, s_y_bar, y, c, Z_dot, mu, rho, rho_dot, a, a_dot,
                           e, q, k, Z_bar_dot, gamma_bar_dot, beta_bar_dot, param_task,
                           rows, channels);
}
