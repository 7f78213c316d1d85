// The words of an opcode, "mad.hi.sat.s32". Every word must be asked for: one that is left over is an unknown modifier.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include "../ptx/module.h"

namespace gpusim {

class Words {
 public:
  explicit Words(const Instruction& source) : parts_(source.parts) {}

  std::string_view base() const { return parts_[0]; }
  bool has(std::string_view word);
  // Index of the one that is there, or -1.
  int one_of(std::initializer_list<std::string_view> words);
  // The types in the order in which they are written; kNone past the last.
  Type type(int number = 0);
  bool starts(std::string_view prefix);  // a word that starts so, like L2::128B
  std::string_view left_over() const;    // the first word that nobody asked for; empty if there is none

 private:
  const std::vector<std::string_view>& parts_;
  uint64_t used_ = 1;
};

inline bool Words::has(std::string_view word) {
  for (size_t i = 1; i < parts_.size(); ++i)
    if (parts_[i] == word) return used_ |= uint64_t{1} << (i & 63), true;
  return false;
}

inline int Words::one_of(std::initializer_list<std::string_view> words) {
  int index = 0;
  for (std::string_view word : words) {
    if (has(word)) return index;
    ++index;
  }
  return -1;
}

inline Type Words::type(int number) {
  for (size_t i = 1; i < parts_.size(); ++i) {
    const Type type = type_named(parts_[i]);
    if (type != Type::kNone && number-- == 0) return used_ |= uint64_t{1} << (i & 63), type;
  }
  return Type::kNone;
}

inline bool Words::starts(std::string_view prefix) {
  bool found = false;
  for (size_t i = 1; i < parts_.size(); ++i)
    if (parts_[i].substr(0, prefix.size()) == prefix) used_ |= uint64_t{1} << (i & 63), found = true;
  return found;
}

inline std::string_view Words::left_over() const {
  for (size_t i = 1; i < parts_.size() && i < 64; ++i)
    if (!(used_ >> i & 1)) return parts_[i];
  return {};
}

}  // namespace gpusim
