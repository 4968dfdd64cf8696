//! QR codes in half blocks: each character shows two modules, one above the other.

use qrcodegen::{QrCode, QrCodeEcc};

/// The width of the light margin around a code, in modules (ISO/IEC 18004, section 6.3.8).
const MARGIN: i32 = 4;

/// The assumed foreground of the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreground {
    /// Dark on a light background, as codes are printed.
    Dark,
    /// Light on a dark background.
    Light,
}

/// Returns the lines of the code for `text`, all of the same width, or `None` if `text` is too long
/// for a code.
pub fn qr(text: &str, foreground: Foreground) -> Option<Vec<String>> {
    // Medium error correction needs no larger code here, and tolerates a reflection on the screen.
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    // All modules outside the code are light.
    let is_drawn = |x, y| code.get_module(x, y) == (foreground == Foreground::Dark);
    let ends = -MARGIN..code.size() + MARGIN;
    let line = |y: i32| -> String {
        let character = |x| match (is_drawn(x, y), y + 1 < ends.end && is_drawn(x, y + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        };
        ends.clone().map(character).collect()
    };
    Some(ends.clone().step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "P2P-CHAT:AEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQ";

    /// Returns the modules as a camera sees them: `true` is dark.
    fn seen(lines: &[String], foreground: Foreground) -> Vec<Vec<bool>> {
        let dark = |drawn: bool| drawn == (foreground == Foreground::Dark);
        let halves = |line: &String| {
            [['▀', '█'], ['▄', '█']]
                .map(|drawn| line.chars().map(|c| dark(drawn.contains(&c))).collect::<Vec<_>>())
        };
        lines.iter().flat_map(halves).collect()
    }

    #[test]
    fn key_code_has_37_columns_and_19_lines() {
        let lines = qr(TEXT, Foreground::Dark).unwrap();
        assert_eq!(lines.len(), 19);
        assert!(lines.iter().all(|line| line.chars().count() == 37), "{lines:?}");
    }

    #[test]
    fn code_has_a_light_margin() {
        for foreground in [Foreground::Dark, Foreground::Light] {
            let seen = seen(&qr(TEXT, foreground).unwrap(), foreground);
            for at in 0..37 {
                for edge in 0..4 {
                    let sides = [(at, edge), (at, 36 - edge), (edge, at), (36 - edge, at)];
                    assert!(sides.iter().all(|(x, y)| !seen[*y][*x]), "{foreground:?} {at}");
                }
            }
            // The finder patterns of ISO/IEC 18004, section 6.3.3: rings around a square.
            for (left, top) in [(4, 4), (26, 4), (4, 26)] {
                for (x, y) in (0..7).flat_map(|x| (0..7).map(move |y| (x, y))) {
                    let ring = usize::max(usize::abs_diff(x, 3), usize::abs_diff(y, 3));
                    assert_eq!(seen[top + y][left + x], ring != 2, "{foreground:?} {left} {top} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn both_foregrounds_show_the_same_code() {
        let dark = seen(&qr(TEXT, Foreground::Dark).unwrap(), Foreground::Dark);
        let light = seen(&qr(TEXT, Foreground::Light).unwrap(), Foreground::Light);
        assert_eq!(dark[..37], light[..37]);
        assert_ne!(qr(TEXT, Foreground::Dark), qr(&TEXT.replace("CAIB", "CAIC"), Foreground::Dark));
        assert_eq!(qr(&"x".repeat(5_000), Foreground::Dark), None);
    }
}
