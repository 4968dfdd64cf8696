//! Paths that the user types, with `~` for the home directory as in a shell.

use std::path::{Component, Path, PathBuf};

use crate::model::name::quoted;

/// Replaces a `~` at the start of a path with the home directory. A shell does so only at the start
/// of a word, and not in config.toml.
///
/// # Errors
/// A sentence if the path begins with the home directory of another user or with a variable, or if
/// the home directory is unknown. Such a path would create a directory called `~` or `$HOME`.
pub(crate) fn expanded(path: PathBuf) -> Result<PathBuf, String> {
    let home = || etcetera::home_dir().ok();
    with_home(path, home)
}

fn with_home(path: PathBuf, home: impl FnOnce() -> Option<PathBuf>) -> Result<PathBuf, String> {
    let Some(Component::Normal(first)) = path.components().next() else { return Ok(path) };
    let first = first.to_string_lossy();
    if first == "~" {
        let home = home().ok_or("there is no home directory for ~; write the full path.")?;
        return Ok(match path.strip_prefix(Path::new("~")) {
            Ok(rest) if rest.as_os_str().is_empty() => home,
            Ok(rest) => home.join(rest),
            Err(_) => path,
        });
    }
    let is_variable =
        first.starts_with('$') || first.len() > 2 && first.starts_with('%') && first.ends_with('%');
    if first.starts_with('~') || is_variable {
        let first = quoted(&first);
        return Err(format!(
            "{first} is not expanded; write the full path, or ./{first} for a file of that name."
        ));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<PathBuf, String> {
        with_home(path.into(), || Some("/home/alice".into()))
    }

    #[test]
    fn tilde_is_the_home_directory() {
        for (path, expected) in [
            ("~", "/home/alice"),
            ("~/", "/home/alice"),
            ("~/chat/x y", "/home/alice/chat/x y"),
            ("./~/chat", "./~/chat"),
            ("chat/~", "chat/~"),
            ("/~/chat", "/~/chat"),
            ("chat~", "chat~"),
            ("%61/x", "%61/x"),
        ] {
            assert_eq!(of(path), Ok(expected.into()), "{path}");
        }
    }

    #[test]
    fn other_home_directories_and_variables_are_refused() {
        for path in ["~bob", "~bob/chat", "~+", "$HOME/chat", "${HOME}", "%APPDATA%/chat"] {
            assert!(of(path).unwrap_err().contains("is not expanded; write the full path"), "{path}");
        }
        let homeless = with_home("~/x".into(), || None).unwrap_err();
        assert!(homeless.starts_with("there is no home directory"), "{homeless}");
    }
}
