//! The plots, as SVG.

use std::{error::Error, fs, path::Path};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use crate::measurements::{Measured, SIZES};

const COST: &str = "cost-against-live-flows.svg";
const PEERS: &str = "beside-the-peers.svg";
const SIZE: (u32, u32) = (800, 400);

type Drawn = Result<(), Box<dyn Error>>;

/// Draws all plots into `folder`.
pub fn draw(folder: &Path, measured: &Measured) -> Result<()> {
    let drawn = |name: &str, drawn: Drawn| drawn.map_err(|error| anyhow!("draw {name}: {error}"));
    drawn(COST, cost_against_live_flows(&folder.join(COST), measured))?;
    drawn(PEERS, beside_the_peers(&folder.join(PEERS), measured))
}

/// Copies the plots of the last run from `folder` into the documentation.
pub fn publish(folder: &Path, documentation: &Path) -> Result<()> {
    fs::create_dir_all(documentation).with_context(|| format!("create {}", documentation.display()))?;
    for name in [COST, PEERS] {
        let to = documentation.join(name);
        fs::copy(folder.join(name), &to).with_context(|| format!("write {}", to.display()))?;
    }
    Ok(())
}

fn cost_against_live_flows(path: &Path, measured: &Measured) -> Drawn {
    let lines = [
        ("packet", &BLUE, measured.scale.iter().map(|scale| scale.transport).collect::<Vec<_>>()),
        ("life of a flow", &RED, measured.scale.iter().map(|scale| scale.life).collect()),
        ("evicting", &GREEN, measured.scale.iter().map(|scale| scale.evicting).collect()),
    ];
    let most = lines.iter().flat_map(|(_, _, counts)| counts).map(|counts| counts.instructions).max().unwrap_or(1);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Instructions of the driver, against live flows", ("sans-serif", 20))
        .margin(10)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((SIZES[0]..SIZES[SIZES.len() - 1]).log_scale(), 0..most * 5 / 4)?;
    chart.configure_mesh().x_desc("live flows").y_desc("instructions").draw()?;
    for (name, color, counts) in lines {
        let points: Vec<_> =
            measured.scale.iter().zip(counts).map(|(scale, counts)| (scale.flows, counts.instructions)).collect();
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    area.present()?;
    Ok(())
}

fn beside_the_peers(path: &Path, measured: &Measured) -> Drawn {
    let mut bars = vec![("flowtag", 1.0)];
    bars.extend(measured.peers.iter().filter_map(|&(name, ratio)| Some((name, ratio?.median))));
    let highest = bars.iter().map(|&(_, ratio)| ratio).fold(0.0, f64::max);
    let count = i32::try_from(bars.len())?;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Time of a flow's life, in flowtag's", ("sans-serif", 20))
        .margin(10)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((0..count - 1).into_segmented(), 0.0..highest * 1.25)?;
    let label = |segment: &SegmentValue<i32>| match segment {
        SegmentValue::CenterOf(index) => {
            let bar = usize::try_from(*index).ok().and_then(|index| bars.get(index));
            bar.map_or_else(String::new, |(name, ratio)| format!("{name}: {ratio:.2}"))
        }
        _ => String::new(),
    };
    chart.configure_mesh().disable_x_mesh().x_label_formatter(&label).draw()?;
    chart.draw_series((0..count).zip(&bars).map(|(index, &(_, ratio))| {
        let corners = [(SegmentValue::Exact(index), 0.0), (SegmentValue::Exact(index + 1), ratio)];
        let mut bar = Rectangle::new(corners, BLUE.filled());
        bar.set_margin(0, 0, 30, 30);
        bar
    }))?;
    area.present()?;
    Ok(())
}
