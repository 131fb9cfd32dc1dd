"""What the samples are: the builds, the reports, and what a person must see at the top of each stack.

Nothing here is taken from a real report. The products, people, addresses and machines are invented.
"""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Build:
    """One version of a product. ``build_id`` is YYYYMMDDHHMMSS."""

    product: str
    version: str
    build_id: str
    channel: str

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations that every report of this build carries."""
        return {
            **PRODUCT_ANNOTATIONS[self.product],
            "ProductName": self.product,
            "Version": self.version,
            "BuildID": self.build_id,
            "ReleaseChannel": self.channel,
        }


@dataclass(frozen=True)
class Place:
    """A place in the sources, named by the text of its line, so that it stays right when lines move."""

    function: str
    file: str
    text: str


@dataclass(frozen=True)
class Report:
    """One sample report.

    ``scenario`` holds the arguments of the crashing program; empty for a report without a dump. ``frame`` is the
    number of the frame at which ``place`` stands: 0, but for crashes that end inside a library. ``inlined`` are
    functions of our own that are inlined at that frame, innermost first; others may stand between them.
    """

    name: str
    build: Build
    annotations: dict[str, str]
    scenario: tuple[str, ...] = ()
    reason: str | None = None
    place: Place | None = None
    frame: int | None = 0
    crashing_thread: int | None = 0
    inlined: tuple[Place, ...] = ()
    extra_expected: dict[str, Any] = field(default_factory=dict)


PRODUCT_ANNOTATIONS = {
    "WaterWolf": {
        "Vendor": "Riverbank",
        "ProductID": "{6c1b3c5e-0f0d-4c41-9a53-7d2f0e8a91b4}",
    },
    "Larkspur": {
        "Vendor": "Meadow Systems",
        "ProductID": "{b0f4c2d8-51a7-4f0e-8a66-2f9d7c3e1a05}",
    },
}

WATERWOLF_RELEASE = Build("WaterWolf", "145.0.1", "20261027094512", "release")
WATERWOLF_BETA = Build("WaterWolf", "146.0", "20261109181530", "beta")
WATERWOLF_NIGHTLY = Build("WaterWolf", "147.0a1", "20261116213044", "nightly")

LARKSPUR_STABLE = Build("Larkspur", "2.8.1", "20261019120000", "stable")
LARKSPUR_CANDIDATE = Build("Larkspur", "2.9.0", "20261112070000", "candidate")

# The builds that are made and run; the others belong to reports without a dump.
BUILDS = [WATERWOLF_RELEASE, WATERWOLF_BETA, WATERWOLF_NIGHTLY, LARKSPUR_STABLE, LARKSPUR_CANDIDATE]
WATERWOLF_ANDROID = Build("WaterWolf", "145.0.2", "20261102160218", "release")
LARKSPUR_WINDOWS = Build("Larkspur", "2.8.0", "20260928120000", "stable")

SEGFAULT = "SIGSEGV / SEGV_MAPERR"
ABORTED = "SIGABRT / SI_TKILL"

DESKTOP = {
    "useragent_locale": "en-GB",
    "DOMFissionEnabled": "1",
    "DOMIPCEnabled": "1",
    "SafeMode": "0",
    "StartupCrash": "0",
    "Throttleable": "1",
    "SubmittedFrom": "Client",
    "DistributionID": "riverbank",
    "TotalPhysicalMemory": "16624287744",
    "AvailablePhysicalMemory": "7214915584",
    "AdapterVendorID": "0x8086",
    "AdapterDeviceID": "0x9a49",
    "AdapterDriverVersion": "24.2.8.0",
}

SERVER = {
    "useragent_locale": "en-US",
    "Throttleable": "1",
    "TotalPhysicalMemory": "67430223872",
    "AvailablePhysicalMemory": "20173553664",
    "ServerRole": "indexer",
}

JAVA_STACK_TRACE = """\
org.riverbank.waterwolf.storage.SessionLostException: no session for jo.sample@mail.example
\tat org.riverbank.waterwolf.storage.SessionStore.restore(SessionStore.java:118)
\tat org.riverbank.waterwolf.tabs.TabRestorer.restoreAll(TabRestorer.java:64)
\tat org.riverbank.waterwolf.BrowserActivity.onStart(BrowserActivity.java:203)
\tat android.app.Instrumentation.callActivityOnStart(Instrumentation.java:1582)
\tat android.app.Activity.performStart(Activity.java:8656)
\tat android.os.Looper.loop(Looper.java:317)
\tat android.app.ActivityThread.main(ActivityThread.java:8592)
Caused by: java.io.FileNotFoundException: /data/user/0/org.riverbank.waterwolf/files/session.json
\tat java.io.FileInputStream.<init>(FileInputStream.java:149)
\tat org.riverbank.waterwolf.storage.SessionStore.restore(SessionStore.java:112)
\t... 6 more
"""


def _java_frame(module: str, function: str, filename: str, lineno: int) -> dict[str, Any]:
    in_app = module.startswith("org.riverbank.")
    return {"module": module, "function": function, "filename": filename, "lineno": lineno, "in_app": in_app}


JAVA_EXCEPTION = {
    "exception": {
        "values": [
            {
                "stacktrace": {
                    "module": "org.riverbank.waterwolf.storage",
                    "type": "SessionLostException",
                    "value": "no session for jo.sample@mail.example",
                    "frames": [
                        _java_frame(
                            "org.riverbank.waterwolf.storage.SessionStore",
                            "restore",
                            "SessionStore.java",
                            118,
                        ),
                        _java_frame(
                            "org.riverbank.waterwolf.tabs.TabRestorer", "restoreAll", "TabRestorer.java", 64
                        ),
                        _java_frame(
                            "org.riverbank.waterwolf.BrowserActivity", "onStart", "BrowserActivity.java", 203
                        ),
                        _java_frame(
                            "android.app.Instrumentation", "callActivityOnStart", "Instrumentation.java", 1582
                        ),
                        _java_frame("android.app.Activity", "performStart", "Activity.java", 8656),
                        _java_frame("android.os.Looper", "loop", "Looper.java", 317),
                        _java_frame("android.app.ActivityThread", "main", "ActivityThread.java", 8592),
                    ],
                }
            },
            {
                "stacktrace": {
                    "module": "java.io",
                    "type": "FileNotFoundException",
                    "value": "/data/user/0/org.riverbank.waterwolf/files/session.json",
                    "frames": [
                        _java_frame("java.io.FileInputStream", "<init>", "FileInputStream.java", 149),
                        _java_frame(
                            "org.riverbank.waterwolf.storage.SessionStore",
                            "restore",
                            "SessionStore.java",
                            112,
                        ),
                    ],
                }
            },
        ]
    }
}

REPORTS = [
    Report(
        name="waterwolf-null-read",
        build=WATERWOLF_RELEASE,
        scenario=("null-read",),
        reason=SEGFAULT,
        place=Place(
            "ww::layout::LayoutBox::ComputeAvailableWidth() const",
            "waterwolf/src/layout/layout_box.cpp",
            "return parent_->width_ - 2 * padding_;",
        ),
        annotations={
            **DESKTOP,
            "InstallTime": "1761990112",
            "StartupTime": "1794821640",
            "CrashTime": "1794823015",
            "SecondsSinceLastCrash": "612044",
            "Add-ons": "tidy-tabs%40riverbank.example:3.2.1,default-theme%40riverbank.example:1.4",
            "URL": "https://recipes.example/soups/leek-and-potato?ref=newsletter",
            "Email": "jo.sample@mail.example",
            "Comments": "I was scrolling through a recipe when the whole window went away.",
        },
    ),
    Report(
        name="waterwolf-wild-write",
        build=WATERWOLF_BETA,
        scenario=("wild-write",),
        reason=SEGFAULT,
        place=Place(
            "ww::gfx::Surface::FillRow(unsigned long, unsigned int)",
            "waterwolf/src/gfx/surface.cpp",
            "first[column] = colour;",
        ),
        annotations={
            **DESKTOP,
            "useragent_locale": "de",
            "ProcessType": "gpu",
            "InstallTime": "1794398400",
            "StartupTime": "1794556800",
            "CrashTime": "1794556931",
            "AdapterVendorID": "0x1002",
            "AdapterDeviceID": "0x73df",
            "GraphicsCriticalError": "|[0][GFX1]: Device reset, surfaces are mapped again (t=130.9)",
            "Notes": "WR? WR+ GL Context? GL Context+",
        },
    ),
    Report(
        name="waterwolf-abort",
        build=WATERWOLF_NIGHTLY,
        scenario=("abort",),
        reason=ABORTED,
        place=Place(
            "ww::ReportAssertionAndAbort(char const*)", "waterwolf/src/base/assertions.cpp", "std::abort();"
        ),
        frame=3,
        annotations={
            **DESKTOP,
            "useragent_locale": "fr",
            "InstallTime": "1795003200",
            "StartupTime": "1795082400",
            "CrashTime": "1795090212",
            "SecondsSinceLastCrash": "90331",
            "IPCShutdownState": "RecvShutdown",
            "Comments": "Se ferme toute seule quand je quitte une visioconférence.",
            "URL": "https://meet.example/room/4711",
        },
    ),
    Report(
        name="waterwolf-uncaught-exception",
        build=WATERWOLF_RELEASE,
        scenario=("uncaught-exception",),
        reason=ABORTED,
        place=Place(
            "ww::storage::ProfileDatabase::SchemaVersion(std::__cxx11::basic_string<char, std::char_traits<char>, "
            "std::allocator<char> > const&) const",
            "waterwolf/src/storage/profile_database.cpp",
            'throw SchemaError("no such table: " + table);',
        ),
        frame=7,
        annotations={
            **DESKTOP,
            "StartupCrash": "1",
            "InstallTime": "1794650000",
            "StartupTime": "1794650410",
            "CrashTime": "1794650411",
            "SecondsSinceLastCrash": "14",
            "Notes": "profile was written by 146.0",
            "Email": "r.example@post.example",
        },
    ),
    Report(
        name="waterwolf-stack-overflow",
        build=WATERWOLF_NIGHTLY,
        scenario=("stack-overflow",),
        reason=SEGFAULT,
        place=Place(
            "ww::style::ResolveFontSize(ww::style::StyleNode const&, unsigned long)",
            "waterwolf/src/style/cascade.cpp",
            "volatile int trail[64] = {static_cast<int>(depth)};",
        ),
        annotations={
            **DESKTOP,
            "ProcessType": "content",
            "RemoteType": "web",
            "useragent_locale": "ja",
            "InstallTime": "1795003200",
            "StartupTime": "1795168800",
            "CrashTime": "1795168877",
            "URL": "https://styles.example/circular.html",
        },
    ),
    Report(
        name="waterwolf-division-by-zero",
        build=WATERWOLF_BETA,
        scenario=("division-by-zero",),
        reason="SIGFPE / FPE_INTDIV",
        place=Place(
            "ww::media::Resampler::OutputFrames(unsigned long) const",
            "waterwolf/src/media/resampler.cpp",
            "return input_frames * to_.sample_rate / from_.sample_rate;",
        ),
        annotations={
            **DESKTOP,
            "ProcessType": "utility",
            "UtilityActorsName": "audio-decoder",
            "UtilityProcessSandboxingKind": "0",
            "InstallTime": "1794398400",
            "StartupTime": "1794600000",
            "CrashTime": "1794604211",
        },
    ),
    Report(
        name="waterwolf-inlined-templates",
        build=WATERWOLF_RELEASE,
        scenario=("inlined-templates", "--content"),
        reason=SEGFAULT,
        place=Place(
            "ww::dom::DisplayList<double>::Accumulate<ww::dom::(anonymous namespace)::DirtyArea::Add("
            "ww::dom::DisplayList<double> const&)::{lambda(ww::dom::DisplayItem<double> const&)#1}>("
            "ww::dom::(anonymous namespace)::DirtyArea::Add(ww::dom::DisplayList<double> const&)::"
            "{lambda(ww::dom::DisplayItem<double> const&)#1}) const",
            "waterwolf/src/dom/display_list.h",
            "return std::accumulate(items_.begin(), items_.end(), Number{},",
        ),
        inlined=(
            Place(
                "ww::dom::ApplyTransform<double>(ww::dom::Matrix<double, (unsigned long)3> const&, "
                "ww::dom::Rect<double> const&)",
                "waterwolf/src/dom/display_list.h",
                "return {rect.x + matrix.At(0, 2), rect.y + matrix.At(1, 2), rect.width * matrix.At(0, 0),",
            ),
            Place(
                "operator()",
                "waterwolf/src/dom/paint_observer.cpp",
                "return ApplyTransform(*item.to_parent, item.bounds).Area();",
            ),
            Place(
                "operator()",
                "waterwolf/src/dom/display_list.h",
                "__attribute__((always_inline)) { return sum + measure(item); });",
            ),
            Place(
                "accumulate<__gnu_cxx::__normal_iterator<const ww::dom::DisplayItem<double>*, "
                "std::vector<ww::dom::DisplayItem<double>, std::allocator<ww::dom::DisplayItem<double> > > >, "
                "double, ww::dom::DisplayList<double>::Accumulate<ww::dom::(anonymous namespace)::DirtyArea::Add("
                "const ww::dom::DisplayList<double>&)::<lambda(const ww::dom::DisplayItem<double>&)> >("
                "ww::dom::(anonymous namespace)::DirtyArea::Add(const ww::dom::DisplayList<double>&)::"
                "<lambda(const ww::dom::DisplayItem<double>&)>) const::"
                "<lambda(double, const ww::dom::DisplayItem<double>&)> >",
                "libstdc++/bits/stl_numeric.h",
                "__init = __binary_op(_GLIBCXX_MOVE_IF_20(__init), *__first);",
            ),
        ),
        annotations={
            **DESKTOP,
            "ProcessType": "content",
            "RemoteType": "webIsolated=https://shop.example",
            "additional_minidumps": "browser",
            "InstallTime": "1793900000",
            "StartupTime": "1794912000",
            "CrashTime": "1794919544",
            "URL": "https://shop.example/basket?session=0f9a",
            "Comments": "Only this tab broke. It happens each time I open the basket.",
            "Email": "kim@post.example",
        },
    ),
    Report(
        name="waterwolf-second-thread",
        build=WATERWOLF_RELEASE,
        scenario=("second-thread",),
        reason=SEGFAULT,
        place=Place(
            "ww::style::(anonymous namespace)::StyleWorker::FontSizeOf(ww::style::StyleNode const*)",
            "waterwolf/src/style/style_worker.cpp",
            "WW_NEVER_INLINE static int FontSizeOf(const StyleNode* node) { return node->font_size; }",
        ),
        crashing_thread=3,
        annotations={
            **DESKTOP,
            "useragent_locale": "pt-BR",
            "InstallTime": "1793900000",
            "StartupTime": "1794700000",
            "CrashTime": "1794733333",
            "SecondsSinceLastCrash": "2301",
            "Accessibility": "Active",
        },
    ),
    Report(
        name="larkspur-panic",
        build=LARKSPUR_STABLE,
        scenario=("panic",),
        reason=ABORTED,
        place=Place(
            "larkspurd::index::Index::page",
            "larkspur/src/index.rs",
            "Some(postings) => (first..first + length).map(|position| postings.at(position)).collect(),",
        ),
        frame=14,
        inlined=(
            Place("larkspurd::index::Postings::at", "larkspur/src/index.rs", "self.documents[position]"),
            Place(
                "larkspurd::index::Index::page::{{closure}}",
                "larkspur/src/index.rs",
                "Some(postings) => (first..first + length).map(|position| postings.at(position)).collect(),",
            ),
        ),
        annotations={
            **SERVER,
            "InstallTime": "1792600000",
            "StartupTime": "1794300000",
            "CrashTime": "1794571205",
            "ServerRole": "query",
            "URL": "http://logs.example/search?q=error&page=2",
        },
    ),
    Report(
        name="larkspur-panic-second-thread",
        build=LARKSPUR_CANDIDATE,
        scenario=("panic-second-thread",),
        reason=ABORTED,
        place=Place(
            "larkspurd::ingest::ingest_line",
            "larkspur/src/ingest.rs",
            'let parsed = parse(line).expect("every line has a level");',
        ),
        frame=14,
        crashing_thread=1,
        annotations={
            **SERVER,
            "InstallTime": "1794700000",
            "StartupTime": "1794990000",
            "CrashTime": "1794990042",
            "SecondsSinceLastCrash": "88",
            "Comments": "Reproducible with the attached log of ticket 2210. Ask Alex.",
        },
    ),
    Report(
        name="larkspur-null-read",
        build=LARKSPUR_CANDIDATE,
        scenario=("null-read",),
        reason=SEGFAULT,
        place=Place(
            "larkspurd::segment::Segment::document_count",
            "larkspur/src/segment.rs",
            "unsafe { (*self.header).document_count }",
        ),
        annotations={
            **SERVER,
            "InstallTime": "1794700000",
            "StartupTime": "1794800000",
            "CrashTime": "1795101010",
            "Email": "operations@meadow.example",
        },
    ),
    Report(
        name="larkspur-out-of-memory",
        build=LARKSPUR_STABLE,
        scenario=("out-of-memory",),
        reason=ABORTED,
        place=Place("larkspurd::ingest::read_batch", "larkspur/src/ingest.rs", "Vec::with_capacity(bytes)"),
        frame=11,
        annotations={
            **SERVER,
            "InstallTime": "1792600000",
            "StartupTime": "1793800000",
            "CrashTime": "1794412345",
            "AvailablePhysicalMemory": "191660032",
        },
    ),
    Report(
        name="waterwolf-android-java",
        build=WATERWOLF_ANDROID,
        frame=None,
        crashing_thread=None,
        extra_expected={
            "function": "org.riverbank.waterwolf.storage.SessionStore.restore",
            "file": "SessionStore.java",
            "line": 118,
            "exception": "org.riverbank.waterwolf.storage.SessionLostException",
        },
        annotations={
            "ApplicationBuildID": "2016145002",
            "Android_PackageName": "org.riverbank.waterwolf",
            "Android_Board": "barbet",
            "Android_Brand": "Riverphone",
            "Android_CPU_ABI": "arm64-v8a",
            "Android_CPU_ABI2": "armeabi-v7a",
            "Android_Device": "barbet",
            "Android_Display": "RP5.261005.002",
            "Android_Fingerprint": "riverphone/barbet/barbet:15/RP5.261005.002/12001:user/release-keys",
            "Android_Hardware": "barbet",
            "Android_Manufacturer": "Riverphone",
            "Android_Model": "Five",
            "Android_Version": "35 (REL)",
            "useragent_locale": "en-US",
            "StartupTime": "1794870000",
            "CrashTime": "1794870003",
            "StartupCrash": "1",
            "JavaStackTrace": JAVA_STACK_TRACE,
            "JavaException": json.dumps(JAVA_EXCEPTION),
        },
    ),
    Report(
        name="larkspur-no-dump",
        build=LARKSPUR_WINDOWS,
        frame=None,
        crashing_thread=None,
        annotations={
            **SERVER,
            "OS": "Windows NT",
            "OSVersion": "10.0.26100",
            "CPUArchitecture": "amd64",
            "CPUInfo": "family 25 model 33 stepping 2",
            "InstallTime": "1790800000",
            "StartupTime": "1794100000",
            "CrashTime": "1794133700",
            "DumperError": "MiniDumpWriteDump failed: not enough storage is available",
            "Comments": "The disk of the server was full that night.",
        },
    ),
]
