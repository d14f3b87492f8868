#pragma once
/// \file accelerator.hpp  What the engine asks of a device beside a layer's kernels, as a table chosen when the program runs:
/// the tape, the losses and the optimisers hold no device in their types. graft/cuda.hpp has Cuda's.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/device_memory.hpp"
#include "graft/core/flat_parameters.hpp"
#include "graft/core/pixel_change.hpp"
#include "graft/core/precision.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

GRAFT_BEGIN

/// The losses that a device has kernels for: loss/on_device.hpp.
template <class T>
class DeviceLosses;

/// Pointers are the device's or managed memory unless said otherwise. Nothing waits but synchronise() and fetch(); what was
/// asked for runs in the order in which it was asked.
template <class T>
class Accelerator : public DeviceMemory {
 public:
  /// Begins what was asked for so far, as one piece where the device can: a step ends with it. Waits for nothing.
  virtual void submit() const = 0;
  /// `bytes` from the host to the device. The host's copy may be changed when this returns.
  virtual void upload(std::size_t bytes, const void* from, void* to) const = 0;
  /// `bytes` to the host, which are there when this returns.
  virtual void fetch(std::size_t bytes, const void* from, void* to) const = 0;
  virtual void copy(std::size_t count, const T* from, T* to) const = 0;
  virtual void fill(std::size_t count, T value, T* y) const = 0;
  /// y += scale * x
  virtual void add_scaled(std::size_t count, T scale, const T* x, T* y) const = 0;
  /// y *= scale
  virtual void scale_by(std::size_t count, T scale, T* y) const = 0;
  /// y = keep * y + take * x
  virtual void blend(std::size_t count, T keep, T take, const T* x, T* y) const = 0;
  virtual void copy_rows(const RowCopy& how, const T* from, T* to) const = 0;
  /// out = weight_a * *a + weight_b * *b, single numbers (b null: left out)
  virtual void weigh(double weight_a, const T* a, double weight_b, const T* b, T* out) const = 0;
  /// Row i of `to` from image which[i] of `images`, both on the device.
  virtual void draw_pixels(const PixelRows& how, const std::uint8_t* images, const std::uint32_t* which, T* to) const = 0;
  /// The same of images that change on the way, and may be normalised by themselves; `changes` on the device, how.steps a row.
  virtual void change_pixels(const ChangedRows& how, const std::uint8_t* images, const std::uint32_t* which,
                             const PixelChange* changes, T* to) const = 0;
  virtual const DeviceLosses<T>& losses() const = 0;

  // ---- optimisers, with the rules of optim/; each leaves the gradients 0 --------------------------------------------------
  /// *squares = (add ? *squares : 0) + the sum of the trained gradients' squares
  virtual void sum_gradient_squares(const FlatParameters<T>& p, bool add, double* squares) const = 0;
  virtual void sgd(const FlatParameters<T>& p, double rate, double momentum, double decay, bool nesterov, const Clip& clip,
                   T* v) const = 0;
  virtual void adam(const FlatParameters<T>& p, double rate, double beta1, double beta2, double epsilon, double decay,
                    bool decoupled, std::uint64_t step, const Clip& clip, T* m, T* v) const = 0;
  /// v = keep v + add g^2
  virtual void root(const FlatParameters<T>& p, double rate, double keep, double add, double epsilon, double decay,
                    const Clip& clip, T* v) const = 0;

 protected:
  Accelerator() = default;
  ~Accelerator() = default;
};

/// Which Accelerator a Model on `Device` hands to the tape; null for the Cpu.
template <class Device, class T>
struct AcceleratorOf;
template <class T>
struct AcceleratorOf<Cpu, T> {
  static constexpr const Accelerator<T>* get() { return nullptr; }
};
template <class T>
struct AcceleratorOf<Winograd<Cpu>, T> : AcceleratorOf<Cpu, T> {};

namespace detail {

/// Says, once for each `what`, that the CPU does it in the device's place.
GRAFT_COLD inline void say_fallback(const char* device, std::string_view what) {
  what = what.substr(0, what.find('<'));  // some compilers name a function with its template's arguments
  constexpr int most = 64;
  static std::string_view said[most];
  static int count = 0;
  for (int i = 0; i < count; ++i) {
    if (said[i] == what) return;
  }
  if (count == most) return;
  said[count++] = what;
  std::fprintf(stderr, "graft: %s has no kernel for %.*s: the CPU does it, and the device waits.\n", device,
               static_cast<int>(what.size()), what.data());
}
/// The host is about to do `what`, a literal's text, to a device's numbers.
template <class T>
void to_host(const Accelerator<T>* device, std::string_view what) {
  if (device == nullptr) return;
  say_fallback(device->name(), what);
  device->synchronise();
}

template <class T>
void copy(const Accelerator<T>* device, std::size_t count, const T* from, T* to) {
  device != nullptr ? device->copy(count, from, to) : static_cast<void>(std::memcpy(to, from, count * sizeof(T)));
}
template <class T>
void set_zero(const Accelerator<T>* device, std::size_t count, T* y) {
  device != nullptr ? device->fill(count, T{0}, y) : static_cast<void>(std::memset(y, 0, count * sizeof(T)));
}

}  // namespace detail
GRAFT_END
