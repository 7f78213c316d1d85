// What becomes of a sum. kGelu is exact (erf), kGeluTanh its approximation by tanh.
#pragma once

namespace sk {

enum class Activation : int { kNone, kRelu, kGelu, kGeluTanh, kSilu };

}  // namespace sk
