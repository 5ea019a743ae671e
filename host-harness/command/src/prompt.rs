//! Questions to the person at the terminal.

use std::io::{BufRead as _, IsTerminal as _};

use workflow_node_host::Secret;

use crate::exit::{Exit, Failure};
use crate::output;

/// Whether a question can be asked and answered.
pub(crate) fn ask_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a yes-or-no question. Anything but `y` or `yes` counts as no.
pub(crate) fn asked(question: &str) -> Result<bool, Failure> {
    output::stderr(question);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::internal)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whether there is somebody to ask for a secret. The answer is read from the terminal itself, so
/// standard input may be something else.
pub(crate) fn can_ask() -> bool {
    std::io::stderr().is_terminal()
}

/// Asks for a secret without showing it.
pub(crate) fn ask(prompt: &str) -> Result<Secret, Failure> {
    rpassword::prompt_password(crate::output::one_line(prompt)).map(Secret::new).map_err(|error| {
        Failure::new(
            Exit::Credential,
            "credential",
            format!("Cannot read from the terminal: {error}"),
        )
    })
}
