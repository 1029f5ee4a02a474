//! The workloads, a file for each family.

mod channels;
mod echo;
mod fib;
mod hog;
mod http;
mod idle;
mod latency;
mod locks;
mod memory;
mod passing;
mod select;
mod select_timeout;
mod sieve;
mod skynet;
mod spawn;
mod timers;
mod wait_group;

use crate::row::Row;

pub(crate) use http::obstacle;

/// All of them, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let families: [&'static [Row]; 17] = [
        spawn::ROWS,
        passing::ROWS,
        channels::ROWS,
        select::ROWS,
        select_timeout::ROWS,
        sieve::ROWS,
        skynet::ROWS,
        memory::ROWS,
        timers::ROWS,
        locks::ROWS,
        wait_group::ROWS,
        echo::ROWS,
        http::ROWS,
        hog::ROWS,
        fib::ROWS,
        idle::ROWS,
        latency::ROWS,
    ];
    families.into_iter().flatten()
}

/// The row of that name.
pub(crate) fn named(name: &str) -> Option<&'static Row> {
    all().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_its_figures_bear_it() {
        let mut names: Vec<_> = all().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
        for row in all() {
            assert_eq!(row.figures[0].name, row.name);
            assert!(row.figures[1..].iter().all(|figure| figure.name.starts_with(&format!("{}:", row.name))));
        }
    }
}
