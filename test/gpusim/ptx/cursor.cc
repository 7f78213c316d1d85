#include "cursor.h"

#include <cstdlib>
#include <cstring>

namespace gpusim {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%'; }
bool is_opcode(char c) { return is_word(c) || c == '.' || c == ':'; }

int digit(char c) { return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10 : 99; }

}  // namespace

void Cursor::skip() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      step();
    } else if (text_.compare(at_, 2, "//") == 0) {
      while (at_ < text_.size() && text_[at_] != '\n') step();
    } else if (text_.compare(at_, 2, "/*") == 0) {
      while (at_ < text_.size() && text_.compare(at_, 2, "*/") != 0) step();
      if (at_ >= text_.size()) fail("a comment without an end");
      at_ += 2;
    } else {
      return;
    }
  }
}

bool Cursor::accept(char c) {
  if (peek() != c || at_ >= text_.size()) return false;
  step();
  return true;
}

void Cursor::expect(char c) {
  if (accept(c)) return;
  const char next = peek();
  fail(std::string("expected '") + c + "' but found " + (next ? std::string("'") + next + "'" : std::string("the end")));
}

bool Cursor::accept_word(std::string_view word) {
  if (!looking_at(word)) return false;
  const size_t end = at_ + word.size();
  if (end < text_.size() && is_word(text_[end])) return false;
  at_ = end;
  return true;
}

std::string_view Cursor::while_in(bool (*is)(char)) {
  skip();
  const size_t start = at_;
  while (at_ < text_.size() && is(text_[at_])) step();
  return text_.substr(start, at_ - start);
}

std::string_view Cursor::identifier() {
  const std::string_view word = while_in(is_word);
  if (word.empty()) fail(std::string("expected a name but found '") + peek() + "'");
  return word;
}

std::string_view Cursor::opcode() {
  const std::string_view word = while_in(is_opcode);
  if (word.empty()) fail(std::string("expected an instruction but found '") + peek() + "'");
  return word;
}

std::string_view Cursor::directive() {
  expect('.');
  return identifier();
}

std::string Cursor::string() {
  expect('"');
  const size_t start = at_;
  while (at_ < text_.size() && text_[at_] != '"') step();
  const std::string value(text_.substr(start, at_ - start));
  expect('"');
  return value;
}

bool Cursor::at_number() {
  return is_digit(peek()) || ((text_[at_] == '-' || text_[at_] == '+') && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]));
}

Operand Cursor::number() {
  Operand result;
  const bool negative = accept('-');
  if (!negative) accept('+');
  if (!is_digit(peek())) fail("expected a number");
  const char second = at_ + 1 < text_.size() ? static_cast<char>(text_[at_ + 1] | 32) : '\0';
  const bool leading_zero = text_[at_] == '0';
  if (leading_zero && (second == 'f' || second == 'd')) {
    at_ += 2;
    const size_t digits = second == 'f' ? 8 : 16;
    uint64_t bits = 0;
    for (size_t i = 0; i < digits; ++i) {
      const int d = at_ < text_.size() ? digit(text_[at_]) : 99;
      if (d > 15) fail("a floating-point number in hexadecimal has too few digits");
      bits = bits << 4 | static_cast<uint64_t>(d);
      ++at_;
    }
    if (negative) bits ^= uint64_t{1} << (second == 'f' ? 31 : 63);
    result.kind = second == 'f' ? Operand::Kind::kFloat32 : Operand::Kind::kFloat64;
    result.value = static_cast<int64_t>(bits);
    return result;
  }
  // Decimal floating point: digits with a point or an exponent.
  size_t end = at_;
  while (end < text_.size() && is_digit(text_[end])) ++end;
  if (end < text_.size() && (text_[end] == '.' || (text_[end] | 32) == 'e') && !(leading_zero && second == 'x')) {
    while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.' || (text_[end] | 32) == 'e' ||
                                  ((text_[end] == '-' || text_[end] == '+') && (text_[end - 1] | 32) == 'e')))
      ++end;
    const double value = std::strtod(std::string(text_.substr(at_, end - at_)).c_str(), nullptr) * (negative ? -1 : 1);
    at_ = end;
    result.kind = Operand::Kind::kFloat64;
    std::memcpy(&result.value, &value, 8);
    return result;
  }
  int base = 10;
  if (leading_zero && second == 'x')
    base = 16, at_ += 2;
  else if (leading_zero && second == 'b')
    base = 2, at_ += 2;
  else if (leading_zero)
    base = 8;
  uint64_t value = 0;
  const size_t first = at_;
  while (at_ < text_.size() && digit(text_[at_]) < base)
    value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit(text_[at_++]));
  if (at_ == first) fail("a number without digits");
  if (at_ < text_.size() && text_[at_] == 'U') ++at_;
  result.kind = Operand::Kind::kInteger;
  result.value = static_cast<int64_t>(negative ? 0 - value : value);
  return result;
}

int64_t Cursor::integer() {
  const Operand value = number();
  if (value.kind != Operand::Kind::kInteger) fail("expected an integer");
  return value.value;
}

void Cursor::skip_braces() {
  expect('{');
  for (int depth = 1; depth > 0;) {
    if (at_end()) fail("a '{' without its '}'");
    const char c = peek();
    if (c == '"') {
      string();
      continue;
    }
    depth += (c == '{') - (c == '}');
    step();
  }
}

void Cursor::skip_to(char c) {
  while (peek() != c) {
    if (at_end()) fail(std::string("expected '") + c + "' but found the end");
    step();
  }
}

}  // namespace gpusim
