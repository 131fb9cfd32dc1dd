//! `larkspurd SOCKET SCENARIO`: a log indexing server without a network, that crashes in the way it is told.

mod index;
mod ingest;
mod reporter;
mod segment;

use std::process::ExitCode;

/// Builds of different versions have different build ids.
const VERSION: &str = concat!(env!("LARKSPUR_VERSION"), " ", env!("LARKSPUR_BUILD_ID"));

const SCENARIOS: [(&str, fn()); 4] = [
    ("panic", index::read_behind_last_page),
    ("panic-second-thread", ingest::ingest_on_worker),
    ("null-read", segment::count_after_merge),
    ("out-of-memory", ingest::reserve_for_damaged_header),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, scenario] = arguments.as_slice() else {
        eprintln!("usage: larkspurd SOCKET SCENARIO\n{VERSION}");
        return ExitCode::from(2);
    };
    let Some((_, run)) = SCENARIOS.iter().find(|(name, _)| name == scenario) else {
        eprintln!("larkspurd: no scenario is called {scenario}");
        return ExitCode::from(2);
    };
    if !reporter::install(socket) {
        eprintln!("larkspurd: no crashreporterd listens on {socket}");
        return ExitCode::FAILURE;
    }
    run();
    ExitCode::SUCCESS
}
