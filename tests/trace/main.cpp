// Runs, once each, ops that have more than one way, for tests/trace/run to read what GRAFT_TRACE=1 says of them.
#include <graft/graft.hpp>

#include <vector>

using namespace graft;

// Convolutions: rows copied (few channels), a fused pool, taps one by one (padding), an activation that is no ReLU, groups, a
// product. A depthwise convolution at each stride, pools of each kind.
struct Body : Net<Image<16, 16, 3>, Conv2D<32, 3, Conv{.padding = 1}>, ReLU, Conv2D<32, 3, Conv{.padding = 1}>, ReLU,
                  MaxPool2D<2>, MaxPool2D<3, 1>, Conv2D<32, 3, Conv{.padding = 1}>, LeakyReLU<0.1>,
                  Conv2D<32, 1, Conv{.groups = 2}>, DepthwiseConv2D<3, Conv{.padding = 1}>,
                  DepthwiseConv2D<3, Conv{.stride = 2, .padding = 1}>, Conv2D<22, 1>, AvgPool2D<3>, Flatten> {};
struct Head : Net<Body::output, Dense<96>, ReLU, Dense<10>> {};

int main() {
  constexpr int half = 24;
  Model<Body> body;
  Model<Head> head;
  Sgd<float> optimizer{{.learning_rate = 1e-3}, body, head};
  std::vector<float> images(2 * half * Body::input.size());
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i * 37 % 101) / 101;
  const std::vector<int> classes(half, 1);
  Tape<float> tape;
  const auto f = tape(body, Rows<float>{images.data(), 2 * half, half});
  MmdOptions two, linear;
  two.gamma[0] = 0.1;
  two.gamma[1] = 0.3;
  linear.estimator = Estimator::linear_time;
  const auto label = cross_entropy(tape(head, f.source()), ClassLabels<10>{classes.data(), half});
  const auto distance = mmd(f.source(), f.target()) + mmd(f.source(), f.target(), two) + mmd(f.source(), f.target(), linear);
  optimizer.step(backward(label + distance + coral(f.source(), f.target())));

  struct Row : Net<Vector<32>, Dense<96>> {};
  Model<Row> row;
  float one[32] = {}, out[96];
  row.predict(one, 1, out);

  struct Rounded : Net<Image<8, 8, 4>, Conv2D<16, 3>, ReLU, Conv2D<15, 3, Conv{.dilation = 2}>, MaxPool2D<2, 1>, Dense<4>> {};
  Model<Rounded, Bf16<Cpu>> rounded;
  const auto low = tape(rounded, Rows<float>{images.data(), 2});
  const std::vector<int> two_classes(2, 1);
  backward(cross_entropy(low, ClassLabels<4>{two_classes.data(), 2}));

  struct Tiled : Net<Image<12, 12, 16>, Conv2D<16, 5>, ReLU, Conv2D<16, 3>, Dense<4>> {};
  Model<Tiled, Winograd<Cpu>> tiled;
  const std::vector<float> tiles(2 * Tiled::input.size(), 0.1f);
  backward(cross_entropy(tape(tiled, Rows<float>{tiles.data(), 2}), ClassLabels<4>{two_classes.data(), 2}));

  const std::vector<float> huge(4 * 8, 1e30f), other(4 * 8, -1e30f);
  kernel::mmd(Cpu{}, 4, 4, 8, huge.data(), other.data(), two, static_cast<float*>(nullptr), static_cast<float*>(nullptr));
}
