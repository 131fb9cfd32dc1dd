"""Time signature generation: crashes per second, and next to it the field's reference on the same inputs.

    python benchmarks/signatures.py
    python benchmarks/signatures.py --peer ENV/bin/python     ENV is any environment with PyPI's siggen 2.2

Two kinds of input: mixed crashes (short and long native stacks, Java, empty ones, every signature rule) and full
stacks of 40 frames. Three states of memory: *warm* (the same crashes again), *first pass* (nothing remembered yet; the
crashes share functions as real ones do) and *never seen* (nothing remembered, and no function occurs twice).

Each side runs in one process of its own; they take turns, and the best round of each counts.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 40
CRASHES = 1500
ROUNDS = 5

SCOPES = (
    "atlas",
    "mozilla::dom",
    "blink",
    "std",
    "base::internal",
    "gfx::(anonymous namespace)",
    "js::jit",
    "Ui",
)
CLASSES = (
    "Router",
    "TileStore",
    "Grid<float, 3>",
    "Queue<std::pair<int, atlas::Vec<3> > >",
    "Decoder",
    "View",
)
VERBS = (
    "Route",
    "Decode",
    "Paint",
    "Flush",
    "operator()",
    "operator==",
    "~View",
    "Load<unsigned int>",
    "Visit",
)
PARAMETERS = (
    "()",
    "(int)",
    "(unsigned int, atlas::Path const&)",
    "(std::function<void (int, char)> const&, std::map<int, std::vector<char> >*) const",
    "(struct atlas::Tile *,unsigned __int64)",
)
PREFIXES = ("", "", "", "void ", "static bool ", "virtual void __cdecl ")
RUST_FILE = "git:github.com/acme/atlas:src/tiles/mod.rs:77d0c1"
CPP_FILE = "hg:hg.example.org/atlas:gfx/Tile.cpp:9f31c0a1b2"
RUNTIME = (
    {"function": "memcpy", "module": "libc.so.6"},
    {"function": "core::panicking::panic_fmt::h0011223344556677", "file": RUST_FILE, "line": 5},
    {"module": "nvwgf2umx.dll", "offset": "0x7ffb12344a10"},
    {"offset": "0x00007f001234abcd"},
    {"function": "RtlUserThreadStart", "module": "ntdll.dll"},
    {"function": "je_free", "module": "firefox"},
)


def make_functions(dice: random.Random) -> Iterator[dict[str, Any]]:
    """Make frames with functions, no function twice, in the proportions of a browser's stacks."""
    number = 0
    while True:
        number += 1
        name = f"{dice.choice(SCOPES)}::{dice.choice(CLASSES)}::Part{number}::{dice.choice(VERBS)}"
        if dice.random() < 0.25:
            function = f"atlas::tiles{number}::Tiles<R>::{dice.choice(('next', 'load'))}::h{dice.getrandbits(64):016x}"
            file = RUST_FILE
        else:
            function = dice.choice(PREFIXES) + name + dice.choice(PARAMETERS)
            file = CPP_FILE
        yield {
            "frame": 0,
            "function": function,
            "file": file,
            "line": dice.randrange(1, 5000),
            "module": "xul.dll",
            "module_offset": "0x0000000001234567",
            "offset": f"0x{dice.getrandbits(40):016x}",
            "trust": "cfi",
        }


def make_stack(dice: random.Random, function: Callable[[], dict[str, Any]], length: int) -> dict[str, Any]:
    """Make one thread; a fifth of its frames belong to runtimes and drivers, on top as in life."""
    runtime = [dict(dice.choice(RUNTIME)) for _ in range(length // 5)]
    return {"frames": runtime + [function() for _ in range(length - len(runtime))]}


def full_stacks(dice: random.Random, function: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """Make crashes with one thread of 40 frames."""
    return [
        {"os": "Windows NT", "crashing_thread": 0, "threads": [make_stack(dice, function, FRAMES)]}
        for _ in range(CRASHES)
    ]


def mixed_crashes(dice: random.Random, function: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """Make crashes of all kinds, so that every signature rule fires now and then."""
    extras: tuple[dict[str, Any], ...] = (
        {},
        {},
        {},
        {"oom_allocation_size": 500000},
        {"oom_allocation_size": 12},
        {"abort_message": "[GPU 77] ###!!! ABORT: Device lost twice: file /b/gpu/dev.cpp:410"},
        {"async_shutdown_timeout": '{"phase":"quit","conditions":[{"name":"b"},{"name":"a"}]}'},
        {"ipc_channel_error": "ShutDownKill"},
        {"ipc_message_name": "PTiles::Msg_Load"},
        {"reason": "EXCEPTION_STACK_OVERFLOW"},
        {"hang": "ui"},
        {"java_stack_trace": "org.acme.DbError: locked\n\tat org.acme.db.Store.open(Store.java:88)"},
        {"threads": [], "mdsw_status_string": "EmptyMinidump"},
    )
    return [
        {
            "os": dice.choice(("Windows NT", "Linux", "Mac OS X", "Android")),
            "crashing_thread": 0,
            "threads": [make_stack(dice, function, dice.choice((1, 3, 5, 10, 20)))],
            **dice.choice(extras),
        }
        for _ in range(CRASHES)
    ]


def make_inputs() -> dict[str, list[dict[str, Any]]]:
    """Make all inputs; the same on each side, because the dice are loaded."""
    dice = random.Random(20260801)
    functions = make_functions(dice)
    pool = [next(functions) for _ in range(6000)]
    weights = [1 / rank for rank in range(1, len(pool) + 1)]

    def common() -> dict[str, Any]:
        return dice.choices(pool, weights)[0]

    return {
        "mixed": mixed_crashes(dice, common),
        "full stacks": full_stacks(dice, common),
        "mixed, never seen": mixed_crashes(dice, lambda: next(functions)),
        "full stacks, never seen": full_stacks(dice, lambda: next(functions)),
    }


def build_generate(side: str) -> Callable[[dict[str, Any]], Any]:
    """Build a fresh generator of one side and give its function."""
    if side == "siggen":
        from siggen.generator import SignatureGenerator as Peer

        return Peer().generate  # type: ignore[no-any-return]
    from signatures.generator import SignatureGenerator

    return SignatureGenerator(profile=side).generate  # type: ignore[arg-type]


def work(side: str) -> None:
    """Answer each line on standard input, ``["name of the inputs", is_warm]``, with the seconds it took."""
    inputs = make_inputs()
    kept = {name: build_generate(side) for name in inputs}
    for line in sys.stdin:
        name, is_warm = json.loads(line)
        generate = kept[name] if is_warm else build_generate(side)
        started = time.perf_counter()
        for crash in inputs[name]:
            generate(crash)
        print(time.perf_counter() - started, flush=True)


class Side:
    """One side of the comparison in a process of its own."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        # -I keeps this folder, in which a script is named like the package, off the import path.
        command = [
            python,
            "-I",
            "-c",
            f"import sys; sys.path.append({str(ROOT)!r}); import runpy; "
            f"sys.argv = ['', '--work', {name!r}]; runpy.run_path({__file__!r}, run_name='__main__')",
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, inputs: str, is_warm: bool) -> float:
        """Let this side work through the inputs once."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([inputs, is_warm]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare(sides: list[Side]) -> None:
    """Let the sides take turns and print crashes per second."""
    measured = (
        ("mixed, warm", "mixed", True),
        ("mixed, first pass", "mixed", False),
        ("mixed, never seen", "mixed, never seen", False),
        ("full stacks, warm", "full stacks", True),
        ("full stacks, first pass", "full stacks", False),
        ("full stacks, never seen", "full stacks, never seen", False),
    )
    print("crashes per second".ljust(26), *(side.name.rjust(11) for side in sides))
    for title, inputs, is_warm in measured:
        if is_warm:
            for side in sides:
                side.seconds(inputs, is_warm)
        rounds = [[side.seconds(inputs, is_warm) for side in sides] for _ in range(ROUNDS)]
        rates = [CRASHES / min(times) for times in zip(*rounds, strict=True)]
        factors = "" if len(sides) < 3 else "".join(f"  x{rate / rates[-1]:.1f}" for rate in rates[:-1])
        print(title.ljust(26), *(f"{rate:11,.0f}" for rate in rates), factors)


def main() -> None:
    """Time both profiles, and the peer when an environment with it is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has siggen installed")
    parser.add_argument("--work", choices=("default", "reference", "siggen"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    sides = [Side("default", sys.executable), Side("reference", sys.executable)]
    if options.peer:
        sides.append(Side("siggen", options.peer))
    compare(sides)
    for side in sides:
        side.close()


if __name__ == "__main__":
    main()
