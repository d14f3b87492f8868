#pragma once
/// \file vectors.hpp  Elementwise work on long arrays and on single numbers, on the GPU: what the tape and the averages of
/// weights do. Pointers are device or managed memory; nothing waits.
#include "graft/core/cuda.hpp"
#include "graft/core/pixel_change.hpp"

#include <cstddef>
#include <cstdint>

GRAFT_CUDA_BEGIN

/// y += scale * x
template <class T>
void add_scaled(Cuda, std::size_t count, T scale, const T* x, T* y);
/// y += scale * *factor * x, the factor on the device: the gradient of a loss that was multiplied by another's value.
template <class T>
void add_scaled(Cuda, std::size_t count, T scale, const T* factor, const T* x, T* y);
/// y *= scale
template <class T>
void scale_by(Cuda, std::size_t count, T scale, T* y);
/// y = keep * y + take * x: averages of weights.
template <class T>
void blend(Cuda, std::size_t count, T keep, T take, const T* x, T* y);
template <class T>
void fill(Cuda, std::size_t count, T number, T* y);
/// Zeros, by bytes.
void clear(Cuda, std::size_t bytes, void* to);
/// Copies bytes within device or managed memory.
void copy(Cuda, std::size_t bytes, const void* from, void* to);
/// Copies bytes from the host's memory, which have been read when this returns.
void upload(Cuda, std::size_t bytes, const void* from, void* to);
/// Copies bytes to the host's memory and waits for them.
void fetch(Cuda, std::size_t bytes, const void* from, void* to);
/// Rows of one array into another's: channels put together or taken apart, an image into its frame.
template <class T>
void copy_rows(Cuda, const RowCopy& how, const T* from, T* to);
/// Row i of `to` from image which[i] of `images`.
template <class T>
void draw_pixels(Cuda, const PixelRows& how, const std::uint8_t* images, const std::uint32_t* which, T* to);
/// The same of images that change on the way: how.steps changes for each row, one after the other.
template <class T>
void change_pixels(Cuda, const ChangedRows& how, const std::uint8_t* images, const std::uint32_t* which,
                   const PixelChange* changes, T* to);
/// out = weight_a * *a + weight_b * *b, single numbers (b null: left out): sums of losses.
template <class T>
void weigh(Cuda, double weight_a, const T* a, double weight_b, const T* b, T* out);
/// out = *a * *b, single numbers.
template <class T>
void multiply(Cuda, const T* a, const T* b, T* out);

GRAFT_CUDA_END
