//! Our convolutions against libtorch's in double precision.

mod layer;
