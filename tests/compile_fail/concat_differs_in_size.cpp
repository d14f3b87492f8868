// expect: LayerDoesNotFit<1 ;; Concat< ;; \{3, 8, 8, 4\} ;; \{3, 6, 6, 4\} ;; branches of Concat differ in height or width
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<8, 8, 16>, Concat<Branch<Conv2D<4, 1>>, Branch<Conv2D<4, 3>>>> {};
Model<Body> body;
