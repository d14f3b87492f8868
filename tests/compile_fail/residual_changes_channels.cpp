// expect: LayerDoesNotFit<2 ;; Residual< ;; \{3, 8, 8, 16\} ;; \{3, 8, 8, 32\} ;; branch of Residual changes the shape
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<8, 8, 16>, ReLU, Residual<Conv2D<32, 3, Conv{.padding = same}>>> {};
Model<Body> body;
