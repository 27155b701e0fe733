//! Which part a mark goes on.

use super::{B, arguments, call, refusal, seal, text, thoughts, told};

#[test]
fn a_seal_goes_on_what_was_said_last() {
    let lines = told(vec![thoughts("a"), seal("1"), text("b"), seal("2"), call(0, "c"), arguments(0, "{}"), seal("3")]);
    let expected = [
        r#"open thoughts """#,
        r#"+ thoughts "a""#,
        "+ seal 1",
        r#"close thoughts "a" sealed d/p/1"#,
        r#"open text """#,
        r#"+ text "b""#,
        "+ seal 2",
        r#"close text "b" sealed d/p/2"#,
        "open call c c ",
        "+ arguments {}",
        "+ seal 3",
        "close call c c {} sealed d/p/3",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_seal_ends_the_thoughts_it_is_on() {
    let lines = told(vec![thoughts("a"), seal("1"), thoughts("b"), seal("2")]);
    assert_eq!(lines[3], r#"close thoughts "a" sealed d/p/1"#);
    assert_eq!(lines[7], r#"close thoughts "b" sealed d/p/2"#);
}

#[test]
fn a_seal_on_nothing_or_behind_a_boundary_stands_for_thoughts_that_are_not_told() {
    let silent = |data: &str| {
        [r#"open thoughts """#.to_owned(), format!("+ seal {data}"), format!("close thoughts \"\" sealed d/p/{data}")]
    };
    assert_eq!(told(vec![seal("1"), B, seal("2")]), [silent("1"), silent("2")].concat());
    assert_eq!(told(vec![text("a"), B, seal("1"), text("b")])[3..6], silent("1"));
    // A refusal has no place for one.
    assert_eq!(told(vec![refusal("a"), seal("1")])[3..], silent("1"));
}

#[test]
fn a_seal_behind_the_arguments_of_a_call_goes_on_that_call() {
    let lines =
        told(vec![call(0, "a"), call(1, "b"), arguments(0, "{\"x\""), seal("1"), arguments(1, "{}"), seal("2")]);
    assert_eq!(lines[2..4], ["+ seal 1", "close call a a {\"x\" sealed d/p/1"].map(str::to_owned));
    assert_eq!(lines.last().unwrap(), "close call b b {} sealed d/p/2");
}
