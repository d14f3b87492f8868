#pragma once
/// \file emulated_dnn.hpp  As much of cuDNN's backend as graft asks for, on the processor: descriptors with attributes, engines
/// with numerical notes that a test chooses, convolutions as plain loops over strides.
#include "cuda/emulate.hpp"

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

enum cudnnStatus_t { CUDNN_STATUS_SUCCESS = 0, CUDNN_STATUS_BAD_PARAM = 2000, CUDNN_STATUS_NOT_SUPPORTED = 3000 };
enum cudnnDataType_t { CUDNN_DATA_FLOAT = 0 };
enum cudnnConvolutionMode_t { CUDNN_CONVOLUTION = 0, CUDNN_CROSS_CORRELATION = 1 };
enum cudnnBackendHeurMode_t { CUDNN_HEUR_MODE_A = 3 };
enum cudnnBackendNumericalNote_t {
  CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
  CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
  CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
  CUDNN_NUMERICAL_NOTE_FFT,
  CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,
  CUDNN_NUMERICAL_NOTE_WINOGRAD,
  CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
  CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6,
  CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13,
  CUDNN_NUMERICAL_NOTE_TYPE_COUNT
};
enum cudnnBackendAttributeType_t {
  CUDNN_TYPE_HANDLE,
  CUDNN_TYPE_DATA_TYPE,
  CUDNN_TYPE_INT64 = 3,
  CUDNN_TYPE_FLOAT,
  CUDNN_TYPE_VOID_PTR = 6,
  CUDNN_TYPE_CONVOLUTION_MODE,
  CUDNN_TYPE_HEUR_MODE,
  CUDNN_TYPE_NUMERICAL_NOTE = 11,
  CUDNN_TYPE_BACKEND_DESCRIPTOR = 15
};
enum cudnnBackendDescriptorType_t {
  CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
  CUDNN_BACKEND_ENGINE_DESCRIPTOR,
  CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
  CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
  CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
  CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
  CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
  CUDNN_BACKEND_TENSOR_DESCRIPTOR,
  CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR
};
enum cudnnBackendAttributeName_t {
  CUDNN_ATTR_CONVOLUTION_COMP_TYPE = 100,
  CUDNN_ATTR_CONVOLUTION_CONV_MODE,
  CUDNN_ATTR_CONVOLUTION_DILATIONS,
  CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
  CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
  CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
  CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS,
  CUDNN_ATTR_ENGINEHEUR_MODE = 200,
  CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
  CUDNN_ATTR_ENGINEHEUR_RESULTS,
  CUDNN_ATTR_ENGINECFG_ENGINE = 300,
  CUDNN_ATTR_EXECUTION_PLAN_HANDLE = 400,
  CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
  CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA = 700,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
  CUDNN_ATTR_OPERATIONGRAPH_HANDLE = 800,
  CUDNN_ATTR_OPERATIONGRAPH_OPS,
  CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT = 900,
  CUDNN_ATTR_TENSOR_DATA_TYPE,
  CUDNN_ATTR_TENSOR_DIMENSIONS,
  CUDNN_ATTR_TENSOR_STRIDES,
  CUDNN_ATTR_TENSOR_UNIQUE_ID = 906,
  CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS = 1000,
  CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
  CUDNN_ATTR_VARIANT_PACK_WORKSPACE = 1003,
  CUDNN_ATTR_ENGINE_NUMERICAL_NOTE = 1303
};
using cudnnHandle_t = struct EmulatedDnn*;
using cudnnBackendDescriptor_t = struct EmulatedDescriptor*;

namespace emulate {
struct DnnConvolution;
}
struct EmulatedDescriptor {
  cudnnBackendDescriptorType_t type;
  bool finished = false;
  int engine = 0;                                       ///< which of emulate::dnn.engines
  std::shared_ptr<const emulate::DnnConvolution> does;  ///< of graphs and what is made of them, which they outlive
  std::map<int, std::vector<char>> attributes;
  template <class V>
  [[nodiscard]] std::vector<V> read(int which) const {
    const std::vector<char>& bytes = attributes.at(which);
    std::vector<V> values(bytes.size() / sizeof(V));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  [[nodiscard]] const EmulatedDescriptor& part(int which) const { return *read<cudnnBackendDescriptor_t>(which).at(0); }
};

namespace emulate {
/// An engine as cuDNN proposes it.
struct Engine {
  std::vector<cudnnBackendNumericalNote_t> notes;
  bool can_be_made = true;
  std::int64_t workspace = 512;  ///< the last byte is written
};
/// cuDNN as a test wants it; the best engine first.
struct Dnn {
  std::vector<Engine> engines{{}};
  bool fails = false;  ///< when it is to run
  int chosen = -1;     ///< the engine of the last plan
  std::uint64_t plans = 0, ran = 0;
};
inline Dnn dnn;

struct DnnTensor {
  std::vector<std::int64_t> extents, strides;
  std::int64_t name, alignment;
  explicit DnnTensor(const EmulatedDescriptor& of)
      : extents(of.read<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        strides(of.read<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES)),
        name(of.read<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID).at(0)),
        alignment(of.read<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT).at(0)) {}
  [[nodiscard]] std::size_t at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
    return static_cast<std::size_t>(a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]);
  }
};

/// A convolution as the plan's operation has it.
struct DnnConvolution {
  cudnnBackendDescriptorType_t way;
  DnnTensor x, k, y;
  std::vector<std::int64_t> stride, dilation, before, after;

  static DnnConvolution of(const EmulatedDescriptor& operation) {
    const auto make = [&](int x, int k, int y, int how) {
      const EmulatedDescriptor& windows = operation.part(how);
      const auto read = [&windows](int which) { return windows.read<std::int64_t>(which); };
      return DnnConvolution{operation.type,
                            DnnTensor(operation.part(x)),
                            DnnTensor(operation.part(k)),
                            DnnTensor(operation.part(y)),
                            read(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
                            read(CUDNN_ATTR_CONVOLUTION_DILATIONS),
                            read(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
                            read(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)};
    };
    if (operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
      return make(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    if (operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
      return make(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
    return make(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
  }
  /// As the real one checks: the output's extents follow from the others.
  [[nodiscard]] bool fits() const {
    bool good = x.extents[1] == k.extents[1] && y.extents[1] == k.extents[0] && x.extents[0] == y.extents[0];
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t reach = (k.extents[i + 2] - 1) * dilation[i] + 1;
      good = good && y.extents[i + 2] == (x.extents[i + 2] + before[i] + after[i] - reach) / stride[i] + 1;
    }
    return good;
  }
  template <class F>
  void each_product(const F& f) const {
    for (std::int64_t n = 0; n < y.extents[0]; ++n)
      for (std::int64_t o = 0; o < y.extents[1]; ++o)
        for (std::int64_t oy = 0; oy < y.extents[2]; ++oy)
          for (std::int64_t ox = 0; ox < y.extents[3]; ++ox)
            for (std::int64_t ky = 0; ky < k.extents[2]; ++ky)
              for (std::int64_t kx = 0; kx < k.extents[3]; ++kx) {
                const std::int64_t iy = oy * stride[0] + ky * dilation[0] - before[0];
                const std::int64_t ix = ox * stride[1] + kx * dilation[1] - before[1];
                if (iy < 0 || iy >= x.extents[2] || ix < 0 || ix >= x.extents[3]) continue;
                for (std::int64_t c = 0; c < x.extents[1]; ++c) f(x.at(n, c, iy, ix), k.at(o, c, ky, kx), y.at(n, o, oy, ox));
              }
  }
  static void clear(const DnnTensor& t, float* data) {
    std::fill_n(data, t.extents[0] * t.extents[1] * t.extents[2] * t.extents[3], 0.0f);  // tensors here have no gaps
  }
  void run(float* image, float* filter, float* result) const {
    if (way == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
      clear(y, result);
      each_product([&](std::size_t i, std::size_t f, std::size_t o) { result[o] += image[i] * filter[f]; });
    } else if (way == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
      clear(x, image);
      each_product([&](std::size_t i, std::size_t f, std::size_t o) { image[i] += result[o] * filter[f]; });
    } else {
      clear(k, filter);
      each_product([&](std::size_t i, std::size_t f, std::size_t o) { filter[f] += image[i] * result[o]; });
    }
  }
};
}  // namespace emulate

inline const char* cudnnGetErrorString(cudnnStatus_t) { return "the emulation's own failure"; }
inline cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = reinterpret_cast<cudnnHandle_t>(&emulate::dnn);
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnDestroy(cudnnHandle_t) { return CUDNN_STATUS_SUCCESS; }
inline cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) { return CUDNN_STATUS_SUCCESS; }
inline cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* to) {
  const support::Uncounted own;
  *to = new EmulatedDescriptor;
  (*to)->type = type;
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t of) {
  delete of;
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t which,
                                              cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  const support::Uncounted own;
  if (of->finished) return CUDNN_STATUS_BAD_PARAM;
  const bool wide = type == CUDNN_TYPE_HANDLE || type == CUDNN_TYPE_INT64 || type == CUDNN_TYPE_VOID_PTR ||
                    type == CUDNN_TYPE_BACKEND_DESCRIPTOR;
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR && !(*static_cast<const cudnnBackendDescriptor_t*>(values))->finished)
    return CUDNN_STATUS_BAD_PARAM;
  const auto* from = static_cast<const char*>(values);
  of->attributes[which].assign(from, from + count * (wide ? 8 : 4));
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t of) {
  const support::Uncounted own;
  if (of->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    const EmulatedDescriptor& proposal = of->part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    of->engine = proposal.engine;
    of->does = proposal.does;
    if (!emulate::dnn.engines.at(static_cast<std::size_t>(of->engine)).can_be_made) return CUDNN_STATUS_NOT_SUPPORTED;
    emulate::dnn.chosen = of->engine;
    ++emulate::dnn.plans;
  }
  if (of->type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    of->does =
        std::make_shared<const emulate::DnnConvolution>(emulate::DnnConvolution::of(of->part(CUDNN_ATTR_OPERATIONGRAPH_OPS)));
    if (!of->does->fits()) return CUDNN_STATUS_BAD_PARAM;
  }
  of->finished = true;
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnBackendGetAttribute(const EmulatedDescriptor* of, cudnnBackendAttributeName_t which,
                                              cudnnBackendAttributeType_t, std::int64_t most, std::int64_t* count, void* to) {
  const support::Uncounted own;
  if (which == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
    *count = std::min(most, static_cast<std::int64_t>(emulate::dnn.engines.size()));
    for (std::int64_t i = 0; i < *count; ++i) {
      EmulatedDescriptor& proposal = *static_cast<cudnnBackendDescriptor_t*>(to)[i];
      proposal.does = of->part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).does;
      proposal.engine = static_cast<int>(i);
      proposal.finished = true;
    }
  } else if (which == CUDNN_ATTR_ENGINECFG_ENGINE) {
    EmulatedDescriptor& engine = **static_cast<cudnnBackendDescriptor_t*>(to);
    engine.engine = of->engine;
    engine.finished = true;
    *count = 1;
  } else if (which == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
    const auto& notes = emulate::dnn.engines.at(static_cast<std::size_t>(of->engine)).notes;
    *count = static_cast<std::int64_t>(notes.size());
    std::copy(notes.begin(), notes.end(), static_cast<cudnnBackendNumericalNote_t*>(to));
  } else if (which == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
    *static_cast<std::int64_t*>(to) = emulate::dnn.engines.at(static_cast<std::size_t>(of->engine)).workspace;
    *count = 1;
  } else {
    return CUDNN_STATUS_BAD_PARAM;
  }
  return CUDNN_STATUS_SUCCESS;
}
inline cudnnStatus_t cudnnBackendExecute(cudnnHandle_t, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  const support::Uncounted own;
  if (emulate::dnn.fails) return CUDNN_STATUS_BAD_PARAM;
  const auto names = pack->read<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto data = pack->read<float*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  auto* const memory = pack->read<char*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE).at(0);
  const emulate::DnnConvolution& does = *plan->does;
  float* of[3] = {};
  const emulate::DnnTensor* const tensors[] = {&does.x, &does.k, &does.y};
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == tensors[t]->name) of[t] = data.at(i);
    }
    if (of[t] == nullptr || reinterpret_cast<std::uintptr_t>(of[t]) % static_cast<std::uintptr_t>(tensors[t]->alignment) != 0)
      return CUDNN_STATUS_BAD_PARAM;
  }
  const std::int64_t bytes = emulate::dnn.engines.at(static_cast<std::size_t>(plan->engine)).workspace;
  emulate::of_library([convolution = plan->does, image = of[0], filter = of[1], result = of[2], memory, bytes] {
    ++emulate::dnn.ran;
    if (bytes > 0) memory[bytes - 1] = 1;
    convolution->run(image, filter, result);
  });
  return CUDNN_STATUS_SUCCESS;
}
