// expect: LayerDoesNotFit<1 ;; Conv2D<6 ;; \{3, 8, 8, 5\} ;; groups do not divide the input channels
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<8, 8, 5>, Conv2D<6, 3, Conv{.groups = 2}>> {};
Model<Body> body;
