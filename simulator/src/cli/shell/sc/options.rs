//! The options of `sc create` and `sc config`.

use crate::service::{Config, ErrorControl, StartType};

/// What was given.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    /// `type= kernel`.
    pub(super) kernel: bool,
    binary_path: Option<&'a str>,
    display_name: Option<&'a str>,
    start: Option<StartType>,
    error: Option<ErrorControl>,
}

impl<'a> Options<'a> {
    /// Reads them. `sc` asks for a space behind each equal sign, and that of Windows 10 does without
    /// (Start9Labs/documentation issue 46, where that of Windows 7 does not; drittich/DnsTube pull request 50).
    pub(super) fn parse(words: &[&'a str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (name, mut value) = word.split_once('=').ok_or_else(|| format!("'{word}' is no option"))?;
            if value.is_empty() {
                value = words.next().ok_or_else(|| format!("'{word}' has no value"))?;
            }
            options.take(name, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &'a str) -> Result<(), String> {
        let no_value = || format!("'{value}' is no value for {name}=");
        match name.to_ascii_lowercase().as_str() {
            "type" if value.eq_ignore_ascii_case("kernel") => self.kernel = true,
            "type" => return Err(format!("type= {value} is not known here: this shell runs kernel drivers only")),
            "binpath" => self.binary_path = Some(value),
            "displayname" => self.display_name = Some(value),
            "start" => self.start = Some(start_type(value).ok_or_else(no_value)?),
            "error" => self.error = Some(error_control(value).ok_or_else(no_value)?),
            _ => return Err(format!("'{name}= {value}' is not known here")),
        }
        Ok(())
    }

    /// Puts what was given into `config`.
    pub(super) fn apply(&self, config: &mut Config) {
        if let Some(path) = self.binary_path {
            config.binary_path = path.into();
        }
        if let Some(name) = self.display_name {
            config.display_name = name.into();
        }
        config.start = self.start.unwrap_or(config.start);
        config.error = self.error.unwrap_or(config.error);
    }
}

fn start_type(word: &str) -> Option<StartType> {
    match word.to_ascii_lowercase().as_str() {
        "boot" => Some(StartType::Boot),
        "system" => Some(StartType::System),
        "auto" => Some(StartType::Auto),
        "demand" => Some(StartType::Demand),
        "disabled" => Some(StartType::Disabled),
        _ => None,
    }
}

fn error_control(word: &str) -> Option<ErrorControl> {
    match word.to_ascii_lowercase().as_str() {
        "ignore" => Some(ErrorControl::Ignore),
        "normal" => Some(ErrorControl::Normal),
        "severe" => Some(ErrorControl::Severe),
        "critical" => Some(ErrorControl::Critical),
        _ => None,
    }
}
