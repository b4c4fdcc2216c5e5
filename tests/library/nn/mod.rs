//! Laws of the networks.

mod dcgan;
