#include "engine/prefix_tree.h"

#include <algorithm>
#include <random>
#include <set>

#include "check.h"

using spct::PrefixTree;
using Tokens = std::vector<int32_t>;

static void finds_shared_prefixes() {
  PrefixTree tree;
  CHECK(tree.longest({1, 2, 3}).length == 0);
  CHECK(tree.longest({1, 2, 3}).sequence == -1);
  tree.insert({1, 2, 3, 4}, 0);
  tree.insert({1, 2, 5, 6}, 1);
  tree.check();
  CHECK(tree.size() == 6);
  CHECK(tree.longest({1, 2, 5, 9}).length == 3);
  CHECK(tree.longest({1, 2, 5, 9}).sequence == 1);
  CHECK(tree.longest({1, 2}).length == 2);
  CHECK(tree.longest({7}).length == 0);
  CHECK(tree.find({1, 2, 5, 6}) == 1);
  CHECK(tree.find({1, 2}) == -1);
}

static void a_prompt_may_end_inside_another() {
  PrefixTree tree;
  tree.insert({1, 2, 3, 4}, 0);
  tree.insert({1, 2}, 1);
  tree.check();
  CHECK(tree.size() == 4);
  CHECK(tree.find({1, 2}) == 1);
  tree.erase({1, 2, 3, 4});
  tree.check();
  CHECK(tree.size() == 2);
  tree.erase({1, 2});
  tree.check();
  CHECK(tree.size() == 0);
}

// Random prompts over few tokens, against a plain list of them.
static void equals_a_plain_list() {
  std::mt19937 random(7);
  PrefixTree tree;
  std::vector<std::pair<Tokens, int32_t>> list;
  for (int round = 0; round < 1000; ++round) {
    Tokens tokens(1 + random() % 8);
    for (auto& token : tokens) token = static_cast<int32_t>(random() % 3);
    const auto known = std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == tokens; });
    CHECK(tree.find(tokens) == (known == list.end() ? -1 : known->second));

    size_t longest = 0;
    for (const auto& [other, sequence] : list) {
      const auto end = std::mismatch(tokens.begin(), tokens.end(), other.begin(), other.end()).first;
      longest = std::max(longest, static_cast<size_t>(end - tokens.begin()));
    }
    const PrefixTree::Match match = tree.longest(tokens);
    CHECK(match.length == static_cast<int32_t>(longest));
    if (longest > 0) {
      const auto holder =
          std::find_if(list.begin(), list.end(), [&](const auto& e) { return e.second == match.sequence; });
      CHECK(holder != list.end());
      CHECK(std::equal(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(longest), holder->first.begin()));
    }

    if (known == list.end()) {
      tree.insert(tokens, round);
      list.emplace_back(tokens, round);
    } else {
      tree.erase(tokens);
      list.erase(known);
    }
    tree.check();
    std::set<Tokens> prefixes;
    for (const auto& [other, sequence] : list) {
      for (size_t n = 1; n <= other.size(); ++n)
        prefixes.emplace(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(n));
    }
    CHECK(tree.size() == static_cast<int64_t>(prefixes.size()));
  }
}

int main() {
  finds_shared_prefixes();
  a_prompt_may_end_inside_another();
  equals_a_plain_list();
  return check_result();
}
