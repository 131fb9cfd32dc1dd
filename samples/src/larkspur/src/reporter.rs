//! The crash reporter's C interface, for Rust.

use std::ffi::{c_char, c_int, CString};
use std::panic::PanicHookInfo;

#[link(name = "crashreporter")]
extern "C" {
    fn crashreporter_install(socket_path: *const c_char) -> c_int;
    fn crashreporter_annotate(name: *const c_char, value: *const c_char) -> c_int;
}

/// Catch crashes from now on and have panics explain themselves in the report. False when nobody listens.
pub fn install(socket_path: &str) -> bool {
    let Ok(path) = CString::new(socket_path) else {
        return false;
    };
    // SAFETY: the path is a NUL-terminated string that lives through the call.
    let installed = unsafe { crashreporter_install(path.as_ptr()) == 0 };
    if installed {
        std::panic::set_hook(Box::new(annotate_panic));
    }
    installed
}

fn annotate_panic(panic: &PanicHookInfo) {
    annotate("MozCrashReason", panic.payload_as_str().unwrap_or("explicit panic"));
}

/// Add one annotation to a later crash report; text with a NUL byte in it is left out.
pub fn annotate(name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) {
        // SAFETY: both are NUL-terminated strings that live through the call.
        unsafe { crashreporter_annotate(name.as_ptr(), value.as_ptr()) };
    }
}
