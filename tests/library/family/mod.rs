//! Families of models, and what all of them must do.

mod maps_gan;
