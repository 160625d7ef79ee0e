#include "model/vocabulary.h"

#include <algorithm>
#include <climits>
#include <exception>
#include <set>

#include "error.h"
#include "llama.h"

namespace spct {

namespace {

// Some pre-tokenizers recurse once per character of a run of one class, so a long run overflows the stack
// (1,700 characters on a stack of 512 KB). Longer runs are cut; nothing but such a run is tokenized differently.
constexpr int max_run = 1000;

constexpr size_t remembered_texts_bytes = 4 << 20;
constexpr size_t remembered_special_pieces_bytes = 64 << 10;

enum class CharacterClass { space, digit, letter, other };

bool is_letter(unsigned char byte) { return (byte | 32) >= 'a' && (byte | 32) <= 'z'; }

CharacterClass class_of(unsigned char byte) {
  if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return CharacterClass::space;
  if (byte >= '0' && byte <= '9') return CharacterClass::digit;
  if (is_letter(byte)) return CharacterClass::letter;
  return byte >= 0x80 ? CharacterClass::letter : CharacterClass::other;
}

bool starts_character(unsigned char byte) { return (byte & 0xC0) != 0x80; }

// The end of the longest prefix of `text` in which no run of one class exceeds max_run characters.
size_t safe_length(std::string_view text) {
  int run = 0;
  CharacterClass previous = CharacterClass::other;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const CharacterClass current = class_of(byte);
    if (current != previous) run = 0;
    previous = current;
    // Malformed UTF-8 may have no character starts at all; bytes bound the run as well.
    if (!starts_character(byte) && run < 4 * max_run) continue;
    if (++run > max_run) return i;
  }
  return text.size();
}

std::string render(const llama_vocab* vocab, int32_t token, bool special) {
  std::string piece(32, '\0');
  int32_t length = llama_token_to_piece(vocab, token, piece.data(), static_cast<int32_t>(piece.size()), 0, special);
  if (length < 0) {
    piece.resize(static_cast<size_t>(-length));
    length = llama_token_to_piece(vocab, token, piece.data(), static_cast<int32_t>(piece.size()), 0, special);
  }
  piece.resize(static_cast<size_t>(std::max(length, 0)));
  return piece;
}

// A character boundary inside [at, at + length), as near to the middle as there is; `at` when there is none.
size_t middle_of(std::string_view text, size_t at, size_t length) {
  size_t cut = at + (length + 1) / 2;
  while (cut < at + length && !starts_character(static_cast<unsigned char>(text[cut]))) ++cut;
  if (cut < at + length) return cut;
  cut = at + length / 2;
  while (cut > at && !starts_character(static_cast<unsigned char>(text[cut]))) --cut;
  return cut;
}

bool is_visible(unsigned char byte) { return byte > ' ' && byte < 0x7F; }

// The byte before `at` and the byte there, as one number.
size_t pair_of(std::string_view text, size_t at) {
  return static_cast<size_t>(static_cast<unsigned char>(text[at - 1])) << 8 | static_cast<unsigned char>(text[at]);
}

bool is_white_space(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return class_of(c) == CharacterClass::space; });
}

}  // namespace

Vocabulary::Vocabulary(const llama_vocab* vocab)
    : vocab_(vocab), texts_(remembered_texts_bytes), special_pieces_(remembered_special_pieces_bytes) {
  const int32_t size = llama_vocab_n_tokens(vocab);
  for (int32_t token = 0; token < size; ++token) {
    const auto attributes = llama_vocab_get_attr(vocab, token);
    const bool control = attributes & LLAMA_TOKEN_ATTR_CONTROL;
    const bool user_defined = attributes & LLAMA_TOKEN_ATTR_USER_DEFINED;
    // RWKV vocabularies render control tokens even when told not to.
    pieces_.push_back(control ? std::string() : render(vocab, token, false));
    ends_.push_back(llama_vocab_is_eog(vocab, token));
    forbidden_.push_back(control || (user_defined && !is_white_space(render(vocab, token, true))));
  }
  bool strips = false;
  for (int32_t token = 0; token < size; ++token) {
    const std::string text = spelling(token);
    for (size_t at = 1; at < text.size(); ++at) joined_.set(pair_of(text, at));
    strips |= (llama_vocab_get_attr(vocab, token) & LLAMA_TOKEN_ATTR_LSTRIP) != 0;
  }
  has_apart_texts_ = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_BPE && !strips;
}

std::string Vocabulary::spelling(int32_t token) const { return pieces_[token].empty() ? name(token) : pieces_[token]; }
std::string Vocabulary::name(int32_t token) const { return render(vocab_, token, true); }
int32_t Vocabulary::beginning() const { return llama_vocab_bos(vocab_); }
int32_t Vocabulary::end() const {
  const int32_t turn = llama_vocab_eot(vocab_);
  return turn >= 0 ? turn : llama_vocab_eos(vocab_);
}

std::string Vocabulary::text(const std::vector<int32_t>& tokens) const {
  std::string text;
  for (int32_t token : tokens) {
    if (token < 0 || token >= size()) {
      throw Error("INVALID_REQUEST",
                  "Expected a token below " + std::to_string(size()) + " but received " + std::to_string(token));
    }
    text += pieces_[token];
  }
  return text;
}

std::vector<int32_t> Vocabulary::tokenize(const std::vector<TextPiece>& pieces) const {
  std::vector<int32_t> tokens = tokenize_continued(pieces);
  const int32_t bos = llama_vocab_bos(vocab_);
  if (bos >= 0 && llama_vocab_get_add_bos(vocab_) && (tokens.empty() || tokens.front() != bos)) {
    tokens.insert(tokens.begin(), bos);
  }
  return tokens;
}

std::vector<int32_t> Vocabulary::tokenize_continued(const std::vector<TextPiece>& pieces) const {
  const auto special = [this](std::string_view text) { return call(text, true); };
  std::vector<int32_t> tokens;
  for (const TextPiece& piece : pieces) {
    if (piece.special) {
      special_pieces_.append(piece.text, special, tokens);
    } else {
      append_text(piece.text, tokens);
    }
  }
  return tokens;
}

// Tokens are remembered of lines, and of the words of new lines: prompts repeat their instructions, orderings their
// responses, and texts their words.
void Vocabulary::append_text(std::string_view text, std::vector<int32_t>& out) const {
  const auto runs = [this](std::string_view word) { return tokenize_runs(word); };
  const auto words = [&](std::string_view line) {
    std::vector<int32_t> tokens;
    append_remembered(line, &Vocabulary::first_word, runs, tokens);
    return tokens;
  };
  if (has_apart_texts_) {
    append_remembered(text, &Vocabulary::first_line, words, out);
  } else {
    const auto tokens = tokenize_runs(text);
    out.insert(out.end(), tokens.begin(), tokens.end());
  }
}

void Vocabulary::append_remembered(std::string_view text, size_t (Vocabulary::*first)(std::string_view) const,
                                   const TokenMemory::Tokenize& tokenize, std::vector<int32_t>& out) const {
  while (!text.empty()) {
    const size_t length = (this->*first)(text);
    texts_.append(text.substr(0, length), tokenize, out);
    text.remove_prefix(length);
  }
}

size_t Vocabulary::first_word(std::string_view text) const {
  for (size_t at = 1; at < text.size(); ++at) {
    if (is_apart(text, at)) return at;
  }
  return text.size();
}

// As far as the next line, or where that cannot be told, the first word of it.
size_t Vocabulary::first_line(std::string_view text) const {
  const size_t line_feed = text.find('\n');
  if (line_feed == std::string_view::npos) return text.size();
  for (size_t at = line_feed + 1; at < text.size(); ++at) {
    if (is_apart(text, at)) return at;
  }
  return text.size();
}

// Whether the text before `at` and the text from there have the tokens that they have alone. In byte-pair encoding
// nothing crosses a place where pre-tokenizers begin a new piece without looking further: the space before a word, the
// mark behind a word, the line behind one line feed. Nor do merges, which make tokens, where no token has the two
// bytes.
bool Vocabulary::is_apart(std::string_view text, size_t at) const {
  const auto byte = [&](size_t place) { return static_cast<unsigned char>(text[place]); };
  const unsigned char before = byte(at - 1), here = byte(at);
  if (before >= 0x80 || here >= 0x80 || joined_.test(pair_of(text, at))) return false;
  if (here == ' ') return is_visible(before) && at + 1 < text.size() && is_letter(byte(at + 1));
  if (before == '\n') return at > 1 && is_visible(byte(at - 2)) && is_visible(here);
  return is_letter(before) && std::string_view(".,:;!?").find(text[at]) != std::string_view::npos;
}

std::vector<int32_t> Vocabulary::tokenize_runs(std::string_view text) const {
  std::vector<int32_t> tokens;
  while (!text.empty()) {
    const size_t length = safe_length(text);
    append_run(text.substr(0, length), tokens);
    text.remove_prefix(length);
  }
  return tokens;
}

// Control tokens in the text are taken apart: their characters are cut in the middle and the parts tokenized anew.
void Vocabulary::append_run(std::string_view run, std::vector<int32_t>& out) const {
  if (run.empty()) return;
  auto plain = call(run, false);
  std::set<int32_t> found;
  for (int32_t token : plain) {
    if (forbidden_[token]) found.insert(token);
  }
  if (found.empty()) {
    const auto tokens = exact(run, std::move(plain));
    out.insert(out.end(), tokens.begin(), tokens.end());
    return;
  }
  std::set<size_t> cuts;
  for (int32_t token : found) {
    const std::string marker = name(token);
    for (size_t at = run.find(marker); at != std::string_view::npos; at = run.find(marker, at + marker.size())) {
      cuts.insert(middle_of(run, at, marker.size()));
    }
  }
  cuts.erase(0);
  cuts.erase(run.size());
  if (cuts.empty()) {
    throw Error("TOKENIZATION_FAILED", "the text '" + name(*found.begin()) +
                                           "' is a control token of this model and cannot be written otherwise");
  }
  cuts.insert(run.size());
  size_t start = 0;
  for (size_t cut : cuts) {
    append_run(run.substr(start, cut - start), out);
    start = cut;
  }
}

// `plain` if it gives back the text, else tokens that do.
std::vector<int32_t> Vocabulary::exact(std::string_view text, std::vector<int32_t> plain) const {
  if (this->text(plain) == text) return plain;
  // SentencePiece puts a space in front: tokenize behind a line feed, then take both off.
  const std::string guard = "\n";
  const auto guarded = call(guard + std::string(text), false);
  std::string head;
  for (size_t i = 0; i < guarded.size(); ++i) {
    if (head == guard || head == " " + guard) {
      const std::vector<int32_t> rest(guarded.begin() + static_cast<std::ptrdiff_t>(i), guarded.end());
      if (this->text(rest) == text) return rest;
    }
    head += pieces_[guarded[i]];
  }
  const size_t shown = 40;
  throw Error("TOKENIZATION_FAILED", "the model's vocabulary cannot write '" + std::string(text.substr(0, shown)) +
                                         (text.size() > shown ? "...' exactly" : "' exactly"));
}

std::vector<int32_t> Vocabulary::call(std::string_view text, bool special) const {
  if (text.size() > INT_MAX / 2)
    throw Error("TOKENIZATION_FAILED", "Expected a text below 1 GiB but received a longer one");
  try {
    std::vector<int32_t> tokens(text.size() + 8);
    const int32_t count = llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                                         static_cast<int32_t>(tokens.size()), false, special);
    if (count < 0) throw Error("TOKENIZATION_FAILED", "the tokenizer gave more tokens than the text has bytes");
    tokens.resize(static_cast<size_t>(count));
    return tokens;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error("TOKENIZATION_FAILED", std::string("the model's tokenizer failed: ") + error.what());
  }
}

}  // namespace spct
