// Every method with nets that fit it.
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, BatchNorm<>, ReLU> {};
struct Labels : Net<Body::output, Named<"fc", Dense<8>>, ReLU, Named<"logits", Dense<4>>> {};
struct Logit : Net<Body::output, Dense<1>> {};
struct Maker : Net<Vector<64>, Dense<64>> {};
struct OfFeatures : Net<Body::output, Dense<5>, Tanh, Dense<1>> {};
struct Critic : Net<Vector<64>, Dense<1>> {};
void make(Model<Body>& b, Model<Labels>& l, Model<Logit>& d, Model<Maker>& m, Model<Critic>& c, Model<OfFeatures>& of) {
  Adabn adabn{b, l};
  Adda adda{b, l, d, b};
  AdversarialSamples samples{b, l, m};
  Curriculum curriculum{b, l};
  CycleGan cycle{b, l, Translation{m, m, c, c}};
  Dan dan{b, l};
  Dan deep{b, l, Layers<"fc", "logits">{}, {.lambda = {0.5}}};
  DannThreeAdam three{b, l, d};
  Ddc ddc{b, l, {.penalty = DdcPenalty::linear}};
  DeepCoral coral{b, l};
  EntropyMinimisation entropy{b, l};
  Mcc mcc{b, l};
  SlicedWasserstein sliced{b, l};
  PseudoLabels pseudo{b, l};
  Wdgrl wdgrl{b, l, of};
}
