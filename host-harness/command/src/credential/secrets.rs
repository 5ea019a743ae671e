//! Where secrets are read from: standard input, a file, a prompt. Never the command line, and no
//! message here quotes what was given there.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use workflow_node_host::Secret;
use workflow_node_host::credential::{InvalidReference, SecretReference};
use workflow_node_host::description::{CredentialType, Form};

use crate::exit::{Exit, Failure};
use crate::prompt::{ask, can_ask};

/// Where one secret is read from.
pub(super) enum Source {
    StandardInput,
    File(PathBuf),
    Prompt,
    /// Read already.
    Given(Secret),
}

/// Reads `--secret`.
pub(super) fn sources(given: &[String]) -> Result<BTreeMap<String, Source>, Failure> {
    let mut sources = BTreeMap::new();
    for text in given {
        let (name, source) = match text.split_once('=') {
            None => (text.as_str(), Source::Prompt),
            Some((name, "-")) => (name, Source::StandardInput),
            Some((name, value)) => match value.strip_prefix('@') {
                Some(file) => (name, Source::File(file.into())),
                None => return Err(on_the_command_line(name)),
            },
        };
        if sources.insert(name.to_owned(), source).is_some() {
            return Err(Failure::input("secret", "A secret is set twice"));
        }
    }
    let from_input = sources.values().filter(|source| matches!(source, Source::StandardInput));
    if from_input.count() > 1 {
        let message = "Standard input can contain only one secret";
        return Err(
            Failure::input("secret", message).next("read the others from files: NAME=@FILE")
        );
    }
    Ok(sources)
}

/// Reads `--secret-reference`. What is not a reference may be the secret itself, so it is not quoted.
pub(super) fn references(given: &[String]) -> Result<BTreeMap<String, SecretReference>, Failure> {
    let mut references = BTreeMap::new();
    for text in given {
        let wrong = |problem: String| Failure::input("secret", problem);
        let Some((name, reference)) = text.split_once('=') else {
            return Err(wrong("--secret-reference expects NAME=REFERENCE".to_owned()));
        };
        let reference =
            reference.parse().map_err(|error: InvalidReference| wrong(error.to_string()))?;
        if references.insert(name.to_owned(), reference).is_some() {
            return Err(Failure::input("secret", "A secret is set twice"));
        }
    }
    Ok(references)
}

/// A secret that was typed in clear.
pub(super) fn on_the_command_line(name: &str) -> Failure {
    // An invalid name may itself be the secret.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let name = if name.len() <= 40 && name.bytes().all(plain) { name } else { "NAME" };
    Failure::input(
        "secret",
        "A secret was passed on the command line, where other users can see it and shells store \
         it. Treat it as leaked",
    )
    .next(format!(
        "replace the secret at the service, then pass the new one with --secret {name}=- (standard \
         input) or --secret {name}=@FILE, or omit it to be prompted"
    ))
}

/// All secrets of the form that are stored: those that were there, over them those that were given, and
/// those that are required and asked for, unless they are kept elsewhere.
pub(super) fn gather(
    credential_type: &CredentialType,
    mut sources: BTreeMap<String, Source>,
    mut before: BTreeMap<String, Secret>,
    references: &BTreeMap<String, SecretReference>,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let known = credential_type.secret_fields();
    if sources.keys().chain(references.keys()).any(|name| !known.contains(name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message =
            format!("Credential type `{}` does not have this secret", credential_type.name);
        let failure = Failure::input("secret", message);
        return Err(failure.next(format!("use one of its secrets: {}", known.join(", "))));
    }
    let form = Form::of_credential_type(credential_type);
    for field in form.fields.into_iter().filter(|field| field.is_required && field.is_secret) {
        if !before.contains_key(&field.name) && !references.contains_key(&field.name) {
            sources.entry(field.name).or_insert(Source::Prompt);
        }
    }
    for (name, source) in sources {
        let secret = read(&name, &source)?;
        before.insert(name, secret);
    }
    Ok(before)
}

fn read(name: &str, source: &Source) -> Result<Secret, Failure> {
    match source {
        Source::Given(secret) => Ok(secret.clone()),
        Source::StandardInput => from(std::io::stdin().lock(), "standard input"),
        Source::File(path) => {
            let place = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| unreadable(&place, &error))?;
            warn_if_others_can_read(path, &file);
            from(file, &place)
        }
        Source::Prompt if can_ask() => ask(&format!("{name}: ")),
        Source::Prompt => Err(Failure::new(
            Exit::Input,
            "secret",
            format!("Secret `{name}` is missing, and a prompt requires a terminal"),
        )
        .next(format!("pass it with --secret {name}=- (standard input) or --secret {name}=@FILE"))),
    }
}

/// A secret is a line; the line's end is not part of it.
pub(super) fn from(mut source: impl std::io::Read, place: &str) -> Result<Secret, Failure> {
    /// No secret is longer; what is longer is the wrong file.
    const MOST: u64 = 64 * 1024;
    let mut text = String::new();
    source
        .by_ref()
        .take(MOST)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(place, &error))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}

fn unreadable(place: &str, error: &std::io::Error) -> Failure {
    Failure::input("unreadable", format!("Cannot read {place}: {error}"))
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path, file: &std::fs::File) {
    use std::os::unix::fs::MetadataExt as _;
    if file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o044 != 0) {
        tracing::warn!(
            file = %path.display(), "Other users can read this file, which contains a secret"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_path: &Path, _file: &std::fs::File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_quoted() {
        for text in ["api_token=sesame-open", "sesame-open=", "sesame=open=-"] {
            let Err(failure) = sources(&[text.to_owned()]) else { panic!("{text} was taken") };
            let said = format!("{}{}", failure.message, failure.next.unwrap_or_default());
            assert!(!said.contains("sesame-open"), "{said}");
        }
    }

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        let read = |text: &'static str| from(text.as_bytes(), "test").unwrap().expose().to_owned();
        assert_eq!(read("abc\n"), "abc");
        assert_eq!(read("abc\r\n"), "abc");
        assert_eq!(read("abc\n\n"), "abc\n");
        assert_eq!(read(" abc "), " abc ");
    }
}
