//! Numbers as people read them.

use maud::{Markup, html};

/// What stands for a number that is none.
pub const UNDEFINED: &str = "undefined";

/// 0.0312 as "3.1 %".
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return UNDEFINED.into();
    }
    let percent = 100.0 * share;
    match percent.abs() {
        x if x >= 99.95 => format!("{percent:.0}\u{a0}%"),
        x if x >= 0.095 || x == 0.0 => format!("{percent:.1}\u{a0}%"),
        _ => format!("{}\u{a0}%", number(percent)),
    }
}

/// A share that was chosen and not measured, without zeros at its end: 0.2 as "20 %".
pub fn round_percent(share: f64) -> String {
    let text = format!("{:.6}", 100.0 * share);
    format!("{}\u{a0}%", minus(text.trim_end_matches('0').trim_end_matches('.')))
}

/// A unit as an axis has it; `otherwise` where it is "1", for none, or unknown.
pub fn unit_or<'a>(unit: &'a str, otherwise: &'a str) -> &'a str {
    if matches!(unit, "" | "1") { otherwise } else { unit }
}

/// Three significant figures, with a power of ten where zeros would hide them.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        return UNDEFINED.into();
    }
    let size = x.abs();
    let text = match size {
        0.0 => "0".into(),
        _ if !(1e-3..1e6).contains(&size) => scientific(x),
        _ if size >= 1000.0 => {
            let sign = if x < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        _ => {
            let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
            format!("{x:.decimals$}")
        }
    };
    minus(&text)
}

/// 0.000286 as 2.86 times ten to the minus fourth, raised.
fn scientific(x: f64) -> String {
    let text = format!("{x:.2e}");
    let (factor, power) = text.split_once('e').expect("the format has an exponent");
    format!("{factor}\u{d7}10{}", raised(power))
}

/// A whole number in raised digits.
pub(super) fn raised(power: &str) -> String {
    const DIGITS: [char; 10] = [
        '\u{2070}', '\u{b9}', '\u{b2}', '\u{b3}', '\u{2074}', '\u{2075}', '\u{2076}', '\u{2077}', '\u{2078}',
        '\u{2079}',
    ];
    power.chars().map(|c| c.to_digit(10).map_or('\u{207b}', |digit| DIGITS[digit as usize])).collect()
}

/// 1024 as "1,024".
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A key of the metrics as words: "`discriminator_loss`" as "discriminator loss".
pub fn plain(key: &str) -> String {
    key.replace('_', " ")
}

/// A hyphen before a digit is a minus sign.
pub fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

/// The line that stands for what is not there.
pub(super) fn missing(line: &str) -> Markup {
    html! { p.missing { (line) } }
}
