#pragma once
/// \file protobuf.hpp  Protocol buffers as bytes, as far as the writers of this library need them: each field is its number and
/// kind, then the value. The format: https://protobuf.dev/programming-guides/encoding.
#include "graft/config.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

GRAFT_BEGIN
namespace detail {

/// The bytes of a number as they lie in memory.
template <class N>
std::string little_endian(N value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof(N), 0);
  std::memcpy(bytes.data(), &value, sizeof(N));
  return bytes;
}

inline std::string proto_number(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
  return bytes + static_cast<char>(value);
}
inline std::string proto_int(int field, std::int64_t value) {
  return proto_number(static_cast<std::uint64_t>(field) << 3) + proto_number(static_cast<std::uint64_t>(value));
}
/// A text, raw bytes or a message within a message.
inline std::string proto_bytes(int field, std::string_view value) {
  return proto_number(static_cast<std::uint64_t>(field) << 3 | 2).append(proto_number(value.size())).append(value);
}
inline std::string proto_float(int field, float value) {
  return proto_number(static_cast<std::uint64_t>(field) << 3 | 5) + little_endian(value);
}

}  // namespace detail
GRAFT_END
