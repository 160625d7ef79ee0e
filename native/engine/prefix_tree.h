#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace spct {

// Which prompt prefixes are shared, over tokens.
//
//            (root)
//              | "Query: ..."            12 tokens, held by sequences 0 and 1
//        +-----+------+
//        | "A ... B"  | "B ... A"        40 tokens each
//       [0]          [1]                 a prompt ends where its sequence stands
//
// Invariants: children of a node start with different tokens; no node but the root is empty; every leaf has a sequence;
// size() is the number of tokens on all edges, which is the number of KV cells the prompts need when every shared
// prefix is stored once.
class PrefixTree {
 public:
  PrefixTree();

  struct Match {
    int32_t sequence = -1;  // a sequence whose prompt starts with the matched tokens; -1: nothing matched
    int32_t length = 0;
  };

  // The longest prefix of `tokens` that some inserted prompt has.
  Match longest(const std::vector<int32_t>& tokens) const;

  // The sequence of exactly these tokens, or -1.
  int32_t find(const std::vector<int32_t>& tokens) const;

  // Adds a prompt that find() does not know; tokens must not be empty.
  void insert(const std::vector<int32_t>& tokens, int32_t sequence);
  void erase(const std::vector<int32_t>& tokens);

  int64_t size() const { return size_; }

  // Throws std::logic_error when an invariant is broken; for tests.
  void check() const;

 private:
  struct Node {
    std::vector<int32_t> edge;
    int32_t sequence = -1;
    std::map<int32_t, std::unique_ptr<Node>> children;
  };
  struct Walk {
    const Node* node;   // the last node reached completely
    const Node* child;  // the node whose edge was left half way, or null
    int32_t along = 0;  // tokens of that edge
    int32_t length = 0;
  };

  Walk walk(const std::vector<int32_t>& tokens) const;
  static int32_t any_sequence(const Node& node);
  int64_t check(const Node& node, bool is_root) const;

  std::unique_ptr<Node> root_;
  int64_t size_ = 0;
};

}  // namespace spct
