#pragma once
/// \file cuda.hpp  Models on an NVIDIA GPU: Model<Net, Cuda>. An include of its own; link graft::cuda. docs/cuda.md tells what
/// runs where.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/cuda.hpp"
#include "graft/core/precision.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/optimizers.hpp"
#include "graft/kernel/cuda/vectors.hpp"
#include "graft/loss/on_device.hpp"

#include <cstddef>
#include <cstdint>

GRAFT_BEGIN
namespace detail {

template <class T>
class CudaLosses final : public DeviceLosses<T> {
 public:
  void cross_entropy(int n, int classes, const T* logits, const int* labels, const kernel::CrossEntropyOptions<T>& options,
                     T* gradient, T* value) const override {
    cuda::cross_entropy(Cuda{}, n, classes, logits, labels, options, gradient, value);
  }
  void soft_cross_entropy(int n, int classes, const T* logits, const T* targets, T* gradient, T* value) const override {
    cuda::soft_cross_entropy(Cuda{}, n, classes, logits, targets, gradient, value);
  }
  void binary_cross_entropy(int n, const T* logits, const T* targets, T* gradient, T* value) const override {
    cuda::binary_cross_entropy(Cuda{}, n, logits, targets, gradient, value);
  }
  void mean_absolute_error(std::ptrdiff_t count, const T* a, const T* b, T* da, T* value) const override {
    cuda::mean_absolute_error(Cuda{}, count, a, b, da, value);
  }
  void mean_squared_error(std::ptrdiff_t count, const T* a, const T* b, T* da, T* db, T* value) const override {
    cuda::mean_squared_error(Cuda{}, count, a, b, da, db, value);
  }
  void entropy(int n, int classes, const T* logits, T* gradient, double epsilon, T* value) const override {
    cuda::entropy(Cuda{}, n, classes, logits, gradient, epsilon, value);
  }
  void mean_entropy(int n, int classes, const T* logits, T* gradient, double epsilon, T* value) const override {
    cuda::mean_entropy(Cuda{}, n, classes, logits, gradient, epsilon, value);
  }
  void mmd(int nx, int ny, int d, const T* x, const T* y, const kernel::MmdOptions& options, T* dx, T* dy,
           T* value) const override {
    cuda::mmd(Cuda{}, nx, ny, d, x, y, options, dx, dy, value);
  }
  void mean_difference(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) const override {
    cuda::mean_difference(Cuda{}, nx, ny, d, x, y, dx, dy, value);
  }
  void coral(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) const override {
    cuda::coral(Cuda{}, nx, ny, d, x, y, dx, dy, value);
  }
  void classifier_discrepancy(int n, int classes, const T* p, const T* q, T* da, T* db, T* value) const override {
    cuda::classifier_discrepancy(Cuda{}, n, classes, p, q, da, db, value);
  }
  void margin_disparity(int rows, int split, int classes, const T* p, const T* main, double margin, T* dz,
                        T* value) const override {
    cuda::margin_disparity(Cuda{}, rows, split, classes, p, main, margin, dz, value);
  }
  void consistency(int n, int classes, const T* logits, const T* teacher, double confidence, T* dx, T* value) const override {
    cuda::consistency(Cuda{}, n, classes, logits, teacher, confidence, dx, value);
  }
  void mcc(int n, int classes, const T* logits, T temperature, T* gradient, double epsilon, T* value) const override {
    cuda::mcc(Cuda{}, n, classes, logits, temperature, gradient, epsilon, value);
  }
  void weighted_kernels(int n, const T* w, int count, const kernel::KernelFactor<T>* factors, T* value) const override {
    cuda::weighted_kernels(Cuda{}, n, w, count, factors, value);
  }
  void central_moments(int nx, int ny, int d, const T* x, const T* y, int orders, double range, T* dx, T* dy,
                       T* value) const override {
    cuda::central_moments(Cuda{}, nx, ny, d, x, y, orders, range, dx, dy, value);
  }
  void sliced_wasserstein(int n, int m, int width, const T* x, const T* y, int projections, const T* directions, T* dx, T* dy,
                          T* value) const override {
    cuda::sliced_wasserstein(Cuda{}, n, m, width, x, y, projections, directions, dx, dy, value);
  }
  void mean_gap(int nx, int ny, const T* x, const T* y, T* dx, T* dy, T* value) const override {
    cuda::mean_gap(Cuda{}, nx, ny, x, y, dx, dy, value);
  }
  void unit_norms(int rows, int width, const T* g, T* along, T* value) const override {
    cuda::unit_norms(Cuda{}, rows, width, g, along, value);
  }
  void drawn_to(std::size_t count, double weight, const T* v, const T* start, bool add, T* value) const override {
    cuda::drawn_to(Cuda{}, static_cast<std::ptrdiff_t>(count), weight, v, start, add, value);
  }
  void drawn_to_backward(std::size_t count, T factor, const T* v, const T* start, T* g) const override {
    cuda::drawn_to_backward(Cuda{}, static_cast<std::ptrdiff_t>(count), factor, v, start, g);
  }
  void map_distance(std::size_t count, int channels, const T* x, const T* start, const double* weights, T* dx,
                    T* value) const override {
    cuda::map_distance(Cuda{}, static_cast<std::ptrdiff_t>(count), channels, x, start, weights, dx, value);
  }
  void domain_cross_entropy(int n, int split, const T* logits, const T* weights, T* dz, T* value) const override {
    cuda::domain_cross_entropy(Cuda{}, n, split, logits, weights, dz, value);
  }
  void outer(int n, int classes, int d, const T* g, const T* f, T* value) const override {
    cuda::outer(Cuda{}, n, classes, d, g, f, value);
  }
  void outer_backward(int n, int classes, int d, const T* g, const T* gradient, T* df) const override {
    cuda::outer_backward(Cuda{}, n, classes, d, g, gradient, df);
  }
  void entropy_weights(int n, int split, int classes, const T* p, T* w) const override {
    cuda::entropy_weights(Cuda{}, n, split, classes, p, w);
  }
  void softmax(int n, int classes, const T* logits, T* p) const override {
    cuda::softmax_forward(Cuda{}, n, classes, logits, p);
  }
  void softmax_backward(int n, int classes, const T* p, const T* dp, T* dz) const override {
    cuda::softmax_backward(Cuda{}, n, classes, p, dp, dz);
  }
  void mmd_weights(int nx, int ny, bool unbiased, T* w) const override { cuda::mmd_weights(Cuda{}, nx, ny, unbiased, w); }
  void without_scaling(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) const override {
    cuda::without_scaling(Cuda{}, nx, ny, d, x, y, dx, dy);
  }
  void class_weights(int ns, int n, int classes, const int* labels, const T* p, T* w) const override {
    cuda::class_weights(Cuda{}, ns, n, classes, labels, p, w);
  }
  void random_map(int n, int d, int classes, int wide, const T* f, const T* g, const T* of_f, const T* of_g, T part, T* other,
                  T* value) const override {
    cuda::random_map(Cuda{}, n, d, classes, wide, f, g, of_f, of_g, part, other, value);
  }
  void random_map_backward(int n, int d, int wide, const T* other, const T* of_f, const T* gradient, T* df) const override {
    cuda::random_map_backward(Cuda{}, n, d, wide, other, of_f, gradient, df);
  }
};

template <class T>
class CudaAccelerator final : public Accelerator<T> {
 public:
  /// Throws Error where no GPU can be used.
  CudaAccelerator() { cuda::require_device(); }

  [[nodiscard]] const char* name() const override { return "Cuda"; }
  [[nodiscard]] void* take(std::size_t bytes) const override {
    void* memory = cuda::allocate(bytes);
    cuda::clear(Cuda{}, bytes, memory);
    cuda::synchronize();  // whoever asked may write there at once
    return memory;
  }
  void give(void* data) const noexcept override { cuda::release(data); }
  [[nodiscard]] bool holds(const void* at) const noexcept override { return cuda::holds(at); }
  [[nodiscard]] std::size_t spare() const override { return cuda::device_info().free_memory; }
  void synchronise() const override { cuda::synchronize(); }
  void submit() const override { cuda::submit(); }

  void upload(std::size_t bytes, const void* from, void* to) const override { cuda::upload(Cuda{}, bytes, from, to); }
  void fetch(std::size_t bytes, const void* from, void* to) const override { cuda::fetch(Cuda{}, bytes, from, to); }
  void copy(std::size_t count, const T* from, T* to) const override { cuda::copy(Cuda{}, count * sizeof(T), from, to); }
  void fill(std::size_t count, T value, T* y) const override { cuda::fill(Cuda{}, count, value, y); }
  void add_scaled(std::size_t count, T scale, const T* x, T* y) const override { cuda::add_scaled(Cuda{}, count, scale, x, y); }
  void scale_by(std::size_t count, T scale, T* y) const override { cuda::scale_by(Cuda{}, count, scale, y); }
  void blend(std::size_t count, T keep, T take, const T* x, T* y) const override {
    cuda::blend(Cuda{}, count, keep, take, x, y);
  }
  void copy_rows(const RowCopy& how, const T* from, T* to) const override { cuda::copy_rows(Cuda{}, how, from, to); }
  void draw_pixels(const PixelRows& how, const std::uint8_t* images, const std::uint32_t* which, T* to) const override {
    cuda::draw_pixels(Cuda{}, how, images, which, to);
  }
  void change_pixels(const ChangedRows& how, const std::uint8_t* images, const std::uint32_t* which, const PixelChange* changes,
                     T* to) const override {
    cuda::change_pixels(Cuda{}, how, images, which, changes, to);
  }
  void weigh(double weight_a, const T* a, double weight_b, const T* b, T* out) const override {
    cuda::weigh(Cuda{}, weight_a, a, weight_b, b, out);
  }
  [[nodiscard]] const DeviceLosses<T>& losses() const override { return losses_; }

  void sum_gradient_squares(const FlatParameters<T>& p, bool add, double* squares) const override {
    cuda::sum_gradient_squares(Cuda{}, p, add, squares);
  }
  void sgd(const FlatParameters<T>& p, double rate, double momentum, double decay, bool nesterov, const Clip& clip,
           T* v) const override {
    cuda::sgd_step(Cuda{}, p, rate, momentum, decay, nesterov, clip, v);
  }
  void adam(const FlatParameters<T>& p, double rate, double beta1, double beta2, double epsilon, double decay, bool decoupled,
            std::uint64_t step, const Clip& clip, T* m, T* v) const override {
    cuda::adam_step(Cuda{}, p, rate, beta1, beta2, epsilon, decay, decoupled, step, clip, m, v);
  }
  void root(const FlatParameters<T>& p, double rate, double keep, double add, double epsilon, double decay, const Clip& clip,
            T* v) const override {
    cuda::root_step(Cuda{}, p, rate, keep, add, epsilon, decay, clip, v);
  }

 private:
  CudaLosses<T> losses_;
};

}  // namespace detail

/// The process's one GPU. Throws Error, one sentence, where there is none.
template <class T>
struct AcceleratorOf<Cuda, T> {
  static const Accelerator<T>* get() {
    static const detail::CudaAccelerator<T> device;
    return &device;
  }
};

/// The same GPU, whose products round. Throws Error where it has no tensor cores for them.
template <>
struct AcceleratorOf<Tf32<Cuda>, float> {
  static const Accelerator<float>* get() {
    cuda::require_tensor_cores("Tf32");
    return AcceleratorOf<Cuda, float>::get();
  }
};
template <>
struct AcceleratorOf<Bf16<Cuda>, float> {
  static const Accelerator<float>* get() {
    cuda::require_tensor_cores("Bf16");
    return AcceleratorOf<Cuda, float>::get();
  }
};

GRAFT_END
