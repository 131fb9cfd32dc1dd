"""What our own lists make of stacks as they occur on each platform."""

import pytest

from signatures.generator import SignatureGenerator
from tests.signatures.examples import stack

STACKS = {
    "a Rust panic on Linux": (
        "__pthread_kill_implementation | raise | abort | std::sys::pal::unix::abort_internal | rust_panic | "
        "std::panicking::rust_panic_with_hook | rust_begin_unwind | core::panicking::panic_fmt | "
        "core::option::unwrap_failed | core::option::Option<u8>::unwrap | atlas::tiles::load::h3f9a00c1d2e4b576 | main",
        "core::option::Option<T>::unwrap | atlas::tiles::load",
    ),
    "glibc finding a damaged heap": (
        "__pthread_kill_implementation | __GI_raise | abort | __libc_message | malloc_printerr | _int_free | "
        "__GI___libc_free | atlas::Tile::~Tile() | main",
        "abort | _int_free | atlas::Tile::~Tile",
    ),
    "Windows finding a damaged heap": (
        "RtlReportFatalFailure | RtlpHeapHandleError | RtlpLogHeapFailure | RtlFreeHeap | _free_base | "
        "atlas::Tile::Close(int)",
        "RtlFreeHeap | _free_base | atlas::Tile::Close",
    ),
    "a C++ exception that nobody caught": (
        "raise | abort | __gnu_cxx::__verbose_terminate_handler() | std::terminate() | __cxa_throw | "
        "std::__throw_out_of_range(char const*) | std::vector<int>::at(unsigned long) | atlas::Grid::Row(int)",
        "std::vector<T>::at | atlas::Grid::Row",
    ),
    "an Objective-C exception": (
        "__pthread_kill | pthread_kill | abort | _objc_terminate() | objc_exception_throw | "
        "+[NSException raise:format:] | -[__NSArrayM objectAtIndex:] | -[ACMView draw]",
        "objc_exception_throw | -[__NSArrayM objectAtIndex:] | -[ACMView draw]",
    ),
    "an Electron program out of memory": (
        "base::ImmediateCrash() | node::OnFatalError(char const*, char const*) | "
        "v8::internal::V8::FatalProcessOutOfMemory(v8::internal::Isolate*, char const*) | "
        "v8::internal::Heap::FatalProcessOutOfMemory(char const*) | v8::internal::Heap::CollectGarbage(int)",
        "v8::internal::Heap::CollectGarbage",
    ),
    "a signal caught by a handler": (
        "atlas_handler | __restore_rt | memcpy | atlas::Copy()",
        "memcpy | atlas::Copy",
    ),
    "a thread that waits on Windows": (
        "NtWaitForAlertByThreadId | RtlSleepConditionVariableSRW | SleepConditionVariableSRW | "
        "atlas::Queue<int>::Pop()",
        "atlas::Queue<T>::Pop",
    ),
    "a Go program": ("runtime.raise.abi0 | runtime.sigpanic | main.(*Server).Serve", "main.(*Server).Serve"),
}


@pytest.mark.parametrize("case", STACKS)
def test_signature_blames_the_program_and_not_its_platform(case):
    frames, signature = STACKS[case]
    assert SignatureGenerator().generate(stack(*frames.split(" | "))).signature == signature
