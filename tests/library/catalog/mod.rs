//! Tables: what is written is read, by us and by pandas, and damage is named.

mod by_ranks;
mod damage;
pub mod made;
pub mod peers;
mod table;
