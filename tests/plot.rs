//! Charts: the ticks of their axes, and where values lie.

use proptest::prelude::*;

use confab::base::plot::{Axes, Line, Point, draw, list_log_ticks, list_ticks};

#[test]
fn ticks_are_round_and_few() {
    assert_eq!(list_ticks(&(0.0..10.0), 8), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(list_ticks(&(0.0..1.0), 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
    assert_eq!(list_ticks(&(1.93..4.61), 6), [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]);
    assert!(list_ticks(&(1.0..1.0), 6).is_empty());
    for most in 1..12 {
        for end in [3e-7, 0.11, 1.0, 7.3, 99.0, 2.5e6] {
            let ticks = list_ticks(&(0.0..end), most);
            assert!(!ticks.is_empty() && ticks.len() <= most + 1, "{most} {end}: {ticks:?}");
        }
    }
}

#[test]
fn a_logarithmic_axis_has_its_ends_among_its_ticks() {
    assert_eq!(list_log_ticks(&(10.0..30.0), 8), [10.0, 15.0, 20.0, 25.0, 30.0]);
    assert_eq!(list_log_ticks(&(10.0..1000.0), 8), [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
    assert_eq!(list_log_ticks(&(0.3..2e4), 8), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
}

#[test]
fn charts_hold_their_points_and_escape_their_names() {
    let axes = |y_is_share| Axes {
        x: "facts",
        x_is_log: true,
        y: "recalled",
        y_is_share,
        has_legend: true,
    };
    let point = |x, y| Point { x, y, spread: 0.2 };
    let lines = [Line {
        name: "a < b & c".into(),
        points: vec![point(10.0, 0.0), point(30.0, 1.0)],
        ..Line::default()
    }];
    let svg = draw(&[(axes(true), &lines), (axes(false), &lines)], (300, 400), false);
    assert_eq!(svg.matches("<circle").count(), 4);
    assert!(svg.contains("a &lt; b &amp; c") && svg.contains(">100%<"), "{svg}");
    // At the left end of the lower edge of the upper chart, and at its right upper corner.
    assert!(svg.contains("<circle cx=\"62\" cy=\"137\""), "{svg}");
    assert!(svg.contains("<circle cx=\"286\" cy=\"10\""), "{svg}");
}

proptest! {
    #[test]
    fn a_chart_of_any_text_is_well_formed(name in any::<String>(), x in "\\PC*|[\\x00-\\x20\\x{fffe}\\x{ffff}]{0,8}") {
        let axes = Axes { x: &x, x_is_log: false, y: "loss", y_is_share: false, has_legend: true };
        let points = vec![Point { x: 0.0, y: 0.0, spread: 0.0 }, Point { x: 1.0, y: 1.0, spread: 0.0 }];
        let lines = [Line { name, points, ..Line::default() }];
        let svg = draw(&[(axes, &lines)], (400, 300), false);
        for event in xml::EventReader::from_str(&svg) {
            prop_assert!(event.is_ok(), "{event:?}");
        }
    }
}
