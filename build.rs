//! Lets the binary and the tests find libtorch without `LD_LIBRARY_PATH`, and records the git revision for provenance.

use std::process::Command;

fn main() {
    // Link arguments of tch's own build script do not reach the crates that depend on it.
    let libraries = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{libraries}");
    let version = std::path::Path::new(&libraries).with_file_name("build-version");
    let version = std::fs::read_to_string(version).unwrap_or_else(|_| "unknown".into());
    println!("cargo:rustc-env=SKYFORGE_LIBTORCH={}", version.trim());

    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision =
        git(&["describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=SKYFORGE_GIT_REVISION={revision}");
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    for path in ["build.rs", "src"] {
        println!("cargo:rerun-if-changed={path}"); // uncommitted changes make the revision dirty
    }
}
