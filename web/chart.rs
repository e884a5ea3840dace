//! The chart of losses or accuracies as SVG.

use std::ops::Range;

use confab::base::plot::{
    Anchor, Axis, Frame, Legend, Stroke, Svg, Tick, list_log_ticks, list_ticks, pick_color, theme,
};
use confab::run::LossPoint;
use leptos::prelude::With;

use crate::runs::Run;

/// For the labels at the left of the plot, in pixels.
const LEFT: i32 = 50;
/// Points drawn of a curve; longer ones are averaged down to this.
const MAX_POINTS: usize = 1000;

/// Quantity that is drawn.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Measure {
    #[default]
    Loss,
    Accuracy,
}

/// Axis that it is drawn against.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Against {
    #[default]
    Steps,
    Records,
    Seconds,
}

impl Against {
    pub const ALL: [Self; 3] = [Self::Steps, Self::Records, Self::Seconds];

    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Records => "records seen",
            Self::Seconds => "seconds of training",
        }
    }

    /// Place of a point of a run that reads `records` records a step; `None` if its time is not known.
    pub fn place(self, point: &LossPoint, records: usize) -> Option<f64> {
        match self {
            Self::Steps => Some(point.step as f64),
            Self::Records => Some(point.step as f64 * records as f64),
            Self::Seconds => point.seconds.map(f64::from),
        }
    }
}

/// Axes of the chart.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Axes {
    pub measure: Measure,
    pub against: Against,
}

impl Axes {
    /// Values drawn of a point: of training, and of validation.
    pub fn values(self, point: &LossPoint) -> [Option<f64>; 2] {
        let values = match self.measure {
            Measure::Loss => [Some(point.train_loss), point.val_loss],
            Measure::Accuracy => [None, point.accuracy],
        };
        values.map(|value| value.map(f64::from))
    }
}

/// A run's losses or accuracies, ready to draw.
pub struct Curve {
    pub name: String,
    pub color: usize,
    /// The run on screen, as against one overlaid.
    pub is_current: bool,
    pub train: Vec<(f64, f64)>,
    pub validation: Vec<(f64, f64)>,
}

pub struct Chart {
    pub svg: String,
    /// Where the plot lies in the SVG, in pixels.
    pub plot: (Range<i32>, Range<i32>),
    /// Range from left to right, in units of its axis.
    pub across: Range<f64>,
}

#[derive(Clone, Copy, PartialEq)]
pub struct Options {
    pub size: (u32, u32),
    pub is_log: bool,
    pub is_dark: bool,
    pub against: Against,
    /// Unit of the values.
    pub unit: &'static str,
}

impl Curve {
    pub fn new(run: &Run, is_current: bool, axes: Axes) -> Self {
        let records = run.config.records_per_step();
        let curve = |of: usize| {
            run.points.with(|points| {
                thin_out(points.iter().filter_map(|point| {
                    Some((axes.against.place(point, records)?, axes.values(point)[of]?))
                }))
            })
        };
        let [train, validation] = [0, 1].map(curve);
        Self { name: run.name.clone(), color: run.number, is_current, train, validation }
    }

    /// Stroke of its validation losses.
    fn stroke(&self, is_dark: bool) -> Stroke {
        let opacity = if self.is_current { 1.0 } else { 0.55 };
        Stroke { opacity, ..Stroke::solid(pick_color(self.color, is_dark), 2) }
    }

    /// Draws it, thinly for training and thickly for validation.
    fn draw(&self, svg: &mut Svg, thick: Stroke, place: impl Fn(&(f64, f64)) -> (i32, i32)) {
        let Stroke { color, opacity: strength, .. } = thick;
        let thin = Stroke { opacity: 0.5 * strength, width: 1, ..thick };
        for (points, stroke) in [(&self.train, thin), (&self.validation, thick)] {
            svg.line(&points.iter().map(&place).collect::<Vec<_>>(), stroke);
        }
        // A line needs two points; until then, and for a few validations, dots are drawn.
        let lone = self.train.iter().filter(|_| self.train.len() == 1);
        let few = self.validation.iter().filter(|_| self.validation.len() <= 40);
        lone.chain(few).for_each(|point| svg.dot(place(point), 2, color, strength));
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.train.iter().chain(&self.validation).copied()
    }
}

/// Averages neighbours until at most [`MAX_POINTS`] are left; leaves out what is not finite.
fn thin_out(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.filter(|(_, loss)| loss.is_finite()).collect();
    let bucket = finite.len().div_ceil(MAX_POINTS).max(1);
    finite
        .chunks(bucket)
        .map(|chunk| {
            let sum =
                chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
            (sum.0 / chunk.len() as f64, sum.1 / chunk.len() as f64)
        })
        .collect()
}

/// A loss that no curve is of: the entropy floor, or a baseline.
pub struct Level {
    pub name: String,
    pub loss: f64,
    /// No model gets below it.
    pub is_floor: bool,
}

/// Draws `curves`, the current one last, and `level` as a dashed line.
pub fn draw(curves: &[Curve], level: Option<Level>, options: Options) -> Chart {
    // None or hardly any loss has no place on a logarithmic scale.
    let level = level.filter(|level| !options.is_log || level.loss > 1e-3);
    let (low, high) = find_range(curves, level.as_ref());
    let least = if options.against == Against::Seconds { 1.0 } else { 10.0 };
    let across = 0.0..curves
        .iter()
        .flat_map(Curve::points)
        .fold(least, |largest, (x, _)| f64::max(largest, x));
    let losses = if options.is_log {
        let low = low.max(1e-6);
        low * 0.9..high.max(low * 1.2) * 1.1
    } else {
        let margin = (high - low).max(0.1) * 0.06;
        // Room for what is written below a floor.
        let below = if level.as_ref().is_some_and(|level| level.is_floor) { 2.0 } else { 1.0 };
        (low - below * margin).max(0.0)..high + margin
    };
    let lowest = losses.start;
    let rise = |loss: f64| if options.is_log { loss.max(lowest).log10() } else { loss };
    let theme = theme(options.is_dark);
    let (width, height) = options.size;
    let up = rise(losses.start)..rise(losses.end);
    let frame = Frame::new((width, 0..height), LEFT, across.clone(), up);
    let dashed = Stroke { is_dashed: true, ..Stroke::solid(theme.text, 1) };
    let names = curves.iter().map(|of| (of.name.as_str(), of.stroke(options.is_dark)));
    let names = names.chain(level.iter().map(|level| (level.name.as_str(), dashed)));
    let legend = Legend::new(names.collect(), width, LEFT);
    let height = height + legend.height();
    let mut svg = Svg::new((width, height));
    svg.rectangle((0, 0), (width as i32, height as i32), theme.paper, 1.0);
    frame.draw_legend(&mut svg, theme, &legend);

    let x_ticks = list_ticks(&across, if width < 420 { 4 } else { 8 });
    let y_ticks = if options.is_log { list_log_ticks(&losses, 14) } else { list_ticks(&losses, 6) };
    let name_x = |at: f64| {
        let label = if at < 10.0 { trim_zeros(at) } else { format!("{at:.0}") };
        Tick { at, label }
    };
    let name_y = |loss: f64| Tick { at: rise(loss), label: trim_zeros(loss) };
    frame.draw_axes(
        &mut svg,
        theme,
        &Axis { name: options.against.name(), ticks: x_ticks.into_iter().map(name_x).collect() },
        &Axis { name: options.unit, ticks: y_ticks.into_iter().map(name_y).collect() },
    );
    for curve in curves {
        let place = |point: &(f64, f64)| frame.place((point.0, rise(point.1)));
        curve.draw(&mut svg, curve.stroke(options.is_dark), place);
    }
    if let Some(Level { loss, is_floor, .. }) = &level {
        let [left, right] = [across.start, across.end].map(|x| frame.place((x, rise(*loss))));
        svg.line(&[left, right], dashed);
        let below = frame.plot.1.end - left.1;
        if *is_floor && below > 0 {
            svg.rectangle(left, (right.0 - left.0, below), theme.text, 0.07);
        }
        if *is_floor && below > 12 {
            let middle = ((left.0 + right.0) / 2, left.1 + below / 2);
            svg.text(middle, Anchor::Middle, theme.text, "cannot be beaten");
        }
    }
    Chart { svg: svg.finish(), plot: frame.plot, across }
}

fn find_range(curves: &[Curve], level: Option<&Level>) -> (f64, f64) {
    let level = level.map(|level| level.loss);
    if curves.iter().all(|curve| curve.points().next().is_none()) {
        return (0.0, level.map_or(5.0, |level| (2.0 * level).max(1.0)));
    }
    let losses = || curves.iter().flat_map(Curve::points).map(|(_, loss)| loss).chain(level);
    let low = losses().fold(f64::INFINITY, f64::min);
    let high = losses().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

fn trim_zeros(value: f64) -> String {
    if value >= 1e4 || (value > 0.0 && value < 1e-3) {
        return format!("{value:.0e}");
    }
    let text = if value < 0.1 { format!("{value:.4}") } else { format!("{value:.2}") };
    match text.trim_end_matches('0').trim_end_matches('.') {
        "" => "0".into(),
        trimmed => trimmed.into(),
    }
}
