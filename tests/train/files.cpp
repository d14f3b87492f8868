#include "graft/train/atomic_file.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/history.hpp"
#include "graft/train/plot.hpp"
#include "io/scratch.hpp"

#include "catch.hpp"

#include <clocale>
#include <csignal>
#include <limits>

#include <sys/resource.h>

namespace test_files {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// The same checksum that a checkpoint carries, made afresh after its bytes were changed: an attacker can do that.
std::string resealed(std::string bytes) {
  bytes.resize(bytes.size() - 4);
  const std::uint32_t crc = detail::crc32(bytes);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(crc >> 8 * i & 255);
  return bytes;
}
std::string small_checkpoint(const Scratch& scratch) {
  const float numbers[] = {1.0f, 2.0f, 3.0f};
  CheckpointWriter file;
  file.add("w", numbers, 3);
  file.add_number("n", 0.1);
  file.add_text("t", "some text");
  file.write(scratch / "c");
  return scratch.get("c");
}

}  // namespace

TEST_CASE("a checkpoint is written and read back", "[train]") {
  const Scratch scratch;
  small_checkpoint(scratch);
  const CheckpointReader file(scratch / "c");
  float numbers[3] = {};
  file.get("w", numbers, 3);
  CHECK(numbers[2] == 3.0f);
  CHECK(file.number("n") == 0.1);
  CHECK(file.text("t") == "some text");
  CHECK(scratch.files() == 1);
  double wide[3];
  CHECK_THROWS_WITH(file.get("w", numbers, 2), ContainsSubstring("another network") && ContainsSubstring("'w'"));
  CHECK_THROWS_WITH(file.get("w", wide, 3), ContainsSubstring("another network") && ContainsSubstring("float"));
  CHECK_THROWS_WITH(file.get("v", numbers, 3), ContainsSubstring("another network") && ContainsSubstring("'v'"));
  CHECK_THROWS_AS(file.number("t"), Error);
  CHECK_THROWS_AS(file.text("w"), Error);
  CheckpointWriter twice;
  twice.add_number("n", 1.0);
  CHECK_THROWS_WITH(twice.add_number("n", 2.0), ContainsSubstring("'n'"));
}

TEST_CASE("a checkpoint cut anywhere, lengthened, or with any bit flipped is refused", "[train]") {
  const Scratch scratch;
  const std::string whole = small_checkpoint(scratch);
  const auto refused = [&](const std::string& bytes) {
    scratch.put("bad", bytes);
    try {
      const CheckpointReader file(scratch / "bad");
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  CHECK_FALSE(refused(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(refused(whole.substr(0, length)));
    if (length >= 12) CHECK(refused(resealed(whole.substr(0, length))));
  }
  CHECK(refused(whole + "x"));
  CHECK(refused(resealed(whole + "x")));
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    INFO(bit);
    CHECK(refused(flipped));
  }
  // Sizes that lie, under a checksum that is right: a count of sections, a name, an array.
  for (const std::size_t at : {std::size_t{12}, std::size_t{16}, std::size_t{25}}) {
    for (const char byte : {'\x7f', '\xff'}) {
      std::string forged = whole;
      forged[at + 3] = byte;
      INFO(at);
      CHECK(refused(resealed(forged)));
    }
  }
  CHECK_THROWS_AS(CheckpointReader(scratch / "absent"), Error);
  CHECK_THROWS_AS(CheckpointReader(scratch / "."), Error);
}

TEST_CASE("a file is replaced whole or not at all", "[train]") {
  const Scratch scratch;
  atomic_write(scratch / "f", "old");
  atomic_write(scratch / "f", "new");
  CHECK(scratch.get("f") == "new");
  CHECK(scratch.files() == 1);
  CHECK_THROWS_WITH(atomic_write(scratch / "absent" / "f", "x"), ContainsSubstring("absent"));
  CHECK_THROWS_AS(atomic_write(scratch / "f" / "g", "x"), Error);
  std::filesystem::create_directory(scratch / "folder");
  CHECK_THROWS_AS(atomic_write(scratch / "folder", "x"), Error);
  CHECK(scratch.files() == 2);

  // A disk that is full, played by a limit on the size of files.
  ::rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const ::rlimit tight{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  std::string said;
  try {
    atomic_write(scratch / "f", std::string(100000, 'x'));
  } catch (const Error& error) {
    said = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_THAT(said, ContainsSubstring("cannot write"));
  CHECK(scratch.get("f") == "new");
  CHECK(scratch.files() == 2);

  make_folder(scratch / "a" / "b");
  CHECK(std::filesystem::is_directory(scratch / "a" / "b"));
  make_folder(scratch / "a" / "b");
  CHECK_THROWS_AS(make_folder(scratch / "f" / "b"), Error);
}

TEST_CASE("a history is read back as it was", "[train]") {
  History history;
  Row first;
  first.set("epoch", 1);
  first.set("loss", 0.1);
  history.add(first);
  Row second;
  second.set("epoch", 2);
  second.set("loss", 1.0 / 3.0);
  second.set("tiny", 5e-324);
  history.add(second);
  CHECK(history.csv() == "epoch,loss,tiny\n1,0.1,\n2,0.3333333333333333,5e-324\n");
  const History again = History::from_csv(history.csv());
  CHECK(again.csv() == history.csv());
  CHECK(again.last("loss") == 1.0 / 3.0);
  CHECK(again.last("tiny") == 5e-324);
  CHECK_FALSE(again.rows()[0].has("tiny"));
  CHECK(history.json() ==
        "[\n  {\"epoch\": 1, \"loss\": 0.1},\n  {\"epoch\": 2, \"loss\": 0.3333333333333333, \"tiny\": 5e-324}\n]\n");
  CHECK(History::from_csv(History().csv()).empty());
  CHECK_THROWS_AS(History::from_csv("a,b\n1,2,3\n"), Error);
  CHECK_THROWS_WITH(History::from_csv("a,b\n1,zwei\n"), ContainsSubstring("zwei"));
}

TEST_CASE("numbers are written with a point in every locale", "[train]") {
  const std::string kept = std::setlocale(LC_ALL, nullptr);
  const bool comma = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr || std::setlocale(LC_ALL, "fr_FR.UTF-8") != nullptr;
  if (!comma) WARN("no locale with a decimal comma is installed: this check sees the C locale only.");
  Row row;
  row.set("epoch", 1.5);
  History history;
  history.add(row);
  const std::string csv = history.csv();
  const double back = History::from_csv(csv).last("epoch");
  const std::string svg = line_plot("t", "x", "y", {{"a", {0.0, 1.0}, {0.25, 0.75}}});
  std::setlocale(LC_ALL, kept.c_str());
  CHECK(csv == "epoch\n1.5\n");
  CHECK(back == 1.5);
  CHECK(svg == line_plot("t", "x", "y", {{"a", {0.0, 1.0}, {0.25, 0.75}}}));
}

TEST_CASE("plots take any numbers", "[train]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& y :
       {std::vector<double>{}, {1.0}, {2.0, 2.0}, {nan, 1.0}, {inf, -inf}, {0.0, 1e-300}, {1e12, 1e12 + 1}}) {
    std::vector<double> x;
    for (std::size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<double>(i));
    const std::string svg = line_plot("<t> & \"u\"", "x", "y", {{"a", x, y}, {"b", x, y}});
    CHECK_THAT(svg, ContainsSubstring("&lt;t&gt; &amp;") && ContainsSubstring("</svg>"));
    CHECK_THAT(svg, !ContainsSubstring("nan") && !ContainsSubstring("inf"));
    CHECK(svg.size() < 20000);
  }
  Confusion confusion(2);
  confusion.add(0, 1);
  CHECK_THAT(confusion_plot(confusion, "c", {"cat", "<dog>"}), ContainsSubstring("cat") && ContainsSubstring("&lt;dog&gt;"));
}

}  // namespace test_files
