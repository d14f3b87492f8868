// Sliding windows against their definition, over all small extents.
#include <graft/core/shape.hpp>

#include "catch.hpp"

using namespace graft;

static_assert(Image<28, 28, 3>.size() == 2352 && Image<28, 28, 3>.is_image());
static_assert(Vector<12> == vector_shape(12) && Vector<12> != Image<1, 1, 12>);  // the same numbers, another meaning
static_assert(slide(28, 28, 5, 1, valid).oh == 24);

TEST_CASE("`same` gives ceil(h / stride) windows, and pads an odd remainder at the end", "[core]") {
  for (int h = 1; h <= 12; ++h) {
    for (int k = 1; k <= 5; ++k) {
      for (int s = 1; s <= 4; ++s) {
        for (int d = 1; d <= 3; ++d) {
          CAPTURE(h, k, s, d);
          const Window w = slide(h, 2 * h, Size{k, 1}, Size{s, 2}, same, Size{d, 1});
          REQUIRE(w.oh == (h + s - 1) / s);
          REQUIRE(w.ow == h);
          const int reach = (w.oh - 1) * s + (k - 1) * d + 1;  // what the windows span
          const int bottom = std::max(reach - h, 0) - w.top;
          REQUIRE((bottom == w.top || bottom == w.top + 1));
          REQUIRE(w.left == 0);
        }
      }
    }
  }
}

TEST_CASE("`valid` and explicit padding count the places where the window lies inside", "[core]") {
  for (int h = 1; h <= 9; ++h) {
    for (int k = 1; k <= 4; ++k) {
      for (int s = 1; s <= 3; ++s) {
        for (int pad = 0; pad <= 2; ++pad) {
          CAPTURE(h, k, s, pad);
          int places = 0;  // the padding is `pad` above and pad + 1 below
          for (int y = 0; y + k <= h + 2 * pad + 1; y += s) ++places;
          const Window w = slide(h, 5, k, s, Padding(pad, pad + 1, 2, 2));
          REQUIRE(w.oh == places);
          REQUIRE(w.top == pad);
          REQUIRE(w.left == 2);
          int inside = 0;
          for (int y = 0; y + k <= h; y += s) ++inside;
          REQUIRE(slide(h, 5, k, s, valid).oh == inside);
        }
      }
    }
  }
}

TEST_CASE("TensorFlow's padding of images of 224 and 112", "[core]") {
  const Window even = slide(224, 224, 3, 2, same);
  CHECK((even.oh == 112 && even.top == 0));  // nothing above, one row below
  const Window seven = slide(224, 224, 7, 2, same);
  CHECK((seven.oh == 112 && seven.top == 2));  // 2 above, 3 below
  const Window odd = slide(113, 113, 3, 2, same);
  CHECK((odd.oh == 57 && odd.top == 1));
  CHECK(slide(7, 7, 1, 4, same).top == 0);  // a stride beyond the kernel pads nothing
}
