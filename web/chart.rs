//! The loss chart as SVG, drawn with plotters.

use std::ops::Range;

use confab::plot::{FONT, pick_color, theme};
use confab::protocol::LossPoint;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

/// Points drawn of a curve; longer ones are averaged down to this.
const MOST_POINTS: usize = 1000;

/// A run's losses, ready to draw.
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
    pub steps: Range<f64>,
}

#[derive(Clone, Copy, PartialEq)]
pub struct Options {
    pub size: (u32, u32),
    pub is_log: bool,
    pub is_dark: bool,
}

impl Curve {
    pub fn new(name: String, color: usize, is_current: bool, points: &[LossPoint]) -> Self {
        let train = points.iter().map(|point| (point.step as f64, f64::from(point.train_loss)));
        let validation =
            points.iter().filter_map(|point| Some((point.step as f64, f64::from(point.val_loss?))));
        Self { name, color, is_current, train: thin_out(train), validation: thin_out(validation) }
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.train.iter().chain(&self.validation).copied()
    }
}

/// Averages neighbours until at most [`MOST_POINTS`] are left; leaves out what is not finite.
fn thin_out(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.filter(|(_, loss)| loss.is_finite()).collect();
    let bucket = finite.len().div_ceil(MOST_POINTS).max(1);
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
    pub name: &'static str,
    pub loss: f64,
}

/// Draws `curves`, the current one last, and `level` as a dashed line.
///
/// # Errors
/// What plotters says, which it should not.
pub fn draw(curves: &[Curve], level: Option<Level>, options: Options) -> Result<Chart, String> {
    // None or hardly any loss has no place on a logarithmic scale.
    let level = level.filter(|level| !options.is_log || level.loss > 1e-3);
    let (low, high) = find_range(curves, level.as_ref());
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, options.size).into_drawing_area();
    let steps =
        0.0..curves.iter().flat_map(Curve::points).fold(10.0, |most, (x, _)| f64::max(most, x));
    let plot = if options.is_log {
        let low = low.max(1e-6);
        let range = low * 0.9..high.max(low * 1.2) * 1.1;
        let losses = range.clone().log_scale().with_key_points(list_log_ticks(range));
        plot_onto(&root, (curves, level), options, steps.clone(), losses)
    } else {
        let margin = (high - low).max(0.1) * 0.06;
        plot_onto(
            &root,
            (curves, level),
            options,
            steps.clone(),
            (low - margin).max(0.0)..high + margin,
        )
    }
    .map_err(|error| error.to_string())?;
    root.present().map_err(|error| error.to_string())?;
    drop(root);
    Ok(Chart { svg, plot, steps })
}

/// Round numbers in `range`, fewer a decade the more decades there are.
fn list_log_ticks(range: Range<f64>) -> Vec<f64> {
    let decades = (range.end / range.start).log10();
    let digits: &[f64] = match decades {
        d if d > 4.0 => &[1.0],
        d if d > 1.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    (range.start.log10().floor() as i32..=range.end.log10().ceil() as i32)
        .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
        .filter(|tick| range.contains(tick))
        .collect()
}

fn find_range(curves: &[Curve], level: Option<&Level>) -> (f64, f64) {
    let level = level.map(|level| level.loss);
    let losses = || curves.iter().flat_map(Curve::points).map(|(_, loss)| loss).chain(level);
    let low = losses().fold(f64::INFINITY, f64::min);
    let high = losses().fold(f64::NEG_INFINITY, f64::max);
    if low <= high { (low, high) } else { (0.0, 5.0) }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot = (Range<i32>, Range<i32>);

fn plot_onto<'a, Y>(
    root: &Area<'a>,
    (curves, level): (&[Curve], Option<Level>),
    options: Options,
    steps: Range<f64>,
    losses: Y,
) -> Result<Plot, Box<dyn std::error::Error + 'a>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let theme = theme(options.is_dark);
    let font = (FONT, 12).into_font().color(&theme.text);
    root.fill(&theme.paper)?;
    let mut chart = ChartBuilder::on(root)
        .margin_top(10)
        .margin_right(14)
        .x_label_area_size(38)
        .y_label_area_size(50)
        .build_cartesian_2d(steps.clone(), losses)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme.grid)
        .axis_style(theme.grid)
        .x_labels(if options.size.0 < 420 { 4 } else { 8 })
        .y_labels(6)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|loss| trim_zeros(*loss))
        .x_desc("step")
        .y_desc("loss, nats per character")
        .label_style(font.clone())
        .axis_desc_style(font.clone())
        .draw()?;
    for curve in curves {
        let color = pick_color(curve.color, options.is_dark);
        let strength = if curve.is_current { 1.0 } else { 0.55 };
        let thin = color.mix(0.5 * strength).stroke_width(1);
        let thick = color.mix(strength).stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.train.iter().copied(), thin))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], thick));
        chart.draw_series(LineSeries::new(curve.validation.iter().copied(), thick))?;
        // A line needs two points; until then, and for a few validations, dots are drawn.
        let lone = curve.train.iter().filter(|_| curve.train.len() == 1);
        let few = curve.validation.iter().filter(|_| curve.validation.len() <= 40);
        let dots =
            lone.chain(few).map(|point| Circle::new(*point, 2, color.mix(strength).filled()));
        chart.draw_series(dots)?;
    }
    if let Some(Level { name, loss }) = level {
        let style = theme.text.stroke_width(1);
        chart
            .draw_series(DashedLineSeries::new(
                [(steps.start, loss), (steps.end, loss)],
                6,
                4,
                style,
            ))?
            .label(name)
            .legend(move |(x, y)| {
                plotters::element::DashedPathElement::new([(x, y), (x + 14, y)], 4, 3, style)
            });
    }
    if !curves.is_empty() {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .margin(8)
            .legend_area_size(20)
            .background_style(theme.paper.mix(0.85))
            .label_font(font)
            .draw()?;
    }
    Ok(chart.plotting_area().get_pixel_range())
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
