#pragma once
/// \file replay.cuh  Launches kept back until somebody waits or a step ends, and played as one CUDA graph once the same row of
/// them came before. The host runs every step's code as ever: launches whose arguments are those of the last time cost a
/// comparison, the others (rates, factors, step numbers, where a batch was staged) are written into the graph before it starts.
/// docs/decisions/0019 has the reasons.
#include "graft/kernel/cuda/launch.cuh"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

GRAFT_CUDA_BEGIN
namespace detail {

/// Launches in order, and copies of their arguments.
class Sequence {
 public:
  [[nodiscard]] std::size_t size() const { return launches_.size(); }
  [[nodiscard]] bool empty() const { return launches_.empty(); }
  [[nodiscard]] const Launch& operator[](std::size_t i) const { return launches_[i]; }
  void clear() {
    launches_.clear();
    arguments_.clear();
    bytes_.clear();
  }
  void add(Launch launch, const void* const* arguments, const std::size_t* sizes) {
    launch.first = arguments_.size();
    for (int i = 0; i < launch.count; ++i) {
      const std::size_t at = (bytes_.size() + alignment - 1) / alignment * alignment;
      bytes_.resize(at + sizes[i]);
      std::memcpy(bytes_.data() + at, arguments[i], sizes[i]);
      arguments_.push_back({at, sizes[i]});
    }
    launches_.push_back(launch);
  }
  /// Kernels, grids and kinds of arguments; not the arguments' values.
  [[nodiscard]] std::uint64_t structure() const {
    std::uint64_t hash = 14695981039346656037u;
    const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
    for (const Launch& l : launches_) {
      mix(reinterpret_cast<std::uintptr_t>(l.kernel));
      mix((std::uint64_t{l.grid.x} << 32) ^ (std::uint64_t{l.grid.y} << 16) ^ l.grid.z);
      mix(l.threads);
    }
    return hash;
  }
  [[nodiscard]] bool same_structure(const Sequence& other) const {
    const auto same = [](const Launch& a, const Launch& b) {
      return a.kernel == b.kernel && a.grid.x == b.grid.x && a.grid.y == b.grid.y && a.grid.z == b.grid.z &&
             a.threads == b.threads;
    };
    return std::equal(launches_.begin(), launches_.end(), other.launches_.begin(), other.launches_.end(), same);
  }
  /// Whether launch i has the arguments that it has in `other`, which has the same structure.
  [[nodiscard]] bool same_arguments(std::size_t i, const Sequence& other) const {
    const auto [from, count] = range(i);
    return std::memcmp(bytes_.data() + from, other.bytes_.data() + from, count) == 0;
  }
  void take_arguments(std::size_t i, const Sequence& other) {
    const auto [from, count] = range(i);
    std::memcpy(bytes_.data() + from, other.bytes_.data() + from, count);
  }
  /// What the runtime takes: a pointer to each argument, valid until the next call.
  void** pointers(std::size_t i) {
    const Launch& l = launches_[i];
    pointers_.resize(std::max<std::size_t>(pointers_.size(), static_cast<std::size_t>(l.count)));
    for (std::size_t k = 0; k < static_cast<std::size_t>(l.count); ++k)
      pointers_[k] = bytes_.data() + arguments_[l.first + k].at;
    return pointers_.data();
  }

 private:
  static constexpr std::size_t alignment = alignof(std::max_align_t);
  struct Argument {
    std::size_t at, bytes;
  };
  struct Range {
    std::size_t from, count;
  };
  [[nodiscard]] Range range(std::size_t i) const {
    const Launch& l = launches_[i];
    if (l.count == 0) return {0, 0};
    const Argument &first = arguments_[l.first], &last = arguments_[l.first + static_cast<std::size_t>(l.count) - 1];
    return {first.at, last.at + last.bytes - first.at};
  }

  std::vector<Launch> launches_;
  std::vector<Argument> arguments_;
  std::vector<unsigned char> bytes_;
  std::vector<void*> pointers_;
};

/// Plays sequences: launch after launch at the first time, as a graph from the second on.
class Player {
 public:
  /// Fewer launches than this are not worth a graph.
  static constexpr std::size_t least = 4;
  /// Graphs held, the longest unused goes first; a program has one for each kind of step and batch size.
  static constexpr std::size_t most = 16;

  Player() = default;
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;
  ~Player() {
    for (const auto& graph : graphs_) release(*graph);
    if (aside_ != nullptr) cudaStreamDestroy(aside_);
  }

  void play(Sequence& asked, cudaStream_t on, Replays& told) {
    if (asked.size() >= least && !refused_) {
      ++clock_;
      const std::uint64_t structure = asked.structure();
      Graph* graph = find(structure, asked);
      if (graph == nullptr && seen_before(structure)) graph = build(structure, asked, on, told);
      if (graph != nullptr && replay(*graph, asked, on, told)) return;
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const Launch& l = asked[i];
      if (l.outside == nullptr) {
        expect(l.name, cudaLaunchKernel(l.kernel, l.grid, dim3(l.threads), asked.pointers(i), 0, on));
      } else if (const char* said = l.outside->run(on, asked.pointers(i)); said != nullptr) {
        fail("cuda: ", l.name, " failed: ", said, "; GRAFT_CUDA_LIBRARIES=0 in the environment does without the library.");
      }
    }
  }

 private:
  struct Graph {
    std::uint64_t structure = 0, used = 0;
    Sequence asked;  ///< with the arguments that the graph holds
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    std::vector<cudaGraphNode_t> nodes;
  };

  static cudaKernelNodeParams parameters(Sequence& asked, std::size_t i) {
    cudaKernelNodeParams p{};
    p.func = const_cast<void*>(asked[i].kernel);
    p.gridDim = asked[i].grid;
    p.blockDim = dim3(asked[i].threads);
    p.kernelParams = asked.pointers(i);
    return p;
  }
  static void release(Graph& graph) {
    if (graph.executable != nullptr) cudaGraphExecDestroy(graph.executable);
    if (graph.graph != nullptr) cudaGraphDestroy(graph.graph);
  }

  /// What a library does for launch i, as a graph of its own.
  cudaError_t capture(Sequence& asked, std::size_t i, cudaGraph_t* made) {
    if (aside_ == nullptr) {
      const cudaError_t error = cudaStreamCreateWithFlags(&aside_, cudaStreamNonBlocking);
      if (error != cudaSuccess) return error;
    }
    cudaError_t error = cudaStreamBeginCapture(aside_, cudaStreamCaptureModeThreadLocal);
    if (error != cudaSuccess) return error;
    const char* said = asked[i].outside->run(aside_, asked.pointers(i));
    error = cudaStreamEndCapture(aside_, made);
    return said != nullptr && error == cudaSuccess ? cudaErrorNotSupported : error;
  }
  cudaError_t add_node(Graph& to, Sequence& asked, std::size_t i) {
    const cudaGraphNode_t* const after = i > 0 ? &to.nodes[i - 1] : nullptr;
    const std::size_t count = i > 0 ? 1 : 0;
    if (asked[i].outside == nullptr) {
      const cudaKernelNodeParams p = parameters(asked, i);
      return cudaGraphAddKernelNode(&to.nodes[i], to.graph, after, count, &p);
    }
    cudaGraph_t inner = nullptr;
    cudaError_t error = capture(asked, i, &inner);
    if (error == cudaSuccess) error = cudaGraphAddChildGraphNode(&to.nodes[i], to.graph, after, count, inner);  // a copy
    if (inner != nullptr) cudaGraphDestroy(inner);
    return error;
  }
  cudaError_t change_node(Graph& of, Sequence& asked, std::size_t i) {
    if (asked[i].outside == nullptr) {
      const cudaKernelNodeParams p = parameters(asked, i);
      return cudaGraphExecKernelNodeSetParams(of.executable, of.nodes[i], &p);
    }
    cudaGraph_t inner = nullptr;
    cudaError_t error = capture(asked, i, &inner);
    if (error == cudaSuccess) error = cudaGraphExecChildGraphNodeSetParams(of.executable, of.nodes[i], inner);
    if (inner != nullptr) cudaGraphDestroy(inner);
    return error;
  }
  void refuse(const char* what, cudaError_t error) {
    cudaGetLastError();
    refused_ = true;
    std::fprintf(stderr, "graft: Cuda %s (%s): its kernels are launched one by one.\n", what, cudaGetErrorString(error));
  }

  Graph* find(std::uint64_t structure, const Sequence& asked) {
    for (const auto& graph : graphs_) {
      if (graph->structure == structure && graph->asked.same_structure(asked)) return graph.get();
    }
    return nullptr;
  }
  bool seen_before(std::uint64_t structure) {
    if (std::find(std::begin(seen_), std::end(seen_), structure) != std::end(seen_)) return true;
    seen_[next_seen_++ % std::size(seen_)] = structure;
    return false;
  }

  /// Null, and never tried again, where the driver makes no graph of it.
  Graph* build(std::uint64_t structure, Sequence& asked, cudaStream_t on, Replays& told) {
    if (graphs_.size() == most) {
      expect("waiting for the GPU", cudaStreamSynchronize(on));
      const auto oldest =
          std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) { return a->used < b->used; });
      release(**oldest);
      graphs_.erase(oldest);
    }
    auto made = std::make_unique<Graph>();
    made->structure = structure;
    made->asked = asked;
    made->nodes.resize(asked.size());
    cudaError_t error = cudaGraphCreate(&made->graph, 0);
    for (std::size_t i = 0; i < asked.size() && error == cudaSuccess; ++i) error = add_node(*made, asked, i);
    if (error == cudaSuccess) error = cudaGraphInstantiate(&made->executable, made->graph, 0);
    if (error != cudaSuccess) {
      release(*made);
      refuse("makes no graph of a step here", error);
      return nullptr;
    }
    ++told.graphs;
    graphs_.push_back(std::move(made));
    return graphs_.back().get();
  }

  /// False, and no graph is used again, where the driver does not change a library's part.
  bool replay(Graph& graph, Sequence& asked, cudaStream_t on, Replays& told) {
    graph.used = clock_;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (graph.asked.same_arguments(i, asked)) continue;
      const cudaError_t error = change_node(graph, asked, i);
      if (error != cudaSuccess && asked[i].outside != nullptr) {
        refuse("does not change a library's part of a step's graph", error);
        return false;
      }
      expect(asked[i].name, error);
      graph.asked.take_arguments(i, asked);
      ++told.changed;
    }
    expect("a step's graph", cudaGraphLaunch(graph.executable, on));
    ++told.replays;
    return true;
  }

  std::vector<std::unique_ptr<Graph>> graphs_;
  std::uint64_t seen_[64] = {};
  std::size_t next_seen_ = 0;
  std::uint64_t clock_ = 0;
  cudaStream_t aside_ = nullptr;  ///< on which libraries are captured
  bool refused_ = false;
};

/// Where bytes from the host wait for the kernel that takes them: pinned memory, in turns, so that the host fills one while
/// the device reads another.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    for (Turn& turn : turns_) {
      for (const Piece& piece : turn.pieces) cudaFreeHost(piece.data);
      if (turn.read != nullptr) cudaEventDestroy(turn.read);
    }
  }
  /// A copy of `bytes` bytes that stays as it is until the kernels launched before the next turn() have run.
  const void* keep(std::size_t bytes, const void* from) {
    Turn& turn = turns_[now_];
    if (!turn.begun) {
      if (turn.read == nullptr) {
        expect("making an event", cudaEventCreateWithFlags(&turn.read, cudaEventDisableTiming));
      } else {
        expect("waiting for the GPU", cudaEventSynchronize(turn.read));
      }
      turn.begun = true;
      turn.piece = turn.used = 0;
    }
    const std::size_t wanted = (bytes + 255) / 256 * 256;
    while (turn.piece < turn.pieces.size() && turn.pieces[turn.piece].bytes - turn.used < wanted) {
      ++turn.piece;
      turn.used = 0;
    }
    if (turn.piece == turn.pieces.size()) {
      Piece made;
      made.bytes = std::max(wanted, std::size_t{1} << 20);
      expect("taking pinned memory of the host", cudaHostAlloc(&made.data, made.bytes, cudaHostAllocDefault));
      turn.pieces.push_back(made);
      turn.used = 0;
    }
    void* const to = static_cast<unsigned char*>(turn.pieces[turn.piece].data) + turn.used;
    turn.used += wanted;
    std::memcpy(to, from, bytes);
    return to;
  }
  /// All that was kept has been asked for on the stream.
  void turn(cudaStream_t on) {
    if (!turns_[now_].begun) return;
    expect("recording an event", cudaEventRecord(turns_[now_].read, on));
    turns_[now_].begun = false;
    now_ = (now_ + 1) % std::size(turns_);
  }

 private:
  struct Piece {
    void* data = nullptr;
    std::size_t bytes = 0;
  };
  struct Turn {
    std::vector<Piece> pieces;
    std::size_t piece = 0, used = 0;
    cudaEvent_t read = nullptr;
    bool begun = false;
  };
  Turn turns_[3];
  std::size_t now_ = 0;
};

}  // namespace detail
GRAFT_CUDA_END
