// expect: LayerDoesNotFit<3 ;; Conv2D<8 ;; \{1, 1, 1, 2352\} ;; works on images but a vector comes in; put it before Flatten
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<28, 28, 3>, Flatten, ReLU, Conv2D<8, 3>> {};
Model<Body> body;
