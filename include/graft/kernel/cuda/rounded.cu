/// \file rounded.cu  Matrix products, dense layers and convolutions on tensor cores, for Tf32 and Bf16.
#include "graft/kernel/cuda/conv2d.cuh"
#include "graft/kernel/cuda/rounded_product.cuh"

GRAFT_CUDA_BEGIN

template <RoundedProducts P>
void gemm(P, bool ta, bool tb, int m, int n, int k, float alpha, const float* a, std::ptrdiff_t lda, const float* b,
          std::ptrdiff_t ldb, float beta, float* c, std::ptrdiff_t ldc) {
  detail::gemm_by<detail::Rounded<P>>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
template <RoundedProducts P>
void dense_forward(P, int n, int in, int out, const float* x, const float* w, const float* b, const Epilogue& epilogue,
                   float* y) {
  detail::dense_forward_by<detail::Rounded<P>>(n, in, out, x, w, b, epilogue, y);
}
template <RoundedProducts P>
void dense_backward(P, int n, int in, int out, const float* x, const float* w, const float* y, float* dy,
                    const Epilogue& epilogue, float* dx, float* dw, float* db) {
  detail::dense_backward_by<detail::Rounded<P>>(n, in, out, x, w, y, dy, epilogue, dx, dw, db);
}
template <RoundedProducts P>
void conv2d_forward(P, const ConvExtents& e, const float* x, const float* w, const float* b, const Epilogue& epilogue, float* y,
                    std::uint8_t* argmax) {
  detail::conv2d_forward_by<detail::Rounded<P>>(e, x, w, b, epilogue, y, argmax);
}
template <RoundedProducts P>
void conv2d_backward(P, const ConvExtents& e, const float* x, const float* w, const float* y, const std::uint8_t* argmax,
                     float* dy, const Epilogue& epilogue, float* dx, float* dw, float* db) {
  detail::conv2d_backward_by<detail::Rounded<P>>(e, x, w, y, argmax, dy, epilogue, dx, dw, db);
}

#define GRAFT_INSTANTIATE(P)                                                                                                  \
  template void gemm(P, bool, bool, int, int, int, float, const float*, std::ptrdiff_t, const float*, std::ptrdiff_t, float,  \
                     float*, std::ptrdiff_t);                                                                                 \
  template void dense_forward(P, int, int, int, const float*, const float*, const float*, const Epilogue&, float*);           \
  template void dense_backward(P, int, int, int, const float*, const float*, const float*, float*, const Epilogue&, float*,   \
                               float*, float*);                                                                               \
  template void conv2d_forward(P, const ConvExtents&, const float*, const float*, const float*, const Epilogue&, float*,      \
                               std::uint8_t*);                                                                                \
  template void conv2d_backward(P, const ConvExtents&, const float*, const float*, const float*, const std::uint8_t*, float*, \
                                const Epilogue&, float*, float*, float*);
GRAFT_INSTANTIATE(Tf32<Cuda>)
GRAFT_INSTANTIATE(Bf16<Cuda>)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END
