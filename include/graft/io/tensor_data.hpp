#pragma once
/// \file tensor_data.hpp  What the writers take: named arrays.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/array.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// One tensor to be written; what `bytes` views must live until the writer returns, unless `own` holds them.
struct TensorData {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string_view bytes;
  std::string own{};
  [[nodiscard]] std::string_view contents() const { return own.empty() ? bytes : std::string_view(own); }
};

/// A tensor of `shape` from an array of floats, doubles or integers.
template <class T>
TensorData tensor(std::string name, std::vector<std::size_t> shape, const T* data) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  return {std::move(name), detail::dtype_of<T>(), std::move(shape),
          std::string_view(reinterpret_cast<const char*>(data), count * sizeof(T))};
}

/// The same stored as "F16" or "BF16", each number rounded to the nearest, ties to even.
inline TensorData narrow_tensor(const std::string& dtype, std::string name, std::vector<std::size_t> shape, const float* data) {
  if (dtype != "F16" && dtype != "BF16") fail("narrow_tensor: '", dtype, "' is not F16 or BF16; use tensor() for other types.");
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  TensorData result{std::move(name), dtype, std::move(shape), {}, std::string(2 * count, '\0')};
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = dtype == "F16" ? detail::to_half(data[i]) : detail::to_brain(data[i]);
    std::memcpy(result.own.data() + 2 * i, &bits, 2);
  }
  return result;
}

}  // namespace io
GRAFT_END
