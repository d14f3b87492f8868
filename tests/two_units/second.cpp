#include <graft/graft.hpp>
#include <graft/io/safetensors.hpp>

struct Other : graft::Net<graft::Image<8, 8, 1>, graft::Conv2D<4, 3>, graft::ReLU, graft::Flatten, graft::Dense<3>> {};

std::size_t parameters_elsewhere() {
  graft::Model<Other> model;
  return model.values().size();
}
