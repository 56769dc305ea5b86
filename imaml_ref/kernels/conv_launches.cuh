// The functions of conv.cuh for a kind of tile.

#define CONVOLUTION                                                                    \
  int tasks, int examples, int height, int width, int channels, int out_height,        \
      int out_width, int size_h, int size_w, int stride_h, int stride_w, int pad_h,    \
      int pad_w, int filters
#define CONVOLUTION_OF                                                                 \
  {examples, height,   width,    channels, out_height, out_width, size_h,              \
   size_w,   stride_h, stride_w, pad_h,    pad_w,      filters}

#define CONV_BN_RELU(SYMBOL, S)                                                        \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 1)                          \
      SYMBOL(const REAL* __restrict__ x, const REAL* __restrict__ W,                   \
             const REAL* __restrict__ gamma, const REAL* __restrict__ beta,            \
             int param_task, REAL* c, REAL* __restrict__ rho, REAL* __restrict__ a,    \
             REAL* __restrict__ y, CONVOLUTION, REAL eps) {                            \
    const Convolution of = CONVOLUTION_OF;                                             \
    const long long t = blockIdx.y, z = t * of.rows() * filters;                       \
    const Factors f = {x + t * of.image(), W + t * param_task};                        \
    conv_rows<S, 1>(of, f, c + z);                                                     \
    normalise<16>(c, gamma, beta, param_task, c, rho, a, y, of.rows(), filters, eps);  \
  }

#define CONV_BN_RELU_JVP(SYMBOL, S)                                                    \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 1)                          \
      SYMBOL(const REAL* __restrict__ x_dot, const REAL* __restrict__ W,               \
             const REAL* __restrict__ x, const REAL* __restrict__ W_dot,               \
             const REAL* __restrict__ y, const REAL* __restrict__ c,                   \
             const REAL* __restrict__ rho, const REAL* __restrict__ a,                 \
             const REAL* __restrict__ gamma, const REAL* __restrict__ gamma_dot,       \
             const REAL* __restrict__ beta_dot, int param_task, REAL* Z_dot,           \
             REAL* __restrict__ mu, REAL* __restrict__ rho_dot,                        \
             REAL* __restrict__ a_dot, REAL* y_dot, CONVOLUTION) {                     \
    const Convolution of = CONVOLUTION_OF;                                             \
    const long long t = blockIdx.y, z = t * of.rows() * filters;                       \
    const Factors f = {x_dot + t * of.image(), W + t * param_task,                     \
                       x + t * of.image(), W_dot + t * param_task};                    \
    conv_rows<S, 2>(of, f, Z_dot + z);                                                 \
    normalise_jvp<16>(Z_dot, y, c, rho, a, gamma, gamma_dot, beta_dot, param_task, mu, \
                      rho_dot, a_dot, y_dot, of.rows(), filters);                      \
  }

#define CONV_VJP(SYMBOL, S)                                                            \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 1)                          \
      SYMBOL(const REAL* __restrict__ x, const REAL* __restrict__ Z_bar,               \
             REAL* __restrict__ W_bar, int param_task, CONVOLUTION) {                  \
    const Convolution of = CONVOLUTION_OF;                                             \
    const long long t = blockIdx.z, z = t * of.rows() * filters;                       \
    const Factors f = {x + t * of.image(), Z_bar + z};                                 \
    conv_kernel<S, 1>(of, f, W_bar + t * param_task);                                  \
  }

#define CONV_VJP_DOT(SYMBOL, S)                                                        \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 1)                          \
      SYMBOL(const REAL* __restrict__ x_dot, const REAL* __restrict__ Z_bar,           \
             const REAL* __restrict__ x, const REAL* __restrict__ Z_bar_dot,           \
             REAL* __restrict__ W_bar_dot, int param_task, CONVOLUTION) {              \
    const Convolution of = CONVOLUTION_OF;                                             \
    const long long t = blockIdx.z, z = t * of.rows() * filters;                       \
    const Factors f = {x_dot + t * of.image(), Z_bar + z, x + t * of.image(),          \
                       Z_bar_dot + z};                                                 \
    conv_kernel<S, 2>(of, f, W_bar_dot + t * param_task);                              \
  }
