// A place in PTX text: skips blanks and comments, reads words and numbers, and throws PtxError with the line.
#pragma once
#include <string>
#include <string_view>

#include "module.h"

namespace gpusim {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  int line() const { return line_; }
  bool at_end() { return skip(), at_ >= text_.size(); }
  char peek() { return skip(), at_ < text_.size() ? text_[at_] : '\0'; }
  bool looking_at(std::string_view word) { return skip(), text_.compare(at_, word.size(), word) == 0; }
  bool accept(char c);
  void expect(char c);
  bool accept_word(std::string_view word);  // a whole word, not the start of a longer one

  std::string_view identifier();  // of a register, symbol or label
  std::string_view opcode();      // "ld.global.L1::no_allocate.v4.u32"
  std::string_view directive();   // ".align", without the dot
  std::string string();           // "..."
  bool at_number();
  Operand number();  // kInteger, kFloat32 or kFloat64
  int64_t integer();
  void skip_braces();  // {...} with everything in it
  void skip_to(char c);

  [[noreturn]] void fail(const std::string& what) const { throw PtxError(line_, what); }

 private:
  void skip();
  void step() { line_ += text_[at_++] == '\n'; }
  std::string_view while_in(bool (*is)(char));

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace gpusim
