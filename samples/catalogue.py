"""What the samples are: the builds, the reports, and what a person must see at the top of each stack.

Nothing here is taken from a real report. The products, people, addresses and machines are invented.
"""

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
    number of the frame at which ``place`` stands: 0, but for crashes that end inside the C library. ``inlined`` are
    the functions inlined at that frame, innermost first.
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

BUILDS = [WATERWOLF_RELEASE, WATERWOLF_BETA, WATERWOLF_NIGHTLY]

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

REPORTS = [
    Report(
        name="waterwolf-null-read",
        build=WATERWOLF_RELEASE,
        scenario=("null-read",),
        reason=SEGFAULT,
        place=Place(
            "ww::layout::LayoutBox::ComputeAvailableWidth() const",
            "waterwolf/src/layout/layout_box.cpp",
            "const int outer = parent_->width_;",
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
                "rect.height * matrix.At(1, 1)};",
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
]
