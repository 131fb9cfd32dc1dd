//! Finds `libcrashreporter.so` in the folder that `REPORTER_FOLDER` names, and has it loaded from beside the program.

fn main() {
    println!("cargo:rerun-if-env-changed=REPORTER_FOLDER");
    let folder = std::env::var("REPORTER_FOLDER").expect("REPORTER_FOLDER must name libcrashreporter.so's folder");
    println!("cargo:rustc-link-search=native={folder}");
    println!("cargo:rustc-link-arg=-Wl,--build-id=sha1");
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN");
}
