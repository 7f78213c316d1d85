// Status: how every function below the Node boundary reports failure. Nothing in core or the verbs throws, prints or aborts.
#pragma once

#include <string>
#include <utility>

namespace sk {

// The stable codes that JavaScript sees as error.code.
enum class Code {
  kOk,
  kValue,
  kShape,
  kSparsity,
  kPattern,
  kIsa,
  kMemory,
  kAborted,
  kDisposed,
  kNan,
  kCoordinates,
  kLists,
  kCapacity,
  kDevice,
  kCuda
};

const char* code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

}  // namespace sk
