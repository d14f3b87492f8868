#pragma once
/// \file delta.hpp  DELTA: Li, Xiong, Wang, Rao, Liu, Huan, "DELTA: deep learning transfer using feature map with attention",
/// ICLR 2019: feature maps of the tuned network stay near those of the pretrained one.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/loss/record.hpp"

#include <cstddef>
#include <span>

GRAFT_BEGIN

/// 1/2 sum over the batch of |maps - start|^2 (attention empty), or with an attention weight a_c for each of C channels
/// (equation 7, as tllib has it): 1/2 sum over the batch and the channels of C a_c |maps_c - start_c|^2 / (height x width).
/// `start`: what the pretrained network gives for the same batch, constant, alive as long as the step. Throws Error when the
/// attention has another number of channels.
template <Shape S, Kind K, class T>
Loss<T> delta(const Var<S, K, T>& maps, const T* start, std::span<const double> attention = {}) {
  constexpr std::size_t channels = static_cast<std::size_t>(S.c);
  if (!attention.empty() && attention.size() != channels)
    fail("delta: ", attention.size(), " attention weights for maps of ", channels, " channels; give one for each, or none.");
  Tape<T>& tape = *maps.tape;
  double of_channels[channels] = {};
  for (std::size_t c = 0; c < attention.size(); ++c)
    of_channels[c] = attention[c] * static_cast<double>(channels * channels) / static_cast<double>(S.size());
  return detail::record_loss(
      maps,
      [&](const T* x, T* dx) {
        double sum = 0.0;
        for (std::size_t i = 0; i < maps.view.size(); ++i) {
          const double weight = attention.empty() ? 1.0 : of_channels[i % channels];
          const double apart = static_cast<double>(x[i]) - static_cast<double>(start[i]);
          sum += 0.5 * weight * apart * apart;
          if (dx != nullptr) dx[i] = static_cast<T>(weight * apart);
        }
        return static_cast<T>(sum);
      },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.map_distance(maps.view.size(), S.c, x, tape.brought(start, maps.view.size()),
                            attention.empty() ? nullptr : tape.brought(of_channels, channels), dx, value);
      });
}

GRAFT_END
