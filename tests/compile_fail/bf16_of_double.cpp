// expect: Bf16 is for Bf16<Cpu> and float
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<4>, Dense<2>> {};
Model<Body, Bf16<Cpu>, double> model;
