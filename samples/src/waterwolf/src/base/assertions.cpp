#include "base/assertions.h"

#include <cstdlib>

#include "base/attributes.h"
#include "crashreporter.h"

namespace ww {

WW_NEVER_INLINE void ReportAssertionAndAbort(const char* reason) {
  crashreporter_annotate("MozCrashReason", reason);
  std::abort();
}

}  // namespace ww
