#pragma once
/// \file emulated_graph.hpp  Launches by a kernel's address, and graphs of them, as the CUDA runtime has them; what a library
/// does on a stream, and its capture. A graph runs its nodes in an order of its own that the edges allow: the last one first.
#include "cuda/emulated_api.hpp"
#include "support/allocations.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

namespace emulate {

/// A kernel with its arguments, which are copied when it is bound.
using Bound = std::function<void(dim3 grid, dim3 shape)>;
/// What the real runtime reads in the program's file: the types of a kernel's arguments, by its address.
struct Kernels {
  std::mutex mutex;
  std::map<const void*, std::function<Bound(void** arguments)>> bind;
};
inline Kernels kernels;

template <class... P>
void introduce(void (*kernel)(P...)) {
  const std::lock_guard lock(kernels.mutex);
  auto& bind = kernels.bind[reinterpret_cast<const void*>(kernel)];
  if (bind) return;
  bind = [kernel]([[maybe_unused]] void** arguments) -> Bound {
    return [&]<std::size_t... Is>(std::index_sequence<Is...>)->Bound {
      const std::tuple<P...> held(*static_cast<const P*>(arguments[Is])...);
      return [kernel, held](dim3 grid, dim3 shape) { launch_now<P...>(kernel, grid, shape, std::get<Is>(held)...); };
    }
    (std::index_sequence_for<P...>{});
  };
}
inline Bound bound(const void* kernel, void** arguments) {
  const std::lock_guard lock(kernels.mutex);
  return kernels.bind.at(kernel)(arguments);
}

struct GraphNode {
  const void* kernel;  ///< null: a graph in its place
  Bound run;
  dim3 grid, shape;
  std::vector<std::size_t> after;
};
using Nodes = std::vector<GraphNode>;
inline void run_nodes(const Nodes& nodes) {
  std::vector<bool> done(nodes.size(), false);
  for (std::size_t left = nodes.size(); left > 0; --left) {
    std::size_t next = nodes.size();
    for (std::size_t i = nodes.size(); i-- > 0 && next == nodes.size();) {
      bool ready = !done[i];
      for (const std::size_t before : nodes[i].after) ready = ready && done[before];
      if (ready) next = i;
    }
    nodes.at(next).run(nodes[next].grid, nodes[next].shape);
    done[next] = true;
  }
}

/// What the calling thread captures, if it does.
inline thread_local Nodes* captured = nullptr;
/// A kernel of a library, whose host code binds its arguments.
inline void of_library(const std::function<void()>& kernel) {
  const support::Uncounted own;
  if (captured == nullptr) return run_or_keep(kernel);
  std::vector<std::size_t> after;
  if (!captured->empty()) after.push_back(captured->size() - 1);
  captured->push_back({nullptr, [kernel](dim3, dim3) { kernel(); }, dim3(), dim3(), after});
}

}  // namespace emulate

using cudaGraphNode_t = std::size_t;  // its number in the graph
struct EmulatedGraph {
  emulate::Nodes nodes;
};
using cudaGraph_t = EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedExecutable*;
struct EmulatedExecutable {
  emulate::Nodes nodes;
};
struct cudaKernelNodeParams {
  void* func;
  dim3 gridDim, blockDim;
  unsigned sharedMemBytes;
  void** kernelParams;
  void** extra;
};

inline cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 shape, void** arguments, std::size_t, cudaStream_t) {
  const support::Uncounted own;
  if (const cudaError_t fault = emulate::take_fault(); fault != cudaSuccess) return fault;
  emulate::run_or_keep([run = emulate::bound(kernel, arguments), grid, shape] { run(grid, shape); });
  return cudaSuccess;
}
inline cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
  if (!emulate::device.makes_graphs) return cudaErrorNotSupported;
  *graph = new EmulatedGraph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after,
                                          std::size_t count, const cudaKernelNodeParams* p) {
  *node = graph->nodes.size();
  graph->nodes.push_back({p->func, emulate::bound(p->func, p->kernelParams), p->gridDim, p->blockDim, {after, after + count}});
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new EmulatedExecutable{graph->nodes};
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node,
                                                    const cudaKernelNodeParams* p) {
  const support::Uncounted own;
  emulate::GraphNode& changed = executable->nodes.at(node);
  if (changed.kernel != p->func) return cudaErrorNotSupported;  // the real one may, but graft asks for no such thing
  changed.run = emulate::bound(p->func, p->kernelParams);
  changed.grid = p->gridDim;
  changed.shape = p->blockDim;
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  const support::Uncounted own;
  if (const cudaError_t fault = emulate::take_fault(); fault != cudaSuccess) return fault;
  emulate::run_or_keep([nodes = executable->nodes] { emulate::run_nodes(nodes); });
  return cudaSuccess;
}

// ---- captures, and graphs as nodes of graphs ------------------------------------------------------------------------------
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
inline cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  const support::Uncounted own;
  if (!emulate::device.captures || emulate::captured != nullptr) return cudaErrorNotSupported;
  emulate::captured = new emulate::Nodes;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  const support::Uncounted own;
  *graph = new EmulatedGraph{std::move(*emulate::captured)};
  delete std::exchange(emulate::captured, nullptr);
  return cudaSuccess;
}
inline cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after,
                                              std::size_t count, cudaGraph_t child) {
  *node = graph->nodes.size();
  graph->nodes.push_back(
      {nullptr, [nodes = child->nodes](dim3, dim3) { emulate::run_nodes(nodes); }, dim3(), dim3(), {after, after + count}});
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t executable, cudaGraphNode_t node, cudaGraph_t child) {
  const support::Uncounted own;
  emulate::GraphNode& changed = executable->nodes.at(node);
  if (changed.kernel != nullptr || !emulate::device.changes_captures) return cudaErrorNotSupported;
  changed.run = [nodes = child->nodes](dim3, dim3) { emulate::run_nodes(nodes); };
  return cudaSuccess;
}
