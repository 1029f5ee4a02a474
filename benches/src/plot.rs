//! The leads as a picture: a line for each figure, a mark for each contender, on a logarithmic axis.
//!
//! Right of the thick line pirn is better, left of it the contender is. What lies beyond the axis stands at its
//! end as a triangle. The background is transparent and the colours are of middle brightness, so that the picture
//! can be read on a light page and on a dark one.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;

use crate::contender::Contender;
use crate::summary::{Cell, Summary};

const WIDTH: u32 = 900;
/// Of one figure's line.
const LINE: u32 = 19;
/// Of title, axis and legend together.
const FRAME: u32 = 150;
/// The ends of the axis.
const LEADS: std::ops::Range<f64> = 0.25..32.0;
const GREY: RGBColor = RGBColor(125, 125, 125);

/// A figure's name and its leads.
type Line = (&'static str, Vec<(Contender, f64)>);

/// Draws it into a file.
pub(crate) fn write(
    path: &Path,
    summaries: &[Summary],
    contenders: &[Contender],
) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, draw(summaries, contenders)?)?;
    Ok(())
}

fn draw(summaries: &[Summary], contenders: &[Contender]) -> Result<String, Box<dyn Error>> {
    let lines = lines(summaries);
    let count = lines.len();
    let mut svg = String::new();
    let size = (WIDTH, FRAME + LINE * count as u32);
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let (picture, legend) = root.split_vertically(size.1 - 50);
    let text = ("sans-serif", 13).into_font().color(&GREY);
    let mut chart = ChartBuilder::on(&picture)
        .caption(
            "How many times better pirn is (left of 1: worse)",
            ("sans-serif", 17).into_font().color(&GREY),
        )
        .margin_right(20)
        .x_label_area_size(30)
        .y_label_area_size(190)
        .build_cartesian_2d(LEADS.log_scale().base(2.0), (0..count).into_segmented())?;
    // The first figure stands on top, where the axis has its end.
    let height = |line: usize| SegmentValue::CenterOf(count - 1 - line);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .axis_style(GREY)
        .bold_line_style(GREY.mix(0.35))
        .light_line_style(TRANSPARENT)
        .label_style(text.clone())
        .y_labels(count)
        .y_label_formatter(&|value| match value {
            SegmentValue::CenterOf(place) if *place < count => lines[count - 1 - place].0.to_owned(),
            _ => String::new(),
        })
        .x_label_formatter(&|lead| if *lead < 1.0 { format!("1/{}", 1.0 / lead) } else { lead.to_string() })
        .draw()?;
    let even = [SegmentValue::Exact(0), SegmentValue::Exact(count)].map(|place| (1.0, place));
    chart.draw_series([PathElement::new(even, GREY.stroke_width(3))])?;
    for (contender, colour) in contenders.iter().map(|contender| (*contender, colour(*contender))) {
        for (line, (_, leads)) in lines.iter().enumerate() {
            for (_, lead) in leads.iter().filter(|(who, _)| *who == contender) {
                let place = (lead.clamp(LEADS.start, LEADS.end), height(line));
                if LEADS.contains(lead) {
                    chart.draw_series([Circle::new(place, 4, colour.filled())])?;
                } else {
                    chart.draw_series([TriangleMarker::new(place, 6, colour.filled())])?;
                }
            }
        }
    }
    let others = contenders.iter().filter(|contender| **contender != Contender::Pirn);
    for (index, contender) in others.enumerate() {
        let (x, y) = (20 + (index as i32 % 5) * 172, 12 + (index as i32 / 5) * 20);
        legend.draw(&Circle::new((x, y), 4, colour(*contender).filled()))?;
        legend.draw(&Text::new(contender.name(), (x + 10, y - 7), text.clone()))?;
    }
    root.present()?;
    drop((chart, picture, legend, root));
    Ok(svg)
}

/// The figures that have a lead over anyone.
fn lines(summaries: &[Summary]) -> Vec<Line> {
    let mut lines = Vec::new();
    for summary in summaries {
        for (index, figure) in summary.figures() {
            let lead = |contender: Contender| match summary.cell(contender, index) {
                Cell::Value { lead, .. } => lead.map(|lead| (contender, lead)),
                _ => None,
            };
            let leads: Vec<_> =
                summary.outcomes.iter().filter_map(|(contender, _)| lead(*contender)).collect();
            if !leads.is_empty() {
                lines.push((figure.name, leads));
            }
        }
    }
    lines
}

fn colour(contender: Contender) -> RGBColor {
    match contender {
        Contender::Pirn => GREY,
        Contender::Tokio => RGBColor(214, 69, 65),
        Contender::Smol => RGBColor(46, 160, 80),
        Contender::Go => RGBColor(0, 150, 200),
        Contender::Std => RGBColor(150, 110, 70),
        Contender::StdParkingLot => RGBColor(190, 150, 60),
        Contender::TokioKanal => RGBColor(225, 130, 30),
        Contender::TokioFlume => RGBColor(150, 90, 210),
        Contender::TokioAsyncChannel => RGBColor(80, 110, 220),
        Contender::TokioCrossfire => RGBColor(215, 80, 160),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::{Pirn, Tokio};
    use crate::summary::tests::{runs, summary};

    #[test]
    fn the_picture_has_every_figure_and_contender_by_name() {
        let summaries = [summary(vec![(Tokio, runs(&[[100.0, 5000.0]]))])];
        let svg = draw(&summaries, &[Pirn, Tokio]).expect("it can be drawn");
        for name in ["echo", "echo:p99_us", "tokio"] {
            assert!(svg.lines().any(|line| line.trim() == name), "{name} is not in\n{svg}");
        }
        assert!(svg.contains("<circle") && svg.contains("<polygon"), "a lead of 2, and one beyond the axis");
    }
}
