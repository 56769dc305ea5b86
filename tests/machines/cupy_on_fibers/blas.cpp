// The products of cuBLAS that CuPy asks for, as loops; matrices lie by columns.

typedef long long Stride;
static void* of_handle;

extern "C" int cublasCreate_v2(void** handle) { return *handle = &of_handle, 0; }
extern "C" int cublasDestroy_v2(void*) { return 0; }
extern "C" int cublasGetVersion_v2(void*, int* v) { return *v = 130000, 0; }
extern "C" int cublasGetStream_v2(void*, void** s) { return *s = of_handle, 0; }
extern "C" int cublasSetStream_v2(void*, void* s) { return of_handle = s, 0; }
extern "C" int cublasGetMathMode(void*, int* m) { return *m = 0, 0; }
extern "C" int cublasSetMathMode(void*, int) { return 0; }
extern "C" int cublasGetPointerMode_v2(void*, int* m) { return *m = 0, 0; }
extern "C" int cublasSetPointerMode_v2(void*, int) { return 0; }

// C = α op(A) op(B) + β C
template <class T>
int gemm(int ta, int tb, int m, int n, int k, const T* alpha, const T* A, int lda, const T* B,
         int ldb, const T* beta, T* C, int ldc) {
  for (long j = 0; j < n; j++)
    for (long i = 0; i < m; i++) {
      double sum = 0;
      for (long l = 0; l < k; l++)
        sum += (double)A[ta ? i * lda + l : l * lda + i] * B[tb ? l * ldb + j : j * ldb + l];
      T& c = C[j * ldc + i];
      c = *alpha * sum + (*beta != 0 ? *beta * c : 0);
    }
  return 0;
}

template <class T>
int strided(int ta, int tb, int m, int n, int k, const void* alpha, const void* A, int lda,
            Stride of_a, const void* B, int ldb, Stride of_b, const void* beta, void* C, int ldc,
            Stride of_c, int count) {
  for (int t = 0; t < count; t++)
    gemm(ta, tb, m, n, k, (const T*)alpha, (const T*)A + t * of_a, lda, (const T*)B + t * of_b,
         ldb, (const T*)beta, (T*)C + t * of_c, ldc);
  return 0;
}

#define FOR(LETTER, T)                                                                         \
  extern "C" int cublas##LETTER##gemm_v2(void*, int ta, int tb, int m, int n, int k,           \
                                         const T* alpha, const T* A, int lda, const T* B,      \
                                         int ldb, const T* beta, T* C, int ldc) {              \
    return gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);                         \
  }                                                                                            \
  extern "C" int cublas##LETTER##gemmBatched(void*, int ta, int tb, int m, int n, int k,       \
                                             const T* alpha, const T** A, int lda,             \
                                             const T** B, int ldb, const T* beta, T** C,       \
                                             int ldc, int count) {                             \
    for (int t = 0; t < count; t++)                                                            \
      gemm(ta, tb, m, n, k, alpha, A[t], lda, B[t], ldb, beta, C[t], ldc);                     \
    return 0;                                                                                  \
  }                                                                                            \
  extern "C" int cublas##LETTER##gemv_v2(void*, int ta, int m, int n, const T* alpha,          \
                                         const T* A, int lda, const T* x, int step,            \
                                         const T* beta, T* y, int to) {                        \
    const long rows = ta ? n : m, cols = ta ? m : n;                                           \
    for (long i = 0; i < rows; i++) {                                                          \
      double sum = 0;                                                                          \
      for (long j = 0; j < cols; j++)                                                          \
        sum += (double)A[ta ? i * lda + j : j * lda + i] * x[j * step];                        \
      y[i * to] = *alpha * sum + (*beta != 0 ? *beta * y[i * to] : 0);                         \
    }                                                                                          \
    return 0;                                                                                  \
  }                                                                                            \
  extern "C" int cublas##LETTER##dot_v2(void*, int n, const T* x, int of_x, const T* y,        \
                                        int of_y, T* sum) {                                    \
    double found = 0;                                                                          \
    for (long i = 0; i < n; i++) found += (double)x[i * of_x] * y[i * of_y];                   \
    return *sum = found, 0;                                                                    \
  }
FOR(S, float)
FOR(D, double)

enum { REAL_32 = 0, REAL_64 = 1, NOT_SUPPORTED = 15 };

extern "C" int cublasGemmStridedBatchedEx(void*, int ta, int tb, int m, int n, int k,
                                          const void* alpha, const void* A, int type, int lda,
                                          Stride of_a, const void* B, int, int ldb, Stride of_b,
                                          const void* beta, void* C, int, int ldc, Stride of_c,
                                          int count, int, int) {
  if (type != REAL_32 && type != REAL_64) return NOT_SUPPORTED;
  return (type == REAL_32 ? strided<float> : strided<double>)(
      ta, tb, m, n, k, alpha, A, lda, of_a, B, ldb, of_b, beta, C, ldc, of_c, count);
}

extern "C" int cublasGemmEx(void* h, int ta, int tb, int m, int n, int k, const void* alpha,
                            const void* A, int type, int lda, const void* B, int, int ldb,
                            const void* beta, void* C, int, int ldc, int, int) {
  return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, A, type, lda, 0, B, type, ldb, 0,
                                    beta, C, type, ldc, 0, 1, 0, 0);
}
