// The program the others are mistakes of: it must compile.
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Body::output, Dense<100>, ReLU, Dense<100>, ReLU, Dense<10>> {};
struct Domains : Net<Body::output, Dense<100>, ReLU, Dense<2>> {};
Model<Body> body;
Model<Labels> labels;
Model<Domains> domains;
Dann method{body, labels, domains};
