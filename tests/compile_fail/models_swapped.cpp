// expect: domain head must give 2 outputs ;; were the heads swapped
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<12, 12, 3>, Conv2D<8, 5>, ReLU, Flatten> {};
struct Labels : Net<Body::output, Dense<10>> {};
struct Domains : Net<Body::output, Dense<2>> {};
Model<Body> body;
Model<Labels> labels;
Model<Domains> domains;
Dann method{body, domains, labels};
