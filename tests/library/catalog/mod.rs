//! Tables: what is written is read, by us and by pandas, and damage is named.

mod damage;
mod made;
mod peers;
mod retrieval;
mod table;
