// The door between libtorch's autograd and our kernels: one differentiable function, whose arithmetic is in layer.rs.
//
// x goes from the wide side to the narrow one, or back (`to_wide`); weight is [narrow, wide, 5, 5] both ways, as that of
// torch's conv2d and conv_transpose2d. Tensors come and go channels last.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <cstdint>
#include <cstring>

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

extern "C" {
struct SkyforgeShape {
    int64_t batch, height, width, wide, narrow;
};
void skyforge_keep(const void* layer);
void skyforge_drop(const void* layer);
void skyforge_to_narrow(const void* layer, SkyforgeShape, const float* x, const float* weight, uint32_t version,
                        const float* bias, float* y);
void skyforge_to_wide(const void* layer, SkyforgeShape, const float* y, const float* weight, uint32_t version,
                      const float* bias, float* x);
void skyforge_to_taps(const void* layer, SkyforgeShape, const float* x, const float* y, float* weight);
}

namespace {

constexpr auto LAST = at::MemoryFormat::ChannelsLast;

// Keeps a layer's taps while a graph may ask for them.
struct Kept : torch::CustomClassHolder {
    explicit Kept(const void* layer) : layer(layer) { skyforge_keep(layer); }
    ~Kept() override { skyforge_drop(layer); }
    const void* layer;
};

SkyforgeShape shape_of(const Tensor& wide, const Tensor& narrow) {
    return {wide.size(0), wide.size(2), wide.size(3), wide.size(1), narrow.size(1)};
}

// Both sides as they lie in memory, [b, h, w, c]. A side of one channel is the same either way.
Tensor channels_last(const Tensor& side) {
    return side.size(1) == 1 ? side.contiguous() : side.contiguous(LAST);
}

Tensor empty_side(const Tensor& like, int64_t channels, int64_t rows, int64_t columns) {
    auto side = at::empty({like.size(0), channels, rows, columns}, like.options(), LAST);
    return side;
}

Tensor convolve(const void* layer, bool to_wide, const Tensor& x, const Tensor& weight, const float* bias, int64_t rows,
                int64_t columns) {
    auto out = empty_side(x, weight.size(to_wide ? 1 : 0), rows, columns);
    auto* from = x.const_data_ptr<float>();
    auto* taps = weight.const_data_ptr<float>();
    auto* to = out.mutable_data_ptr<float>();
    if (to_wide) {
        skyforge_to_wide(layer, shape_of(out, x), from, taps, weight._version(), bias, to);
    } else {
        skyforge_to_narrow(layer, shape_of(x, out), from, taps, weight._version(), bias, to);
    }
    return out;
}

struct Strided : Function<Strided> {
    // rows and columns are those of the result, since a side of 5 may come from one of 9 or of 10.
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          int64_t layer, bool to_wide, int64_t rows, int64_t columns) {
        auto* kept = reinterpret_cast<const void*>(layer);
        auto side = channels_last(x);
        context->save_for_backward({side, weight});
        context->saved_data["layer"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(kept));
        context->saved_data["to_wide"] = to_wide;
        return convolve(kept, to_wide, side, weight, bias.const_data_ptr<float>(), rows, columns);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        TORCH_CHECK(!at::GradMode::is_enabled(), "our convolutions have no second derivative");
        auto saved = context->get_saved_variables();
        auto &x = saved[0], &weight = saved[1];
        auto kept = c10::static_intrusive_pointer_cast<Kept>(context->saved_data["layer"].toCapsule());
        bool to_wide = context->saved_data["to_wide"].toBool();
        auto gradient = channels_last(gradients[0]);
        Tensor of_x, of_weight, of_bias;
        if (context->needs_input_grad(0)) {
            of_x = convolve(kept->layer, !to_wide, gradient, weight, nullptr, x.size(2), x.size(3));
        }
        if (context->needs_input_grad(1)) {
            of_weight = at::empty_like(weight);
            auto &wide = to_wide ? gradient : x, &narrow = to_wide ? x : gradient;
            skyforge_to_taps(kept->layer, shape_of(wide, narrow), wide.const_data_ptr<float>(),
                             narrow.const_data_ptr<float>(), of_weight.mutable_data_ptr<float>());
        }
        if (context->needs_input_grad(2)) {
            of_bias = gradient.sum({0, 2, 3});
        }
        return {of_x, of_weight, of_bias, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

}  // namespace

extern "C" {
// A new tensor, or null and the reason, to be freed.
Tensor* skyforge_strided(const Tensor* x, const Tensor* weight, const Tensor* bias, const void* layer, bool to_wide,
                         int64_t rows, int64_t columns, char** fault) {
    try {
        auto of = reinterpret_cast<int64_t>(layer);
        return new Tensor(Strided::apply(*x, *weight, *bias, of, to_wide, rows, columns));
    } catch (const std::exception& error) {
        *fault = strdup(error.what());
        return nullptr;
    }
}

// max(x, slope x) in place: the same tensor, or null and the reason, to be freed.
Tensor* skyforge_leaky_relu(Tensor* x, double slope, char** fault) {
    try {
        return new Tensor(at::leaky_relu_(*x, slope));
    } catch (const std::exception& error) {
        *fault = strdup(error.what());
        return nullptr;
    }
}

// Tells libtorch that the numbers of a tensor have been written without it.
void skyforge_changed(const Tensor* tensor) { tensor->unsafeGetTensorImpl()->bump_version(); }
}
