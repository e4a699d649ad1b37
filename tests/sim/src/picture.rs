//! The comparison as a picture: what each way of counting pays for and overruns, beside the oracle.

use std::fmt::Write;

use octo_gateway::free_tier::WindowModel;

use crate::run::Report;

/// One provider's results.
#[derive(Clone, Copy, Debug)]
pub struct Bars {
    /// How it counts.
    pub model: WindowModel,
    /// With reserve, send, settle.
    pub ours: Report,
    /// With a counter incremented when sending.
    pub sending: Report,
    /// With a counter for each minute of the caller's clock.
    pub clock: Report,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const ROW: f64 = 20.0;
const GROUP: f64 = 4.0 * ROW + 34.0;
const TOP: f64 = 64.0;

/// An SVG picture of `groups`: bars for the paid calls, on a scale of their own for each provider, with the
/// numbers of paid calls and overruns in words beside them.
pub fn draw(groups: &[Bars]) -> String {
    let height = TOP + GROUP * groups.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n\
         <title>Paid calls and overruns by way of counting</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    label(&mut svg, 16.0, 26.0, "bold", "Calls paid for, and calls the free provider had to refuse");
    let under =
        "N = 100 in 60 s, as many messages as the provider takes, block of 60 s after one call too many";
    label(&mut svg, 16.0, 46.0, "normal", under);
    for (index, group) in groups.iter().enumerate() {
        let top = TOP + GROUP * index as f64;
        label(&mut svg, 16.0, top + 18.0, "bold", &group.model.name().replace('_', " "));
        let rows = [
            ("perfect greedy caller", "#8c959f", group.ours.oracle, 0),
            ("Octo: reserve, send, settle", "#1a7f37", group.ours.paid(), group.ours.over),
            ("count when sending", "#cf222e", group.sending.paid(), group.sending.over),
            ("own clock's minute", "#bc4c00", group.clock.paid(), group.clock.over),
        ];
        let most = rows.iter().map(|(.., paid, _)| *paid).max().unwrap_or(0).max(1);
        for (row, (name, colour, paid, over)) in rows.into_iter().enumerate() {
            let y = top + 28.0 + ROW * row as f64;
            let length = (paid as f64 / most as f64 * (WIDTH - LEFT - 190.0)).max(1.0);
            label(&mut svg, 32.0, y + 12.0, "normal", name);
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.0}\" height=\"14\" fill=\"{colour}\"/>"
            );
            let numbers = format!("{paid} paid, {over} refused");
            label(&mut svg, LEFT + length + 8.0, y + 12.0, "normal", &numbers);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn label(svg: &mut String, x: f64, y: f64, weight: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.0}\" y=\"{y:.0}\" font-weight=\"{weight}\" fill=\"#1f2328\">{text}</text>"
    );
}
