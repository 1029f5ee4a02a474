//! `#[pirn::main]` and `#[pirn::test]`.
