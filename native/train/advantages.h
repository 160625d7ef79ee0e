#pragma once

#include <cstdint>
#include <vector>

namespace spct {

// By which deviation rewards are divided: that of their own group (GRPO), that of all of them, or none.
enum class AdvantageScale { group, batch, none };

// Group-relative advantages: rewards [groups * group_size], group after group, less their group's mean, divided by
// (deviation + epsilon). The deviation is the sample's (n - 1). Equal rewards in a group give exactly 0, whatever the
// scale. Throws Error INVALID_ARGUMENT for a reward that is not finite or a count that is no multiple of the group
// size.
std::vector<double> group_advantages(const std::vector<double>& rewards, int64_t group_size, AdvantageScale scale,
                                     double epsilon = 1e-4);

}  // namespace spct
