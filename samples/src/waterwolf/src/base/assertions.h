// Assertions that stay in release builds.
#pragma once

namespace ww {

// Put the reason into the crash report and abort the process.
[[noreturn]] void ReportAssertionAndAbort(const char* reason);

}  // namespace ww

#define WW_RELEASE_ASSERT(condition, explanation)                                          \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      ::ww::ReportAssertionAndAbort("WW_RELEASE_ASSERT(" #condition ") (" explanation ")"); \
    }                                                                                      \
  } while (false)
