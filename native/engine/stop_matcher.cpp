#include "engine/stop_matcher.h"

#include <cctype>
#include <memory>

#include "error.h"

namespace spct {

namespace {

using Bytes = std::bitset<256>;
using Op = StopPattern::Op;

constexpr size_t max_program = 4096;
constexpr int max_depth = 50;
constexpr int max_repeat = 256;
constexpr int unbounded = -1;

struct Node {
  enum class Kind { bytes, sequence, alternatives, repeat } kind;
  Bytes bytes;
  std::vector<std::unique_ptr<Node>> children;
  int min = 1, max = 1;
};
using NodePtr = std::unique_ptr<Node>;

NodePtr make(Node::Kind kind) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  return node;
}

void add_range(Bytes& bytes, unsigned char first, unsigned char last) {
  for (int byte = first; byte <= last; ++byte) bytes.set(byte);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  NodePtr parse() {
    auto node = alternatives(0);
    if (more()) fail("a ')' without '('");
    return node;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("INVALID_STOP_PATTERN", "Expected a stop pattern but received " + what + " at offset " +
                                            std::to_string(at_) + " of '" + std::string(text_) + "'");
  }

  bool more() const { return at_ < text_.size(); }
  bool next_is(char c) const { return more() && text_[at_] == c; }
  char take(const char* expected) {
    if (!more()) fail(std::string("its end, without ") + expected);
    return text_[at_++];
  }

  NodePtr alternatives(int depth) {
    if (depth > max_depth) fail("groups nested more than 50 deep");
    auto node = make(Node::Kind::alternatives);
    node->children.push_back(sequence(depth));
    while (next_is('|')) {
      ++at_;
      node->children.push_back(sequence(depth));
    }
    return node;
  }

  NodePtr sequence(int depth) {
    auto node = make(Node::Kind::sequence);
    while (more() && !next_is('|') && !next_is(')')) node->children.push_back(repeat(depth));
    return node;
  }

  NodePtr repeat(int depth) {
    auto node = atom(depth);
    while (more()) {
      int min = 0, max = unbounded;
      if (next_is('*')) {
      } else if (next_is('+')) {
        min = 1;
      } else if (next_is('?')) {
        max = 1;
      } else if (next_is('{')) {
        ++at_;
        min = max = number();
        if (next_is(',')) {
          ++at_;
          max = next_is('}') ? unbounded : number();
        }
        if (!next_is('}')) fail("a repetition without '}'");
        if (max != unbounded && max < min) fail("a repetition whose maximum is below its minimum");
      } else {
        break;
      }
      ++at_;
      auto outer = make(Node::Kind::repeat);
      outer->min = min;
      outer->max = max;
      outer->children.push_back(std::move(node));
      node = std::move(outer);
    }
    return node;
  }

  NodePtr atom(int depth) {
    if (next_is('(')) {
      ++at_;
      auto group = alternatives(depth + 1);
      if (take("')'") != ')') fail("a group without ')'");
      return group;
    }
    auto node = make(Node::Kind::bytes);
    const char c = take("an atom");
    switch (c) {
      case '.':
        node->bytes.set();
        node->bytes.reset('\n');
        break;
      case '\\': node->bytes = escape(); break;
      case '[': node->bytes = bracket(); break;
      case '*':
      case '+':
      case '?':
      case '{': --at_; fail("a repetition of nothing");
      default: node->bytes.set(static_cast<unsigned char>(c));
    }
    return node;
  }

  Bytes escape() {
    Bytes bytes;
    const char c = take("the escaped character");
    switch (c) {
      case 'd': add_range(bytes, '0', '9'); break;
      case 's':
        for (char space : {' ', '\t', '\n', '\r', '\f', '\v'}) bytes.set(space);
        break;
      case 'w':
        add_range(bytes, 'a', 'z');
        add_range(bytes, 'A', 'Z');
        add_range(bytes, '0', '9');
        bytes.set('_');
        break;
      case 'n': bytes.set('\n'); break;
      case 'r': bytes.set('\r'); break;
      case 't': bytes.set('\t'); break;
      default:
        if (isalnum(static_cast<unsigned char>(c))) fail(std::string("the unknown escape \\") + c);
        bytes.set(static_cast<unsigned char>(c));
    }
    return bytes;
  }

  Bytes bracket() {
    Bytes bytes;
    const bool negated = next_is('^');
    if (negated) ++at_;
    for (bool first = true; first || !next_is(']'); first = false) {
      const char c = take("']'");
      if (c == '\\') {
        bytes |= escape();
      } else if (next_is('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        const char last = take("the end of a range");
        if (static_cast<unsigned char>(last) < static_cast<unsigned char>(c))
          fail("a range whose end is below its start");
        add_range(bytes, c, last);
      } else {
        bytes.set(static_cast<unsigned char>(c));
      }
    }
    ++at_;
    return negated ? ~bytes : bytes;
  }

  int number() {
    int value = 0;
    const size_t start = at_;
    while (more() && isdigit(static_cast<unsigned char>(text_[at_]))) {
      value = value * 10 + (text_[at_++] - '0');
      if (value > max_repeat) fail("a repetition of more than 256");
    }
    if (at_ == start) fail("a repetition without a number");
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class Compiler {
 public:
  Compiler(std::vector<StopPattern::Instruction>& program, std::vector<Bytes>& sets) : program_(program), sets_(sets) {}

  void compile(const Node& node) {
    switch (node.kind) {
      case Node::Kind::bytes:
        sets_.push_back(node.bytes);
        emit(Op::byte_set, static_cast<int32_t>(sets_.size()) - 1);
        return;
      case Node::Kind::sequence:
        for (const auto& child : node.children) compile(*child);
        return;
      case Node::Kind::alternatives: {
        std::vector<int32_t> ends;
        for (size_t i = 0; i + 1 < node.children.size(); ++i) {
          const int32_t split = emit(Op::split);
          compile(*node.children[i]);
          ends.push_back(emit(Op::jump));
          program_[split].a = split + 1;
          program_[split].b = here();
        }
        compile(*node.children.back());
        for (int32_t end : ends) program_[end].a = here();
        return;
      }
      case Node::Kind::repeat: {
        for (int i = 0; i < node.min; ++i) compile(*node.children[0]);
        if (node.max == unbounded) {
          const int32_t split = emit(Op::split);
          compile(*node.children[0]);
          emit(Op::jump, split);
          program_[split].a = split + 1;
          program_[split].b = here();
          return;
        }
        std::vector<int32_t> splits;
        for (int i = node.min; i < node.max; ++i) {
          splits.push_back(emit(Op::split));
          compile(*node.children[0]);
        }
        for (int32_t split : splits) {
          program_[split].a = split + 1;
          program_[split].b = here();
        }
      }
    }
  }

  int32_t emit(Op op, int32_t a = 0) {
    if (program_.size() >= max_program) {
      throw Error("INVALID_STOP_PATTERN", "Expected a stop pattern of at most 4096 steps but received a longer one");
    }
    program_.push_back({op, a, 0});
    return here() - 1;
  }

 private:
  int32_t here() const { return static_cast<int32_t>(program_.size()); }

  std::vector<StopPattern::Instruction>& program_;
  std::vector<Bytes>& sets_;
};

}  // namespace

StopPattern::StopPattern(std::string_view expression) {
  if (expression.empty()) throw Error("INVALID_STOP_PATTERN", "Expected a stop pattern but received an empty string");
  Compiler compiler(program_, sets_);
  compiler.compile(*Parser(expression).parse());
  compiler.emit(Op::match);
}

StopMatcher::StopMatcher(const StopPattern& pattern, const SkippedSection& skip)
    : pattern_(&pattern), skip_(&skip), visited_(pattern.program().size(), 0) {}

bool StopMatcher::feed(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size() && !matched_; ++i) step(static_cast<unsigned char>(bytes[i]));
  return matched_;
}

void StopMatcher::step(unsigned char byte) {
  if (crosses_marker(byte)) {
    states_.clear();
    return;
  }
  if (skipping_) return;

  add(states_, 0);  // a match may start at every byte
  ++generation_;
  next_.clear();
  for (int32_t at : states_) {
    if (pattern_->sets()[pattern_->program()[at].a][byte]) add(next_, at + 1);
  }
  std::swap(states_, next_);
}

bool StopMatcher::crosses_marker(unsigned char byte) {
  if (skip_->open.empty()) return false;
  const std::string& marker = skipping_ ? skip_->close : skip_->open;
  recent_.push_back(static_cast<char>(byte));
  if (recent_.size() > marker.size()) recent_.erase(0, recent_.size() - marker.size());
  if (recent_ != marker) return false;
  skipping_ = !skipping_;
  recent_.clear();
  return true;
}

void StopMatcher::add(std::vector<int32_t>& states, int32_t at) {
  stack_.assign(1, at);
  while (!stack_.empty()) {
    at = stack_.back();
    stack_.pop_back();
    if (visited_[at] == generation_) continue;
    visited_[at] = generation_;
    const auto& instruction = pattern_->program()[at];
    switch (instruction.op) {
      case Op::byte_set: states.push_back(at); break;
      case Op::jump: stack_.push_back(instruction.a); break;
      case Op::split: stack_.insert(stack_.end(), {instruction.a, instruction.b}); break;
      case Op::match: matched_ = true; break;
    }
  }
}

}  // namespace spct
