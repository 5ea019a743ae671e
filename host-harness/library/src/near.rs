//! Suggests known names that are similar to a misspelled one. Independent of the things that they
//! name.

/// So many names are read at a glance.
const NAMES: usize = 6;

/// How alike two names must be, of 1.
const ALIKE: f64 = 0.72;

/// Known names that are similar to an unknown name, the most similar first. Words may be in a
/// different order or abbreviated: `create_incident` is similar to `incident.create`, and
/// `override` to `schedule_override.list`.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut ranked: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| (likeness(&name, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    ranked.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.cmp(b)));
    ranked.truncate(NAMES);
    ranked.into_iter().map(|(_, known)| known).collect()
}

fn likeness(name: &str, known: &str) -> f64 {
    if name.is_empty() {
        return 0.0;
    }
    let whole = strsim::normalized_damerau_levenshtein(name, known);
    whole.max(words_alike(name, known))
}

/// How far the words of one name are those of the other, in any order.
fn words_alike(name: &str, known: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|character: char| !character.is_alphanumeric());
        parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (given, known) = (words(name), words(known));
    if given.is_empty() || known.is_empty() {
        return 0.0;
    }
    let best =
        |word: &String| known.iter().map(|other| word_alike(word, other)).fold(0.0_f64, f64::max);
    #[allow(clippy::cast_precision_loss, reason = "names have few words")]
    let (all, found) = (given.len() as f64, given.iter().map(best).sum::<f64>());
    // The given words count most; a name with fewer other words is nearer.
    #[allow(clippy::cast_precision_loss, reason = "names have few words")]
    let besides = known.len().saturating_sub(given.len()) as f64;
    (found / all) - 0.04 * besides
}

fn word_alike(given: &str, known: &str) -> f64 {
    let is_start = given.len() >= 3 && known.starts_with(given);
    let spelling = strsim::normalized_damerau_levenshtein(given, known);
    if is_start { spelling.max(0.95) } else { spelling }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &[
        "incident.create",
        "incident.update",
        "incident.update_many",
        "incident_note.create",
        "schedule_override.create",
        "schedule_override.list",
        "service.list",
        "user.list",
    ];

    fn nearest(name: &str) -> Vec<&'static str> {
        near(name, KNOWN.iter().copied())
    }

    #[test]
    fn a_slip_of_the_keyboard_is_near() {
        assert_eq!(nearest("incident.craete")[0], "incident.create");
        assert_eq!(nearest("Service.List")[0], "service.list");
    }

    #[test]
    fn words_may_be_reordered_and_truncated() {
        assert_eq!(nearest("create_incident")[0], "incident.create");
        assert_eq!(nearest("override"), ["schedule_override.create", "schedule_override.list"]);
        assert_eq!(nearest("list-users")[0], "user.list");
    }

    #[test]
    fn nothing_is_near_what_is_far() {
        assert!(nearest("weather.forecast").is_empty());
        assert!(nearest("").is_empty());
        assert!(nearest("...").is_empty());
    }

    #[test]
    fn few_are_named_however_many_are_near() {
        let many: Vec<String> = (0..100).map(|number| format!("thing.list{number}")).collect();
        assert_eq!(near("thing.list", many.iter().map(String::as_str)).len(), NAMES);
    }
}
