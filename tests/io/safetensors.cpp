#include "graft/io/safetensors.hpp"

#include "catch.hpp"
#include "io/scratch.hpp"
#include "support/reference.hpp"

#include <cmath>
#include <limits>

namespace test_safetensors {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A file with this header and these bytes behind it.
std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> 8 * i & 255);
  return bytes + header + data;
}
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + offsets + "]}";
}
/// What reading these bytes says.
std::string complaint(const Scratch& scratch, const std::string& bytes) {
  scratch.put("hostile", bytes);
  try {
    (void)io::read_safetensors(scratch / "hostile");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("tensors are written and read back", "[io]") {
  const Scratch scratch;
  const double wide[] = {1.5, -2.25, 1e300, -0.0, 3.0, 4.0};
  const float narrow[] = {0.1f, std::numeric_limits<float>::infinity()};
  const std::int64_t whole[] = {-(std::int64_t{1} << 40), 7};
  const std::uint8_t bytes[] = {0, 128, 255};
  io::write_safetensors(scratch / "t",
                        {io::tensor("b", {3}, bytes), io::tensor("f", {2}, narrow), io::tensor("d", {2, 3}, wide),
                         io::tensor("i", {2, 1}, whole), io::tensor("none", {0, 4}, wide), io::tensor("scalar", {}, wide)},
                        {{"made by", "a \"test\""}});
  const io::TensorFile file = io::read_safetensors(scratch / "t");
  CHECK(file.tensors().size() == 6);
  CHECK(file.metadata().at("made by") == "a \"test\"");
  CHECK(file.get<double>("d") == std::vector<double>(wide, wide + 6));
  CHECK(file.get<float>("f") == std::vector<float>(narrow, narrow + 2));
  CHECK(file.get<std::int64_t>("i") == std::vector<std::int64_t>(whole, whole + 2));
  CHECK(file.get<float>("b") == std::vector<float>{0, 128, 255});
  CHECK(file.get<double>("scalar") == std::vector<double>{1.5});
  CHECK(file.get<double>("none").empty());
  CHECK(file.info("d").shape == std::vector<std::size_t>{2, 3});
  CHECK(file.info("d").begin % 8 == 0);
  CHECK_THROWS_WITH(file.get<float>("nothing"), ContainsSubstring("nothing"));
  CHECK_THROWS_AS(io::write_safetensors(scratch / "t", {io::tensor("b", {3}, bytes), io::tensor("b", {2}, narrow)}), Error);
  CHECK_THROWS_AS(io::write_safetensors(scratch / "t", {io::tensor("\xff", {3}, bytes)}), Error);
  CHECK(io::read_safetensors(scratch / "t").tensors().size() == 6);
}

TEST_CASE("names and metadata of any text go through a file unchanged", "[io]") {
  const Scratch scratch;
  const double number[] = {1};
  const std::string odd = "quote\" slash\\ tab\t zero" + std::string(1, '\0') + " \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x85";
  io::write_safetensors(scratch / "t", {io::tensor(odd, {1}, number)}, {{odd, odd}});
  const io::TensorFile file = io::read_safetensors(scratch / "t");
  CHECK(file.contains(odd));
  CHECK(file.metadata().at(odd) == odd);
  CHECK_THROWS_AS(io::write_safetensors(scratch / "t", {io::tensor("__metadata__", {1}, number)}), Error);
}

TEST_CASE("a header may have white space, escapes, and entries that nobody asked for", "[io]") {
  const Scratch scratch;
  scratch.put(
      "t",
      file_of(
          " {\n \"\\u0061\\ud83d\\udc05\\/\" :\t{ \"more\" : [ { } , -1.5e3, null ] , \"dtype\" : \"F64\" , \"shape\" : [ ] , "
          "\"data_offsets\" : [ 0 , 8 ] } , \"__metadata__\" : { } }  \r\n",
          std::string(8, '\0')));
  const io::TensorFile file = io::read_safetensors(scratch / "t");
  CHECK(file.get<double>("a\xf0\x9f\x90\x85/") == std::vector<double>{0.0});
}

TEST_CASE("half precisions are converted", "[io]") {
  const Scratch scratch;
  // F16: 1, -2, largest, smallest subnormal, infinity, NaN. BF16: 1, -2.
  const std::string halves("\x00\x3c\x00\xc0\xff\x7b\x01\x00\x00\x7c\x01\x7e", 12);
  scratch.put("h", file_of(R"({"h":)" + entry("F16", "6", "0,12") + R"(,"b":)" + entry("BF16", "2", "12,16") + "}",
                           halves + std::string("\x80\x3f\x00\xc0", 4)));
  const io::TensorFile file = io::read_safetensors(scratch / "h");
  const auto h = file.get<float>("h");
  CHECK(h[0] == 1.0f);
  CHECK(h[1] == -2.0f);
  CHECK(h[2] == 65504.0f);
  CHECK(h[3] == std::ldexp(1.0f, -24));
  CHECK(std::isinf(h[4]));
  CHECK(std::isnan(h[5]));
  CHECK(file.get<double>("b") == std::vector<double>{1.0, -2.0});
}

TEST_CASE("a safetensors file cut short at any byte, or with more behind it, is refused", "[io]") {
  const Scratch scratch;
  const double numbers[] = {1, 2, 3};
  io::write_safetensors(scratch / "t", {io::tensor("a", {2}, numbers), io::tensor("b", {1}, numbers)});
  const std::string whole = scratch.get("t");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(complaint(scratch, whole.substr(0, length)) != "");
  }
  CHECK(complaint(scratch, whole + '\0') != "");
  CHECK(complaint(scratch, whole) == "");
}

TEST_CASE("real weights cut at every 997th byte are refused", "[io]") {
  const auto weights = reference::folder("GRAFT_WEIGHTS_DIR");
  if (!weights) return;
  const Scratch scratch;
  std::filesystem::copy_file(*weights / "mobilenet_v1_0.25_224.safetensors", scratch / "hostile");
  std::filesystem::permissions(scratch / "hostile", std::filesystem::perms::owner_all);
  REQUIRE_NOTHROW(io::TensorFile(scratch / "hostile"));
  for (auto length = (std::filesystem::file_size(scratch / "hostile") - 1) / 997 * 997;; length -= 997) {  // ever shorter
    std::filesystem::resize_file(scratch / "hostile", length);
    INFO(length);
    REQUIRE_THROWS_WITH(io::TensorFile(scratch / "hostile"), ContainsSubstring("hostile"));
    if (length == 0) break;
  }
}

TEST_CASE("hostile safetensors headers are refused in sentences", "[io]") {
  const Scratch scratch;
  const std::string eight(8, '\0');
  const auto one = [&](const std::string& text) { return file_of(R"({"a":)" + text + "}", eight); };
  REQUIRE(complaint(scratch, one(entry("F32", "2", "0,8"))) == "");
  const std::string hostile[] = {
      std::string(8, '\xff'),
      std::string("\0\0\0\0\0\0\0\x10{}", 10),
      file_of("", ""),
      file_of("[]", ""),
      file_of("{", ""),
      file_of(std::string(100000, '['), ""),
      file_of(R"({"a":{"a":{"a":{"a":{"a":{"a":1}}}}}})", ""),
      file_of(R"({"__metadata__":{"a":1}})", ""),
      file_of("{}", eight),
      one("7"),
      one(R"({"dtype":"F32","shape":[2]})"),
      one(entry("F31", "2", "0,8")),
      one(entry("F32", "3", "0,8")),
      one(entry("F32", "-2", "0,8")),
      one(entry("F32", "2.0", "0,8")),
      one(entry("F32", "2", "0,16")),
      one(entry("F32", "2", "8,0")),
      one(entry("F32", "1", "0,4")),
      one(entry("F32", "1152921504606846976", "0,8")),
      one(entry("F32", "4294967296,4294967296", "0,8")),
      one(entry("F64", "2305843009213693952,8,1", "0,8")),
      one(entry("F32", "2", "0,18446744073709551615")),
      one(entry("F32", "2", "18446744073709551608,18446744073709551615")),
      file_of(R"({"a":)" + entry("U8", "6", "0,6") + R"(,"b":)" + entry("U8", "4", "4,8") + "}", eight),
      file_of(R"({"a":)" + entry("U8", "3", "0,3") + R"(,"b":)" + entry("U8", "4", "4,8") + "}", eight),
      file_of(R"({"a":)" + entry("U8", "8", "0,8") + R"(,"a":)" + entry("U8", "8", "0,8") + "}", eight),
      one(entry("F32", "02", "0,8")),
      one(entry("F32", "2e0", "0,8")),
      one(entry("F32", "2", "0,8") + " x"),
      one(entry("F32", "2", "0,8,8")),
      one(entry("F32", "2,", "0,8")),
      one(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
      one(R"({"dtype":F32,"shape":[2],"data_offsets":[0,8]})"),
      one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":[[[[1]]]]})"),
      one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":})"),
      file_of("{\"\xff\":" + entry("U8", "8", "0,8") + "}", eight),
      file_of("{\"\xc0\xaf\":" + entry("U8", "8", "0,8") + "}", eight),
      file_of("{\"\xed\xa0\x80\":" + entry("U8", "8", "0,8") + "}", eight),
      file_of("{\"line\nbreak\":" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"\x":)" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"\ud800":)" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"\ud800\u0041":)" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"\udc00":)" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"\u12g4":)" + entry("U8", "8", "0,8") + "}", eight),
      file_of(R"({"a":)" + entry("U8", "8", "0,8") + R"(} {)", eight),
      file_of(R"({"a)", eight),
      file_of(R"({"a\)", eight),
      file_of(R"({"a\u12)", eight),
  };
  for (const std::string& bytes : hostile) {
    INFO(bytes.substr(0, 120));
    CHECK_THAT(complaint(scratch, bytes), ContainsSubstring("hostile"));  // the sentence names the file
  }
  CHECK_THROWS_AS(io::read_safetensors(scratch / "absent"), Error);
  CHECK_THROWS_AS(io::read_safetensors(scratch / "."), Error);
}

}  // namespace test_safetensors
