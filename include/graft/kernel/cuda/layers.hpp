#pragma once
/// \file layers.hpp  The kernels of layers on the GPU, as kernel/cpu has them: same names, arguments and meaning, which are
/// documented there. They are templates for float and double, instantiated in the library graft::cuda. All pointers are memory
/// of the device or managed memory. A call launches on the calling thread's stream and returns at once; cuda::synchronize()
/// waits. Sums have a fixed order: the same call gives the same bits.
#include "graft/core/cuda.hpp"
#include "graft/core/precision.hpp"
#include "graft/kernel/options.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

GRAFT_CUDA_BEGIN

using kernel_options::Activation;

template <class T>
void gemm(Cuda, bool ta, bool tb, int m, int n, int k, T alpha, const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb,
          T beta, T* c, std::ptrdiff_t ldc);

template <class T>
void dense_forward(Cuda, int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y);
/// dx is overwritten, dw and db are added to, dy is multiplied by the activation's slope.
template <class T>
void dense_backward(Cuda, int n, int in, int out, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                    T* dw, T* db);

template <class T>
void conv2d_forward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                    std::uint8_t* argmax);
/// dx is overwritten, dw and db are added to; dy is overwritten.
template <class T>
void conv2d_backward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                     const Epilogue& epilogue, T* dx, T* dw, T* db);

/// The same by products of rounded numbers on tensor cores, summed in float: Tf32<Cuda>, Bf16<Cuda>. A sum over k products of
/// numbers a and b is off by at most (2 u + k 2^-23) sum |a b|, u = 2^-11 (tf32) or 2^-8 (bf16), or, where NVIDIA's libraries
/// multiply and do not say how they round, twice that. Other kernels take these devices as Cuda.
template <class P>
concept RoundedProducts = std::is_same_v<P, Tf32<Cuda>> || std::is_same_v<P, Bf16<Cuda>>;
template <RoundedProducts P>
void gemm(P, bool ta, bool tb, int m, int n, int k, float alpha, const float* a, std::ptrdiff_t lda, const float* b,
          std::ptrdiff_t ldb, float beta, float* c, std::ptrdiff_t ldc);
template <RoundedProducts P>
void dense_forward(P, int n, int in, int out, const float* x, const float* w, const float* b, const Epilogue& epilogue,
                   float* y);
template <RoundedProducts P>
void dense_backward(P, int n, int in, int out, const float* x, const float* w, const float* y, float* dy,
                    const Epilogue& epilogue, float* dx, float* dw, float* db);
template <RoundedProducts P>
void conv2d_forward(P, const ConvExtents& e, const float* x, const float* w, const float* b, const Epilogue& epilogue, float* y,
                    std::uint8_t* argmax);
template <RoundedProducts P>
void conv2d_backward(P, const ConvExtents& e, const float* x, const float* w, const float* y, const std::uint8_t* argmax,
                     float* dy, const Epilogue& epilogue, float* dx, float* dw, float* db);

template <class T>
void depthwise_forward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y);
template <class T>
void depthwise_backward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                        T* dw, T* db);

template <class T>
void max_pool_forward(Cuda, const PoolExtents& e, const T* x, T* y, std::int32_t* argmax);
template <class T>
void max_pool_backward(Cuda, const PoolExtents& e, const std::int32_t* argmax, const T* dy, T* dx);
template <class T>
void avg_pool_forward(Cuda, const PoolExtents& e, const T* x, T* y);
template <class T>
void avg_pool_backward(Cuda, const PoolExtents& e, const T* dy, T* dx);
template <class T>
void global_avg_pool_forward(Cuda, int n, int pixels, int c, const T* x, T* y);
template <class T>
void global_avg_pool_backward(Cuda, int n, int pixels, int c, const T* dy, T* dx);

template <class T>
void batch_norm_forward_train(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon, T* mean,
                              T* inverse, T* variance, T* y);
template <class T>
void batch_norm_update_running(Cuda, int c, std::ptrdiff_t rows, T momentum, bool unbiased, const T* mean, const T* variance,
                               T* running_mean, T* running_var);
template <class T>
void batch_norm_forward_infer(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon,
                              const T* running_mean, const T* running_var, T* y);
template <class T>
void batch_norm_backward_train(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* mean, const T* inverse, const T* gamma,
                               const T* dy, T* dx, T* dgamma, T* dbeta);
template <class T>
void batch_norm_backward_infer(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* running_mean, const T* running_var,
                               T epsilon, const T* gamma, const T* dy, T* dx, T* dgamma, T* dbeta);

template <class T>
void activation_forward(Cuda, Activation a, double alpha, std::ptrdiff_t count, const T* x, T* y);
template <class T>
void activation_backward(Cuda, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* dy, T* dx);

template <class T>
void softmax_forward(Cuda, int rows, int classes, const T* x, T* y);
template <class T>
void softmax_backward(Cuda, int rows, int classes, const T* y, const T* dy, T* dx);
template <class T>
void log_softmax_forward(Cuda, int rows, int classes, const T* x, T* y);
template <class T>
void log_softmax_backward(Cuda, int rows, int classes, const T* y, const T* dy, T* dx);

/// Drops the elements that the CPU drops.
template <class T>
void dropout_forward(Cuda, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* x, T* y);
template <class T>
void dropout_backward(Cuda, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* dy, T* dx);

GRAFT_CUDA_END

GRAFT_BEGIN
namespace kernel {
using cuda::activation_backward;
using cuda::activation_forward;
using cuda::avg_pool_backward;
using cuda::avg_pool_forward;
using cuda::batch_norm_backward_infer;
using cuda::batch_norm_backward_train;
using cuda::batch_norm_forward_infer;
using cuda::batch_norm_forward_train;
using cuda::batch_norm_update_running;
using cuda::conv2d_backward;
using cuda::conv2d_forward;
using cuda::dense_backward;
using cuda::dense_forward;
using cuda::depthwise_backward;
using cuda::depthwise_forward;
using cuda::dropout_backward;
using cuda::dropout_forward;
using cuda::gemm;
using cuda::global_avg_pool_backward;
using cuda::global_avg_pool_forward;
using cuda::log_softmax_backward;
using cuda::log_softmax_forward;
using cuda::max_pool_backward;
using cuda::max_pool_forward;
using cuda::softmax_backward;
using cuda::softmax_forward;
}  // namespace kernel
GRAFT_END
