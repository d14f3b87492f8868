#include <graft/graft.hpp>

#include <cstdio>

struct Body : graft::Net<graft::Image<12, 12, 3>, graft::Conv2D<8, 5>, graft::ReLU, graft::MaxPool2D<2>, graft::Flatten> {};

int main() {
  graft::Model<Body> model;
  std::printf("a body of %zu parameters, kernels for %s\n", model.values().size(), graft::isa_name);
  return model.values().size() == 5 * 5 * 3 * 8 + 8 ? 0 : 1;
}
