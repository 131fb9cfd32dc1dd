//! The part of the crash reporter that lives inside a product.
//!
//! It connects to `crashreporterd`, which waits outside the process, installs the signal handlers, and on a crash
//! hands over the crash context. The other process then reads this one's memory and writes the minidump: a process
//! that has just crashed should do as little as possible itself.
//!
//! The interface is plain C (see `include/crashreporter.h`), so that C++ and Rust products share one library.

use std::ffi::{c_char, c_int, CStr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crash_handler::{make_crash_event, CrashContext, CrashEventResult, CrashHandler};
use minidumper::{Client, SocketName};

/// Message: one annotation, `name=value` in UTF-8.
pub const MESSAGE_ANNOTATION: u32 = 1;
/// Message: the form field name of the dump that is asked for next.
pub const MESSAGE_DUMP_FIELD: u32 = 2;
/// The form field that carries the dump of the process that crashed.
pub const MAIN_DUMP_FIELD: &str = "upload_file_minidump";

struct Reporter {
    client: Arc<Client>,
    handler: CrashHandler,
}

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// Connect to the waiting `crashreporterd` and catch crashes from now on.
///
/// Returns 0, or -1 when the socket cannot be reached, the handlers cannot be installed, or it was done before.
///
/// # Safety
/// `socket_path` must point to a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn crashreporter_install(socket_path: *const c_char) -> c_int {
    let Ok(path) = CStr::from_ptr(socket_path).to_str() else {
        return -1;
    };
    let installed = install(Path::new(path)).is_some_and(|reporter| REPORTER.set(reporter).is_ok());
    if installed {
        0
    } else {
        -1
    }
}

fn install(socket_path: &Path) -> Option<Reporter> {
    let client = Arc::new(Client::with_name(SocketName::Path(socket_path)).ok()?);
    let reporting = Arc::clone(&client);
    // SAFETY: the closure only writes to and reads from a socket, which is safe inside a signal handler.
    let event = unsafe {
        make_crash_event(move |context: &CrashContext| {
            CrashEventResult::Handled(reporting.request_dump(&with_fault_address(context)).is_ok())
        })
    };
    let handler = CrashHandler::attach(event).ok()?;
    Some(Reporter { client, handler })
}

/// Copy a crash context, with the address of the fault where the minidump writer looks for it.
///
/// crash-handler 0.7 copies the bytes of the kernel's `siginfo_t` into a `signalfd_siginfo`. Both begin with the same
/// three numbers, but the fault address, 8 bytes at offset 16, then lies in `ssi_uid` and `ssi_fd`, and `ssi_addr`
/// is zero.
fn with_fault_address(context: &CrashContext) -> CrashContext {
    let mut copy = context.clone();
    let info = &mut copy.siginfo;
    if FAULT_SIGNALS.contains(&info.ssi_signo) {
        info.ssi_addr = u64::from(info.ssi_uid) | u64::from(info.ssi_fd as u32) << 32;
    }
    copy
}

/// The signals that come with the address of a fault: SIGILL, SIGBUS, SIGFPE, SIGSEGV.
const FAULT_SIGNALS: [u32; 4] = [4, 7, 8, 11];

/// Add one annotation to the report that a later crash of this process makes.
///
/// Returns 0, or -1 without an installed reporter, for text that is not UTF-8, or when the message is not delivered.
///
/// # Safety
/// Both pointers must point to NUL-terminated strings.
#[no_mangle]
pub unsafe extern "C" fn crashreporter_annotate(name: *const c_char, value: *const c_char) -> c_int {
    let (Ok(name), Ok(value)) = (CStr::from_ptr(name).to_str(), CStr::from_ptr(value).to_str()) else {
        return -1;
    };
    send(MESSAGE_ANNOTATION, &format!("{name}={value}"))
}

/// Have a minidump of this process written while it lives on, as form field `field`.
///
/// Returns 0, or -1 when no dump was written.
///
/// # Safety
/// `field` must point to a NUL-terminated string.
#[no_mangle]
pub unsafe extern "C" fn crashreporter_dump_myself(field: *const c_char) -> c_int {
    let (Ok(field), Some(reporter)) = (CStr::from_ptr(field).to_str(), REPORTER.get()) else {
        return -1;
    };
    if send(MESSAGE_DUMP_FIELD, field) != 0 {
        return -1;
    }
    match reporter.handler.simulate_signal(SIGTRAP) {
        CrashEventResult::Handled(true) => 0,
        _ => -1,
    }
}

const SIGTRAP: u32 = 5;

fn send(kind: u32, text: &str) -> c_int {
    let delivered = REPORTER
        .get()
        .is_some_and(|reporter| reporter.client.send_message(kind, text).is_ok() && reporter.client.ping().is_ok());
    if delivered {
        0
    } else {
        -1
    }
}
