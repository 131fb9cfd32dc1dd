// Attributes that keep the call stacks of the sample crashes the same with every optimisation level.
#pragma once

// The function keeps a stack frame of its own.
#define WW_NEVER_INLINE __attribute__((noinline))
// The function is merged into its caller and appears as an inlined frame.
#define WW_ALWAYS_INLINE inline __attribute__((always_inline))
