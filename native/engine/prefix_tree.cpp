#include "engine/prefix_tree.h"

#include <algorithm>
#include <stdexcept>

namespace spct {

PrefixTree::PrefixTree() : root_(std::make_unique<Node>()) {}

PrefixTree::Walk PrefixTree::walk(const std::vector<int32_t>& tokens) const {
  Walk walk{root_.get(), nullptr, 0, 0};
  while (walk.length < static_cast<int32_t>(tokens.size())) {
    const auto found = walk.node->children.find(tokens[walk.length]);
    if (found == walk.node->children.end()) return walk;
    const auto& edge = found->second->edge;
    const auto differing = std::mismatch(edge.begin(), edge.end(), tokens.begin() + walk.length, tokens.end()).first;
    const auto along = static_cast<int32_t>(differing - edge.begin());
    walk.length += along;
    if (differing != edge.end()) {
      walk.child = found->second.get();
      walk.along = along;
      return walk;
    }
    walk.node = found->second.get();
  }
  return walk;
}

int32_t PrefixTree::any_sequence(const Node& node) {
  const Node* at = &node;
  while (at->sequence < 0 && !at->children.empty()) at = at->children.begin()->second.get();
  return at->sequence;
}

PrefixTree::Match PrefixTree::longest(const std::vector<int32_t>& tokens) const {
  const Walk end = walk(tokens);
  if (end.length == 0) return {};
  return {any_sequence(end.child ? *end.child : *end.node), end.length};
}

int32_t PrefixTree::find(const std::vector<int32_t>& tokens) const {
  const Walk end = walk(tokens);
  const bool exact = !end.child && end.length == static_cast<int32_t>(tokens.size());
  return exact ? end.node->sequence : -1;
}

void PrefixTree::insert(const std::vector<int32_t>& tokens, int32_t sequence) {
  const Walk end = walk(tokens);
  Node* node = const_cast<Node*>(end.node);
  if (end.child) {
    auto& slot = node->children.at(end.child->edge.front());
    auto upper = std::make_unique<Node>();
    upper->edge.assign(slot->edge.begin(), slot->edge.begin() + end.along);
    slot->edge.erase(slot->edge.begin(), slot->edge.begin() + end.along);
    const int32_t first = slot->edge.front();
    upper->children.emplace(first, std::move(slot));
    slot = std::move(upper);
    node = slot.get();
  }
  if (end.length < static_cast<int32_t>(tokens.size())) {
    auto leaf = std::make_unique<Node>();
    leaf->edge.assign(tokens.begin() + end.length, tokens.end());
    size_ += static_cast<int64_t>(leaf->edge.size());
    Node* added = leaf.get();
    node->children.emplace(tokens[end.length], std::move(leaf));
    node = added;
  }
  node->sequence = sequence;
}

void PrefixTree::erase(const std::vector<int32_t>& tokens) {
  std::vector<Node*> path{root_.get()};
  for (size_t at = 0; at < tokens.size(); at += path.back()->edge.size()) {
    path.push_back(path.back()->children.at(tokens[at]).get());
  }
  path.back()->sequence = -1;
  while (path.size() > 1) {
    Node* node = path.back();
    Node* parent = path[path.size() - 2];
    if (node->sequence >= 0 || node->children.size() > 1) return;
    if (node->children.empty()) {
      size_ -= static_cast<int64_t>(node->edge.size());
      parent->children.erase(node->edge.front());
      path.pop_back();
      continue;
    }
    auto child = std::move(node->children.begin()->second);
    child->edge.insert(child->edge.begin(), node->edge.begin(), node->edge.end());
    parent->children.at(child->edge.front()) = std::move(child);
    return;
  }
}

void PrefixTree::check() const {
  if (check(*root_, true) != size_) throw std::logic_error("prefix tree: size differs from the edges");
}

int64_t PrefixTree::check(const Node& node, bool is_root) const {
  if (!is_root && node.edge.empty()) throw std::logic_error("prefix tree: empty edge");
  if (!is_root && node.children.empty() && node.sequence < 0)
    throw std::logic_error("prefix tree: leaf without sequence");
  if (!is_root && node.children.size() == 1 && node.sequence < 0) throw std::logic_error("prefix tree: idle node");
  auto size = static_cast<int64_t>(node.edge.size());
  for (const auto& [first, child] : node.children) {
    if (child->edge.empty() || child->edge.front() != first) throw std::logic_error("prefix tree: misplaced child");
    size += check(*child, false);
  }
  return size;
}

}  // namespace spct
