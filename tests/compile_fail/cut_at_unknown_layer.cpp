// expect: no layer of this net has that name
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<12, 12, 3>, Named<"conv1", Conv2D<32, 5>>, ReLU, Flatten> {};
Model<Cut<Body, "conv2">> body;
