// Settings of cuDNN that libtorch's C interface leaves out.

#include <ATen/Context.h>

extern "C" {
void skyforge_set_deterministic(bool deterministic) {
    auto& context = at::globalContext();
    context.setDeterministicCuDNN(deterministic);
    context.setBenchmarkCuDNN(!deterministic);
}

bool skyforge_is_deterministic() {
    auto& context = at::globalContext();
    return context.deterministicCuDNN() && !context.benchmarkCuDNN();
}
}
