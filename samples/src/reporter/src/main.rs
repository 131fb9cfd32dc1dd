//! `crashreporterd OUTPUT_FOLDER SOCKET PROGRAM [ARGUMENT...]`: start a product and write what it reports.
//!
//! The product runs as a child, so the kernel lets this process read its memory under every ptrace policy. Each dump
//! becomes a file in the output folder, named like the form field it would be sent in; annotations become lines
//! `name=value` in the file `annotations.txt`. Ends when every process of the product has disconnected.
//!
//! Exit status: 0 when at least one dump was written, 1 otherwise, 2 for wrong arguments.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crashreporter::{MAIN_DUMP_FIELD, MESSAGE_ANNOTATION, MESSAGE_DUMP_FIELD};
use minidumper::{LoopAction, MinidumpBinary, Server, ServerHandler, SocketName};

struct ReportFolder {
    path: PathBuf,
    next_field: Mutex<String>,
    dumps_written: Arc<AtomicUsize>,
}

impl ReportFolder {
    fn append_annotation(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path.join("annotations.txt"))?;
        writeln!(file, "{line}")
    }
}

impl ServerHandler for ReportFolder {
    fn create_minidump_file(&self) -> Result<(File, PathBuf), io::Error> {
        let mut field = self.next_field.lock().unwrap();
        let path = self.path.join(field.as_str());
        *field = MAIN_DUMP_FIELD.to_owned();
        Ok((File::create(&path)?, path))
    }

    fn on_minidump_created(&self, result: Result<MinidumpBinary, minidumper::Error>) -> LoopAction {
        match result {
            Ok(_) => {
                self.dumps_written.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => eprintln!("crashreporterd: no minidump: {error:#}"),
        }
        LoopAction::Continue
    }

    fn on_message(&self, kind: u32, buffer: Vec<u8>) {
        let text = String::from_utf8_lossy(&buffer);
        match kind {
            MESSAGE_ANNOTATION => {
                if let Err(error) = self.append_annotation(&text) {
                    eprintln!("crashreporterd: annotation not kept: {error}");
                }
            }
            MESSAGE_DUMP_FIELD => *self.next_field.lock().unwrap() = text.into_owned(),
            _ => eprintln!("crashreporterd: message of unknown kind {kind}"),
        }
    }

    fn on_client_disconnected(&self, connected: usize) -> LoopAction {
        if connected == 0 {
            LoopAction::Exit
        } else {
            LoopAction::Continue
        }
    }
}

fn run(folder: &str, socket: &str, program: &str, arguments: &[String]) -> Result<usize, Box<dyn std::error::Error>> {
    let dumps_written = Arc::new(AtomicUsize::new(0));
    let report = ReportFolder {
        path: PathBuf::from(folder),
        next_field: Mutex::new(MAIN_DUMP_FIELD.to_owned()),
        dumps_written: Arc::clone(&dumps_written),
    };
    let mut server = Server::with_name(SocketName::Path(Path::new(socket)))?;
    // A dump lists the open files, so the product gets none of this process's.
    let mut product = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let product_ended = Arc::new(AtomicBool::new(false));
    let watching = watch_for_end(product.id(), Arc::clone(&product_ended));
    server.run(Box::new(report), &product_ended, None)?;
    watching.join().map_err(|_| "watching the product failed")?;
    product.wait()?;
    Ok(dumps_written.load(Ordering::Relaxed))
}

/// Set a flag when a child has ended.
///
/// Looks at the process table instead of calling `wait`: waiting for a child takes away the stop events that the
/// minidump writer, which traces the same child, waits for.
fn watch_for_end(pid: u32, ended: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !has_ended(pid) {
            std::thread::sleep(Duration::from_millis(20));
        }
        ended.store(true, Ordering::Relaxed);
    })
}

fn has_ended(pid: u32) -> bool {
    // The state is the letter after the program's name, which stands in brackets and may itself hold brackets.
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, socket, program, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: crashreporterd OUTPUT_FOLDER SOCKET PROGRAM [ARGUMENT...]");
        return ExitCode::from(2);
    };
    match run(folder, socket, program, rest) {
        Ok(0) => {
            eprintln!("crashreporterd: {program} ended without a crash");
            ExitCode::FAILURE
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crashreporterd: {error}");
            ExitCode::FAILURE
        }
    }
}
