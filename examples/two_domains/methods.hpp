#pragma once
// The one list of methods. To add one: an entry here, besides its header, test and docs page.
#include "backbone.hpp"

#include <graft/transfer/adabn.hpp>
#include <graft/transfer/adda.hpp>
#include <graft/transfer/adversarial_samples.hpp>
#include <graft/transfer/best.hpp>
#include <graft/transfer/cdan.hpp>
#include <graft/transfer/cmd.hpp>
#include <graft/transfer/curriculum.hpp>
#include <graft/transfer/cycle_gan.hpp>
#include <graft/transfer/dan.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/dann_three_adam.hpp>
#include <graft/transfer/ddc.hpp>
#include <graft/transfer/deep_coral.hpp>
#include <graft/transfer/dsan.hpp>
#include <graft/transfer/entropy_minimisation.hpp>
#include <graft/transfer/fix_match.hpp>
#include <graft/transfer/jan.hpp>
#include <graft/transfer/mcc.hpp>
#include <graft/transfer/mcd.hpp>
#include <graft/transfer/mdd.hpp>
#include <graft/transfer/mean_teacher.hpp>
#include <graft/transfer/pseudo_labels.hpp>
#include <graft/transfer/shot.hpp>
#include <graft/transfer/sliced_wasserstein.hpp>
#include <graft/transfer/source_only.hpp>
#include <graft/transfer/vada.hpp>
#include <graft/transfer/wdgrl.hpp>

namespace example {

/// Calls f(name, text, make) for each; make(nets, settings) gives the method's object on a backbone's nets (see nets.hpp). A
/// method that asks for nets which not every backbone has says so in a requires-clause.
template <class F>
void for_each_method(F&& f) {
  using namespace graft;
  f("source_only", "cross-entropy on the source alone: the baseline of all others", [](auto& n, const Settings& s) {
    return SourceOnly{n.features(), n.labels(), s.with<SourceOnlyOptions>()};
  });
  f("ddc", "deep domain confusion: MMD at the body's output (Tzeng et al. 2014)", [](auto& n, const Settings& s) {
    return Ddc{n.features(), n.labels(), s.with<DdcOptions>(n.begin)};
  });
  f("dan", "deep adaptation network: MK-MMD at the body's output and the logits (Long et al. 2015)",
    [](auto& n, const Settings& s) {
      return Dan{n.features(), n.labels(), s.with<DanOptions>(n.begin)};
    });
  f("jan", "joint adaptation network: MMD of features and predictions together (Long et al. 2017)",
    [](auto& n, const Settings& s) {
      return Jan{n.features(), n.labels(), s.with<JanOptions>(n.begin)};
    });
  f("dsan", "deep subdomain adaptation: MMD class by class (Zhu et al. 2020)", [](auto& n, const Settings& s) {
    return Dsan{n.features(), n.labels(), s.with<DsanOptions>(n.begin)};
  });
  f("deep_coral", "covariances made alike (Sun & Saenko 2016)", [](auto& n, const Settings& s) {
    return DeepCoral{n.features(), n.labels(), s.with<DeepCoralOptions>()};
  });
  f("cmd", "means and central moments of bounded features made alike (Zellinger et al. 2017)", [](auto& n, const Settings& s) {
    CmdOptions options = s.with<CmdOptions>(n.begin);
    options.range = 2.0;  // of Tanh
    return Cmd{n.bounded_features(), n.labels(), options};
  });
  f("sliced_wasserstein", "features made alike along random directions (Bonneel et al. 2015)", [](auto& n, const Settings& s) {
    return SlicedWasserstein{n.features(), n.labels(), s.with<SlicedWassersteinOptions>(n.begin)};
  });
  f("wdgrl", "a critic tells the Wasserstein distance of the features, and it is made small (Shen et al. 2018)",
    [](auto& n, const Settings& s) {
      return Wdgrl{n.features(), n.labels(), n.domain_critic(), s.with<WdgrlOptions>()};
    });
  f("dann", "a domain head behind a reversed gradient (Ganin et al. 2016)", [](auto& n, const Settings& s) {
    return Dann{n.features(), n.labels(), n.domains(), s.with<DannOptions>()};
  });
  f("cdan", "as dann, the domain head also sees what the features are taken for (Long et al. 2018)",
    [](auto& n, const Settings& s) {
      return Cdan{n.features(), n.labels(), n.map_domains(), s.with<CdanOptions>()};
    });
  f("mcd", "two classifiers that disagree on the target (Saito et al. 2018)", [](auto& n, const Settings& s) {
    return Mcd{n.features(), n.labels(), n.second(), s.with<McdOptions>()};
  });
  f("mdd", "margin disparity of an adversarial classifier (Zhang et al. 2019)", [](auto& n, const Settings& s) {
    return Mdd{n.norm_features(), n.norm_labels(), n.norm_second(), s.with<MddOptions>()};  // as its authors' bottleneck
  });
  f("dann_three_adam", "DANN with three optimisers, BatchNorm and a swapped-label adversary", [](auto& n, const Settings& s) {
    return DannThreeAdam{n.norm_features(), n.norm_labels(), n.norm_domains(), s.with<DannThreeAdamOptions>()};
  });
  f("adda", "a body for the target learns features that a domain head takes for the source's (Tzeng et al. 2017)",
    [](auto& n, const Settings& s) {
      return Adda{n.encoder(), n.encoder_labels(), n.discriminator(), n.source_encoder(), s.with<AddaOptions>()};
    });
  f("adabn", "the target's own BatchNorm statistics (Li et al. 2018)", [](auto& n, const Settings& s) {
    return Adabn{n.norm_features(), n.norm_labels(), s.with<AdabnOptions>()};
  });
  f("entropy", "entropy minimisation on the target (Grandvalet & Bengio 2004)", [](auto& n, const Settings& s) {
    return EntropyMinimisation{n.features(), n.labels(), s.with<EntropyMinimisationOptions>()};
  });
  f("mcc", "minimum class confusion on the target (Jin et al. 2020)", [](auto& n, const Settings& s) {
    return Mcc{n.features(), n.labels(), s.with<MccOptions>()};
  });
  f("pseudo_labels", "the target learns from what the source's classifier is sure of (Lee 2013)",
    [](auto& n, const Settings& s) {
      return PseudoLabels{n.features(), n.labels(), s.with<PseudoLabelsOptions>()};
    });
  f("curriculum", "pseudo-labels that enter from easy to hard (Bengio et al. 2009, Zou et al. 2018)",
    [](auto& n, const Settings& s) {
      return Curriculum{n.features(), n.labels(), s.with<CurriculumOptions>()};
    });
  f("shot", "source-free: the target fits itself to the source's classifier (Liang et al. 2020)",
    [](auto& n, const Settings& s) {
      ShotOptions options = s.with<ShotOptions>();
      options.classes = n.classes();
      return Shot{n.norm_features(), n.norm_labels(), options};  // BatchNorm in the body, as its authors have it
    });
  f("fix_match", "what is sure on an image is learnt on its augmented view (Sohn et al. 2020)", [](auto& n, const Settings& s) {
    return FixMatch{n.features(), n.labels(), s.with<FixMatchOptions>()};
  });
  f("mean_teacher", "agreement with averaged weights under augmentation (French et al. 2018)", [](auto& n, const Settings& s) {
    return MeanTeacher{n.features(), n.labels(), n.average_features(), n.average_labels(), s.with<MeanTeacherOptions>()};
  });
  f("vada", "dann, sure predictions, and none that a small change of the image turns (Shu et al. 2018)",
    [](auto& n, const Settings& s) {
      return Vada{n.features(), n.labels(), n.domains(), s.with<VadaOptions>()};
    });
  f("best", "dann, fix_match, averaged weights, and images normalised one by one: the preset", [](auto& n, const Settings& s) {
    return Best{n.features(), n.labels(), n.domains(), n.average_features(), n.average_labels(), s.with<BestOptions>()};
  });
  f("adversarial_samples", "a generator makes features that are misjudged, and they are learnt from (Volpi et al. 2018)",
    [](auto& n, const Settings& s) {
      return AdversarialSamples{n.features(), n.labels(), n.generator(), s.with<AdversarialSamplesOptions>()};
    });
  f(
      "cycle_gan", "images translated from source to target teach the classifier (Zhu et al. 2017); slow",
      [](auto& n, const Settings& s) requires(std::remove_reference_t<decltype(n)>::reads_images) {
        return CycleGan{n.features(), n.labels(), Translation{n.translator(0), n.translator(1), n.critic(0), n.critic(1)},
                        s.with<CycleGanOptions>()};
      });
}

/// What a method needs of the fit besides its own options: the augmentation that consistency is about, the preset's
/// normalisation.
template <class Set>
graft::BasicFitOptions<Set> fit_for(const std::string& method, graft::BasicFitOptions<Set> fit) {
  if (method == "best") return graft::best_fit(std::move(fit));
  if constexpr (std::is_same_v<Set, graft::data::Labelled>) {
    if (method == "fix_match" || method == "mean_teacher") fit.augment = fit.target_augment = graft::strong_augmentation();
  }
  return fit;
}

}  // namespace example
