"""Build small, odd and hostile minidumps, byte by byte.

The layouts are spelled out here and borrowed from no parser, so that a wrong layout shows as a failing test. Source:
``minidumpapiset.h`` of the Windows SDK and Breakpad's ``minidump_format.h``. All numbers are little-endian.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

STREAM_THREAD_LIST = 3
STREAM_MODULE_LIST = 4
STREAM_EXCEPTION = 6
STREAM_SYSTEM_INFO = 7

CPU_AMD64 = 9
OS_LINUX = 0x8201
SIGSEGV = 11

_VERSION = 0xA793
_HEADER_BYTES = 32
_DIRECTORY_ENTRY_BYTES = 12
_AMD64_CONTEXT_BYTES = 1232
_AMD64_CONTEXT_FULL = 0x10000B
_RSP_OFFSET, _RBP_OFFSET, _RIP_OFFSET = 152, 160, 248


@dataclass(frozen=True)
class Module:
    """A loaded module; ``guid`` names its build."""

    name: str
    base: int
    size: int
    guid: str = "12345678-9abc-def0-1234-56789abcdef0"

    @property
    def debug_id(self) -> str:
        """The debug id as symbol files carry it: GUID in upper case, age 1."""
        return f"{self.guid.replace('-', '').upper()}1"


@dataclass(frozen=True)
class Thread:
    """A thread, stopped at ``rip``; its stack memory starts at ``stack_base``, where ``rsp`` points."""

    thread_id: int
    rip: int
    stack_base: int
    stack: bytes = b""
    rbp: int = 0


@dataclass
class Minidump:
    """What goes into the dump.

    Threads that share one stack object share its bytes in the file too. ``padding`` is how many bytes follow at the
    end of the file; ``claimed_modules`` a lie about how many modules there are.
    """

    threads: Sequence[Thread] = ()
    modules: Sequence[Module] = ()
    crashing_thread_id: int | None = None
    crash_address: int = 0
    padding: int = 0
    claimed_modules: int | None = None

    def build(self) -> bytes:
        """Give the bytes of the file."""
        return _Builder(self).build()


def recursing_stack(return_address: int, stack_base: int, frames: int) -> bytes:
    """Give a stack on which every function saved the frame pointer: ``frames`` calls of the same function."""
    pairs = (struct.pack("<QQ", stack_base + 16 * (index + 1), return_address) for index in range(frames))
    return b"".join(pairs) + bytes(16)


def simple_dump(module: Module | None = None, frames: int = 3) -> Minidump:
    """Give a Linux dump with one thread that crashed some calls deep in one module."""
    module = module or Module("/opt/app/crashy", base=0x400000, size=0x10000)
    base = 0x7FFF00000000
    stack = recursing_stack(module.base + 0x1100, base, frames - 1)
    thread = Thread(7, rip=module.base + 0x1000, stack_base=base, stack=stack, rbp=base)
    return Minidump([thread], [module], crashing_thread_id=7)


def dump_that_wants_gigabytes(threads: int = 400, frames: int = 250_000) -> Minidump:
    """Give a dump of a few megabytes that needs tens of gigabytes when all its stacks are walked.

    Its threads point at the same bytes of the file, each as if they were a stack of its own.
    """
    module = Module("/opt/app/crashy", base=0x400000, size=0x10000)
    base = 0x7FFF00000000
    stack = recursing_stack(module.base + 0x1100, base, frames)
    many = [
        Thread(index, rip=module.base + 0x1000, stack_base=base, stack=stack, rbp=base)
        for index in range(threads)
    ]
    return Minidump(many, [module], crashing_thread_id=0)


class _Builder:
    """Places parts behind one another and remembers where they are."""

    def __init__(self, dump: Minidump) -> None:
        self._dump = dump
        self._parts: list[bytes] = []
        self._streams: list[tuple[int, bytes]] = []
        self._stacks: dict[int, int] = {}
        self._count = 3 + (dump.crashing_thread_id is not None)
        self._end = _HEADER_BYTES + self._count * _DIRECTORY_ENTRY_BYTES

    def build(self) -> bytes:
        directory = b"".join(
            struct.pack("<III", kind, len(content), self._place(content))
            for kind, content in self._all_streams()
        )
        header = struct.pack("<4sIIIIIQ", b"MDMP", _VERSION, self._count, _HEADER_BYTES, 0, 1_700_000_000, 0)
        return header + directory + b"".join(self._parts) + bytes(self._dump.padding)

    def _all_streams(self) -> list[tuple[int, bytes]]:
        streams = [
            (STREAM_SYSTEM_INFO, self._system_info()),
            (STREAM_THREAD_LIST, self._thread_list()),
            (STREAM_MODULE_LIST, self._module_list()),
        ]
        if self._dump.crashing_thread_id is not None:
            streams.append((STREAM_EXCEPTION, self._exception(self._dump.crashing_thread_id)))
        return streams

    def _place(self, content: bytes) -> int:
        """Put content at the end of the file, aligned to 8 bytes; give its offset."""
        offset = self._end
        self._parts.append(content + bytes(-len(content) % 8))
        self._end += len(self._parts[-1])
        return offset

    def _system_info(self) -> bytes:
        cpu = struct.pack("<HHHBB", CPU_AMD64, 6, 0x3A09, 4, 0)
        system = struct.pack("<IIIII", 5, 15, 0, OS_LINUX, self._string("Linux 5.15.0"))
        return cpu + system + struct.pack("<HH", 0, 0) + bytes(24)

    def _thread_list(self) -> bytes:
        return struct.pack("<I", len(self._dump.threads)) + b"".join(map(self._thread, self._dump.threads))

    def _thread(self, thread: Thread) -> bytes:
        stack = self._stacks.get(id(thread.stack))
        if stack is None:
            stack = self._stacks[id(thread.stack)] = self._place(thread.stack)
        context = self._place(_amd64_context(thread))
        return struct.pack(
            "<IIIIQQIIII",
            thread.thread_id,
            0,
            0,
            0,
            0,
            thread.stack_base,
            len(thread.stack),
            stack,
            _AMD64_CONTEXT_BYTES,
            context,
        )

    def _module_list(self) -> bytes:
        count = len(self._dump.modules) if self._dump.claimed_modules is None else self._dump.claimed_modules
        return struct.pack("<I", count) + b"".join(map(self._module, self._dump.modules))

    def _module(self, module: Module) -> bytes:
        codeview = (
            b"RSDS" + uuid.UUID(module.guid).bytes_le + struct.pack("<I", 1) + module.name.encode() + b"\0"
        )
        head = struct.pack("<QIIII", module.base, module.size, 0, 0x5F000000, self._string(module.name))
        version = bytes(52)
        return head + version + struct.pack("<II", len(codeview), self._place(codeview)) + bytes(8 + 16)

    def _exception(self, thread_id: int) -> bytes:
        thread = next(thread for thread in self._dump.threads if thread.thread_id == thread_id)
        record = struct.pack("<IIQQII", SIGSEGV, 1, 0, self._dump.crash_address, 0, 0) + bytes(15 * 8)
        context = self._place(_amd64_context(thread))
        return struct.pack("<II", thread_id, 0) + record + struct.pack("<II", _AMD64_CONTEXT_BYTES, context)

    def _string(self, text: str) -> int:
        content = text.encode("utf-16-le", "surrogatepass")
        return self._place(struct.pack("<I", len(content)) + content + b"\0\0")


def _amd64_context(thread: Thread) -> bytes:
    context = bytearray(_AMD64_CONTEXT_BYTES)
    struct.pack_into("<I", context, 48, _AMD64_CONTEXT_FULL)
    struct.pack_into("<Q", context, _RSP_OFFSET, thread.stack_base)
    struct.pack_into("<Q", context, _RBP_OFFSET, thread.rbp)
    struct.pack_into("<Q", context, _RIP_OFFSET, thread.rip)
    return bytes(context)
