#include "graft/io/npy.hpp"

#include "catch.hpp"
#include "graft/io/npz.hpp"
#include "graft/io/safetensors.hpp"
#include "io/fixture.hpp"
#include "io/scratch.hpp"

namespace test_npy {
using namespace graft;
using Catch::Matchers::ContainsSubstring;
using Extents = std::vector<std::size_t>;

namespace {

std::vector<double> ramp() {
  std::vector<double> numbers;
  for (int i = 0; i < 24; ++i) numbers.push_back(i * 0.5 - 3);
  return numbers;
}
std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
/// An .npy of version 1 with this dictionary.
std::string npy(const std::string& literal, std::size_t data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(literal.size() & 255);
  bytes += static_cast<char>(literal.size() >> 8);
  return bytes + literal + std::string(data, '\0');
}
std::string literal(const std::string& descr, const std::string& shape) {
  std::string text = "{'descr': '";
  return text.append(descr).append("', 'fortran_order': False, 'shape': ").append(shape).append(", }\n");
}
template <class File>
std::string opening(const Scratch& scratch, const std::string& bytes) {
  scratch.put("hostile", bytes);
  return complaint_of([&] { File file(scratch / "hostile"); });
}
/// Reads everything that an .npz holds.
std::string reading(const Scratch& scratch, const std::string& bytes) {
  scratch.put("hostile", bytes);
  return complaint_of([&] {
    const io::Npz file(scratch / "hostile");
    for (const auto& [name, info] : file.tensors()) (void)file.get<double>(name);
  });
}

}  // namespace

TEST_CASE("NumPy's own .npy files are read: versions, orders, byte orders, types", "[io]") {
  for (const char* name : {"c_f4.npy", "fortran_f8.npy", "big_f4.npy", "f2.npy", "version2.npy", "version3.npy"}) {
    INFO(name);
    const auto file = io::read_npy(fixture(name));
    CHECK(file.info().shape == Extents{2, 3, 4});
    CHECK(file.get<double>() == ramp());
  }
  std::vector<int> cut;  // astype to integers cuts towards zero
  for (const double value : ramp()) cut.push_back(static_cast<int>(value));
  CHECK(io::read_npy(fixture("big_fortran_i2.npy")).get<int>() == cut);
  for (const char* name : {"i1", "i4", "i8", "u1", "u2", "u4", "u8"}) {
    INFO(name);
    CHECK(io::read_npy(fixture(std::string(name) + ".npy")).get<float>() == std::vector<float>{1, 2, 3, 100, 101, 127});
  }
  CHECK(io::read_npy(fixture("bool.npy")).get<std::uint8_t>() == std::vector<std::uint8_t>{1, 0, 1});
  CHECK(io::read_npy(fixture("scalar.npy")).get<double>() == std::vector<double>{2.5});
  CHECK(io::read_npy(fixture("empty.npy")).info().shape == Extents{0, 3});
  CHECK_THAT(complaint_of([] { io::read_npy(fixture("text.npy")); }), ContainsSubstring("<U2"));
  CHECK_THROWS_AS(io::read_npy(fixture("fortran_f8.npy")).get<std::uint8_t>(), Error);  // -3 is no U8
}

TEST_CASE("NumPy's own .npz files are read, stored and deflated", "[io]") {
  const auto stored = io::read_npz(fixture("stored.npz"));
  CHECK(stored.tensors().size() == 3);  // the array of texts is passed over
  CHECK(stored.get<double>("a") == ramp());
  const auto b = stored.get<double>("b");
  CHECK(stored.info("b").shape == Extents{4, 3, 2});
  CHECK(b[1] == ramp()[12]);
  CHECK(b[2] == ramp()[4]);
  CHECK(stored.get<std::int64_t>("n") == std::vector<std::int64_t>{7});
  CHECK_THROWS_WITH(stored.get<double>("names"), ContainsSubstring("names"));
  const auto deflated = io::read_npz(fixture("deflated.npz"));
  CHECK(deflated.get<float>("b") == std::vector<float>(10000, 0.0f));
  CHECK(deflated.get<double>("a") == ramp());
}

TEST_CASE(".npy and .npz files are written and read back", "[io]") {
  const Scratch scratch;
  const auto numbers = ramp();
  io::write_npy(scratch / "a.npy", {4, 6}, numbers.data());
  CHECK(io::read_npy(scratch / "a.npy").get<double>() == numbers);
  CHECK(slurp(scratch / "a.npy").size() == 128 + 24 * 8);
  const std::vector<std::int32_t> whole(100000, 5);
  for (const bool compress : {false, true}) {
    io::write_npz(scratch / "a.npz", {io::tensor("x", {24}, numbers.data()), io::tensor("deep/y", {100, 1000}, whole.data())},
                  compress);
    const auto file = io::read_npz(scratch / "a.npz");
    CHECK(file.get<double>("x") == numbers);
    CHECK(file.get<std::int32_t>("deep/y") == whole);
    CHECK((slurp(scratch / "a.npz").size() < 5000) == compress);
  }
  CHECK_THROWS_AS(io::write_npz(scratch / "b.npz", {io::tensor("x", {1}, whole.data()), io::tensor("x", {1}, whole.data())}),
                  Error);
}

TEST_CASE("files cut short at any byte, or with more behind them, are refused", "[io]") {
  const Scratch scratch;
  for (const char* name : {"c_f4.npy", "version2.npy", "big_fortran_i2.npy"}) {
    const std::string whole = slurp(fixture(name));
    REQUIRE(opening<io::NpyFile>(scratch, whole) == "");
    for (std::size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " " << length);
      REQUIRE_THAT(opening<io::NpyFile>(scratch, whole.substr(0, length)), ContainsSubstring("hostile"));
    }
    CHECK(opening<io::NpyFile>(scratch, whole + "x") != "");
  }
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const std::string whole = slurp(fixture(name));
    REQUIRE(reading(scratch, whole) == "");
    for (std::size_t length = 0; length < whole.size(); ++length) {
      INFO(name << " " << length);
      REQUIRE_THAT(reading(scratch, whole.substr(0, length)), ContainsSubstring("hostile"));
    }
    // A changed byte: refused, or it was one that does not matter (a date, an attribute).
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string other = whole;
      other[i] = static_cast<char>(other[i] ^ 0x41);
      (void)reading(scratch, other);
    }
  }
  const std::string real = slurp(fixture("real.safetensors"));
  for (std::size_t length = 0; length < real.size(); ++length)
    REQUIRE(opening<io::TensorFile>(scratch, real.substr(0, length)) != "");
}

TEST_CASE("lying .npy headers are refused in sentences", "[io]") {
  const Scratch scratch;
  REQUIRE(opening<io::NpyFile>(scratch, npy(literal("<f4", "(2,)"), 8)) == "");
  const std::string hostile[] = {
      npy(literal("<f4", "(3,)"), 8),
      npy(literal("<f4", "(1152921504606846976,)"), 8),
      npy(literal("<f4", "(4294967296, 4294967296)"), 8),
      npy(literal("<f8", "(2305843009213693952, 8)"), 8),
      npy(literal("<f4", "(99999999999999999999999,)"), 8),
      npy(literal("<f4", "(-2,)"), 8),
      npy(literal("<f4", "(2.0,)"), 8),
      npy(literal("<f4", "2"), 8),
      npy(literal("<f4", "(2,"), 8),
      npy(literal("<f3", "(2,)"), 8),
      npy(literal("<c8", "(1,)"), 8),
      npy(literal("|O", "(1,)"), 8),
      npy(literal("f4", "(2,)"), 8),
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8),
      npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", 8),
      npy("{'descr': '<f4', 'shape': (2,), }", 8),
      npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } __import__('os')", 8),
      npy("", 8),
      npy("{", 8),
      npy("{'descr': '<f4", 8),
      std::string("\x93NUMPY\x04\x00\x00\x00\x00\x00\x00\x00", 14),
      std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14),
      std::string("\x93NUMPX\x01\x00\x02\x00{}", 12) + std::string(10, ' '),
  };
  for (const std::string& bytes : hostile) {
    INFO(bytes);
    CHECK_THAT(opening<io::NpyFile>(scratch, bytes), ContainsSubstring("hostile"));
  }
}

TEST_CASE("bombs and lying zip directories are refused without memory taken on their word", "[io]") {
  const Scratch scratch;
  const std::vector<float> zeros(1000, 0.0f);
  io::write_npz(scratch / "z", {io::tensor("zero", {1000}, zeros.data())}, true);
  const std::string whole = slurp(scratch / "z");
  REQUIRE(reading(scratch, whole) == "");
  const std::size_t directory = whole.rfind("PK\x01\x02");
  REQUIRE(directory != std::string::npos);
  const auto with = [&](std::size_t at, std::uint64_t value, std::size_t width) {
    std::string other = whole;
    for (std::size_t i = 0; i < width; ++i) other[at + i] = static_cast<char>(value >> 8 * i & 255);
    return other;
  };
  const std::size_t extra = directory + 46 + 8 + 4;  // "zero.npy", then the field's head
  CHECK_THAT(reading(scratch, with(extra, std::uint64_t{1} << 60, 8)), ContainsSubstring("deflate"));  // unpacked size
  CHECK_THAT(reading(scratch, with(extra, 4096, 8)), ContainsSubstring("fill"));  // not what the header says
  CHECK_THAT(reading(scratch, with(extra + 8, std::uint64_t{1} << 60, 8)), ContainsSubstring("ends within"));  // packed size
  CHECK_THAT(reading(scratch, with(extra + 16, whole.size() + 5, 8)), ContainsSubstring("begin"));             // offset
  CHECK_THAT(reading(scratch, with(directory + 16, 7, 4)), ContainsSubstring("checksum"));
  CHECK_THAT(reading(scratch, with(directory + 8, 1, 2)), ContainsSubstring("encrypted"));
  CHECK_THAT(reading(scratch, with(directory + 10, 12, 2)), ContainsSubstring("method 12"));
  const std::size_t end64 = whole.rfind("PK\x06\x06");
  CHECK_THAT(reading(scratch, with(end64 + 32, std::uint64_t{1} << 60, 8)), ContainsSubstring("entries"));
  CHECK_THAT(reading(scratch, with(end64 + 48, ~std::uint64_t{0}, 8)), ContainsSubstring("outside"));
  // Two entries over one another's bytes, as a bomb is built that expands what it holds many times.
  io::write_npz(scratch / "two", {io::tensor("a", {1000}, zeros.data()), io::tensor("b", {1000}, zeros.data())}, true);
  std::string two = slurp(scratch / "two");
  const std::size_t second = two.rfind("PK\x01\x02") + 46 + 5 + 4 + 16;
  for (std::size_t i = 0; i < 8; ++i) two[second + i] = '\0';
  CHECK_THAT(reading(scratch, two), ContainsSubstring("overlap"));
}

}  // namespace test_npy
