// expect: (no matching function|cannot convert|could not convert|no viable conversion|no known conversion|has no member|no member named) ;; (Labelled|Unlabelled|label)
#include <graft/graft.hpp>
int peek(const graft::data::Unlabelled& target) { return target.label(0); }
