//! Values in batch scripts: quoted for the shell and for the options that sbatch reads, or refused where SLURM cannot take them.

use super::job::FOLDER;

/// Characters that neither the shell nor sbatch gives a meaning.
fn is_plain(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || "-_./=:,+%@".contains(sign)
}

/// A word of the shell that stands for `text` as it is.
pub fn word(text: &str) -> String {
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The inside of double quotes of the shell that stands for `text`, in which `$CAMPAIGN` stays a variable.
pub fn in_double_quotes(text: &str) -> String {
    let literal = |part: &str| {
        part.chars().fold(String::new(), |mut quoted, sign| {
            if "\\\"$`".contains(sign) {
                quoted.push('\\');
            }
            quoted.push(sign);
            quoted
        })
    };
    let mut parts = text.split(FOLDER);
    let mut quoted = literal(parts.next().unwrap_or_default());
    for part in parts {
        // A letter right behind a variable would belong to its name.
        let joined = part.starts_with(|sign: char| sign.is_ascii_alphanumeric() || sign == '_');
        quoted.push_str(if joined { "${CAMPAIGN}" } else { FOLDER });
        quoted.push_str(&literal(part));
    }
    quoted
}

/// The value of an option in an `#SBATCH` line: sbatch splits these lines at blanks, ends them at `#`, and knows quotes and the backslash,
/// a backslash before a blank excepted.
pub fn option(text: &str) -> String {
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
    }
}

/// A path in a pattern for a log's name, in which sbatch replaces `%a` and others.
pub fn in_pattern(path: &str) -> String {
    path.replace('%', "%%")
}

/// Why SLURM cannot take `path` as the folder that jobs work in, if so.
pub fn refused_folder(path: &str) -> Option<&'static str> {
    path.contains(|sign: char| sign.is_control() && sign != '\t').then_some("without line ends and control characters")
}

/// Why SLURM cannot take `path` in the pattern of a log's name, if so: a backslash turns the pattern off and is lost.
pub fn refused_in_pattern(path: &str) -> Option<&'static str> {
    if path.contains('\\') {
        Some("without backslashes, which SLURM drops from the names of logs")
    } else {
        refused_folder(path)
    }
}
