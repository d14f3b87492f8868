#pragma once
/// \file device.hpp  What the tests of the CUDA kernels share: managed arrays of exactly their size, and the comparison with
/// the CPU's kernels in both precisions and, emulated, in several orders of threads and blocks.
#include "graft/core/cuda.hpp"
#include "graft/core/device.hpp"
#include "graft/core/precision.hpp"
#include "kernel/reference.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace device {

/// Sets the order in which the emulation runs threads and blocks: 0 to 2. False: there is no such order (a real device has
/// one).
bool set_order(int order);

/// Bits of a float's mantissa that arrays are given: of numbers that a precision can hold its products are exact.
inline int mantissa = 23;
inline float rounded(float x) {
  if (mantissa == 23) return x;
  const int less = 23 - mantissa;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(x));
  bits = (bits + (1u << (less - 1))) >> less << less;  // ties go up: which way does not matter here
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

/// Numbers in managed memory.
template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& from)
      : size_(from.size()), data_(static_cast<T*>(graft::cuda::allocate(size_ * sizeof(T)))) {
    if (size_ != 0) std::memcpy(data_, from.data(), size_ * sizeof(T));
    if constexpr (std::is_same_v<T, float>) {
      for (std::size_t i = 0; i < size_; ++i) data_[i] = rounded(data_[i]);
    }
  }
  explicit Array(std::size_t count, T value = T(77)) : Array(std::vector<T>(count, value)) {}
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { graft::cuda::release(data_); }
  T* data() { return data_; }
  /// Waits for the device.
  std::vector<T> get() const {
    graft::cuda::synchronize();
    return std::vector<T>(data_, data_ + size_);
  }

 private:
  std::size_t size_;
  T* data_;
};

/// An array as a kernel reads it.
template <class T>
const T* read(Array<T>& array) {
  return array.data();
}

/// How near a kernel must come to the CPU's, of the largest number.
template <class T>
inline constexpr double near = std::is_same_v<T, double> ? 1e-11 : 1e-5;

template <class T>
using Results = std::vector<std::vector<T>>;

/// on(device, results) runs a kernel on the tag's device and appends its outputs. Checks that they are near and, emulated, that
/// no order of threads changes a bit.
template <class T, class Device = graft::Cuda, class F>
void compare(const std::string& what, const F& on) {
  INFO(what << " in " << 8 * sizeof(T) << " bits");
  Results<T> expected;
  on(graft::Cpu{}, expected);
  Results<T> first;
  for (int order = 0; set_order(order); ++order) {
    Results<T> got;
    const std::uint64_t before = graft::cuda::launches();
    on(Device{}, got);
    CHECK(graft::cuda::launches() > before);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("result " << i << ", order " << order);
      CHECK(reference::distance(got[i], expected[i]) < near<T>);
      if (order == 0) continue;
      REQUIRE(got[i].size() == first[i].size());
      CHECK(std::memcmp(got[i].data(), first[i].data(), got[i].size() * sizeof(T)) == 0);
    }
    if (order == 0) first = got;
  }
  set_order(0);
}
/// The same in both precisions: on is given a T{} first.
template <class F>
void compare_both(const std::string& what, const F& on) {
  compare<double>(what, [&](auto tag, auto& results) { on(double{}, tag, results); });
  compare<float>(what, [&](auto tag, auto& results) { on(float{}, tag, results); });
}

/// The same in float, and on the devices whose products round, from numbers that need no rounding.
template <class F>
void compare_floats(const std::string& what, const F& on) {
  const auto in_float = [&](auto tag, auto& results) { on(float{}, tag, results); };
  compare<float>(what, in_float);
  mantissa = 10;
  compare<float, graft::Tf32<graft::Cuda>>(what + ", tf32", in_float);
  mantissa = 7;
  compare<float, graft::Bf16<graft::Cuda>>(what + ", bf16", in_float);
  mantissa = 23;
}
/// The same in double, too.
template <class F>
void compare_all(const std::string& what, const F& on) {
  compare<double>(what, [&](auto tag, auto& results) { on(double{}, tag, results); });
  compare_floats(what, on);
}

}  // namespace device
