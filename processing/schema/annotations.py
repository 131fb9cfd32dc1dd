"""One row for every key of the raw crash that we know: what reporters send, and what the collector adds.

A key without a row is kept, counts as protected, and is not copied into the processed crash. Every annotation is text
on the wire, whatever it means; reporters that send one JSON document may use JSON's own types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from processing.schema.field import Permission

PUBLIC = Permission.PUBLIC


@dataclass(frozen=True)
class Annotation:
    """One key of the raw crash: ``sent_by`` tells which clients normally send it."""

    name: str
    doc: str
    sent_by: str = "all Gecko products"
    permission: Permission = Permission.PROTECTED


_ROWS: tuple[Annotation, ...] = (
    Annotation(
        "metadata",
        "What the collector knows about the upload: its form and size, notes, checksums, client, throttle rule.",
        sent_by="collector",
    ),
    Annotation(
        "submitted_timestamp", "ISO time (UTC) of acceptance.", sent_by="collector", permission=PUBLIC
    ),
    Annotation("uuid", "Crash id; last six characters are YYMMDD.", sent_by="collector", permission=PUBLIC),
    Annotation("version", "Layout number of the raw crash; now 2.", sent_by="collector", permission=PUBLIC),
    Annotation("AbortMessage", "Text passed to the abort helper.", permission=PUBLIC),
    Annotation("Accessibility", "Active while assistive technology is in use.", permission=PUBLIC),
    Annotation("AccessibilityClient", "External assistive client.", sent_by="Windows", permission=PUBLIC),
    Annotation(
        "AccessibilityInProcClient",
        "Hex mask of in-process assistive clients.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation("AdapterDeviceID", "GPU device.", permission=PUBLIC),
    Annotation("AdapterDriverVersion", "GPU driver version.", permission=PUBLIC),
    Annotation("AdapterSubsysID", "GPU subsystem.", permission=PUBLIC),
    Annotation("AdapterVendorID", "GPU vendor.", permission=PUBLIC),
    Annotation(
        "Add-ons",
        "Comma list of URL-encoded id:version.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("additional_minidumps", "Suffixes of the extra dumps, e.g. browser."),
    Annotation("Android_Board", "Board name.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Brand", "Brand.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_CPU_ABI", "First ABI.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_CPU_ABI2", "Second ABI.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Device", "Device code.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Display", "Build text shown to the user.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Fingerprint", "Unique build text.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Hardware", "Hardware name.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Manufacturer", "Maker.", sent_by="Android apps", permission=PUBLIC),
    Annotation("Android_Model", "Model.", sent_by="Android apps", permission=PUBLIC),
    Annotation(
        "Android_PackageName",
        "Package id; the collector checks it per product.",
        sent_by="Android apps",
        permission=PUBLIC,
    ),
    Annotation(
        "Android_Version", "SDK level with codename in brackets.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation("AppInitDLLs", "Injected AppInit libraries.", sent_by="Windows", permission=PUBLIC),
    Annotation(
        "ApplicationBuildID",
        "Build number of the app (BuildID is then the engine's).",
        sent_by="Fenix, Focus",
        permission=PUBLIC,
    ),
    Annotation(
        "AsyncShutdownTimeout",
        "JSON text: phase and conditions that blocked shutdown, or plain text.",
        permission=PUBLIC,
    ),
    Annotation(
        "AvailablePageFile", "Commit space left in bytes.", sent_by="Windows, Linux", permission=PUBLIC
    ),
    Annotation(
        "AvailablePhysicalMemory", "Free RAM in bytes.", sent_by="Windows, macOS, Linux", permission=PUBLIC
    ),
    Annotation(
        "AvailableVirtualMemory", "Free virtual memory in bytes.", sent_by="Windows, Linux", permission=PUBLIC
    ),
    Annotation(
        "BackgroundTaskName",
        "Task name of background mode.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "Breadcrumbs", "JSON list (or object with values) of events before the crash.", sent_by="Android apps"
    ),
    Annotation(
        "BuildID", "Build timestamp YYYYMMDDHHMMSS; the engine's on mobile.", sent_by="all", permission=PUBLIC
    ),
    Annotation("Comments", "User's own words.", sent_by="all"),
    Annotation("CoMarshalInterfaceFailure", "COM marshalling failure.", sent_by="Windows", permission=PUBLIC),
    Annotation(
        "CoUnmarshalInterfaceResult", "COM unmarshalling result.", sent_by="Windows", permission=PUBLIC
    ),
    Annotation(
        "ContentSandboxCapabilities",
        "Capability mask of the content sandbox.",
        sent_by="Linux",
        permission=PUBLIC,
    ),
    Annotation("ContentSandboxCapable", "1 if sandboxing is possible.", permission=PUBLIC),
    Annotation("ContentSandboxEnabled", "1 if it is on.", permission=PUBLIC),
    Annotation("ContentSandboxLevel", "Level.", permission=PUBLIC),
    Annotation(
        "CPUArchitecture",
        "Architecture name; used when no dump tells it.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation(
        "CPUInfo", "Family/model/stepping.", sent_by="crash pings, clients without a dump", permission=PUBLIC
    ),
    Annotation(
        "CPUMicrocodeVersion",
        "Hex microcode revision; read by the stackwalker from the annotations file.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("CrashTime", "Epoch seconds of the crash.", sent_by="all", permission=PUBLIC),
    Annotation(
        "DistributionID", "Distributor id.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation("DOMFissionEnabled", "1 with site isolation.", permission=PUBLIC),
    Annotation("DOMIPCEnabled", "1 with content processes.", permission=PUBLIC),
    Annotation("DumperError", "Dump writer failure text."),
    Annotation(
        "EMCheckCompatibility",
        "True when add-on compatibility is checked.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "GleanClientId", "Client id of the crash ping; added during ping import.", sent_by="crash pings only"
    ),
    Annotation("GMPLibraryPath", "Media plugin path."),
    Annotation("GMPPlugin", "1 for media plugin processes.", permission=PUBLIC),
    Annotation("GraphicsCriticalError", "Graphics error log.", permission=PUBLIC),
    Annotation(
        "GraphicsStartupTest",
        "1 inside the driver guard.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("Hang", "Ui or shutdown.", permission=PUBLIC),
    Annotation(
        "HasDeviceTouchScreen",
        "1 with a touch screen.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "InstallTime",
        "Epoch seconds of installation.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("ipc_channel_error", "Channel error, e.g. ShutDownKill.", permission=PUBLIC),
    Annotation("IPCFatalErrorMsg", "Fatal IPC error.", permission=PUBLIC),
    Annotation("IPCFatalErrorProtocol", "Its protocol.", permission=PUBLIC),
    Annotation("IPCMessageName", "Oversized message.", permission=PUBLIC),
    Annotation("IPCMessageSize", "Its size.", permission=PUBLIC),
    Annotation("IPCShutdownState", "RecvShutdown or SendFinishShutdown.", permission=PUBLIC),
    Annotation("IPCSystemError", "Last system error.", permission=PUBLIC),
    Annotation("IsGarbageCollecting", "GC running.", permission=PUBLIC),
    Annotation(
        "JavaException", "JSON with the structured exception; values may be private.", sent_by="Android apps"
    ),
    Annotation("JavaStackTrace", "Plain Java trace; may be private.", sent_by="Android apps"),
    Annotation("JSLargeAllocationFailure", "State of the large-allocation handling.", permission=PUBLIC),
    Annotation(
        "LinuxLSBDescription",
        "Distribution text; used when no dump has it.",
        sent_by="Linux crash pings",
        permission=PUBLIC,
    ),
    Annotation("MacAvailableMemorySysctl", "Kernel memory level.", sent_by="macOS", permission=PUBLIC),
    Annotation("MacMemoryPressure", "Pressure state.", sent_by="macOS", permission=PUBLIC),
    Annotation(
        "MacMemoryPressureCriticalTime", "Epoch of last Critical.", sent_by="macOS", permission=PUBLIC
    ),
    Annotation("MacMemoryPressureNormalTime", "Epoch of last Normal.", sent_by="macOS", permission=PUBLIC),
    Annotation(
        "MacMemoryPressureSysctl", "4 critical, 2 warning, 1 normal.", sent_by="macOS", permission=PUBLIC
    ),
    Annotation("MacMemoryPressureWarningTime", "Epoch of last Warning.", sent_by="macOS", permission=PUBLIC),
    Annotation(
        "Marionette", "1 under WebDriver Classic.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation(
        "ModuleSignatureInfo",
        "JSON text {signer: [module, …]}; read by the stackwalker; sometimes arrives as an object.",
        sent_by="Windows",
    ),
    Annotation("MozCrashReason", "Assertion text; may be private."),
    Annotation("Notes", "Application notes.", permission=PUBLIC),
    Annotation("OOMAllocationSize", "Bytes of the failed allocation.", permission=PUBLIC),
    Annotation(
        "OS",
        "System name, same names as the stackwalker's.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation(
        "OSVersion", "System version.", sent_by="crash pings, clients without a dump", permission=PUBLIC
    ),
    Annotation("PHCAllocStack", "Decimal addresses of the allocation."),
    Annotation("PHCBaseAddress", "Decimal address."),
    Annotation("PHCFreeStack", "Decimal addresses of the free."),
    Annotation("PHCKind", "Kind of heap-checker hit; the collector always accepts these."),
    Annotation("PHCUsableSize", "Bytes."),
    Annotation("PluginFilename", "Plugin file (plugin processes).", permission=PUBLIC),
    Annotation("PluginName", "Plugin name.", permission=PUBLIC),
    Annotation("PluginVersion", "Plugin version.", permission=PUBLIC),
    Annotation(
        "ProcessType",
        "Content, gpu, plugin, rdd, socket, utility …; absent or main for the parent.",
        permission=PUBLIC,
    ),
    Annotation("ProductID", "Product UUID.", permission=PUBLIC),
    Annotation("ProductName", "Product name; required by the collector.", sent_by="all", permission=PUBLIC),
    Annotation("QuotaManagerShutdownTimeout", "Storage objects that blocked shutdown.", permission=PUBLIC),
    Annotation("ReleaseChannel", "Channel; may be null.", sent_by="all", permission=PUBLIC),
    Annotation(
        "RemoteAgent", "1 under WebDriver BiDi.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation("RemoteType", "Web, file, extension … possibly with an origin."),
    Annotation(
        "SafeMode", "1 in troubleshoot mode.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation(
        "SecondsSinceLastCrash", "Seconds.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation("ShutdownProgress", "Shutdown notification reached.", permission=PUBLIC),
    Annotation(
        "ShutdownReason",
        "Unknown, AppClose, AppRestart, OSForceClose, OSSessionEnd, OSShutdown, WinUnexpectedMozQuit.",
        permission=PUBLIC,
    ),
    Annotation("StartupCrash", "1 during start-up.", permission=PUBLIC),
    Annotation("StartupTime", "Epoch seconds of process start.", sent_by="all", permission=PUBLIC),
    Annotation(
        "SubmittedFrom",
        "Auto, Infobar, AboutCrashes, CrashedTab, Client.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "SubmittedFromInfobar",
        "Deprecated; 1/true meaning Infobar.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("SystemMemoryUsePercentage", "Percent of RAM used.", sent_by="Windows", permission=PUBLIC),
    Annotation("TelemetryEnvironment", "JSON text of the client environment.", permission=PUBLIC),
    Annotation("Throttleable", "0 = the collector must accept.", permission=PUBLIC),
    Annotation("TotalPageFile", "Commit limit in bytes.", sent_by="Windows, Linux", permission=PUBLIC),
    Annotation("TotalPhysicalMemory", "RAM in bytes.", sent_by="Windows, macOS, Linux", permission=PUBLIC),
    Annotation("TotalVirtualMemory", "Address space in bytes.", sent_by="Windows", permission=PUBLIC),
    Annotation("UptimeTS", "Seconds with fraction.", permission=PUBLIC),
    Annotation("URL", "Page address."),
    Annotation("useragent_locale", "Locale.", permission=PUBLIC),
    Annotation("UtilityActorsName", "Comma list of actors in a utility process.", permission=PUBLIC),
    Annotation("UtilityProcessSandboxingKind", "Sandbox kind number.", permission=PUBLIC),
    Annotation("Vendor", "Vendor.", sent_by="all", permission=PUBLIC),
    Annotation("Version", "Product version without beta or ESR suffix.", sent_by="all", permission=PUBLIC),
    Annotation("WindowsErrorReporting", "1 if caught through WER.", sent_by="Windows", permission=PUBLIC),
    Annotation(
        "Winsock_LSP",
        "Network service providers injected; kept raw only.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation("XPCOMSpinEventLoopStack", "Nested event-loop spins.", permission=PUBLIC),
)

#: Raw crash key to its row.
ANNOTATIONS: Mapping[str, Annotation] = {row.name: row for row in _ROWS}
