/// \file dnn.cu  Convolutions by cuDNN's backend.
#include "graft/kernel/cuda/libraries.cuh"

#if defined(GRAFT_CUDNN)
#if defined(__CUDACC__)
#include <cudnn.h>
#endif

#include <compare>
#include <initializer_list>
#include <map>
#include <memory>
#include <utility>
#include <vector>
#endif

GRAFT_CUDA_BEGIN
namespace detail {

#if defined(GRAFT_CUDNN)
namespace {

/// A descriptor of cuDNN's backend. What goes wrong while it is made shows in good(): then nothing more is asked of it.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type)
      : good_(cudnnBackendCreateDescriptor(type, &of_) == CUDNN_STATUS_SUCCESS) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (of_ != nullptr) cudnnBackendDestroyDescriptor(of_);
  }
  [[nodiscard]] cudnnBackendDescriptor_t get() const { return of_; }
  [[nodiscard]] bool good() const { return good_; }
  template <class V>
  Descriptor& set(cudnnBackendAttributeName_t which, cudnnBackendAttributeType_t type, std::int64_t count, const V* values) {
    good_ = good_ && cudnnBackendSetAttribute(of_, which, type, count, values) == CUDNN_STATUS_SUCCESS;
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t which, std::initializer_list<std::int64_t> values) {
    return set(which, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.begin());
  }
  Descriptor& set(cudnnBackendAttributeName_t which, float value) { return set(which, CUDNN_TYPE_FLOAT, 1, &value); }
  Descriptor& set(cudnnBackendAttributeName_t which, const Descriptor& value) {
    good_ = good_ && value.good();
    const cudnnBackendDescriptor_t of = value.get();
    return set(which, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &of);
  }
  Descriptor& finish() {
    good_ = good_ && cudnnBackendFinalize(of_) == CUDNN_STATUS_SUCCESS;
    return *this;
  }
  /// Numbers read, at most `most`.
  template <class V>
  std::int64_t get(cudnnBackendAttributeName_t which, cudnnBackendAttributeType_t type, std::int64_t most, V* to) const {
    std::int64_t count = 0;
    return good_ && cudnnBackendGetAttribute(of_, which, type, most, &count, to) == CUDNN_STATUS_SUCCESS ? count : 0;
  }

 private:
  cudnnBackendDescriptor_t of_ = nullptr;
  bool good_;
};

/// The numbers of images, or of a filter, in channels-last order: n x c x h x w that lie as n x h x w x c.
struct Tensor : Descriptor {
  Tensor(std::int64_t name, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t alignment)
      : Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(CUDNN_ATTR_TENSOR_DIMENSIONS, {n, c, h, w});
    set(CUDNN_ATTR_TENSOR_STRIDES, {h * w * c, 1, w * c, c});
    set(CUDNN_ATTR_TENSOR_UNIQUE_ID, {name});
    set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {alignment});
    finish();
  }
};

/// One direction of a convolution of given extents, by the first of cuDNN's proposals that is allowed and can be made.
class DnnPlan final : public Outside {
 public:
  struct Key {
    Way way;
    Arithmetic how;
    int alignment, n, h, w, c, oh, ow, oc, kh, kw, sh, sw, dh, dw, top, left;
    auto operator<=>(const Key&) const = default;
  };
  static constexpr std::int64_t image = 1, filter = 2, result = 3;  // the tensors' names in a plan

  DnnPlan(cudnnHandle_t handle, const Key& key) : handle_(handle), way_(key.way) {
    const Tensor x(image, key.n, key.c, key.h, key.w, key.alignment);
    const Tensor k(filter, key.oc, key.c, key.kh, key.kw, key.alignment);
    const Tensor y(result, key.n, key.oc, key.oh, key.ow, key.alignment);
    Descriptor how(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    describe(key, how);
    Descriptor operation(key.way == Way::forward ? CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
                         : key.way == Way::data  ? CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
                                                 : CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
    if (key.way == Way::forward) {
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x).set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, k);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y).set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f);
    } else if (key.way == Way::data) {
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, x).set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, k);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, y);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, how);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1.0f);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0.0f);
    } else {
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x).set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, k);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, how);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1.0f);
      operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0.0f);
    }
    operation.finish();
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation).finish();
    if (graph.good()) choose(graph, key.how);
  }
  [[nodiscard]] bool good() const { return plan_ != nullptr; }
  [[nodiscard]] std::size_t workspace() const { return workspace_; }

  /// Arguments: what is read first and second, what is written, workspace.
  const char* run(cudaStream_t on, void* const* arguments) const override {
    // In which order the names' tensors come depends on the direction.
    static constexpr std::int64_t order[3][3] = {{image, filter, result}, {result, filter, image}, {image, result, filter}};
    void* data[3];
    for (int i = 0; i < 3; ++i) data[i] = *static_cast<void* const*>(arguments[i]);
    void* const memory = *static_cast<void* const*>(arguments[3]);
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, order[static_cast<int>(way_)]);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, data);
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &memory).finish();
    if (!pack.good()) return "cuDNN does not take the arrays";
    cudnnStatus_t told = cudnnSetStream(handle_, on);
    if (told == CUDNN_STATUS_SUCCESS) told = cudnnBackendExecute(handle_, plan_->get(), pack.get());
    return told == CUDNN_STATUS_SUCCESS ? nullptr : cudnnGetErrorString(told);
  }

 private:
  static void describe(const Key& key, Descriptor& how) {
    const auto after = [](int out, int stride, int kernel, int dilation, int in, int before) {
      return std::max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before);
    };
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    how.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    how.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    how.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2});
    how.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {key.sh, key.sw});
    how.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, {key.dh, key.dw});
    how.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {key.top, key.left});
    how.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
            {after(key.oh, key.sh, key.kh, key.dh, key.h, key.top), after(key.ow, key.sw, key.kw, key.dw, key.w, key.left)});
    how.finish();
  }

  /// Full float means so: no engine that rounds operands, none whose sums come in no fixed order, and of Winograd's the tiles
  /// whose rounding is some units of the last place.
  static bool allowed(const Descriptor& proposal, Arithmetic how) {
    const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t to = engine.get();
    if (!engine.good() || proposal.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &to) != 1) return false;
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    const std::int64_t count =
        engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, notes);
    return std::none_of(notes, notes + count, [how](cudnnBackendNumericalNote_t note) {
      switch (note) {
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
          return how == Arithmetic::full;
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        case CUDNN_NUMERICAL_NOTE_FFT:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
        case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
          return true;
        default:
          return false;
      }
    });
  }

  /// Those that cuDNN holds to be fast, best first; its fallback mode has engines that are merely right, as graft's kernels
  /// are.
  void choose(const Descriptor& graph, Arithmetic how) {
    constexpr std::int64_t most = 128;  // full float's come after some thirty for tensor cores
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode).finish();
    std::vector<std::unique_ptr<Descriptor>> proposals;
    cudnnBackendDescriptor_t to[most];
    for (auto& one : to) {
      proposals.push_back(std::make_unique<Descriptor>(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
      one = proposals.back()->get();
    }
    const std::int64_t count = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, to);
    for (std::int64_t i = 0; i < count; ++i) {
      auto& proposal = proposals[static_cast<std::size_t>(i)];
      if (allowed(*proposal, how) && take(std::move(proposal))) return;
    }
  }

  bool take(std::unique_ptr<Descriptor> proposal) {
    auto plan = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle_);
    plan->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, *proposal).finish();
    std::int64_t bytes = -1;
    if (plan->get(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &bytes) != 1 || bytes < 0) return false;
    if (static_cast<std::size_t>(bytes) > most_of_library) return false;
    workspace_ = static_cast<std::size_t>(bytes);
    chosen_ = std::move(proposal);
    plan_ = std::move(plan);
    return true;
  }

  cudnnHandle_t handle_;
  Way way_;
  std::size_t workspace_ = 0;
  std::unique_ptr<Descriptor> chosen_, plan_;
};

/// A thread's plans; one that the library declined stays null.
struct DnnPlans {
  cudnnHandle_t handle = nullptr;
  bool refused = false;
  std::map<DnnPlan::Key, std::unique_ptr<DnnPlan>> by_key;
  DnnPlans() = default;
  DnnPlans(const DnnPlans&) = delete;
  DnnPlans& operator=(const DnnPlans&) = delete;
  ~DnnPlans() {
    by_key.clear();
    if (handle != nullptr) cudnnDestroy(handle);
  }
  const DnnPlan* find(const DnnPlan::Key& key) {
    if (handle == nullptr && !refused) refused = cudnnCreate(&handle) != CUDNN_STATUS_SUCCESS;
    if (refused) return nullptr;
    const auto [at, is_new] = by_key.try_emplace(key);
    if (is_new) {
      auto made = std::make_unique<DnnPlan>(handle, key);
      if (made->good()) at->second = std::move(made);
    }
    return at->second.get();
  }
};

}  // namespace

const Outside* convolution_of_library(Way way, const ConvExtents& e, Arithmetic how, int alignment) {
  const double products = static_cast<double>(e.n) * e.oh * e.ow * e.oc * e.kh * e.kw * e.c;
  if (e.groups != 1 || std::min(e.c, e.oc) < 64 || products < least_of_library || !libraries_wanted()) return nullptr;
  thread_local DnnPlans plans;
  return plans.find(
      {way, how, alignment, e.n, e.h, e.w, e.c, e.oh, e.ow, e.oc, e.kh, e.kw, e.sh, e.sw, e.dh, e.dw, e.top, e.left});
}

void ask_convolution(const Outside& plan, const float* first, const float* second, float* to) {
  const std::size_t bytes = static_cast<const DnnPlan&>(plan).workspace();
  void* const memory = bytes > 0 ? room(Room::library, bytes) : nullptr;
  ask_outside("a convolution by cuDNN", plan, first, second, to, memory);
  count_library_convolution();
}

#else

const Outside* convolution_of_library(Way, const ConvExtents&, Arithmetic, int) { return nullptr; }
void ask_convolution(const Outside&, const float*, const float*, float*) {}

#endif
}  // namespace detail
GRAFT_CUDA_END
