//! Ranks and things in a sentence, with the right form for one and for several.

/// Names in a list before it says how many more there are.
pub(super) const NAMED: usize = 8;

/// "rank 3", "ranks 1, 2 and 5 more".
pub(super) fn ranks(some: &[usize]) -> String {
    let names: Vec<String> = some.iter().take(NAMED).map(usize::to_string).collect();
    let more = some.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{more}", if some.len() == 1 { "rank" } else { "ranks" }, names.join(", "))
}

/// "1 thread", "2 threads".
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The ranks with the right form of a verb.
pub(super) fn verb(some: &[usize], one: &str, several: &str) -> String {
    format!("{} {}", ranks(some), if some.len() == 1 { one } else { several })
}
