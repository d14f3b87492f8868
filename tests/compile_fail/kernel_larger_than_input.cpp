// expect: LayerDoesNotFit<3 ;; Conv2D<48 ;; \{3, 4, 4, 32\} ;; kernel is larger than its input; use a smaller kernel
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<12, 12, 3>, Conv2D<32, 5>, MaxPool2D<2>, Conv2D<48, 5>, ReLU, Flatten> {};
Model<Body> body;
