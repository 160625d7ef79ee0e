#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/token_memory.h"

struct llama_vocab;

namespace spct {

struct TextPiece {
  std::string text;
  bool special = false;  // a piece of the chat template: control tokens are parsed
};

// Tokens and text of one model. Thread-safe; must not outlive the model.
class Vocabulary : public TokenText {
 public:
  explicit Vocabulary(const llama_vocab* vocab);

  // Special pieces may become control tokens. Other pieces never do, and their tokens give back exactly their bytes;
  // SentencePiece's inserted leading space is taken off again. A beginning-of-sequence token is put in front if the
  // model wants one and the first piece did not bring it. Throws Error TOKENIZATION_FAILED.
  std::vector<int32_t> tokenize(const std::vector<TextPiece>& pieces) const;

  // The same for text that goes on where other tokens end: nothing is put in front.
  std::vector<int32_t> tokenize_continued(const std::vector<TextPiece>& pieces) const;

  std::string text(const std::vector<int32_t>& tokens) const;

  const std::string& piece(int32_t token) const override { return pieces_[token]; }
  bool ends_generation(int32_t token) const override { return ends_[token]; }

  int32_t size() const { return static_cast<int32_t>(pieces_.size()); }
  // Whether untrusted text must not become this token: control tokens, and user-defined ones that are not just white
  // space.
  bool is_forbidden_in_text(int32_t token) const { return forbidden_[token]; }
  // The token's text with control tokens written out.
  std::string name(int32_t token) const;
  int32_t beginning() const;
  int32_t end() const;

 private:
  std::vector<int32_t> call(std::string_view text, bool special) const;
  void append_text(std::string_view text, std::vector<int32_t>& out) const;
  std::string spelling(int32_t token) const;
  void append_remembered(std::string_view text, size_t (Vocabulary::*first)(std::string_view) const,
                         const TokenMemory::Tokenize& tokenize, std::vector<int32_t>& out) const;
  size_t first_word(std::string_view text) const;
  size_t first_line(std::string_view text) const;
  bool is_apart(std::string_view text, size_t at) const;
  std::vector<int32_t> tokenize_runs(std::string_view text) const;
  void append_run(std::string_view run, std::vector<int32_t>& out) const;
  std::vector<int32_t> exact(std::string_view text, std::vector<int32_t> plain) const;

  const llama_vocab* vocab_;
  std::vector<std::string> pieces_;
  std::vector<bool> ends_, forbidden_;
  std::bitset<1 << 16> joined_;  // pairs of bytes that a token has next to each other
  bool has_apart_texts_ = false;
  mutable TokenMemory texts_, special_pieces_;
};

}  // namespace spct
