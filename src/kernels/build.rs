//! Compiles the C++ that libtorch's C interface does not offer: our kernels in its autograd, and settings of cuDNN.

use std::path::Path;

fn main() {
    let libraries = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency");
    let include = Path::new(&libraries).with_file_name("include");
    let sources = ["layer.cpp", "cudnn.cpp"];
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .files(sources)
        .compile("skyforge_kernels");
    for path in ["build.rs"].iter().chain(&sources) {
        println!("cargo:rerun-if-changed={path}");
    }
}
