// Large blocks of memory in huge pages: most distributions give them only on request.
#pragma once

#include <cstddef>

namespace sk {

// Asks for huge pages where the memory is not yet there: a fault for each 2 MB instead of one for each 4 KB. Advice: nothing depends on it.
void advise_huge_pages(void* data, size_t bytes);

}  // namespace sk
