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
        "submitted_timestamp",
        "When the collector accepted the report: ISO 8601 in UTC.",
        sent_by="collector",
        permission=PUBLIC,
    ),
    Annotation("uuid", "The crash id.", sent_by="collector", permission=PUBLIC),
    Annotation("version", "Version of the raw crash's layout: 2.", sent_by="collector", permission=PUBLIC),
    Annotation("AbortMessage", "Text that the program gave when it aborted itself.", permission=PUBLIC),
    Annotation("Accessibility", "The word Active while assistive technology is in use.", permission=PUBLIC),
    Annotation(
        "AccessibilityClient",
        "Assistive program outside of the process.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "AccessibilityInProcClient",
        "Hex mask of the assistive programs inside the process.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation("AdapterDeviceID", "Graphics device.", permission=PUBLIC),
    Annotation("AdapterDriverVersion", "Version of the graphics driver.", permission=PUBLIC),
    Annotation("AdapterSubsysID", "Subsystem of the graphics device.", permission=PUBLIC),
    Annotation("AdapterVendorID", "Maker of the graphics device.", permission=PUBLIC),
    Annotation(
        "Add-ons",
        "The active add-ons: URL-encoded id:version, separated by commas.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("additional_minidumps", "Names of the further dumps without their prefix, such as browser."),
    Annotation("Android_Board", "Name of the device's board.", sent_by="Android apps", permission=PUBLIC),
    Annotation(
        "Android_Brand", "Brand under which the device is sold.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation(
        "Android_CPU_ABI", "First binary interface of the device.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation(
        "Android_CPU_ABI2",
        "Second binary interface of the device.",
        sent_by="Android apps",
        permission=PUBLIC,
    ),
    Annotation("Android_Device", "Code name of the device.", sent_by="Android apps", permission=PUBLIC),
    Annotation(
        "Android_Display", "Build of Android as users see it.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation(
        "Android_Fingerprint",
        "Text that is unique for a build of Android.",
        sent_by="Android apps",
        permission=PUBLIC,
    ),
    Annotation(
        "Android_Hardware", "Name of the hardware from the kernel.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation("Android_Manufacturer", "Maker of the device.", sent_by="Android apps", permission=PUBLIC),
    Annotation(
        "Android_Model", "Model of the device as users see it.", sent_by="Android apps", permission=PUBLIC
    ),
    Annotation(
        "Android_PackageName",
        "Package name of the application.",
        sent_by="Android apps",
        permission=PUBLIC,
    ),
    Annotation(
        "Android_Version",
        "API level with its code name in brackets.",
        sent_by="Android apps",
        permission=PUBLIC,
    ),
    Annotation(
        "AppInitDLLs",
        "Libraries that Windows loads into every program.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "ApplicationBuildID",
        "Build number of the app; BuildID is that of the engine then.",
        sent_by="Fenix, Focus",
        permission=PUBLIC,
    ),
    Annotation(
        "AsyncShutdownTimeout",
        "What blocked the shutdown: JSON, or plain text.",
        permission=PUBLIC,
    ),
    Annotation(
        "AvailablePageFile",
        "Bytes of memory that can still be committed.",
        sent_by="Windows, Linux",
        permission=PUBLIC,
    ),
    Annotation(
        "AvailablePhysicalMemory", "Bytes of free RAM.", sent_by="Windows, macOS, Linux", permission=PUBLIC
    ),
    Annotation(
        "AvailableVirtualMemory", "Bytes of free address space.", sent_by="Windows, Linux", permission=PUBLIC
    ),
    Annotation(
        "BackgroundTaskName",
        "Name of the background task that is running.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "Breadcrumbs",
        "Events before the crash: JSON, a list or an object that holds one.",
        sent_by="Android apps",
    ),
    Annotation(
        "BuildID",
        "Date and time of the build, YYYYMMDDHHMMSS; that of the engine on mobile.",
        sent_by="all",
        permission=PUBLIC,
    ),
    Annotation("Comments", "What the user wrote about the crash.", sent_by="all"),
    Annotation(
        "CoMarshalInterfaceFailure",
        "What failed when a COM interface was marshalled.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "CoUnmarshalInterfaceResult",
        "Result of unmarshalling a COM interface.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "ContentSandboxCapabilities",
        "Mask of what the sandbox of content processes can do.",
        sent_by="Linux",
        permission=PUBLIC,
    ),
    Annotation("ContentSandboxCapable", "1 when content processes can be sandboxed.", permission=PUBLIC),
    Annotation("ContentSandboxEnabled", "1 when content processes are sandboxed.", permission=PUBLIC),
    Annotation("ContentSandboxLevel", "How strict the sandbox of content processes is.", permission=PUBLIC),
    Annotation(
        "CPUArchitecture",
        "Processor architecture; used when no dump tells it.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation(
        "CPUInfo",
        "Family, model and stepping of the processor; used when no dump tells it.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation(
        "CPUMicrocodeVersion",
        "Revision of the processor's microcode, in hex.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "CrashTime",
        "When the crash happened by the client's clock, in epoch seconds.",
        sent_by="all",
        permission=PUBLIC,
    ),
    Annotation(
        "DistributionID",
        "Who distributed the build.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "DOMFissionEnabled", "1 when sites are isolated in processes of their own.", permission=PUBLIC
    ),
    Annotation("DOMIPCEnabled", "1 when tabs run in content processes.", permission=PUBLIC),
    Annotation("DumperError", "Why the dump could not be written well."),
    Annotation(
        "EMCheckCompatibility",
        "The word true when the compatibility of add-ons is checked.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("GleanClientId", "Telemetry id of the client.", sent_by="crash pings only"),
    Annotation("GMPLibraryPath", "Path of the media plugin's library."),
    Annotation("GMPPlugin", "1 in media plugin processes.", permission=PUBLIC),
    Annotation("GraphicsCriticalError", "Log of graphics errors.", permission=PUBLIC),
    Annotation(
        "GraphicsStartupTest",
        "1 while the graphics driver is tried out.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("Hang", "Kind of hang: ui or shutdown.", permission=PUBLIC),
    Annotation(
        "HasDeviceTouchScreen",
        "1 when the device has a touch screen.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "InstallTime",
        "When the product was installed, in epoch seconds.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "ipc_channel_error",
        "Failure of the channel between two processes, such as ShutDownKill.",
        permission=PUBLIC,
    ),
    Annotation("IPCFatalErrorMsg", "Text of a fatal error between two processes.", permission=PUBLIC),
    Annotation(
        "IPCFatalErrorProtocol",
        "Protocol in which the fatal error between two processes happened.",
        permission=PUBLIC,
    ),
    Annotation(
        "IPCMessageName", "Name of the message between two processes that was too large.", permission=PUBLIC
    ),
    Annotation(
        "IPCMessageSize", "Bytes of the message between two processes that was too large.", permission=PUBLIC
    ),
    Annotation(
        "IPCShutdownState",
        "How far the shutdown of the content process had come: RecvShutdown or SendFinishShutdown.",
        permission=PUBLIC,
    ),
    Annotation(
        "IPCSystemError", "Last system error number in the channel between two processes.", permission=PUBLIC
    ),
    Annotation("IsGarbageCollecting", "1 while garbage is collected.", permission=PUBLIC),
    Annotation(
        "JavaException",
        "The Java exception and its causes as JSON; messages may be private.",
        sent_by="Android apps",
    ),
    Annotation("JavaStackTrace", "The Java stack trace; messages may be private.", sent_by="Android apps"),
    Annotation("JSLargeAllocationFailure", "State of a large allocation that failed.", permission=PUBLIC),
    Annotation(
        "LinuxLSBDescription",
        "Name of the Linux distribution; used when no dump tells it.",
        sent_by="Linux crash pings",
        permission=PUBLIC,
    ),
    Annotation(
        "MacAvailableMemorySysctl",
        "Percent of memory that macOS calls available.",
        sent_by="macOS",
        permission=PUBLIC,
    ),
    Annotation("MacMemoryPressure", "Memory pressure.", sent_by="macOS", permission=PUBLIC),
    Annotation(
        "MacMemoryPressureCriticalTime",
        "When memory pressure last became critical, in epoch seconds.",
        sent_by="macOS",
        permission=PUBLIC,
    ),
    Annotation(
        "MacMemoryPressureNormalTime",
        "When memory pressure last became normal, in epoch seconds.",
        sent_by="macOS",
        permission=PUBLIC,
    ),
    Annotation(
        "MacMemoryPressureSysctl",
        "Memory pressure as a number: 4 critical, 2 warning, 1 normal.",
        sent_by="macOS",
        permission=PUBLIC,
    ),
    Annotation(
        "MacMemoryPressureWarningTime",
        "When memory pressure last became a warning, in epoch seconds.",
        sent_by="macOS",
        permission=PUBLIC,
    ),
    Annotation(
        "Marionette",
        "1 while the product is driven through WebDriver Classic.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "ModuleSignatureInfo",
        "Who signed which modules: JSON, signer to list of modules.",
        sent_by="Windows",
    ),
    Annotation("MozCrashReason", "Text of the failed assertion; may be private."),
    Annotation("Notes", "Notes of the application.", permission=PUBLIC),
    Annotation("OOMAllocationSize", "Bytes that were asked for when memory ran out.", permission=PUBLIC),
    Annotation(
        "OS",
        "Operating system, named as the stackwalker does; used when no dump tells it.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation(
        "OSVersion",
        "Version of the operating system; used when no dump tells it.",
        sent_by="crash pings, clients without a dump",
        permission=PUBLIC,
    ),
    Annotation("PHCAllocStack", "Who allocated the block that the heap checker watched: decimal addresses."),
    Annotation("PHCBaseAddress", "Start of the block that the heap checker watched, in decimal."),
    Annotation("PHCFreeStack", "Who freed the block that the heap checker watched: decimal addresses."),
    Annotation("PHCKind", "What the probabilistic heap checker found."),
    Annotation("PHCUsableSize", "Bytes of the block that the heap checker watched."),
    Annotation("PluginFilename", "File of the plugin, in plugin processes.", permission=PUBLIC),
    Annotation("PluginName", "Name of the plugin, in plugin processes.", permission=PUBLIC),
    Annotation("PluginVersion", "Version of the plugin, in plugin processes.", permission=PUBLIC),
    Annotation(
        "ProcessType",
        "Which of the product's processes crashed; missing or main for the one that starts the others.",
        permission=PUBLIC,
    ),
    Annotation("ProductID", "UUID of the product.", permission=PUBLIC),
    Annotation("ProductName", "Name of the product.", sent_by="all", permission=PUBLIC),
    Annotation(
        "QuotaManagerShutdownTimeout",
        "What the storage of websites did when it blocked the shutdown.",
        permission=PUBLIC,
    ),
    Annotation(
        "ReleaseChannel", "Channel by which the build was released.", sent_by="all", permission=PUBLIC
    ),
    Annotation(
        "RemoteAgent",
        "1 while the product is driven through WebDriver BiDi.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("RemoteType", "Kind of content process; may name a site."),
    Annotation(
        "SafeMode", "1 in troubleshoot mode.", sent_by="Firefox desktop, Thunderbird", permission=PUBLIC
    ),
    Annotation(
        "SecondsSinceLastCrash",
        "Seconds since the crash before.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("ShutdownProgress", "How far the shutdown had come.", permission=PUBLIC),
    Annotation(
        "ShutdownReason",
        "Why the product was shutting down, such as AppClose or OSShutdown.",
        permission=PUBLIC,
    ),
    Annotation("StartupCrash", "1 while the product is starting.", permission=PUBLIC),
    Annotation(
        "StartupTime", "When the process was started, in epoch seconds.", sent_by="all", permission=PUBLIC
    ),
    Annotation(
        "SubmittedFrom",
        "Where in the product the report was sent from.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation(
        "SubmittedFromInfobar",
        "1 or true when sent from the infobar; deprecated.",
        sent_by="Firefox desktop, Thunderbird",
        permission=PUBLIC,
    ),
    Annotation("SystemMemoryUsePercentage", "Percent of RAM in use.", sent_by="Windows", permission=PUBLIC),
    Annotation(
        "TelemetryEnvironment",
        "What the client's telemetry says about its environment, as JSON.",
        permission=PUBLIC,
    ),
    Annotation("Throttleable", "0 when the collector must not refuse the report.", permission=PUBLIC),
    Annotation(
        "TotalPageFile",
        "Bytes of memory that can be committed at most.",
        sent_by="Windows, Linux",
        permission=PUBLIC,
    ),
    Annotation("TotalPhysicalMemory", "Bytes of RAM.", sent_by="Windows, macOS, Linux", permission=PUBLIC),
    Annotation("TotalVirtualMemory", "Bytes of address space.", sent_by="Windows", permission=PUBLIC),
    Annotation("UptimeTS", "Seconds from start to crash, with fraction.", permission=PUBLIC),
    Annotation("URL", "Address of the page that was open."),
    Annotation("useragent_locale", "Language of the installation.", permission=PUBLIC),
    Annotation(
        "UtilityActorsName", "Actors that run in the utility process, separated by commas.", permission=PUBLIC
    ),
    Annotation(
        "UtilityProcessSandboxingKind",
        "Number that says how the utility process is sandboxed.",
        permission=PUBLIC,
    ),
    Annotation("Vendor", "Maker of the product.", sent_by="all", permission=PUBLIC),
    Annotation(
        "Version",
        "Version of the product, without what marks beta and extended support releases.",
        sent_by="all",
        permission=PUBLIC,
    ),
    Annotation(
        "WindowsErrorReporting",
        "1 when caught through Windows Error Reporting.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "Winsock_LSP",
        "Network service providers that put themselves into the process.",
        sent_by="Windows",
        permission=PUBLIC,
    ),
    Annotation(
        "XPCOMSpinEventLoopStack",
        "Who was spinning the event loop, nested, when the crash happened.",
        permission=PUBLIC,
    ),
)

#: Raw crash key to its row.
ANNOTATIONS: Mapping[str, Annotation] = {row.name: row for row in _ROWS}
